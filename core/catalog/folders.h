/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folders to read: a growing list with their depth below the requested directory, and which of them
 * may hold a run.
 */
#ifndef CKPT_CORE_CATALOG_FOLDERS_H
#define CKPT_CORE_CATALOG_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/catalog/pool.h"

#define CKPT_FOLDERS_DEPTH 3  /* lightning_logs/version_N/checkpoints */
#define CKPT_FOLDERS_MAX 1024 /* below one requested directory, itself included */

struct ckpt_folder {
	const char *path; /* the pool's */
	int depth;
	int64_t mtime_ns; /* filled by ckpt_folders_newest_first() */
};

struct ckpt_folders {
	struct ckpt_folder *f;
	size_t n, cap;
};

/* Appends @name below @parent; NULL: @name is the absolute path of a requested directory. 0 or
 * -ENOMEM. */
int ckpt_folders_add(struct ckpt_folders *folders, struct ckpt_pool *pool,
		     const struct ckpt_folder *parent, const char *name);

/* Appends a copy of @folder. 0 or -ENOMEM. */
int ckpt_folders_push(struct ckpt_folders *folders, const struct ckpt_folder *folder);

/* Sorts by the folders' own mtime, ties by path; those that cannot be stat'ed come last. */
void ckpt_folders_newest_first(struct ckpt_folders *folders);

/* Frees the list, not the paths. */
void ckpt_folders_done(struct ckpt_folders *folders);

/*
 * True if @name may be a run folder or hold some. @known: only names that training programs give
 * them (a work directory searched by default has many other folders).
 */
bool ckpt_folder_plausible(const char *name, bool known);

#endif
