/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fti.h. Every file that the books name is there with its size, and has its MD5.
 */
#include "core/format/hpc/fti.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/libcrypto.h"
#include "core/base/share.h"
#include "core/format/hpc/fti_books.h"
#include "wire/text.h"

#define CHUNK (1u << 20)
#define FTIFF_META 106
#define HEX "0123456789abcdef"

/* A check under way. */
struct fti {
	struct ckpt_check *check;
	enum ckpt_level level;
	int64_t id, first_id, ranks;
	uint64_t bytes;	 /* of all ranks, by the books */
	char common[64]; /* the file that all ranks wrote together, or "" */
	char rank[64];	 /* the file of one of them, or "" */
};

static int on_id(void *arg, int64_t id, bool differential)
{
	struct fti *f = arg;

	if (differential)
		return ckpt_check_reject(f->check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, NULL,
					 "a differential checkpoint: FTI alone can read it");
	f->id = id;
	if (f->first_id < 0)
		f->first_id = id;
	if (id >= 0 && id == f->first_id)
		return 0;
	return ckpt_check_reject(
		f->check, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET, NULL,
		"FTI's metadata is of checkpoints %" PRId64 " and %" PRId64, f->first_id, id);
}

/* The MD5 of the whole file, as digits. 0, CKPT_FILE_SHORT or an errno. */
static int md5_of(const struct ckpt_file *file, char ret[33], struct ckpt_error *err)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	EVP_MD_CTX *md = lib ? lib->EVP_MD_CTX_new() : NULL;
	uint8_t sum[EVP_MAX_MD_SIZE];
	int r = buf && md && lib->EVP_DigestInit_ex(md, lib->EVP_md5(), NULL) == 1 ? 0 : -ENOTSUP;

	for (uint64_t at = 0; r == 0 && at < file->size;) {
		size_t n = file->size - at < CHUNK ? (size_t)(file->size - at) : CHUNK;

		r = ckpt_file_read(file, at, buf, n, err);
		if (r == 0 && lib->EVP_DigestUpdate(md, buf, n) != 1)
			r = -ENOTSUP;
		at += n;
	}
	if (r == 0 && lib->EVP_DigestFinal_ex(md, sum, NULL) != 1)
		r = -ENOTSUP;
	if (md)
		lib->EVP_MD_CTX_free(md);
	for (int i = 0; r == 0 && i < 16; i++)
		snprintf(ret + 2 * i, 3, "%02x", sum[i]);
	return r;
}

static int check_md5(struct fti *f, struct ckpt_check *sub, const char *said)
{
	char found[33];
	int r;

	if (f->level < CKPT_LEVEL_FULL || !ckpt_share_takes_file(sub->ctx->share, sub->file->name))
		return 0;
	if (strlen(said) != 32) {
		ckpt_check_cap(f->check, CKPT_EVIDENCE_STRUCTURE, "FTI noted no MD5 of its files");
		return 0;
	}
	r = md5_of(sub->file, found, sub->err);
	if (r == -ENOTSUP) {
		ckpt_check_cap(f->check, CKPT_EVIDENCE_STRUCTURE, "MD5 is not available here");
		return 0;
	}
	if (r > 0)
		return ckpt_check_reject(sub, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
					 CKPT_NO_OFFSET, NULL, "the file shrank while it was read");
	if (r < 0 || strcmp(found, said) == 0)
		return r;
	return ckpt_check_reject(sub, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, CKPT_NO_OFFSET, NULL,
				 "its MD5 is not the one that FTI noted");
}

static int check_size(struct ckpt_check *sub, uint64_t said)
{
	bool less = sub->file->size < said;

	if (sub->file->size == said)
		return 0;
	return ckpt_check_reject(
		sub, less ? CKPT_INCOMPLETE : CKPT_CORRUPT,
		less ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_TRAILING, sub->file->size, NULL,
		"it has %" PRIu64 " bytes, FTI noted %" PRIu64, sub->file->size, said);
}

/* A file of the checkpoint with @size bytes; @md5 NULL: of all ranks, and it may have more. */
static int check_file(struct fti *f, const char *name, uint64_t size, const char *md5)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *f->check;
	int r = ckpt_file_open(sub.ctx, sub.dirfd, name, &file, sub.err);

	sub.name = name;
	if (r == -ENOENT)
		return ckpt_check_reject(&sub, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
					 CKPT_NO_OFFSET, NULL, "it is missing");
	if (r < 0)
		return r;
	if (r > 0)
		return ckpt_check_reject(&sub, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 NULL, "not a regular file");
	sub.file = &file;
	f->check->report->verdict.size_bytes += file.size;
	if (!md5 && file.size > size)
		return 0;
	r = check_size(&sub, size);
	return r || !md5 ? r : check_md5(f, &sub, md5);
}

static int on_file(void *arg, const struct ckpt_fti_file *file)
{
	struct fti *f = arg;

	f->ranks++;
	if (!file->name[0] || strchr(file->name, '/') || file->size < 0 ||
	    __builtin_add_overflow(f->bytes, (uint64_t)file->size, &f->bytes))
		return ckpt_check_reject(f->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, NULL,
					 "FTI's metadata has no name or size of a rank's file");
	return f->common[0] ? 0 : check_file(f, file->name, (uint64_t)file->size, file->md5);
}

