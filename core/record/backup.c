/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See backup.h.
 */
#include "core/record/backup.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "wire/text.h"

#define COPIES 100 /* tried names; more would be a program that goes mad, not a run */

int ckpt_rename_new(int fromfd, const char *from, int tofd, const char *to)
{
	if (renameat2(fromfd, from, tofd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (ckpt_dir_has(tofd, to)) /* NFS, Lustre: the run's lock keeps others of us away */
		return -EEXIST;
	return renameat(fromfd, from, tofd, to) < 0 ? -errno : 0;
}

/* "STEM" for the first, then "STEM.1" and so on. False if it does not fit. */
static bool copy_name(char *buf, size_t size, const char *stem, int n)
{
	int len = n ? snprintf(buf, size, "%s.%d", stem, n) : snprintf(buf, size, "%s", stem);

	return len >= 0 && (size_t)len < size;
}

/* 1 if @name holds just that, 0 if it does not exist, 2 if it is something else, or an errno. */
static int compare_copy(struct ckpt_ctx *ctx, int dirfd, const char *name,
			const struct ckpt_backup *backup)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = ckpt_file_slurp(ctx, dirfd, name, backup->len + 1, &text, &len, NULL);

	if (r == -ENOENT)
		return ckpt_dir_has(dirfd, name) ? 2 : 0; /* a dangling link is in the way too */
	if (r > 0 || r == -EFBIG)
		return 2;
	if (r < 0)
		return r;
	return len == backup->len && memcmp(text, backup->data, len) == 0 ? 1 : 2;
}

int ckpt_backup_store(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_backup *backup,
		      struct ckpt_error *err)
{
	char stem[NAME_MAX], name[NAME_MAX + 1];

	snprintf(stem, sizeof(stem), "%s.%" PRId64, backup->name, backup->attempt);
	for (int n = 0; n < COPIES; n++) {
		int r;

		if (!copy_name(name, sizeof(name), stem, n))
			return ckpt_fail(err, -ENAMETOOLONG, "%s: name too long for a backup",
					 CKPT_QUOTE(backup->name));
		r = compare_copy(ctx, dirfd, name, backup);
		if (r == 0)
			return ckpt_file_replace(dirfd, name, backup->data, backup->len, err);
		if (r == 1)
			return 0;
		if (r < 0)
			return ckpt_fail(err, r, "cannot read the backup %s: %s", CKPT_QUOTE(name),
					 strerror(-r));
	}
	return ckpt_fail(err, -EEXIST, "%s has %d backups already", CKPT_QUOTE(stem), COPIES);
}

int ckpt_set_aside(int dirfd, const char *name, const char *suffix, struct ckpt_error *err)
{
	char stem[NAME_MAX], to[NAME_MAX + 1];
	int r = -EEXIST;

	if ((size_t)snprintf(stem, sizeof(stem), "%s%s", name, suffix) >= sizeof(stem))
		return ckpt_fail(err, -ENAMETOOLONG, "%s: name too long", CKPT_QUOTE(name));
	for (int n = 0; r == -EEXIST && n < COPIES; n++)
		r = copy_name(to, sizeof(to), stem, n) ? ckpt_rename_new(dirfd, name, dirfd, to)
						       : -ENAMETOOLONG;
	if (r < 0)
		return ckpt_fail(err, r, "cannot put %s aside: %s", CKPT_QUOTE(name), strerror(-r));
	return 0;
}
