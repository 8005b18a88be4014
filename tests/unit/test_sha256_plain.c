/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/sha256_plain.h: the examples of FIPS 180-4, and libcrypto's digest for every length
 * around the ends of blocks and for long texts.
 */
#include "core/base/sha256_plain.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* FIPS 180-4's examples, and the empty message (NIST's SHA256ShortMsg.rsp, Len = 0). */
static void test_sha256_plain__examples(void **state)
{
	static const struct {
		const char *text;
		uint8_t head[8];
	} cases[] = {
		{ "", { 0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14 } },
		{ "abc", { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea } },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  { 0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8 } },
	};
	uint8_t digest[CKPT_SHA256_PLAIN_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ckpt_sha256_plain(cases[i].text, strlen(cases[i].text), digest);
		assert_memory_equal(digest, cases[i].head, sizeof(cases[i].head));
	}
	ckpt_sha256_plain(NULL, 0, digest);
	assert_memory_equal(digest, cases[0].head, sizeof(cases[0].head));
}

static void assert_as_libcrypto(const uint8_t *data, size_t len)
{
	uint8_t got[CKPT_SHA256_PLAIN_SIZE], expected[EVP_MAX_MD_SIZE];
	uint8_t *copy = malloc(len + 1); /* of its own length, so that nothing is read behind it */

	assert_non_null(copy);
	memcpy(copy, data, len);
	ckpt_sha256_plain(copy, len, got);
	free(copy);
	assert_int_equal(EVP_Digest(data, len, expected, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(got, expected, sizeof(got));
}

static void test_sha256_plain__any_length(void **state)
{
	size_t size = CKPT_SHA256_PLAIN_MAX + 130;
	uint8_t *data = malloc(size);
	uint32_t word = 1;

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < size; i++) {
		word = word * 1664525u + 1013904223u;
		data[i] = (uint8_t)(word >> 24);
	}
	for (size_t len = 0; len <= 260; len++)
		assert_as_libcrypto(data, len);
	for (size_t len = size - 260; len <= size; len += 13)
		assert_as_libcrypto(data + size - len, len); /* at any alignment */
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_plain__examples),
		cmocka_unit_test(test_sha256_plain__any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
