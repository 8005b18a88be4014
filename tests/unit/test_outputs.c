/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stage put out: measured, and compared with what is there later.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/outputs.h"
#include "tests/unit/support/scratch.h"

static char path[256];

/* The output @name in @dir, measured. */
static struct ckpt_stage_output measured(const struct scratch *dir, const char *name, int expected)
{
	struct ckpt_stage_output output = { .path = path, .given = (char *)name };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	assert_int_equal(ckpt_output_measure(&ctx, &output, true, &err), expected);
	return output;
}

static int verified(const struct ckpt_stage_output *output)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	return ckpt_output_verify(&ctx, output, &err);
}

/* The digest is the one that sha256sum prints. */
static void test_outputs__a_file(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_stage_output output;

	measured(dir, "f", CKPT_OUTPUT_MISSING);
	scratch_put(dir->fd, "f", "abc");
	output = measured(dir, "f", 0);
	assert_string_equal(output.sha256,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(output.files == 1 && output.bytes == 3 && !output.directory);
	assert_int_equal(verified(&output), 0);
	scratch_flip(dir->fd, "f", 1);
	assert_int_equal(verified(&output), CKPT_OUTPUT_CHANGED);
	scratch_flip(dir->fd, "f", 1);
	assert_int_equal(verified(&output), 0);
	scratch_resize(dir->fd, "f", 2);
	assert_int_equal(verified(&output), CKPT_OUTPUT_CHANGED);
	unlinkat(dir->fd, "f", 0);
	assert_int_equal(verified(&output), CKPT_OUTPUT_MISSING);
}

static void test_outputs__a_directory(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_stage_output output;

	scratch_put(dir->fd, "d/a", "1");
	scratch_put(dir->fd, "d/sub/b", "22");
	output = measured(dir, "d", 0);
	assert_true(output.directory && output.files == 2 && output.bytes == 3);
	assert_int_equal(verified(&output), 0);
	assert_int_equal(renameat(dir->fd, "d/a", dir->fd, "d/c"), 0);
	assert_int_equal(verified(&output), CKPT_OUTPUT_CHANGED); /* the names count */
	assert_int_equal(renameat(dir->fd, "d/c", dir->fd, "d/a"), 0);
	assert_int_equal(verified(&output), 0);
	scratch_put(dir->fd, "d/e", "");
	assert_int_equal(verified(&output), CKPT_OUTPUT_CHANGED);
}

static void test_outputs__what_is_neither_or_too_much(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_stage_output output;

	assert_int_equal(mkfifoat(dir->fd, "fifo", 0600), 0);
	measured(dir, "fifo", CKPT_OUTPUT_MISSING);
	scratch_put(dir->fd, "d/sub/b", "22");
	assert_int_equal(symlinkat("sub", dir->fd, "d/link"), 0);
	output = measured(dir, "d", 0); /* a link to a folder may lead anywhere */
	assert_true(output.unread && !output.sha256[0]);
	assert_int_equal(verified(&output), 0);
	unlinkat(dir->fd, "d/link", 0);
	assert_int_equal(verified(&output), CKPT_OUTPUT_CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_outputs__a_file),
		scratch_test(test_outputs__a_directory),
		scratch_test(test_outputs__what_is_neither_or_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
