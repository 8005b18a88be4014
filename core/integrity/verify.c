/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See verify.h.
 */
#include "core/integrity/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/format/hpc/lammps.h"
#include "core/integrity/files.h"
#include "wire/text.h"

static int reject(struct ckpt_check *check, enum ckpt_status status, enum ckpt_problem_code code,
		  const char *detail)
{
	return ckpt_check_reject(check, status, code, CKPT_NO_OFFSET, NULL, "%s", detail);
}

/* A link whose neighbour was removed is missing; one into a lost file system could not be read. */
static int reject_missing(struct ckpt_check *check)
{
	if (ckpt_files_leads_away(check->dirfd, check->name))
		return reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_IO,
			      "a link into a directory that is not there: is its file system "
			      "mounted?");
	return reject(check, CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "it does not exist");
}

static int verify_file(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r = ckpt_file_open(check->ctx, check->dirfd, check->name, &file, check->err);

	if (r == -ENOENT)
		return reject_missing(check);
	if (r == CKPT_FILE_NOT_REGULAR)
		return reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "not a regular file");
	if (r == -ENODATA) /* on tape: which file it is, is known all the same */
		ckpt_identity_at(check->dirfd, check->name, true, &check->report->identity);
	if (r != 0)
		return r;
	check->file = &file;
	r = ckpt_check_file(check, level);
	check->file = NULL;
	return r;
}

/* Runs the check of a set between two looks at @entry, its index or the directory itself. */
static int verify_set(struct ckpt_check *check, const char *entry, enum ckpt_level level)
{
	struct ckpt_identity *before = &check->report->identity, after;
	int r = ckpt_identity_at(check->dirfd, entry, true, before), checked;

	if (r == -ENOENT)
		return reject_missing(check);
	if (r < 0)
		return ckpt_fail(check->err, r, "cannot look up %s: %s", CKPT_QUOTE(check->name),
				 strerror(-r));
	checked = ckpt_check_run(check, level);
	r = ckpt_identity_at(check->dirfd, entry, true, &after);
	if (r == 0 && ckpt_identity_same(before, &after))
		return checked;
	if (r < 0 && r != -ENOENT)
		return ckpt_fail(check->err, r, "cannot look up %s: %s", CKPT_QUOTE(check->name),
				 strerror(-r));
	check->report->verdict.status = CKPT_VALID; /* what was read may be half old, half new */
	return reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
		      "it changed while it was read");
}

/* The entry that is there in any case of the set @name: a bundle's index, LAMMPS' base file. False
 * where neither is. */
static bool find_entry(const struct ckpt_check *check, char *buf, size_t size)
{
	struct ckpt_identity id;

	snprintf(buf, size, "%s.index", check->name);
	return ckpt_identity_at(check->dirfd, buf, true, &id) != -ENOENT ||
	       (ckpt_lammps_part(check->name, "base", buf, size) &&
		ckpt_identity_at(check->dirfd, buf, true, &id) != -ENOENT);
}

static int verify_prefix(struct ckpt_check *check, enum ckpt_level level)
{
	char entry[PATH_MAX];
	int r;

	if (strlen(check->name) + sizeof(".index") > sizeof(entry))
		return ckpt_fail(check->err, -ENAMETOOLONG, "the name is too long");
	if (find_entry(check, entry, sizeof(entry)))
		return verify_set(check, entry, level);
	r = ckpt_check_run(check, level); /* data without an index: the row says which */
	if (check->report->format)
		return r;
	check->report->verdict.status = CKPT_VALID;
	return reject_missing(check);
}

static int verify_directory(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_close_ int fd = ckpt_dir_open(check->dirfd, check->name, check->err);

	if (fd == -ENOENT)
		return reject_missing(check);
	if (fd < 0)
		return fd;
	check->dirfd = fd;
	return verify_set(check, ".", level);
}

static int verify_kind(struct ckpt_check *check, enum ckpt_level level)
{
	switch (check->kind) {
	case CKPT_KIND_FILE:
		return verify_file(check, level);
	case CKPT_KIND_PREFIX:
		return verify_prefix(check, level);
	case CKPT_KIND_DIRECTORY:
		return verify_directory(check, level);
	}
	return ckpt_fail(check->err, -EINVAL, "no such kind of checkpoint");
}

/* Turns "could not find out" into a verdict. */
static void note_unreadable(struct ckpt_check *check, int code)
{
	/* A remark or rejection on the way does not outweigh that the end was not reached. */
	check->report->verdict.status = CKPT_VALID;
	check->report->released = code == -ENODATA && check->ctx->no_recall;
	if (code == -ETIMEDOUT || code == -EDQUOT)
		reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_IO,
		       code == -ETIMEDOUT ? "budget: out of time" : "budget: out of bytes to read");
	else
		reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_IO,
		       check->err->text[0] ? check->err->text : strerror(-code));
}

void ckpt_verify(struct ckpt_ctx *ctx, const struct ckpt_target *target, enum ckpt_level level,
		 struct ckpt_report *report)
{
	struct ckpt_error err = { 0 };
	struct ckpt_check check = { .ctx = ctx,
				    .kind = target->kind,
				    .dirfd = target->dirfd,
				    .name = target->name,
				    .asked = target->asked,
				    .report = report,
				    .err = &err };
	int64_t start = ckpt_ctx_now(ctx);
	uint64_t before = ctx->bytes_read;
	int r;

	*report = (struct ckpt_report) { 0 };
	r = verify_kind(&check, level);
	if (r < 0)
		note_unreadable(&check, r);
	if (r != 0)
		report->verdict.evidence = CKPT_EVIDENCE_NONE;
	report->verdict.bytes_read = ctx->bytes_read - before;
	report->verdict.seconds = (double)(ckpt_ctx_now(ctx) - start) / 1e9;
}

int ckpt_target_kind(int dirfd, const char *name, enum ckpt_kind *ret)
{
	char index[PATH_MAX];
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) == 0) {
		*ret = S_ISDIR(st.st_mode) ? CKPT_KIND_DIRECTORY : CKPT_KIND_FILE;
		return 0;
	}
	if (errno != ENOENT)
		return -errno;
	if (snprintf(index, sizeof(index), "%s.index", name) >= (int)sizeof(index))
		return -ENAMETOOLONG;
	if (fstatat(dirfd, index, &st, 0) < 0)
		return -errno;
	*ret = CKPT_KIND_PREFIX;
	return 0;
}
