/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of a directory, in the order of the kernel, "." and ".." among them. Those of a large
 * one are fetched by a second thread while the caller looks at the last ones: half of the time that
 * 100,000 names take is the kernel's.
 */
#ifndef CKPT_CORE_BASE_DIRENTS_H
#define CKPT_CORE_BASE_DIRENTS_H

#include <dirent.h>

#include "wire/cleanup.h"

struct ckpt_dirents;

/* Begins at the first entry of the directory @fd, which stays the caller's and is not to be read by
 * others meanwhile. NULL without memory. */
struct ckpt_dirents *ckpt_dirents_new(int fd);

/* The next entry, valid until the next call. 0 with *@ret; 1 at the end; or an errno (-ENOTDIR,
 * -EIO, -ESTALE ...). */
int ckpt_dirents_next(struct ckpt_dirents *d, const struct dirent64 **ret);

/* Ends it, also before the end of the directory; NULL is fine. */
void ckpt_dirents_free(struct ckpt_dirents *d);
static inline void ckpt_dirents_freep(struct ckpt_dirents **d)
{
	ckpt_dirents_free(*d);
}
#define _cleanup_dirents_ _cleanup_(ckpt_dirents_freep)

#endif
