/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of a test's own, removed at its end, and files in it. Everything here aborts the test
 * on failure.
 */
#ifndef CKPT_TESTS_TMPDIR_H
#define CKPT_TESTS_TMPDIR_H

#include <stddef.h>
#include <stdint.h>

struct tmpdir {
	int fd;
	char path[64];
};

/* Makes the directory; as cmocka's set-up function, *@state points at it. Returns 0. */
int tmpdir_setup(void **state);

/* Removes the directory with all it holds. Returns 0. */
int tmpdir_teardown(void **state);

/* Writes @len bytes of @data as @name (made anew). */
void tmpdir_write(const struct tmpdir *dir, const char *name, const void *data, size_t len);

/* tmpdir_write() of a string. */
void tmpdir_text(const struct tmpdir *dir, const char *name, const char *text);

/* Makes @name with @size bytes and no blocks. */
void tmpdir_sparse(const struct tmpdir *dir, const char *name, uint64_t size);

/* Overwrites @len bytes of @name at @off in place. */
void tmpdir_patch(const struct tmpdir *dir, const char *name, uint64_t off, const void *data,
		  size_t len);

/* Number of entries, without "." and "..". */
int tmpdir_count(const struct tmpdir *dir);

/* @len bytes that depend on @seed alone. The caller frees them. */
uint8_t *tmpdir_noise(size_t len, uint32_t seed);

#endif
