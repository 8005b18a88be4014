/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See items.h.
 */
#include "core/watch/items.h"

#include <stdlib.h>

#define FIRST_CAP 64
#define BUSY_NS ((int64_t)2000000000)
#define BUSY_DOUBLINGS 4 /* 32 s */
#define TRIES_MAX 3	 /* after errors; then it waits for a change */

int64_t ckpt_watch_quiet(uint64_t size)
{
	uint64_t more = size / CKPT_WATCH_QUIET_BYTES;

	if (more >= (uint64_t)(CKPT_WATCH_QUIET_MAX_NS / 1000000000))
		return CKPT_WATCH_QUIET_MAX_NS;
	more = more * 1000000000 + (uint64_t)CKPT_WATCH_QUIET_NS;
	return more > (uint64_t)CKPT_WATCH_QUIET_MAX_NS ? CKPT_WATCH_QUIET_MAX_NS : (int64_t)more;
}

/* The place of @key: its own, or the free one where it would be. */
static struct ckpt_watched *place(struct ckpt_watched *v, size_t cap, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15ULL) & (cap - 1);

	while (v[i].key && v[i].key != key)
		i = (i + 1) & (cap - 1);
	return &v[i];
}

/* Moves all that @keep to a table of @cap places. */
static bool rebuild(struct ckpt_items *items, size_t cap, bool all)
{
	struct ckpt_watched *v = calloc(cap, sizeof(*v));
	size_t n = 0;

	if (!v)
		return false;
	for (size_t i = 0; i < items->cap; i++) {
		const struct ckpt_watched *old = &items->v[i];

		if (!old->key || (!all && old->round != items->round))
			continue;
		*place(v, cap, old->key) = *old;
		n++;
	}
	free(items->v);
	items->v = v;
	items->cap = cap;
	items->n = n;
	return true;
}

void ckpt_items_begin(struct ckpt_items *items)
{
	items->round++;
}

struct ckpt_watched *ckpt_items_find(const struct ckpt_items *items, uint64_t key)
{
	struct ckpt_watched *at = items->cap ? place(items->v, items->cap, key) : NULL;

	return at && at->key ? at : NULL;
}

/* A place for @key, with room to spare. */
static struct ckpt_watched *place_new(struct ckpt_items *items, uint64_t key)
{
	if (items->n * 4 >= items->cap * 3 &&
	    !rebuild(items, items->cap ? items->cap * 2 : FIRST_CAP, true))
		return NULL;
	return place(items->v, items->cap, key);
}

static void changed(struct ckpt_watched *item, const struct ckpt_watched *seen, int64_t now_ns)
{
	item->print = seen->print;
	item->size = seen->size;
	item->due_ns = now_ns + ckpt_watch_quiet(seen->size);
	item->tries = 0;
	item->rejected = item->whole = false;
}

struct ckpt_watched *ckpt_items_note(struct ckpt_items *items, const struct ckpt_watched *seen,
				     int64_t now_ns, bool known)
{
	struct ckpt_watched *item = place_new(items, seen->key);

	if (!item)
		return NULL;
	if (!item->key) {
		items->n++;
		*item = (struct ckpt_watched) { .key = seen->key };
		changed(item, seen, now_ns);
		item->since = items->marked && !known;
		if (known)
			item->due_ns = INT64_MAX;
	} else if (item->print != seen->print) {
		changed(item, seen, now_ns);
		item->since |= items->marked && !item->under_way;
	}
	item->round = items->round;
	return item;
}

void ckpt_items_end(struct ckpt_items *items)
{
	size_t stale = 0;

	for (size_t i = 0; i < items->cap; i++)
		stale += items->v[i].key && items->v[i].round != items->round;
	if (stale)
		rebuild(items, items->cap, false); /* without memory they stay until the next */
}

void ckpt_watched_settle(struct ckpt_watched *item, enum ckpt_watch_outcome outcome, int64_t now_ns)
{
	int doublings = item->tries < BUSY_DOUBLINGS ? item->tries : BUSY_DOUBLINGS;

	item->tries += item->tries < UINT8_MAX;
	item->under_way &= outcome == CKPT_WATCH_BUSY || outcome == CKPT_WATCH_CHANGED;
	switch (outcome) {
	case CKPT_WATCH_SEALED:
	case CKPT_WATCH_REFUSED:
		item->due_ns = INT64_MAX;
		item->whole = true;
		break;
	case CKPT_WATCH_REJECTED:
		item->due_ns = item->rejected ? INT64_MAX : now_ns + CKPT_WATCH_PATIENCE_NS;
		item->rejected = true;
		break;
	case CKPT_WATCH_BUSY:
		item->due_ns = now_ns + (BUSY_NS << doublings);
		break;
	case CKPT_WATCH_CHANGED:
		item->due_ns = now_ns + ckpt_watch_quiet(item->size);
		break;
	case CKPT_WATCH_FAILED:
		item->due_ns = item->tries >= TRIES_MAX ? INT64_MAX : now_ns + CKPT_WATCH_RETRY_NS;
		break;
	}
}

int64_t ckpt_items_due(const struct ckpt_items *items)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < items->cap; i++)
		if (items->v[i].key && items->v[i].due_ns < due)
			due = items->v[i].due_ns;
	return due;
}

/* Neither rejected nor waiting for another try after an error. */
static bool may_become_whole(const struct ckpt_watched *item, int64_t now_ns)
{
	return item->due_ns != INT64_MAX && !item->rejected &&
	       item->due_ns - now_ns <= 2 * CKPT_WATCH_QUIET_MAX_NS;
}

void ckpt_items_mark(struct ckpt_items *items, int64_t now_ns)
{
	items->marked = true;
	for (size_t i = 0; i < items->cap; i++) {
		struct ckpt_watched *item = &items->v[i];

		/* what is due was quiet for long enough, and only waits for its turn */
		item->under_way =
			item->key && item->due_ns > now_ns && may_become_whole(item, now_ns);
		item->since = false;
	}
}

struct ckpt_items_tally ckpt_items_tally(const struct ckpt_items *items, int64_t now_ns)
{
	struct ckpt_items_tally tally = { 0 };

	for (size_t i = 0; i < items->cap; i++) {
		const struct ckpt_watched *item = &items->v[i];

		if (!item->key || (!item->since && !item->under_way))
			continue;
		tally.saved += item->since && item->whole;
		tally.unsettled += may_become_whole(item, now_ns);
	}
	return tally;
}

void ckpt_items_done(struct ckpt_items *items)
{
	free(items->v);
	*items = (struct ckpt_items) { 0 };
}
