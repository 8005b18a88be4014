/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See differs.h.
 */
#include "core/integrity/differs.h"

#include <errno.h>
#include <stdlib.h>

/* Number of the first chunk of file number @file, counted over all files. */
static uint64_t first_of(const struct ckpt_differs *d, size_t file)
{
	return d->chunk ? (uint64_t)(d->files[file].digests - d->files[0].digests) : file;
}

int ckpt_differs_init(struct ckpt_differs *differs, const struct ckpt_digest_job *job)
{
	uint64_t chunks = 0;

	*differs = (struct ckpt_differs) { job->files, job->n, job->chunk, NULL };
	for (size_t i = 0; i < job->n; i++)
		chunks += ckpt_digest_chunks(job->files[i].id.size, job->chunk);
	differs->bits = calloc(chunks / 8 + 1, 1);
	return differs->bits ? 0 : -ENOMEM;
}

void ckpt_differs_take(struct ckpt_differs *differs, const struct ckpt_digest_bad *bad)
{
	uint64_t at = first_of(differs, bad->file);

	at += differs->chunk ? bad->off / differs->chunk : 0;
	differs->bits[at / 8] |= (uint8_t)(1U << at % 8);
}

static void tell_file(const struct ckpt_differs *d, size_t file, struct ckpt_differing *ret)
{
	const struct ckpt_digest_file *f = &d->files[file];
	const uint64_t first = first_of(d, file), n = ckpt_digest_chunks(f->id.size, d->chunk);
	const uint64_t chunk = d->chunk ? d->chunk : f->id.size;
	uint64_t begin = 0;

	for (uint64_t i = 0; i <= n; i++) {
		bool bad = i < n && d->bits[(first + i) / 8] >> (first + i) % 8 & 1;
		uint64_t end = i * chunk < f->id.size ? i * chunk : f->id.size;

		if (bad)
			continue;
		if (i > begin)
			ckpt_differing_add(ret, f->name, begin * chunk, end - begin * chunk);
		begin = i + 1;
	}
}

void ckpt_differs_tell(const struct ckpt_differs *differs, struct ckpt_differing *ret,
		       size_t ret_files[CKPT_DIFFERENCES_NAMED])
{
	*ret = (struct ckpt_differing) { 0 };
	for (size_t i = 0; i < differs->n; i++) {
		int n = ret->n_named;

		tell_file(differs, i, ret);
		for (; n < ret->n_named; n++)
			ret_files[n] = i;
	}
}

void ckpt_differs_done(struct ckpt_differs *differs)
{
	free(differs->bits);
	differs->bits = NULL;
}
