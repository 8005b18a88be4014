/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of directories of all sizes, as readdir(3) has them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/dirents.h"
#include "tests/unit/support/scratch.h"

static void fill(const struct scratch *s, int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		int fd;

		snprintf(name, sizeof(name), "a-name-of-usual-length-%d.pt", i);
		fd = openat(s->fd, name, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
}

static int reopened(const struct scratch *s)
{
	int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	return fd;
}

/* Every entry with its inode, in the same order. */
static void compare(const struct scratch *s, size_t expected)
{
	int fd = reopened(s);
	DIR *known = fdopendir(reopened(s));
	struct ckpt_dirents *d = ckpt_dirents_new(fd);
	const struct dirent64 *e;
	const struct dirent *k;
	size_t n = 0;

	assert_non_null(d);
	assert_non_null(known);
	while ((k = readdir(known))) {
		assert_int_equal(ckpt_dirents_next(d, &e), 0);
		assert_string_equal(e->d_name, k->d_name);
		assert_int_equal(e->d_ino, k->d_ino);
		n++;
	}
	assert_int_equal(ckpt_dirents_next(d, &e), 1);
	assert_int_equal(ckpt_dirents_next(d, &e), 1);
	assert_int_equal(n, expected + 2);
	ckpt_dirents_free(d);
	closedir(known);
	close(fd);
}

static void test_dirents__as_readdir(void **state)
{
	static const int sizes[] = { 0, 1, 500, 2500, 20000 }; /* below and above one buffer */

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct scratch s;

		assert_int_equal(scratch_open(&s), 0);
		fill(&s, sizes[i]);
		compare(&s, (size_t)sizes[i]);
		scratch_close(&s);
	}
}

/* Its second thread ends with it, wherever the caller stops. */
static void test_dirents__ended_early(void **state)
{
	struct scratch *s = *state;

	fill(s, 20000);
	for (int stop = 0; stop < 20000; stop += 1999) {
		int fd = reopened(s);
		struct ckpt_dirents *d = ckpt_dirents_new(fd);
		const struct dirent64 *e;

		for (int i = 0; i < stop; i++)
			assert_int_equal(ckpt_dirents_next(d, &e), 0);
		ckpt_dirents_free(d);
		close(fd);
	}
	ckpt_dirents_free(NULL);
}

static void test_dirents__no_directory(void **state)
{
	struct scratch *s = *state;
	const struct dirent64 *e;
	struct ckpt_dirents *d;
	int fd;

	scratch_put(s->fd, "file", "text");
	fd = openat(s->fd, "file", O_RDONLY);
	d = ckpt_dirents_new(fd);
	assert_int_equal(ckpt_dirents_next(d, &e), -ENOTDIR);
	assert_int_equal(ckpt_dirents_next(d, &e), -ENOTDIR);
	ckpt_dirents_free(d);
	close(fd);
	d = ckpt_dirents_new(-1);
	assert_int_equal(ckpt_dirents_next(d, &e), -EBADF);
	ckpt_dirents_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dirents__as_readdir),
		scratch_test(test_dirents__ended_early),
		scratch_test(test_dirents__no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
