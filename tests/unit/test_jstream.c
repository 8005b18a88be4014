/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The streaming JSON reader: every token, every refusal, and documents cut at each byte.
 */
#include "core/base/jstream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct ckpt_file memory_file(const void *data, size_t len)
{
	struct ckpt_file file = { .fd = memfd_create("json", MFD_CLOEXEC), .size = len };

	assert_true(file.fd >= 0);
	assert_int_equal(write(file.fd, data, len), (ssize_t)len);
	return file;
}

/* Writes the tokens of @len bytes at @json as text to @out, one letter or word each. Returns the
 * result. */
static int trace(const char *json, size_t len, bool python, char *out, size_t size)
{
	static const char letters[] = { '$', '{', '}', '[', ']', 'k', 's', 'n', 't', 'f', '0' };
	struct ckpt_file file = memory_file(json, len);
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_jtoken tok = { .type = CKPT_J_NULL };
	size_t n = 0;
	int r = ckpt_jstream_open(&js, &file, 0, len);

	js.python = python;
	out[0] = 0;
	while (!r && (r = ckpt_jstream_next(&js, &tok, NULL)) == 0) {
		bool text = tok.type == CKPT_J_KEY || tok.type == CKPT_J_STRING ||
			    tok.type == CKPT_J_NUMBER;

		n += (size_t)snprintf(out + n, size - n, text ? "%c(%s)" : "%c", letters[tok.type],
				      tok.text);
		assert_true(n < size);
		if (tok.type == CKPT_J_END)
			break;
	}
	close(file.fd);
	return r;
}

static void test_jstream__tokens(void **state)
{
	static const struct {
		const char *json, *want;
	} rows[] = {
		{ "{}", "{}$" },
		{ " [ ] ", "[]$" },
		{ "1", "n(1)$" },
		{ "\"\"", "s()$" },
		{ "{\"a\":1,\"b\":[true,false,null,-0.5e+3]}", "{k(a)n(1)k(b)[tf0n(-0.5e+3)]}$" },
		{ "\n{ \"a\" : { \"b\" : \"c\" } , \"d\" : [ ] }\t ", "{k(a){k(b)s(c)}k(d)[]}$" },
		{ "[\"\\\"\\\\\\/\\n\\u0041\\u00e9\\ud83d\\ude00\"]",
		  "[s(\"\\/\nA\xc3\xa9\xf0\x9f\x98\x80)]$" },
		{ "\"\xc3\xa9\xf0\x9f\x98\x80\"", "s(\xc3\xa9\xf0\x9f\x98\x80)$" },
		{ "[[[[1]]],{\"\":{}}]", "[[[[n(1)]]]{k(){}}]$" },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(trace(rows[i].json, strlen(rows[i].json), false, out, 256), 0);
		assert_string_equal(out, rows[i].want);
	}
}

static void test_jstream__refused(void **state)
{
	static const char *const rows[] = {
		"x",
		"{]",
		"[}",
		"[1,]",
		"{\"a\":1,}",
		"{,}",
		"[,1]",
		"{\"a\"1}",
		"{1:2}",
		"[1 2]",
		"[01]",
		"[1.]",
		"[.5]",
		"[-]",
		"[1e]",
		"[+1]",
		"[0x10]",
		"[NaN]",
		"[nul]",
		"[True]",
		"{} {}",
		"[] x",
		"\"\n\"",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\ud800\"",
		"\"\\udc00\"",
		"\"\\ud800\\u0041\"",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xe0\x80\x80\"",
		"[Infinity]",
		"{\"a\":}",
		"]",
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (trace(rows[i], strlen(rows[i]), false, out, 256) != CKPT_JSTREAM_SYNTAX)
			fail_msg("%s: taken as %s", rows[i], out);
}

static void test_jstream__python_words(void **state)
{
	static const char json[] = "[NaN,Infinity,-Infinity,\"\\ud800x\",\"\\ud800\\n\"]";
	char out[256];

	(void)state;
	assert_int_equal(trace(json, strlen(json), true, out, 256), 0);
	assert_string_equal(out,
			    "[n(NaN)n(Infinity)n(-Infinity)s(\xed\xa0\x80x)s(\xed\xa0\x80\n)]$");
	assert_int_equal(trace("[nan]", 5, true, out, 256), CKPT_JSTREAM_SYNTAX);
}

/* A document cut anywhere is torn; only blanks at its end may go. */
static void test_jstream__torn_at_every_byte(void **state)
{
	static const char json[] = "{\"a\\u00e9\xc3\xa9\\ud83d\\ude00\":[1.5e3,true,{\"b\":null}],"
				   "\"c\":\"d\"}";
	char out[256];

	(void)state;
	assert_int_equal(trace(json, strlen(json), false, out, 256), 0);
	for (size_t len = 0; len < strlen(json); len++)
		if (trace(json, len, false, out, 256) != CKPT_JSTREAM_TORN)
			fail_msg("cut at %zu: %s", len, out);
}

static void test_jstream__depth(void **state)
{
	char json[2 * CKPT_JSTREAM_DEPTH + 3], out[512];

	(void)state;
	memset(json, '[', CKPT_JSTREAM_DEPTH);
	memset(json + CKPT_JSTREAM_DEPTH, ']', CKPT_JSTREAM_DEPTH);
	assert_int_equal(trace(json, 2 * CKPT_JSTREAM_DEPTH, false, out, 512), 0);
	memset(json, '[', CKPT_JSTREAM_DEPTH + 1);
	assert_int_equal(trace(json, CKPT_JSTREAM_DEPTH + 1, false, out, 512), CKPT_JSTREAM_DEEP);
}

/* Strings beyond the kept text and across buffers: cut, but hashed whole. */
static void test_jstream__long_strings(void **state)
{
	enum { LEN = 200000 };
	_cleanup_free_ char *json = malloc(2 * LEN + 16);
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_jtoken a, b, tok;
	struct ckpt_file file;
	size_t len = 0;

	(void)state;
	assert_non_null(json);
	json[len++] = '[';
	for (int k = 0; k < 2; k++) {
		json[len++] = '"';
		memset(json + len, 'x', LEN);
		len += LEN;
		json[len - 1] = k ? 'y' : 'z'; /* they differ in the last byte alone */
		json[len++] = '"';
		json[len++] = k ? ']' : ',';
	}
	file = memory_file(json, len);
	assert_int_equal(ckpt_jstream_open(&js, &file, 0, len), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &a, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &b, NULL), 0);
	assert_true(a.cut && b.cut);
	assert_int_equal(a.len, CKPT_JSTREAM_TEXT);
	assert_true(a.hash != b.hash);
	assert_true(a.hash == ckpt_jstream_hash(json + 2, LEN));
	assert_int_equal(b.off, LEN + 4);
	close(file.fd);
}

