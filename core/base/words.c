/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heapsort: in place, and no input makes it quadratic.
 */
#include "core/base/words.h"

static int compare(const uint64_t *a, const uint64_t *b, size_t words)
{
	for (size_t i = 0; i < words; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static void swap(uint64_t *a, uint64_t *b, size_t words)
{
	for (size_t i = 0; i < words; i++) {
		uint64_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

/* Lets row @at sink to its place among the first @n. */
static void sink(uint64_t *rows, size_t at, size_t n, size_t width)
{
	size_t child;

	while (child = 2 * at + 1, child < n) {
		if (child + 1 < n &&
		    compare(rows + child * width, rows + (child + 1) * width, width) < 0)
			child++;
		if (compare(rows + at * width, rows + child * width, width) >= 0)
			return;
		swap(rows + at * width, rows + child * width, width);
		at = child;
	}
}

void ckpt_words_sort(uint64_t *rows, size_t n, size_t width)
{
	for (size_t i = n / 2; i-- > 0;)
		sink(rows, i, n, width);
	for (size_t i = n; i-- > 1;) {
		swap(rows, rows + i * width, width);
		sink(rows, 0, i, width);
	}
}

size_t ckpt_words_lower(const uint64_t *rows, size_t n, size_t width, const uint64_t *key,
			size_t keys)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = low + (n - low) / 2;

		if (compare(rows + mid * width, key, keys) < 0)
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}
