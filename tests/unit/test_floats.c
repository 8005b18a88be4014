/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf bit by bit: every value of the 8- and 16-bit types against what their standards say,
 * the wider ones at their borders, both byte orders, any alignment, any cut.
 */
#include "core/base/floats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/cleanup.h"

static struct ckpt_floats count(enum ckpt_float type, bool big, const void *buf, size_t len)
{
	struct ckpt_floats found = { 0 };

	ckpt_floats_count((struct ckpt_float_kind) { type, big }, buf, len, 0, &found);
	return found;
}

/* Every one of the 256 values, told by sets written out from the types' specifications. */
static void test_floats__bytes(void **state)
{
	static const struct {
		enum ckpt_float type;
		uint8_t nan[8], n_nan, inf[2], n_inf;
	} rows[] = {
		{ CKPT_FLOAT_E4M3, { 0x7f, 0xff }, 2, { 0 }, 0 },
		{ CKPT_FLOAT_E5M2, { 0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff }, 6, { 0x7c, 0xfc }, 2 },
		{ CKPT_FLOAT_FNUZ, { 0x80 }, 1, { 0 }, 0 },
		{ CKPT_FLOAT_E8M0, { 0xff }, 1, { 0 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int v = 0; v < 256; v++) {
			uint8_t byte = (uint8_t)v;
			struct ckpt_floats found = count(rows[i].type, false, &byte, 1);

			assert_int_equal(found.nan, memchr(rows[i].nan, v, rows[i].n_nan) != NULL);
			assert_int_equal(found.inf, memchr(rows[i].inf, v, rows[i].n_inf) != NULL);
		}
	}
}

/* Sign, exponent, fraction of a 16-bit value by arithmetic. */
static void test_floats__halves(void **state)
{
	static const struct {
		enum ckpt_float type;
		unsigned fraction;
	} rows[] = { { CKPT_FLOAT_F16, 10 }, { CKPT_FLOAT_BF16, 7 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (unsigned v = 0; v < 65536; v++) {
			unsigned exponent = v % 32768 / (1u << rows[i].fraction);
			bool top = exponent == 32768 / (1u << rows[i].fraction) - 1;
			bool plain = v % (1u << rows[i].fraction) == 0;
			uint8_t le[2] = { (uint8_t)(v % 256), (uint8_t)(v / 256) };
			uint8_t be[2] = { le[1], le[0] };
			struct ckpt_floats a = count(rows[i].type, false, le, 2);
			struct ckpt_floats b = count(rows[i].type, true, be, 2);

			assert_int_equal(a.nan, top && !plain);
			assert_int_equal(a.inf, top && plain);
			assert_memory_equal(&a, &b, sizeof(a));
		}
	}
}

static void test_floats__wide(void **state)
{
	static const struct {
		double value;
		int nan, inf;
	} rows[] = { { 0, 0, 0 },	    { -0.0, 0, 0 },	{ 3.4028234e38, 0, 0 },
		     { 1.4e-45, 0, 0 },	    { INFINITY, 0, 1 }, { -INFINITY, 0, 1 },
		     { (double)NAN, 1, 0 }, { -1.5, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double d = rows[i].value;
		float f = (float)d;
		uint8_t turned[8];
		struct ckpt_floats a = count(CKPT_FLOAT_F64, false, &d, 8);
		struct ckpt_floats b = count(CKPT_FLOAT_F32, false, &f, 4);

		assert_int_equal(a.nan, rows[i].nan);
		assert_int_equal(a.inf, rows[i].inf);
		assert_int_equal(b.nan, rows[i].nan);
		assert_int_equal(b.inf, rows[i].inf);
		for (int k = 0; k < 8; k++)
			turned[k] = ((uint8_t *)&d)[7 - k];
		b = count(CKPT_FLOAT_F64, true, turned, 8);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	assert_int_equal(count(CKPT_FLOAT_F64, false, &(uint64_t) { 0x7ff0000000000001 }, 8).nan,
			 1);
	assert_int_equal(count(CKPT_FLOAT_F32, false, &(uint32_t) { 0xff800001 }, 4).nan, 1);
	assert_int_equal(count(CKPT_FLOAT_F64, false, &(uint64_t) { 0x7fe0000000000000 }, 8).inf,
			 0);
}

/* One in each of many places of a large buffer, which begins at any address. */
static void test_floats__place(void **state)
{
	static const enum ckpt_float types[] = { CKPT_FLOAT_F16, CKPT_FLOAT_F32, CKPT_FLOAT_F64 };
	_cleanup_free_ uint8_t *room = calloc(1, 65536 + 16);

	(void)state;
	assert_non_null(room);
	for (size_t i = 0; i < 3; i++) {
		unsigned bytes = ckpt_float_size(types[i]);

		for (size_t at = 0; at < 65536 / bytes; at += 313) {
			uint8_t *buf = room + at % 8, *last = buf + at * bytes + bytes - 1;
			struct ckpt_floats found = { 0 };

			last[0] = 0x7f;
			last[-1] = 0xff;
			ckpt_floats_count((struct ckpt_float_kind) { types[i], false }, buf, 65536,
					  1000, &found);
			assert_int_equal(found.nan, 1);
			assert_int_equal(found.inf, 0);
			assert_int_equal(found.first, 1000 + at * bytes);
			last[0] = last[-1] = 0;
		}
	}
}

/* Whatever the pieces, the same is found at the same place. */
static void test_floats__feed(void **state)
{
	double d[40] = { 0 };

	(void)state;
	d[7] = (double)NAN;
	d[8] = INFINITY;
	d[39] = -INFINITY;
	for (size_t piece = 1; piece < 50; piece++) {
		struct ckpt_floats_feed feed = { .kind = { CKPT_FLOAT_F64, false }, .off = 5 };

		for (size_t at = 0; at < sizeof(d); at += piece)
			ckpt_floats_take(&feed, (uint8_t *)d + at,
					 sizeof(d) - at < piece ? sizeof(d) - at : piece);
		assert_int_equal(feed.found.nan, 1);
		assert_int_equal(feed.found.inf, 2);
		assert_int_equal(feed.found.first, 5 + 7 * 8);
	}
}

static void test_floats__none(void **state)
{
	uint64_t ones = UINT64_MAX;

	(void)state;
	assert_int_equal(count(CKPT_FLOAT_NONE, false, &ones, 8).nan, 0);
	assert_int_equal(count(CKPT_FLOAT_UNKNOWN, false, &ones, 8).nan, 0);
	assert_int_equal(count(CKPT_FLOAT_F32, false, &ones, 3).nan, 0); /* cut by the end */
	assert_int_equal(ckpt_float_ieee(2), CKPT_FLOAT_F16);
	assert_int_equal(ckpt_float_ieee(4), CKPT_FLOAT_F32);
	assert_int_equal(ckpt_float_ieee(16), CKPT_FLOAT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_floats__bytes), cmocka_unit_test(test_floats__halves),
		cmocka_unit_test(test_floats__wide),  cmocka_unit_test(test_floats__place),
		cmocka_unit_test(test_floats__feed),  cmocka_unit_test(test_floats__none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