static void test_jstream__skip_and_range(void **state)
{
	static const char json[] = "####[{\"a\":[1,{\"b\":2}]},7]####";
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_file file = memory_file(json, strlen(json));
	struct ckpt_jtoken tok;
	uint64_t v;

	(void)state;
	assert_int_equal(ckpt_jstream_open(&js, &file, 4, strlen(json) - 8), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(tok.type, CKPT_J_OBJECT);
	assert_int_equal(tok.off, 5);
	assert_int_equal(ckpt_jstream_skip(&js, &tok, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_true(ckpt_jtoken_u64(&tok, &v) && v == 7);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(tok.type, CKPT_J_END);
	close(file.fd);
}

static void test_jstream__numbers(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		uint64_t u;
		double d;
	} rows[] = {
		{ "0", true, 0, 0 },
		{ "18446744073709551615", true, UINT64_MAX, 18446744073709551615.0 },
		{ "18446744073709551616", false, 0, 18446744073709551616.0 },
		{ "-1", false, 0, -1 },
		{ "2.25", false, 0, 2.25 },
		{ "1e3", false, 0, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_jtoken tok = { .type = CKPT_J_NUMBER,
					   .text = rows[i].text,
					   .len = strlen(rows[i].text) };
		uint64_t u = 0;
		double d = 0;

		assert_int_equal(ckpt_jtoken_u64(&tok, &u), rows[i].whole);
		assert_true(u == rows[i].u);
		assert_true(ckpt_jtoken_number(&tok, &d) && d == rows[i].d);
	}
}

static void test_jstream__zeros_are_told(void **state)
{
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_file file = memory_file("{\0\0\0", 4);
	struct ckpt_jtoken tok;

	(void)state;
	assert_int_equal(ckpt_jstream_open(&js, &file, 0, 4), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), CKPT_JSTREAM_SYNTAX);
	assert_int_equal(ckpt_jstream_offset(&js), 1);
	assert_true(ckpt_jstream_at_nul(&js));
	close(file.fd);
}

static ssize_t broken_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	(void)arg;
	(void)fd;
	(void)buf;
	(void)len;
	(void)off;
	errno = EIO;
	return -1;
}

static void test_jstream__io_error_is_no_verdict(void **state)
{
	struct ckpt_seam seam = { .pread = broken_pread };
	struct ckpt_ctx ctx = { .seam = &seam };
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_file file = memory_file("{}", 2);
	struct ckpt_jtoken tok;

	(void)state;
	file.ctx = &ctx;
	file.name = (char *)"json";
	assert_int_equal(ckpt_jstream_open(&js, &file, 0, 2), 0);
	assert_int_equal(ckpt_jstream_next(&js, &tok, NULL), -EIO);
	close(file.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jstream__tokens),
		cmocka_unit_test(test_jstream__refused),
		cmocka_unit_test(test_jstream__python_words),
		cmocka_unit_test(test_jstream__torn_at_every_byte),
		cmocka_unit_test(test_jstream__depth),
		cmocka_unit_test(test_jstream__long_strings),
		cmocka_unit_test(test_jstream__skip_and_range),
		cmocka_unit_test(test_jstream__numbers),
		cmocka_unit_test(test_jstream__zeros_are_told),
		cmocka_unit_test(test_jstream__io_error_is_no_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
