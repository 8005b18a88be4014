/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of LAMMPS. Which files belong together only the base file's name tells, since a number in a
 * name may be a step, a rank or the user's own: so the folder is read once more when one was found.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalog/build.h"
#include "wire/text.h"

/* The number in the place of @stem's '%' in @name, or CKPT_PART_INDEX for "base". */
static bool part_of(const char *stem, const char *name, int64_t *ret)
{
	const char *mark = strchr(stem, '%');
	size_t before = (size_t)(mark - stem), after = strlen(mark + 1), len = strlen(name);
	char no[24];

	if (len <= before + after || len - before - after >= sizeof(no) ||
	    memcmp(name, stem, before) != 0 || strcmp(name + len - after, mark + 1) != 0)
		return false;
	memcpy(no, name + before, len - before - after);
	no[len - before - after] = '\0';
	*ret = CKPT_PART_INDEX;
	return !strcmp(no, "base") || ckpt_text_int(no, 0, INT64_MAX, ret);
}

static int add_part(struct ckpt_catalog *cat, struct ckpt_members *members,
		    const struct ckpt_member *base, const char *name, int64_t part)
{
	struct ckpt_name parsed = { .fold = CKPT_FOLD_PARTS, .part = part };

	memcpy(parsed.stem, base->stem, strlen(base->stem) + 1);
	return ckpt_members_add(cat, members, name, &parsed, &base->set);
}

static int compare_stems(const void *a, const void *b)
{
	const struct ckpt_member *x = a, *y = b;

	return strcmp(x->stem, y->stem);
}

static const struct ckpt_member *find_base(const struct ckpt_members *bases, const char *stem)
{
	const struct ckpt_member key = { .stem = stem };

	return bsearch(&key, bases->m, bases->n, sizeof(key), compare_stems);
}

/* Adds @name to the set that it is a file of: each run of its digits may be the number. */
static int add_to_its_set(struct ckpt_catalog *cat, const struct ckpt_members *bases,
			  const char *name, struct ckpt_members *members)
{
	const struct ckpt_member *base;
	char stem[CKPT_NAME_SIZE + 1];
	size_t n;
	int64_t part;

	for (const char *p = name + strcspn(name, "0123456789"); *p;
	     p += n, p += strcspn(p, "0123456789")) {
		n = strspn(p, "0123456789");
		snprintf(stem, sizeof(stem), "%.*s%%%s", (int)(p - name), name, p + n);
		base = find_base(bases, stem);
		if (base && part_of(base->stem, name, &part))
			return add_part(cat, members, base, name, part);
	}
	return 0;
}

/* Offers the files of the directory, one by one. */
static int read_parts(struct ckpt_catalog *cat, int dirfd, const struct ckpt_members *bases,
		      struct ckpt_members *members)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d)
		return -errno;
	while (r == 0 && (errno = 0, (e = readdir(d)))) {
		if (e->d_name[0] != '.' && e->d_type != DT_DIR &&
		    strlen(e->d_name) < CKPT_NAME_SIZE)
			r = add_to_its_set(cat, bases, e->d_name, members);
	}
	return r ? r : -errno;
}

static int compare_names(const void *a, const void *b)
{
	const struct ckpt_member *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Takes those sets from @first on away that are files of @members (sorted by name here). */
static void absorb(struct ckpt_catalog *cat, struct ckpt_members *members, size_t first)
{
	size_t kept = first;

	qsort(members->m, members->n, sizeof(*members->m), compare_names);
	for (size_t i = first; i < cat->n_sets; i++) {
		const struct ckpt_member key = { .name = cat->sets[i].name };

		if (cat->sets[i].kind != CKPT_KIND_FILE ||
		    !bsearch(&key, members->m, members->n, sizeof(key), compare_names))
			cat->sets[kept++] = cat->sets[i];
	}
	cat->n_sets = kept;
}

/* Adds those base files that have a part among @members. */
static int add_bases(struct ckpt_catalog *cat, const struct ckpt_members *bases,
		     struct ckpt_members *members)
{
	_cleanup_free_ bool *whole = calloc(bases->n, sizeof(*whole));
	int r = whole ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < members->n; i++)
		whole[find_base(bases, members->m[i].stem) - bases->m] = true;
	for (size_t i = 0; r == 0 && i < bases->n; i++) {
		if (whole[i])
			r = add_part(cat, members, &bases->m[i], bases->m[i].name, CKPT_PART_INDEX);
	}
	return r;
}

int ckpt_parts_gather(struct ckpt_catalog *cat, int dirfd, struct ckpt_members *bases,
		      struct ckpt_members *members)
{
	int r;

	if (bases->n == 0)
		return 0;
	qsort(bases->m, bases->n, sizeof(*bases->m), compare_stems);
	r = read_parts(cat, dirfd, bases, members);
	return r ? r : add_bases(cat, bases, members);
}

int ckpt_parts_fold(struct ckpt_catalog *cat, int dirfd, struct ckpt_members *bases, size_t first)
{
	_cleanup_members_ struct ckpt_members members = { 0 };
	int r = ckpt_parts_gather(cat, dirfd, bases, &members);

	if (r < 0 || members.n == 0)
		return r;
	absorb(cat, &members, first);
	return ckpt_members_fold(cat, &members);
}
