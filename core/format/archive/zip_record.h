/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the zip reader, shared by its files: its reads and faults, and what of directory
 * records is needed before they are checked.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZIP_RECORD_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZIP_RECORD_H

#include "core/format/archive/zip.h"

#define CKPT_ZIP_CENTRAL_SIG 0x02014b50u
#define CKPT_ZIP_CENTRAL 46 /* bytes of a directory record, its name and extra field aside */
#define CKPT_ZIP_LOCAL 30   /* likewise of a local header */
#define CKPT_ZIP_FULL32 0xffffffffu /* a field whose value stands in a 64-bit one */
#define CKPT_ZIP_GAP 24 /* most bytes before an entry: the descriptor of the one before */

/* Whether a field says @full, or that another one does. */
static inline bool ckpt_zip_agrees(uint64_t narrow, uint64_t full, uint64_t saturated)
{
	return narrow == full || narrow == saturated;
}

/* Fills the fault, cut and cleaned, and returns CKPT_ZIP_DAMAGED. */
int ckpt_zip_damaged(struct ckpt_zip *zip, uint64_t offset, const char *member, const char *fmt,
		     ...) __attribute__((format(printf, 4, 5)));

/* Reads a range that was checked against the size before: DAMAGED if it is short now, since the
 * file shrank. Otherwise as ckpt_file_read(). */
int ckpt_zip_read(struct ckpt_zip *zip, uint64_t off, void *buf, size_t len,
		  struct ckpt_error *err);

/*
 * Takes @walk, which has just begun, to entry @index without looking at the local headers before,
 * but for that of the last one, whose data end must be known. @e is for use on the way. As
 * ckpt_zip_walk_next().
 */
int ckpt_zip_walk_from(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e, uint64_t index);

/*
 * Takes the 64-bit values of the zip64 extra field (APPNOTE 4.5.3), which is among the @len bytes
 * at
 * @extra, for those of @e that are saturated. False if one is missing.
 */
bool ckpt_zip_widen(struct ckpt_zip_entry *e, const uint8_t *extra, size_t len);

/*
 * Tells of the local headers of the directory records at @records, as far as @len bytes go, so that
 * a disk has them all to look for and not one after the other. Only a hint: what is wrong with a
 * record is found when it is read.
 */
void ckpt_zip_soon(const struct ckpt_file *file, const uint8_t *records, size_t len);

#endif
