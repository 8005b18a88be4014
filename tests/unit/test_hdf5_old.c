/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What HDF5's structures without checksums show of damage: one field of each is changed by
 * make_hdf5_old.py, which knows them from the File Format Specification.
 */
#include "core/format/hdf5/hdf5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

static int setup(void **state)
{
	static struct bench bench;

	*state = bench_generate(&bench, "make_hdf5_old.py") ? &bench : NULL;
	if (!*state)
		print_message("h5py is not here\n");
	return 0;
}

static int teardown(void **state)
{
	if (*state)
		bench_done(*state);
	return 0;
}

/* Judges @names, each with @before in front and ".h5" behind: all valid, or none. */
static void all(void **state, const char *before, const char *const *names, bool valid)
{
	struct ckpt_report report;
	char file[64];

	if (!*state)
		skip();
	for (; *names; names++) {
		snprintf(file, sizeof(file), "%s%s.h5", before, *names);
		bench_judge(*state, file, CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		if ((report.verdict.status == CKPT_VALID) != valid)
			print_error("%s: %s\n", file, report.verdict.problem.detail);
		assert_string_equal(report.format->name, "hdf5");
		assert_int_equal(report.verdict.status == CKPT_VALID, valid);
		if (!valid)
			assert_int_not_equal(report.verdict.status, CKPT_UNREADABLE);
	}
}

static void test_hdf5_old__superblock(void **state)
{
	static const char *const bad[] = { "free_version",   "root_version",
					   "shared_version", "offsets",
					   "lengths",	     "leaf_k",
					   "tree_k",	     "tree_k_large",
					   "flags",	     "flags_high",
					   "base",	     "base_odd",
					   "free_list",	     "driver",
					   "driver_here",    "root_outside",
					   "root_soft",	     "root_kind",
					   "root_name",	     "root_tree",
					   "root_heap",	     NULL };
	static const char *const good[] = { "reserved", "closed",    "uncached",
					    "base",	"converted", NULL };

	all(state, "bad_", bad, false);
	all(state, "good_", good, true);
}

static void test_hdf5_old__groups(void **state)
{
	static const char *const bad[] = {
		"left",	       "right",		 "many",	 "key",
		"first_key",   "key_outside",	 "level",	 "table_version",
		"table_empty", "table_many",	 "table_fewer",	 "table_more",
		"member_kind", "member_soft",	 "member_name",	 "member_tree",
		"member_heap", "member_outside", "heap_version", "heap_free",
		"heap_data",   "heap_begin",	 "name_slash",	 "name_empty",
		"name_order",  "free_next",	 "free_loop",	 "free_long",
		NULL
	};
	static const char *const good[] = { "group_uncached", "high", NULL };

	all(state, "bad_group_", bad, false);
	all(state, "good_", good, true);
}

static void test_hdf5_old__data_sets(void **state)
{
	static const char *const bad[] = {
		"count",	 "length",	"type",	       "odd",
		"shared_layout", "flags",	"unknown",     "lost_layout",
		"lost_space",	 "lost_type",	"dim",	       "rank",
		"space_flags",	 "limit",	"type_size",   "no_size",
		"precision",	 "exponent",	"exponent_at", "mantissa",
		"sign",		 "normal",	"bias",	       "fill_version",
		"fill_long",	 "size",	"name_long",   "name_short",
		"name_lost",	 "chunk_place", "chunk_far",   "chunk_order",
		"chunk_size",	 NULL
	};
	static const char *const good[] = { "set_classes", NULL };

	all(state, "bad_set_", bad, false);
	all(state, "good_", good, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hdf5_old__superblock),
		cmocka_unit_test(test_hdf5_old__groups),
		cmocka_unit_test(test_hdf5_old__data_sets),
	};

	return cmocka_run_group_tests_name("hdf5_old", tests, setup, teardown);
}
