/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some libraries keep a checkpoint's books in another directory than its data; where, only their
 * configuration says. Such directories mostly lie beside each other.
 */
#ifndef CKPT_CORE_BASE_BESIDE_H
#define CKPT_CORE_BASE_BESIDE_H

#include <stddef.h>

/* What to look for. All borrowed. */
struct ckpt_beside {
	const char *up; /* from the data's directory to the one whose directories are tried: ".." */
	const char *down;   /* from each of these to the books: "." or a path */
	const char *wanted; /* the file that must be there */
};

/*
 * Opens the first directory, by name, that has the wanted file (a regular one), other than @fd
 * itself. Of a directory with over 4,096 entries, the first that readdir(3) gives are tried.
 * Returns the descriptor; -ENOENT; or another errno: could not find out.
 */
int ckpt_beside_open(int fd, const struct ckpt_beside *beside);

/* The name of the directory @path relative to @fd ("..") in its own parent into @ret. 0,
 * -ENOENT, -ENAMETOOLONG or another errno. */
int ckpt_beside_name(int fd, const char *path, char *ret, size_t size);

#endif
