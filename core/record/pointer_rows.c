/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of pointers, and those of them that are one name, one number or a symbolic link. Each
 * is replaced as a whole, its former content kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/record/backup.h"
#include "core/record/pointer.h"

#define TEXT_MAX 4096 /* bytes: a path */
#define BLANK " \t\r\n"

/* The content of a pointer that is one line, without blanks around it. ABSENT also for what is no
 * such file: a directory, a larger file. */
static int read_line(struct ckpt_ctx *ctx, int dirfd, const char *file, char *ret,
		     struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len, begin, end;
	int r = ckpt_file_slurp(ctx, dirfd, file, TEXT_MAX - 1, &text, &len, err);

	if (r > 0 || r == -ENOENT || r == -EFBIG)
		return CKPT_POINTER_ABSENT;
	if (r < 0)
		return r;
	begin = strspn(text, BLANK);
	end = strlen(text);
	while (end > begin && strchr(BLANK, text[end - 1]))
		end--;
	memcpy(ret, text + begin, end - begin);
	ret[end - begin] = '\0';
	return end == begin || strlen(text) != len || ckpt_text_has_control(ret) ? CKPT_POINTER_TORN
										 : 0;
}

static int torn(struct ckpt_error *err, const char *file)
{
	return ckpt_fail(err, CKPT_POINTER_TORN, "the pointer file %s names no checkpoint", file);
}

/* The last component of @path to @ret. */
static int take_name(const struct ckpt_pointer_row *row, const char *path, char *ret,
		     struct ckpt_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!name[0] || strlen(name) >= CKPT_POINTER_NAME)
		return torn(err, row->file);
	memcpy(ret, name, strlen(name) + 1);
	return 0;
}

static int name_load(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		     char ret[CKPT_POINTER_NAME], struct ckpt_error *err)
{
	char line[TEXT_MAX];
	int r = read_line(ctx, dirfd, row->file, line, err);

	return r ? r : take_name(row, line, ret, err);
}

/* A name with whatever path stood before it: mmengine writes one, detectron2 does not. */
static void name_text(struct ckpt_str *out, const char *line, const char *target)
{
	const char *slash = strrchr(line, '/');

	ckpt_str_add(out, "%.*s%s", slash ? (int)(slash + 1 - line) : 0, line, target);
}

/* "iter_0000500" is 500 to Megatron, "release" itself. */
static bool iteration_of(const char *name, int64_t *ret)
{
	const char *digits;

	if (!ckpt_text_starts(name, "iter_", &digits) || strlen(digits) < 7)
		return false;
	while (*digits == '0' && digits[1])
		digits++;
	return ckpt_text_int(digits, 0, INT64_MAX, ret);
}

static int iteration_load(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
			  char ret[CKPT_POINTER_NAME], struct ckpt_error *err)
{
	char line[TEXT_MAX];
	int64_t number;
	int r = read_line(ctx, dirfd, row->file, line, err);

	if (r)
		return r;
	if (strcmp(line, "release") == 0)
		memcpy(ret, "release", sizeof("release"));
	else if (ckpt_text_int(line, 0, INT64_MAX, &number))
		snprintf(ret, CKPT_POINTER_NAME, "iter_%07lld", (long long)number);
	else
		return torn(err, row->file);
	return 0;
}

static void iteration_text(struct ckpt_str *out, const char *target)
{
	int64_t number;

	if (iteration_of(target, &number))
		ckpt_str_add(out, "%lld", (long long)number);
	else
		ckpt_str_add(out, "%s", target);
}

static int store(int dirfd, const char *file, const struct ckpt_str *text, struct ckpt_error *err)
{
	if (text->failed || !text->s)
		return ckpt_fail(err, -ENOMEM, "no memory for %s", file);
	return ckpt_file_replace(dirfd, file, text->s, text->len, err);
}

static int keep(struct ckpt_ctx *ctx, const struct ckpt_pointer_aim *aim, const char *file,
		const char *content, size_t len)
{
	const struct ckpt_backup backup = {
		.name = file,
		.attempt = aim->attempt,
		.data = content,
		.len = len,
	};

	return ckpt_backup_store(ctx, aim->backup_dirfd, &backup, NULL);
}

