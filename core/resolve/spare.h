/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What speaks for a checkpoint that is one too many: everything that refers to it by name. Private
 * to core/resolve.
 */
#ifndef CKPT_CORE_RESOLVE_SPARE_H
#define CKPT_CORE_RESOLVE_SPARE_H

#include "core/resolve/select.h"

/* Names that something refers to: each part of a path, which may lead to a file inside one. */
struct ckpt_spare {
	char **names; /* of entries; owned */
	size_t n, cap;
};

/*
 * Collects what decisions, pointers, links and epoch_info.json of the run directories name, and the
 * best checkpoint that a newer one's settings name. 0, or an errno with @err where one of them
 * could not be read.
 */
int ckpt_spare_collect(struct ckpt_selection *s, struct ckpt_spare *ret, struct ckpt_error *err);

/* Whether something refers to @set or to a member of it. */
bool ckpt_spare_has(const struct ckpt_spare *spare, const struct ckpt_set *set);

/* Frees what @spare owns. */
void ckpt_spare_done(struct ckpt_spare *spare);
#define _cleanup_spare_ _cleanup_(ckpt_spare_done)

#endif
