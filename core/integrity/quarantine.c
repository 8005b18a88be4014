/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See quarantine.h. Between the entry before and the entry after, members are renamed one by one;
 * whoever comes next finds the first entry without the second and puts everything back, or, where
 * nothing was left to move, writes the second.
 */
#include "core/integrity/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/integrity/journal.h"
#include "core/integrity/verify.h"
#include "core/record/backup.h"
#include "core/record/ledger.h"
#include "wire/text.h"

#define TRIES 100 /* quarantines of one name that stay there */

/* Where it happens. */
struct place {
	int dirfd, statefd;
};

static bool in_state_dir(const char *to)
{
	return ckpt_text_starts(to, CKPT_CORRUPTED_DIR "/", NULL);
}

static int fd_of(const struct place *place, const char *to)
{
	return in_state_dir(to) ? place->statefd : place->dirfd;
}

static bool is_there(const struct place *place, const struct ckpt_move *move)
{
	return ckpt_dir_has(fd_of(place, move->to), move->to);
}

static int move_there(const struct place *place, const struct ckpt_move *move)
{
	return ckpt_rename_new(place->dirfd, move->from, fd_of(place, move->to), move->to);
}

static int move_back(const struct place *place, const struct ckpt_move *move)
{
	return ckpt_rename_new(fd_of(place, move->to), move->to, place->dirfd, move->from);
}

