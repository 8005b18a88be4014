/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See moves.h. Between the entry before and the entry after, members are renamed one by one;
 * whoever comes next finds the first entry without the second and puts everything back, or, where
 * nothing was left to move, writes the second.
 */
#include "core/integrity/moves.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "core/base/file.h"
#include "core/record/backup.h"
#include "wire/text.h"

static bool in_state_dir(const char *to)
{
	return ckpt_text_starts(to, CKPT_CORRUPTED_DIR "/", NULL);
}

int ckpt_place_of(const struct ckpt_place *place, const char *to)
{
	return in_state_dir(to) ? place->statefd : place->dirfd;
}

bool ckpt_move_is_away(const struct ckpt_place *place, const struct ckpt_move *move)
{
	return ckpt_dir_has(ckpt_place_of(place, move->to), move->to);
}

int ckpt_move_there(const struct ckpt_place *place, const struct ckpt_move *move)
{
	return ckpt_rename_new(place->dirfd, move->from, ckpt_place_of(place, move->to), move->to);
}

static int move_back(const struct ckpt_place *place, const struct ckpt_move *move)
{
	return ckpt_rename_new(ckpt_place_of(place, move->to), move->to, place->dirfd, move->from);
}

void ckpt_place_sync(const struct ckpt_place *place)
{
	_cleanup_close_ int fd = openat(place->statefd, CKPT_CORRUPTED_DIR,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
	fsync(place->dirfd);
}

int ckpt_moves_undo(const struct ckpt_place *place, const struct ckpt_moved *moved)
{
	int result = 0;

	for (size_t i = moved->n; i > 0; i--) {
		const struct ckpt_move *move = &moved->moves[i - 1];
		int r = ckpt_move_is_away(place, move) ? move_back(place, move) : 0;

		if (r < 0 && r != -EEXIST && result == 0)
			result = r;
	}
	ckpt_place_sync(place);
	return result;
}

static bool all_moved(const struct ckpt_place *place, const struct ckpt_moved *moved)
{
	for (size_t i = 0; i < moved->n; i++)
		if (!ckpt_move_is_away(place, &moved->moves[i]) ||
		    ckpt_dir_has(place->dirfd, moved->moves[i].from))
			return false;
	return moved->n > 0;
}

/* Ends what a killed one left half done. */
static int recover_one(const struct ckpt_place *place, const struct ckpt_moved *moved,
		       struct ckpt_error *err)
{
	bool releasing = moved->state == CKPT_MOVED_RELEASING;
	int r;

	if (moved->state == CKPT_MOVED_DONE)
		return 0;
	if (!releasing && all_moved(place, moved))
		return ckpt_journal_note(place->statefd, "quarantine", moved, err);
	r = ckpt_moves_undo(place, moved);
	if (r < 0)
		return ckpt_fail(err, r, "cannot undo the half-done quarantine of %s: %s",
				 CKPT_QUOTE(moved->set), strerror(-r));
	return ckpt_journal_note(place->statefd, releasing ? "release" : "quarantine-undone", moved,
				 err);
}

int ckpt_moves_recover(const struct ckpt_place *place, struct ckpt_error *err)
{
	_cleanup_journal_ struct ckpt_journal journal = { 0 };
	int r = ckpt_journal_load(place->statefd, &journal, err);

	for (size_t i = 0; r == 0 && i < journal.n; i++)
		r = recover_one(place, &journal.sets[i], err);
	return r;
}

/* Keeps others out. File systems without such locks are taken as they are: the journal still undoes
 * a clash. */
int ckpt_place_lock(const struct ckpt_place *place, struct ckpt_error *err)
{
	if (flock(place->statefd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return ckpt_fail(err, -EAGAIN, "another quarantine or release is under way");
	return 0;
}

void ckpt_place_unlock(const struct ckpt_place **place)
{
	if (*place)
		flock((*place)->statefd, LOCK_UN);
}
