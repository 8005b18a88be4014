/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in arrays of NumPy: those of a file one behind the other, and those of an archive,
 * stored (by all threads) or deflated (decoded as a stream).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/inflate.h"
#include "core/format/array/npy.h"
#include "core/format/array/npz.h"
#include "core/format/archive/zip_check.h"
#include "wire/text.h"

struct ckpt_float_kind ckpt_npy_float(const struct ckpt_npy *npy)
{
	uint64_t size = npy->items ? npy->data / npy->items : 0;
	struct ckpt_float_kind kind = { CKPT_FLOAT_NONE, npy->big };

	if (npy->objects || npy->kind == '\0' || npy->kind == 'V')
		kind.type = CKPT_FLOAT_UNKNOWN; /* 'V' is what other types, as bfloat16, become */
	else if (npy->kind == 'f')
		kind.type = ckpt_float_ieee(size);
	else if (npy->kind == 'c')
		kind.type = ckpt_float_ieee(size / 2);
	return npy->items ? kind : (struct ckpt_float_kind) { CKPT_FLOAT_NONE, false };
}

/* The array @name whose header stands at @off. */
static int look(struct ckpt_check *check, uint64_t off, const struct ckpt_npy *npy,
		const char *name)
{
	const struct ckpt_finite_range range = { .off = off + npy->header,
						 .len = npy->data,
						 .kind = ckpt_npy_float(npy) };

	if (range.kind.type == CKPT_FLOAT_UNKNOWN)
		ckpt_finiteness_skip(check, 1, "arrays of objects, records or types not known");
	return ckpt_finiteness_range(check, &range, name);
}

/* What was whole a moment ago and is not now has changed. */
static int changed(struct ckpt_check *check, int r)
{
	if (r <= 0)
		return r;
	check->report->verdict.status = CKPT_VALID;
	return ckpt_fail(check->err, -EAGAIN, "%s changed while it was read",
			 CKPT_QUOTE(check->file->name));
}

int ckpt_npy_finite(struct ckpt_check *check)
{
	uint64_t off = 0, size = check->file->size, n = 0;
	struct ckpt_npy npy;
	char name[32];
	int r;

	for (; n < check->report->tensors; n++) {
		r = ckpt_npy_check(check, off, size, NULL, &npy);
		snprintf(name, sizeof(name), "array %llu", (unsigned long long)n);
		r = r ? changed(check, r) : look(check, off, &npy, name);
		if (r)
			return r;
		off += npy.header + npy.data;
	}
	return 0;
}

/* A deflated array as it comes out: its header first, then its numbers. */
struct decoded {
	struct ckpt_floats_feed feed;
	struct ckpt_npy npy;
	size_t n_head;
	bool begun, bad;
	uint8_t head[CKPT_NPY_PREFIX + CKPT_NPY_HEADER_MAX];
};

/* Keeps the header's bytes until there are enough; returns how many of @len it took. */
static size_t take_head(struct decoded *d, const uint8_t *buf, size_t len)
{
	size_t before = d->n_head, n = sizeof(d->head) - before;
	int r;

	n = len < n ? len : n;
	memcpy(d->head + before, buf, n);
	d->n_head += n;
	r = ckpt_npy_parse(d->head, d->n_head, &d->npy);
	d->begun = r == 0;
	d->bad = r > 0 && (r != CKPT_NPY_SHORT || d->n_head == sizeof(d->head));
	if (!d->begun)
		return len;
	d->feed.kind = ckpt_npy_float(&d->npy);
	return n - (size_t)(d->n_head - d->npy.header);
}

static void take(void *arg, const uint8_t *buf, size_t len)
{
	struct decoded *d = arg;
	size_t at = d->begun || d->bad ? 0 : take_head(d, buf, len);

	if (d->begun)
		ckpt_floats_take(&d->feed, buf + at, len - at);
}

static int look_deflated(struct ckpt_check *check, const struct ckpt_zip_entry *e, const char *name)
{
	_cleanup_free_ struct decoded *d = calloc(1, sizeof(*d));
	const struct ckpt_inflate_job job = { .file = check->file,
					      .off = e->data_off,
					      .len = e->csize,
					      .max = e->usize,
					      .sink = take,
					      .arg = d };
	uint64_t out;
	int r;

	if (!d)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	r = ckpt_inflate(&job, &out, check->err);
	if (r < 0)
		return r;
	if (r > 0 || !d->begun || d->feed.kind.type == CKPT_FLOAT_UNKNOWN) {
		ckpt_finiteness_skip(check, 1, "arrays of objects, records or types not known");
		return 0;
	}
	d->feed.found.first = e->data_off; /* there is no other place in the file to name */
	if (d->feed.kind.type >= CKPT_FLOAT_F16)
		ckpt_finiteness_tensor(check, name, &d->feed.found);
	return 0;
}

static int on_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct ckpt_npy npy;
	char name[256];
	int r;

	(void)arg;
	if (!ckpt_text_ends(e->name, ".npy"))
		return 0;
	snprintf(name, sizeof(name), "%.*s", e->name_len - 4, e->name);
	if (!ckpt_zip_check_readable(e)) {
		ckpt_finiteness_skip(check, 1, "encrypted entries");
		return 0;
	}
	if (e->method == CKPT_ZIP_DEFLATED)
		return look_deflated(check, e, name);
	r = ckpt_npy_large(check, e->data_off, e->data_off + e->csize);
	if (r > 0)
		ckpt_finiteness_skip(check, 1, "arrays of objects, records or types not known");
	if (r)
		return r < 0 ? r : 0;
	r = ckpt_npy_check(check, e->data_off, e->data_off + e->csize, e->name, &npy);
	return r ? r : look(check, e->data_off, &npy, name);
}

int ckpt_npz_finite(struct ckpt_check *check)
{
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	return changed(check, r ? r : ckpt_zip_check_walk(check, &zip, on_entry, NULL));
}
