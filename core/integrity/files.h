/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The regular files that a checkpoint is made of, each with its identity.
 */
#ifndef CKPT_CORE_INTEGRITY_FILES_H
#define CKPT_CORE_INTEGRITY_FILES_H

#include "core/catalog/catalog.h"

#define CKPT_FILES_MAX 16384 /* a rank each of the largest machines; their names fit a few MiB */
#define CKPT_FILES_DEPTH 16  /* folders in folders: Orbax nests about 5 */

struct ckpt_member {
	char *name; /* relative to the set's root; owned */
	struct ckpt_identity id;
};

/* Sorted by name. */
struct ckpt_files {
	struct ckpt_member *f;
	size_t n, cap;
};

enum ckpt_files_result {
	CKPT_FILES_UNBOUNDED = 1, /* too many, too deep, or a link to a folder: *err says which */
};

/* Opens the directory that the names of @set's files are relative to: a directory checkpoint's own,
 * else the one that holds the set. Descriptor or an errno. */
int ckpt_files_root(int dirfd, const struct ckpt_set *set, struct ckpt_error *err);

/*
 * Lists @set's files, links followed, below @rootfd (of ckpt_files_root()): of a directory all
 * regular files in it, else its members and what a format keeps in a folder beside one, those that
 * are missing left out. 0, CKPT_FILES_UNBOUNDED or an errno.
 */
int ckpt_files_list(int rootfd, const struct ckpt_set *set, struct ckpt_files *ret,
		    struct ckpt_error *err);

/* Whether @name below @rootfd, which does not exist, is a link into a directory that is not there
 * either: a lost file system, more likely than a file that was removed. */
bool ckpt_files_leads_away(int rootfd, const char *name);

/* Index of @name in @files, or -1. */
ssize_t ckpt_files_find(const struct ckpt_files *files, const char *name);

/* How many lie in a folder below the directory that the names are relative to. */
size_t ckpt_files_nested(const struct ckpt_files *files);

/* Sum of the sizes. */
uint64_t ckpt_files_size(const struct ckpt_files *files);

/* True if both hold the same names with the same identities. */
bool ckpt_files_same(const struct ckpt_files *a, const struct ckpt_files *b);

/* Frees what @files owns. */
void ckpt_files_done(struct ckpt_files *files);
#define _cleanup_files_ _cleanup_(ckpt_files_done)

#endif
