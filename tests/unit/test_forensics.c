/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where data end, holes, space and writers: files laid out by hand, a sparse terabyte, a /proc that
 * is not there, is full of rubbish, or belongs to others.
 */
#include "core/integrity/forensics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"

#define MIB ((uint64_t)1 << 20)

static struct ckpt_forensics look(const struct scratch *s, const char *name)
{
	struct ckpt_forensics found;
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	assert_int_equal(ckpt_forensics_file(&ctx, s->fd, name, "/proc", &found, &err), 0);
	assert_true(found.has_space);
	assert_true(found.total_bytes >= found.free_bytes);
	return found;
}

/* Written zeros: the end is where the last byte is, wherever it lies in a block. */
static void test_forensics__data_end(void **state)
{
	static const uint64_t ends[] = {
		0, 1, 2, 4095, 4096, 4097, MIB - 1, MIB, MIB + 1, 3 * MIB
	};
	_cleanup_free_ uint8_t *data = calloc(1, 3 * MIB);
	struct scratch *s = *state;

	assert_non_null(data);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct ckpt_forensics f;

		memset(data, 0, 3 * MIB);
		if (ends[i])
			data[ends[i] - 1] = 1;
		scratch_write(s->fd, "f", data, 3 * MIB);
		f = look(s, "f");
		assert_true(f.has_end);
		assert_false(f.end_at_most);
		assert_int_equal(f.data_end, ends[i]);
		assert_int_equal(f.size, 3 * MIB);
	}
}

/* A terabyte, of which a few blocks were written: as fast as those are read. */
static void test_forensics__sparse(void **state)
{
	struct scratch *s = *state;
	struct ckpt_forensics f;
	struct timespec begin, end;

	scratch_write(s->fd, "f", "x", 1);
	scratch_resize(s->fd, "f", (uint64_t)1 << 40);
	scratch_patch(s->fd, "f", (uint64_t)1 << 30, "yz", 2);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	f = look(s, "f");
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(end.tv_sec - begin.tv_sec, 0, 20);
	assert_int_equal(f.size, (uint64_t)1 << 40);
	assert_int_equal(f.data_end, ((uint64_t)1 << 30) + 2);
	assert_int_equal(f.holes, 2);
	assert_true(f.hole_bytes > ((uint64_t)1 << 40) - MIB);
	assert_in_range(f.first_hole, 1, MIB);
}

static uint32_t a_lustre(void *arg, int fd)
{
	(void)fd;
	++*(int *)arg;
	return 0x0bd00bd0;
}

static ssize_t no_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	(void)arg, (void)fd, (void)buf, (void)len, (void)off;
	fail_msg("it was read");
	return -1;
}

/* No blocks where a tape system may be: nothing is read, and what can be told without is. */
static void test_forensics__released(void **state)
{
	struct scratch *s = *state;
	int asked = 0;
	const struct ckpt_seam seam = { .fs_type = a_lustre, .pread = no_pread, .arg = &asked };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_error err = { 0 };
	struct ckpt_forensics f;

	scratch_sparse(s->fd, "f", 100 * MIB);
	for (int i = 0; i < 2; i++) {
		ctx.no_recall = i;
		assert_int_equal(ckpt_forensics_file(&ctx, s->fd, "f", "/proc", &f, &err), 0);
		assert_true(f.released && f.has_space);
		assert_int_equal(f.size, 100 * MIB);
		assert_false(f.has_end);
		assert_int_equal(ctx.no_recall, i);
	}
	assert_int_equal(asked, 2);
}

/* One hole is no tape, nor are the bytes of a small file that lie in its inode. */
static void test_forensics__no_blocks(void **state)
{
	struct scratch *s = *state;
	struct ckpt_forensics f;
	struct statfs fs;

	assert_int_equal(fstatfs(s->fd, &fs), 0);
	scratch_sparse(s->fd, "f", 60000);
	f = look(s, "f");
	assert_false(f.released);
	assert_true(f.has_end && f.data_end == 0 && f.hole_bytes == 60000);
	scratch_put(s->fd, "g", "data");
	f = look(s, "g");
	assert_int_equal(f.data_end, 4);
	if (fs.f_type != 0xef53 && fs.f_type != 0x01021994)
		skip(); /* of others it is not known */
	scratch_sparse(s->fd, "f", 100 * MIB);
	f = look(s, "f");
	assert_false(f.released);
	assert_true(f.has_end && f.data_end == 0 && f.hole_bytes == 100 * MIB);
}

/* What is not read within the limits is told as a bound. */
static void test_forensics__bound(void **state)
{
	struct scratch *s = *state;
	_cleanup_free_ uint8_t *data = calloc(1, 8 * MIB);
	struct ckpt_ctx ctx = { .max_bytes = 2 * MIB };
	struct ckpt_forensics f;
	struct ckpt_error err;

	data[0] = 1;
	scratch_write(s->fd, "f", data, 8 * MIB);
	assert_int_equal(ckpt_forensics_file(&ctx, s->fd, "f", "/proc", &f, &err), 0);
	assert_true(f.has_end && f.end_at_most);
	assert_in_range(f.data_end, 1, 8 * MIB - 1);
	assert_int_equal(ckpt_forensics_file(&ctx, s->fd, "none", "/proc", &f, &err), -ENOENT);
	assert_int_equal(ckpt_forensics_file(&ctx, s->fd, ".", "/proc", &f, &err),
			 CKPT_FILE_NOT_REGULAR);
}

