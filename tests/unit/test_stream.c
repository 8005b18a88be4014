/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/stream.h: bytes in order whatever is asked for at a time, over the ends of its
 * buffer, never one beyond the range; the CRC of all of them.
 */
#include "core/format/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/crc.h"
#include "support/scratch.h"

#define SIZE 200000u /* three buffers and some */

static void open_noise(const struct scratch *dir, struct ckpt_ctx *ctx, struct ckpt_file *file,
		       uint8_t **ret_noise)
{
	*ret_noise = scratch_noise(SIZE, 3);
	scratch_write(dir->fd, "f", *ret_noise, SIZE);
	assert_int_equal(ckpt_file_open(ctx, dir->fd, "f", file, NULL), 0);
}

/* Asks for @most bytes and fewer by turns; single ones by ckpt_stream_byte(). */
static void read_all(struct ckpt_stream *in, const uint8_t *expected, size_t len, size_t most)
{
	uint8_t *got = malloc(most);
	size_t at = 0;

	assert_non_null(got);
	for (size_t n = most; at<len; at += n, n = n> 1 ? n - 1 : most) {
		n = n < len - at ? n : len - at;
		assert_int_equal(n == 1 ? ckpt_stream_byte(in, got, NULL)
					: ckpt_stream_take(in, got, n, NULL),
				 0);
		assert_memory_equal(got, expected + at, n);
		assert_int_equal(ckpt_stream_offset(in), 100 + at + n);
	}
	free(got);
}

static void test_stream__in_order(void **state)
{
	static const size_t most[] = { 1, 2, 3, 100, 65536, 65537, 150000 };
	struct ckpt_ctx ctx = { 0 };
	uint8_t *noise, byte = 7;

	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		_cleanup_stream_ struct ckpt_stream in = { 0 };

		open_noise(*state, &ctx, &file, &noise);
		assert_int_equal(ckpt_stream_init(&in, &file, 100, SIZE - 100, NULL), 0);
		read_all(&in, noise + 100, SIZE - 200, most[i]);
		assert_int_equal(ckpt_stream_byte(&in, &byte, NULL), CKPT_STREAM_END);
		assert_int_equal(ckpt_stream_take(&in, &byte, 1, NULL), CKPT_STREAM_END);
		assert_int_equal(byte, 7);
		assert_int_equal(in.crc, ckpt_crc(CKPT_CRC32, 0, noise + 100, SIZE - 200));
		free(noise);
	}
}

/* What is not there is not taken in part; what was skipped counts for the CRC. */
static void test_stream__skip_and_end(void **state)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	struct ckpt_ctx ctx = { 0 };
	uint8_t *noise, byte;

	open_noise(*state, &ctx, &file, &noise);
	assert_int_equal(ckpt_stream_init(&in, &file, 0, 70000, NULL), 0);
	assert_int_equal(ckpt_stream_take(&in, NULL, 70001, NULL), CKPT_STREAM_END);
	assert_int_equal(ckpt_stream_take(&in, NULL, UINT64_MAX, NULL), CKPT_STREAM_END);
	assert_int_equal(ckpt_stream_take(&in, NULL, 65536, NULL), 0);
	assert_int_equal(ckpt_stream_byte(&in, &byte, NULL), 0);
	assert_int_equal(byte, noise[65536]);
	assert_int_equal(ckpt_stream_drain(&in, NULL), 0);
	assert_int_equal(in.crc, ckpt_crc(CKPT_CRC32, 0, noise, 70000));
	assert_int_equal(ckpt_stream_byte(&in, &byte, NULL), CKPT_STREAM_END);
	free(noise);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_stream__in_order),
		scratch_test(test_stream__skip_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
