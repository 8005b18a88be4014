/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The copy of a checkpoint that `ckptctl damage` may spoil: a file, a directory with all below it,
 * or the files of one prefix (PREFIX.*, or HEAD%TAIL). A list of inodes beside it,
 * .NAME.damage-copy, says which files were made as copies: nothing else is ever written to. Knows
 * no format.
 */
#ifndef CKPT_CLI_DAMAGE_TREE_H
#define CKPT_CLI_DAMAGE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "wire/cleanup.h"
#include "wire/error.h"

enum ckpt_damage_shape {
	CKPT_DAMAGE_FILE,
	CKPT_DAMAGE_DIRECTORY,
	CKPT_DAMAGE_PREFIX,
};

/* One regular file. */
struct ckpt_damage_member {
	char *path;	 /* owned */
	const char *key; /* what two checkpoints of one kind call it alike: points into path */
	uint64_t size, ino, dev;
	struct timespec mtime;
};

/* A checkpoint's files in the order of their names. */
struct ckpt_damage_tree {
	char *path; /* as given, without a slash at the end; owned */
	enum ckpt_damage_shape shape;
	struct ckpt_damage_member *members;
	size_t n, room;
};

/*
 * Lists the files of the checkpoint at @path into *@ret, reading no content. Symbolic links are
 * members only where @follow says so, and then only those to files. 0; -ENOENT; -ELOOP where @path
 * is a link and @follow is false; -E2BIG beyond a million files; or another errno.
 */
int ckpt_damage_tree_list(const char *path, bool follow, struct ckpt_damage_tree *ret,
			  struct ckpt_error *err);

/* Frees what *@tree holds; a zeroed one is fine. */
void ckpt_damage_tree_done(struct ckpt_damage_tree *tree);
#define _cleanup_tree_ _cleanup_(ckpt_damage_tree_done)

/* The member of @tree with that @key, or NULL. */
const struct ckpt_damage_member *ckpt_damage_tree_find(const struct ckpt_damage_tree *tree,
						       const char *key);

/*
 * Copies @from to @to, which must not exist and not lie inside of @from: blocks shared where the
 * file system can, times and modes kept, links to files as files. A seal beside it goes along where
 * the name stays the same. Writes the list of inodes. 0 or an errno; a part of the copy may be
 * left.
 */
int ckpt_damage_copy(const struct ckpt_damage_tree *from, const char *to, struct ckpt_error *err);

/* Proves that every file of @tree was made by ckpt_damage_copy(). 0; -EPERM where one was not; or
 * another errno. */
int ckpt_damage_is_copy(const struct ckpt_damage_tree *tree, struct ckpt_error *err);

/* Adds the file @path, made by a damage, to the list of @tree. 0 or an errno. */
int ckpt_damage_mark(const struct ckpt_damage_tree *tree, const char *path, struct ckpt_error *err);

/* Copies the file @from to @to, a new file or (@replace) instead of it. 0 or an errno. */
int ckpt_damage_copy_file(const char *from, const char *to, bool replace, struct ckpt_error *err);

#endif
