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

void ckpt_text_clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++)
		for (int n = control_len(p); n > 0; n--)
			p[n - 1] = '?';
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
	int control = 0; /* bytes left of a control character */

	dst[at++] = '\'';
	for (const unsigned char *p = (const unsigned char *)src; *p; p++) {
		bool escape;

		control = control > 1 ? control - 1 : control_len(p);
		escape = control || *p == '\'' || *p == '\\';
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

	if (!*digits || (digits[0] == '0' && digits[1]))
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
