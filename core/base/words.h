/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sorting and searching of 64-bit words in place. qsort(3) takes a second copy of the array from
 * the heap, which the caps on tables from foreign files do not allow for.
 */
#ifndef CKPT_CORE_BASE_WORDS_H
#define CKPT_CORE_BASE_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Sorts @n rows of @width words each (1 to 4), by their words from the first on. No allocation. */
void ckpt_words_sort(uint64_t *rows, size_t n, size_t width);

/* Index of the first of @n sorted rows whose leading @keys words are not below those at @key; @n if
 * none. */
size_t ckpt_words_lower(const uint64_t *rows, size_t n, size_t width, const uint64_t *key,
			size_t keys);

#endif
