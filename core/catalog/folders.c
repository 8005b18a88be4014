/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of folders and the table of their names.
 */
#include "core/catalog/folders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/catalog/names.h"

/* Where training programs put their runs. */
static const char *const known_folders[] = {
	"(run|runs|training|train)",
	"(checkpoint|checkpoints|ckpt|ckpts|weights)",
	"lightning_logs",
	"version_{n}",
	/* Coqui: NAME-June-01-2024_10+30AM-0000000 */
	"*-(january|february|march|april|may|june|july|august|september|october|november|december)"
	"-{d}-{y}_*",
	NULL,
};

/* Never runs, often large. */
static const char *const other_folders[] = {
	"wandb",	"tensorboard",
	"mlruns",	"__pycache__",
	"node_modules", "site-packages",
	"lost+found",	"(pretrained|tokenizer|dataset|datasets|corrupted)*",
	NULL,
};

static bool matches(const char *const *patterns, const char *name)
{
	struct ckpt_pattern_match m;

	while (*patterns && !ckpt_pattern_match(*patterns, name, &m))
		patterns++;
	return *patterns;
}

bool ckpt_folder_plausible(const char *name, bool known)
{
	char lower[CKPT_NAME_SIZE];
	size_t len;

	return ckpt_name_lower(name, lower, &len) &&
	       (known ? matches(known_folders, lower) : !matches(other_folders, lower));
}

int ckpt_folders_push(struct ckpt_folders *folders, const struct ckpt_folder *folder)
{
	int r = ckpt_array_grow(&folders->f, folders->n, &folders->cap, sizeof(*folders->f));

	if (!r)
		folders->f[folders->n++] = *folder;
	return r;
}

/* @parent and @name as one path, without slashes at its end. */
static const char *join(struct ckpt_pool *pool, const char *parent, const char *name)
{
	size_t a = strlen(parent), b = strlen(name);
	char *path = ckpt_pool_alloc(pool, a + b + 2);

	if (!path)
		return NULL;
	memcpy(path, parent, a);
	if (a && path[a - 1] != '/')
		path[a++] = '/';
	memcpy(path + a, name, b + 1);
	for (a += b; a > 1 && path[a - 1] == '/'; a--)
		path[a - 1] = '\0';
	return path;
}

int ckpt_folders_add(struct ckpt_folders *folders, struct ckpt_pool *pool,
		     const struct ckpt_folder *parent, const char *name)
{
	struct ckpt_folder folder = {
		.path = join(pool, parent ? parent->path : "", name),
		.depth = parent ? parent->depth + 1 : 0,
	};

	return folder.path ? ckpt_folders_push(folders, &folder) : -ENOMEM;
}

static int compare_age(const void *a, const void *b)
{
	const struct ckpt_folder *x = a, *y = b;

	if (x->mtime_ns != y->mtime_ns)
		return x->mtime_ns > y->mtime_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

void ckpt_folders_newest_first(struct ckpt_folders *folders)
{
	struct stat st;

	for (size_t i = 0; i < folders->n; i++) {
		folders->f[i].mtime_ns = INT64_MIN;
		if (!stat(folders->f[i].path, &st))
			folders->f[i].mtime_ns = ckpt_clock_ns(st.st_mtim);
	}
	if (folders->n)
		qsort(folders->f, folders->n, sizeof(*folders->f), compare_age);
}

void ckpt_folders_done(struct ckpt_folders *folders)
{
	free(folders->f);
	*folders = (struct ckpt_folders) { 0 };
}
