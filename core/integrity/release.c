/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back out of quarantine, see quarantine.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/integrity/moves.h"
#include "core/integrity/quarantine.h"
#include "wire/text.h"

static bool is_meant(const struct ckpt_moved *moved, const char *name)
{
	const char *base;

	if (strcmp(moved->set, name) == 0)
		return true;
	for (size_t i = 0; i < moved->n; i++) {
		if (!ckpt_text_starts(moved->moves[i].to, CKPT_CORRUPTED_DIR "/", &base))
			base = moved->moves[i].to;
		if (strcmp(base, name) == 0 || strcmp(moved->moves[i].from, name) == 0)
			return true;
	}
	return false;
}

/* 0 if what is away can go back; NOTHING if nothing is away; -EEXIST. */
static int check_way_back(const struct ckpt_place *place, const struct ckpt_moved *moved,
			  struct ckpt_error *err)
{
	size_t away = 0;

	for (size_t i = 0; i < moved->n; i++) {
		const struct ckpt_move *move = &moved->moves[i];

		if (!ckpt_move_is_away(place, move))
			continue;
		away++;
		if (ckpt_dir_has(place->dirfd, move->from))
			return ckpt_fail(err, -EEXIST,
					 "%s exists: move it away to release the one in quarantine",
					 CKPT_QUOTE(move->from));
	}
	return away ? 0 : CKPT_QUARANTINE_NOTHING;
}

static int release(const struct ckpt_place *place, const struct ckpt_moved *moved,
		   struct ckpt_error *err)
{
	int r = check_way_back(place, moved, err);

	if (r != 0)
		return r;
	r = ckpt_journal_note(place->statefd, "release-begin", moved, err);
	if (r < 0)
		return r;
	r = ckpt_moves_undo(place, moved);
	if (r < 0)
		return ckpt_fail(err, r, "cannot release %s: %s", CKPT_QUOTE(moved->set),
				 strerror(-r));
	ckpt_journal_note(place->statefd, "release", moved, NULL); /* else the next one writes it */
	return 0;
}

/* What no ledger knows of: renamed by hand, or the ledger is gone. */
static int release_plain(const struct ckpt_place *place, const char *name, struct ckpt_error *err)
{
	_cleanup_moved_ struct ckpt_moved moved = { 0 };
	char base[NAME_MAX + 1], to[PATH_MAX];
	size_t len = strlen(name);
	int r;

	if (ckpt_text_ends(name, CKPT_CORRUPTED_SUFFIX))
		len -= strlen(CKPT_CORRUPTED_SUFFIX);
	if (len == 0 || len >= sizeof(base) || strchr(name, '/') || strcmp(name, "..") == 0)
		return CKPT_QUARANTINE_NOTHING;
	snprintf(base, sizeof(base), "%.*s", (int)len, name);
	snprintf(to, sizeof(to), "%s%s", base, CKPT_CORRUPTED_SUFFIX);
	if (!ckpt_dir_has(place->dirfd, to))
		snprintf(to, sizeof(to), "%s/%s", CKPT_CORRUPTED_DIR, base);
	r = ckpt_moved_init(&moved, base);
	if (r == 0)
		r = ckpt_moved_add(&moved, base, to);
	return r < 0 ? ckpt_fail(err, r, "cannot release %s: %s", CKPT_QUOTE(name), strerror(-r))
		     : release(place, &moved, err);
}

static int release_named(const struct ckpt_place *place, const char *name, struct ckpt_error *err)
{
	_cleanup_journal_ struct ckpt_journal journal = { 0 };
	int r = ckpt_moves_recover(place, err);

	if (r == 0)
		r = ckpt_journal_load(place->statefd, &journal, err);
	if (r < 0)
		return r;
	for (size_t i = journal.n; i > 0; i--) {
		if (!is_meant(&journal.sets[i - 1], name))
			continue;
		r = release(place, &journal.sets[i - 1], err);
		if (r != CKPT_QUARANTINE_NOTHING)
			return r;
	}
	return release_plain(place, name, err);
}

int ckpt_release(struct ckpt_ctx *ctx, int dirfd, int statefd, const char *name,
		 struct ckpt_error *err)
{
	const struct ckpt_place place = { .dirfd = dirfd, .statefd = statefd };
	_cleanup_(ckpt_place_unlock) const struct ckpt_place *locked = NULL;
	int r = ckpt_place_lock(&place, err);

	(void)ctx;
	if (r < 0)
		return r;
	locked = &place;
	r = release_named(&place, name, err);
	if (r == CKPT_QUARANTINE_NOTHING)
		return ckpt_fail(err, r, "nothing named %s is in quarantine here",
				 CKPT_QUOTE(name));
	return r;
}
