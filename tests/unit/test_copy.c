/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy beside a file: whole or not there, and never over anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/copy.h"
#include "core/base/file.h"
#include "tests/unit/support/scratch.h"
#include "wire/cleanup.h"

#define SIZE ((size_t)9 * 1024 * 1024 + 5) /* more than one piece */

static void put_large(const struct scratch *s, const char *name)
{
	_cleanup_free_ char *data = malloc(SIZE + 1);

	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)('a' + i * i % 23);
	data[SIZE] = '\0';
	scratch_put(s->fd, name, data);
}

static void test_copy__same_bytes_and_mode(void **state)
{
	_cleanup_free_ char *a = NULL, *b = NULL;
	struct scratch *s = *state;
	struct stat st;
	size_t n, m;

	put_large(s, "from");
	assert_int_equal(fchmodat(s->fd, "from", 0640, 0), 0);
	scratch_put(s->fd, ".to.copy.tmp", "left by one that was killed");
	assert_int_equal(ckpt_file_copy(NULL, s->fd, "from", "to", NULL), 0);
	assert_int_equal(ckpt_file_slurp(NULL, s->fd, "from", 2 * SIZE, &a, &n, NULL), 0);
	assert_int_equal(ckpt_file_slurp(NULL, s->fd, "to", 2 * SIZE, &b, &m, NULL), 0);
	assert_int_equal(n, SIZE);
	assert_int_equal(m, SIZE);
	assert_memory_equal(a, b, n);
	assert_int_equal(fstatat(s->fd, "to", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 1);
	assert_false(scratch_has(s->fd, ".to.copy.tmp"));
}

static void test_copy__never_over_anything(void **state)
{
	struct scratch *s = *state;

	scratch_put(s->fd, "from", "new");
	scratch_put(s->fd, "to", "old");
	assert_int_equal(ckpt_file_copy(NULL, s->fd, "from", "to", NULL), -EEXIST);
	assert_true(scratch_holds(s->fd, "to", "old"));
	assert_int_equal(symlinkat("nowhere", s->fd, "link"), 0);
	assert_int_equal(ckpt_file_copy(NULL, s->fd, "from", "link", NULL), -EEXIST);
	assert_false(scratch_has(s->fd, "nowhere"));
}

static void test_copy__what_cannot_be_copied(void **state)
{
	struct ckpt_ctx late = { .deadline_ns = 1 };
	struct scratch *s = *state;
	char name[300];

	assert_int_equal(ckpt_file_copy(NULL, s->fd, "none", "to", NULL), -ENOENT);
	assert_int_equal(mkdirat(s->fd, "folder", 0755), 0);
	assert_int_equal(ckpt_file_copy(NULL, s->fd, "folder", "to", NULL), -EISDIR);
	put_large(s, "from");
	assert_int_equal(ckpt_file_copy(&late, s->fd, "from", "to", NULL), -ETIMEDOUT);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ckpt_file_copy(NULL, s->fd, "from", name, NULL), -ENAMETOOLONG);
	assert_false(scratch_has(s->fd, "to"));
	assert_false(scratch_has(s->fd, ".to.copy.tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_copy__same_bytes_and_mode),
		scratch_test(test_copy__never_over_anything),
		scratch_test(test_copy__what_cannot_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
