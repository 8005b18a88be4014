/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zarr arrays in folders, see zarr_store.h: a file a chunk, whose name, or path, is its key.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/format/array/zarr_store.h"
#include "wire/text.h"

#define PATH_SIZE 4096
#define DEPTH_MAX 40 /* folders in folders: a number each of at most 32 dimensions, and names */

struct walk {
	const struct ckpt_zarr_store *store;
	uint64_t arrays, absent, bare;
	unsigned depth;
	/* Of the array that is walked: */
	struct ckpt_zarr zarr;
	size_t n_name; /* of its path, with the slash behind */
	uint64_t seen;
};

typedef int entry_fn(struct walk *w, const char *path);

/* Calls @fn with the path of each entry of the folder @path that is not hidden. 0, what @fn said,
 * or an errno; -ENOTDIR, -ENOENT: it is no folder. */
static int each(struct walk *w, const char *path, entry_fn *fn)
{
	int fd = openat(w->store->check->dirfd, path[0] ? path : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    r = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	char below[PATH_SIZE];

	if (!dir || ++w->depth > DEPTH_MAX)
		return dir ? -ELOOP : -errno;
	while (errno = 0, !r && (entry = readdir(dir))) {
		const char *slash = path[0] && path[strlen(path) - 1] != '/' ? "/" : "";

		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(below, sizeof(below), "%s%s%s", path, slash, entry->d_name) >=
		    PATH_SIZE)
			r = -ENAMETOOLONG;
		else
			r = fn(w, below);
	}
	w->depth--;
	return r ? r : -errno;
}

/* The file of a chunk. As a check function. */
static int check_file(struct walk *w, const char *path)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check *check = w->store->check;
	struct ckpt_zarr_bytes bytes = { .file = &file };
	bool covered = false;
	int r = ckpt_file_open(check->ctx, check->dirfd, path, &file, check->err);

	if (r < 0)
		return r;
	if (r > 0)
		return ckpt_check_blame(check, path,
					ckpt_check_reject(check, CKPT_UNREADABLE,
							  CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
							  "not a regular file"));
	bytes.len = file.size;
	check->report->verdict.size_bytes += file.size;
	r = ckpt_zarr_chunk(check, &w->zarr, &bytes, w->store->level, &covered);
	w->seen++;
	w->bare += !covered && file.size > 0;
	return r;
}

/* An entry of an array: a chunk, or a folder of such. */
static int visit_part(struct walk *w, const char *path)
{
	const char *key = path + w->n_name;
	int r = each(w, path, visit_part);

	if (r != -ENOTDIR)
		return r;
	return ckpt_zarr_is_chunk(&w->zarr, key, strlen(key)) ? check_file(w, path) : 0;
}

/* All of the array at @path, whose metadata were read. */
static int check_array(struct walk *w, const char *path)
{
	struct ckpt_check *check = w->store->check;
	uint64_t absent;
	int r;

	w->arrays++;
	w->seen = 0;
	w->n_name = strlen(path) + 1;
	r = each(w, path, visit_part);
	if (r || w->zarr.chunks == UINT64_MAX || w->seen >= w->zarr.chunks)
		return r;
	absent = w->zarr.chunks - w->seen;
	if (!w->store->all) {
		w->absent += absent;
		return 0;
	}
	return ckpt_check_blame(check, path,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, path,
						  "%llu of the array's %llu chunks are missing",
						  (unsigned long long)absent,
						  (unsigned long long)w->zarr.chunks));
}

/* Reads the metadata @name of the folder @path. 0 with *@ret_array, or as a check function. */
static int read_metadata(struct walk *w, const char *path, const char *name, bool *ret_array)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ cJSON *json = NULL;
	struct ckpt_check *check = w->store->check;
	char below[PATH_SIZE + 16];
	size_t len;
	int r;

	*ret_array = false;
	snprintf(below, sizeof(below), "%s/%s", path, name);
	r = ckpt_file_slurp(check->ctx, check->dirfd, below, CKPT_JSON_MAX, &text, &len,
			    check->err);
	if (r == -ENOENT || r == -EFBIG || r > 0)
		return 0;
	r = r ? r : ckpt_json_parse(text, len, &json, check->err);
	if (r > 0)
		return ckpt_check_blame(check, below,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_TRUNCATED, CKPT_NO_OFFSET,
							  NULL, "it is no whole JSON document"));
	*ret_array = r == 0 && ckpt_zarr_read(text, len, &w->zarr);
	return r;
}

static int tell(struct walk *w, const char *path)
{
	w->arrays++;
	w->zarr.all.name = path;
	w->store->tell(w->store->arg, &w->zarr.all);
	return 0;
}

/* A folder: an array, or one of arrays. */
static int visit_folder(struct walk *w, const char *path)
{
	bool array;
	int r = read_metadata(w, path, ".zarray", &array);

	if (r == 0 && !array)
		r = read_metadata(w, path, "zarr.json", &array);
	if (r)
		return r == -ENOTDIR ? 0 : r;
	if (array)
		return w->store->tell ? tell(w, path) : check_array(w, path);
	r = each(w, path, visit_folder);
	return r == -ENOTDIR || r == -ELOOP ? 0 : r;
}

int ckpt_zarr_folders(const struct ckpt_zarr_store *store, uint64_t *ret_arrays)
{
	struct walk w = { .store = store };
	int r = each(&w, store->prefix, visit_folder);

	*ret_arrays = w.arrays;
	if (r)
		return r;
	if (w.absent)
		ckpt_check_cap(store->check, CKPT_EVIDENCE_STRUCTURE,
			       "%llu chunks are absent: nothing but the fill value, or lost",
			       (unsigned long long)w.absent);
	else if (w.bare)
		ckpt_check_cap(store->check, CKPT_EVIDENCE_STRUCTURE,
			       "%llu chunks have no checksum", (unsigned long long)w.bare);
	return 0;
}
