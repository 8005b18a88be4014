/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * End of a zip. Three records name the directory (end, zip64 locator, zip64 end); they must agree
 * with each other and with the place where they stand, so that a stray signature inside tensor data
 * is never believed.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/format/archive/zip_record.h"
#include "wire/text.h"

enum {
	END_SIG = 0x06054b50,
	LOCATOR_SIG = 0x07064b50,
	END64_SIG = 0x06064b50,
};

enum { END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56 };

#define TAIL_MAX (END_SIZE + 65535)

/* What the end records say. */
struct end {
	uint64_t entries, cd_size, cd_off;
	uint64_t begin; /* of the first end record: where the directory must end */
};

/* The zip64 records before the end record at @pos, if there are any; 0, NO_END when they disagree.
 */
static int read_end64(struct ckpt_zip *zip, uint64_t pos, struct end *end, struct ckpt_error *err)
{
	uint8_t loc[LOCATOR_SIZE], rec[END64_SIZE];
	uint64_t off, next;
	int r;

	if (pos < LOCATOR_SIZE + END64_SIZE)
		return 0;
	r = ckpt_zip_read(zip, pos - LOCATOR_SIZE, loc, sizeof(loc), err);
	if (r || ckpt_bytes_le(loc, 4) != LOCATOR_SIG)
		return r;
	off = ckpt_bytes_le(loc + 8, 8);
	if (off > pos - LOCATOR_SIZE - END64_SIZE || ckpt_bytes_le(loc + 4, 4) != 0 ||
	    ckpt_bytes_le(loc + 16, 4) != 1)
		return CKPT_ZIP_NO_END;
	r = ckpt_zip_read(zip, off, rec, sizeof(rec), err);
	if (r)
		return r;
	if (ckpt_bytes_le(rec, 4) != END64_SIG || ckpt_bytes_le(rec + 16, 4) != 0 ||
	    ckpt_bytes_le(rec + 20, 4) != 0 ||
	    ckpt_bytes_le(rec + 24, 8) != ckpt_bytes_le(rec + 32, 8))
		return CKPT_ZIP_NO_END;
	if (__builtin_add_overflow(off + 12, ckpt_bytes_le(rec + 4, 8), &next) ||
	    next != pos - LOCATOR_SIZE)
		return CKPT_ZIP_NO_END;
	if (!ckpt_zip_agrees(end->entries, ckpt_bytes_le(rec + 32, 8), 0xffff) ||
	    !ckpt_zip_agrees(end->cd_size, ckpt_bytes_le(rec + 40, 8), CKPT_ZIP_FULL32) ||
	    !ckpt_zip_agrees(end->cd_off, ckpt_bytes_le(rec + 48, 8), CKPT_ZIP_FULL32))
		return CKPT_ZIP_NO_END;
	*end = (struct end) { ckpt_bytes_le(rec + 32, 8), ckpt_bytes_le(rec + 40, 8),
			      ckpt_bytes_le(rec + 48, 8), off };
	return 0;
}

/* Believes the end record @rec at @pos only if everything it says fits. 0, NO_END, DAMAGED or an
 * errno. */
static int try_end(struct ckpt_zip *zip, uint64_t pos, const uint8_t *rec, struct ckpt_error *err)
{
	struct end end = { ckpt_bytes_le(rec + 10, 2), ckpt_bytes_le(rec + 12, 4),
			   ckpt_bytes_le(rec + 16, 4), pos };
	uint64_t after = pos + END_SIZE, cd_end;
	uint16_t comment = ckpt_bytes_le(rec + 20, 2);
	int r;

	if (ckpt_bytes_le(rec + 4, 2) != 0 || ckpt_bytes_le(rec + 6, 2) != 0 ||
	    ckpt_bytes_le(rec + 8, 2) != ckpt_bytes_le(rec + 10, 2))
		return CKPT_ZIP_NO_END;
	if (comment > zip->file->size - after)
		return CKPT_ZIP_NO_END;
	r = read_end64(zip, pos, &end, err);
	if (r)
		return r;
	if (__builtin_add_overflow(end.cd_off, end.cd_size, &cd_end) || cd_end != end.begin)
		return CKPT_ZIP_NO_END;
	if (end.entries > end.cd_size / CKPT_ZIP_CENTRAL)
		return CKPT_ZIP_NO_END;
	zip->cd_off = end.cd_off;
	zip->cd_size = end.cd_size;
	zip->entries = end.entries;
	zip->trailing = zip->file->size - after - comment;
	return 0;
}

/* Tries every end signature in the last @len bytes, last one first. */
static int search(struct ckpt_zip *zip, const uint8_t *tail, size_t len, struct ckpt_error *err)
{
	uint64_t base = zip->file->size - len;
	bool seen = false;
	int r;

	for (size_t i = len - END_SIZE + 1; i-- > 0;) {
		if (tail[i] != 'P' || ckpt_bytes_le(tail + i, 4) != END_SIG)
			continue;
		r = try_end(zip, base + i, tail + i, err);
		if (r != CKPT_ZIP_NO_END)
			return r;
		seen = seen || i == len - END_SIZE;
	}
	if (len >= LOCATOR_SIZE + END_SIZE)
		seen = seen ||
		       ckpt_bytes_le(tail + len - END_SIZE - LOCATOR_SIZE, 4) == LOCATOR_SIG;
	if (seen)
		return ckpt_zip_damaged(zip, zip->file->size - END_SIZE, "",
					"the end records at the file's end contradict each other");
	return CKPT_ZIP_NO_END;
}

int ckpt_zip_open(const struct ckpt_file *file, struct ckpt_zip *ret, struct ckpt_error *err)
{
	uint8_t end[END_SIZE];
	_cleanup_free_ uint8_t *tail = NULL;
	size_t len;
	int r;

	*ret = (struct ckpt_zip) { .file = file };
	if (file->size < END_SIZE)
		return CKPT_ZIP_NO_END;
	r = ckpt_zip_read(ret, file->size - END_SIZE, end, sizeof(end), err);
	if (r)
		return r;
	if (ckpt_bytes_le(end, 4) == END_SIG && ckpt_bytes_le(end + 20, 2) == 0) {
		r = try_end(ret, file->size - END_SIZE, end, err);
		if (r != CKPT_ZIP_NO_END)
			return r;
	}
	len = file->size < TAIL_MAX ? file->size : TAIL_MAX;
	tail = malloc(len);
	if (!tail)
		return ckpt_fail(err, -ENOMEM, "no memory for the end of %s",
				 CKPT_QUOTE(file->name));
	r = ckpt_zip_read(ret, file->size - len, tail, len, err);
	return r ? r : search(ret, tail, len, err);
}
