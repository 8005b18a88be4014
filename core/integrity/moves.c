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
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/format/format.h"
#include "core/record/backup.h"
#include "wire/text.h"

int ckpt_place_of(const struct ckpt_place *place, const char *to)
{
	return ckpt_move_in_state(to, NULL) ? place->statefd : place->dirfd;
}

/* The name that such a folder would have; false where the format keeps none. */
static bool folder_name(const struct ckpt_set *set, const char *name, char ret[NAME_MAX + 1])
{
	char path[PATH_MAX];
	const char *slash;

	if (set->kind != CKPT_KIND_FILE || !ckpt_format_beside(name, 0, path, sizeof(path)))
		return false;
	slash = strchr(path, '/');
	if (!slash || slash - path > NAME_MAX)
		return false;
	snprintf(ret, NAME_MAX + 1, "%.*s", (int)(slash - path), path);
	return true;
}

bool ckpt_member_folder(int dirfd, const struct ckpt_set *set, const char *name,
			char ret[NAME_MAX + 1])
{
	return folder_name(set, name, ret) && ckpt_dir_has(dirfd, ret);
}

/* The type of @name, of a link itself. 0 or an errno. */
static int type_of(int dirfd, const char *name, mode_t *ret)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = st.st_mode & S_IFMT;
	return 0;
}

const char *ckpt_member_problem(int dirfd, const struct ckpt_set *set, const char *name,
				int *ret_error)
{
	const mode_t type = set->kind == CKPT_KIND_DIRECTORY ? S_IFDIR : S_IFREG;
	char folder[NAME_MAX + 1];
	mode_t found = 0;

	*ret_error = 0;
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "a member lies outside of its directory";
	*ret_error = type_of(dirfd, name, &found);
	if (*ret_error == 0 && found != type)
		return "a member is a link or of another type";
	if (*ret_error || !folder_name(set, name, folder))
		return NULL;
	*ret_error = type_of(dirfd, folder, &found);
	if (*ret_error == 0 && found != S_IFDIR)
		return "what stands in place of the folder beside it is none";
	*ret_error = *ret_error == -ENOENT ? 0 : *ret_error;
	return NULL;
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

static void sync_folder(const struct ckpt_place *place, const char *name)
{
	_cleanup_close_ int fd =
		openat(place->statefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
}

void ckpt_place_sync(const struct ckpt_place *place)
{
	sync_folder(place, CKPT_CORRUPTED_DIR);
	sync_folder(place, CKPT_DISCARD_DIR);
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

int ckpt_moves_make(const struct ckpt_place *place, const struct ckpt_moved *moved,
		    struct ckpt_error *err)
{
	for (size_t i = 0; i < moved->n; i++) {
		int r = ckpt_move_there(place, &moved->moves[i]);

		if (r == 0)
			continue;
		ckpt_fail(err, r, "cannot rename %s: %s", CKPT_QUOTE(moved->moves[i].from),
			  strerror(-r));
		if (ckpt_moves_undo(place, moved) == 0)
			ckpt_journal_note(place->statefd, "quarantine-undone", moved, NULL);
		return r;
	}
	ckpt_place_sync(place);
	return 0;
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
		return ckpt_journal_note(place->statefd,
					 ckpt_moved_is_discard(moved) ? "discard" : "quarantine",
					 moved, err);
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