/* With MPI-IO and SIONlib all ranks write one file, which the books do not name. */
static bool find_common(struct fti *f, const char *name)
{
	return ckpt_text_starts(name, "Ckpt", NULL) &&
	       (ckpt_text_ends(name, "-mpiio.fti") || ckpt_text_ends(name, "-sionlib.fti")) &&
	       ckpt_text_copy(f->common, sizeof(f->common), name);
}

/*
 * Whether @tail, the last bytes of a rank's file, is FTI-FF's: such a file ends in its own
 * metadata, of 105 or 106 bytes, and that begins with the MD5 of what is before it, as digits and a
 * NUL (FTI, src/IO/ftiff.c, FTIFF_SerializeFileMeta(); src/util/tools.c).
 */
static bool ends_as_ftiff(const char tail[FTIFF_META])
{
	return strspn(tail, HEX) == 32 || strspn(tail + 1, HEX) == 32;
}

/* The same of the rank's file that was found, where it can be read. */
static bool is_ftiff(const struct fti *f)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	char tail[FTIFF_META + 1] = "";

	return ckpt_file_open(f->check->ctx, f->check->dirfd, f->rank, &file, NULL) == 0 &&
	       file.size > FTIFF_META &&
	       ckpt_file_read(&file, file.size - FTIFF_META, tail, FTIFF_META, NULL) == 0 &&
	       ends_as_ftiff(tail);
}

static bool find_rank(struct fti *f, const char *name)
{
	return ckpt_text_starts(name, "Ckpt", NULL) && strstr(name, "-Rank") &&
	       (ckpt_text_ends(name, ".fti") || ckpt_text_ends(name, ".h5")) &&
	       ckpt_text_copy(f->rank, sizeof(f->rank), name);
}

/* Whether the directory has a file by FTI's names; it, or the common one's, to @f. */
static bool has_data(struct fti *f)
{
	int copy = openat(f->check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (find_common(f, e->d_name) || find_rank(f, e->d_name))
			return true;
	return false;
}

static int read_books(struct fti *f, int books)
{
	const struct ckpt_fti_reader reader = { .file = on_file, .id = on_id, .arg = f };
	int64_t sectors, first, groups, before;
	char name[64];
	int r = ckpt_fti_books_count(f->check, books, &sectors, &first, &groups);

	for (int64_t i = 0; r == 0 && i < sectors * groups; i++) {
		snprintf(name, sizeof(name), "sector%" PRId64 "-group%" PRId64 ".fti", i / groups,
			 first + i % groups);
		before = f->ranks;
		f->id = -1;
		r = ckpt_fti_book_read(f->check, books, name, &reader);
		if (r == 0 && (f->ranks == before || f->id < 0))
			r = ckpt_check_reject(f->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
					      CKPT_NO_OFFSET, name,
					      "FTI's metadata names no rank or no checkpoint");
	}
	return r;
}

static int check_all(struct fti *f)
{
	struct ckpt_position *pos = &f->check->report->position;
	_cleanup_close_ int books = ckpt_fti_books_open(f->check);
	int r;

	if (books == -ENOENT && f->rank[0] && is_ftiff(f))
		return ckpt_check_reject(f->check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, NULL,
					 "written as FTI-FF: FTI alone can read it");
	if (books == -ENOENT)
		return ckpt_check_reject(
			f->check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET,
			"sector0-group0.fti",
			"FTI's metadata of it is in no directory beside: FTI does not restart "
			"without");
	if (books < 0)
		return books;
	r = read_books(f, books);
	if (r == 0 && f->common[0]) {
		r = check_file(f, f->common, f->bytes, NULL);
		ckpt_check_cap(f->check, CKPT_EVIDENCE_STRUCTURE,
			       "FTI's MD5 are not of the file that all ranks wrote together");
	}
	if (r)
		return r;
	f->check->report->tensors = (uint64_t)f->ranks;
	pos->has_epoch = true;
	pos->epoch = (double)f->id;
	pos->meaning = CKPT_EPOCH_SAVE_COUNTER;
	pos->epoch_source = CKPT_FROM_METADATA;
	return 0;
}

static int check_level(struct ckpt_check *check, enum ckpt_level level)
{
	struct fti f = { .check = check, .level = level, .first_id = -1 };

	check->report->contents = CKPT_CONTENTS_FULL;
	snprintf(check->report->framework, sizeof(check->report->framework), "FTI");
	has_data(&f);
	return check_all(&f);
}

static int fti_structure(struct ckpt_check *check)
{
	return check_level(check, CKPT_LEVEL_STRUCTURE);
}

static int fti_content(struct ckpt_check *check)
{
	return check_level(check, CKPT_LEVEL_FULL);
}

static bool fti_sniff(const struct ckpt_check *check)
{
	struct ckpt_check copy = *check;
	struct fti f = { .check = &copy };

	return strcmp(check->name, "l4") == 0 && has_data(&f);
}

const struct ckpt_format ckpt_format_fti = {
	.name = "fti",
	.title = "FTI checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_SAVE_COUNTER,
	.sniff = fti_sniff,
	.structure = fti_structure,
	.content = fti_content,
};
