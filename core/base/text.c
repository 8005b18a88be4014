/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See text.h.
 */
#include "core/base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WHOLE_MAX 1e15 /* larger numbers are no positions: shown with an exponent */

const char *ckpt_text_size(char *buf, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "KB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(buf, size, "%u B", (unsigned)bytes);
		return buf;
	}
	while (value >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1000; /* 999.95 would be printed as 1000.0 */
		unit++;
	}
	snprintf(buf, size, "%.1f %s", value, units[unit]);
	return buf;
}

const char *ckpt_text_age(char *buf, size_t size, int64_t seconds)
{
	unsigned long long s =
		seconds < 0 ? 0 - (unsigned long long)seconds : (unsigned long long)seconds;
	const char *sign = seconds < 0 ? "-" : "";

	if (s < 60)
		snprintf(buf, size, "%s%llus", sign, s);
	else if (s < 3600)
		snprintf(buf, size, "%s%llum%02llus", sign, s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%s%lluh%02llum", sign, s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%s%llud%02lluh", sign, s / 86400, s / 3600 % 24);
	return buf;
}

/* Cuts the zeros that "%.4f" leaves behind, and the sign of a zero. */
static void cut_zeros(char *buf)
{
	char *end = buf + strlen(buf);

	if (!strchr(buf, '.'))
		return;
	while (end[-1] == '0')
		*--end = '\0';
	if (end[-1] == '.')
		*--end = '\0';
	if (strcmp(buf, "-0") == 0)
		memcpy(buf, "0", 2);
}

const char *ckpt_text_number(char *buf, size_t size, double value)
{
	if (!isfinite(value) || fabs(value) >= WHOLE_MAX) {
		snprintf(buf, size, "%g", value);
		return buf;
	}
	snprintf(buf, size, "%.4f", value);
	cut_zeros(buf);
	return buf;
}

/* Room for @more bytes and the NUL. */
static int str_grow(struct ckpt_str *str, size_t more)
{
	size_t need, cap = str->cap ? str->cap : 128;
	char *s;

	if (__builtin_add_overflow(str->len, more + 1, &need))
		return -ENOMEM;
	if (need <= str->cap)
		return 0;
	while (cap < need)
		if (__builtin_mul_overflow(cap, 2, &cap))
			return -ENOMEM;
	s = realloc(str->s, cap);
	if (!s)
		return -ENOMEM;
	str->s = s;
	str->cap = cap;
	return 0;
}

void ckpt_str_add(struct ckpt_str *str, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || str_grow(str, (size_t)n) < 0) {
		str->failed = 1;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(str->s + str->len, str->cap - str->len, fmt, ap);
	va_end(ap);
	str->len += (size_t)n;
}

void ckpt_str_done(struct ckpt_str *str)
{
	free(str->s);
	*str = (struct ckpt_str) { 0 };
}
