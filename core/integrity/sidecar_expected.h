/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the digests that others left with a checkpoint say of its files: the search under way, and
 * the one expectation that it keeps of each file.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_EXPECTED_H
#define CKPT_CORE_INTEGRITY_SIDECAR_EXPECTED_H

#include "core/integrity/digest.h"
#include "core/integrity/files.h"
#include "core/integrity/sums.h"

#define CKPT_SIDECAR_MAX (4 * 1024 * 1024) /* bytes of a list: 40,000 lines */

#define CKPT_SIDECAR_NAME 64 /* bytes of a list's name that are kept */
#define CKPT_SIDECAR_ODD 96
#define CKPT_SIDECAR_RIVALS 3 /* more lists than that disagree about nothing that exists */

/* What is expected of one file. */
struct ckpt_expected {
	bool is_list;	     /* it is a list of digests itself */
	bool older;	     /* the list is older than the file */
	bool foreign;	     /* the list's line has another file's name */
	bool loose;	     /* it may be of something else, or of an earlier state */
	bool sized;	     /* the list says how long the file is, too */
	uint64_t size;	     /* that, in bytes */
	struct ckpt_sum sum; /* of kind NONE: nothing is known */
	struct ckpt_sum rivals[CKPT_SIDECAR_RIVALS]; /* what other lists say instead */
	int n_rivals;
	enum ckpt_sum_kind first; /* of the one that they were the rivals of; NONE: it is sum */
	char source[CKPT_SIDECAR_NAME]; /* name of the list, cut */
};

/* Where to look. All borrowed. */
struct ckpt_sidecar_search {
	struct ckpt_ctx *ctx;
	int dirfd, rootfd; /* as in files.h */
	const struct ckpt_set *set;
	const struct ckpt_files *files;
	struct ckpt_expected *expected; /* one for each file, zeroed before */
	/* CKPT_SIDECAR_NAME bytes, "" before: one that is there and could not be read. */
	char *unread;
	char *odd; /* CKPT_SIDECAR_ODD bytes, "" before: one that was of no use, and why */
};

/* What a list says of a file. */
struct ckpt_said {
	const struct ckpt_sum *sum;
	const char *source;   /* name of the list */
	int64_t mtime_ns;     /* of the list */
	bool foreign;	      /* it has another file's name */
	bool loose;	      /* as in ckpt_expected */
	const uint64_t *size; /* of the file in bytes, or NULL */
};

/* Takes in what is said of file number @file: of several the one of most worth is kept, and its
 * rivals. */
void ckpt_sidecar_expect(const struct ckpt_sidecar_search *search, size_t file,
			 const struct ckpt_said *said);

#endif
