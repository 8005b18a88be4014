/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pin.h.
 */
#include "plugin/pin.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "wire/cleanup.h"
#include "wire/field.h"
#include "wire/text.h"

#define LOOK_MAX 100000 /* entries of a directory looked at for a prefix */

/* True if an entry of @d is @base with a suffix. */
static bool has_prefix(DIR *d, const char *base)
{
	const char *rest;
	struct dirent *e;

	for (int n = 0; n < LOOK_MAX && (e = readdir(d)) != NULL; n++)
		if (ckpt_text_starts(e->d_name, base, &rest) && *rest == '.')
			return true;
	return false;
}

/* Splits @path (cut of trailing slashes) in place; returns the last name. */
static char *split(char *path)
{
	char *slash;

	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	return slash + 1;
}

int ckpt_pin_check(const char *path, struct ckpt_error *err)
{
	_cleanup_closedir_ DIR *d = NULL;
	char parent[CKPT_PATH_MAX];
	struct stat st;
	char *base;

	if (stat(path, &st) == 0)
		return 0;
	if (errno != ENOENT || !ckpt_text_copy(parent, sizeof(parent), path)) {
		ckpt_fail(err, 0, "--ckpt-resume=%s cannot be looked at from here: %s",
			  CKPT_QUOTE(path), strerror(errno));
		return 0;
	}
	base = split(parent);
	d = opendir(*parent ? parent : "/");
	if (!d) {
		ckpt_fail(err, 0,
			  "--ckpt-resume=%s cannot be seen from here; the job will end if "
			  "its node cannot see it either",
			  CKPT_QUOTE(path));
		return 0;
	}
	if (has_prefix(d, base))
		return 0;
	return ckpt_fail(err, -ENOENT,
			 "--ckpt-resume=%s: there is nothing at this path; allowed: "
			 "an existing checkpoint, auto, best, fresh, step:N, epoch:N "
			 "or name:NAME",
			 CKPT_QUOTE(path));
}
