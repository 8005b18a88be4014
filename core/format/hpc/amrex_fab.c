/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See amrex_fab.h.
 */
#include "core/format/hpc/amrex_fab.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/bytes.h"

#define VALUES 4096		      /* in one turn */
#define COORD_MAX INT64_C(0xffffffff) /* AMReX keeps them in an int */
#define COMP_MAX 100000		      /* components of a FAB; real ones have under 1000 */

static void syntax(struct ckpt_scan *scan)
{
	if (scan->r == 0)
		scan->r = CKPT_SCAN_SYNTAX;
}

/* Takes "(a,b,c)". Returns how many. */
static int read_vector(struct ckpt_scan *scan, int64_t ret[3])
{
	int n = 0;

	ckpt_scan_expect(scan, "(");
	do {
		if (n == 3)
			syntax(scan);
		else
			ret[n] = ckpt_scan_int(scan);
		if (scan->r)
			return 0;
		if (ret[n] > COORD_MAX || ret[n] < -COORD_MAX)
			syntax(scan);
		n++;
	} while (ckpt_scan_peek(scan) == ',' && ckpt_scan_expect(scan, ","));
	ckpt_scan_expect(scan, ")");
	return n;
}

void ckpt_amrex_box_read(struct ckpt_scan *scan, struct ckpt_amrex_box *ret)
{
	int64_t type[3] = { 0 };

	*ret = (struct ckpt_amrex_box) { .dims = 0 };
	ckpt_scan_expect(scan, "(");
	ret->dims = read_vector(scan, ret->lo);
	if (read_vector(scan, ret->hi) != ret->dims)
		syntax(scan);
	if (ckpt_scan_peek(scan) == '(' && read_vector(scan, type) != ret->dims)
		syntax(scan);
	ckpt_scan_expect(scan, ")");
	for (int i = 0; i < ret->dims; i++)
		if (ret->hi[i] < ret->lo[i])
			syntax(scan);
}

bool ckpt_amrex_box_grow(struct ckpt_amrex_box *box, const int64_t ngrow[3])
{
	for (int i = 0; i < box->dims; i++) {
		if (ngrow[i] < 0 || ngrow[i] > COORD_MAX)
			return false;
		box->lo[i] -= ngrow[i];
		box->hi[i] += ngrow[i];
	}
	return true;
}

bool ckpt_amrex_box_contains(const struct ckpt_amrex_box *outer, const struct ckpt_amrex_box *inner)
{
	for (int i = 0; i < 3; i++)
		if (inner->lo[i] < outer->lo[i] || inner->hi[i] > outer->hi[i])
			return false;
	return inner->dims == outer->dims;
}

/* Takes "(n, (v v v))" of at most @max values. Returns how many. */
static int64_t read_array(struct ckpt_scan *scan, int64_t *ret, int64_t max)
{
	int64_t n;

	ckpt_scan_expect(scan, "(");
	n = ckpt_scan_int(scan);
	ckpt_scan_expect(scan, ",(");
	if (n < 1 || n > max)
		syntax(scan);
	for (int64_t i = 0; scan->r == 0 && i < n; i++)
		ret[i] = ckpt_scan_int(scan);
	ckpt_scan_expect(scan, "))");
	return scan->r ? 0 : n;
}

/* Whether @order of @n bytes runs up from 1 or, @down, to 1. */
static bool in_order(const int64_t *order, int64_t n, bool down)
{
	for (int64_t i = 0; i < n; i++)
		if (order[i] != (down ? n - i : i + 1))
			return false;
	return true;
}

void ckpt_amrex_real_read(struct ckpt_scan *scan, struct ckpt_amrex_real *ret)
{
	/* bits, exponent, mantissa, sign at, exponent at, mantissa at, hidden bit, bias: FPC.cpp */
	static const int64_t ieee[2][8] = { { 32, 8, 23, 0, 1, 9, 0, 127 },
					    { 64, 11, 52, 0, 1, 12, 0, 1023 } };
	int64_t format[8] = { 0 }, order[16] = { 0 }, n;
	bool is_ieee;

	ckpt_scan_expect(scan, "(");
	if (read_array(scan, format, 8) != 8)
		syntax(scan);
	ckpt_scan_expect(scan, ",");
	n = read_array(scan, order, 16);
	ckpt_scan_expect(scan, ")");
	if (format[0] < 8 || format[0] > 128 || n != (format[0] + 7) / 8)
		syntax(scan);
	if (scan->r)
		return;
	ret->bytes = (unsigned)n;
	is_ieee = memcmp(format, ieee[0], sizeof(format)) == 0 ||
		  memcmp(format, ieee[1], sizeof(format)) == 0;
	ret->big = in_order(order, n, false);
	ret->known = is_ieee && (ret->big || in_order(order, n, true));
}

static uint64_t extent(const struct ckpt_amrex_box *box, int i)
{
	return (uint64_t)(box->hi[i] - box->lo[i]) + 1;
}

