/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See stray.h.
 */
#include "core/resolve/stray.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/dirents.h"
#include "core/base/text.h"
#include "core/format/opaque.h"
#include "core/integrity/verify.h"
#include "wire/text.h"

#define STATS 256 /* entries that are asked for their age */

/* The newest files of one directory, the newest first. */
struct newest {
	struct {
		char name[256];
		int64_t mtime_ns;
	} f[CKPT_STRAY_LOOKED + 1]; /* the last is room for the next */
	size_t n;
};

static void add(struct newest *newest, const char *name, int64_t mtime_ns)
{
	size_t at = newest->n;

	for (; at > 0 && newest->f[at - 1].mtime_ns < mtime_ns; at--)
		newest->f[at] = newest->f[at - 1];
	snprintf(newest->f[at].name, sizeof(newest->f[at].name), "%s", name);
	newest->f[at].mtime_ns = mtime_ns;
	newest->n += newest->n < CKPT_STRAY_LOOKED;
}

static void list(int dirfd, struct newest *ret)
{
	_cleanup_dirents_ struct ckpt_dirents *d = ckpt_dirents_new(dirfd);
	const struct dirent64 *e;
	struct stat st;

	for (int n = 0; d && n < STATS && ckpt_dirents_next(d, &e) == 0; n++)
		if (e->d_name[0] != '.' && fstatat(dirfd, e->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode) && st.st_size > 0)
			add(ret, e->d_name, ckpt_clock_ns(st.st_mtim));
}

/* The format that @report found in what is valid; NULL where nobody knows it. */
static const struct ckpt_format *known_format(const struct ckpt_report *report)
{
	const struct ckpt_format *f = report->format;

	if (f && (report->inner || f->holds))
		f = report->inner;
	return report->verdict.status == CKPT_VALID && f != &ckpt_format_opaque ? f : NULL;
}

static bool find_in(struct ckpt_ctx *ctx, int dirfd, struct ckpt_report *report, char *ret,
		    size_t size)
{
	struct newest newest = { .n = 0 };
	struct ckpt_target target = { .dirfd = dirfd, .kind = CKPT_KIND_FILE };

	list(dirfd, &newest);
	for (size_t i = 0; i < newest.n; i++) {
		target.name = newest.f[i].name;
		ckpt_verify(ctx, &target, CKPT_LEVEL_STRUCTURE, report);
		if (!known_format(report))
			continue;
		snprintf(ret, size,
			 "no checkpoint by its name in the run directory, but %s is a file of "
			 "format %s: --ckpt-glob makes it one",
			 CKPT_QUOTE(newest.f[i].name), known_format(report)->name);
		return true;
	}
	return false;
}

bool ckpt_stray_find(struct ckpt_ctx *ctx, const struct ckpt_resolution *res, char *ret,
		     size_t size)
{
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	struct ckpt_ctx own = { .seam = ctx->seam,
				.threads = 1,
				.no_recall = true,
				.max_bytes = 1 << 20,
				.deadline_ns = ckpt_ctx_now(ctx) + 1000000000 };

	if (ctx->deadline_ns && ctx->deadline_ns < own.deadline_ns)
		own.deadline_ns = ctx->deadline_ns;
	for (int i = 0; report && i < res->n_run_dirs; i++) {
		_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, res->run_dirs[i], NULL);

		if (dirfd >= 0 && find_in(&own, dirfd, report, ret, size))
			return true;
	}
	return false;
}
