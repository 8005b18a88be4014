/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tmpdir.h.
 */
#include "tests/unit/support/tmpdir.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			perror(#x);                                                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int tmpdir_setup(void **state)
{
	struct tmpdir *dir = calloc(1, sizeof(*dir));

	MUST(dir);
	snprintf(dir->path, sizeof(dir->path), "/tmp/ckpt-unit.XXXXXX");
	MUST(mkdtemp(dir->path));
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dir->fd >= 0);
	*state = dir;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int tmpdir_teardown(void **state)
{
	struct tmpdir *dir = *state;

	close(dir->fd);
	nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return 0;
}

void tmpdir_write(const struct tmpdir *dir, const char *name, const void *data, size_t len)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	MUST(fd >= 0);
	MUST(len == 0 || write(fd, data, len) == (ssize_t)len);
	MUST(close(fd) == 0);
}

void tmpdir_text(const struct tmpdir *dir, const char *name, const char *text)
{
	tmpdir_write(dir, name, text, strlen(text));
}

void tmpdir_sparse(const struct tmpdir *dir, const char *name, uint64_t size)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	MUST(fd >= 0);
	MUST(ftruncate(fd, (off_t)size) == 0);
	MUST(close(fd) == 0);
}

void tmpdir_patch(const struct tmpdir *dir, const char *name, uint64_t off, const void *data,
		  size_t len)
{
	int fd = openat(dir->fd, name, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0);
	MUST(pwrite(fd, data, len, (off_t)off) == (ssize_t)len);
	MUST(close(fd) == 0);
}

int tmpdir_count(const struct tmpdir *dir)
{
	DIR *d = opendir(dir->path);
	int n = 0;

	MUST(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

uint8_t *tmpdir_noise(size_t len, uint32_t seed)
{
	uint8_t *data = malloc(len ? len : 1);

	MUST(data);
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24);
	}
	return data;
}
