/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at the run directories of a job that runs: what is there, what has changed since the
 * look before, and which checkpoint is to be looked into. No file is opened, only stat'ed.
 */
#ifndef CKPT_CORE_WATCH_LOOK_H
#define CKPT_CORE_WATCH_LOOK_H

#include "core/catalog/catalog.h"
#include "core/watch/items.h"
#include "wire/request.h"

/* Where to look; all borrowed. */
struct ckpt_watch_places {
	const char *dir[CKPT_REQUEST_DIRS]; /* absolute */
	int n;
	bool (*is_others)(void *arg, const char *dir); /* catalog.h's */
	void *arg;
	const char *fallback; /* the work directory, where the others hold nothing; or NULL */
	const char *glob;     /* further names that are checkpoints, or NULL */
};

/* The watching of one job. */
struct ckpt_watch {
	struct ckpt_watch_places places;
	struct ckpt_items items;
	bool begun; /* the first look is behind: what comes now is new */
};

/* What a look found; ckpt_look_done(). */
struct ckpt_look {
	struct ckpt_catalog catalog;
	struct ckpt_set *due; /* the newest one that may be looked into now, or NULL */
	uint64_t due_key;
	int64_t due_mtime_ns; /* the latest of its files */
	size_t changed;	      /* seen new or changed, by this look */
	size_t missing;	      /* directories that could not be looked at */
};

/*
 * Looks at @now_ns (CLOCK_MONOTONIC, or the seam's). At the first look of @watch only what was
 * changed within the last minute is new. 0, also where directories are missing; or -ENOMEM.
 */
int ckpt_watch_look(struct ckpt_ctx *ctx, struct ckpt_watch *watch, struct ckpt_look *ret,
		    struct ckpt_error *err);

/* Frees what @look owns. */
void ckpt_look_done(struct ckpt_look *look);
#define _cleanup_look_ _cleanup_(ckpt_look_done)

/* Frees what @watch owns. */
void ckpt_watch_done(struct ckpt_watch *watch);

#endif
