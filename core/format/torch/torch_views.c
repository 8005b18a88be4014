/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_views.h. Dimensions in the order of their strides; those that follow on each other
 * without gaps are one run, those above it repeat it.
 */
#include "core/format/torch/torch_views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define PIECES 16384 /* of one tensor: more are taken as their span */

/* A tensor's dimensions that matter, smallest stride first; all in elements. */
struct layout {
	size_t n;
	uint64_t size[CKPT_PICKLE_DIMS], stride[CKPT_PICKLE_DIMS];
	uint64_t first, last; /* elements */
	uint64_t run;	      /* elements in a row */
	size_t inner;	      /* dimensions that make them up */
};

static void insert(struct layout *l, uint64_t size, uint64_t stride)
{
	size_t at = l->n++;

	for (; at > 0 && l->stride[at - 1] > stride; at--) {
		l->size[at] = l->size[at - 1];
		l->stride[at] = l->stride[at - 1];
	}
	l->size[at] = size;
	l->stride[at] = stride;
}

/* The place of the last element. False if it is not in the storage. */
static bool find_last(struct layout *l, const struct ckpt_pickle_view *view)
{
	uint64_t step;

	l->first = l->last = view->offset;
	for (size_t i = 0; i < l->n; i++)
		if (__builtin_mul_overflow(l->size[i] - 1, l->stride[i], &step) ||
		    __builtin_add_overflow(l->last, step, &l->last))
			return false;
	return l->last < view->storage->numel;
}

/* True for a tensor that has elements, all of them in the storage. */
static bool lay_out(struct layout *l, const struct ckpt_pickle_view *view)
{
	*l = (struct layout) { .run = 1 };
	for (size_t i = 0; i < view->shape->n; i++) {
		if (view->shape->of[i] == 0)
			return false;
		if (view->shape->of[i] > 1 && view->stride->of[i] > 0)
			insert(l, view->shape->of[i], view->stride->of[i]);
	}
	if (!find_last(l, view))
		return false;
	while (l->inner < l->n && l->stride[l->inner] == l->run)
		l->run *= l->size[l->inner++]; /* at most last + 1 */
	return true;
}

static bool is_empty(const struct ckpt_pickle_view *view)
{
	for (size_t i = 0; i < view->shape->n; i++)
		if (view->shape->of[i] == 0)
			return true;
	return false;
}

/* How many times the run stands there; 0 where they are too many or overlap. */
static uint64_t pieces(const struct layout *l)
{
	uint64_t n = 1;

	for (size_t i = l->inner; i < l->n; i++) {
		if (l->stride[i] < l->run || __builtin_mul_overflow(n, l->size[i], &n) ||
		    n > PIECES)
			return 0;
	}
	return n;
}

static bool add_run(struct ckpt_torch_views *views, const struct ckpt_torch_run *run)
{
	struct ckpt_torch_run *last = views->n ? &views->runs[views->n - 1] : NULL;

	if (last && last->key == run->key && last->end == run->begin) {
		last->end = run->end;
		return true;
	}
	if (views->n == views->cap) {
		size_t cap = views->cap ? views->cap * 2 : 64;
		struct ckpt_torch_run *runs = cap > CKPT_TORCH_RUNS_MAX
						      ? NULL
						      : realloc(views->runs, cap * sizeof(*runs));

		if (!runs)
			return false;
		views->runs = runs;
		views->cap = cap;
	}
	views->runs[views->n++] = *run;
	return true;
}

/* The element that piece @i begins with. */
static uint64_t piece_at(const struct layout *l, uint64_t i)
{
	uint64_t at = l->first;

	for (size_t dim = l->inner; dim < l->n; dim++) {
		at += i % l->size[dim] * l->stride[dim];
		i /= l->size[dim];
	}
	return at;
}

