/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See quarantine.h.
 */
#include "core/integrity/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/catalog/listed.h"
#include "core/integrity/files.h"
#include "core/integrity/moves.h"
#include "core/integrity/seal.h"
#include "core/integrity/verify.h"
#include "core/integrity/writers.h"
#include "wire/text.h"

#define TRIES 100 /* quarantines of one name that stay there */

static int refused(struct ckpt_error *err, const struct ckpt_set *set, const char *why)
{
	return ckpt_fail(err, CKPT_QUARANTINE_REFUSED, "%s stays where it is: %s",
			 CKPT_QUOTE(set->name), why);
}

/* Damage of the bytes themselves. What may be elsewhere (members, shards), unfinished, or merely
 * beyond us, is none. */
static const bool is_damage[CKPT_PROBLEM_COUNT] = {
	[CKPT_PROBLEM_EMPTY] = true,	   [CKPT_PROBLEM_TRUNCATED] = true,
	[CKPT_PROBLEM_TRAILING] = true,	   [CKPT_PROBLEM_ZERO_TAIL] = true,
	[CKPT_PROBLEM_SPARSE_HOLE] = true, [CKPT_PROBLEM_HEADER] = true,
	[CKPT_PROBLEM_DIRECTORY] = true,   [CKPT_PROBLEM_MEMBER_EXTRA] = true,
	[CKPT_PROBLEM_CHECKSUM] = true,	   [CKPT_PROBLEM_DIGEST] = true,
};

/* What a writer leaves that was killed. Not HEADER: a name that promises another content is no sign
 * of one, and may well be somebody's data. */
static const bool is_cut_short[CKPT_PROBLEM_COUNT] = {
	[CKPT_PROBLEM_EMPTY] = true,
	[CKPT_PROBLEM_TRUNCATED] = true,
	[CKPT_PROBLEM_ZERO_TAIL] = true,
	[CKPT_PROBLEM_SPARSE_HOLE] = true,
};

bool ckpt_quarantine_is_damage(const struct ckpt_report *report, bool unfinished)
{
	enum ckpt_problem_code code = report->verdict.problem.code;

	if (code >= CKPT_PROBLEM_COUNT)
		return false;
	if (report->verdict.status == CKPT_INCOMPLETE)
		return unfinished && is_cut_short[code];
	return report->verdict.status == CKPT_CORRUPT && is_damage[code];
}

static int check_report(const struct ckpt_set *set, bool unfinished, struct ckpt_error *err)
{
	const struct ckpt_report *report = set->report;
	bool cut = report && report->verdict.status == CKPT_INCOMPLETE;

	if (!(cut && unfinished) && (!report || report->verdict.status != CKPT_CORRUPT))
		return refused(err, set, "only what is proved corrupt is moved");
	if (!ckpt_quarantine_is_damage(report, unfinished))
		return refused(err, set,
			       "its problem is no damage of its bytes (a part may lie elsewhere, "
			       "or its writer is not done)");
	return 0;
}

/* A member has to be what it seems: no link to something else, no path. 0, REFUSED or an errno. */
static int check_member(int dirfd, const struct ckpt_set *set, const char *name,
			struct ckpt_error *err)
{
	int error;
	const char *problem = ckpt_member_problem(dirfd, set, name, &error);

	if (problem)
		return refused(err, set, problem);
	if (error == -ENOENT)
		return refused(err, set, "a member is missing: it may lie on another node");
	return error < 0 ? ckpt_fail(err, error, "cannot look up %s: %s", CKPT_QUOTE(name),
				     strerror(-error))
			 : 0;
}

/* Lets the second read come from the disk and not from the pages of the first. */
static void drop_pages(int dirfd, const char *name)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int check_members(int dirfd, const struct ckpt_set *set, struct ckpt_error *err)
{
	if (!set->members || !set->members[0])
		return refused(err, set, "it has no members");
	for (int i = 0; set->members[i]; i++) {
		int r = check_member(dirfd, set, set->members[i], err);

		if (r != 0)
			return r;
		drop_pages(dirfd, set->members[i]);
	}
	return 0;
}

/* What outlived its attempt may still be at it, and make it whole. */
static int check_writers(int dirfd, const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_close_ int rootfd = ckpt_files_root(dirfd, set, err);
	_cleanup_files_ struct ckpt_files files = { 0 };
	pid_t pid;
	int r = rootfd < 0 ? rootfd : ckpt_files_list(rootfd, set, &files, err);

	if (r != 0)
		return r < 0 ? r : refused(err, set, "it cannot be listed");
	r = ckpt_writers_of("/proc", &files, &pid);
	if (r > 0)
		return ckpt_fail(err, CKPT_QUARANTINE_WRITTEN,
				 "%s stays where it is: process %d has it open for writing",
				 CKPT_QUOTE(set->name), (int)pid);
	return r < 0 ? ckpt_fail(err, r, "cannot tell who writes %s: %s", CKPT_QUOTE(set->name),
				 strerror(-r))
		     : 0;
}

static int check_agreement(const struct ckpt_set *set, const struct ckpt_report *first,
			   const struct ckpt_report *second, struct ckpt_error *err)
{
	if (second->verdict.status != first->verdict.status ||
	    second->verdict.problem.code != first->verdict.problem.code)
		return refused(err, set, "a second read does not agree with the first");
	if (!ckpt_identity_same(&first->identity, &second->identity))
		return refused(err, set, "it changed since it was judged: its writer may be alive");
	return 0;
}

static int verify_again(struct ckpt_ctx *ctx, const struct ckpt_set *set,
			const struct ckpt_report *first, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_report *owned = NULL;
	struct ckpt_set again = *set;
	const struct ckpt_report *second;

	again.report = NULL;
	second = ckpt_set_verify(ctx, &again, CKPT_LEVEL_FULL);
	owned = again.report;
	return check_agreement(set, first, second, err);
}

