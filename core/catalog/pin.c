/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets for paths that a user names: the path decides, names only tell of which set the entry is a
 * member.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/catalog/build.h"
#include "core/catalog/rows.h"
#include "core/format/hpc/lammps.h"
#include "wire/text.h"

/* A path on its way to a set. */
struct pin {
	struct ckpt_catalog *cat;
	const char *dir; /* the pool's */
	char name[CKPT_NAME_SIZE];
	int fd; /* of dir */
	struct ckpt_name parsed;
};

/* Splits @path, slashes at its end ignored. 0; -EINVAL; -ENAMETOOLONG; -ENOMEM. */
static int split(struct pin *pin, const char *path)
{
	size_t end = strlen(path), begin;
	char dir[4096];

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/';)
		begin--;
	if (end - begin >= sizeof(pin->name) || begin >= sizeof(dir))
		return -ENAMETOOLONG;
	if (begin == end)
		return -EINVAL;
	memcpy(pin->name, path + begin, end - begin);
	pin->name[end - begin] = '\0';
	while (begin > 1 && path[begin - 1] == '/')
		begin--;
	memcpy(dir, path, begin);
	dir[begin] = '\0';
	pin->dir = ckpt_pool_intern(pin->cat->pool, dir);
	return pin->dir ? 0 : -ENOMEM;
}

/* Reads an entry that may belong to the set of @pin->parsed. */
static bool read_name(const struct pin *pin, const char *name, struct ckpt_name *ret)
{
	const char *why;

	if (pin->parsed.fold == CKPT_FOLD_BUNDLE)
		return !ckpt_name_parse_own_bundle(name, ret) && strcmp(ret->stem, name) != 0;
	return !ckpt_name_parse(name, false, ret, &why);
}

/* Whether an entry belongs to the set of @pin->parsed; where its ranks have files, to its series:
 * others tell which ranks there are. */
static bool belongs(const struct pin *pin, const struct ckpt_name *parsed)
{
	if (parsed->fold != pin->parsed.fold)
		return false;
	return parsed->fold == CKPT_FOLD_RANKS ? !strcmp(parsed->series, pin->parsed.series)
					       : !strcmp(parsed->stem, pin->parsed.stem);
}

/* Adds an entry; it may be of another set of the series than @set. */
static int add_member(struct pin *pin, const struct ckpt_set *set, const char *name,
		      const struct ckpt_name *parsed, struct ckpt_members *members)
{
	struct ckpt_set its = *set;

	if (parsed->fold == CKPT_FOLD_RANKS) {
		its.named = parsed->position;
		its.has_number = parsed->has_number;
		its.number = parsed->number;
	}
	return ckpt_members_add(pin->cat, members, name, parsed, &its);
}

