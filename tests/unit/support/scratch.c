/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See scratch.h.
 */
#include "tests/unit/support/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int scratch_open(struct scratch *s)
{
	const char *base = getenv("TMPDIR");

	snprintf(s->path, sizeof(s->path), "%s/ckpt-unit-XXXXXX",
		 base && strlen(base) < 40 ? base : "/tmp");
	if (!mkdtemp(s->path))
		return -1;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->fd < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_close(struct scratch *s)
{
	close(s->fd);
	nftw(s->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int scratch_setup(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));

	*state = s;
	return s ? scratch_open(s) : -1;
}

int scratch_teardown(void **state)
{
	struct scratch *s = *state;

	scratch_close(s);
	free(s);
	return 0;
}

static void make_parents(int dirfd, const char *name)
{
	char dir[512];

	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(p - name), name);
		if (*dir)
			mkdirat(dirfd, dir, 0777);
	}
}

void scratch_write(int dirfd, const char *name, const void *data, size_t len)
{
	int fd;

	make_parents(dirfd, name);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

void scratch_put(int dirfd, const char *name, const char *text)
{
	scratch_write(dirfd, name, text, strlen(text));
}

unsigned char *scratch_read(int dirfd, const char *path, size_t *ret_len)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	unsigned char *data;
	struct stat st;

	if (fd < 0) {
		assert_int_equal(errno, ENOENT);
		return NULL;
	}
	assert_int_equal(fstat(fd, &st), 0);
	data = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

char *scratch_get(int dirfd, const char *name)
{
	size_t len;

	return (char *)scratch_read(dirfd, name, &len);
}

bool scratch_has(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void scratch_resize(int dirfd, const char *name, uint64_t size)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(close(fd), 0);
}

void scratch_flip(int dirfd, const char *name, uint64_t off)
{
	int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC);
	unsigned char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)off), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, (off_t)off), 1);
	assert_int_equal(close(fd), 0);
}

bool scratch_holds(int dirfd, const char *name, const char *text)
{
	char *found = scratch_get(dirfd, name);
	bool same = found && strcmp(found, text) == 0;

	if (!same)
		print_message("%s holds: %s\n", name, found ? found : "(nothing)");
	free(found);
	return same;
}

int scratch_count(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	int n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

void scratch_sparse(int dirfd, const char *name, uint64_t size)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(close(fd), 0);
}

void scratch_patch(int dirfd, const char *name, uint64_t off, const void *data, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, (off_t)off), len);
	assert_int_equal(close(fd), 0);
}

uint8_t *scratch_noise(size_t len, uint32_t seed)
{
	uint8_t *data = malloc(len ? len : 1);

	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24);
	}
	return data;
}

void scratch_put_noise(int dirfd, const char *name, size_t len)
{
	uint8_t *noise = scratch_noise(len, 1);

	scratch_write(dirfd, name, noise, len);
	free(noise);
}

void scratch_make_older(int dirfd, const char *name)
{
	static const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };

	assert_int_equal(utimensat(dirfd, name, times, 0), 0);
}
