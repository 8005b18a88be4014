/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tensors as views of their storages. A tensor is the call of a function whose arguments begin with
 * a storage, an offset, a shape and strides (torch/_utils.py: _rebuild_tensor, _rebuild_tensor_v2,
 * _rebuild_qtensor); the tuple of them tells the view, whoever is called. The latest tuples of
 * numbers are kept for it.
 */
#include "core/format/torch/pickle_scan.h"

static const struct ckpt_pickle_dims no_numbers;

/* The tuple of numbers was made. */
static void tell_numbers(struct ckpt_pickle_scan *s, const struct ckpt_pickle_dims *dims)
{
	if (s->sink->numbers)
		s->stop = s->stop || !s->sink->numbers(s->sink->arg, dims);
}

struct ckpt_pickle_slot ckpt_pickle_tuple(struct ckpt_pickle_scan *s,
					  const struct ckpt_pickle_slot *p, size_t n)
{
	struct ckpt_pickle_dims *dims = &s->dims[(s->tuples + 1) % CKPT_PICKLE_TUPLES];
	bool known = (s->sink->view || s->sink->numbers) && n <= CKPT_PICKLE_DIMS;

	for (size_t i = 0; known && i < n; i++)
		known = p[i].tag == CKPT_TAG_INT && p[i].i >= 0;
	if (!known)
		return (struct ckpt_pickle_slot) { .tag = CKPT_TAG_OPAQUE };
	if (n == 0) {
		tell_numbers(s, &no_numbers);
		return (struct ckpt_pickle_slot) { .tag = CKPT_TAG_DIMS };
	}
	dims->n = n;
	for (size_t i = 0; i < n; i++)
		dims->of[i] = p[i].value;
	tell_numbers(s, dims);
	return (struct ckpt_pickle_slot) { .tag = CKPT_TAG_DIMS, .value = ++s->tuples };
}

/* What stands in slot @p, or NULL where it is no tuple of numbers or no longer kept. */
static const struct ckpt_pickle_dims *dims_of(const struct ckpt_pickle_scan *s,
					      const struct ckpt_pickle_slot *p)
{
	if (p->tag != CKPT_TAG_DIMS)
		return NULL;
	if (p->value == 0)
		return &no_numbers;
	return s->tuples - p->value < CKPT_PICKLE_TUPLES ? &s->dims[p->value % CKPT_PICKLE_TUPLES]
							 : NULL;
}

void ckpt_pickle_tell_view(struct ckpt_pickle_scan *s, const struct ckpt_pickle_slot *p, size_t n)
{
	struct ckpt_pickle_view view = { .storage = &s->storage };

	if (!s->sink->view || n < 4 || p[0].tag != CKPT_TAG_HELD || p[0].value != s->held ||
	    p[1].tag != CKPT_TAG_INT || p[1].i < 0)
		return;
	view.offset = p[1].value;
	view.shape = dims_of(s, &p[2]);
	view.stride = dims_of(s, &p[3]);
	if (view.shape && view.stride && view.shape->n == view.stride->n)
		s->stop = !s->sink->view(s->sink->arg, &view);
}
