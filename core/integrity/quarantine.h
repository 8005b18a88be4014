/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Out of the way, undoable: a file is renamed NAME.corrupted; a directory, a file with data in a
 * folder beside it (which goes along), and one whose program would still list it by that name
 * (listed.h) move to .ckpt-resume/corrupted/NAME. Each step is in the ledger before it is done, so
 * a killed quarantine is finished or undone by the next one.
 */
#ifndef CKPT_CORE_INTEGRITY_QUARANTINE_H
#define CKPT_CORE_INTEGRITY_QUARANTINE_H

#include "core/catalog/catalog.h"

#define CKPT_CORRUPTED_SUFFIX ".corrupted"

enum ckpt_quarantine_result {
	CKPT_QUARANTINE_REFUSED = 1, /* a law forbids it: *err says which */
	CKPT_QUARANTINE_NOTHING,     /* release: there is nothing of that name */
	CKPT_QUARANTINE_WRITTEN,     /* a process of this host has it open for writing */
};

/*
 * Moves @set aside, all members or none (members already moved are moved back when one fails).
 * Verifies a second time, in full, through freshly opened files, and moves only if that read
 * agrees with @set's report, by which it was rejected: status corrupt with the same problem code.
 * Refuses: missing members or shards, unfinished writers, anything but corrupt; a checkpoint that
 * is the last valid one cannot be corrupt by that read. An existing NAME.corrupted is not
 * overwritten: .corrupted.1 and so on.
 * @dirfd: the set's directory, open; @statefd: its .ckpt-resume. 0, REFUSED, WRITTEN, or an errno.
 */
int ckpt_quarantine(struct ckpt_ctx *ctx, int dirfd, int statefd, const struct ckpt_set *set,
		    struct ckpt_error *err);

/* Whether @report, of a rejected one, tells of damage for which it may be moved: of what is
 * incomplete, if @unfinished ones may, only that the bytes were cut short. */
bool ckpt_quarantine_is_damage(const struct ckpt_report *report, bool unfinished);

/* The same also for one that is incomplete because its bytes were cut short, where the caller knows
 * that its writer is gone. */
int ckpt_quarantine_unfinished(struct ckpt_ctx *ctx, int dirfd, int statefd,
			       const struct ckpt_set *set, struct ckpt_error *err);

/*
 * Undoes it for @name (the checkpoint's own name, or that of the renamed file): every member that
 * the ledger says was moved with it goes back; nothing that exists is overwritten (-EEXIST). 0,
 * NOTHING, or an errno.
 */
int ckpt_release(struct ckpt_ctx *ctx, int dirfd, int statefd, const char *name,
		 struct ckpt_error *err);

#endif
