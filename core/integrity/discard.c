/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See discard.h.
 */
#include "core/integrity/discard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/tree.h"
#include "core/integrity/files.h"
#include "core/integrity/moves.h"
#include "core/integrity/seal.h"
#include "core/integrity/writers.h"
#include "wire/text.h"

static int refused(struct ckpt_error *err, const struct ckpt_set *set, const char *why)
{
	return ckpt_fail(err, CKPT_DISCARD_REFUSED, "%s is kept: %s", CKPT_QUOTE(set->name), why);
}

/* No links and no paths: what lies elsewhere is not ours to remove. */
static int check_members(int dirfd, const struct ckpt_set *set, struct ckpt_error *err)
{
	for (int i = 0; set->members[i]; i++) {
		const char *name = set->members[i];
		int error;
		const char *problem = ckpt_member_problem(dirfd, set, name, &error);

		if (problem)
			return refused(err, set, problem);
		if (error < 0)
			return ckpt_fail(err, error, "cannot look up %s: %s", CKPT_QUOTE(name),
					 strerror(-error));
	}
	return set->members[0] ? 0 : refused(err, set, "it has no members");
}

static int list(int dirfd, const struct ckpt_set *set, struct ckpt_files *ret,
		struct ckpt_error *err)
{
	_cleanup_close_ int rootfd = ckpt_files_root(dirfd, set, err);
	int r = rootfd < 0 ? rootfd : ckpt_files_list(rootfd, set, ret, err);

	return r > 0 ? refused(err, set, "it cannot be listed") : r;
}

/* A folder beside it goes as a whole: it may hold nothing but what the format put there. */
static int check_folders(int dirfd, const struct ckpt_set *set, const struct ckpt_files *files,
			 struct ckpt_error *err)
{
	char folder[NAME_MAX + 1];
	size_t found = 0;

	for (int i = 0; set->members[i]; i++) {
		const struct ckpt_set beside = { .name = folder, .kind = CKPT_KIND_DIRECTORY };
		_cleanup_files_ struct ckpt_files inside = { 0 };
		int r = 0;

		if (ckpt_member_folder(dirfd, set, set->members[i], folder))
			r = list(dirfd, &beside, &inside, err);
		if (r != 0)
			return r;
		found += inside.n;
	}
	return found && found > ckpt_files_nested(files)
		       ? refused(err, set, "the folder beside it holds other files, too")
		       : 0;
}

/* Whoever writes it again, or has it open for writing, has taken it back. */
static int check_at_rest(int dirfd, const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_files_ struct ckpt_files files = { 0 };
	struct ckpt_identity now;
	pid_t pid;
	int r = list(dirfd, set, &files, err);

	r = r ? r : check_folders(dirfd, set, &files, err);
	if (r != 0)
		return r;
	r = ckpt_set_identity(set, &now);
	if (r < 0)
		return ckpt_fail(err, r, "cannot look up %s: %s", CKPT_QUOTE(set->name),
				 strerror(-r));
	if (!ckpt_identity_same(&now, &set->report->identity))
		return refused(err, set, "it has changed");
	return ckpt_writers_of("/proc", &files, &pid) > 0 ? refused(err, set, "it is being written")
							  : 0;
}

static int plan_one(struct ckpt_moved *moved, const char *name)
{
	char to[NAME_MAX];

	snprintf(to, sizeof(to), CKPT_DISCARD_DIR "/%s-%zu", moved->id, moved->n);
	return ckpt_moved_add(moved, name, to);
}

/* The seal first: what is left of one that is put back half is not taken for sealed. */
static int plan(int dirfd, const struct ckpt_set *set, struct ckpt_moved *ret)
{
	char seal[NAME_MAX + 1], folder[NAME_MAX + 1];
	int r = ckpt_moved_init(ret, set->name);

	if (r == 0 && ckpt_seal_name(set->name, seal) && ckpt_dir_has(dirfd, seal))
		r = plan_one(ret, seal);
	for (int i = 0; r == 0 && set->members[i]; i++) {
		r = plan_one(ret, set->members[i]);
		if (r == 0 && ckpt_member_folder(dirfd, set, set->members[i], folder))
			r = plan_one(ret, folder);
	}
	return r;
}

static int put_away(const struct ckpt_place *place, const struct ckpt_set *set,
		    struct ckpt_error *err)
{
	_cleanup_moved_ struct ckpt_moved moved = { 0 };
	_cleanup_close_ int fd = ckpt_dir_make(place->statefd, CKPT_DISCARD_DIR, err);
	int r = fd < 0 ? fd : plan(place->dirfd, set, &moved);

	if (r == 0)
		r = ckpt_journal_begin(place->statefd, &moved, err);
	if (r == 0)
		r = ckpt_moves_make(place, &moved, err);
	return r == 0 ? ckpt_journal_note(place->statefd, "discard", &moved, err) : r;
}

/* With nothing half done and nobody else at it, whatever lies there is only to be removed. */
static int sweep(const struct ckpt_place *place, struct ckpt_error *err)
{
	int r = ckpt_tree_remove(place->statefd, CKPT_DISCARD_DIR);

	return r < 0 ? ckpt_fail(err, r, "cannot remove what is in %s: %s", CKPT_DISCARD_DIR,
				 strerror(-r))
		     : 0;
}

int ckpt_discard(int dirfd, int statefd, const struct ckpt_set *set, struct ckpt_error *err)
{
	const struct ckpt_place place = { .dirfd = dirfd, .statefd = statefd };
	_cleanup_(ckpt_place_unlock) const struct ckpt_place *locked = NULL;
	int r = ckpt_place_lock(&place, err);

	if (r != 0)
		return r;
	locked = &place;
	r = ckpt_moves_recover(&place, err);
	if (r == 0)
		r = sweep(&place, err);
	if (r == 0)
		r = check_members(dirfd, set, err);
	if (r == 0)
		r = check_at_rest(dirfd, set, err);
	if (r == 0)
		r = put_away(&place, set, err);
	return r == 0 ? sweep(&place, err) : r;
}
