/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NetCDF classic: files built to the specification in all three versions, and samples of the
 * library.
 */
#include "core/format/array/netcdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "netcdf");
	bench_expect(ret, status, code);
}

struct bytes {
	unsigned char data[4096];
	size_t n;
	int version;
};

static void put(struct bytes *b, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--)
		b->data[b->n++] = (unsigned char)(v >> (8 * i));
}

static void count(struct bytes *b, uint64_t v)
{
	put(b, v, b->version == 5 ? 8 : 4);
}

static void text(struct bytes *b, const char *s)
{
	count(b, strlen(s));
	memcpy(b->data + b->n, s, strlen(s));
	b->n += (strlen(s) + 3) / 4 * 4;
}

/* A variable of up to two dimensions (-1: none). Returns where its begin stands. */
static size_t variable(struct bytes *b, const char *name, int first, int second, int type)
{
	size_t at;

	text(b, name);
	count(b, (uint64_t)(first >= 0) + (second >= 0));
	if (first >= 0)
		count(b, (uint64_t)first);
	if (second >= 0)
		count(b, (uint64_t)second);
	put(b, 12, 4);
	count(b, 1);
	text(b, "units");
	put(b, 2, 4);
	count(b, 5);
	memcpy(b->data + b->n, "meter", 5);
	b->n += 8;
	put(b, (uint64_t)type, 4);
	count(b, 0);
	at = b->n;
	put(b, 0, b->version == 1 ? 4 : 8);
	return at;
}

static void set_begin(struct bytes *b, size_t at, uint64_t v)
{
	size_t n = b->n;

	b->n = at;
	put(b, v, b->version == 1 ? 4 : 8);
	b->n = n;
}

/*
 * Dimensions time (record), x = 3; a fixed double x(3), records of short a(time, x) and, unless
 * @single, of byte c(time). Returns the size that @records of them need.
 */
static size_t build(struct bytes *b, int version, uint64_t records, bool single)
{
	size_t at[3] = { 0 }, head, end;

	memset(b, 0, sizeof(*b));
	b->version = version;
	memcpy(b->data, "CDF", 3);
	b->data[3] = (unsigned char)version;
	b->n = 4;
	count(b, records);
	put(b, 10, 4);
	count(b, 2);
	text(b, "time");
	count(b, 0);
	text(b, "x");
	count(b, 3);
	put(b, 0, 4);
	count(b, 0);
	put(b, 11, 4);
	count(b, single ? 2 : 3);
	at[0] = variable(b, "x", 1, -1, 6);
	at[1] = variable(b, "a", 0, 1, 3);
	if (!single)
		at[2] = variable(b, "c", 0, -1, 1);
	head = b->n;
	set_begin(b, at[0], head);
	set_begin(b, at[1], head + 24);
	if (!single)
		set_begin(b, at[2], head + 32);
	end = head + 24;
	if (records && single)
		end = head + 24 + 6 * records; /* a single one is not padded */
	else if (records)
		end = head + 24 + 12 * (records - 1) + 9;
	return end;
}

static void test_netcdf__sizes(void **state)
{
	static const int versions[] = { 1, 2, 5 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	for (int i = 0; i < 12; i++) {
		uint64_t records = i / 6 ? 7 : 0;
		size_t need = build(&b, versions[i % 3], records, i % 2);

		bench_write(&bench, "x.nc", b.data, need);
		expect(&bench, "x.nc", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.tensors, i % 2 ? 2 : 3);
		assert_true(ckpt_report_has_key(&report, "a"));
		for (size_t cut = 4; cut < need; cut++) {
			bench_write(&bench, "x.nc", b.data, cut);
			expect(&bench, "x.nc", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
		}
		bench_write(&bench, "x.nc", b.data, need + 3);
		expect(&bench, "x.nc", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	}
	/* a stream does not know its number of records */
	bench_write(&bench, "x.nc", b.data, build(&b, 1, UINT32_MAX, false) && b.n ? b.n + 24 : 0);
	expect(&bench, "x.nc", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
}

static void test_netcdf__headers(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;
	size_t need;

	(void)state;
	bench_init(&bench);
	need = build(&b, 1, 2, false);
	b.data[11] = 13; /* the tag of dimensions */
	bench_write(&bench, "x.nc", b.data, need);
	expect(&bench, "x.nc", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	need = build(&b, 1, 2, false);
	b.data[12] = 0x7f; /* very many dimensions */
	bench_write(&bench, "x.nc", b.data, need);
	expect(&bench, "x.nc", CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, &report);
	build(&b, 5, 1ull << 62, false);
	bench_write(&bench, "x.nc", b.data, b.n + 100);
	expect(&bench, "x.nc", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
}

static void test_netcdf__samples(void **state)
{
	static const char *const names[] = { "ref_nctest_classic.nc",
					     "ref_nctest_64bit_offset.nc" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;
	char path[512];

	(void)state;
	bench_init(&bench);
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ unsigned char *data = NULL;

		snprintf(path, sizeof(path), CKPT_SAMPLES "/netcdf/%s", names[i]);
		data = bench_read(&bench, path, &len);
		if (!data) {
			print_message("no sample: %s\n", path);
			skip();
		}
		bench_write(&bench, "x.nc", data, len);
		expect(&bench, "x.nc", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		bench_write(&bench, "x.nc", data, len - 64);
		expect(&bench, "x.nc", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
	assert_true(bench_copy(&bench, CKPT_SAMPLES "/netcdf/bad_cdf5_begin.nc", "bad.nc"));
	bench_judge(&bench, "bad.nc", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.status, CKPT_VALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_netcdf__sizes),
		cmocka_unit_test(test_netcdf__headers),
		cmocka_unit_test(test_netcdf__samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
