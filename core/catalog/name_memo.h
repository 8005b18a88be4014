/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_name_parse() for the names of a large directory, most of which differ in their digits alone:
 * what was found out about a name is kept and used again for the next of its shape.
 */
#ifndef CKPT_CORE_CATALOG_NAME_MEMO_H
#define CKPT_CORE_CATALOG_NAME_MEMO_H

#include "core/catalog/names.h"

#define CKPT_NAME_MEMO_SIZE 8 /* shapes: a directory's series, which readdir() mixes */

/*
 * The last few shapes. A shape is a name whose digits do not count, but for one that stands alone
 * behind a letter: only those does the table of names know (".h5"). Zeroed before the first use;
 * owns nothing.
 */
struct ckpt_name_memo {
	struct ckpt_name_memo_entry {
		char shape[CKPT_NAME_SIZE]; /* other digits as '\1' */
		char name[CKPT_NAME_SIZE];
		size_t len; /* 0: free */
		bool is_dir;
		int result;
		const char *why;
		struct ckpt_name parsed; /* where result is 0 */
	} entries[CKPT_NAME_MEMO_SIZE];
	unsigned next; /* to be replaced */
};

/* As ckpt_name_parse(), with the same answer. */
int ckpt_name_memo_parse(struct ckpt_name_memo *memo, const char *name, bool is_dir,
			 struct ckpt_name *ret, const char **ret_why);

#endif
