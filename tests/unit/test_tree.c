/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing a tree: all of it, and nothing beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/tree.h"
#include "tests/unit/support/scratch.h"

static void test_tree__all_kinds_of_entries(void **state)
{
	struct scratch *s = *state;

	scratch_put(s->fd, "tree/a", "1");
	scratch_put(s->fd, "tree/deep/er/b", "2");
	scratch_put(s->fd, "tree/.hidden\n", "3");
	scratch_put(s->fd, "beside", "4");
	scratch_put(s->fd, "aside/c", "5");
	assert_int_equal(symlinkat("../beside", s->fd, "tree/link"), 0);
	assert_int_equal(symlinkat("../../aside", s->fd, "tree/deep/link"), 0);
	assert_int_equal(symlinkat("nowhere", s->fd, "tree/dangling"), 0);
	assert_int_equal(mkfifoat(s->fd, "tree/fifo", 0600), 0);
	assert_int_equal(mkdirat(s->fd, "tree/empty", 0700), 0);
	assert_int_equal(ckpt_tree_remove(s->fd, "tree"), 0);
	assert_false(scratch_has(s->fd, "tree"));
	assert_true(scratch_holds(s->fd, "beside", "4"));
	assert_true(scratch_holds(s->fd, "aside/c", "5"));
}

static void test_tree__a_file_a_link_and_nothing(void **state)
{
	struct scratch *s = *state;

	scratch_put(s->fd, "dir/kept", "1");
	scratch_put(s->fd, "file", "2");
	assert_int_equal(symlinkat("dir", s->fd, "link"), 0);
	assert_int_equal(ckpt_tree_remove(s->fd, "file"), 0);
	assert_int_equal(ckpt_tree_remove(s->fd, "link"), 0);
	assert_int_equal(ckpt_tree_remove(s->fd, "nothing"), 0);
	assert_int_equal(scratch_count(s->fd), 1);
	assert_true(scratch_has(s->fd, "dir/kept"));
}

/* What may not be written stays, the rest goes, and the first error is told. */
static void test_tree__what_cannot_be_removed(void **state)
{
	struct scratch *s = *state;

	if (geteuid() == 0)
		skip(); /* root may remove all */
	scratch_put(s->fd, "tree/locked/a", "1");
	scratch_put(s->fd, "tree/b", "2");
	assert_int_equal(fchmodat(s->fd, "tree/locked", 0500, 0), 0);
	assert_int_equal(ckpt_tree_remove(s->fd, "tree"), -EACCES);
	assert_true(scratch_has(s->fd, "tree/locked/a"));
	assert_false(scratch_has(s->fd, "tree/b"));
	assert_int_equal(fchmodat(s->fd, "tree/locked", 0700, 0), 0);
}

static void test_tree__too_deep(void **state)
{
	struct scratch *s = *state;
	char name[4 * CKPT_TREE_DEPTH] = "tree";
	int at = 4;

	for (int i = 0; i < CKPT_TREE_DEPTH; i++)
		at += snprintf(name + at, sizeof(name) - (size_t)at, "/d");
	scratch_put(s->fd, name, "deepest");
	assert_int_equal(ckpt_tree_remove(s->fd, "tree"), 0);
	snprintf(name + at, sizeof(name) - (size_t)at, "/d/d");
	scratch_put(s->fd, name, "deeper");
	assert_int_equal(ckpt_tree_remove(s->fd, "tree"), -ELOOP);
	assert_true(scratch_has(s->fd, name));
	assert_int_equal(ckpt_tree_remove(s->fd, "tree/d/d/d"), 0); /* from further down */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_tree__all_kinds_of_entries),
		scratch_test(test_tree__a_file_a_link_and_nothing),
		scratch_test(test_tree__what_cannot_be_removed),
		scratch_test(test_tree__too_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