static bool add_view(struct ckpt_torch_views *views, const struct ckpt_pickle_view *view)
{
	const struct ckpt_pickle_storage *storage = view->storage;
	uint64_t n, bytes;
	struct layout l;

	if (is_empty(view))
		return true;
	if (storage->element == 0 ||
	    __builtin_mul_overflow(storage->numel, storage->element, &bytes) || !lay_out(&l, view))
		return false;
	n = pieces(&l);
	if (n == 0) {
		n = 1;
		l.run = l.last - l.first + 1;
	}
	if (l.run == storage->numel)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = n > 1 ? piece_at(&l, i) : l.first;
		const struct ckpt_torch_run run = { storage->key, at * storage->element,
						    (at + l.run) * storage->element };

		if (!add_run(views, &run))
			return false;
	}
	return true;
}

void ckpt_torch_views_settle(struct ckpt_torch_views *views)
{
	if (views->pending)
		views->pending->whole = true;
	views->pending = NULL;
}

void ckpt_torch_views_mention(struct ckpt_torch_views *views, struct ckpt_storage *record,
			      bool has_key)
{
	views->pending = record;
	views->loose |= !has_key;
}

void ckpt_torch_views_take(struct ckpt_torch_views *views, const struct ckpt_pickle_view *view)
{
	if (views->pending && !views->pending->whole)
		views->pending->whole = !add_view(views, view);
	views->pending = NULL;
}

bool ckpt_torch_view_span(const struct ckpt_pickle_view *view, uint64_t *ret_begin,
			  uint64_t *ret_end)
{
	const struct ckpt_pickle_storage *storage = view->storage;
	struct layout l;

	if (!lay_out(&l, view) || __builtin_mul_overflow(l.last + 1, storage->element, ret_end))
		return false;
	*ret_begin = l.first * storage->element;
	return true;
}

static int by_place(const void *pa, const void *pb)
{
	const struct ckpt_torch_run *a = pa, *b = pb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

void ckpt_torch_views_join(struct ckpt_torch_views *views)
{
	struct ckpt_torch_run *runs = views->runs;
	size_t n = 0;

	if (views->n)
		qsort(runs, views->n, sizeof(*runs), by_place);
	for (size_t i = 0; i < views->n; i++) {
		if (n && runs[n - 1].key == runs[i].key && runs[n - 1].end >= runs[i].begin) {
			if (runs[n - 1].end < runs[i].end)
				runs[n - 1].end = runs[i].end;
		} else {
			runs[n++] = runs[i];
		}
	}
	views->n = n;
}

size_t ckpt_torch_views_find(const struct ckpt_torch_views *views, uint64_t key, size_t *ret_first)
{
	size_t low = 0, high = views->n, end;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (views->runs[mid].key < key)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < views->n && views->runs[end].key == key;)
		end++;
	*ret_first = low;
	return end - low;
}

/* A storage whose runs are read. */
struct reading {
	const struct ckpt_finite_range *storage;
	const struct ckpt_torch_run *run;
	size_t left;
};

static int next_run(void *arg, struct ckpt_finite_range *ret)
{
	struct reading *reading = arg;
	const struct ckpt_torch_run *run = reading->run;

	if (reading->left == 0)
		return 0;
	reading->left--;
	reading->run++;
	*ret = *reading->storage;
	ret->off += run->begin;
	ret->len = run->end - run->begin;
	return run->end <= reading->storage->len ? 1 : -EAGAIN;
}

int ckpt_torch_views_scan(struct ckpt_check *check, const struct ckpt_torch_views *views,
			  const struct ckpt_finite_range *storage, struct ckpt_floats *ret)
{
	struct reading reading = { .storage = storage };
	const struct ckpt_finite_job job = { .next = next_run, .arg = &reading };
	struct ckpt_finite found;
	size_t first;
	int r;

	reading.left = ckpt_torch_views_find(views, storage->tag, &first);
	reading.run = views->runs + first;
	r = ckpt_finite_scan(check->file, &job, &found, check->err);
	*ret = (struct ckpt_floats) { found.nan, found.inf, found.hits[0].floats.first };
	if (r <= 0)
		return r;
	return ckpt_fail(check->err, -EAGAIN, "%s changed while it was read",
			 CKPT_QUOTE(check->file->name));
}

void ckpt_torch_views_done(struct ckpt_torch_views *views)
{
	free(views->runs);
	*views = (struct ckpt_torch_views) { 0 };
}
