/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing a checkpoint for good, as --ckpt-keep asks for: all of it or nothing. Its members, what
 * their format keeps in a folder beside them, and its seal are first renamed into
 * .ckpt-resume/discarded/, each step in the ledger before it is done, so that whoever is killed on
 * the way leaves a whole checkpoint or none.
 */
#ifndef CKPT_CORE_INTEGRITY_DISCARD_H
#define CKPT_CORE_INTEGRITY_DISCARD_H

#include "core/catalog/catalog.h"

enum ckpt_discard_result {
	CKPT_DISCARD_REFUSED = 1, /* a member is not what it seems, or its file has changed or is
				     being written: *err says which */
};

/*
 * Removes @set, whose report says what it was when it was judged. First ends what a killed one left
 * half done. @dirfd: the set's directory, open; @statefd: its .ckpt-resume. 0, REFUSED, or an
 * errno: then it is where it was, or, where only the last step failed, out of sight.
 */
int ckpt_discard(int dirfd, int statefd, const struct ckpt_set *set, struct ckpt_error *err);

#endif
