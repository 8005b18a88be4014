/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parallel look for NaN and Inf: counts do not depend on how many threads there are and how the
 * file is cut, what is named is what lies first, and a look that is cut off says so.
 */
#include "core/base/finite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/scratch.h"

#define SIZE ((size_t)40 << 20)
#define SMALL 999 /* numbers of a small range */

/* Ranges of float: a large one, then small ones to the end. */
struct feed {
	uint64_t at, n;
	uint64_t beyond; /* lets the last one reach beyond the file */
};

static int next_range(void *arg, struct ckpt_finite_range *ret)
{
	struct feed *f = arg;
	uint64_t len = f->at == 0 ? SIZE / 2 : 4 * SMALL;

	if (f->at + len > SIZE)
		return 0;
	*ret = (struct ckpt_finite_range) {
		.off = f->at, .len = len, .kind = { CKPT_FLOAT_F32, false }, .tag = f->n++
	};
	f->at += len;
	if (f->beyond && f->at + len > SIZE)
		ret->len = SIZE;
	return 1;
}

static void make(const struct scratch *s)
{
	_cleanup_free_ float *data = calloc(1, SIZE);
	const float bad[] = { -1.0f / 0.0f, 0.0f / 0.0f };

	assert_non_null(data);
	for (size_t i = 0; i < SIZE / 4; i += 4096)
		data[i] = 1.5f;
	data[1 << 20] = bad[0]; /* pieces are of 2 MiB: the last of one, the first of the next */
	data[(1 << 20) - 1] = bad[1];
	data[3 << 20] = bad[1];
	for (size_t i = 0; i < 20; i++) /* one in each of 20 small ranges */
		data[SIZE / 8 + i * SMALL + i] = bad[i % 2];
	scratch_write(s->fd, "f", data, SIZE);
}

static int scan(const struct scratch *s, struct ckpt_ctx *ctx, struct feed feed,
		struct ckpt_finite *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	const struct ckpt_finite_job job = { .next = next_range, .arg = &feed };
	struct ckpt_error err = { 0 };

	assert_int_equal(ckpt_file_open(ctx, s->fd, "f", &file, &err), 0);
	return ckpt_finite_scan(&file, &job, ret, &err);
}

static void test_finite__threads(void **state)
{
	struct scratch *s = *state;
	struct ckpt_finite found;

	make(s);
	for (int threads = 1; threads <= 5; threads++) {
		struct ckpt_ctx ctx = { .threads = threads };

		assert_int_equal(scan(s, &ctx, (struct feed) { 0 }, &found), 0);
		assert_int_equal(found.ranges, 1 + SIZE / 2 / (4 * SMALL));
		assert_int_equal(found.bytes, SIZE / 2 + (found.ranges - 1) * 4 * SMALL);
		assert_int_equal(found.poisoned, 21);
		assert_int_equal(found.nan, 12);
		assert_int_equal(found.inf, 11);
		assert_int_equal(found.n_hits, CKPT_FINITE_HITS);
		assert_int_equal(found.hits[0].floats.first, ((1 << 20) - 1) * 4);
		assert_int_equal(found.hits[0].floats.nan, 2);
		for (int i = 1; i < CKPT_FINITE_HITS; i++) {
			assert_int_equal(found.hits[i].tag, i);
			assert_int_equal(found.hits[i].floats.first,
					 SIZE / 2 + (uint64_t)(i - 1) * 4 * (SMALL + 1));
		}
	}
}

static void test_finite__cut(void **state)
{
	struct scratch *s = *state;
	struct ckpt_ctx bytes = { .threads = 2, .max_bytes = 8 << 20 };
	struct ckpt_ctx late = { .threads = 2, .deadline_ns = 1 };
	struct ckpt_ctx plain = { .threads = 3 };
	struct ckpt_finite found;

	make(s);
	assert_int_equal(scan(s, &bytes, (struct feed) { 0 }, &found), -EDQUOT);
	assert_in_range(found.bytes, 0, 16 << 20);
	assert_int_equal(scan(s, &late, (struct feed) { 0 }, &found), -ETIMEDOUT);
	assert_int_equal(found.ranges, 0);
	assert_int_equal(scan(s, &plain, (struct feed) { .beyond = 1 }, &found), CKPT_FILE_SHORT);
}

