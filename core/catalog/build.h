/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the parts of the catalog (scan, fold, runs, pins) build it together; nobody else includes
 * this.
 */
#ifndef CKPT_CORE_CATALOG_BUILD_H
#define CKPT_CORE_CATALOG_BUILD_H

#include "core/catalog/catalog.h"
#include "core/catalog/names.h"
#include "core/catalog/pool.h"

/* A member of a set on its way to be folded. Strings are the pool's. */
struct ckpt_member {
	const char *name, *stem;
	enum ckpt_fold fold;
	int64_t part;
	bool weak;
	enum ckpt_numbering numbering;
	int64_t ranks;	     /* that there are by the name, or 0 */
	struct ckpt_set set; /* what its name says of the set */
};

/* The members of one folder. */
struct ckpt_members {
	struct ckpt_member *m;
	size_t n, cap;
};

/* Frees the list, not the strings. */
void ckpt_members_done(struct ckpt_members *members);
#define _cleanup_members_ _cleanup_(ckpt_members_done)

/* Gives @cat its pool and reserves room for @more sets without moving. 0, -ENOMEM or -E2BIG. */
int ckpt_catalog_reserve(struct ckpt_catalog *cat, size_t more);

/* Fills @ret with what @name says, in @dir (the pool's) of run @run; members are left to the
 * caller. 0 or -ENOMEM. */
int ckpt_set_init(struct ckpt_catalog *cat, const struct ckpt_name *name, const char *dir,
		  struct ckpt_set *ret);

/* Appends a set; it has one member, its name, unless it has members already. 0, -ENOMEM or -E2BIG.
 */
int ckpt_catalog_add(struct ckpt_catalog *cat, const struct ckpt_set *set);

/* Counts, and keeps while there is room, a name that was skipped; @dir is the pool's. 0 or -ENOMEM.
 */
int ckpt_catalog_skip(struct ckpt_catalog *cat, const struct ckpt_skipped *skipped);

/* Notes @name, a member by @parsed, of @set. 0 or -ENOMEM. */
int ckpt_members_add(struct ckpt_catalog *cat, struct ckpt_members *members, const char *name,
		     const struct ckpt_name *parsed, const struct ckpt_set *set);

/*
 * Adds the files of the sets of LAMMPS whose base files @bases are (sorted here) to @members: of
 * the entries of the directory @dirfd those that have a number in the place of a stem's '%', and
 * the base. A base without any other is no set: nothing is added. 0 or an errno.
 */
int ckpt_parts_gather(struct ckpt_catalog *cat, int dirfd, struct ckpt_members *bases,
		      struct ckpt_members *members);

/*
 * Makes sets of the base files @bases of one folder and of the files that belong to them, which
 * were added as sets of their own from @first on: these go. Reads the directory @dirfd once more
 * where there is a base. 0, -ENOMEM, -E2BIG or another errno.
 */
int ckpt_parts_fold(struct ckpt_catalog *cat, int dirfd, struct ckpt_members *bases, size_t first);

/* Makes sets of all members and appends them. 0, -ENOMEM or -E2BIG. */
int ckpt_members_fold(struct ckpt_catalog *cat, struct ckpt_members *members);

/* Appends, of the sets that all members make up, the one that has the member @name, judged against
 * the others as ckpt_crews_compare() does. 0, -ENOENT, -ENOMEM or -E2BIG. */
int ckpt_members_fold_one(struct ckpt_catalog *cat, struct ckpt_members *members, const char *name);

/*
 * Gives those of the sorted @sets an elder that lack ranks which the last whole older set of their
 * series has. A smaller crew is believed from CKPT_CREW_AGREED saves in a row on that have the
 * same ranks: then a run goes on with fewer. (A rank begins to write one save when its last is
 * finished and all have met in the next step, so no more than two are cut short by one end.) Names
 * that tell how many ranks there are need no elder.
 */
void ckpt_crews_compare(struct ckpt_set *sets, size_t n);

/* Orders the runs, newest member first, and sorts the sets. 0 or an errno. */
int ckpt_catalog_order(struct ckpt_catalog *cat, struct ckpt_error *err);

#endif
