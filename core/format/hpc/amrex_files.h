/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data files beside an AMReX header: opened as ranges of them are named, a few kept open,
 * compared with what lies in them.
 */
#ifndef CKPT_CORE_FORMAT_HPC_AMREX_FILES_H
#define CKPT_CORE_FORMAT_HPC_AMREX_FILES_H

#include "core/format/format.h"

#define CKPT_AMREX_PATH 512 /* "particles/Level_0/DATA_00000" */
#define CKPT_AMREX_OPEN 16  /* kept open: neighbouring boxes mostly share a file */

struct ckpt_amrex_file {
	char name[64]; /* "Cell_D_00000" */
	uint64_t size, used, end;
};

struct ckpt_amrex_files {
	struct ckpt_check *check;  /* of the directory; borrowed */
	char dir[CKPT_AMREX_PATH]; /* where they lie, with a '/' at its end, or empty */
	struct ckpt_amrex_file *f;
	size_t n, last, cap;
	struct {
		size_t owner; /* index in f, plus one */
		struct ckpt_file file;
	} open[CKPT_AMREX_OPEN];
};

/* Begins with the directory of @path (a file's name below check->dirfd). */
void ckpt_amrex_files_init(struct ckpt_amrex_files *files, struct ckpt_check *check,
			   const char *path);

/* Closes and frees. */
void ckpt_amrex_files_done(struct ckpt_amrex_files *files);
#define _cleanup_amrex_files_ _cleanup_(ckpt_amrex_files_done)

/*
 * The file @name, open until the next call; *@ret_index finds it again. As a check function: a
 * missing one is INCOMPLETE, a name that leads elsewhere CORRUPT.
 */
int ckpt_amrex_files_open(struct ckpt_amrex_files *files, const char *name,
			  const struct ckpt_file **ret, size_t *ret_index);

/* Notes that [@begin, @end) of file @index is in use. As a check function: INCOMPLETE where the
 * file ends before. */
int ckpt_amrex_files_use(struct ckpt_amrex_files *files, size_t index, uint64_t begin,
			 uint64_t end);

/* Adds the sizes to the report and remarks on bytes that nobody named. As a check function: CORRUPT
 * where ranges must overlap. */
int ckpt_amrex_files_finish(struct ckpt_amrex_files *files);

#endif
