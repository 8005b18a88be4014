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

/* cmocka set-up and tear-down: *state is a struct scratch; the directory goes with all that is in
 * it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* A test that runs in a scratch directory of its own. */
#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

/* Writes @len bytes to @name in @dirfd. */
void scratch_write(int dirfd, const char *name, const void *data, size_t len);

/* Writes the text @text to @name in @dirfd. */
void scratch_put(int dirfd, const char *name, const char *text);

/* What @name in @dirfd holds, as heap text; NULL when it does not exist. */
char *scratch_get(int dirfd, const char *name);

/* True if @name in @dirfd holds just @text. */
bool scratch_holds(int dirfd, const char *name, const char *text);

/* Entries of @dirfd, "." and ".." aside. */
int scratch_count(int dirfd);

/* Makes @name in @dirfd with @size bytes and no blocks. */
void scratch_sparse(int dirfd, const char *name, uint64_t size);

/* Overwrites @len bytes of @name in @dirfd at @off, in place. */
void scratch_patch(int dirfd, const char *name, uint64_t off, const void *data, size_t len);

/* @len bytes that depend on @seed alone. The caller frees them. */
uint8_t *scratch_noise(size_t len, uint32_t seed);

#endif
