/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See format.h: what is the same for every row.
 */
#include "core/format/format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/share.h"
#include "core/base/text.h"
#include "core/format/finiteness.h"
#include "wire/text.h"

#define FOLDER_DEPTH 3 /* a trainer's directory, the tag in it, and one more */

const struct ckpt_format *ckpt_format_named(const char *name)
{
	for (size_t i = 0; ckpt_formats[i]->name; i++)
		if (strcmp(ckpt_formats[i]->name, name) == 0)
			return ckpt_formats[i];
	return NULL;
}

bool ckpt_format_beside(const char *name, int no, char *ret, size_t size)
{
	for (size_t i = 0; ckpt_formats[i]->name; i++)
		if (ckpt_formats[i]->beside && ckpt_formats[i]->beside(name, no, ret, size))
			return true;
	return false;
}

const struct ckpt_format *ckpt_format_find(const struct ckpt_check *check)
{
	for (size_t i = 0; ckpt_formats[i]->name; i++)
		if (ckpt_formats[i]->kind == check->kind && ckpt_formats[i]->sniff(check))
			return ckpt_formats[i];
	return NULL;
}

static void set_text(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src ? src : "");
	ckpt_text_clean(dst);
}

static const char *check_name(const struct ckpt_check *check)
{
	return check->file ? check->file->name : check->name;
}

/* Fills all of the problem but its sentence. */
static struct ckpt_problem *new_problem(struct ckpt_check *check, enum ckpt_problem_code code,
					uint64_t offset, const char *member)
{
	struct ckpt_problem *problem = &check->report->verdict.problem;

	problem->code = code;
	problem->offset = offset;
	set_text(problem->file, sizeof(problem->file), check_name(check));
	set_text(problem->member, sizeof(problem->member), member);
	return problem;
}

int ckpt_check_reject(struct ckpt_check *check, enum ckpt_status status,
		      enum ckpt_problem_code code, uint64_t offset, const char *member,
		      const char *fmt, ...)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	struct ckpt_problem *problem;
	va_list ap;

	if (verdict->status != CKPT_VALID)
		return (int)verdict->status;
	verdict->status = status;
	problem = new_problem(check, code, offset, member);
	va_start(ap, fmt);
	vsnprintf(problem->detail, sizeof(problem->detail), fmt, ap);
	va_end(ap);
	ckpt_text_clean(problem->detail);
	return (int)status;
}

void ckpt_check_remark(struct ckpt_check *check, enum ckpt_problem_code code, uint64_t offset,
		       const char *fmt, ...)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	struct ckpt_problem *problem;
	va_list ap;

	if (verdict->status != CKPT_VALID || verdict->problem.code != CKPT_PROBLEM_NONE)
		return;
	problem = new_problem(check, code, offset, NULL);
	va_start(ap, fmt);
	vsnprintf(problem->detail, sizeof(problem->detail), fmt, ap);
	va_end(ap);
	ckpt_text_clean(problem->detail);
}

void ckpt_check_cap(struct ckpt_check *check, enum ckpt_evidence most, const char *fmt, ...)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	va_list ap;

	if (most >= verdict->evidence)
		return;
	verdict->evidence = most;
	va_start(ap, fmt);
	vsnprintf(verdict->note, sizeof(verdict->note), fmt, ap);
	va_end(ap);
	ckpt_text_clean(verdict->note);
}

bool ckpt_format_says_bare(const char *note, size_t len)
{
	for (size_t i = 0; ckpt_formats[i]->name; i++) {
		const char *bare = ckpt_formats[i]->bare;

		if (bare && strlen(bare) == len && memcmp(bare, note, len) == 0)
			return true;
	}
	return false;
}

void ckpt_check_bare(struct ckpt_check *check, const struct ckpt_format *row)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	if (row->bare && !verdict->note[0])
		snprintf(verdict->note, sizeof(verdict->note), "%s", row->bare);
}

int ckpt_check_read(struct ckpt_check *check, uint64_t off, void *buf, size_t len, const char *what)
{
	int r = ckpt_file_read(check->file, off, buf, len, check->err);

	if (r != CKPT_FILE_SHORT)
		return r;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, off, NULL,
				 "%s needs %zu bytes at %llu, but the file has %llu", what, len,
				 (unsigned long long)off, (unsigned long long)check->file->size);
}