/* This very process, while it has the file open for writing, and no longer. */
static void test_forensics__writer(void **state)
{
	struct scratch *s = *state;
	struct ckpt_forensics f;
	int fd;

	scratch_put(s->fd, "f", "data");
	fd = openat(s->fd, "f", O_RDONLY);
	f = look(s, "f");
	assert_true(f.has_writers);
	assert_int_equal(f.writers.n, 0);
	close(fd);
	fd = openat(s->fd, "f", O_WRONLY | O_APPEND);
	f = look(s, "f");
	assert_int_equal(f.writers.n, 1);
	assert_int_equal(f.writers.list[0].pid, getpid());
	assert_true(f.writers.list[0].command[0]);
	close(fd);
	assert_int_equal(look(s, "f").writers.n, 0);
}

/* A tree that looks like /proc: processes that end between two looks, of others, with odd names. */
static void test_forensics__proc(void **state)
{
	struct scratch *s = *state;
	char proc[128], link[160], target[128];
	struct ckpt_writers w;
	struct stat st;

	scratch_put(s->fd, "f", "data");
	assert_int_equal(fstatat(s->fd, "f", &st, 0), 0);
	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	snprintf(target, sizeof(target), "%s/f", s->path);
	for (int pid = 1; pid <= 7; pid++) {
		char name[64];

		snprintf(name, sizeof(name), "proc/%d/fd/.keep", pid);
		scratch_put(s->fd, name, "");
		snprintf(link, sizeof(link), "%s/%d/fd/3", proc, pid);
		assert_int_equal(symlink(target, link), 0);
		snprintf(name, sizeof(name), "proc/%d/fdinfo/3", pid);
		scratch_put(s->fd, name,
			    pid == 7 ? "flags:\t0100000\n" : "pos:\t0\nflags:\t0100002\n");
		snprintf(name, sizeof(name), "proc/%d/comm", pid);
		scratch_put(s->fd, name, "a\033[31mb\n");
	}
	scratch_put(s->fd, "proc/8/comm", "no fd directory");
	scratch_put(s->fd, "proc/self/fd/3", "no number");
	scratch_put(s->fd, "proc/99999999999999/comm", "too large");
	assert_int_equal(ckpt_writers_find(proc, st.st_dev, st.st_ino, &w), 0);
	assert_int_equal(w.n, 6);
	assert_null(strchr(w.list[0].command, '\033'));
	assert_int_equal(w.unseen, 0);
	assert_int_equal(ckpt_writers_find(proc, st.st_dev, st.st_ino + 1, &w), 0);
	assert_int_equal(w.n, 0);
	snprintf(proc, sizeof(proc), "%s/none", s->path);
	assert_int_equal(ckpt_writers_find(proc, st.st_dev, st.st_ino, &w), -ENOENT);
}

/* Files of a set, all in one pass. */
static void test_forensics__writers_of_many(void **state)
{
	struct scratch *s = *state;
	struct ckpt_member members[3] = { { 0 } };
	const struct ckpt_files files = { members, 3, 3 };
	static const char *const names[] = { "a", "b", "c" };
	pid_t pid = 0;
	int fd;

	for (int i = 0; i < 3; i++) {
		scratch_put(s->fd, names[i], "data");
		assert_int_equal(ckpt_identity_at(s->fd, names[i], true, &members[i].id), 0);
	}
	assert_int_equal(ckpt_writers_of("/proc", &files, &pid), 0);
	fd = openat(s->fd, "b", O_RDONLY);
	assert_int_equal(ckpt_writers_of("/proc", &files, &pid), 0);
	close(fd);
	for (int i = 0; i < 3; i++) {
		fd = openat(s->fd, names[i], O_WRONLY | O_APPEND);
		assert_int_equal(ckpt_writers_of("/proc", &files, &pid), 1);
		assert_int_equal(pid, getpid());
		close(fd);
	}
	members[1].id.dev++;
	fd = openat(s->fd, "b", O_WRONLY);
	assert_int_equal(ckpt_writers_of("/proc", &files, &pid), 0);
	close(fd);
	assert_int_equal(ckpt_writers_of("/nonexistent", &files, &pid), -ENOENT);
	assert_int_equal(ckpt_writers_of("/proc", &(struct ckpt_files) { 0 }, &pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_forensics__data_end),
		scratch_test(test_forensics__sparse),
		scratch_test(test_forensics__released),
		scratch_test(test_forensics__no_blocks),
		scratch_test(test_forensics__bound),
		scratch_test(test_forensics__writer),
		scratch_test(test_forensics__proc),
		scratch_test(test_forensics__writers_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
