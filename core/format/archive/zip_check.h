/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the zip formats that Python's zipfile writes (npz, .keras) have in common: the directory
 * walked into verdicts, and the CRC-32 of all entries, stored ones with all threads, deflated ones
 * decoded as a stream.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZIP_CHECK_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZIP_CHECK_H

#include "core/format/format.h"
#include "core/format/archive/zip.h"

#define CKPT_ZIP_STORED 0
#define CKPT_ZIP_DEFLATED 8

/* Opens check->file as a zip. 0, a rejection, or an errno. */
int ckpt_zip_check_open(struct ckpt_check *check, struct ckpt_zip *ret);

/* Calls @entry for each entry, in file order, until it answers other than 0. 0, a rejection, or an
 * errno. */
int ckpt_zip_check_walk(struct ckpt_check *check, struct ckpt_zip *zip,
			int (*entry)(struct ckpt_check *check, const struct ckpt_zip_entry *e,
				     void *arg),
			void *arg);

/* True if the entry's bytes can be had: stored or deflated, not encrypted. */
bool ckpt_zip_check_readable(const struct ckpt_zip_entry *e);

/* Called with the first bytes of a deflated entry whose CRC is right. 0, a rejection, or an errno.
 */
typedef int ckpt_zip_check_head_fn(struct ckpt_check *check, const struct ckpt_zip_entry *e,
				   const uint8_t *head, size_t len);

#define CKPT_ZIP_CHECK_HEAD 65552 /* bytes of such an entry that are kept for it */

/*
 * Compares all entries of check->file with their CRC-32; lowers the evidence where some cannot be
 * read. @head may be NULL. 0, a rejection, or an errno.
 */
int ckpt_zip_check_content(struct ckpt_check *check, ckpt_zip_check_head_fn *head);

/* Row function at() of formats whose members are the entries, by their whole names. */
int ckpt_zip_check_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names);

/*
 * Where in @head the first local header stands whose entry is no directory: what was packed by hand
 * begins with its directories. 0 where that is the file's first, or none is in the head.
 */
size_t ckpt_zip_check_first(const struct ckpt_head *head);

/* True if that local header names an entry that ends in @suffix. */
bool ckpt_zip_check_first_ends(const struct ckpt_head *head, const char *suffix);

#endif
