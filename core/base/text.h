/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words for people: sizes, durations, numbers, and a growing string.
 */
#ifndef CKPT_CORE_BASE_TEXT_H
#define CKPT_CORE_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "wire/cleanup.h"
#include "wire/text.h"

/* "487.3 MB" (powers of 1000, one decimal from 1 KB on) into @buf of @size bytes. Returns @buf. */
const char *ckpt_text_size(char *buf, size_t size, uint64_t bytes);

/* "3m05s", "2h10m", "4d03h" of @seconds into @buf. Returns @buf. */
const char *ckpt_text_age(char *buf, size_t size, int64_t seconds);

/* A position number: whole ones without a fraction ("3"), others with up to four digits ("2.25").
 */
const char *ckpt_text_number(char *buf, size_t size, double value);

/* A string that grows; zero-initialised. A failed allocation leaves it as it was and sets `failed`.
 */
struct ckpt_str {
	char *s; /* NULL while empty */
	size_t len, cap;
	int failed;
};

/* Appends printf-style. */
void ckpt_str_add(struct ckpt_str *str, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Frees it. */
void ckpt_str_done(struct ckpt_str *str);
#define _cleanup_str_ _cleanup_(ckpt_str_done)

#endif