/* Adds the entries of the directory that belong there. */
static int gather(struct pin *pin, const struct ckpt_set *set, struct ckpt_members *members)
{
	int fd = openat(pin->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct ckpt_name parsed;
	int r;

	if (!d)
		return -errno;
	while (errno = 0, (e = readdir(d))) {
		if (!read_name(pin, e->d_name, &parsed) || !belongs(pin, &parsed))
			continue;
		parsed.weak = parsed.part == CKPT_PART_META; /* its user says that it is one */
		r = add_member(pin, set, e->d_name, &parsed, members);
		if (r < 0)
			return r;
	}
	return -errno;
}

/* The same for the set of LAMMPS: what its base file's name makes of the directory. */
static int gather_parts(struct pin *pin, const struct ckpt_set *set, struct ckpt_members *members)
{
	_cleanup_members_ struct ckpt_members bases = { 0 };
	char base[2 * CKPT_NAME_SIZE];
	int r;

	ckpt_lammps_part(pin->parsed.stem, "base", base, sizeof(base));
	r = ckpt_members_add(pin->cat, &bases, base, &pin->parsed, set);
	if (!r)
		r = ckpt_parts_gather(pin->cat, pin->fd, &bases, members);
	if (!r && members->n == 0) /* its user says that it is one */
		r = ckpt_members_add(pin->cat, members, base, &pin->parsed, set);
	return r;
}

static int add_folded(struct pin *pin, const struct ckpt_set *set)
{
	_cleanup_members_ struct ckpt_members members = { 0 };
	int r = pin->parsed.fold == CKPT_FOLD_PARTS ? gather_parts(pin, set, &members)
						    : gather(pin, set, &members);
	size_t n;

	if (r < 0)
		return r;
	n = pin->cat->n_sets;
	r = pin->parsed.fold == CKPT_FOLD_RANKS
		    ? ckpt_members_fold_one(pin->cat, &members, pin->name)
		    : ckpt_members_fold(pin->cat, &members);
	return r || pin->cat->n_sets > n ? r : -ENOENT;
}

/* A name with '%' whose base file is there is that of a set of LAMMPS, whatever else it says. */
static bool is_percent(struct pin *pin)
{
	char base[2 * CKPT_NAME_SIZE];
	struct stat st;

	if (!ckpt_lammps_part(pin->name, "base", base, sizeof(base)) ||
	    fstatat(pin->fd, base, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (ckpt_name_parse_percent(pin->name, &pin->parsed) == 0)
		return true;
	ckpt_name_user(pin->name, false, &pin->parsed);
	pin->parsed.layout = CKPT_LAYOUT_LAMMPS_SET;
	pin->parsed.kind = CKPT_KIND_PREFIX;
	pin->parsed.fold = CKPT_FOLD_PARTS;
	pin->parsed.part = CKPT_PART_INDEX;
	snprintf(pin->parsed.stem, sizeof(pin->parsed.stem), "%s", pin->name);
	return true;
}

/* A name without an entry may still be a bundle's prefix or the missing index of shards. */
static int classify_absent(struct pin *pin)
{
	const char *why;

	if (is_percent(pin))
		return 0;
	if (!ckpt_name_parse(pin->name, false, &pin->parsed, &why) &&
	    pin->parsed.fold == CKPT_FOLD_SHARDS)
		return 0;
	return ckpt_name_parse_own_bundle(pin->name, &pin->parsed) ? -ENOENT : 0;
}

/* Whether the directory has data of the bundle @prefix. */
static bool has_data(const struct pin *pin, const char *prefix)
{
	int fd = openat(pin->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	const char *rest;

	while (d && (e = readdir(d)))
		if (ckpt_text_starts(e->d_name, prefix, &rest) && !strncmp(rest, ".data-", 6))
			return true;
	return false;
}

/* A member of a bundle whose name alone does not prove it: a SavedModel's, or what has data beside
 * it. */
static bool is_member(struct pin *pin)
{
	if (ckpt_name_parse_own_bundle(pin->name, &pin->parsed) != 0 ||
	    strcmp(pin->parsed.stem, pin->name) == 0)
		return false;
	return strcmp(pin->parsed.stem, "variables") == 0 || has_data(pin, pin->parsed.stem);
}

/* A base file with the first of the others beside it. */
static bool is_base(struct pin *pin)
{
	char part[2 * CKPT_NAME_SIZE];
	struct stat st;

	return ckpt_name_parse_base(pin->name, &pin->parsed) == 0 &&
	       ckpt_lammps_part(pin->parsed.stem, "0", part, sizeof(part)) &&
	       fstatat(pin->fd, part, &st, 0) == 0;
}

/* What the entry is: fills pin->parsed. 0, -ENOENT or an errno. */
static int classify(struct pin *pin)
{
	const char *why;
	struct stat st;
	bool is_dir;

	if (fstatat(pin->fd, pin->name, &st, 0) < 0)
		return errno == ENOENT ? classify_absent(pin) : -errno;
	is_dir = S_ISDIR(st.st_mode);
	if (S_ISREG(st.st_mode) && is_base(pin))
		return 0;
	if (ckpt_name_parse(pin->name, is_dir, &pin->parsed, &why) ||
	    (pin->parsed.fold == CKPT_FOLD_BUNDLE && pin->parsed.weak)) {
		if (!is_dir && is_member(pin))
			return 0;
		ckpt_name_user(pin->name, is_dir, &pin->parsed);
	}
	return 0;
}

/* The name that the entry's set has in a catalog; NULL where only its members tell. */
static const char *set_name(const struct pin *pin)
{
	switch (pin->parsed.fold) {
	case CKPT_FOLD_NONE:
		return pin->name;
	case CKPT_FOLD_BUNDLE:
	case CKPT_FOLD_SHARDS:
	case CKPT_FOLD_PARTS:
		return pin->parsed.stem;
	case CKPT_FOLD_RANKS:
		break;
	}
	return NULL;
}

/* A set of ranks that a scan found and that holds the entry. */
static struct ckpt_set *find_member(struct pin *pin)
{
	for (size_t i = 0; i < pin->cat->n_sets; i++) {
		struct ckpt_set *set = &pin->cat->sets[i];

		for (const char **m = set->members; *m && set->crew; m++) {
			if (!strcmp(*m, pin->name) && !strcmp(set->dir, pin->dir))
				return set;
		}
	}
	return NULL;
}

static struct ckpt_set *find_known(struct pin *pin)
{
	const char *name = set_name(pin);

	return name ? ckpt_catalog_find(pin->cat, pin->dir, name) : find_member(pin);
}

/* The run whose folder is the set's directory, or -1. */
static int run_of(const struct ckpt_catalog *cat, const char *dir)
{
	for (size_t i = 0; i < cat->n_runs; i++) {
		if (!strcmp(cat->runs[i].dir, dir))
			return (int)i;
	}
	return -1;
}

static int add_new(struct pin *pin)
{
	struct ckpt_set set;
	int r = ckpt_set_init(pin->cat, &pin->parsed, pin->dir, &set);

	if (r < 0)
		return r;
	set.run = run_of(pin->cat, pin->dir);
	if (pin->parsed.fold != CKPT_FOLD_NONE)
		return add_folded(pin, &set);
	set.name = ckpt_pool_copy(pin->cat->pool, pin->name);
	return set.name ? ckpt_catalog_add(pin->cat, &set) : -ENOMEM;
}

static int pin_path(struct pin *pin, const char *path, struct ckpt_set **ret)
{
	int r = split(pin, path);

	if (r < 0)
		return r;
	pin->fd = ckpt_dir_open(AT_FDCWD, pin->dir, NULL);
	if (pin->fd < 0)
		return pin->fd;
	r = classify(pin);
	if (r < 0)
		return r;
	*ret = find_known(pin);
	if (*ret)
		return 0;
	r = add_new(pin);
	if (!r)
		*ret = &pin->cat->sets[pin->cat->n_sets - 1];
	return r;
}

int ckpt_catalog_add_path(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *path,
			  struct ckpt_set **ret, struct ckpt_error *err)
{
	struct pin pin = { .cat = cat, .fd = -1 };
	struct ckpt_set *set = NULL;
	int r = ckpt_ctx_expired(ctx);

	if (r < 0)
		return ckpt_fail(err, r, "time ran out before looking at %s", CKPT_QUOTE(path));
	if (path[0] != '/' || ckpt_text_has_control(path))
		return ckpt_fail(err, -EINVAL, "%s is no absolute path without control characters",
				 CKPT_QUOTE(path));
	r = ckpt_catalog_reserve(cat, cat->pool ? 0 : 64);
	if (!r)
		r = pin_path(&pin, path, &set);
	ckpt_cleanup_close(&pin.fd);
	if (r == -ENOENT)
		return ckpt_fail(err, r, "%s does not exist", CKPT_QUOTE(path));
	if (r < 0)
		return ckpt_fail(err, r, "cannot look at %s: %s", CKPT_QUOTE(path), strerror(-r));
	*ret = set;
	return 0;
}
