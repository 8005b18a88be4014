/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images (src/ckptserializer.cpp, src/writeckpt.cpp, include/dmtcp.h, include/procmapsarea.h).
 * Version 4: the same header twice, so that it can be read from a pipe, then areas: a descriptor of
 * 4096 bytes and, unless its pages are zero or described by further ones, the memory; at last a
 * descriptor without address whose size is -1. Versions 2 and 3 begin with a header of other
 * content; of them the end is looked at.
 */
#include "core/format/hpc/dmtcp.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

#define MAGIC "DMTCP_CHECKPOINT_IMAGE_v"
#define MAGIC_LEN (sizeof(MAGIC) - 1)
#define PAGE 4096u

/* Where the descriptor of an area has its numbers, and its bits. */
#define AT_ADDR 0
#define AT_SIZE 16
#define AT_FLAGS 40
#define AT_FILE_SIZE 72
#define AT_PROPERTIES 80
#define DESCRIPTOR 88 /* bytes that are looked at */
#define ANONYMOUS 0x20
#define WITHOUT_DATA 3 /* DMTCP_ZERO_PAGE, DMTCP_ZERO_PAGE_PARENT_HEADER */

static uint64_t number(const uint8_t *area, int at)
{
	return ckpt_bytes_le(area + at, 8);
}

/* 32-bit processes write a size of 32 bits. */
static bool is_end(const uint8_t *area)
{
	return number(area, AT_ADDR) == 0 &&
	       (number(area, AT_SIZE) == UINT64_MAX || number(area, AT_SIZE) == UINT32_MAX);
}

/* Bytes of memory behind the descriptor. */
static uint64_t data_of(const uint8_t *area)
{
	uint64_t stored = number(area, AT_FILE_SIZE);

	if (number(area, AT_PROPERTIES) & WITHOUT_DATA)
		return 0;
	return !(number(area, AT_FLAGS) & ANONYMOUS) && stored > 0 && stored <= INT64_MAX
		       ? stored
		       : number(area, AT_SIZE);
}

static int check_headers(struct ckpt_check *check)
{
	uint8_t first[PAGE], second[PAGE];
	int r = ckpt_check_read(check, 0, first, PAGE, "its header");

	if (r == 0)
		r = ckpt_check_read(check, PAGE, second, PAGE, "its second header");
	if (r || memcmp(first, second, PAGE) == 0)
		return r;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, PAGE, NULL,
				 "its two headers are not the same");
}

static int bad_area(struct ckpt_check *check, const uint8_t *area, uint64_t at)
{
	if (ckpt_bytes_zero(area, DESCRIPTOR))
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, at, NULL,
					 "zeros stand where an area of memory is described");
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL,
				 "no area of memory is described here");
}

static int cut(struct ckpt_check *check)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size,
				 NULL, "it ends before the mark that DMTCP writes last");
}

static int check_areas(struct ckpt_check *check)
{
	uint64_t at = 2 * PAGE, size = check->file->size, next;
	uint8_t area[DESCRIPTOR];

	for (;; at = next) {
		int r;

		if (at + PAGE > size)
			return cut(check);
		r = ckpt_check_read(check, at, area, DESCRIPTOR, "an area");
		if (r)
			return r;
		if (is_end(area))
			break;
		if (!number(area, AT_SIZE) || number(area, AT_SIZE) % PAGE ||
		    number(area, AT_ADDR) % PAGE || number(area, AT_SIZE) > INT64_MAX)
			return bad_area(check, area, at);
		if (__builtin_add_overflow(at + PAGE, data_of(area), &next) || next > size)
			return cut(check);
		check->report->tensors++;
	}
	if (at + PAGE < size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, at + PAGE,
				  "bytes follow the mark of its end");
	return 0;
}

/* Whether the last page is the descriptor that ends an image. */
static int check_end(struct ckpt_check *check)
{
	uint8_t area[DESCRIPTOR];
	int r;

	if (check->file->size < 3 * PAGE)
		return cut(check);
	r = ckpt_check_read(check, check->file->size - PAGE, area, DESCRIPTOR, "its end");
	if (r)
		return r;
	if (!is_end(area))
		return cut(check);
	ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
		       "an image of an older DMTCP: its end was looked at, not its areas");
	return 0;
}

/* "4.0" of the signature. */
static int version_of(const struct ckpt_check *check, char ret[8])
{
	const char *at = (const char *)check->head.head + MAGIC_LEN;
	size_t n = 0;

	while (n < 7 && MAGIC_LEN + n < check->head.n_head &&
	       ((at[n] >= '0' && at[n] <= '9') || at[n] == '.')) {
		ret[n] = at[n];
		n++;
	}
	ret[n] = '\0';
	return ret[0] ? ret[0] - '0' : 0;
}

static int dmtcp_structure(struct ckpt_check *check)
{
	struct ckpt_report *report = check->report;
	char version[8] = "";
	int major = version_of(check, version), r;

	snprintf(report->framework, sizeof(report->framework), "DMTCP image %s", version);
	report->contents = CKPT_CONTENTS_FULL;
	if (major == 2)
		return check_end(check);
	if (major != 4) {
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "images of this version of DMTCP are not known");
		return 0;
	}
	r = check_headers(check);
	return r ? r : check_areas(check);
}

static bool dmtcp_sniff(const struct ckpt_check *check)
{
	return check->head.n_head >= MAGIC_LEN && memcmp(check->head.head, MAGIC, MAGIC_LEN) == 0;
}

const struct ckpt_format ckpt_format_dmtcp = {
	.name = "dmtcp",
	.title = "DMTCP image",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = dmtcp_sniff,
	.structure = dmtcp_structure,
};
