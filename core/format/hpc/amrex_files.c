/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See amrex_files.h.
 */
#include "core/format/hpc/amrex_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define FILES_MAX 65536 /* of one multifab and level; AMReX writes 256 unless told otherwise */

void ckpt_amrex_files_init(struct ckpt_amrex_files *files, struct ckpt_check *check,
			   const char *path)
{
	const char *slash = strrchr(path, '/');

	*files = (struct ckpt_amrex_files) { .check = check };
	for (int i = 0; i < CKPT_AMREX_OPEN; i++)
		files->open[i].file = (struct ckpt_file)CKPT_FILE_INIT;
	snprintf(files->dir, sizeof(files->dir), "%.*s", slash ? (int)(slash + 1 - path) : 0, path);
}

void ckpt_amrex_files_done(struct ckpt_amrex_files *files)
{
	for (int i = 0; i < CKPT_AMREX_OPEN; i++)
		ckpt_file_done(&files->open[i].file);
	free(files->f);
	files->f = NULL;
}

/* Index of @name, or files->n. */
static size_t find(struct ckpt_amrex_files *files, const char *name)
{
	size_t i;

	if (files->last < files->n && strcmp(files->f[files->last].name, name) == 0)
		return files->last;
	for (i = 0; i < files->n && strcmp(files->f[i].name, name) != 0; i++)
		;
	return files->last = i;
}

static int add(struct ckpt_amrex_files *files, const char *name)
{
	struct ckpt_amrex_file *f;

	if (files->n == FILES_MAX)
		return ckpt_check_reject(files->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, name, "more than %d data files",
					 FILES_MAX);
	if (files->n == files->cap) {
		size_t cap = files->cap ? 2 * files->cap : 16;

		f = reallocarray(files->f, cap, sizeof(*f));
		if (!f)
			return ckpt_fail(files->check->err, -ENOMEM, "no memory for %s's files",
					 CKPT_QUOTE(files->check->name));
		files->f = f;
		files->cap = cap;
	}
	f = &files->f[files->n++];
	*f = (struct ckpt_amrex_file) { .size = 0 };
	snprintf(f->name, sizeof(f->name), "%s", name);
	return 0;
}

static int path_of(struct ckpt_amrex_files *files, const char *name, char *ret)
{
	int n = snprintf(ret, CKPT_AMREX_PATH, "%s%s", files->dir, name);

	if (n < CKPT_AMREX_PATH && !strchr(name, '/') && name[0] != '.' && name[0] &&
	    strlen(name) < sizeof(files->f->name))
		return 0;
	return ckpt_check_reject(files->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				 name, "the header names no file of its directory");
}

static int open_as(struct ckpt_amrex_files *files, const char *path, struct ckpt_file *file)
{
	struct ckpt_check *check = files->check;
	int r = ckpt_file_open(check->ctx, check->dirfd, path, file, check->err);

	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL, "it is missing");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	return r > 0 ? ckpt_check_blame(check, path, r) : r;
}

int ckpt_amrex_files_open(struct ckpt_amrex_files *files, const char *name,
			  const struct ckpt_file **ret, size_t *ret_index)
{
	size_t i = find(files, name);
	char path[CKPT_AMREX_PATH];
	struct ckpt_file *file = &files->open[i % CKPT_AMREX_OPEN].file;
	size_t *owner = &files->open[i % CKPT_AMREX_OPEN].owner;
	int r = i < files->n ? 0 : path_of(files, name, path);

	if (r == 0 && i == files->n)
		r = add(files, name);
	if (r == 0 && *owner != i + 1) {
		ckpt_file_done(file);
		*file = (struct ckpt_file)CKPT_FILE_INIT;
		*owner = 0;
		path_of(files, name, path);
		r = open_as(files, path, file);
	}
	if (r)
		return r;
	*owner = i + 1;
	files->f[i].size = file->size;
	*ret = file;
	*ret_index = i;
	return 0;
}

int ckpt_amrex_files_use(struct ckpt_amrex_files *files, size_t index, uint64_t begin, uint64_t end)
{
	struct ckpt_amrex_file *f = &files->f[index];
	struct ckpt_check *check = files->check;
	char path[CKPT_AMREX_PATH];
	int r = 0;

	f->used += end - begin;
	if (end > f->end)
		f->end = end;
	if (end > f->size)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, f->size, NULL,
				      "it has %llu bytes, its data end at %llu",
				      (unsigned long long)f->size, (unsigned long long)end);
	if (r == 0 || path_of(files, f->name, path))
		return r;
	return ckpt_check_blame(check, path, r);
}

/* All ranges end where f->end is, at most: more bytes than that are some bytes twice. */
static int check_overlap(struct ckpt_amrex_files *files, const struct ckpt_amrex_file *f)
{
	struct ckpt_check *check = files->check;
	char path[CKPT_AMREX_PATH];
	int r;

	if (f->used <= f->end)
		return 0;
	r = path_of(files, f->name, path);
	if (r)
		return r;
	return ckpt_check_blame(check, path,
				ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
						  CKPT_NO_OFFSET, NULL,
						  "two boxes have the same bytes of it"));
}

int ckpt_amrex_files_finish(struct ckpt_amrex_files *files)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < files->n; i++) {
		const struct ckpt_amrex_file *f = &files->f[i];

		r = check_overlap(files, f);
		files->check->report->verdict.size_bytes += f->size;
		if (f->size > f->end)
			ckpt_check_remark(files->check, CKPT_PROBLEM_TRAILING, f->end,
					  "%s%s has bytes that its header does not name",
					  files->dir, f->name);
	}
	return r;
}