int ckpt_check_probe(struct ckpt_check *check)
{
	struct ckpt_head *head = &check->head;
	uint64_t size = check->file->size;
	int r;

	*head = (struct ckpt_head) { .size = size };
	head->n_head = size < sizeof(head->head) ? (uint32_t)size : sizeof(head->head);
	head->n_tail = size < sizeof(head->tail) ? (uint32_t)size : sizeof(head->tail);
	r = ckpt_file_read(check->file, 0, head->head, head->n_head, check->err);
	if (r == 0)
		r = ckpt_file_read(check->file, size - head->n_tail, head->tail, head->n_tail,
				   check->err);
	return r == CKPT_FILE_SHORT ? -EAGAIN : r; /* it had that size when it was opened */
}

/* Copies the rest of the line that begins with @key in @text to @ret. */
static bool line_after(const char *text, const char *key, char *ret, size_t size)
{
	const char *at = strstr(text, key);
	size_t n;

	if (!at)
		return false;
	at += strlen(key);
	n = strcspn(at, "\r\n");
	if (n == 0 || n >= size)
		return false;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return true;
}

/* A pointer of Git LFS (its spec v1: a short text that begins so) stands where the data should be.
 */
static int reject_lfs(struct ckpt_check *check)
{
	static const char begin[] = "version https://git-lfs.github.com/spec/v1\n";
	const struct ckpt_head *head = &check->head;
	char text[sizeof(head->head) + 1], oid[80], size[24], words[32];

	if (head->size >= 1024 || head->n_head < sizeof(begin) - 1 ||
	    memcmp(head->head, begin, sizeof(begin) - 1) != 0)
		return 0;
	memcpy(text, head->head, head->n_head);
	text[head->n_head] = '\0';
	if (!line_after(text, "\noid sha256:", oid, sizeof(oid)) ||
	    !line_after(text, "\nsize ", size, sizeof(size)))
		return 0;
	return ckpt_check_reject(
		check, CKPT_INCOMPLETE, CKPT_PROBLEM_LFS_POINTER, CKPT_NO_OFFSET, NULL,
		"a Git LFS pointer to %s, not the data (%s bytes, sha256 %s): run `git lfs pull`",
		ckpt_text_size(words, sizeof(words), strtoull(size, NULL, 10)), size, oid);
}

/* What is said of a file before its format matters. */
static int check_any_file(struct ckpt_check *check)
{
	int r;

	check->report->verdict.size_bytes = check->file->size;
	r = ckpt_check_probe(check);
	if (r != 0)
		return r;
	if (check->file->size == 0)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, 0, NULL,
					 "the file is empty");
	return reject_lfs(check);
}

static enum ckpt_evidence weaker(enum ckpt_evidence a, enum ckpt_evidence b)
{
	return a < b ? a : b;
}

/* Another process reads it, and answers for what it says: nothing here lowers that. */
static int leave_to_owner(struct ckpt_verdict *verdict, const struct ckpt_format *row)
{
	verdict->evidence = row->full;
	verdict->note[0] = '\0';
	return 0;
}

/* What is one share's is read by its owner as if there were no others: what it holds as well, and
 * the files that it names. */
static int run_content(struct ckpt_check *check, const struct ckpt_format *row)
{
	struct ckpt_share *share = check->ctx->share;
	int r;

	if (check->kind == CKPT_KIND_FILE && !row->split)
		check->ctx->share = NULL;
	r = row->content(check);
	check->ctx->share = share;
	return r;
}

/*
 * The content begins with what the row can prove and is lowered by the row or its members. Members
 * that the structure found opaque stay so; sizes are counted anew, unless the content leaves
 * members out.
 */
static int check_content(struct ckpt_check *check, const struct ckpt_format *row)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	enum ckpt_evidence proved = verdict->evidence;
	uint64_t size = verdict->size_bytes;
	const char *what;
	int r;

	if (check->kind == CKPT_KIND_FILE && !row->split &&
	    !ckpt_share_takes_file(check->ctx->share, check->file->name))
		return leave_to_owner(verdict, row);
	if (proved >= CKPT_EVIDENCE_STRUCTURE)
		verdict->evidence = row->full;
	if (check->kind != CKPT_KIND_FILE)
		verdict->size_bytes = 0;
	r = run_content(check, row);
	if (verdict->size_bytes < size)
		verdict->size_bytes = size;
	if (r != -ETIMEDOUT && r != -EDQUOT)
		return r;
	what = r == -ETIMEDOUT ? "time" : "bytes";
	verdict->evidence = weaker(proved, verdict->evidence);
	if (check->level >= CKPT_LEVEL_FINITE && !row->finite) /* nor were the members left */
		ckpt_finiteness_skip(check, 1, "budget (%s)", what);
	snprintf(verdict->note, sizeof(verdict->note), "content not read: budget (%s)", what);
	return 0;
}

