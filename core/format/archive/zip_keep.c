/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local headers of many entries, read by several threads: a few bytes of a page each, which takes
 * the time of finding the page. The last part does not know where the data before it end until it
 * has read one header more.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/workers.h"
#include "core/format/archive/zip_record.h"
#include "wire/cleanup.h"

#define KEPT_MAX ((uint64_t)1024 * 1024) /* entries */
#define PART ((uint64_t)256)		 /* entries that are worth a thread */
#define THREADS_MAX 4			 /* each reads the directory up to its part */

struct part {
	struct ckpt_zip zip; /* faults are each thread's own */
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry entry;
	uint64_t begin, end;
};

static void *know_part(void *arg)
{
	struct part *p = arg;
	int r;

	ckpt_zip_walk_init(&p->walk, &p->zip);
	r = ckpt_zip_walk_from(&p->walk, &p->entry, p->begin);
	while (r == 0 && p->walk.index < p->end)
		r = ckpt_zip_walk_next(&p->walk, &p->entry, NULL);
	return NULL;
}

/* What stops a part, or keeps it from being begun, is told by the pass that comes by. */
static void know(struct ckpt_zip *zip, int n)
{
	_cleanup_free_ struct part *parts = calloc((size_t)n, sizeof(*parts));

	for (int i = 0; parts && i < n; i++) {
		parts[i].zip = *zip;
		parts[i].begin = zip->memo.n * (uint64_t)i / (uint64_t)n;
		parts[i].end = zip->memo.n * ((uint64_t)i + 1) / (uint64_t)n;
	}
	if (parts)
		ckpt_workers_run(know_part, parts, sizeof(*parts), n);
}

/* Each thread reads the directory up to its part, which an allowance was not meant for. */
static bool capped(const struct ckpt_file *file)
{
	return file->ctx && file->ctx->max_bytes;
}

void ckpt_zip_keep(struct ckpt_zip *zip, int threads)
{
	uint64_t n = zip->entries < KEPT_MAX ? zip->entries : KEPT_MAX;
	int most = threads < THREADS_MAX ? threads : THREADS_MAX;

	if (n)
		zip->memo.skip = malloc(n * sizeof(*zip->memo.skip));
	if (!zip->memo.skip)
		return;
	zip->memo.n = n;
	memset(zip->memo.skip, 0xff, n * sizeof(*zip->memo.skip));
	if (n / PART < (uint64_t)most)
		most = (int)(n / PART);
	if (most > 1 && !zip->file->source && !capped(zip->file))
		know(zip, most);
}

void ckpt_zip_done(struct ckpt_zip *zip)
{
	free(zip->memo.skip);
	zip->memo = (struct ckpt_zip_memo) { 0 };
}
