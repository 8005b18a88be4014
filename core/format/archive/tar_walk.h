/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of a tar archive, one after the other, by their headers alone. Layout: POSIX pax
 * (ustar), and GNU tar's manual ("Basic Tar Format") for base-256 numbers, long names and sparse
 * files.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_TAR_WALK_H
#define CKPT_CORE_FORMAT_ARCHIVE_TAR_WALK_H

#include "core/format/format.h"

#define CKPT_TAR_BLOCK 512
#define CKPT_TAR_PATH 512

struct ckpt_tar_member {
	char path[CKPT_TAR_PATH]; /* cut where longer */
	uint64_t off, size;	  /* of its data in the archive */
	bool sparse;		  /* the data are less than the file */
};

/* Zero-initialised but for check. */
struct ckpt_tar {
	struct ckpt_check *check;
	uint64_t at;	  /* of the next header */
	uint64_t members; /* of any type */
	bool end;	  /* the zeros that end the archive were seen */
	/* from headers that speak of the next one */
	char path[CKPT_TAR_PATH];
	uint64_t size;
	bool has_size, sparse;
};

/* Whether @block, of a whole file's first bytes, is the header of a member. */
bool ckpt_tar_is_header(const uint8_t block[CKPT_TAR_BLOCK]);

/*
 * The next regular file with all its data in the archive. 0 with *@ret filled, or with tar->end
 * set; INCOMPLETE where the archive ends before its end mark, CORRUPT for a header whose sum is
 * wrong; or an errno.
 */
int ckpt_tar_next(struct ckpt_tar *tar, struct ckpt_tar_member *ret);

#endif
