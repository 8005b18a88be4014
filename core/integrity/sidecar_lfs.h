/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointers of Git LFS that lie beside what they point to.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_LFS_H
#define CKPT_CORE_INTEGRITY_SIDECAR_LFS_H

#include "core/integrity/sidecar_expected.h"

#define CKPT_LFS_MAX 1024 /* bytes of a pointer, which are less (git-lfs, docs/spec.md) */

/*
 * Reads the @len bytes of @text as a pointer in its one canonical form: three lines, the version of
 * the specification, "oid sha256:" with small hexadecimal digits, "size" in decimal, a newline
 * behind each and nothing else. One with lines of extensions is none: its digest is of what they
 * made of the file. True with the file's SHA-256 and size.
 */
bool ckpt_lfs_read(const char *text, size_t len, struct ckpt_sum *ret_sum, uint64_t *ret_size);

/*
 * Of each file that has a pointer beside it, under its name and @ending: what `git lfs pointer`
 * prints. What is no pointer is not looked at further; one that begins as a pointer and is none is
 * told in @search->odd.
 */
void ckpt_sidecar_lfs(const struct ckpt_sidecar_search *search, const char *ending);

#endif
