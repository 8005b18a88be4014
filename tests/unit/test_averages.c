/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which names are those of averages of others that are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/catalog/averages.h"

/* Whether @name is an average where @other is there too, in @dir. */
static bool is_average(const char *name, const char *other, const char *dir)
{
	struct ckpt_set a = { .dir = "/run", .name = name }, b = { .dir = dir, .name = other };
	struct ckpt_set *both[] = { &a, &b }, *turned[] = { &b, &a };
	bool found[2] = { false, false }, again[2] = { false, false };

	assert_int_equal(ckpt_averages_find(both, 2, found), 0);
	assert_int_equal(ckpt_averages_find(turned, 2, again), 0);
	assert_false(found[1] || again[0]);
	assert_int_equal(found[0], again[1]);
	return found[0];
}

static void test_averages__names(void **state)
{
	static const struct {
		const char *name, *plain;
		bool is;
	} rows[] = {
		{ "m--epoch=2-step=300-EMA.ckpt", "m--epoch=2-step=300.ckpt", true },
		{ "m-last-EMA.ckpt", "m-last.ckpt", true },
		{ "ema_last.pt", "last.pt", true },
		{ "last_ema.pt", "last.pt", true },
		{ "last.ema.pt", "last.pt", true },
		{ "ckpt_ema_9.pt", "ckpt_9.pt", true },
		{ "ckpt-swa.pt", "ckpt.pt", true },
		{ "global_step5_ema", "global_step5", true },
		{ "schema_9.pt", "sch_9.pt", false },
		{ "cinema.pt", "cin.pt", false },
		{ "ema2_last.pt", "last.pt", false },
		{ "em", "e", false },
		{ "last_ema.pt", "last_ema.pt2", false },
		{ "last_ema.pt", "best.pt", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(is_average(rows[i].name, rows[i].plain, "/run"), rows[i].is);
		assert_false(is_average(rows[i].name, rows[i].plain, "/other"));
	}
}

static void test_averages__none_and_long_ones(void **state)
{
	char name[300];
	struct ckpt_set set = { .dir = "/run", .name = name }, *list[] = { &set };
	bool found[1] = { false };

	(void)state;
	assert_int_equal(ckpt_averages_find(NULL, 0, NULL), 0);
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name + 250, "-ema-", 5);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ckpt_averages_find(list, 1, found), 0);
	assert_false(found[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_averages__names),
		cmocka_unit_test(test_averages__none_and_long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
