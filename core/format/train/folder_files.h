/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a directory whose layout no row knows, and those of its elder: of all directories
 * beside it that have its name but for the numbers, the next lower one. Hidden files are nobody's;
 * links to directories are not followed.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_FOLDER_FILES_H
#define CKPT_CORE_FORMAT_TRAIN_FOLDER_FILES_H

#include <limits.h>

#include "core/format/format.h"

#define CKPT_FOLDER_FILES 4096 /* of one directory, with those below it */

#define CKPT_FOLDER_DEPTH 4 /* directories in each other, the checkpoint's own first */

struct ckpt_folder_file {
	char *name;  /* below the directory, "model/shard-3.pt" */
	char *shape; /* the name with its numbers as '#' */
	bool empty;
};

struct ckpt_folder_files {
	struct ckpt_folder_file *f; /* by shape, then by name */
	size_t n;
};

/* Lists the directory @dirfd. 0; CKPT_UNREADABLE for more files, or deeper ones, than are looked
 * at; or an errno. @ret is to be given to _done() in any case. */
int ckpt_folder_files_list(struct ckpt_check *check, int dirfd, struct ckpt_folder_files *ret);

/* The first file of @elder that @own has fewer of, by their shapes; NULL where none is lost. */
const struct ckpt_folder_file *ckpt_folder_files_lost(const struct ckpt_folder_files *own,
						      const struct ckpt_folder_files *elder);

/* Whether @files lack one that the others' names tell of: NAME-1-of-2.pt alone. Then @ret names one
 * that is there. */
bool ckpt_folder_files_part_lost(const struct ckpt_folder_files *files, char *ret, size_t size);

/* The first file of @files that has the shape of @file; NULL where none has. */
const struct ckpt_folder_file *ckpt_folder_files_like(const struct ckpt_folder_files *files,
						      const struct ckpt_folder_file *file);

/* Frees it; one that is zeroed is fine. */
void ckpt_folder_files_done(struct ckpt_folder_files *files);
#define _cleanup_folder_files_ _cleanup_(ckpt_folder_files_done)

struct ckpt_folder_elder {
	int fd; /* < 0: there is none, or which it is cannot be told */
	char name[NAME_MAX + 1];
	struct ckpt_folder_files files;
};
#define CKPT_FOLDER_ELDER_INIT                                                                     \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Finds the elder of @check's directory and lists it. As ckpt_folder_files_list(). */
int ckpt_folder_elder_find(struct ckpt_check *check, struct ckpt_folder_elder *ret);

/* Frees it. */
void ckpt_folder_elder_done(struct ckpt_folder_elder *elder);
#define _cleanup_folder_elder_ _cleanup_(ckpt_folder_elder_done)

#endif
