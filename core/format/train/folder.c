/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See folder.h.
 */
#include "core/format/train/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/dirents.h"
#include "core/format/train/folder_files.h"
#include "core/format/opaque.h"

/*
 * Names that the writers of known layouts give, and pointers to what lies below: without the file
 * that their rows look for, such a directory is a torn one of theirs, or no checkpoint itself.
 */
static const char *const others[] = {
	".metadata",
	"meta.pt",
	"*.distcp",
	"*_states.pt",
	"mp_rank_*",
	"zero_pp_rank_*",
	"common.pt",
	"random_states_*.pkl",
	"rng_state*.pth",
	"trainer_state.json",
	"training_args.bin",
	"optimizer.bin",
	"scheduler.bin",
	"_METADATA",
	"_CHECKPOINT_METADATA",
	"manifest.ocdbt",
	"*ocdbt.process_*",
	"latest",
	"latest_checkpointed_iteration.txt",
	"WarpXHeader",
	"Header",
	"Level_[0-9]*",
	"md.idx",
	"*.dmtcp",
	"*.scr",
};

static bool is_others(const char *name)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (fnmatch(others[i], name, 0) == 0)
			return true;
	return false;
}

static bool is_known(struct ckpt_ctx *ctx, int fd, const char *name)
{
	struct ckpt_report report = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check below = { .ctx = ctx,
				    .kind = CKPT_KIND_DIRECTORY,
				    .dirfd = fd,
				    .name = name,
				    .depth = 1,
				    .report = &report,
				    .err = &err };

	return ckpt_format_find(&below);
}

static bool is_folder(int fd, const struct dirent64 *e)
{
	struct stat st;

	if (e->d_name[0] == '.')
		return false;
	return e->d_type == DT_DIR ||
	       (e->d_type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode));
}

/* True where that could not be found out, too. Those in a folder that has a row of its own are that
 * one's to judge. */
static bool has_others(struct ckpt_ctx *ctx, int dirfd, const char *name, unsigned depth)
{
	_cleanup_close_ int fd = ckpt_dir_open(dirfd, name, NULL);
	_cleanup_dirents_ struct ckpt_dirents *d = fd < 0 ? NULL : ckpt_dirents_new(fd);
	const struct dirent64 *e;
	int r = d ? 0 : -1;

	if (d && depth > 0 && is_known(ctx, fd, name))
		return false;
	while (r == 0 && (r = ckpt_dirents_next(d, &e)) == 0)
		if (is_others(e->d_name) || (depth + 1 < CKPT_FOLDER_DEPTH && is_folder(fd, e) &&
					     has_others(ctx, fd, e->d_name, depth + 1)))
			return true;
	return r < 0;
}

static bool folder_sniff(const struct ckpt_check *check)
{
	return check->asked && !has_others(check->ctx, check->dirfd, ".", 0);
}

/* One directory under check. */
struct folder {
	struct ckpt_check *check;
	struct ckpt_folder_files own;
	struct ckpt_folder_elder elder;
	size_t known; /* files that are a checkpoint's by what they hold */
};

static void folder_done(struct folder *f)
{
	ckpt_folder_files_done(&f->own);
	ckpt_folder_elder_done(&f->elder);
}

/* Whether nothing need be in it: a mark ("_SUCCESS"), or one that is empty in the elder, too. */
static bool may_be_empty(const struct folder *f, const struct ckpt_folder_file *file)
{
	const struct ckpt_folder_file *old = ckpt_folder_files_like(&f->elder.files, file);

	return !strchr(file->name, '.') || (old && old->empty);
}

/* The row of the elder's file that is like @own; *@ret is NULL where it has none, or it is gone by
 * now, or on tape: older ones are not recalled for it. 0 or an errno. */
static int row_in_elder(const struct folder *f, const struct ckpt_folder_file *own,
			const struct ckpt_format **ret)
{
	const struct ckpt_folder_file *old = ckpt_folder_files_like(&f->elder.files, own);
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_report report = { 0 };
	struct ckpt_check sub = { .ctx = f->check->ctx,
				  .kind = CKPT_KIND_FILE,
				  .dirfd = f->elder.fd,
				  .file = &file,
				  .report = &report,
				  .err = f->check->err };
	int r;

	*ret = NULL;
	if (!old)
		return 0;
	r = ckpt_file_open(sub.ctx, sub.dirfd, old->name, &file, sub.err);
	if (r)
		return r == -ENOENT || r == -ENODATA || r == CKPT_FILE_NOT_REGULAR ? 0 : r;
	sub.name = old->name;
	r = ckpt_check_probe(&sub);
	if (r == 0)
		*ret = ckpt_format_find(&sub);
	return r;
}

/* No row knows what is in @file: was that so before, and may it be? */
static int check_unknown(const struct folder *f, const struct ckpt_folder_file *file)
{
	const struct ckpt_format *row;
	int r = row_in_elder(f, file, &row);
	bool lost = row && row != &ckpt_format_opaque;

	if (r)
		return r;
	if (!lost && !ckpt_opaque_is_odd(file->name))
		return 0;
	ckpt_check_reject(f->check, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, 0, NULL,
			  "its content is of no known format%s%s", lost ? ", and was " : "",
			  lost ? row->name : "");
	return ckpt_check_blame(f->check, file->name, CKPT_INCOMPLETE);
}

