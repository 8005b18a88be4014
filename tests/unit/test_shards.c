/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbered names and the gaps between them.
 */
#include "core/format/train/shards.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

static void test_shards__match(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match;
		uint8_t n;
		uint64_t a, b;
	} rows[] = {
		{ "a_#.pt", "a_7.pt", true, 1, 7, 0 },
		{ "a_#.pt", "a_007.pt", true, 1, 7, 0 },
		{ "a_#_b_#", "a_12_b_00", true, 2, 12, 0 },
		{ "#", "999999999", true, 1, 999999999, 0 },
		{ "a_#.pt", "a_.pt", false, 0, 0, 0 },
		{ "a_#.pt", "a_7.ptx", false, 0, 0, 0 },
		{ "a_#.pt", "a_7.p", false, 0, 0, 0 },
		{ "a_#.pt", "a_-7.pt", false, 0, 0, 0 },
		{ "a_#", "a_1234567890", false, 0, 0, 0 },
		{ "#_#_#_#", "1_2_3_4", false, 0, 0, 0 },
		{ "a", "a", true, 0, 0, 0 },
		{ "a", "", false, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_shard shard = { .n = 0 };

		if (ckpt_shard_match(rows[i].name, rows[i].pattern, &shard) != rows[i].match)
			fail_msg("%s %s", rows[i].pattern, rows[i].name);
		if (!rows[i].match)
			continue;
		assert_int_equal(shard.n, rows[i].n);
		assert_int_equal(shard.no[0], rows[i].a);
		assert_int_equal(shard.no[1], rows[i].b);
	}
}

static void list(struct bench *bench, struct ckpt_shards *ret)
{
	static const struct ckpt_shard_row rows[] = {
		{ "s#_#", 0 }, { "t#_#", 0 }, { "x#", 1 }, { NULL, 0 }
	};
	struct ckpt_report report = { .tensors = 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = {
		.dirfd = bench->fd, .name = "x", .report = &report, .err = &err
	};

	assert_int_equal(ckpt_shards_list(&check, rows, ret), 0);
}

static void test_shards__gap(void **state)
{
	static const struct {
		const char *names; /* blank after each */
		uint64_t a, b;	   /* dimensions */
		bool gap;
		uint64_t at, bt;
		const char *outside;
	} rows[] = {
		{ "s0_0 s0_1 s1_0 s1_1 ", 2, 2, false, 0, 0, NULL },
		{ "s0_0 s0_1 s1_0 s1_1 ", 0, 0, false, 0, 0, NULL },
		{ "s0_0 t0_1 s1_0 t1_1 x5 ", 2, 2, false, 0, 0, NULL },
		{ "s0_0 t0_0 s0_1 ", 1, 2, false, 0, 0, NULL }, /* one place, two names */
		{ "s0_0 s0_1 s1_1 ", 2, 2, true, 1, 0, NULL },
		{ "s0_1 s1_0 s1_1 ", 2, 2, true, 0, 0, NULL },
		{ "s0_0 s0_1 s1_0 ", 2, 2, true, 1, 1, NULL },
		{ "s0_0 s0_1 s1_0 ", 0, 0, true, 1, 1, NULL },
		{ "s0_0 s0_1 ", 2, 2, true, 1, 0, NULL },
		{ "s0_0 s0_1 ", 0, 0, false, 0, 0, NULL },
		{ "s0_0 s0_2 s1_0 ", 2, 1, false, 0, 0, "s0_2" },
		{ "s0_0 s3_0 ", 1, 1, false, 0, 0, "s3_0" },
		{ "x0 ", 1, 1, true, 0, 0, NULL },
		{ "s0_0 ", UINT64_MAX, UINT64_MAX, true, 0, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_shards_ struct ckpt_shards shards = { .n = 0 };
		const uint64_t dims[] = { rows[i].a, rows[i].b, 1 };
		const struct ckpt_shard *outside;
		uint64_t gap[CKPT_SHARD_NUMBERS];
		char name[16];

		bench_init(&bench);
		for (const char *p = rows[i].names; sscanf(p, "%15s", name) == 1;
		     p = strchr(p, ' ') + 1)
			bench_text(&bench, name, "");
		list(&bench, &shards);
		if (ckpt_shards_gap(&shards, 0, dims, gap, &outside) != rows[i].gap)
			fail_msg("%s", rows[i].names);
		if (rows[i].gap && (gap[0] != rows[i].at || gap[1] != rows[i].bt))
			fail_msg("%s: gap at %d,%d", rows[i].names, (int)gap[0], (int)gap[1]);
		assert_int_equal(!outside, !rows[i].outside);
		if (outside)
			assert_string_equal(outside->name, rows[i].outside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shards__match),
		cmocka_unit_test(test_shards__gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
