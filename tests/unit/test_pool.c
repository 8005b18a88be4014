/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalog's pool, and the list and names of folders.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalog/folders.h"
#include "core/catalog/pool.h"

static int setup(void **state)
{
	*state = ckpt_pool_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	ckpt_pool_free(*state);
	return 0;
}

static void test_pool__memory_lives_and_is_aligned(void **state)
{
	enum { N = 5000 };
	static uint64_t *p[N];

	for (size_t i = 0; i < N; i++) {
		size_t words = 1 + i % 200;

		p[i] = ckpt_pool_alloc(*state, words * sizeof(*p[i]) - i % 8);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % sizeof(void *), 0);
		p[i][0] = i;
	}
	for (size_t i = 0; i < N; i++)
		assert_int_equal(p[i][0], i);
}

static void test_pool__large_and_impossible(void **state)
{
	char *large = ckpt_pool_alloc(*state, 3 * 1024 * 1024);
	char *small = ckpt_pool_alloc(*state, 8);

	assert_non_null(large);
	memset(large, 1, 3 * 1024 * 1024);
	assert_non_null(small);
	assert_true(small >= large + 3 * 1024 * 1024 || small + 8 <= large);
	assert_null(ckpt_pool_alloc(*state, SIZE_MAX));
}

static void test_pool__interns(void **state)
{
	static const char *first[3000];
	char s[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3000; i++) {
			const char *got;

			snprintf(s, sizeof(s), "series-%d", i);
			got = ckpt_pool_intern(*state, s);
			assert_string_equal(got, s);
			if (!round)
				first[i] = got;
			assert_ptr_equal(got, first[i]);
		}
	}
	assert_ptr_not_equal(ckpt_pool_copy(*state, "series-1"), first[1]);
	assert_string_equal(ckpt_pool_intern(*state, ""), "");
}

static void test_pool__visits_once(void **state)
{
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ckpt_pool_visit(*state, i % 3, i), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ckpt_pool_visit(*state, i % 3, i), 1);
	assert_int_equal(ckpt_pool_visit(*state, 3, 3), 0); /* the same inode of another device */
}

static void test_pool__folder_paths(void **state)
{
	struct ckpt_folders folders = { 0 };
	const struct ckpt_folder *f;

	assert_int_equal(ckpt_folders_add(&folders, *state, NULL, "/run//"), 0);
	assert_string_equal(folders.f[0].path, "/run");
	assert_int_equal(folders.f[0].depth, 0);
	assert_int_equal(ckpt_folders_add(&folders, *state,
					  &(struct ckpt_folder) { .path = "/run", .depth = 1 },
					  "a"),
			 0);
	f = &folders.f[1];
	assert_string_equal(f->path, "/run/a");
	assert_int_equal(f->depth, 2);
	assert_int_equal(
		ckpt_folders_add(&folders, *state, &(struct ckpt_folder) { .path = "/" }, "a"), 0);
	assert_string_equal(folders.f[2].path, "/a");
	assert_int_equal(ckpt_folders_add(&folders, *state, NULL, "/"), 0);
	assert_string_equal(folders.f[3].path, "/");
	ckpt_folders_done(&folders);
	assert_int_equal(folders.n, 0);
}

static void test_pool__folder_names(void **state)
{
	static const struct {
		const char *name;
		bool plausible, known;
	} names[] = {
		{ "run", true, true },
		{ "training", true, true },
		{ "lightning_logs", true, true },
		{ "version_12", true, true },
		{ "version_x", true, false },
		{ "checkpoints", true, true },
		{ "Checkpoints", true, true },
		{ "my-experiment", true, false },
		{ "data", true, false },
		{ "wandb", false, false },
		{ "__pycache__", false, false },
		{ "pretrained_models", false, false },
		{ "lost+found", false, false },
		{ "gpt_ft-June-01-2024_10+30AM-abc1234", true, true },
		{ "gpt_ft-Junk-01-2024_10+30AM-abc1234", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		print_message("%s\n", names[i].name);
		assert_true(ckpt_folder_plausible(names[i].name, false) == names[i].plausible);
		assert_true(ckpt_folder_plausible(names[i].name, true) == names[i].known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pool__memory_lives_and_is_aligned, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_pool__large_and_impossible, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool__interns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool__visits_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pool__folder_paths, setup, teardown),
		cmocka_unit_test(test_pool__folder_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
