/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See scan.h.
 */
#include "core/format/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define NUMBER_MAX 64 /* characters of a number; 17 digits and an exponent take 25 */

/* Loads the next character. */
static void step(struct ckpt_scan *scan)
{
	uint8_t c = 0;
	int r = ckpt_stream_take(&scan->in, &c, 1, scan->err);

	scan->next = r == 0 ? c : -1;
	if (r < 0)
		scan->r = r;
}

int ckpt_scan_open(struct ckpt_scan *scan, const struct ckpt_file *file, uint64_t off, uint64_t end,
		   struct ckpt_error *err)
{
	int r = ckpt_stream_init(&scan->in, file, off, end, err);

	if (r)
		return r;
	scan->err = err;
	scan->r = 0;
	step(scan);
	return scan->r;
}

void ckpt_scan_done(struct ckpt_scan *scan)
{
	ckpt_stream_done(&scan->in);
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static void fail(struct ckpt_scan *scan)
{
	if (scan->r == 0)
		scan->r = scan->next < 0 ? CKPT_SCAN_TORN : CKPT_SCAN_SYNTAX;
}

int ckpt_scan_peek(struct ckpt_scan *scan)
{
	while (scan->r == 0 && is_blank(scan->next))
		step(scan);
	return scan->r == 0 ? scan->next : -1;
}

bool ckpt_scan_expect(struct ckpt_scan *scan, const char *text)
{
	for (; *text; text++) {
		if (ckpt_scan_peek(scan) != (unsigned char)*text)
			fail(scan);
		if (scan->r)
			return false;
		step(scan);
	}
	return scan->r == 0;
}

/* Characters of a number behind blanks. A number that the file's end follows may be cut. */
static size_t take_number(struct ckpt_scan *scan, const char *chars, char *ret)
{
	size_t n = 0;

	ckpt_scan_peek(scan);
	while (scan->r == 0 && n < NUMBER_MAX - 1 && scan->next > 0 && strchr(chars, scan->next)) {
		ret[n++] = (char)scan->next;
		step(scan);
	}
	ret[n] = '\0';
	if (n == 0 || scan->next < 0)
		fail(scan);
	return scan->r ? 0 : n;
}

int64_t ckpt_scan_int(struct ckpt_scan *scan)
{
	char text[NUMBER_MAX], *end;
	long long value;

	if (!take_number(scan, "-0123456789", text))
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (!errno && end != text && !*end)
		return value;
	scan->r = CKPT_SCAN_SYNTAX;
	return 0;
}

double ckpt_scan_real(struct ckpt_scan *scan)
{
	char text[NUMBER_MAX], *end;
	double value;

	if (!take_number(scan, "+-.0123456789eEnaNAifIF", text))
		return 0;
	value = strtod(text, &end);
	if (end != text && !*end)
		return value;
	scan->r = CKPT_SCAN_SYNTAX;
	return 0;
}

bool ckpt_scan_word(struct ckpt_scan *scan, char *ret, size_t size)
{
	size_t n = 0;

	ckpt_scan_peek(scan);
	while (scan->r == 0 && scan->next > 0 && !is_blank(scan->next)) {
		if (n + 1 == size) {
			scan->r = CKPT_SCAN_SYNTAX;
			return false;
		}
		ret[n++] = (char)scan->next;
		step(scan);
	}
	ret[n] = '\0';
	if (n == 0 || scan->next < 0)
		fail(scan);
	return scan->r == 0;
}

bool ckpt_scan_line(struct ckpt_scan *scan, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	if (scan->r || scan->next < 0)
		return false;
	while (scan->r == 0 && scan->next >= 0 && scan->next != '\n') {
		if (n + 1 < size)
			ret[n++] = (char)scan->next;
		step(scan);
	}
	ret[n] = '\0';
	if (scan->r == 0 && scan->next == '\n')
		step(scan);
	return scan->r == 0;
}

uint64_t ckpt_scan_offset(const struct ckpt_scan *scan)
{
	return ckpt_stream_offset(&scan->in) - (scan->next >= 0);
}

int ckpt_scan_verdict(const struct ckpt_scan *scan, struct ckpt_check *check)
{
	uint64_t at = ckpt_scan_offset(scan);

	switch (scan->r) {
	case CKPT_SCAN_TORN:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, at, NULL,
					 "the text ends before its end");
	case CKPT_SCAN_SYNTAX:
		if (scan->next == 0)
			return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, at,
						 NULL, "the text fades into zeros");
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL,
					 "another text stands here than its program writes");
	}
	return scan->r;
}
