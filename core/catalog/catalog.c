/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalog as a container: appending, finding, sizes and identities of its sets.
 */
#include "core/catalog/catalog.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/catalog/build.h"
#include "core/catalog/rows.h"
#include "core/format/hpc/lammps.h"

#define IDENTITY_FILES 4096 /* of a directory that are looked at: ranks of a large job */

#define PINNED_ROOM 64 /* sets that can be appended after a scan without moving the others */
#define SIZE_DEPTH 8   /* folders inside a checkpoint directory: Orbax and accelerate have 3 */
#define SIZE_FILES                                                                                 \
	262144 /* files of one checkpoint: shards of the largest runs are some ten thousand */

const char *ckpt_role_name(enum ckpt_role role)
{
	switch (role) {
	case CKPT_ROLE_NUMBERED:
		return "numbered";
	case CKPT_ROLE_LAST:
		return "last";
	case CKPT_ROLE_BEST:
		return "best";
	case CKPT_ROLE_NAMED:
		return "named";
	case CKPT_ROLE_SUPERSEDED:
		return "superseded";
	case CKPT_ROLE_PRETRAINED:
		return "pretrained";
	}
	return "unknown";
}

void ckpt_catalog_done(struct ckpt_catalog *cat)
{
	for (size_t i = 0; i < cat->n_sets; i++)
		free(cat->sets[i].report);
	free(cat->sets);
	free(cat->skipped);
	free(cat->runs);
	ckpt_pool_free(cat->pool);
	*cat = (struct ckpt_catalog) { 0 };
}

int ckpt_catalog_reserve(struct ckpt_catalog *cat, size_t more)
{
	size_t want = cat->n_sets + more;
	struct ckpt_set *sets;

	if (!cat->pool)
		cat->pool = ckpt_pool_new();
	if (!cat->pool)
		return -ENOMEM;
	if (cat->n_sets >= CKPT_SETS_MAX)
		return -E2BIG;
	if (want <= cat->pool->sets_cap)
		return 0;
	want += cat->n_sets + PINNED_ROOM;
	sets = reallocarray(cat->sets, want, sizeof(*sets));
	if (!sets)
		return -ENOMEM;
	cat->sets = sets;
	cat->pool->sets_cap = want;
	return 0;
}

int ckpt_set_init(struct ckpt_catalog *cat, const struct ckpt_name *name, const char *dir,
		  struct ckpt_set *ret)
{
	*ret = (struct ckpt_set) {
		.dir = dir,
		.kind = name->kind,
		.role = name->role,
		.layout = name->layout,
		.series = ckpt_pool_intern(cat->pool, name->series),
		.named = name->position,
		.has_number = name->has_number,
		.number = name->number,
		.run = -1,
	};
	return ret->series ? 0 : -ENOMEM;
}

int ckpt_catalog_add(struct ckpt_catalog *cat, const struct ckpt_set *set)
{
	int r = ckpt_catalog_reserve(cat, 1);
	struct ckpt_set *added;

	if (r < 0)
		return r;
	added = &cat->sets[cat->n_sets];
	*added = *set;
	if (!added->members) {
		added->members = ckpt_pool_alloc(cat->pool, 2 * sizeof(*added->members));
		if (!added->members)
			return -ENOMEM;
		added->members[0] = added->name;
		added->members[1] = NULL;
	}
	cat->n_sets++;
	return 0;
}

void ckpt_set_ask(struct ckpt_set *set)
{
	if (set->asked || set->kind != CKPT_KIND_DIRECTORY)
		return;
	set->asked = true;
	set->stale = set->report != NULL;
}

int ckpt_catalog_skip(struct ckpt_catalog *cat, const struct ckpt_skipped *skipped)
{
	struct ckpt_skipped *kept;
	int r;

	if (cat->n_skipped >= CKPT_SKIPPED_KEPT) {
		cat->n_skipped++;
		return 0;
	}
	r = ckpt_array_grow(&cat->skipped, cat->n_skipped, &cat->pool->skipped_cap,
			    sizeof(*cat->skipped));
	if (r < 0)
		return r;
	kept = &cat->skipped[cat->n_skipped];
	*kept = *skipped;
	kept->name = ckpt_pool_copy(cat->pool, skipped->name);
	if (!kept->name)
		return -ENOMEM;
	cat->n_skipped++;
	return 0;
}

struct ckpt_set *ckpt_catalog_find(struct ckpt_catalog *cat, const char *dir, const char *name)
{
	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_set *set = &cat->sets[i];

		if (!strcmp(set->name, name) && (!dir || !strcmp(set->dir, dir)))
			return set;
	}
	return NULL;
}

/* The entry that stands for the set: a bundle's is the index, of LAMMPS' sets the base file. */
static const char *primary(const struct ckpt_set *set, char *buf, size_t size)
{
	if (set->kind != CKPT_KIND_PREFIX)
		return set->name;
	if (set->layout && !strcmp(set->layout, CKPT_LAYOUT_LAMMPS_SET) &&
	    ckpt_lammps_part(set->name, "base", buf, size))
		return buf;
	snprintf(buf, size, "%s.index", set->name);
	return buf;
}

/* A directory's own times do not tell that a file in it was written over: the files' do. */
static int fold_files(int parent, const char *name, struct ckpt_identity *id)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct ckpt_identity file;
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	for (int n = 0; n < IDENTITY_FILES && (e = readdir(d)); n++) {
		if (e->d_name[0] == '.' || ckpt_identity_at(fd, e->d_name, true, &file) < 0)
			continue;
		id->size += file.size;
		if (file.mtime_ns > id->mtime_ns)
			id->mtime_ns = file.mtime_ns;
		if (file.ctime_ns > id->ctime_ns)
			id->ctime_ns = file.ctime_ns;
	}
	return 0;
}

int ckpt_set_identity(const struct ckpt_set *set, struct ckpt_identity *ret)
{
	char buf[2 * CKPT_NAME_SIZE];
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	int r = dirfd;

	if (r >= 0)
		r = ckpt_identity_at(dirfd, primary(set, buf, sizeof(buf)), true, ret);
	if (r == 0 && set->kind == CKPT_KIND_DIRECTORY)
		r = fold_files(dirfd, set->name, ret);
	return r;
}

/* A sum of sizes under way. */
struct sizer {
	uint64_t bytes, files;
};

static int add_entry(struct sizer *sizer, int dirfd, const char *name, int depth);

static int add_folder(struct sizer *sizer, int fd, int depth)
{
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	const struct dirent *e;
	int r;

	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (errno = 0, (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		r = add_entry(sizer, dirfd(d), e->d_name, depth);
		if (r < 0)
			return r;
	}
	return -errno;
}

/* Links count with what they point at; a linked folder is not walked. */
static int add_entry(struct sizer *sizer, int dirfd, const char *name, int depth)
{
	struct stat st;
	int fd;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode)) {
		sizer->bytes += (uint64_t)st.st_size;
		return ++sizer->files > SIZE_FILES ? -E2BIG : 0;
	}
	if (!S_ISDIR(st.st_mode) || depth >= SIZE_DEPTH)
		return 0;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (depth ? O_NOFOLLOW : 0));
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? 0 : -errno;
	return add_folder(sizer, fd, depth + 1);
}

int ckpt_set_size(const struct ckpt_set *set, uint64_t *ret)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	struct sizer sizer = { 0 };
	int r;

	if (dirfd < 0)
		return dirfd;
	for (const char **m = set->members; *m; m++) {
		r = add_entry(&sizer, dirfd, *m, 0);
		if (r < 0)
			return r;
	}
	*ret = sizer.bytes;
	return 0;
}