static int check_file(struct folder *f, const struct ckpt_folder_file *file, enum ckpt_level level)
{
	struct ckpt_report member;
	int r;

	if (file->empty && may_be_empty(f, file))
		return 0;
	r = ckpt_check_member(f->check, file->name, level, CKPT_PROBLEM_MEMBER_MISSING, &member);
	if (r)
		return r;
	f->known += member.format != &ckpt_format_opaque && !member.format->holds;
	return member.format == &ckpt_format_opaque ? check_unknown(f, file) : 0;
}

/* Names that a writer takes until it has finished. */
static bool is_unfinished(const char *name)
{
	static const char *const endings[] = { ".tmp", ".part", ".partial", ".incomplete" };
	size_t len = strlen(name);

	while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9')
		len--;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(endings[i]);

		if (len > n && strncmp(name + len - n, endings[i], n) == 0)
			return true;
	}
	return false;
}

static int reject_short(struct ckpt_check *check, const char *name, enum ckpt_problem_code code,
			const char *why)
{
	return ckpt_check_blame(
		check, name,
		ckpt_check_reject(check, CKPT_INCOMPLETE, code, CKPT_NO_OFFSET, NULL, "%s", why));
}

/* What the names say by themselves: files that are being written, parts that are not there. */
static int check_whole(const struct folder *f)
{
	char lost[PATH_MAX];

	for (size_t i = 0; i < f->own.n; i++)
		if (is_unfinished(f->own.f[i].name))
			return reject_short(f->check, f->own.f[i].name,
					    CKPT_PROBLEM_UNFINISHED_NAME,
					    "its writer had not finished");
	if (!ckpt_folder_files_part_lost(&f->own, lost, sizeof(lost)))
		return 0;
	return reject_short(f->check, lost, CKPT_PROBLEM_SHARD_MISSING,
			    "others of its number are missing");
}

static int reject_lost(struct ckpt_check *check, const char *lost, const char *elder)
{
	return ckpt_check_blame(check, lost,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing: %s before it has one", elder));
}

/* How much of @name is its folder's; 0 where it lies in the checkpoint's own. */
static size_t folder_length(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? (size_t)(slash - name) : 0;
}

/* Whether a file before that at @at lies in the folder of @len bytes, too. */
static bool was_seen(const struct ckpt_folder_files *files, size_t at, size_t len)
{
	for (size_t i = at; i-- > 0;)
		if (folder_length(files->f[i].name) == len &&
		    memcmp(files->f[i].name, files->f[at].name, len) == 0)
			return true;
	return false;
}

/* Folders below that are of a known layout are judged by its row, too. */
static int check_below(struct folder *f, enum ckpt_level level)
{
	char name[PATH_MAX];
	bool known;
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->own.n; i++) {
		size_t len = folder_length(f->own.f[i].name);

		if (!len || was_seen(&f->own, i, len))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)len, f->own.f[i].name);
		r = ckpt_check_folder(f->check, name, level, &known, NULL);
		f->known += r == 0 && known;
	}
	return r;
}

static int reject_no_checkpoint(struct ckpt_check *check)
{
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
				 "no checkpoint format known here, nor does a file in it have one");
}

/* What there is, and whether it is all that was there before. */
static int check_names(struct folder *f)
{
	const struct ckpt_folder_file *lost;
	int r = ckpt_folder_files_list(f->check, f->check->dirfd, &f->own);

	if (r)
		return r;
	if (f->own.n == 0)
		return ckpt_check_reject(f->check, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY,
					 CKPT_NO_OFFSET, NULL, "no file is in it");
	r = ckpt_folder_elder_find(f->check, &f->elder);
	if (r)
		return r;
	lost = ckpt_folder_files_lost(&f->own, &f->elder.files);
	return lost ? reject_lost(f->check, lost->name, f->elder.name) : check_whole(f);
}

static int check_folder(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_(folder_done) struct folder f = { .check = check,
						   .elder = CKPT_FOLDER_ELDER_INIT };
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r = check_names(&f);

	if (r == 0)
		r = check_below(&f, level);
	for (size_t i = 0; r == 0 && i < f.own.n; i++)
		r = check_file(&f, &f.own.f[i], level);
	if (r || f.known == 0)
		return r ? r : reject_no_checkpoint(check);
	snprintf(verdict->note, sizeof(verdict->note), "%zu files, each by itself: %s%.120s",
		 f.own.n,
		 f.elder.fd < 0 ? "whether all are there, nothing tells" : "all that there are in ",
		 f.elder.name);
	return 0;
}

static int folder_structure(struct ckpt_check *check)
{
	return check_folder(check, CKPT_LEVEL_STRUCTURE);
}

static int folder_content(struct ckpt_check *check)
{
	return check_folder(check, CKPT_LEVEL_FULL);
}

const struct ckpt_format ckpt_format_folder = {
	.name = "folder",
	.title = "directory, file by file",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_OPAQUE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = folder_sniff,
	.structure = folder_structure,
	.content = folder_content,
};
