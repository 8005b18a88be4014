/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FTI's books: INI files as iniparser writes them, one a group of ranks.
 */
#ifndef CKPT_CORE_FORMAT_HPC_FTI_BOOKS_H
#define CKPT_CORE_FORMAT_HPC_FTI_BOOKS_H

#include "core/format/format.h"

/* One rank's file, as a book has it. */
struct ckpt_fti_file {
	char name[256]; /* of an entry: no path */
	int64_t size;	/* -1: not said */
	char md5[33];	/* hexadecimal; "" where FTI took none */
};

/* What is told of a book. */
struct ckpt_fti_reader {
	int (*file)(void *arg, const struct ckpt_fti_file *file);
	int (*id)(void *arg, int64_t id, bool differential);
	void *arg;
};

/*
 * Opens the directory of the books of the data in check->dirfd: that directory itself, or ID/l4 of
 * one beside the data's own three levels up. Descriptor, -ENOENT or another errno.
 */
int ckpt_fti_books_open(struct ckpt_check *check);

/* Whether the books in @fd are those of all groups: sectors and groups without a gap. 0;
 * CKPT_INCOMPLETE through ckpt_check_reject(); or an errno. */
int ckpt_fti_books_count(struct ckpt_check *check, int fd, int64_t *ret_sectors,
			 int64_t *ret_first_group, int64_t *ret_groups);

/* Reads the book @name in @fd to @reader; what a callback returns but 0 ends it. 0, that, a
 * rejection or an errno. */
int ckpt_fti_book_read(struct ckpt_check *check, int fd, const char *name,
		       const struct ckpt_fti_reader *reader);

#endif
