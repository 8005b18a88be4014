/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a directory to its checkpoints: sets and series, by names alone. No file is opened and none
 * is stat'ed except what telling a file from a directory needs (d_type), so that 100,000 entries
 * cost one readdir. Whether a candidate's content agrees is the verifier's business.
 */
#ifndef CKPT_CORE_CATALOG_CATALOG_H
#define CKPT_CORE_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/format/format.h"

/* Which ranks the names of a set of ranks' files can be missing by themselves. */
enum ckpt_numbering {
	CKPT_RANKS_FROM_0,   /* each up to the highest */
	CKPT_RANKS_IN_A_ROW, /* each between the lowest and the highest: a node's own directory has
				the ranks of that node alone, and some count from 1 */
	CKPT_RANKS_ANY,	     /* none: others' are kept as copies */
};

enum ckpt_role {
	CKPT_ROLE_NUMBERED,
	CKPT_ROLE_LAST,
	CKPT_ROLE_BEST,
	CKPT_ROLE_NAMED,
	CKPT_ROLE_SUPERSEDED,
	CKPT_ROLE_PRETRAINED,
};

/* "numbered", "last", ... Never NULL. */
const char *ckpt_role_name(enum ckpt_role role);

/* Saves in a row by fewer ranks, after which these are all that there are. */
#define CKPT_CREW_AGREED 3

/* The ranks of a set of which each has a file. */
struct ckpt_crew {
	const char *name; /* of the set */
	enum ckpt_numbering numbering;
	int64_t total;	/* ranks that there are by the files' names, or 0 */
	size_t n;	/* files */
	int64_t rank[]; /* of each, ascending, as the set's members */
};

/* Two crews held against each other, rank by rank: begins as both and nothing else. */
struct ckpt_crew_walk {
	const struct ckpt_crew *crew, *elder;
	size_t own, at; /* ranks of @crew and of @elder that were gone past */
};

/* The next rank, ascending, of @walk->elder that @walk->crew has no file of. False: no more. */
bool ckpt_crew_next_lost(struct ckpt_crew_walk *walk, int64_t *ret_rank);

/* One checkpoint, before anything of it was read. Strings are owned by the catalog. */
struct ckpt_set {
	const char *dir;  /* absolute path of the directory it lies in */
	const char *name; /* entry, the bundle's prefix, the shards' index (there or not), the
			     lowest rank's file */
	enum ckpt_kind kind;
	enum ckpt_role role;
	const char *layout; /* name of the pattern or layout row: "tf-bundle", "model_N",
			       "hf-trainer" */
	const char *series; /* key: name with its numbers as '#', and the kind; unique within dir */
	struct ckpt_position named; /* numbers that the name holds, source CKPT_FROM_NAME */
	bool has_number; /* the name holds a number of unknown meaning: it orders the series,
			    nothing else */
	int64_t number;
	const struct ckpt_crew *crew;  /* each member is a checkpoint file of one rank, judged one
					  by one; else NULL */
	const struct ckpt_crew *elder; /* an older set of the series with ranks that this one lacks,
					  where it must have them; else NULL */
	bool usual_crew;	       /* the save before or after it has the same ranks */
	const char **members; /* names in dir that make up the set (the name itself for a file),
				 NULL-terminated */
	bool asked; /* a directory that its user calls a checkpoint (glob, a pin): of any layout */
	int run;    /* index into catalog.runs; -1: a pinned path outside of them */
	size_t trail;		      /* the resolver's: its last trail entry + 1; 0 = none */
	struct ckpt_report *report;   /* NULL until verified; owned */
	enum ckpt_level report_level; /* level at which the report was made */
	bool stale;		      /* it is to be made anew */
};

/* A name that looks like a checkpoint but does not count, and why. */
struct ckpt_skipped {
	const char *dir, *name;
	enum ckpt_problem_code
		code;	 /* UNFINISHED_NAME; IO: a folder that could not be read; else NONE */
	const char *why; /* static text */
};

