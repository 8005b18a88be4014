/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zip_record.h.
 */
#include "core/format/archive/zip_record.h"

#include "core/base/bytes.h"
#include "core/base/pages.h"

#define SATURATED 0xffffffffu
#define SIG 0x02014b50
#define SIZE 46			    /* of a directory record, its name and extra field aside */
#define LOCAL_SIZE 30		    /* likewise of a local header */
#define APART ((uint64_t)64 * 1024) /* headers that do not come with each other anyway */

bool ckpt_zip_widen(struct ckpt_zip_entry *e, const uint8_t *extra, size_t len)
{
	uint64_t *fields[] = { &e->usize, &e->csize, &e->header_off };
	size_t i = 0, id, size = 0, at = 0;

	while (i + 4 <= len) {
		id = ckpt_bytes_le(extra + i, 2);
		size = ckpt_bytes_le(extra + i + 2, 2);
		if (size > len - i - 4)
			return false;
		if (id == 1)
			break;
		i += 4 + size;
	}
	if (i + 4 > len)
		size = 0;
	for (size_t f = 0; f < 3; f++) {
		if (*fields[f] != SATURATED)
			continue;
		if (at + 8 > size)
			return false;
		*fields[f] = ckpt_bytes_le(extra + i + 4 + at, 8);
		at += 8;
	}
	return true;
}

void ckpt_zip_soon(const struct ckpt_file *file, const uint8_t *records, size_t len)
{
	const uint8_t *p = records, *end = records + len;
	uint64_t last = 0;

	while (end - p >= SIZE && ckpt_bytes_le(p, 4) == SIG) {
		size_t name = ckpt_bytes_le(p + 28, 2), extra = ckpt_bytes_le(p + 30, 2);
		struct ckpt_zip_entry e = { .csize = ckpt_bytes_le(p + 20, 4),
					    .usize = ckpt_bytes_le(p + 24, 4),
					    .header_off = ckpt_bytes_le(p + 42, 4) };

		if ((size_t)(end - p) < SIZE + name + extra ||
		    !ckpt_zip_widen(&e, p + SIZE + name, extra) || e.header_off > file->size)
			return;
		if (e.header_off >= last + APART &&
		    !ckpt_pages_soon(file, e.header_off - CKPT_ZIP_GAP,
				     CKPT_ZIP_GAP + LOCAL_SIZE + name))
			return;
		last = e.header_off;
		p += SIZE + name + extra; /* comments are rare, and end the hints */
	}
}
