/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See scr.h. As SCR 3 writes them (scr_index_api.c, scr_flush.c, filo.c, kvtree_mpi_io.c): the
 * index maps names to ids and states; .scr/scr.dataset.ID/ has summary.scr and a map of ranks to
 * files, rank2file, whose upper levels name the files of the lower ones. Sizes and CRCs of single
 * files are in older maps only; the sum of all sizes and their number is in the dataset's
 * description.
 */
#include "core/format/hpc/scr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/format/hpc/kvtree.h"
#include "wire/text.h"

#define INDEX ".scr/index.scr"
#define PATH_SIZE 1024
#define LEVELS_MAX 8		   /* a map names thousands of maps below it */
#define MAP_BYTES_MAX (256u << 20) /* of all maps: a rank takes about 100 bytes */
#define FILES_MAX 10000000	   /* where the description does not tell */

/* A check under way. */
struct scr {
	struct ckpt_check *check;
	enum ckpt_level level;
	int prefix; /* SCR's: the directory above */
	int64_t id, files, bytes;
	bool has_files, has_bytes;
	int64_t found;
	uint64_t size;
	bool unproved;	    /* a file has no CRC */
	uint64_t map_bytes; /* read */
};

static int incomplete(struct ckpt_check *check, const char *file, enum ckpt_problem_code code,
		      const char *what)
{
	return ckpt_check_blame(
		check, file,
		ckpt_check_reject(check, CKPT_INCOMPLETE, code, CKPT_NO_OFFSET, NULL, "%s", what));
}

/* Loads a file of the books that must be there. */
static int load(struct scr *s, const char *path, struct ckpt_kvtree *ret)
{
	int r = ckpt_kvtree_load(s->check, s->prefix, path, ret);

	return r == -ENOENT ? incomplete(s->check, path, CKPT_PROBLEM_MEMBER_MISSING,
					 "it is missing: the flush did not finish")
			    : r;
}

/* What the index has under the dataset's name. False: nothing. */
static bool find(struct ckpt_bytes index, const char *name, int64_t *ret_id,
		 struct ckpt_bytes *ret_entry)
{
	struct ckpt_bytes below;
	const char *id;

	if (!ckpt_kvtree_get(index, "NAME", &below) || !ckpt_kvtree_get(below, name, &below))
		return false;
	id = ckpt_kvtree_text(below, "DSET");
	return id && ckpt_text_int(id, 0, INT64_MAX, ret_id) &&
	       ckpt_kvtree_get(index, "DSET", &below) && ckpt_kvtree_get(below, id, ret_entry);
}

/* What the dataset's description says. */
static int read_description(struct scr *s, struct ckpt_bytes dataset)
{
	struct ckpt_position *pos = &s->check->report->position;
	int64_t flag, count;

	if (ckpt_kvtree_int(dataset, "FLAG_CKPT", &flag) && flag == 0)
		return incomplete(s->check, INDEX, CKPT_PROBLEM_HEADER,
				  "SCR has it as output, not as a checkpoint");
	if (ckpt_kvtree_int(dataset, "CKPT", &count)) {
		pos->has_epoch = true;
		pos->epoch = (double)count;
		pos->meaning = CKPT_EPOCH_SAVE_COUNTER;
		pos->epoch_source = CKPT_FROM_METADATA;
	}
	s->has_files = ckpt_kvtree_int(dataset, "FILES", &s->files);
	s->has_bytes = ckpt_kvtree_int(dataset, "SIZE", &s->bytes);
	return 0;
}

/* The state that the index has of the dataset: SCR itself restarts from complete ones that did not
 * fail. */
static int read_entry(struct scr *s, struct ckpt_bytes entry)
{
	struct ckpt_bytes below;
	int64_t complete;

	if (!ckpt_kvtree_int(entry, "COMPLETE", &complete) || complete != 1)
		return incomplete(s->check, INDEX, CKPT_PROBLEM_MEMBER_MISSING,
				  "SCR has it as not complete");
	if (ckpt_kvtree_get(entry, "FAILED", &below))
		return incomplete(s->check, INDEX, CKPT_PROBLEM_MEMBER_MISSING,
				  "SCR failed to restart from it");
	return ckpt_kvtree_get(entry, "DSET", &below) ? read_description(s, below) : 0;
}

static int read_index(struct scr *s)
{
	_cleanup_kvtree_ struct ckpt_kvtree index = { 0 };
	struct ckpt_bytes entry;
	int r = load(s, INDEX, &index);

	if (r)
		return r;
	if (!find(index.root, s->check->name, &s->id, &entry))
		return incomplete(s->check, INDEX, CKPT_PROBLEM_MEMBER_MISSING,
				  "SCR does not have it any more");
	return read_entry(s, entry);
}