int ckpt_check_as(struct ckpt_check *check, const struct ckpt_format *row, enum ckpt_level level)
{
	int r;

	check->report->format = row;
	check->level = level;
	check->report->verdict.evidence = weaker(row->full, CKPT_EVIDENCE_STRUCTURE);
	r = row->structure(check);
	if (r == 0 && level >= CKPT_LEVEL_FULL && row->content)
		r = check_content(check, row);
	else if (r == 0 && level >= CKPT_LEVEL_FULL)
		ckpt_check_bare(check, row);
	if (r == 0 && level >= CKPT_LEVEL_FINITE)
		r = ckpt_finiteness_run(check, row);
	return r;
}

/* No row knows the set: what in it tells of those that are meant? */
static int reject_unknown(struct ckpt_check *check)
{
	static const char checked[] = "this is what can be checked",
			  named[] = "it names one of those below, `ckptctl list` shows them";
	static const struct {
		const char *entry, *hint;
	} rows[] = {
		{ "model.safetensors.index.json", checked },
		{ "pytorch_model.bin.index.json", checked },
		{ "latest", named },
		{ "latest_checkpointed_iteration.txt", named },
	};
	char hint[160] = "";
	bool directory = check->kind == CKPT_KIND_DIRECTORY;

	for (size_t i = 0; !hint[0] && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (directory && ckpt_dir_has(check->dirfd, rows[i].entry))
			snprintf(hint, sizeof(hint), " but %s: %s", rows[i].entry, rows[i].hint);
	if (directory && !hint[0])
		snprintf(hint, sizeof(hint), "%s",
			 check->asked ? ": it holds a part of one, without what tells which"
				      : " (--ckpt-glob=NAME has each file in it checked by itself; "
					"or pin the one to resume from: --ckpt-resume=/PATH)");
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
				 "no checkpoint format known here%s", hint);
}

int ckpt_check_run(struct ckpt_check *check, enum ckpt_level level)
{
	const struct ckpt_format *row;
	int r = check->kind == CKPT_KIND_FILE ? check_any_file(check) : 0;

	if (r != 0)
		return r;
	row = ckpt_format_find(check);
	if (!row)
		return reject_unknown(check);
	return ckpt_check_as(check, row, level);
}

int ckpt_check_blame(struct ckpt_check *check, const char *file, int status)
{
	struct ckpt_problem *problem = &check->report->verdict.problem;

	set_text(problem->file, sizeof(problem->file), file);
	return status;
}

/* Rows ask for their members' content in full; what goes beyond is the same for all of them. */
static enum ckpt_level member_level(const struct ckpt_check *check, enum ckpt_level level)
{
	return level == CKPT_LEVEL_FULL && check->level > level ? check->level : level;
}

/* Adds what was found out about the member @own to the set's report. */
static int fold(struct ckpt_check *check, const struct ckpt_report *own, int r)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	const struct ckpt_verdict *member = &own->verdict;

	verdict->size_bytes += member->size_bytes;
	ckpt_finiteness_add(&check->report->finite, &own->finite);
	if (r < 0)
		return r;
	if (r > 0 && verdict->status == CKPT_VALID) {
		verdict->status = member->status;
		verdict->problem = member->problem;
	}
	if (r > 0)
		return (int)verdict->status;
	if (verdict->problem.code == CKPT_PROBLEM_NONE)
		verdict->problem = member->problem;
	if (!verdict->note[0])
		memcpy(verdict->note, member->note, sizeof(verdict->note));
	verdict->evidence = weaker(verdict->evidence, member->evidence);
	return 0;
}

int ckpt_check_file(struct ckpt_check *check, enum ckpt_level level)
{
	int r = ckpt_check_run(check, level), same = ckpt_file_unchanged(check->file);

	check->report->identity = check->file->id;
	if (same < 0)
		return ckpt_fail(check->err, same, "cannot look up %s: %s",
				 CKPT_QUOTE(check->file->name), strerror(-same));
	if (same > 0)
		return r;
	check->report->verdict.status = CKPT_VALID; /* what was read may be half old, half new */
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE, CKPT_NO_OFFSET,
				 NULL, "the file changed while it was read");
}