/* Keeps all that the file @file holds, as it is. */
static int keep_file(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_aim *aim,
		     const char *file)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = ckpt_file_slurp(ctx, dirfd, file, TEXT_MAX - 1, &text, &len, NULL);

	if (r)
		return r > 0 ? -EAGAIN : r;
	return keep(ctx, aim, file, text, len);
}

/* Also writes one that is torn: DeepSpeed and Megatron then begin anew, as if nothing were there.
 */
static int text_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		      const struct ckpt_pointer_aim *aim, struct ckpt_error *err)
{
	_cleanup_str_ struct ckpt_str out = { 0 };
	char line[TEXT_MAX] = "", name[CKPT_POINTER_NAME];
	int r = read_line(ctx, dirfd, row->file, line, err);

	if (r < 0 || r == CKPT_POINTER_ABSENT)
		return r;
	if (r == 0 && row->load(ctx, dirfd, row, name, NULL) == 0 && strcmp(name, aim->target) == 0)
		return CKPT_POINTER_SAME;
	if (row->load == iteration_load)
		iteration_text(&out, aim->target);
	else
		name_text(&out, r ? "" : line, aim->target);
	r = keep_file(ctx, dirfd, aim, row->file);
	if (r < 0)
		return ckpt_fail(err, r, "the former %s could not be kept: %s", row->file,
				 strerror(-r));
	return store(dirfd, row->file, &out, err);
}

/* The name of @row's link for @rank. */
static void link_name(char *name, const struct ckpt_pointer_row *row, size_t rank)
{
	const char *hash = strchr(row->file, '#');

	if (hash)
		snprintf(name, CKPT_POINTER_NAME, "%.*s%zu%s", (int)(hash - row->file), row->file,
			 rank, hash + 1);
	else
		snprintf(name, CKPT_POINTER_NAME, "%s", row->file);
}

/* ABSENT also for a copy: then it is a checkpoint of its own, with content that counts. */
static int read_link(int dirfd, const char *name, char *ret, struct ckpt_error *err)
{
	ssize_t n = readlinkat(dirfd, name, ret, TEXT_MAX - 1);

	if (n < 0 && (errno == ENOENT || errno == EINVAL))
		return CKPT_POINTER_ABSENT;
	if (n < 0)
		return ckpt_fail(err, -errno, "cannot read the link %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	ret[n] = '\0';
	return 0;
}

static int link_load(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		     char ret[CKPT_POINTER_NAME], struct ckpt_error *err)
{
	char path[TEXT_MAX], name[CKPT_POINTER_NAME];
	int r;

	(void)ctx;
	link_name(name, row, 0);
	r = read_link(dirfd, name, path, err);
	return r ? r : take_name(row, path, ret, err);
}

/* A link cannot be changed, only replaced by another. */
static int replace_link(int dirfd, const char *name, const char *target, struct ckpt_error *err)
{
	char temporary[CKPT_POINTER_NAME + 16];

	snprintf(temporary, sizeof(temporary), ".%s.ckpt-tmp", name);
	unlinkat(dirfd, temporary, 0);
	if (symlinkat(target, dirfd, temporary) < 0 ||
	    renameat(dirfd, temporary, dirfd, name) < 0) {
		int code = errno;

		unlinkat(dirfd, temporary, 0);
		return ckpt_fail(err, -code, "cannot replace the link %s: %s", CKPT_QUOTE(name),
				 strerror(code));
	}
	return fsync(dirfd) < 0 ? -errno : 0;
}

static int align_link(struct ckpt_ctx *ctx, int dirfd, const char *name, const char *target,
		      const struct ckpt_pointer_aim *aim)
{
	char path[TEXT_MAX];
	const char *slash;
	int r = read_link(dirfd, name, path, NULL);

	if (r)
		return r;
	slash = strrchr(path, '/');
	if (strcmp(slash ? slash + 1 : path, target) == 0)
		return CKPT_POINTER_SAME;
	r = keep(ctx, aim, name, path, strlen(path));
	return r < 0 ? r : replace_link(dirfd, name, target, NULL);
}

static int link_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		      const struct ckpt_pointer_aim *aim, struct ckpt_error *err)
{
	const char *const one[] = { aim->target, NULL };
	const char *const *targets = aim->ranks ? aim->ranks : one;
	int result = CKPT_POINTER_ABSENT;
	char name[CKPT_POINTER_NAME];

	for (size_t rank = 0; targets[rank]; rank++) {
		int r;

		link_name(name, row, rank);
		r = align_link(ctx, dirfd, name, targets[rank], aim);
		if (r < 0)
			return ckpt_fail(err, r, "the link %s could not be replaced: %s",
					 CKPT_QUOTE(name), strerror(-r));
		if (r == 0 || (r == CKPT_POINTER_SAME && result == CKPT_POINTER_ABSENT))
			result = r;
	}
	return result;
}

