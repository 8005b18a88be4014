/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See opaque.h. A crash between the allocation of a file's blocks and their writing leaves an end
 * of zeros, in whole pages; a small file that was appended to, from where its last write began. A
 * last page of zeros that a program meant is told from it by nothing, so that it is no proof of
 * damage: incomplete, never corrupt.
 */
#include "core/format/opaque.h"

#include <string.h>

#include "wire/text.h"

#define PAGE 4096
#define SECTOR 512 /* the least that a disk writes */

static bool all_zero(const uint8_t *p, size_t n)
{
	return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static bool opaque_sniff(const struct ckpt_check *check)
{
	(void)check;
	return true;
}

/* How many zeros the @n bytes at @p end with. */
static size_t zeros_at_end(const uint8_t *p, size_t n)
{
	size_t zeros = 0;

	while (zeros < n && p[n - zeros - 1] == 0)
		zeros++;
	return zeros;
}

/* Fewer than a page's are taken for lost only where they are the greater part of the file. */
static bool is_unwritten(uint64_t size, size_t zeros, size_t page)
{
	return zeros == page || (zeros >= SECTOR && zeros > size - zeros);
}

int ckpt_opaque_check_end(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	size_t n = head->size < PAGE ? (size_t)head->size : PAGE, zeros;
	uint8_t page[PAGE];
	int r;

	if (!all_zero(head->tail, head->n_tail))
		return 0;
	r = ckpt_check_read(check, head->size - n, page, n, "its last page");
	if (r != 0)
		return r;
	zeros = zeros_at_end(page, n);
	if (!is_unwritten(head->size, zeros, n))
		return 0;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, head->size - zeros,
				 NULL,
				 "the last %zu of %llu bytes are zero: its end was never written",
				 zeros, (unsigned long long)head->size);
}

bool ckpt_opaque_is_headless(const struct ckpt_report *member)
{
	return member->verdict.evidence == CKPT_EVIDENCE_OPAQUE &&
	       (!member->verdict.note[0] || member->format == &ckpt_format_opaque);
}

/* TensorFlow's own form of a name, of a file: NAME.ckpt-4711. */
static bool is_tensorflow_name(const char *name)
{
	size_t len = strlen(name), end = len;

	while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end < len && end > 6 && strncmp(name + end - 6, ".ckpt-", 6) == 0;
}

bool ckpt_opaque_is_odd(const char *name)
{
	static const char *const endings[] = { ".safetensors", ".npz", ".npy", ".h5", ".hdf5",
					       ".keras",       ".cpt", ".nc",  ".gz", ".bz2",
					       ".xz",	       ".zst", ".lz4" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ckpt_text_ends(name, endings[i]))
			return true;
	return is_tensorflow_name(name);
}

const struct ckpt_format ckpt_format_opaque = {
	.name = "opaque",
	.title = "unknown format",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_OPAQUE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = opaque_sniff,
	.structure = ckpt_opaque_check_end,
};
