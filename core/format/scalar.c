/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See scalar.h.
 */
#include "core/format/scalar.h"

#include <math.h>
#include <string.h>

#include "core/base/bytes.h"

#define POSITION_MAX 1e15 /* numbers beyond are no step or epoch */

/* The first that a file has is taken. */
static const struct {
	const char *name;
	bool epoch, vague;
} names[] = {
	{ "global_step", false, false }, { "iteration", false, true },
	{ "iterations", false, false },	 { "iter:0", false, false },
	{ "iter", false, true },	 { "step", false, true },
	{ "steps", false, false },	 { "epoch", true, false },
	{ "epochs", true, false },
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

static size_t row_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < N_NAMES; i++)
		if (strcmp(name, names[i].name) == 0)
			return i;
	return N_NAMES;
}

bool ckpt_scalar_wanted(const char *path)
{
	return row_of(path) < N_NAMES;
}

static double value(const struct ckpt_scalar *s)
{
	uint64_t v = s->big ? ckpt_bytes_be(s->data, s->size) : ckpt_bytes_le(s->data, s->size);
	uint32_t narrow = (uint32_t)v;
	double wide;
	float single;

	if (s->kind == 'f' && s->size == sizeof(single)) {
		memcpy(&single, &narrow, sizeof(single));
		return single;
	}
	if (s->kind == 'f') {
		memcpy(&wide, &v, sizeof(wide));
		return wide;
	}
	if (s->kind == 'i' && v >> (8 * s->size - 1))
		return -1;
	return (double)v;
}

void ckpt_scalar_take(struct ckpt_report *report, const char *path,
		      const struct ckpt_scalar *scalar)
{
	struct ckpt_position *pos = &report->position;
	size_t row = row_of(path);
	double v;

	if (row == N_NAMES || scalar->size < 1 || scalar->size > 8 ||
	    (scalar->kind == 'f' && scalar->size < 4))
		return;
	v = value(scalar);
	if (!(v >= 0 && v <= POSITION_MAX))
		return;
	if (names[row].epoch && !pos->has_epoch) {
		pos->has_epoch = true;
		pos->epoch = v;
		pos->epoch_source = CKPT_FROM_CONTENT;
	}
	if (!names[row].epoch && !pos->has_step && v == floor(v)) {
		pos->has_step = true;
		pos->step = (int64_t)v;
		pos->step_vague = names[row].vague;
		pos->step_source = CKPT_FROM_CONTENT;
	}
}