/* A large range that holds none is looked through as well. */
static void test_finite__clean(void **state)
{
	struct scratch *s = *state;
	struct ckpt_ctx ctx = { .threads = 2 };
	struct ckpt_finite found;

	scratch_write(s->fd, "f", "x", 1);
	scratch_resize(s->fd, "f", SIZE);
	assert_int_equal(scan(s, &ctx, (struct feed) { 0 }, &found), 0);
	assert_int_equal(found.ranges, 1 + SIZE / 2 / (4 * SMALL));
	assert_int_equal(found.poisoned, 0);
	assert_int_equal(found.n_hits, 0);
}

static int one_range(void *arg, struct ckpt_finite_range *ret)
{
	struct ckpt_finite_range *range = arg;

	*ret = *range;
	range->len = 0;
	return ret->len > 0;
}

/* Wherever numbers begin, one that lies over the end of a block counts. */
static void test_finite__over_a_block(void **state)
{
	struct scratch *s = *state;
	_cleanup_free_ uint8_t *data = calloc(1, SIZE / 4);
	const double bad = 0.0 / 0.0;

	assert_non_null(data);
	for (uint64_t first = 1; first < 8; first++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_finite_range range = { .off = first,
						   .len = 8 << 20,
						   .kind = { CKPT_FLOAT_F64, false } };
		const struct ckpt_finite_job job = { .next = one_range, .arg = &range };
		struct ckpt_ctx ctx = { .threads = 2 };
		struct ckpt_finite found;
		uint64_t at = (4 << 20) - 8 + first;

		memset(data, 0, SIZE / 4);
		memcpy(data + at, &bad, sizeof(bad));
		scratch_write(s->fd, "f", data, SIZE / 4);
		assert_int_equal(ckpt_file_open(&ctx, s->fd, "f", &file, NULL), 0);
		assert_int_equal(ckpt_finite_scan(&file, &job, &found, NULL), 0);
		assert_int_equal(found.bytes, 8 << 20);
		assert_int_equal(found.nan, 1);
		assert_int_equal(found.hits[0].floats.first, at);
	}
}

/* Poison that was found before the end of the budget is poison. */
static void test_finite__found_before_cut(void **state)
{
	struct scratch *s = *state;
	struct ckpt_ctx ctx = { .threads = 1, .max_bytes = 18 << 20 };
	struct ckpt_finite found;

	make(s);
	assert_int_equal(scan(s, &ctx, (struct feed) { 0 }, &found), -EDQUOT);
	assert_int_equal(found.poisoned, 1);
	assert_int_equal(found.nan, 2);
	assert_true(found.bytes < SIZE / 2);
}

/* The lowest offsets stay, whatever the order in which they come. */
static void test_finite__enter(void **state)
{
	struct ckpt_finite all = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		const struct ckpt_floats one = { .nan = 1, .first = (i * 37) % 100 };

		ckpt_finite_enter(&all, one.first, 8, &one);
	}
	ckpt_finite_enter(&all, 5, 8, &(const struct ckpt_floats) { .first = 0 });
	assert_int_equal(all.ranges, 101);
	assert_int_equal(all.bytes, 808);
	assert_int_equal(all.poisoned, 100);
	for (uint64_t i = 0; i < CKPT_FINITE_HITS; i++)
		assert_int_equal(all.hits[i].tag, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_finite__threads),
		scratch_test(test_finite__cut),
		scratch_test(test_finite__clean),
		scratch_test(test_finite__found_before_cut),
		scratch_test(test_finite__over_a_block),
		cmocka_unit_test(test_finite__enter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
