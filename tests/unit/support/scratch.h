/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A temporary directory of one test and the files in it. Whatever fails here fails the test.
 */
#ifndef CKPT_TESTS_SUPPORT_SCRATCH_H
#define CKPT_TESTS_SUPPORT_SCRATCH_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

struct scratch {
	char path[64];
	int fd;
};

/* Makes the directory, below TMPDIR or /tmp. 0, or -1 with errno. */
int scratch_open(struct scratch *s);

/* Removes it and all in it. */
void scratch_close(struct scratch *s);

/* cmocka set-up and tear-down: *state is a struct scratch; the directory goes with all that is in
 * it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* A test that runs in a scratch directory of its own. */
#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

/* Writes @len bytes to @name in @dirfd, anew; its directories are made. */
void scratch_write(int dirfd, const char *name, const void *data, size_t len);

/* Writes the text @text to @name in @dirfd. */
void scratch_put(int dirfd, const char *name, const char *text);

/* What @name in @dirfd holds, as heap text; NULL when it does not exist. */
char *scratch_get(int dirfd, const char *name);

/* True if @name in @dirfd holds just @text. */
bool scratch_holds(int dirfd, const char *name, const char *text);

/* Entries of @dirfd, "." and ".." aside. */
int scratch_count(int dirfd);

/* What @path (absolute, or a name in @dirfd) holds, @ret_len bytes and a NUL, on the heap; NULL
 * when it does not exist. */
unsigned char *scratch_read(int dirfd, const char *path, size_t *ret_len);

/* True if @name exists in @dirfd (a broken link does). */
bool scratch_has(int dirfd, const char *name);

/* Cuts or grows @name in @dirfd to @size bytes. */
void scratch_resize(int dirfd, const char *name, uint64_t size);

/* Flips bit 0 of the byte at @off of @name in @dirfd. */
void scratch_flip(int dirfd, const char *name, uint64_t off);

/* Makes @name in @dirfd with @size bytes and no blocks. */
void scratch_sparse(int dirfd, const char *name, uint64_t size);

/* Overwrites @len bytes of @name in @dirfd at @off, in place. */
void scratch_patch(int dirfd, const char *name, uint64_t off, const void *data, size_t len);

/* @len bytes that depend on @seed alone. The caller frees them. */
uint8_t *scratch_noise(size_t len, uint32_t seed);

/* Writes @len such bytes, always the same, to @name in @dirfd. */
void scratch_put_noise(int dirfd, const char *name, size_t len);

/* Gives @name in @dirfd times of long ago. */
void scratch_make_older(int dirfd, const char *name);

#endif
