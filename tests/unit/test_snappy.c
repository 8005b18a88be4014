/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snappy decoder: each kind of element by hand, and everything that does not add up.
 */
#include "core/format/tensorflow/snappy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *src;
	size_t len;
	const char *want; /* NULL = must be refused */
};

#define ROW(s, w)                                                                                  \
	{                                                                                          \
		s, sizeof(s) - 1, w                                                                \
	}

static void check(const struct row *row)
{
	/* Exact allocations, so that the address sanitizer sees a step beyond. */
	uint8_t *src = malloc(row->len + !row->len), *dst;
	uint32_t n = 0;
	int r;

	assert_non_null(src);
	memcpy(src, row->src, row->len);
	r = ckpt_snappy_length(src, row->len, &n);
	dst = malloc(n + !n);
	assert_non_null(dst);
	if (!r)
		r = ckpt_snappy_decode(src, row->len, dst, n);
	assert_int_equal(r, row->want ? 0 : CKPT_SNAPPY_BAD);
	if (row->want) {
		assert_int_equal(n, strlen(row->want));
		assert_memory_equal(dst, row->want, n);
	}
	free(src);
	free(dst);
}

static void test_snappy__decodes(void **state)
{
	static const struct row rows[] = {
		ROW("\x00", ""),
		ROW("\x03\x08"
		    "abc",
		    "abc"),
		/* literal of 61 bytes: its length in one byte more */
		ROW("\x3d\xf0\x3c"
		    "0123456789012345678901234567890123456789012345678901234567890",
		    "0123456789012345678901234567890123456789012345678901234567890"),
		ROW("\x03\xf4\x02\x00"
		    "abc",
		    "abc"),
		/* copies with offsets of one, two, four bytes */
		ROW("\x07\x08"
		    "abc\x01\x03",
		    "abcabca"),
		ROW("\x06\x08"
		    "abc\x0a\x03\x00",
		    "abcabc"),
		ROW("\x06\x08"
		    "abc\x0b\x03\x00\x00\x00",
		    "abcabc"),
		/* a run: the copy overlaps itself */
		ROW("\x09\x00"
		    "x\x11\x01",
		    "xxxxxxxxx"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

static void test_snappy__refuses(void **state)
{
	static const struct row rows[] = {
		ROW("", NULL),
		ROW("\x80", NULL),
		ROW("\xff\xff\xff\xff\xff\x01", NULL), /* a length beyond 32 bits */
		ROW("\x03", NULL),		       /* promises three, has none */
		ROW("\x03\x08"
		    "ab",
		    NULL),
		ROW("\x02\x08"
		    "abc",
		    NULL),
		ROW("\x04\x08"
		    "abc",
		    NULL),
		ROW("\x07\x08"
		    "abc\x01\x04",
		    NULL), /* from before the beginning */
		ROW("\x07\x08"
		    "abc\x01\x00",
		    NULL), /* from nowhere */
		ROW("\x06\x08"
		    "abc\x01\x03",
		    NULL), /* beyond the end */
		ROW("\x07\x08"
		    "abc\x01",
		    NULL),
		ROW("\x06\x08"
		    "abc\x0a\x03",
		    NULL),
		ROW("\x06\x08"
		    "abc\x0b\x03\x00\x00",
		    NULL),
		ROW("\x03\xf4\x02", NULL),
		ROW("\x03\xfc\xff\xff\xff\xff"
		    "abc",
		    NULL),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* A whole text cut anywhere is refused, and so is one with a byte more. */
static void test_snappy__cut_anywhere(void **state)
{
	static const char whole[] = "\x0c\x08"
				    "abc\x01\x03\x10"
				    "vwxyz";
	struct row row = ROW(whole, "abcabcavwxyz");

	(void)state;
	check(&row);
	row.want = NULL;
	for (row.len = 0; row.len < sizeof(whole) - 1; row.len++)
		check(&row);
	row.len = sizeof(whole); /* the NUL: a literal without its byte */
	check(&row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snappy__decodes),
		cmocka_unit_test(test_snappy__refuses),
		cmocka_unit_test(test_snappy__cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
