/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/memory.c: what the page cache holds, against what was done to it; the memory there is,
 * from made-up roots.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "tests/unit/support/scratch.h"
#include "wire/cleanup.h"

#define MIB ((uint64_t)1024 * 1024)

/* What lies in memory: all of it; nothing; or one page, in the middle. */
enum kept { KEPT_ALL, KEPT_NONE, KEPT_PAGE };

static void keep(int fd, enum kept kept)
{
	_cleanup_free_ char *buf = malloc(4 * MIB);

	assert_non_null(buf);
	if (kept != KEPT_ALL)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, kept == KEPT_ALL ? POSIX_FADV_NORMAL : POSIX_FADV_RANDOM);
	if (kept == KEPT_ALL)
		assert_int_equal(pread(fd, buf, 4 * MIB, 0), 4 * MIB);
	else if (kept == KEPT_PAGE)
		assert_int_equal(pread(fd, buf, 4096, (off_t)(2 * MIB)), 4096);
}

/*
 * What both ways of asking say of @len bytes at @off. The kernel may take pages away at any moment,
 * and does where something asks it to reclaim: then it is made so again, and asked again.
 */
static void expect_cached(int fd, enum kept kept, uint64_t off, uint64_t len,
			  enum ckpt_cached expected)
{
	for (int i = 0; i < 100; i++) {
		keep(fd, kept);
		if (ckpt_cached(fd, off, len) == expected &&
		    ckpt_cached_mincore(fd, off, len) == expected)
			return;
	}
	assert_int_equal(ckpt_cached(fd, off, len), expected);
	assert_int_equal(ckpt_cached_mincore(fd, off, len), expected);
}

static void test_memory__cached_ranges(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(4 * MIB, 3);
	_cleanup_close_ int fd = -1;

	scratch_write(dir->fd, "file", data, 4 * MIB);
	fd = openat(dir->fd, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsync(fd), 0);
	expect_cached(fd, KEPT_ALL, 0, 4 * MIB, CKPT_CACHED_ALL);
	assert_int_equal(ckpt_cached(fd, 0, 0), CKPT_CACHED_ALL);
	keep(fd, KEPT_NONE);
	if (ckpt_cached(fd, 0, 4 * MIB) == CKPT_CACHED_ALL) {
		print_message("skip: this file system lives in memory\n");
		skip();
	}
	expect_cached(fd, KEPT_NONE, 0, 4 * MIB, CKPT_CACHED_NONE);
	expect_cached(fd, KEPT_PAGE, 0, 4 * MIB, CKPT_CACHED_SOME);
	/* by bytes that do not begin or end with a page */
	expect_cached(fd, KEPT_PAGE, 2 * MIB + 17, 30, CKPT_CACHED_ALL);
	expect_cached(fd, KEPT_PAGE, 2 * MIB - 5, 10, CKPT_CACHED_SOME);
	expect_cached(fd, KEPT_PAGE, 0, 4096, CKPT_CACHED_NONE);
}

static void test_memory__cached_is_not_told(void **state)
{
	const struct scratch *dir = *state;

	assert_int_equal(ckpt_cached(-1, 0, 100), CKPT_CACHED_UNKNOWN);
	assert_int_equal(ckpt_cached_mincore(dir->fd, 0, 100), CKPT_CACHED_UNKNOWN);
	assert_int_equal(ckpt_cached_mincore(dir->fd, 0, UINT64_C(1) << 40), CKPT_CACHED_UNKNOWN);
}

struct file {
	const char *name, *text;
};

#define FILES 4

static void test_memory__available(void **state)
{
	static const struct {
		struct file files[FILES];
		uint64_t expected;
	} cases[] = {
		{ { { NULL, NULL } }, 0 },
		{ { { "proc/meminfo", "MemTotal: 100 kB\nMemAvailable:      80 kB\n" } },
		  80 * 1024 },
		{ { { "proc/meminfo", "MemTotal: 100 kB\n" } }, 0 },
		{ { { "proc/meminfo", "MemAvailable: many\n" } }, 0 },
		/* v2: the group itself, one above it, none, "max" */
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "0::/slurm/job_1\n" },
		    { "sys/fs/cgroup/slurm/job_1/memory.max", "4096\n" } },
		  4096 },
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "0::/slurm/job_1\n" },
		    { "sys/fs/cgroup/slurm/job_1/memory.max", "max\n" },
		    { "sys/fs/cgroup/slurm/memory.max", "8192\n" } },
		  8192 },
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "0::/\n" },
		    { "sys/fs/cgroup/memory.max", "12288\n" } },
		  12288 },
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "0::/a\n" },
		    { "sys/fs/cgroup/a/memory.max", "999999999\n" } },
		  80 * 1024 },
		/* v1, beside an empty v2 */
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/slurm/uid_1\n0::/x\n" },
		    { "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "16384\n" } },
		  16384 },
		/* no group of another hierarchy */
		{ { { "proc/meminfo", "MemAvailable: 80 kB\n" },
		    { "proc/self/cgroup", "5:cpu:/x\n" },
		    { "sys/fs/cgroup/x/memory.max", "1\n" } },
		  80 * 1024 },
		{ { { "proc/self/cgroup", "0::/a\n" }, { "sys/fs/cgroup/a/memory.max", "4096\n" } },
		  4096 },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char root[16];
		_cleanup_close_ int fd = -1;

		snprintf(root, sizeof(root), "root%zu/x", i);
		scratch_put(dir->fd, root, "");
		root[strlen(root) - 2] = '\0';
		fd = openat(dir->fd, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (int f = 0; f < FILES && cases[i].files[f].name; f++)
			scratch_put(fd, cases[i].files[f].name, cases[i].files[f].text);
		assert_int_equal(ckpt_memory_available(fd), cases[i].expected);
	}
}

static void test_memory__of_this_machine(void **state)
{
	_cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_in_range(ckpt_memory_available(fd), MIB, UINT64_C(1) << 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_memory__cached_ranges),
		scratch_test(test_memory__cached_is_not_told),
		scratch_test(test_memory__available),
		cmocka_unit_test(test_memory__of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
