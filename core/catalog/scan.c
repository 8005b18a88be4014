/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a requested directory and the run folders below it, breadth first, each directory once (by
 * device and inode, so a link to a parent ends). Nothing is opened but directories.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/dirents.h"
#include "core/catalog/build.h"
#include "core/catalog/folders.h"
#include "core/catalog/name_memo.h"
#include "wire/text.h"

#define CHECK_EVERY 1024 /* entries between two looks at the deadline */
#define NUMBERED "(checkpoint|step|epoch|global_step|iter)~{n}"

/* One scan under way. */
struct scan {
	struct ckpt_ctx *ctx;
	struct ckpt_catalog *cat;
	const struct ckpt_catalog_options *options;
	struct ckpt_error *err;
	int request;
	struct ckpt_folders queue; /* queue.f[at] is being read */
	size_t at;
	struct ckpt_name_memo memo;
};

/* The folder being read. */
struct reading {
	const struct ckpt_folder *folder;
	int fd;
	size_t first_set; /* of this folder */
	struct ckpt_members members;
	struct ckpt_members bases; /* of sets of LAMMPS */
	struct ckpt_folders below;
};

static int no_memory(struct scan *scan)
{
	return ckpt_fail(scan->err, -ENOMEM, "no memory for the list of checkpoints");
}

/* Passes @r on; the two errors of adding get their text here. */
static int added(struct scan *scan, int r)
{
	if (r == -E2BIG)
		return ckpt_fail(scan->err, r, "more than %d checkpoints in the run directories",
				 CKPT_SETS_MAX);
	return r == -ENOMEM ? no_memory(scan) : r;
}

static int skip(struct scan *scan, const char *dir, const char *name, enum ckpt_problem_code code,
		const char *why)
{
	return added(scan, ckpt_catalog_skip(scan->cat, &(struct ckpt_skipped) {
								.dir = dir,
								.name = name,
								.code = code,
								.why = why,
							}));
}

/* True if one of the patterns takes @name. */
static bool is_globbed(const char *globs, const char *name)
{
	char one[CKPT_NAME_SIZE * 4];

	while (globs && *globs) {
		size_t len = strcspn(globs, ":");

		if (len && len < sizeof(one)) {
			memcpy(one, globs, len);
			one[len] = '\0';
			if (!fnmatch(one, name, FNM_PERIOD))
				return true;
		}
		globs += len + (globs[len] == ':');
	}
	return false;
}

bool ckpt_catalog_globbed(const char *globs, const char *name)
{
	return globs && globs[strspn(globs, "*?:")] && is_globbed(globs, name);
}

/* S_IFDIR, S_IFREG or another type of @e, links followed; a dangling one counts as a file. */
static mode_t type_of(int fd, const struct dirent64 *e)
{
	struct stat st;

	if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
		return DTTOIF(e->d_type);
	return fstatat(fd, e->d_name, &st, 0) < 0 ? S_IFREG : st.st_mode & S_IFMT;
}

/* A link that leads nowhere now: what it was, its name alone tells. */
static bool dangles(int fd, const struct dirent64 *e)
{
	struct stat st;

	return (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN) &&
	       fstatat(fd, e->d_name, &st, 0) < 0;
}

