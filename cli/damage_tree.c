/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of a checkpoint's files. See damage_tree.h.
 */
#include "cli/damage_tree.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

/* More files than that are no checkpoint that somebody tries this on: a wrong path. */
#define MEMBERS_MAX 1000000

static const char seal_ending[] = ".metadata.json";

void ckpt_damage_tree_done(struct ckpt_damage_tree *tree)
{
	for (size_t i = 0; i < tree->n; i++)
		free(tree->members[i].path);
	free(tree->members);
	free(tree->path);
	memset(tree, 0, sizeof(*tree));
}

static int add(struct ckpt_damage_tree *tree, const char *path, size_t key_at,
	       const struct stat *st)
{
	struct ckpt_damage_member *m;

	if (tree->n >= MEMBERS_MAX)
		return -E2BIG;
	if (tree->n == tree->room) {
		size_t room = tree->room ? 2 * tree->room : 16;

		m = reallocarray(tree->members, room, sizeof(*m));
		if (!m)
			return -ENOMEM;
		tree->members = m;
		tree->room = room;
	}
	m = &tree->members[tree->n];
	m->path = strdup(path);
	if (!m->path)
		return -ENOMEM;
	m->key = m->path + (key_at < strlen(path) ? key_at : strlen(path));
	m->size = (uint64_t)st->st_size;
	m->ino = st->st_ino;
	m->dev = st->st_dev;
	m->mtime = st->st_mtim;
	tree->n++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct ckpt_damage_member *)a)->path,
		      ((const struct ckpt_damage_member *)b)->path);
}

static void cleanup_fts(FTS **fts)
{
	if (*fts)
		fts_close(*fts);
}

/* Never goes through a link to a directory, and never to another file system. */
static int walk(struct ckpt_damage_tree *tree, bool follow)
{
	char *const start[] = { tree->path, NULL };
	size_t key_at = strlen(tree->path) + 1;
	_cleanup_(cleanup_fts) FTS *fts =
		fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	struct stat st;
	FTSENT *e;
	int r = 0;

	while (r == 0 && fts && (errno = 0, e = fts_read(fts))) {
		if (e->fts_info == FTS_F)
			r = add(tree, e->fts_path, key_at, e->fts_statp);
		else if (e->fts_info == FTS_SL && follow && stat(e->fts_path, &st) == 0 &&
			 S_ISREG(st.st_mode))
			r = add(tree, e->fts_path, key_at, &st);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			r = -e->fts_errno;
	}
	return r != 0 ? r : -errno;
}

/* The names that PREFIX stands for: HEAD%TAIL is HEAD...TAIL, anything else PREFIX.* */
struct prefix {
	size_t dir_len; /* of the directory's path, with its slash */
	const char *name;
	size_t head;
	const char *tail;
	char separator; /* that has to follow the head, or NUL */
};

static struct prefix parse_prefix(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *percent = strchr(name, '%');

	return (struct prefix) {
		.dir_len = (size_t)(name - path),
		.name = name,
		.head = percent ? (size_t)(percent - name) : strlen(name),
		.tail = percent ? percent + 1 : "",
		.separator = percent ? '\0' : '.',
	};
}

static bool fits(const struct prefix *p, const char *name)
{
	if (strncmp(name, p->name, p->head) != 0 || strlen(name) <= p->head + strlen(p->tail))
		return false;
	return (!p->separator || name[p->head] == p->separator) && ckpt_text_ends(name, p->tail) &&
	       !ckpt_text_ends(name, seal_ending);
}

static int list_prefix(struct ckpt_damage_tree *tree)
{
	struct prefix p = parse_prefix(tree->path);
	_cleanup_free_ char *dir = p.dir_len ? strndup(tree->path, p.dir_len) : strdup("./");
	_cleanup_closedir_ DIR *d = dir ? opendir(dir) : NULL;
	char path[4096];
	struct dirent *e;
	struct stat st;
	int r = 0;

	if (!d)
		return dir ? -errno : -ENOMEM;
	while (r == 0 && (e = readdir(d))) {
		if (!fits(&p, e->d_name))
			continue;
		if (snprintf(path, sizeof(path), "%.*s%s", (int)p.dir_len, tree->path, e->d_name) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
			r = add(tree, path, p.dir_len + p.head, &st);
	}
	return r == 0 && tree->n == 0 ? -ENOENT : r;
}

static int list_shape(struct ckpt_damage_tree *tree, bool follow)
{
	struct stat st;

	if ((follow ? stat(tree->path, &st) : lstat(tree->path, &st)) != 0) {
		tree->shape = CKPT_DAMAGE_PREFIX;
		return errno == ENOENT ? list_prefix(tree) : -errno;
	}
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (S_ISDIR(st.st_mode)) {
		tree->shape = CKPT_DAMAGE_DIRECTORY;
		return walk(tree, follow);
	}
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return add(tree, tree->path, strlen(tree->path), &st);
}

int ckpt_damage_tree_list(const char *path, bool follow, struct ckpt_damage_tree *ret,
			  struct ckpt_error *err)
{
	_cleanup_tree_ struct ckpt_damage_tree tree = { .path = strdup(path) };
	size_t len = strlen(path);
	int r;

	if (!tree.path)
		return ckpt_fail(err, -ENOMEM, "out of memory");
	while (len > 1 && tree.path[len - 1] == '/')
		tree.path[--len] = '\0';
	r = list_shape(&tree, follow);
	if (r != 0)
		return ckpt_fail(err, r, "%s: %s", CKPT_QUOTE(path),
				 r == -ELOOP ? "a symbolic link" : strerror(-r));
	if (tree.n > 1)
		qsort(tree.members, tree.n, sizeof(*tree.members), by_path);
	*ret = tree;
	tree = (struct ckpt_damage_tree) { 0 };
	return 0;
}

const struct ckpt_damage_member *ckpt_damage_tree_find(const struct ckpt_damage_tree *tree,
						       const char *key)
{
	for (size_t i = 0; i < tree->n; i++)
		if (strcmp(tree->members[i].key, key) == 0)
			return &tree->members[i];
	return NULL;
}