/* One directory that was scanned: a run directory itself or a run folder below it. */
struct ckpt_run {
	const char *dir;
	int64_t mtime_ns; /* of its newest member; 0 unless runs have to be ordered */
	int request;	  /* index of the requested directory it was found under */
};

#define CKPT_SKIPPED_KEPT 256	    /* more would fill a trail that nobody reads */
#define CKPT_SETS_MAX (1024 * 1024) /* about 300 MB; beyond it a scan fails with -E2BIG */

struct ckpt_catalog {
	/* by run, then series; inside a series the highest step (else epoch, else number) first,
	 * then by name */
	struct ckpt_set *sets;
	size_t n_sets;
	struct ckpt_skipped *skipped; /* the first CKPT_SKIPPED_KEPT */
	size_t n_skipped;	      /* all of them: loops end at ckpt_catalog_skipped() */
	struct ckpt_run *runs;	      /* newest first */
	size_t n_runs;
	size_t n_entries;	/* directory entries seen, hidden ones aside */
	struct ckpt_pool *pool; /* owns the strings */
};

struct ckpt_catalog_options {
	const char *glob; /* further names that are checkpoints (fnmatch, ':' separated); NULL or ""
			     = none */
	bool known_layouts_only; /* searched by default: unmistakable names alone */
	/* Whether the folder @dir, below the one that is scanned, is somebody else's: it is not
	 * looked into, and said. NULL: none is. */
	bool (*is_others)(void *arg, const char *dir);
	void *arg;
};

/*
 * Adds the checkpoints of @dir (absolute; @request is the caller's index for it) to @cat (zeroed
 * before the first call). Looks into the directory, and where it holds run folders
 * (run/training/NAME/, NAME-DATE/ with checkpoints inside, lightning_logs/version_N/checkpoints)
 * into those, newest first, at most 3 levels and 1,024 folders. A directory that was scanned before
 * is not scanned again. A folder below that its user may not enter is skipped and said. 0; -ENOENT
 * when @dir is missing; -ENOTDIR; or another errno: could not find out, and @cat may hold a part.
 * Moves the sets: pointers to them end here.
 */
int ckpt_catalog_scan(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *dir, int request,
		      const struct ckpt_catalog_options *options, struct ckpt_error *err);

/* Entries of @cat->skipped that were kept. */
static inline size_t ckpt_catalog_skipped(const struct ckpt_catalog *cat)
{
	return cat->n_skipped < CKPT_SKIPPED_KEPT ? cat->n_skipped : CKPT_SKIPPED_KEPT;
}

/* Frees all of it, reports too. */
void ckpt_catalog_done(struct ckpt_catalog *cat);
#define _cleanup_catalog_ _cleanup_(ckpt_catalog_done)

/* Whether a pattern of @globs (as in ckpt_catalog_options; NULL: none) takes @name, and says more
 * than "all there is". */
bool ckpt_catalog_globbed(const char *globs, const char *name);

/* Notes that its user calls @set a checkpoint: what was found out of it before is to be found anew,
 * where that matters. */
void ckpt_set_ask(struct ckpt_set *set);

/* Finds the set with that name in @dir (NULL = any), or NULL. */
struct ckpt_set *ckpt_catalog_find(struct ckpt_catalog *cat, const char *dir, const char *name);

/*
 * The set of the absolute path @path (a pinned one): a file, a directory, a bundle's prefix, or any
 * member of a bundle or of shards, which stands for its set. One that a scan found is found again,
 * otherwise it is appended to @cat (the first 64 of these do not move the other sets). 0 with
 * *@ret; -ENOENT; -EINVAL for a path that is not absolute or holds control characters; or another
 * errno.
 */
int ckpt_catalog_add_path(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *path,
			  struct ckpt_set **ret, struct ckpt_error *err);

/* Identity of the set's primary entry (file, index file); of a directory, with its files' sizes and
 * latest times. 0 or an errno. */
int ckpt_set_identity(const struct ckpt_set *set, struct ckpt_identity *ret);

/* Sum of members' sizes (a directory's files), without reading them. 0 or an errno. */
int ckpt_set_size(const struct ckpt_set *set, uint64_t *ret);

#endif