/* Whether the directory @name has an entry of @pattern. */
static bool holds_any(const struct reading *rd, const char *name, const char *pattern)
{
	int fd = openat(rd->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct ckpt_pattern_match m;
	const struct dirent *e;
	char lower[CKPT_NAME_SIZE];
	size_t len;

	while (d && (e = readdir(d)))
		if (ckpt_name_lower(e->d_name, lower, &len) &&
		    ckpt_pattern_match(pattern, lower, &m))
			return true;
	return false;
}

/* Whether the directory @name has an entry of those between colons. */
static bool holds_one_of(const struct reading *rd, const char *name, const char *entries)
{
	char path[CKPT_NAME_SIZE + 64];
	struct stat st;

	while (*entries) {
		size_t len = strcspn(entries, ":");

		if ((size_t)snprintf(path, sizeof(path), "%s/%.*s", name, (int)len, entries) <
			    sizeof(path) &&
		    fstatat(rd->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
		entries += len + (entries[len] == ':');
	}
	return false;
}

/* Whether the directory @name has the entry that makes its name a checkpoint's. */
static bool holds(const struct reading *rd, const char *name, const char *entry)
{
	return strchr(entry, '{') ? holds_any(rd, name, entry) : holds_one_of(rd, name, entry);
}

/* Whether the directory @name has what only the writer of a set of shards, of a state or of arrays
 * leaves: then its name may say more freely which one it is. */
static bool is_marked(const struct reading *rd, const char *name)
{
	static const char *const marks[] = {
		"__0_0.distcp",
		"mp_rank_00_model_states.pt",
		"zero_pp_rank_0_mp_rank_00_model_states.pt",
		"mp_rank_00/model_optim_rng.pt",
		"random_states_0.pkl",
		"_CHECKPOINT_METADATA",
		"weights/common.pt", /* NeMo 2 */
		"weights/metadata.json",
		"model_and_optim/__0_0.distcp", /* OLMo-core */
		"model_and_optim/.metadata",
	};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (holds(rd, name, marks[i]))
			return true;
	return false;
}

/* Whether the optimizer has a directory of its own here: then the others are parts, too, of what
 * the folder around them is. */
static bool has_part(const struct reading *rd)
{
	static const char *const parts[] = { "optim", "optimizer", "optimizers", "opt",
					     "opt_state" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (is_marked(rd, parts[i]))
			return true;
	return false;
}

/* A directory by what it holds, where no row of the table knows its name. One with numbered ones in
 * it is a run's folder, whatever state was saved there, too. */
static int read_marked(struct scan *scan, const struct reading *rd, const char *name,
		       struct ckpt_name *ret)
{
	if (!ckpt_folder_plausible(name, false) || ckpt_name_marked(name, ret) ||
	    (ret->mistakable && scan->options->known_layouts_only))
		return CKPT_NAME_NONE; /* by the name alone: nothing is looked up */
	if (!is_marked(rd, name) || holds_any(rd, name, NUMBERED) ||
	    (ret->mistakable && has_part(rd)))
		return CKPT_NAME_NONE;
	return 0;
}

/* Reads the name by the rows, within what this place allows, then by the user's patterns. */
static int read_name(struct scan *scan, const struct reading *rd, const char *name, bool is_dir,
		     struct ckpt_name *ret, const char **ret_why)
{
	int r = ckpt_name_memo_parse(&scan->memo, name, is_dir, ret, ret_why);
	bool allowed;

	if (r > CKPT_NAME_NONE)
		return r;
	allowed = !r && !(ret->top_only && rd->folder->depth > 0) &&
		  !(ret->mistakable && scan->options->known_layouts_only) &&
		  (!ret->holds || holds(rd, name, ret->holds));
	if (allowed)
		return 0;
	if (name[0] == '.' || ckpt_text_ends(name, ".metadata.json"))
		return CKPT_NAME_NONE;
	if (!is_globbed(scan->options->glob, name))
		return is_dir ? read_marked(scan, rd, name, ret) : CKPT_NAME_NONE;
	if (r)
		ckpt_name_user(name, is_dir, ret);
	return 0;
}

static int add_candidate(struct scan *scan, struct reading *rd, const char *name,
			 const struct ckpt_name *parsed)
{
	struct ckpt_set set;
	int r;

	if (ckpt_text_has_control(name))
		return skip(scan, rd->folder->path, name, CKPT_PROBLEM_NONE,
			    "name holds control characters");
	r = ckpt_set_init(scan->cat, parsed, rd->folder->path, &set);
	if (r < 0)
		return added(scan, r);
	set.run = (int)scan->cat->n_runs;
	if (set.kind == CKPT_KIND_DIRECTORY && ckpt_catalog_globbed(scan->options->glob, name))
		ckpt_set_ask(&set);
	if (parsed->fold != CKPT_FOLD_NONE)
		return added(scan, ckpt_members_add(scan->cat, &rd->members, name, parsed, &set));
	set.name = ckpt_pool_copy(scan->cat->pool, name);
	return set.name ? added(scan, ckpt_catalog_add(scan->cat, &set)) : no_memory(scan);
}

/* A base file counts for what its own name says until its set is known. */
static int note_base(struct scan *scan, struct reading *rd, const char *name)
{
	struct ckpt_name parsed;
	struct ckpt_set set;
	int r;

	if (!strstr(name, "base") || ckpt_text_has_control(name) ||
	    ckpt_name_parse_base(name, &parsed) ||
	    (parsed.mistakable && scan->options->known_layouts_only))
		return 0;
	r = ckpt_set_init(scan->cat, &parsed, rd->folder->path, &set);
	set.run = (int)scan->cat->n_runs;
	if (r == 0)
		r = ckpt_members_add(scan->cat, &rd->bases, name, &parsed, &set);
	return added(scan, r);
}

static bool may_descend(const struct scan *scan, const struct reading *rd, const char *name)
{
	if (rd->folder->depth >= CKPT_FOLDERS_DEPTH || name[0] == '.')
		return false;
	return ckpt_folder_plausible(name, scan->options->known_layouts_only && !rd->folder->depth);
}

static int read_entry(struct scan *scan, struct reading *rd, const struct dirent64 *e)
{
	mode_t type = type_of(rd->fd, e);
	bool is_dir = S_ISDIR(type);
	struct ckpt_name parsed;
	const char *why;
	int r = S_ISREG(type) ? note_base(scan, rd, e->d_name) : 0;

	if (r < 0)
		return r;
	r = read_name(scan, rd, e->d_name, is_dir, &parsed, &why);
	if (r == CKPT_NAME_NONE && !is_dir && dangles(rd->fd, e) &&
	    read_name(scan, rd, e->d_name, true, &parsed, &why) == 0)
		r = 0;
	switch (r) {
	case CKPT_NAME_UNFINISHED:
		return skip(scan, rd->folder->path, e->d_name, CKPT_PROBLEM_UNFINISHED_NAME, why);
	case CKPT_NAME_QUARANTINED:
		return skip(scan, rd->folder->path, e->d_name, CKPT_PROBLEM_NONE, why);
	case CKPT_NAME_NONE:
		if (!is_dir || !may_descend(scan, rd, e->d_name))
			return 0;
		return added(scan,
			     ckpt_folders_add(&rd->below, scan->cat->pool, rd->folder, e->d_name));
	}
	if (!is_dir && !S_ISREG(type))
		return skip(scan, rd->folder->path, e->d_name, CKPT_PROBLEM_NONE,
			    "neither a file nor a directory");
	return add_candidate(scan, rd, e->d_name, &parsed);
}

static int read_entries(struct scan *scan, struct reading *rd)
{
	_cleanup_dirents_ struct ckpt_dirents *d = ckpt_dirents_new(rd->fd);
	const struct dirent64 *e;
	int r = d ? 0 : -ENOMEM;

	for (size_t n = 0; r == 0 && (r = ckpt_dirents_next(d, &e)) == 0; n++) {
		if (n % CHECK_EVERY == 0 && (r = ckpt_ctx_expired(scan->ctx)) < 0)
			return ckpt_fail(scan->err, r, "time ran out while reading %s",
					 CKPT_QUOTE(rd->folder->path));
		if (e->d_name[0] == '.')
			continue;
		scan->cat->n_entries++;
		r = read_entry(scan, rd, e);
		if (r < 0)
			return r;
	}
	return r < 0 ? ckpt_fail(scan->err, r, "cannot read directory %s: %s",
				 CKPT_QUOTE(rd->folder->path), strerror(-r))
		     : 0;
}

/* The folder becomes a run if it holds a set. */
static int note_run(struct scan *scan, const struct reading *rd)
{
	struct ckpt_catalog *cat = scan->cat;
	int r;

	if (cat->n_sets == rd->first_set)
		return 0;
	r = ckpt_array_grow(&cat->runs, cat->n_runs, &cat->pool->runs_cap, sizeof(*cat->runs));
	if (r < 0)
		return no_memory(scan);
	cat->runs[cat->n_runs++] =
		(struct ckpt_run) { .dir = rd->folder->path, .request = scan->request };
	return 0;
}

/* Queues the folder, unless it is somebody else's. */
static int queue_one(struct scan *scan, const struct ckpt_folder *folder)
{
	const struct ckpt_catalog_options *options = scan->options;

	if (options->is_others && options->is_others(options->arg, folder->path))
		return skip(scan, folder->path, "", CKPT_PROBLEM_NONE,
			    "the run directory of an array's task; --ckpt-dir= takes it");
	return ckpt_folders_push(&scan->queue, folder) < 0 ? no_memory(scan) : 0;
}

/* Queues the folders found below, the newest where not all have room. */
static int queue_below(struct scan *scan, struct reading *rd)
{
	size_t room = CKPT_FOLDERS_MAX - scan->queue.n;
	int r;

	if (rd->below.n > room) {
		ckpt_folders_newest_first(&rd->below);
		r = skip(scan, rd->folder->path, rd->below.f[room].path, CKPT_PROBLEM_NONE,
			 "more than 1024 folders: this one and older ones were not read");
		if (r < 0)
			return r;
		rd->below.n = room;
	}
	for (size_t i = 0; i < rd->below.n; i++) {
		r = queue_one(scan, &rd->below.f[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens the folder. Descriptor, or what ckpt_dir_open() said; -EALREADY when it was read before. */
static int open_folder(struct scan *scan, const struct ckpt_folder *folder)
{
	_cleanup_close_ int fd = ckpt_dir_open(AT_FDCWD, folder->path, scan->err);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return ckpt_fail(scan->err, -errno, "cannot stat %s: %s", CKPT_QUOTE(folder->path),
				 strerror(errno));
	r = ckpt_pool_visit(scan->cat->pool, st.st_dev, st.st_ino);
	if (r < 0)
		return no_memory(scan);
	return r ? -EALREADY : ckpt_take_fd(&fd);
}

/* Errors that are an answer for a folder below a requested one: it is no run folder of this user.
 */
static bool is_passable(int r)
{
	return r == -EACCES || r == -EPERM || r == -ENOENT || r == -ELOOP || r == -ENOTDIR ||
	       r == -ENAMETOOLONG;
}

static int read_folder_at(struct scan *scan, struct reading *rd)
{
	_cleanup_close_ int fd = rd->fd;
	int r = read_entries(scan, rd);

	if (!r)
		r = added(scan, ckpt_members_fold(scan->cat, &rd->members));
	if (!r)
		r = added(scan, ckpt_parts_fold(scan->cat, fd, &rd->bases, rd->first_set));
	if (!r)
		r = note_run(scan, rd);
	return r ? r : queue_below(scan, rd);
}

static int read_folder(struct scan *scan, const struct ckpt_folder *folder)
{
	struct reading rd = { .folder = folder, .first_set = scan->cat->n_sets };
	int r;

	if (folder->depth && ckpt_text_has_control(folder->path))
		return skip(scan, scan->queue.f[0].path, folder->path, CKPT_PROBLEM_NONE,
			    "name holds control characters");
	rd.fd = open_folder(scan, folder);
	if (rd.fd == -EALREADY)
		return 0;
	if (rd.fd < 0 && folder->depth && is_passable(rd.fd))
		return skip(scan, scan->queue.f[0].path, folder->path, CKPT_PROBLEM_IO,
			    "this folder cannot be entered");
	if (rd.fd < 0)
		return rd.fd;
	r = read_folder_at(scan, &rd);
	ckpt_members_done(&rd.members);
	ckpt_members_done(&rd.bases);
	ckpt_folders_done(&rd.below);
	return r;
}

static int read_queue(struct scan *scan)
{
	int r;

	for (scan->at = 0; scan->at < scan->queue.n; scan->at++) {
		struct ckpt_folder folder = scan->queue.f[scan->at]; /* the queue grows */

		r = read_folder(scan, &folder);
		if (r < 0)
			return r;
	}
	return 0;
}

int ckpt_catalog_scan(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *dir, int request,
		      const struct ckpt_catalog_options *options, struct ckpt_error *err)
{
	static const struct ckpt_catalog_options none;
	struct scan scan = {
		.ctx = ctx,
		.cat = cat,
		.options = options ? options : &none,
		.err = err,
		.request = request,
	};
	int r;

	if (dir[0] != '/' || ckpt_text_has_control(dir))
		return ckpt_fail(err, -EINVAL, "%s is no absolute path without control characters",
				 CKPT_QUOTE(dir));
	if (ckpt_catalog_reserve(cat, 0) < 0)
		return no_memory(&scan);
	r = added(&scan, ckpt_folders_add(&scan.queue, cat->pool, NULL, dir));
	if (!r)
		r = read_queue(&scan);
	ckpt_folders_done(&scan.queue);
	if (!r)
		r = ckpt_catalog_order(cat, err);
	return r ? r : added(&scan, ckpt_catalog_reserve(cat, 64));
}