static int read_summary(struct scr *s)
{
	_cleanup_kvtree_ struct ckpt_kvtree summary = { 0 };
	char path[PATH_SIZE];
	int64_t complete;
	int r;

	snprintf(path, sizeof(path), ".scr/scr.dataset.%lld/summary.scr", (long long)s->id);
	r = load(s, path, &summary);
	if (r)
		return r;
	if (ckpt_kvtree_int(summary.root, "COMPLETE", &complete) && complete == 1)
		return 0;
	return incomplete(s->check, path, CKPT_PROBLEM_MEMBER_MISSING, "it says: not complete");
}

/* "0x1a2b", as kvtree_util_set_crc32() writes it. */
static bool parse_crc(const char *text, uint32_t *ret)
{
	size_t n = 0;

	*ret = 0;
	if (!text || !ckpt_text_starts(text, "0x", &text))
		return false;
	for (; text[n]; n++) {
		const char *digit = strchr("0123456789abcdef", text[n]);

		if (!digit || n == 8)
			return false;
		*ret = *ret << 4 | (uint32_t)(digit - "0123456789abcdef");
	}
	return n > 0;
}

static int one_range(void *arg, struct ckpt_crc_range *ret)
{
	struct ckpt_crc_range *range = arg;

	if (!range->len)
		return 0;
	*ret = *range;
	range->len = 0;
	return 1;
}

/* Compares a file with the CRC that the map has of it, if it has one. */
static int check_crc(struct scr *s, struct ckpt_check *sub, struct ckpt_bytes entry)
{
	struct ckpt_crc_range bad, range = { .len = sub->file->size };
	struct ckpt_crc_job job = {
		.kind = CKPT_CRC32, .next = one_range, .arg = &range, .total = sub->file->size
	};
	int r;

	if (!parse_crc(ckpt_kvtree_text(entry, "CRC"), &range.expected)) {
		s->unproved = true;
		return 0;
	}
	if (s->level < CKPT_LEVEL_FULL)
		return 0;
	if (sub->file->size)
		r = ckpt_crc_verify(sub->file, &job, &bad, sub->err);
	else
		r = range.expected ? CKPT_CRC_MISMATCH : 0;
	return r <= 0 ? r
		      : ckpt_check_reject(sub, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, CKPT_NO_OFFSET,
					  NULL, "it does not match the CRC-32 that SCR noted");
}

/* One file of the dataset; its path is relative to the prefix. */
static int check_file(struct scr *s, const char *path, struct ckpt_bytes entry)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *s->check;
	int64_t size;
	int r = ckpt_file_open(sub.ctx, s->prefix, path, &file, sub.err);

	if (r == -ENOENT)
		return incomplete(s->check, path, CKPT_PROBLEM_SHARD_MISSING, "it is missing");
	if (r < 0)
		return r;
	sub.name = path;
	if (r > 0)
		return ckpt_check_reject(&sub, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 NULL, "not a regular file");
	sub.file = &file;
	s->found++;
	s->size += file.size;
	if (ckpt_kvtree_int(entry, "SIZE", &size) && (uint64_t)size != file.size)
		return ckpt_check_reject(
			&sub, (uint64_t)size > file.size ? CKPT_INCOMPLETE : CKPT_CORRUPT,
			(uint64_t)size > file.size ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_TRAILING,
			file.size, NULL, "it has %llu bytes, SCR noted %lld",
			(unsigned long long)file.size, (long long)size);
	return check_crc(s, &sub, entry);
}

/* The files of one rank. */
static int check_rank(struct scr *s, struct ckpt_bytes rank)
{
	struct ckpt_kvtree_walk walk;
	struct ckpt_bytes files, entry;
	const char *path;
	int r = 0;

	if (!ckpt_kvtree_get(rank, "FILE", &files))
		return 0;
	ckpt_kvtree_first(files, &walk);
	while (r == 0 && ckpt_kvtree_next(&walk, &path, &entry)) {
		if (s->found == s->files)
			return ckpt_check_reject(
				s->check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, CKPT_NO_OFFSET,
				path, "its map names more than the %lld files of the dataset",
				(long long)s->files);
		r = check_file(s, path, entry);
	}
	return r;
}

