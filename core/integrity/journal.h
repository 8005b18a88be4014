/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's entries about quarantine: what was moved where, written before it is done. Entries
 * that belong together share an id; a set with many members takes several lines.
 *
 *   quarantine-begin    about to move `members`, a list of [from, to]
 *   quarantine          all of them are moved
 *   quarantine-undone   all of them are back, as it failed or was killed
 *   release-begin       about to move them back
 *   release             all of them are back
 *   discard             all of them were moved to be removed for good
 */
#ifndef CKPT_CORE_INTEGRITY_JOURNAL_H
#define CKPT_CORE_INTEGRITY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/error.h"

/* In the state directory. */
#define CKPT_CORRUPTED_DIR "corrupted"
#define CKPT_DISCARD_DIR "discarded" /* what is about to be removed, by discard.h */

/* One member: its name in the checkpoint's directory, and where it goes: a name there, or
 * "corrupted/NAME" or "discarded/NAME" in the state directory. */
struct ckpt_move {
	char *from, *to;
};

enum ckpt_moved_state {
	CKPT_MOVED_BEGUN,
	CKPT_MOVED_DONE,
	CKPT_MOVED_RELEASING,
};

/* A set that is, or may in part be, in quarantine. */
struct ckpt_moved {
	char id[40];
	char *set; /* the checkpoint's name */
	enum ckpt_moved_state state;
	struct ckpt_move *moves;
	size_t n;
};

/* Those of one ledger that are not back, oldest first. */
struct ckpt_journal {
	struct ckpt_moved *sets;
	size_t n;
};

/* A record with a new id for the set @name. 0 or an errno. */
int ckpt_moved_init(struct ckpt_moved *ret, const char *name);

/* Whether @to, of a move, lies in the state directory; then *@ret_name (may be NULL) is its name
 * in the folder there. */
bool ckpt_move_in_state(const char *to, const char **ret_name);

/* Whether @moved is to be removed rather than kept. */
bool ckpt_moved_is_discard(const struct ckpt_moved *moved);

/* Adds a move; both texts are copied. 0 or -ENOMEM. */
int ckpt_moved_add(struct ckpt_moved *moved, const char *from, const char *to);

/* Frees what @moved owns. */
void ckpt_moved_done(struct ckpt_moved *moved);
#define _cleanup_moved_ _cleanup_(ckpt_moved_done)

/*
 * Reads the ledger in @statefd; entries with names that could lead out of the directory are left
 * out. 0, also where there is no ledger, or an errno.
 */
int ckpt_journal_load(int statefd, struct ckpt_journal *ret, struct ckpt_error *err);

/* Writes quarantine-begin for @moved, with all its moves, in as many lines as it takes. 0 or an
 * errno. */
int ckpt_journal_begin(int statefd, const struct ckpt_moved *moved, struct ckpt_error *err);

/* Writes one of the other events for @moved. 0 or an errno. */
int ckpt_journal_note(int statefd, const char *event, const struct ckpt_moved *moved,
		      struct ckpt_error *err);

/* Frees what @journal owns. */
void ckpt_journal_done(struct ckpt_journal *journal);
#define _cleanup_journal_ _cleanup_(ckpt_journal_done)

#endif
