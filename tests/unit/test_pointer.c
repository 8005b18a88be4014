/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TensorFlow's `checkpoint` file: what it names, and its alignment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record/pointer.h"
#include "tests/unit/support/scratch.h"
#include "wire/cleanup.h"

#define FILE_NAME "checkpoint"

static void test_pointer__names_the_last_component(void **state)
{
	static const struct {
		const char *text, *expected; /* NULL: torn */
	} cases[] = {
		{ "model_checkpoint_path: \"ckpt-9\"\nall_model_checkpoint_paths: \"ckpt-8\"\n",
		  "ckpt-9" },
		{ "model_checkpoint_path: \"/old/machine/ckpt-9\"\n", "ckpt-9" },
		{ "model_checkpoint_path: 'ckpt-9'", "ckpt-9" },
		{ "model_checkpoint_path:\"ckpt-9\"", "ckpt-9" },
		{ "# note: \"x\n model_checkpoint_path : \"ckpt-9\" # end", "ckpt-9" },
		{ "all_model_checkpoint_paths: \"a\" model_checkpoint_path: \"b\"", "b" },
		{ "model_checkpoint_path: \"a\"\nmodel_checkpoint_path: \"b\"", "b" },
		{ "model_checkpoint_path: \"a\\\"b\\\\c\\'\"", "a\"b\\c'" },
		{ "model_checkpoint_path: \"m\\303\\266del\\x2d1\"", "m\xc3\xb6"
								     "del-1" },
		{ "last_preserved_timestamp: 1.5e9\nmodel_checkpoint_path: \"x\"\n", "x" },
		{ "", NULL },
		{ "\n", NULL },
		{ "model_checkpoint_path", NULL },
		{ "model_checkpoint_path:", NULL },
		{ "model_checkpoint_path: \"ckpt", NULL },
		{ "model_checkpoint_path: \"ckpt\n-1\"", NULL },
		{ "model_checkpoint_path: \"\"", NULL },
		{ "model_checkpoint_path: \"dir/\"", NULL },
		{ "model_checkpoint_path: 9", NULL },
		{ "model_checkpoint_path: \"a\\000b\"", NULL },
		{ "model_checkpoint_path: \"a\\q\"", NULL },
		{ "model_checkpoint_path: \"a\\", NULL },
		{ "model_checkpoint_path: \"a\\\"", NULL },
		{ "model_checkpoint_path: \"a\\x\"", NULL },
		{ "model_checkpoint_path { x: 1 }", NULL },
		{ "all_model_checkpoint_paths: \"a\"", NULL },
		{ "Model_checkpoint_path: \"a\"", NULL },
		{ "\x80\x02binary", NULL },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_error err = { 0 };
		char name[256] = "untouched";
		int r;

		scratch_put(s->fd, FILE_NAME, cases[i].text);
		r = ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), &err);
		if (r != (cases[i].expected ? 0 : CKPT_POINTER_TORN))
			print_message("%s -> %d %s\n", cases[i].text, r, name);
		assert_int_equal(r, cases[i].expected ? 0 : CKPT_POINTER_TORN);
		assert_string_equal(name, cases[i].expected ? cases[i].expected : "untouched");
	}
}

static void test_pointer__absent_and_impossible(void **state)
{
	struct scratch *s = *state;
	char name[8] = "x", big[600];
	int fd;

	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_ABSENT);
	assert_int_equal(mkdirat(s->fd, FILE_NAME, 0755), 0);
	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_TORN);
	assert_int_equal(unlinkat(s->fd, FILE_NAME, AT_REMOVEDIR), 0);
	scratch_put(s->fd, FILE_NAME, "model_checkpoint_path: \"12345678\"");
	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_TORN);
	snprintf(big, sizeof(big), "model_checkpoint_path: \"%0300d\"", 0);
	scratch_put(s->fd, FILE_NAME, big);
	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_TORN);
	scratch_write(s->fd, FILE_NAME, "model_checkpoint_path: \"a\"\0", 27);
	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_TORN);
	fd = openat(s->fd, FILE_NAME, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 5 * 1024 * 1024), 0);
	close(fd);
	assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL),
			 CKPT_POINTER_TORN);
	assert_string_equal(name, "x");
}

