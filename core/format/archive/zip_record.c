/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zip_record.h.
 */
#include "core/format/archive/zip_record.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/bytes.h"
#include "core/base/pages.h"
#include "wire/text.h"

#define APART ((uint64_t)64 * 1024) /* headers that do not come with each other anyway */

int ckpt_zip_damaged(struct ckpt_zip *zip, uint64_t offset, const char *member, const char *fmt,
		     ...)
{
	struct ckpt_zip_fault *fault = &zip->fault;
	va_list ap;

	fault->offset = offset;
	snprintf(fault->member, sizeof(fault->member), "%s", member);
	ckpt_text_clean(fault->member);
	va_start(ap, fmt);
	vsnprintf(fault->detail, sizeof(fault->detail), fmt, ap);
	va_end(ap);
	return CKPT_ZIP_DAMAGED;
}

int ckpt_zip_read(struct ckpt_zip *zip, uint64_t off, void *buf, size_t len, struct ckpt_error *err)
{
	int r = ckpt_file_read(zip->file, off, buf, len, err);

	if (r == CKPT_FILE_SHORT)
		return ckpt_zip_damaged(zip, off, "",
					"the file ends before %zu bytes that it must have", len);
	return r;
}

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
		if (*fields[f] != CKPT_ZIP_FULL32)
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

	while (end - p >= CKPT_ZIP_CENTRAL && ckpt_bytes_le(p, 4) == CKPT_ZIP_CENTRAL_SIG) {
		size_t name = ckpt_bytes_le(p + 28, 2), extra = ckpt_bytes_le(p + 30, 2);
		struct ckpt_zip_entry e = { .csize = ckpt_bytes_le(p + 20, 4),
					    .usize = ckpt_bytes_le(p + 24, 4),
					    .header_off = ckpt_bytes_le(p + 42, 4) };

		if ((size_t)(end - p) < CKPT_ZIP_CENTRAL + name + extra ||
		    !ckpt_zip_widen(&e, p + CKPT_ZIP_CENTRAL + name, extra) ||
		    e.header_off > file->size)
			return;
		if (e.header_off >= last + APART &&
		    !ckpt_pages_soon(file, e.header_off - CKPT_ZIP_GAP,
				     CKPT_ZIP_GAP + CKPT_ZIP_LOCAL + name))
			return;
		last = e.header_off;
		p += CKPT_ZIP_CENTRAL + name + extra; /* comments are rare, and end the hints */
	}
}
