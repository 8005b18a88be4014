/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for --ckpt-before-limit in a time limit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/watch/limit.h"

#define MINUTE ((int64_t)60000000000)

static void test_limit__room(void **state)
{
	static const struct {
		int64_t limit, before;
		enum ckpt_limit_room room;
	} rows[] = {
		{ 0, 10 * MINUTE, CKPT_LIMIT_ENOUGH }, /* not known */
		{ -1, 10 * MINUTE, CKPT_LIMIT_ENOUGH },
		{ MINUTE, 0, CKPT_LIMIT_ENOUGH },
		{ MINUTE, MINUTE / 2, CKPT_LIMIT_ENOUGH },
		{ MINUTE, MINUTE / 2 + 1, CKPT_LIMIT_LITTLE },
		{ MINUTE, MINUTE - 1, CKPT_LIMIT_LITTLE },
		{ MINUTE, MINUTE, CKPT_LIMIT_NONE },
		{ MINUTE, 10 * MINUTE, CKPT_LIMIT_NONE },
		{ INT64_MAX, INT64_MAX, CKPT_LIMIT_NONE },
		{ INT64_MAX, 10 * MINUTE, CKPT_LIMIT_ENOUGH },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ckpt_limit_room(rows[i].limit, rows[i].before) != rows[i].room)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit__room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