static int backup_dir(const struct scratch *s)
{
	int fd;

	mkdirat(s->fd, "backup", 0700);
	fd = openat(s->fd, "backup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int align(int dirfd, int backup_dirfd, const char *target, int64_t attempt)
{
	const struct ckpt_pointer_aim aim = {
		.target = target,
		.backup_dirfd = backup_dirfd,
		.attempt = attempt,
	};

	return ckpt_pointer_tf_align(NULL, dirfd, &aim, NULL);
}

#define LIST(last)                                                                                 \
	"model_checkpoint_path: \"" last "\"\n"                                                    \
	"all_model_checkpoint_paths: \"ckpt-2\"\n"                                                 \
	"all_model_checkpoint_paths: \"ckpt-3\"\n"                                                 \
	"all_model_checkpoint_paths: \"ckpt-4\"\n"                                                 \
	"all_model_checkpoint_timestamps: 1700000002.5\n"                                          \
	"all_model_checkpoint_timestamps: 1700000003.5\n"                                          \
	"all_model_checkpoint_timestamps: 1700000004.5\n"                                          \
	"last_preserved_timestamp: 1700000000.25\n"

static void test_pointer__align(void **state)
{
	static const struct {
		const char *before, *target, *after;
	} cases[] = {
		{ LIST("ckpt-4"), "ckpt-3",
		  "model_checkpoint_path: \"ckpt-3\"\n"
		  "all_model_checkpoint_paths: \"ckpt-2\"\n"
		  "all_model_checkpoint_paths: \"ckpt-3\"\n"
		  "all_model_checkpoint_timestamps: 1700000002.5\n"
		  "all_model_checkpoint_timestamps: 1700000003.5\n"
		  "last_preserved_timestamp: 1700000000.25\n" },
		{ LIST("ckpt-3"),
		  "ckpt-3", /* names it, but would go on with one that was rejected */
		  "model_checkpoint_path: \"ckpt-3\"\n"
		  "all_model_checkpoint_paths: \"ckpt-2\"\n"
		  "all_model_checkpoint_paths: \"ckpt-3\"\n"
		  "all_model_checkpoint_timestamps: 1700000002.5\n"
		  "all_model_checkpoint_timestamps: 1700000003.5\n"
		  "last_preserved_timestamp: 1700000000.25\n" },
		{ LIST("ckpt-4"), "ckpt-1",
		  "model_checkpoint_path: \"ckpt-1\"\nall_model_checkpoint_paths: \"ckpt-1\"\n" },
		{ "model_checkpoint_path: \"/old/ckpt-4\"\n"
		  "all_model_checkpoint_paths: \"/old/ckpt-3\"\n"
		  "all_model_checkpoint_paths: \"/old/ckpt-4\"\n"
		  "unknown_field: 7\n",
		  "ckpt-3",
		  "model_checkpoint_path: \"ckpt-3\"\n"
		  "all_model_checkpoint_paths: \"ckpt-3\"\n"
		  "unknown_field: 7\n" },
		{ "model_checkpoint_path: \"ckpt-4\"", "ckpt-3",
		  "model_checkpoint_path: \"ckpt-3\"\n" },
		{ "model_checkpoint_path: \"b\"\nall_model_checkpoint_paths: \"a\"\n"
		  "all_model_checkpoint_paths: \"b\"\nall_model_checkpoint_timestamps: 1\n",
		  "a",
		  "model_checkpoint_path: \"a\"\nall_model_checkpoint_paths: \"a\"\n"
		  "all_model_checkpoint_timestamps: 1\n" },
		{ "model_checkpoint_path: \"b\"\n", "q\"\\'\n\xc3\xb6",
		  "model_checkpoint_path: \"q\\\"\\\\\\'\\012\\303\\266\"\n" },
	};
	struct scratch *s = *state;
	int backup = backup_dir(s);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char kept[64], name[256];

		scratch_put(s->fd, FILE_NAME, cases[i].before);
		assert_int_equal(align(s->fd, backup, cases[i].target, (int64_t)i), 0);
		assert_true(scratch_holds(s->fd, FILE_NAME, cases[i].after));
		snprintf(kept, sizeof(kept), FILE_NAME ".%zu", i);
		assert_true(scratch_holds(backup, kept, cases[i].before));
		assert_int_equal(ckpt_pointer_tf_load(NULL, s->fd, name, sizeof(name), NULL), 0);
		assert_string_equal(name, cases[i].target);
		assert_int_equal(align(s->fd, backup, cases[i].target, 99), CKPT_POINTER_SAME);
	}
	close(backup);
}

static void test_pointer__align_creates_nothing(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s);

	assert_int_equal(align(s->fd, backup, "ckpt-1", 1), CKPT_POINTER_ABSENT);
	assert_int_equal(scratch_count(s->fd), 1);
	scratch_put(s->fd, FILE_NAME, "torn \"");
	assert_int_equal(align(s->fd, backup, "ckpt-1", 1), CKPT_POINTER_TORN);
	assert_true(scratch_holds(s->fd, FILE_NAME, "torn \""));
	assert_int_equal(scratch_count(backup), 0);
	close(backup);
}

static void test_pointer__without_a_backup_nothing_changes(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s);

	scratch_put(s->fd, FILE_NAME, LIST("ckpt-4"));
	assert_int_equal(unlinkat(s->fd, "backup", AT_REMOVEDIR), 0);
	assert_true(align(s->fd, backup, "ckpt-3", 1) < 0);
	assert_true(scratch_holds(s->fd, FILE_NAME, LIST("ckpt-4")));
	close(backup);
}

/* A file that TensorFlow wrote. */
static void test_pointer__real_sample(void **state)
{
	static const char dir[] = CKPT_SAMPLES "/tensorflow/serving/bad_half_plus_two/00000123";
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[256];

	(void)state;
	if (fd < 0) {
		print_message("no samples in %s\n", CKPT_SAMPLES);
		skip();
	}
	assert_int_equal(ckpt_pointer_tf_load(NULL, fd, name, sizeof(name), NULL), 0);
	assert_string_equal(name, "export");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_pointer__names_the_last_component),
		scratch_test(test_pointer__absent_and_impossible),
		scratch_test(test_pointer__align),
		scratch_test(test_pointer__align_creates_nothing),
		scratch_test(test_pointer__without_a_backup_nothing_changes),
		scratch_test(test_pointer__real_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