/* The map rank2file@suffix: of ranks' files, or of maps a level lower. */
static int check_map(struct scr *s, const char *suffix, int64_t above)
{
	_cleanup_kvtree_ struct ckpt_kvtree map = { 0 };
	struct ckpt_kvtree_walk walk;
	struct ckpt_bytes ranks, rank;
	const char *key, *below;
	char path[PATH_SIZE];
	int64_t level;
	int r;

	snprintf(path, sizeof(path), ".scr/scr.dataset.%lld/rank2file%.900s", (long long)s->id,
		 suffix);
	r = load(s, path, &map);
	if (r)
		return r;
	s->map_bytes += map.root.n;
	if (s->map_bytes > MAP_BYTES_MAX)
		return ckpt_check_reject(s->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, NULL,
					 "its maps have over 256 MiB: not checked");
	if (!ckpt_kvtree_int(map.root, "LEVEL", &level) || level >= above ||
	    !ckpt_kvtree_get(map.root, "RANK", &ranks))
		return ckpt_check_blame(s->check, path,
					ckpt_check_reject(s->check, CKPT_CORRUPT,
							  CKPT_PROBLEM_DIRECTORY, CKPT_NO_OFFSET,
							  NULL, "it is no map of ranks to files"));
	ckpt_kvtree_first(ranks, &walk);
	while (r == 0 && ckpt_kvtree_next(&walk, &key, &rank)) {
		below = level ? ckpt_kvtree_text(rank, "FILE") : NULL;
		r = level == 0 ? check_rank(s, rank) : below ? check_map(s, below, level) : 0;
	}
	return r;
}

/* Number and size of all files. */
static int check_sums(struct scr *s)
{
	struct ckpt_check *check = s->check;

	check->report->verdict.size_bytes += s->size;
	check->report->tensors = (uint64_t)s->found;
	if (s->has_files && s->found != s->files)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
					 CKPT_NO_OFFSET, NULL,
					 "its map names %lld files, the dataset has %lld",
					 (long long)s->found, (long long)s->files);
	if (!s->has_bytes || s->size == (uint64_t)s->bytes)
		return 0;
	if (s->size < (uint64_t)s->bytes)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 CKPT_NO_OFFSET, NULL,
					 "its files have %llu bytes, SCR noted %lld",
					 (unsigned long long)s->size, (long long)s->bytes);
	ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, CKPT_NO_OFFSET,
			  "its files have %llu bytes, SCR noted %lld", (unsigned long long)s->size,
			  (long long)s->bytes);
	return 0;
}

static int check_dataset(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_close_ int prefix = ckpt_dir_open(check->dirfd, "..", check->err);
	struct scr s = { .check = check, .level = level, .prefix = prefix, .files = FILES_MAX };
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r;

	if (prefix < 0)
		return prefix;
	check->report->contents = CKPT_CONTENTS_FULL;
	snprintf(check->report->framework, sizeof(check->report->framework), "SCR");
	r = read_index(&s);
	r = r ? r : read_summary(&s);
	r = r ? r : check_map(&s, "", LEVELS_MAX);
	r = r ? r : check_sums(&s);
	if (r)
		return r;
	if (s.unproved)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE, "SCR noted no CRC-32 of its files");
	if (!verdict->note[0] && ckpt_dir_has(prefix, ".scr/halt.scr"))
		snprintf(verdict->note, sizeof(verdict->note),
			 "SCR's halt file (.scr/halt.scr) is there: it may end the job at once");
	return 0;
}

static int scr_structure(struct ckpt_check *check)
{
	return check_dataset(check, CKPT_LEVEL_STRUCTURE);
}

static int scr_content(struct ckpt_check *check)
{
	return check_dataset(check, CKPT_LEVEL_FULL);
}

/* The directory's name is in the index above it. */
static bool scr_sniff(const struct ckpt_check *check)
{
	_cleanup_close_ int prefix = ckpt_dir_open(check->dirfd, "..", NULL);
	_cleanup_kvtree_ struct ckpt_kvtree index = { 0 };
	struct ckpt_report own = { 0 };
	struct ckpt_check quiet = *check;
	struct ckpt_bytes entry;
	int64_t id;

	quiet.report = &own;
	return prefix >= 0 && ckpt_dir_has(prefix, INDEX) &&
	       ckpt_kvtree_load(&quiet, prefix, INDEX, &index) == 0 &&
	       find(index.root, check->name, &id, &entry);
}

const struct ckpt_format ckpt_format_scr = {
	.name = "scr",
	.title = "SCR dataset",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_SAVE_COUNTER,
	.sniff = scr_sniff,
	.structure = scr_structure,
	.content = scr_content,
};
