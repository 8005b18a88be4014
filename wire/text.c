/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See text.h.
 */
#include "wire/text.h"

#include <stdio.h>
#include <string.h>

/* Bytes of the control character at @p, 0 if it is none. */
static int control_len(const unsigned char *p)
{
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
		return 2;
	return p[0] < 0x20 || p[0] == 0x7f;
}

/* Whether the second byte at @p makes an overlong form, a surrogate or one beyond U+10FFFF, which
 * begin as a character does (RFC 3629, section 4). */
static bool is_no_character(const unsigned char *p)
{
	return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	       (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
}

/* Bytes of the UTF-8 character at @p; 0 if there is none, or not the whole of it. */
static int char_len(const unsigned char *p)
{
	int n = p[0] < 0x80		       ? 1
		: p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		: p[0] >= 0xe0 && p[0] <= 0xef ? 3
		: p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
					       : 0;

	for (int i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n > 2 && is_no_character(p) ? 0 : n;
}

/* Bytes at @p that are not to be shown: a control character or one byte outside UTF-8; else 0. */
static int unsafe_len(const unsigned char *p)
{
	int n = control_len(p);

	return n ? n : char_len(p) == 0;
}

void ckpt_text_clean(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		int unsafe = unsafe_len(p);
		int n = unsafe ? unsafe : char_len(p);

		if (unsafe)
			memset(p, '?', (size_t)n);
		p += n;
	}
}

void ckpt_text_make_utf8(char *s)
{
	unsigned char *p = (unsigned char *)s;

	while (*p) {
		int n = char_len(p);

		if (n == 0)
			*p = '?';
		p += n ? n : 1;
	}
}

bool ckpt_text_has_control(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p; p++)
		if (control_len(p))
			return true;
	return false;
}

bool ckpt_text_copy(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size) {
		dst[0] = '\0';
		return false;
	}
	memcpy(dst, src, len + 1);
	return true;
}

const char *ckpt_text_quote(char *dst, size_t size, const char *src)
{
	size_t at = 0;
	int left = 0; /* bytes left of a character, or of what is none */
	bool unsafe = false;

	dst[at++] = '\'';
	for (const unsigned char *p = (const unsigned char *)src; *p; p++) {
		bool escape;

		if (left == 0) {
			left = unsafe_len(p);
			unsafe = left > 0;
			left = unsafe ? left : char_len(p);
		}
		left--;
		escape = unsafe || *p == '\'' || *p == '\\';
		if (at + 4 + 5 > size) { /* room for one escape, "...'" and the NUL */
			memcpy(dst + at, "...", 3);
			at += 3;
			break;
		}
		at += (size_t)snprintf(dst + at, size - at, escape ? "\\x%02x" : "%c", *p);
	}
	dst[at++] = '\'';
	dst[at] = '\0';
	return dst;
}

bool ckpt_text_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *s == '-';
	const char *digits = s + negative;
	int64_t value = 0;

	if (!*digits || (digits[0] == '0' && (digits[1] || negative)))
		return false;
	for (const char *p = digits; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, *p - '0', &value))
			return false; /* summed as a negative, which reaches INT64_MIN */
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
		return false;
	if (value < min || value > max)
		return false;
	*ret = value;
	return true;
}

bool ckpt_text_is_word(const char *s)
{
	if (!*s || *s == '.' || *s == '-')
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] ==
	       '\0';
}

bool ckpt_text_starts(const char *s, const char *prefix, const char **ret_rest)
{
	size_t len = strlen(prefix);

	if (strncmp(s, prefix, len) != 0)
		return false;
	if (ret_rest)
		*ret_rest = s + len;
	return true;
}

bool ckpt_text_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), tail = strlen(suffix);

	return len >= tail && strcmp(s + len - tail, suffix) == 0;
}

#define DAY_S 86400
#define DURATION_MAX ((int64_t)3650 * DAY_S)

/* Parses digits at *@s, which then points behind them. */
static bool take_digits(const char **s, int64_t *ret)
{
	int64_t n = 0;
	int digits = 0;

	for (; **s >= '0' && **s <= '9'; (*s)++, digits++)
		if (digits > 9)
			return false;
		else
			n = n * 10 + (**s - '0');
	*ret = n;
	return digits > 0;
}

/* Numbers with ':' between them, up to three, and nothing else; how many, 0 = none such. */
static int take_clock(const char *s, int64_t part[3])
{
	for (int n = 0; n < 3; s++) {
		if (!take_digits(&s, &part[n]) || (n > 0 && part[n] > 59))
			return 0;
		n++;
		if (!*s)
			return n;
		if (*s != ':')
			return 0;
	}
	return 0;
}

/* "N" and one letter. */
static bool take_unit(const char *s, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S } };
	int64_t n;

	if (!take_digits(&s, &n) || !*s || s[1])
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*s == units[i].unit) {
			*ret = n * units[i].seconds;
			return true;
		}
	return false;
}

bool ckpt_text_duration(const char *s, int64_t *ret_s)
{
	/* of the first number: after a day; alone, of two, of three */
	static const int64_t first[2][4] = { { 0, 60, 60, 3600 }, { 0, 3600, 3600, 3600 } };
	int64_t part[3] = { 0 }, days = 0, total, unit;
	const char *rest = s;
	bool day;
	int n;

	if (take_unit(s, &total))
		goto bounds;
	day = take_digits(&rest, &days) && *rest == '-';
	n = take_clock(day ? rest + 1 : s, part);
	if (n == 0)
		return false;
	unit = first[day][n];
	total = part[0] * unit + part[1] * (unit / 60) + part[2];
	if (day)
		total += days * DAY_S;
bounds:
	if (total <= 0 || total > DURATION_MAX)
		return false;
	*ret_s = total;
	return true;
}