int ckpt_check_member(struct ckpt_check *check, const char *name, enum ckpt_level level,
		      enum ckpt_problem_code missing, struct ckpt_report *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_report own = { 0 };
	struct ckpt_check sub = { .ctx = check->ctx,
				  .kind = CKPT_KIND_FILE,
				  .dirfd = check->dirfd,
				  .name = name,
				  .depth = check->depth + 1,
				  .heard = check->heard,
				  .heard_arg = check->heard_arg,
				  .report = &own,
				  .err = check->err };
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	if (r == -ENOENT) {
		r = ckpt_check_reject(&sub, CKPT_INCOMPLETE, missing, CKPT_NO_OFFSET, NULL,
				      "it is missing");
	} else if (r == CKPT_FILE_NOT_REGULAR) {
		r = ckpt_check_reject(&sub, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	} else if (r == 0) {
		sub.file = &file;
		r = ckpt_check_file(&sub, member_level(check, level));
	}
	if (ret)
		*ret = own;
	return fold(check, &own, r);
}

/* A part's own name and offsets become those of the file that it lies in. */
static void place_problem(struct ckpt_report *own, const struct ckpt_slice *slice)
{
	struct ckpt_problem *problem = &own->verdict.problem;

	for (int i = 0; i < own->finite.n_named; i++)
		own->finite.named[i].offset += slice->off;
	if (problem->code == CKPT_PROBLEM_NONE)
		return;
	if (problem->offset == CKPT_NO_OFFSET)
		problem->offset = slice->off;
	else if (__builtin_add_overflow(problem->offset, slice->off, &problem->offset))
		problem->offset = CKPT_NO_OFFSET;
}

int ckpt_check_slice(struct ckpt_check *check, const struct ckpt_slice *slice,
		     enum ckpt_level level, struct ckpt_report *ret)
{
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	struct ckpt_report own = { 0 };
	struct ckpt_check sub = { .ctx = check->ctx,
				  .kind = CKPT_KIND_FILE,
				  .dirfd = check->dirfd,
				  .name = slice->file->name,
				  .depth = check->depth + 1,
				  .report = &own,
				  .err = check->err };
	int r = ckpt_file_view(slice->file, slice->off, slice->len, &view, check->err);

	sub.file = &view;
	if (r == CKPT_FILE_SHORT) {
		sub.file = NULL;
		r = ckpt_check_reject(&sub, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, CKPT_NO_OFFSET,
				      NULL, "it ends before this part does");
	} else if (r == 0) {
		r = ckpt_check_file(&sub, member_level(check, level));
	}
	place_problem(&own, slice);
	if (ret)
		*ret = own;
	return fold(check, &own, r);
}

/* Found out: there is none, nor a directory without end. */
static bool is_no_folder(int code)
{
	return code == -ENOENT || code == -ENOTDIR || code == -ELOOP;
}

/* A file in the folder @name is named from above it. */
static void place_file(struct ckpt_report *own, const char *name)
{
	char *file = own->verdict.problem.file;
	char inside[sizeof(own->verdict.problem.file)];

	if (!*file || strcmp(file, name) == 0)
		return;
	memcpy(inside, file, sizeof(inside));
	snprintf(file, sizeof(inside), "%.*s/%.*s", (int)(sizeof(inside) / 2), name,
		 (int)(sizeof(inside) / 2 - 2), inside);
}

int ckpt_check_folder(struct ckpt_check *check, const char *name, enum ckpt_level level,
		      bool *ret_known, struct ckpt_report *ret)
{
	_cleanup_close_ int fd =
		check->depth < FOLDER_DEPTH ? ckpt_dir_open(check->dirfd, name, NULL) : -ELOOP;
	struct ckpt_report own = { 0 };
	struct ckpt_check sub = { .ctx = check->ctx,
				  .kind = CKPT_KIND_DIRECTORY,
				  .dirfd = fd,
				  .name = name,
				  .depth = check->depth + 1,
				  .report = &own,
				  .err = check->err };
	const struct ckpt_format *row = fd >= 0 ? ckpt_format_find(&sub) : NULL;
	int r;

	*ret_known = row;
	if (fd < 0 && !is_no_folder(fd))
		return ckpt_fail(check->err, fd, "cannot open directory %s: %s", CKPT_QUOTE(name),
				 strerror(-fd));
	if (!row)
		return 0;
	r = ckpt_check_as(&sub, row, member_level(check, level));
	place_file(&own, name);
	if (ret)
		*ret = own;
	return fold(check, &own, r);
}
