/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One list of digests as text: which files its lines are about, and what they say of them.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_LINES_H
#define CKPT_CORE_INTEGRITY_SIDECAR_LINES_H

#include "core/integrity/sidecar_expected.h"

/* A list under way: which of the files its names are. */
struct ckpt_list {
	const char *name;  /* of the list */
	const char *below; /* what its names have before those of the files, or "" */
	enum ckpt_sum_kind kind;
	ssize_t only; /* the one file that it is about; -1: by its names */
	int64_t mtime_ns;
	bool signs_itself; /* of no use unless its last line is right */
	bool understood;   /* it has a line that is one */
	bool elsewhere;	   /* it has a file's name with another directory's path */
};

/*
 * Reads a small file whole, for the caller to free. False where there is none, or it is of no use;
 * where it is there and cannot be read, that is kept in @search->unread.
 */
bool ckpt_list_slurp(const struct ckpt_sidecar_search *search, int fd, const char *name, size_t max,
		     char **ret, size_t *ret_len);

/* Says in @search->odd that the list @name was of no use, unless another is told there. */
void ckpt_list_odd(const struct ckpt_sidecar_search *search, const char *name, const char *why);

/*
 * Reads @list->name in the directory @fd and takes in what its lines say; one that is of no use is
 * told in @search->odd. False where it could not be read, or does not sign itself as it should.
 */
bool ckpt_list_read(const struct ckpt_sidecar_search *search, int fd, struct ckpt_list *list);

#endif
