/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The renames that quarantine and release are made of, and the end of those that were killed half
 * way.
 */
#ifndef CKPT_CORE_INTEGRITY_MOVES_H
#define CKPT_CORE_INTEGRITY_MOVES_H

#include <limits.h>

#include "core/catalog/catalog.h"
#include "core/integrity/journal.h"

/* Where it happens: the checkpoint's directory and its state directory. */
struct ckpt_place {
	int dirfd, statefd;
};

/* The descriptor that a move's `to` is relative to. */
int ckpt_place_of(const struct ckpt_place *place, const char *to);

/* Keeps other quarantines and releases out. 0, also where the file system has no such locks (the
 * journal still undoes a clash), or -EAGAIN. */
int ckpt_place_lock(const struct ckpt_place *place, struct ckpt_error *err);

/* Lets them in again, for _cleanup_; *@place may be NULL. */
void ckpt_place_unlock(const struct ckpt_place **place);

/* Makes the renames durable, before the ledger speaks of them. */
void ckpt_place_sync(const struct ckpt_place *place);

/* True if something lies at the move's `to`. */
bool ckpt_move_is_away(const struct ckpt_place *place, const struct ckpt_move *move);

/* Renames one member to its `to`, overwriting nothing. 0 or an errno. */
int ckpt_move_there(const struct ckpt_place *place, const struct ckpt_move *move);

/* Whether something stands where the format of @name, a member of @set, keeps data in a folder
 * beside it (ckpt_format_beside()): it is moved with it. *@ret is the folder's name. */
bool ckpt_member_folder(int dirfd, const struct ckpt_set *set, const char *name,
			char ret[NAME_MAX + 1]);

/*
 * Why the member @name of @set, or the folder beside it, is not to be renamed: it is no plain name,
 * a link, or of another type than it should be. NULL where it may be, and where it could not be
 * looked up: then *@ret_error is an errno, else 0.
 */
const char *ckpt_member_problem(int dirfd, const struct ckpt_set *set, const char *name,
				int *ret_error);

/* Moves all members, or none. 0 or an errno with @err. */
int ckpt_moves_make(const struct ckpt_place *place, const struct ckpt_moved *moved,
		    struct ckpt_error *err);

/* Moves back all that is away; what something new stands in the way of stays. 0 or the first other
 * errno. */
int ckpt_moves_undo(const struct ckpt_place *place, const struct ckpt_moved *moved);

/* Ends every quarantine (undone, or noted as done where all is moved) and release that was killed.
 * 0 or an errno. */
int ckpt_moves_recover(const struct ckpt_place *place, struct ckpt_error *err);

#endif
