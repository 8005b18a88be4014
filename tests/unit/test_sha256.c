/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests of whole files against a list: FIPS 180-2's examples, files of any size, many at a time.
 */
#include "core/base/sha256.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/support/scratch.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LONG "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"

static struct ckpt_sha256_item item(const char *name, const char *hex)
{
	struct ckpt_sha256_item it = { .name = name };

	assert_true(ckpt_sha256_parse(hex, it.expected));
	return it;
}

static int verify(const struct scratch *s, struct ckpt_sha256_item *items, size_t n, int threads)
{
	struct ckpt_ctx ctx = { .threads = threads };
	struct ckpt_error err = { 0 };

	return ckpt_sha256_verify(&ctx, s->fd, items, n, &err);
}

static void test_sha256__parse(void **state)
{
	static const char *const bad[] = { "", "ab", ABC "0", "x" EMPTY, "g3b0c4", " " EMPTY };
	uint8_t bytes[CKPT_SHA256_SIZE] = { 7 };
	char shorter[] = ABC;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ckpt_sha256_parse(bad[i], bytes));
	shorter[63] = '\0';
	assert_false(ckpt_sha256_parse(shorter, bytes));
	assert_int_equal(bytes[0], 7);
	assert_true(ckpt_sha256_parse("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F200"
				      "15AD",
				      bytes));
	assert_int_equal(bytes[0], 0xba);
	assert_int_equal(bytes[31], 0xad);
}

static void test_sha256__known_digests(void **state)
{
	struct scratch *s = *state;

	scratch_put(s->fd, "abc", "abc");
	scratch_put(s->fd, "empty", "");
	scratch_put(s->fd, "long", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
	for (int threads = 1; threads <= 4; threads++) {
		struct ckpt_sha256_item items[] = { item("abc", ABC), item("empty", EMPTY),
						    item("long", LONG) };

		assert_int_equal(verify(s, items, 3, threads), 0);
		assert_int_equal(items[2].size, 56);
		items[1] = item("empty", ABC);
		assert_int_equal(verify(s, items, 3, threads), CKPT_SHA256_MISMATCH);
		assert_int_equal(items[1].result, CKPT_SHA256_MISMATCH);
	}
	assert_int_equal(verify(s, NULL, 0, 2), 0);
}

/* Any length around the size of a piece, any bit of it, against sha256sum. */
static void test_sha256__lengths_and_bits(void **state)
{
	static const size_t sizes[] = { 1, 262143, 262144, 262145, 1048577 };
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *data = scratch_noise(sizes[i], (uint32_t)i + 1);
		char command[160], hex[65] = "";
		struct ckpt_sha256_item it;
		FILE *p;

		scratch_write(s->fd, "f", data, sizes[i]);
		snprintf(command, sizeof(command), "sha256sum %s/f", s->path);
		p = popen(command, "r");
		assert_non_null(p);
		assert_int_equal(fread(hex, 1, 64, p), 64);
		assert_int_equal(pclose(p), 0);
		it = item("f", hex);
		assert_int_equal(verify(s, &it, 1, 2), 0);
		scratch_flip(s->fd, "f", sizes[i] - 1);
		assert_int_equal(verify(s, &it, 1, 2), CKPT_SHA256_MISMATCH);
		free(data);
	}
}

static void test_sha256__what_is_no_file(void **state)
{
	struct scratch *s = *state;
	struct ckpt_sha256_item it = item("gone", ABC);

	assert_int_equal(verify(s, &it, 1, 1), CKPT_SHA256_MISMATCH);
	assert_int_equal(it.result, -ENOENT);
	assert_int_equal(mkdirat(s->fd, "dir", 0755), 0);
	it = item("dir", ABC);
	assert_int_equal(verify(s, &it, 1, 1), CKPT_SHA256_MISMATCH);
	assert_int_equal(it.result, CKPT_SHA256_NOT_REGULAR);
}

/* Many files side by side: the one that differs is named, and what was not read is not passed off
 * as compared. */
static void test_sha256__many(void **state)
{
	enum { N = 70 };
	struct scratch *s = *state;
	struct ckpt_sha256_item items[N];
	char names[N][16];

	for (int threads = 1; threads <= 3; threads++) {
		for (int bad = -1; bad < N; bad += 23) {
			int mismatches = 0, unread = 0;

			for (int i = 0; i < N; i++) {
				snprintf(names[i], sizeof(names[i]), "f%02d", i);
				scratch_put(s->fd, names[i], "abc");
				items[i] = item(names[i], i == bad ? EMPTY : ABC);
			}
			assert_int_equal(verify(s, items, N, threads),
					 bad < 0 ? 0 : CKPT_SHA256_MISMATCH);
			for (int i = 0; i < N; i++) {
				mismatches += items[i].result == CKPT_SHA256_MISMATCH;
				unread += items[i].result == CKPT_SHA256_UNREAD;
			}
			assert_int_equal(mismatches, bad >= 0);
			assert_true(bad < 0 || items[bad].result == CKPT_SHA256_MISMATCH);
			if (bad == -1)
				assert_int_equal(unread, 0);
			if (bad == 22 && threads == 1)
				assert_true(unread > 0); /* it ended early */
		}
	}
}

static ssize_t broken(void *arg, int fd, void *buf, size_t len, off_t off)
{
	(void)arg, (void)fd, (void)buf, (void)len, (void)off;
	errno = EIO;
	return -1;
}

/* A disk that does not answer is no verdict. */
static void test_sha256__errors(void **state)
{
	static const struct ckpt_seam seam = { .pread = broken };
	struct scratch *s = *state;
	struct ckpt_sha256_item it = item("abc", ABC);
	struct ckpt_ctx ctx = { .threads = 1, .seam = &seam };
	struct ckpt_error err = { 0 };

	scratch_put(s->fd, "abc", "abc");
	assert_int_equal(ckpt_sha256_verify(&ctx, s->fd, &it, 1, &err), -EIO);
	assert_non_null(strstr(err.text, "abc"));
	ctx = (struct ckpt_ctx) { .threads = 1, .max_bytes = 1, .bytes_read = 2 };
	assert_int_equal(ckpt_sha256_verify(&ctx, s->fd, &it, 1, &err), -EDQUOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_sha256__parse),
		scratch_test(test_sha256__known_digests),
		scratch_test(test_sha256__lengths_and_bits),
		scratch_test(test_sha256__what_is_no_file),
		scratch_test(test_sha256__many),
		scratch_test(test_sha256__errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
