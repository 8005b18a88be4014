/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRIU images: a directory of files that begin with magic numbers and hold records to their end,
 * and of memory pages. inventory.img is written last. They hold no checksum.
 */
#ifndef CKPT_CORE_FORMAT_HPC_CRIU_H
#define CKPT_CORE_FORMAT_HPC_CRIU_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_criu;

/* What the pagemaps of one directory need. */
struct ckpt_criu_need {
	uint64_t pages_id; /* of pages-ID.img; from the pagemap's first record */
	uint64_t present;  /* pages stored there */
	bool parent;	   /* some pages are in the parent directory */
};

/*
 * Checks the image @name in @dirfd (@path for messages) by its magic numbers and the tiling of its
 * records; of a pagemap fills @need. Files of other kinds, and raw ones, are left alone. As a check
 * function.
 */
int ckpt_criu_image(struct ckpt_check *check, const char *name, struct ckpt_criu_need *need);

/* True if @name is a pagemap's. */
bool ckpt_criu_is_pagemap(const char *name);

#endif
