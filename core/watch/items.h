/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of each checkpoint that was seen: a few numbers, so that a folder of 100,000 takes
 * some megabytes. It is told by a key (of its place and name) and a print (of its files'
 * identities): the same print twice, far enough apart on our own clock, is a checkpoint that nobody
 * changes.
 */
#ifndef CKPT_CORE_WATCH_ITEMS_H
#define CKPT_CORE_WATCH_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CKPT_WATCH_QUIET_NS ((int64_t)2000000000) /* the shortest time without a change */
#define CKPT_WATCH_QUIET_MAX_NS ((int64_t)30000000000)
#define CKPT_WATCH_QUIET_BYTES ((uint64_t)4 << 30)    /* for each of these a second more */
#define CKPT_WATCH_PATIENCE_NS ((int64_t)60000000000) /* until a bad one is believed to be one */
#define CKPT_WATCH_RETRY_NS ((int64_t)300000000000)   /* after an error */

/* What came of looking into one. */
enum ckpt_watch_outcome {
	CKPT_WATCH_SEALED,   /* or was before */
	CKPT_WATCH_REJECTED, /* not valid */
	CKPT_WATCH_BUSY,     /* a process has a file of it open for writing */
	CKPT_WATCH_CHANGED,  /* meanwhile */
	CKPT_WATCH_REFUSED,  /* valid, and cannot be sealed or is not to be */
	CKPT_WATCH_FAILED,   /* could not find out, or not write */
};

struct ckpt_watched {
	uint64_t key; /* 0: a free place */
	uint64_t print, size;
	int64_t due_ns; /* when it may be looked into; INT64_MAX: not before it changes */
	uint32_t round; /* of the last look that saw it */
	uint8_t tries;	/* since it changed */
	bool rejected;	/* was, since it changed: the next time is the last, and is told */
	bool whole;	/* found so, since it changed */
	bool under_way; /* at the mark it was being written, and has not come to an end since */
	bool since;	/* begun after the mark */
};

struct ckpt_items {
	struct ckpt_watched *v; /* open addressing */
	size_t n, cap;		/* cap is a power of two */
	uint32_t round;
	bool marked;
};

/* What became of them after the mark. */
struct ckpt_items_tally {
	size_t saved;	  /* begun since, and whole */
	size_t unsettled; /* begun since or under way then, and may become whole */
};

/* How long nobody may have changed @size bytes before they are looked into. */
int64_t ckpt_watch_quiet(uint64_t size);

/* Begins a look: all that is not noted until ckpt_items_end() is gone. */
void ckpt_items_begin(struct ckpt_items *items);

/*
 * Notes that the checkpoint @key (not 0) has @print and @size at @now_ns. @known: where it was not
 * seen before, it is nothing new. The item, until the next note; NULL = no memory.
 */
struct ckpt_watched *ckpt_items_note(struct ckpt_items *items, const struct ckpt_watched *seen,
				     int64_t now_ns, bool known);

/* Ends it. */
void ckpt_items_end(struct ckpt_items *items);

/* The item with that key, or NULL. */
struct ckpt_watched *ckpt_items_find(const struct ckpt_items *items, uint64_t key);

/* Takes what came of looking into @item. */
void ckpt_watched_settle(struct ckpt_watched *item, enum ckpt_watch_outcome outcome,
			 int64_t now_ns);

/* When the first item is due; INT64_MAX: none is. */
int64_t ckpt_items_due(const struct ckpt_items *items);

/* The mark, at @now_ns: what changes from now on was begun after it, unless it is being written. */
void ckpt_items_mark(struct ckpt_items *items, int64_t now_ns);

/* Counts what came after the mark, as of @now_ns; nothing without one. */
struct ckpt_items_tally ckpt_items_tally(const struct ckpt_items *items, int64_t now_ns);

/* Frees what @items owns. */
void ckpt_items_done(struct ckpt_items *items);

#endif