/* One quarantine that is planned. */
struct planning {
	const struct ckpt_place *place;
	const struct ckpt_set *set;
	bool below; /* it moves to the state directory: there it is in nobody's list */
	int n;	    /* the try */
	struct ckpt_moved *moved;
};

/* A directory does, and a file with a folder beside it, which it finds by its own name. */
static bool goes_below(int dirfd, const struct ckpt_set *set)
{
	char folder[NAME_MAX + 1];

	if (set->kind == CKPT_KIND_DIRECTORY || ckpt_set_renamed_is_listed(set))
		return true;
	for (int i = 0; set->members[i]; i++)
		if (ckpt_member_folder(dirfd, set, set->members[i], folder))
			return true;
	return false;
}

/* Where member @name goes at the @n'th try. False if the name gets too long. */
static bool destination(bool below, const char *name, int n, char to[PATH_MAX])
{
	char number[16] = "";
	int len;

	if (n > 0)
		snprintf(number, sizeof(number), ".%d", n);
	len = snprintf(to, PATH_MAX, "%s%s%s%s", below ? CKPT_CORRUPTED_DIR "/" : "", name,
		       below ? "" : CKPT_CORRUPTED_SUFFIX, number);
	return len > 0 && len - (below ? (int)sizeof(CKPT_CORRUPTED_DIR) : 0) <= NAME_MAX;
}

/* Adds the destination of @name. 0; -EEXIST when it is taken; or an errno. */
static int plan_one(const struct planning *p, const char *name)
{
	char to[PATH_MAX];

	if (!destination(p->below, name, p->n, to))
		return -ENAMETOOLONG;
	if (ckpt_dir_has(ckpt_place_of(p->place, to), to))
		return -EEXIST;
	return ckpt_moved_add(p->moved, name, to);
}

/* The seal goes along, unless its name would get too long. */
static int plan_seal(const struct planning *p)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int r;

	if (!ckpt_seal_name(p->set->name, name) ||
	    fstatat(p->place->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = plan_one(p, name);
	return r == -ENAMETOOLONG ? 0 : r;
}

/* Fills p->moved with the destinations. 0; -EEXIST when one is taken; or an errno. */
static int plan_with(const struct planning *p)
{
	const struct ckpt_set *set = p->set;
	char folder[NAME_MAX + 1];

	for (int i = 0; set->members[i]; i++) {
		int r = plan_one(p, set->members[i]);

		if (r == 0 && ckpt_member_folder(p->place->dirfd, set, set->members[i], folder))
			r = plan_one(p, folder);
		if (r < 0)
			return r;
	}
	return plan_seal(p);
}

static int plan(struct planning *p, struct ckpt_error *err)
{
	int r = -EEXIST;

	for (p->n = 0; r == -EEXIST && p->n < TRIES; p->n++) {
		ckpt_moved_done(p->moved);
		r = ckpt_moved_init(p->moved, p->set->name);
		if (r == 0)
			r = plan_with(p);
	}
	if (r < 0)
		return ckpt_fail(err, r, "no name for %s in quarantine: %s",
				 CKPT_QUOTE(p->set->name), strerror(-r));
	return 0;
}

static int make_room(const struct planning *p, struct ckpt_error *err)
{
	_cleanup_close_ int fd = -1;

	if (!p->below)
		return 0;
	fd = ckpt_dir_make(p->place->statefd, CKPT_CORRUPTED_DIR, err);
	return fd < 0 ? fd : 0;
}

static int put_away(const struct ckpt_place *place, const struct ckpt_set *set,
		    struct ckpt_error *err)
{
	_cleanup_moved_ struct ckpt_moved moved = { 0 };
	struct planning p = {
		.place = place, .set = set, .below = goes_below(place->dirfd, set), .moved = &moved
	};
	int r = make_room(&p, err);

	if (r == 0)
		r = plan(&p, err);
	if (r == 0)
		r = ckpt_journal_begin(place->statefd, &moved, err);
	if (r == 0)
		r = ckpt_moves_make(place, &moved, err);
	if (r < 0)
		return r;
	/* Without this entry the next one finds everything moved, and writes it. */
	ckpt_journal_note(place->statefd, "quarantine", &moved, NULL);
	return 0;
}

static int move_aside(struct ckpt_ctx *ctx, const struct ckpt_place *place,
		      const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_(ckpt_place_unlock) const struct ckpt_place *locked = NULL;
	int r = ckpt_place_lock(place, err);

	if (r != 0)
		return r;
	locked = place;
	r = ckpt_moves_recover(place, err);
	if (r == 0)
		r = check_members(place->dirfd, set, err);
	if (r == 0)
		r = check_writers(place->dirfd, set, err);
	if (r == 0)
		r = verify_again(ctx, set, set->report, err);
	return r == 0 ? put_away(place, set, err) : r;
}

int ckpt_quarantine(struct ckpt_ctx *ctx, int dirfd, int statefd, const struct ckpt_set *set,
		    struct ckpt_error *err)
{
	const struct ckpt_place place = { .dirfd = dirfd, .statefd = statefd };
	int r = check_report(set, false, err);

	return r ? r : move_aside(ctx, &place, set, err);
}

int ckpt_quarantine_unfinished(struct ckpt_ctx *ctx, int dirfd, int statefd,
			       const struct ckpt_set *set, struct ckpt_error *err)
{
	const struct ckpt_place place = { .dirfd = dirfd, .statefd = statefd };
	int r = check_report(set, true, err);

	return r ? r : move_aside(ctx, &place, set, err);
}
