/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a zip's directory records is needed before they are checked.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZIP_RECORD_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZIP_RECORD_H

#include "core/format/archive/zip.h"

#define CKPT_ZIP_GAP 24 /* most bytes before an entry: the descriptor of the one before */

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
