/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See orbax_names.h. A value's key is the array's name and the chunk's place in it: "a.b/0.1"
 * (zarr), "a.b/c/0/1" (zarr 3).
 */
#include "core/format/jax/orbax_names.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/format/jax/ocdbt.h"

#define NAME_SIZE 256

struct asked {
	const struct ckpt_extent *extent;
	struct ckpt_names *names;
	char last[NAME_SIZE]; /* array that was named; keys come in order */
};

/* The key without what says which chunk it is. */
static void array_name(const char *key, size_t n, char *ret)
{
	const char *slash = memrchr(key, '/', n);
	size_t rest = n;

	while (rest > 0 && strchr("0123456789/", key[rest - 1]))
		rest--;
	if (rest > 2 && key[rest - 1] == 'c' && key[rest - 2] == '/')
		n = rest - 2;
	else if (slash)
		n = (size_t)(slash - key);
	snprintf(ret, NAME_SIZE, "%.*s", n < NAME_SIZE ? (int)n : NAME_SIZE - 1, key);
}

static int on_value(void *arg, const struct ckpt_ocdbt_value *value)
{
	struct asked *a = arg;
	char name[NAME_SIZE];

	if (!value->file || strcmp(value->file->name, a->extent->file) != 0 ||
	    !ckpt_extent_meets(a->extent, value->off, value->off + value->len))
		return 0;
	array_name(value->key, value->n_key, name);
	if (strcmp(name, a->last) == 0)
		return 0;
	memcpy(a->last, name, sizeof(name));
	ckpt_names_offer(a->names, a->extent, value->off, value->off + value->len, name);
	return 0;
}

static int ask_tree(struct ckpt_check *check, struct asked *a)
{
	const struct ckpt_problem *p = &check->report->verdict.problem;
	struct stat st = { .st_size = 0 };
	struct ckpt_ocdbt_job job = { .check = check, .prefix = "", .value = on_value, .arg = a };
	int r;

	/* what nodes may decode to goes by the size of what there is to name */
	if (fstatat(check->dirfd, a->extent->file, &st, 0) == 0 && st.st_size > 0)
		job.bytes = (uint64_t)st.st_size;
	r = ckpt_ocdbt_tree(&job);
	if (r <= 0)
		return r;
	*a->names = (struct ckpt_names) { .n = 0 };
	if (strcmp(p->file, a->extent->file) == 0 &&
	    (p->offset == CKPT_NO_OFFSET || ckpt_extent_meets(a->extent, p->offset, p->offset + 1)))
		ckpt_names_offer(a->names, a->extent, 0, UINT64_MAX, "the tree");
	return 0;
}

int ckpt_orbax_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		  struct ckpt_names *names)
{
	struct asked a = { .extent = extent, .names = names };
	const char *slash = strrchr(extent->file, '/');
	char folder[NAME_SIZE];

	if (faccessat(check->dirfd, CKPT_OCDBT_MANIFEST, F_OK, 0) == 0)
		return ask_tree(check, &a);
	if (!slash || (size_t)(slash - extent->file) >= sizeof(folder))
		return 0;
	array_name(extent->file, strlen(extent->file), folder);
	ckpt_names_offer(names, extent, 0, UINT64_MAX, folder);
	return 0;
}
