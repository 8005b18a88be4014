/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See damage_names.h. Of a file in a directory the directories around it are asked, the innermost
 * first: an index beside it may name what it holds. Else it is asked alone, for its own row.
 */
#include "core/integrity/damage_names.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/integrity/files.h"

/* What a row that knows the directory @dir of the set says of the file @file in it. */
static void ask_folder(const struct ckpt_check *check, const char *dir,
		       const struct ckpt_extent *extent, struct ckpt_names *names)
{
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	_cleanup_close_ int fd = ckpt_dir_open(check->dirfd, dir, NULL);
	struct ckpt_check sub = *check;
	struct ckpt_names found = { .n = 0 };

	if (!report || fd < 0)
		return;
	sub.kind = CKPT_KIND_DIRECTORY;
	sub.dirfd = fd;
	sub.name = strcmp(dir, ".") == 0 ? check->name : dir;
	sub.report = report;
	if (ckpt_names_find(&sub, extent, &found) == 0)
		*names = found;
}

/* The innermost directory whose row knows the file. */
static void ask_folders(const struct ckpt_check *check, const struct ckpt_extent *extent,
			struct ckpt_names *names)
{
	char dir[PATH_MAX];
	struct ckpt_extent inside = *extent;
	char *slash;

	if (snprintf(dir, sizeof(dir), "%s", extent->file) >= (int)sizeof(dir))
		return;
	while (names->n == 0 && (slash = strrchr(dir, '/'))) {
		*slash = '\0';
		inside.file = extent->file + (slash - dir) + 1;
		ask_folder(check, dir, &inside, names);
	}
	if (names->n == 0)
		ask_folder(check, ".", extent, names);
}

static int find(struct ckpt_check *check, const struct ckpt_extent *extent,
		struct ckpt_names *names)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r;

	if (check->kind == CKPT_KIND_PREFIX)
		return ckpt_names_find(check, extent, names);
	if (check->kind == CKPT_KIND_DIRECTORY)
		ask_folders(check, extent, names);
	if (names->n)
		return 0;
	check->kind = CKPT_KIND_FILE;
	check->name = extent->file;
	r = ckpt_file_open(check->ctx, check->dirfd, extent->file, &file, check->err);
	if (r)
		return r;
	check->file = &file;
	return ckpt_names_find(check, extent, names);
}

void ckpt_damage_names(struct ckpt_ctx *ctx, const struct ckpt_set *set,
		       const struct ckpt_extent *extent, char *buf, size_t size)
{
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, NULL);
	struct ckpt_names names = { .n = 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = { .ctx = ctx,
				    .kind = set->kind,
				    .dirfd = rootfd,
				    .name = set->name,
				    .report = report,
				    .err = &err };

	buf[0] = '\0';
	if (report && rootfd >= 0 && find(&check, extent, &names) == 0)
		ckpt_names_words(&names, buf, size);
}
