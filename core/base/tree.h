/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing what lies below a name, whatever it is. Runs as the user, in his own directories.
 */
#ifndef CKPT_CORE_BASE_TREE_H
#define CKPT_CORE_BASE_TREE_H

#define CKPT_TREE_DEPTH 64 /* directories within directories; deeper ones are left, -ELOOP */

/*
 * Removes @name in @dirfd with all that is in it. Links are removed, never followed; a directory of
 * another file system (a mount) is not entered. 0, also where there is none, or the first errno:
 * what could be removed is gone then.
 */
int ckpt_tree_remove(int dirfd, const char *name);

#endif
