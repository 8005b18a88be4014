/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See damage_names.h. A file in a directory is asked alone: its own row knows its tensors.
 */
#include "core/integrity/damage_names.h"

#include <fcntl.h>
#include <stdlib.h>

#include "core/integrity/files.h"

static int find(struct ckpt_check *check, const struct ckpt_extent *extent,
		struct ckpt_names *names)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r;

	if (check->kind == CKPT_KIND_PREFIX)
		return ckpt_names_find(check, extent, names);
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
	struct ckpt_check check = {
		.ctx = ctx,
		.kind = set->kind == CKPT_KIND_PREFIX ? CKPT_KIND_PREFIX : CKPT_KIND_FILE,
		.dirfd = rootfd,
		.name = set->kind == CKPT_KIND_PREFIX ? set->name : extent->file,
		.report = report,
		.err = &err
	};

	buf[0] = '\0';
	if (report && rootfd >= 0 && find(&check, extent, &names) == 0)
		ckpt_names_words(&names, buf, size);
}
