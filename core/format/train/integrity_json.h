/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * integrity.json, which Megatron-Core writes beside a checkpoint on request:
 * {"algorithm": "sha256", "files": {NAME: HEX}}.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_INTEGRITY_JSON_H
#define CKPT_CORE_FORMAT_TRAIN_INTEGRITY_JSON_H

#include "core/format/format.h"

#define CKPT_INTEGRITY_JSON "integrity.json"
#define CKPT_INTEGRITY_FILES 65536 /* digests kept: 56 bytes each beside the names */

struct ckpt_integrity_counts {
	bool found;	   /* the file is there */
	uint64_t n_distcp; /* names in it that end in .distcp */
	uint64_t n_files;
};

/*
 * Compares all files that the list in check->dirfd names with their digests, if there is a list.
 * As a check function: a file that differs is CORRUPT (digest), one that is gone INCOMPLETE. A list
 * of another algorithm is noted and counts as none.
 */
int ckpt_integrity_json_check(struct ckpt_check *check, struct ckpt_integrity_counts *ret);

#endif