static int tf_load(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		   char ret[CKPT_POINTER_NAME], struct ckpt_error *err)
{
	(void)row;
	return ckpt_pointer_tf_load(ctx, dirfd, ret, CKPT_POINTER_NAME, err);
}

static int tf_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		    const struct ckpt_pointer_aim *aim, struct ckpt_error *err)
{
	(void)row;
	return ckpt_pointer_tf_align(ctx, dirfd, aim, err);
}

#define TEXT(load) true, false, load, text_align
#define LINK false, false, link_load, link_align
#define LINK_OR_COPY false, true, link_load, link_align

/* clang-format off */
const struct ckpt_pointer_row ckpt_pointer_rows[] = {
	{ "checkpoint", CKPT_KIND_PREFIX, "tf-bundle", NULL, false, false, tf_load, tf_align },
	/*
	 * DeepSpeed: rank 0 writes it without waiting for the others. What ds_to_universal.py made
	 * of a save (by its documentation in STEP_universal) has a pointer of its own, which
	 * engine.load_checkpoint() reads where load_universal is set; neither loader takes what the
	 * other one's pointer names.
	 */
	{ "latest", CKPT_KIND_DIRECTORY, "deepspeed", "!_universal", TEXT(name_load) },
	{ "latest_universal", CKPT_KIND_DIRECTORY, "deepspeed", "_universal", TEXT(name_load) },
	{ "latest_checkpointed_iteration.txt", CKPT_KIND_DIRECTORY, "megatron", NULL,
	  TEXT(iteration_load) },
	/* detectron2 (a name), mmengine (a path; with DeepSpeed of a directory) */
	{ "last_checkpoint", CKPT_KIND_FILE, NULL, ".pth", TEXT(name_load) },
	{ "last_checkpoint", CKPT_KIND_DIRECTORY, "deepspeed", ".pth", TEXT(name_load) },
	/* Composer; Lightning's save_last="link", of a file or of a sharded save */
	{ "latest-rank#.pt", CKPT_KIND_FILE, NULL, ".pt", LINK },
	{ "last.ckpt", CKPT_KIND_FILE, NULL, ".ckpt", LINK_OR_COPY },
	{ "last.ckpt", CKPT_KIND_DIRECTORY, "dcp", ".ckpt", LINK },
	{ "last.ckpt", CKPT_KIND_DIRECTORY, "deepspeed", ".ckpt", LINK },
	{ NULL, CKPT_KIND_FILE, NULL, NULL, false, false, NULL, NULL },
};
/* clang-format on */

static const char *first_of(const struct ckpt_pointer_subject *subject)
{
	return subject->ranks && subject->ranks[0] ? subject->ranks[0] : subject->name;
}

bool ckpt_pointer_applies(const struct ckpt_pointer_row *row,
			  const struct ckpt_pointer_subject *subject)
{
	const char *name = first_of(subject);
	char own[CKPT_POINTER_NAME];
	int64_t number;

	link_name(own, row, 0);
	if (row->kind != subject->kind || strcmp(name, own) == 0 || strchr(name, '/') ||
	    (strchr(row->file, '#') && !subject->ranks))
		return false;
	if (row->format && (!subject->format || strcmp(row->format, subject->format) != 0))
		return false;
	if (row->load == iteration_load && !iteration_of(name, &number) &&
	    strcmp(name, "release") != 0)
		return false;
	if (row->ending && row->ending[0] == '!')
		return !ckpt_text_ends(name, row->ending + 1);
	return !row->ending || ckpt_text_ends(name, row->ending);
}

bool ckpt_pointer_names(const char *name, const struct ckpt_pointer_subject *subject)
{
	return strcmp(name, first_of(subject)) == 0;
}