/* What was renamed lasts before the ledger says so. */
static void sync_place(const struct place *place)
{
	_cleanup_close_ int fd = openat(place->statefd, CKPT_CORRUPTED_DIR,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		fsync(fd);
	fsync(place->dirfd);
}

/* Moves back what is away and not in the way of anything. 0, or the first errno but -EEXIST. */
static int move_all_back(const struct place *place, const struct ckpt_moved *moved)
{
	int result = 0;

	for (size_t i = moved->n; i > 0; i--) {
		const struct ckpt_move *move = &moved->moves[i - 1];
		int r = is_there(place, move) ? move_back(place, move) : 0;

		if (r < 0 && r != -EEXIST && result == 0)
			result = r;
	}
	sync_place(place);
	return result;
}

static bool all_moved(const struct place *place, const struct ckpt_moved *moved)
{
	for (size_t i = 0; i < moved->n; i++)
		if (!is_there(place, &moved->moves[i]) ||
		    ckpt_dir_has(place->dirfd, moved->moves[i].from))
			return false;
	return moved->n > 0;
}

/* Ends what a killed one left half done. */
static int recover_one(const struct place *place, const struct ckpt_moved *moved,
		       struct ckpt_error *err)
{
	bool releasing = moved->state == CKPT_MOVED_RELEASING;
	int r;

	if (moved->state == CKPT_MOVED_DONE)
		return 0;
	if (!releasing && all_moved(place, moved))
		return ckpt_journal_note(place->statefd, "quarantine", moved, err);
	r = move_all_back(place, moved);
	if (r < 0)
		return ckpt_fail(err, r, "cannot undo the half-done quarantine of %s: %s",
				 CKPT_QUOTE(moved->set), strerror(-r));
	return ckpt_journal_note(place->statefd, releasing ? "release" : "quarantine-undone", moved,
				 err);
}

static int recover(const struct place *place, struct ckpt_error *err)
{
	_cleanup_journal_ struct ckpt_journal journal = { 0 };
	int r = ckpt_journal_load(place->statefd, &journal, err);

	for (size_t i = 0; r == 0 && i < journal.n; i++)
		r = recover_one(place, &journal.sets[i], err);
	return r;
}

/* Keeps others out. File systems without such locks are taken as they are: the journal still undoes
 * a clash. */
static int lock_place(const struct place *place, struct ckpt_error *err)
{
	if (flock(place->statefd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return ckpt_fail(err, -EAGAIN, "another quarantine or release is under way");
	return 0;
}

static void unlock(const struct place **place)
{
	if (*place)
		flock((*place)->statefd, LOCK_UN);
}

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

static int check_report(const struct ckpt_set *set, const struct ckpt_report *report,
			struct ckpt_error *err)
{
	if (!report || report->verdict.status != CKPT_CORRUPT)
		return refused(err, set, "only what is proved corrupt is moved");
	if (report->verdict.problem.code >= CKPT_PROBLEM_COUNT ||
	    !is_damage[report->verdict.problem.code])
		return refused(err, set,
			       "its problem is no damage of its bytes (a part may lie elsewhere, "
			       "or its writer is not done)");
	return 0;
}

/* A member has to be what it seems: no link to something else, no path. 0, REFUSED or an errno. */
static int check_member(int dirfd, const struct ckpt_set *set, const char *name,
			struct ckpt_error *err)
{
	mode_t type = set->kind == CKPT_KIND_DIRECTORY ? S_IFDIR : S_IFREG;
	struct stat st;

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refused(err, set, "a member lies outside of its directory");
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return refused(err, set, "a member is missing: it may lie on another node");
	else if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ckpt_fail(err, -errno, "cannot look up %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	if ((st.st_mode & S_IFMT) != type)
		return refused(err, set, "a member is a link or of another type");
	return 0;
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

/* Where member @name goes at the @n'th try. False if the name gets too long. */
static bool destination(const struct ckpt_set *set, const char *name, int n, char to[PATH_MAX])
{
	bool directory = set->kind == CKPT_KIND_DIRECTORY;
	char number[16] = "";
	int len;

	if (n > 0)
		snprintf(number, sizeof(number), ".%d", n);
	len = snprintf(to, PATH_MAX, "%s%s%s%s", directory ? CKPT_CORRUPTED_DIR "/" : "", name,
		       directory ? "" : CKPT_CORRUPTED_SUFFIX, number);
	return len > 0 && len - (directory ? (int)sizeof(CKPT_CORRUPTED_DIR) : 0) <= NAME_MAX;
}

/* Fills @moved with the @n'th destinations. 0; -EEXIST when one is taken; or an errno. */
static int plan_with(const struct place *place, const struct ckpt_set *set, int n,
		     struct ckpt_moved *moved)
{
	char to[PATH_MAX];

	for (int i = 0; set->members[i]; i++) {
		if (!destination(set, set->members[i], n, to))
			return -ENAMETOOLONG;
		if (ckpt_dir_has(fd_of(place, to), to))
			return -EEXIST;
		if (ckpt_moved_add(moved, set->members[i], to) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int plan(const struct place *place, const struct ckpt_set *set, struct ckpt_moved *ret,
		struct ckpt_error *err)
{
	int r = -EEXIST;

	for (int n = 0; r == -EEXIST && n < TRIES; n++) {
		ckpt_moved_done(ret);
		r = ckpt_moved_init(ret, set->name);
		if (r == 0)
			r = plan_with(place, set, n, ret);
	}
	if (r < 0)
		return ckpt_fail(err, r, "no name for %s in quarantine: %s", CKPT_QUOTE(set->name),
				 strerror(-r));
	return 0;
}

static int make_room(const struct place *place, const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_close_ int fd = -1;

	if (set->kind != CKPT_KIND_DIRECTORY)
		return 0;
	fd = ckpt_dir_make(place->statefd, CKPT_CORRUPTED_DIR, err);
	return fd < 0 ? fd : 0;
}

/* Moves all members, or none. */
static int move_all(const struct place *place, const struct ckpt_moved *moved,
		    struct ckpt_error *err)
{
	for (size_t i = 0; i < moved->n; i++) {
		int r = move_there(place, &moved->moves[i]);

		if (r == 0)
			continue;
		ckpt_fail(err, r, "cannot rename %s: %s", CKPT_QUOTE(moved->moves[i].from),
			  strerror(-r));
		if (move_all_back(place, moved) == 0)
			ckpt_journal_note(place->statefd, "quarantine-undone", moved, NULL);
		return r;
	}
	sync_place(place);
	return 0;
}

static int put_away(const struct place *place, const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_moved_ struct ckpt_moved moved = { 0 };
	int r = make_room(place, set, err);

	if (r == 0)
		r = plan(place, set, &moved, err);
	if (r == 0)
		r = ckpt_journal_begin(place->statefd, &moved, err);
	if (r == 0)
		r = move_all(place, &moved, err);
	if (r < 0)
		return r;
	/* Without this entry the next one finds everything moved, and writes it. */
	ckpt_journal_note(place->statefd, "quarantine", &moved, NULL);
	return 0;
}

int ckpt_quarantine(struct ckpt_ctx *ctx, int dirfd, int statefd, const struct ckpt_set *set,
		    const struct ckpt_report *first, struct ckpt_error *err)
{
	const struct place place = { .dirfd = dirfd, .statefd = statefd };
	_cleanup_(unlock) const struct place *locked = NULL;
	int r = check_report(set, first, err);

	if (r == 0)
		r = lock_place(&place, err);
	if (r != 0)
		return r;
	locked = &place;
	r = recover(&place, err);
	if (r == 0)
		r = check_members(dirfd, set, err);
	if (r == 0)
		r = verify_again(ctx, set, first, err);
	return r == 0 ? put_away(&place, set, err) : r;
}

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
static int check_way_back(const struct place *place, const struct ckpt_moved *moved,
			  struct ckpt_error *err)
{
	size_t away = 0;

	for (size_t i = 0; i < moved->n; i++) {
		const struct ckpt_move *move = &moved->moves[i];

		if (!is_there(place, move))
			continue;
		away++;
		if (ckpt_dir_has(place->dirfd, move->from))
			return ckpt_fail(err, -EEXIST,
					 "%s exists: move it away to release the one in quarantine",
					 CKPT_QUOTE(move->from));
	}
	return away ? 0 : CKPT_QUARANTINE_NOTHING;
}

static int release(const struct place *place, const struct ckpt_moved *moved,
		   struct ckpt_error *err)
{
	int r = check_way_back(place, moved, err);

	if (r != 0)
		return r;
	r = ckpt_journal_note(place->statefd, "release-begin", moved, err);
	if (r < 0)
		return r;
	r = move_all_back(place, moved);
	if (r < 0)
		return ckpt_fail(err, r, "cannot release %s: %s", CKPT_QUOTE(moved->set),
				 strerror(-r));
	ckpt_journal_note(place->statefd, "release", moved, NULL); /* else the next one writes it */
	return 0;
}

/* What no ledger knows of: renamed by hand, or the ledger is gone. */
static int release_plain(const struct place *place, const char *name, struct ckpt_error *err)
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

static int release_named(const struct place *place, const char *name, struct ckpt_error *err)
{
	_cleanup_journal_ struct ckpt_journal journal = { 0 };
	int r = recover(place, err);

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
	const struct place place = { .dirfd = dirfd, .statefd = statefd };
	_cleanup_(unlock) const struct place *locked = NULL;
	int r = lock_place(&place, err);

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
