/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcrypto as it is loaded when it is needed: not before, by any thread, and what is said where
 * it cannot be. The binary itself calls nothing of it.
 */
#include "core/base/libcrypto.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/sha256_blocks.h"
#include "core/base/sha256_plain.h"
#include "core/integrity/digest.h"
#include "core/integrity/seal.h"
#include "tests/unit/support/scratch.h"

/* FIPS 180-4's first example. */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static bool is_loaded(void)
{
	void *library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD);

	if (library)
		dlclose(library);
	return library != NULL;
}

/* In a child of its own: no descriptor is left, so that no library can be opened. */
static int without_library(void)
{
	static uint8_t data[CKPT_SHA256_BLOCK];
	const uint8_t *lanes[CKPT_SHA256_LANES] = { data };
	struct ckpt_sha256_state state = { .ways = CKPT_SHA256_NARROW };
	static char text[CKPT_SHA256_PLAIN_MAX + 1];
	struct ckpt_digest digest;

	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit) { 0, 0 }) < 0)
		return 1;
	if (ckpt_digest_of(text, sizeof(text), &digest) != -ELIBACC || ckpt_libcrypto())
		return 2;
	if (ckpt_digest_of(text, sizeof(text) - 1, &digest) != 0)
		return 4;
	ckpt_sha256_start(&state, 0);
	return ckpt_sha256_blocks(&state, lanes, 1, NULL) == -EIO ? 0 : 3;
}

/* Before the others: they load it. */
static void test_libcrypto__not_there(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (is_loaded()) { /* the sanitizers' build keeps all that is linked */
		print_message("skip: the binary loads it at its start\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		_exit(without_library());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A short text's digest is no reason to load it. In a child of its own, as long as it is not there.
 */
static int short_text(void)
{
	char hex[CKPT_DIGEST_HEX];
	struct ckpt_digest digest;

	if (ckpt_digest_of("abc", 3, &digest) != 0 ||
	    strcmp(ckpt_digest_text(hex, &digest), abc) != 0)
		return 1;
	return is_loaded() ? 2 : 0;
}

static void test_libcrypto__not_for_a_short_text(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (is_loaded())
		skip();
	pid = fork();
	if (pid == 0)
		_exit(short_text());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* In a child of its own: descriptors come back after the library was not found. */
static int seal_without_library(const struct scratch *dir)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set = NULL;
	struct rlimit limit;
	char path[512];

	snprintf(path, sizeof(path), "%s/x_1.dump", dir->path);
	if (ckpt_catalog_add_path(&ctx, &cat, path, &set, &err) != 0)
		return 4;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &(struct rlimit) { 0, limit.rlim_max }) < 0 ||
	    ckpt_libcrypto() || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	if (ckpt_seal_make(&ctx, set, &err) >= 0)
		return 2;
	return strstr(err.text, "cannot compute digests") ? 0 : 3;
}

static void test_libcrypto__no_seal_says_why(void **state)
{
	struct scratch dir;
	int status = -1;
	pid_t pid;

	(void)state;
	if (is_loaded())
		skip();
	assert_int_equal(scratch_open(&dir), 0);
	scratch_put(dir.fd, "x_1.dump", "some words that are a checkpoint");
	pid = fork();
	if (pid == 0)
		_exit(seal_without_library(&dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	scratch_close(&dir);
	assert_int_equal(status, 0);
}

static void *load(void *arg)
{
	*(const struct ckpt_libcrypto **)arg = ckpt_libcrypto();
	return NULL;
}

static void test_libcrypto__one_table(void **state)
{
	const struct ckpt_libcrypto *tables[8] = { NULL };
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, load, &tables[i]), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < 8; i++)
		assert_ptr_equal(tables[i], ckpt_libcrypto());
	assert_non_null(tables[0]);
	assert_true(is_loaded());
}

/* Each row leads to the function of its name. */
static void test_libcrypto__functions(void **state)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	EVP_MD_CTX *md = lib->EVP_MD_CTX_new();
	uint8_t sum[EVP_MAX_MD_SIZE], streamed[EVP_MAX_MD_SIZE];
	char hex[CKPT_DIGEST_HEX];
	struct ckpt_digest digest;
	SHA256_CTX ctx;

	(void)state;
	assert_int_equal(ckpt_digest_of("abc", 3, &digest), 0);
	assert_string_equal(ckpt_digest_text(hex, &digest), abc);
	assert_int_equal(lib->EVP_Digest("abc", 3, sum, NULL, lib->EVP_md5(), NULL), 1);
	assert_memory_equal(sum, "\x90\x01\x50\x98\x3c\xd2\x4f\xb0", 8); /* RFC 1321, A.5 */
	assert_int_equal(lib->EVP_DigestInit_ex(md, lib->EVP_sha256(), NULL), 1);
	assert_int_equal(lib->EVP_DigestUpdate(md, "abc", 3), 1);
	assert_int_equal(lib->EVP_DigestFinal_ex(md, streamed, NULL), 1);
	assert_memory_equal(streamed, digest.b, sizeof(digest.b));
	lib->EVP_MD_CTX_free(md);
	assert_int_equal(lib->SHA256_Init(&ctx), 1);
	assert_int_equal(ctx.h[0], 0x6a09e667);
	assert_int_equal(lib->SHA256_Update(&ctx, "abc", 3), 1);
	assert_int_equal(ctx.num, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libcrypto__not_there),
		cmocka_unit_test(test_libcrypto__not_for_a_short_text),
		cmocka_unit_test(test_libcrypto__no_seal_says_why),
		cmocka_unit_test(test_libcrypto__one_table),
		cmocka_unit_test(test_libcrypto__functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
