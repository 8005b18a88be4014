/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for digests that others left with a checkpoint.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_LIST_H
#define CKPT_CORE_INTEGRITY_SIDECAR_LIST_H

#include "core/integrity/digest.h"
#include "core/integrity/files.h"

#define CKPT_SIDECAR_MAX (4 * 1024 * 1024) /* bytes of a list: 40,000 lines */

/* What is expected of one file. */
struct ckpt_expected {
	bool known, is_list; /* a digest is known; it is a list of digests itself */
	bool older;	     /* the list is older than the file */
	struct ckpt_digest digest;
	char source[64]; /* name of the list, cut */
};

/* Where to look. All borrowed. */
struct ckpt_sidecar_search {
	struct ckpt_ctx *ctx;
	int dirfd, rootfd; /* as in files.h */
	const struct ckpt_set *set;
	const struct ckpt_files *files;
	struct ckpt_expected *expected; /* one for each file, zeroed before */
};

/* Fills @search->expected from all kinds of lists; those that cannot be read count as absent. */
void ckpt_sidecar_search(const struct ckpt_sidecar_search *search);

/*
 * Reads one line of sha256sum's format (with its escapes; blank or star before the name; also the
 * digest alone) of @len bytes. True with *@ret_digest and the name in @name of @size bytes, which
 * is "" for a digest alone.
 */
bool ckpt_sidecar_line(const char *line, size_t len, struct ckpt_digest *ret_digest, char *name,
		       size_t size);

#endif
