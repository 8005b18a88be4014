/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into one checkpoint, in a process of its own: a file that brings a parser down brings
 * this one down, and what was needed of memory goes with it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/companion.h"
#include "core/catalog/listed.h"
#include "core/integrity/files.h"
#include "core/integrity/seal.h"
#include "core/integrity/verify.h"
#include "core/integrity/writers.h"
#include "core/resolve/retain.h"
#include "core/resolve/settle.h"
#include "wire/text.h"

#define THREADS 2

/* BUSY, FAILED, or SEALED where nothing speaks against reading on. */
static enum ckpt_watch_outcome look_for_writers(const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? -1 : ckpt_files_root(dirfd, set, NULL);
	_cleanup_files_ struct ckpt_files files = { 0 };
	pid_t pid;
	int r;

	if (rootfd < 0)
		return CKPT_WATCH_FAILED;
	r = ckpt_files_list(rootfd, set, &files, NULL);
	if (r != 0)
		return r > 0 ? CKPT_WATCH_REFUSED : CKPT_WATCH_FAILED;
	return ckpt_writers_of("/proc", &files, &pid) > 0 ? CKPT_WATCH_BUSY : CKPT_WATCH_SEALED;
}

static enum ckpt_watch_outcome of_status(const struct ckpt_report *report)
{
	switch (report->verdict.status) {
	case CKPT_VALID:
		return CKPT_WATCH_SEALED;
	case CKPT_INCOMPLETE:
	case CKPT_CORRUPT:
		return CKPT_WATCH_REJECTED;
	case CKPT_UNREADABLE:
	case CKPT_MISSING:
		break;
	}
	return CKPT_WATCH_FAILED;
}

/* Proves all of @set, and seals it where its program bears that. */
static enum ckpt_watch_outcome seal(struct ckpt_ctx *ctx, struct ckpt_set *set)
{
	bool bare = ckpt_set_seal_is_listed(set);
	int r = bare ? ckpt_seal_prove(ctx, set, NULL) : ckpt_seal_make(ctx, set, NULL);

	switch (r) {
	case 0:
		return bare ? CKPT_WATCH_REFUSED : CKPT_WATCH_SEALED;
	case CKPT_SEAL_INVALID:
		return of_status(set->report);
	case CKPT_SEAL_CHANGED:
		return CKPT_WATCH_CHANGED;
	case CKPT_SEAL_REFUSED:
		return CKPT_WATCH_REFUSED;
	}
	return CKPT_WATCH_FAILED;
}

/* A new one that is proved lets the oldest go, where its user has asked for that. */
static void make_room(struct ckpt_ctx *ctx, const struct ckpt_request *req)
{
	_cleanup_free_ struct ckpt_request *mine = req->keep[0] ? malloc(sizeof(*mine)) : NULL;

	if (!mine)
		return;
	*mine = *req;
	/* what stands for the others has its seal */
	ckpt_text_copy(mine->verify, sizeof(mine->verify), "structure");
	ckpt_retain(ctx, mine, NULL);
}

enum ckpt_watch_outcome ckpt_companion_check(const struct ckpt_request *req, struct ckpt_set *set,
					     bool last)
{
	struct ckpt_ctx ctx = { .threads = THREADS, .no_recall = true };
	const struct ckpt_report *report;
	enum ckpt_watch_outcome outcome = look_for_writers(set);

	if (outcome != CKPT_WATCH_SEALED)
		return outcome;
	report = ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE);
	outcome = of_status(report);
	if (outcome == CKPT_WATCH_SEALED &&
	    report->verdict.evidence == CKPT_EVIDENCE_SEAL_UNCHANGED)
		return outcome;
	if (outcome == CKPT_WATCH_SEALED)
		outcome = seal(&ctx, set);
	if (outcome == CKPT_WATCH_SEALED || outcome == CKPT_WATCH_REFUSED ||
	    (outcome == CKPT_WATCH_REJECTED && last))
		ckpt_record_checkpoint(&ctx, req, set, NULL);
	if (outcome == CKPT_WATCH_SEALED)
		make_room(&ctx, req);
	return outcome;
}
