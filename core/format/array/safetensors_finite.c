/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in the tensors of a safetensors file: the header hands out their ranges, and is read
 * once more where something was found, for the names.
 */
#include <errno.h>

#include "core/format/finiteness.h"
#include "core/format/array/safetensors.h"
#include "wire/text.h"

struct look {
	struct ckpt_check *check;
	struct ckpt_safetensors_reader reader;
};

static void look_done(struct look *l)
{
	ckpt_safetensors_done(&l->reader);
}

/* The next tensor of floats, where its data are all of a type that is known. */
static int next_range(void *arg, struct ckpt_finite_range *ret)
{
	struct look *l = arg;
	const struct ckpt_safetensors_tensor *t = &l->reader.tensor;
	int r;

	for (;;) {
		r = ckpt_safetensors_next(&l->reader, NULL);
		if (r)
			return r == CKPT_SAFETENSORS_END ? 0 : r < 0 ? r : -EAGAIN;
		if (t->type >= CKPT_FLOAT_F16 && t->begin < t->end)
			break;
		ckpt_finiteness_skip(l->check, t->type == CKPT_FLOAT_UNKNOWN,
				     "a type not known here");
	}
	*ret = (struct ckpt_finite_range) { .off = sizeof(uint64_t) + l->reader.header_len +
						   t->begin,
					    .len = t->end - t->begin,
					    .kind = { t->type, false },
					    .tag = t->off };
	return 1;
}

/* Hits are in the order of their data, names in that of the header. */
static int name_hit(struct ckpt_check *check, const struct ckpt_finite_hit *hit)
{
	_cleanup_safetensors_ struct ckpt_safetensors_reader reader = { .arg = NULL };
	int r = ckpt_safetensors_open(&reader, check->file, check->err);

	while (r == 0) {
		r = ckpt_safetensors_next(&reader, check->err);
		if (r == 0 && reader.tensor.off == hit->tag)
			break;
	}
	if (r == 0)
		ckpt_finiteness_name(check, reader.tensor.name, &hit->floats);
	return r < 0 ? r : 0;
}

int ckpt_safetensors_finite(struct ckpt_check *check)
{
	_cleanup_(look_done) struct look l = { .check = check };
	const struct ckpt_finite_job job = { .next = next_range,
					     .arg = &l,
					     .total = check->file->size };
	struct ckpt_finite found = { 0 };
	int r = ckpt_safetensors_open(&l.reader, check->file, check->err), named = 0;

	if (r == 0)
		r = ckpt_finiteness_scan(check, &job, &found);
	else if (r > 0)
		r = ckpt_fail(check->err, -EAGAIN, "%s changed while it was read",
			      CKPT_QUOTE(check->file->name));
	for (int i = 0; named == 0 && i < found.n_hits; i++)
		named = name_hit(check, &found.hits[i]);
	return r ? r : named;
}