bool ckpt_amrex_fab_place(struct ckpt_amrex_fab *fab)
{
	uint64_t n = fab->real.bytes;

	if (fab->ncomp < 0 || fab->ncomp > COMP_MAX)
		return false;
	for (int i = 0; i < 3; i++)
		if (__builtin_mul_overflow(n, extent(&fab->box, i), &n))
			return false;
	return !__builtin_mul_overflow(n, (uint64_t)fab->ncomp, &n) &&
	       !__builtin_add_overflow(fab->begin, n, &fab->end) && fab->end <= INT64_MAX;
}

void ckpt_amrex_fab_read(struct ckpt_scan *scan, struct ckpt_amrex_fab *ret)
{
	char rest[64];

	ckpt_scan_expect(scan, "FAB");
	ret->old = ckpt_scan_peek(scan) == ':';
	if (ret->old || scan->r)
		return;
	ckpt_amrex_real_read(scan, &ret->real);
	ckpt_amrex_box_read(scan, &ret->box);
	ret->ncomp = ckpt_scan_int(scan);
	if (scan->r == 0 && !ckpt_scan_line(scan, rest, sizeof(rest)))
		scan->r = CKPT_SCAN_TORN;
	ret->begin = ckpt_scan_offset(scan);
	if (scan->r == 0 && !ckpt_amrex_fab_place(ret))
		syntax(scan);
}

static double value_at(const uint8_t *p, const struct ckpt_amrex_real *real)
{
	uint64_t bits = real->big ? ckpt_bytes_be(p, real->bytes) : ckpt_bytes_le(p, real->bytes);
	uint32_t half = (uint32_t)bits;
	float single;
	double wide;

	if (real->bytes == 4) {
		memcpy(&single, &half, sizeof(single));
		return single;
	}
	memcpy(&wide, &bits, sizeof(wide));
	return wide;
}

static void add_value(struct ckpt_amrex_range *range, double value)
{
	range->nan |= isnan(value);
	if (value < range->min)
		range->min = value;
	if (value > range->max)
		range->max = value;
}

/* Of a row's piece from @x on, @n values, those inside the valid box. */
static void add_values(struct ckpt_amrex_range *range, const struct ckpt_amrex_values *values,
		       const uint8_t *buf, int64_t x, int64_t n)
{
	const struct ckpt_amrex_real *real = &values->fab->real;
	int64_t from = values->valid->lo[0] - x, to = values->valid->hi[0] - x;

	for (int64_t i = from > 0 ? from : 0; i < n && i <= to; i++)
		add_value(range, value_at(buf + i * real->bytes, real));
}

/* A row of cells; without @range it is passed over. */
static int read_row(struct ckpt_stream *in, const struct ckpt_amrex_values *values,
		    struct ckpt_amrex_range *range)
{
	const struct ckpt_amrex_box *box = &values->fab->box;
	unsigned bytes = values->fab->real.bytes;
	uint8_t buf[VALUES * 8];
	int r = 0;

	for (int64_t x = box->lo[0]; r == 0 && x <= box->hi[0]; x += VALUES) {
		int64_t left = box->hi[0] - x + 1, n = left < VALUES ? left : VALUES;

		r = ckpt_stream_take(in, range ? buf : NULL, (uint64_t)n * bytes, values->err);
		if (r == 0 && range)
			add_values(range, values, buf, x, n);
	}
	return r;
}

static bool within(const struct ckpt_amrex_box *box, int i, int64_t at)
{
	return at >= box->lo[i] && at <= box->hi[i];
}

/* The rows of one component. */
static int read_component(struct ckpt_stream *in, const struct ckpt_amrex_values *values,
			  struct ckpt_amrex_range *range)
{
	const struct ckpt_amrex_box *box = &values->fab->box, *valid = values->valid;
	int r = 0;

	*range = (struct ckpt_amrex_range) { .min = DBL_MAX, .max = -DBL_MAX };
	for (int64_t z = box->lo[2]; r == 0 && z <= box->hi[2]; z++)
		for (int64_t y = box->lo[1]; r == 0 && y <= box->hi[1]; y++)
			r = read_row(in, values,
				     within(valid, 2, z) && within(valid, 1, y) ? range : NULL);
	return r;
}

int ckpt_amrex_fab_ranges(const struct ckpt_amrex_values *values,
			  int (*each)(void *arg, int64_t comp,
				      const struct ckpt_amrex_range *range),
			  void *arg)
{
	_cleanup_stream_ struct ckpt_stream in = { .file = values->file };
	struct ckpt_amrex_range range;
	int r = ckpt_stream_init(&in, values->file, values->fab->begin, values->fab->end,
				 values->err);

	for (int64_t i = 0; r == 0 && i < values->fab->ncomp; i++) {
		r = read_component(&in, values, &range);
		if (r == 0)
			r = each(arg, i, &range);
	}
	return r;
}
