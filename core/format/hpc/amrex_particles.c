/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Particles of an AMReX checkpoint: a text that names, for each level and box, a data file, how
 * many particles and where they begin (AMReX_WriteBinaryParticleData.H; read by Restart() in
 * AMReX_ParticleIO.H). A particle has two integers and its own, then its place and its own reals.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hpc/amrex_files.h"
#include "core/format/hpc/amrex_mf.h"
#include "core/format/scan.h"

#define LEVELS_MAX 64	  /* of refinement; real ones have under 12 */
#define MEMBERS_MAX 10000 /* of a particle */

struct particles {
	struct ckpt_check *check;
	const char *path;
	struct ckpt_scan in;
	uint64_t bytes; /* of one particle */
	int64_t levels, boxes[LEVELS_MAX];
	int64_t n, seen; /* particles */
};

static void demand(struct particles *p, bool fits)
{
	if (p->in.r == 0 && !fits)
		p->in.r = CKPT_SCAN_SYNTAX;
}

/* A count and as many names, one a line. */
static int64_t read_names(struct particles *p)
{
	int64_t n = ckpt_scan_int(&p->in);
	char name[512];

	demand(p, n >= 0 && n <= MEMBERS_MAX);
	for (int64_t i = 0; p->in.r == 0 && i < n; i++)
		ckpt_scan_word(&p->in, name, sizeof(name));
	return n;
}

static void read_head(struct particles *p)
{
	int64_t dims, reals, ints, is_checkpoint;
	char version[64] = "";

	ckpt_scan_word(&p->in, version, sizeof(version));
	dims = ckpt_scan_int(&p->in);
	demand(p, dims >= 1 && dims <= 3);
	reals = read_names(p);
	ints = read_names(p);
	is_checkpoint = ckpt_scan_int(&p->in);
	p->n = ckpt_scan_int(&p->in);
	ckpt_scan_int(&p->in); /* the next particle's number */
	p->levels = ckpt_scan_int(&p->in) + 1;
	demand(p, p->levels >= 1 && p->levels <= LEVELS_MAX && p->n >= 0);
	for (int64_t i = 0; p->in.r == 0 && i < p->levels; i++)
		p->boxes[i] = ckpt_scan_int(&p->in);
	if (p->in.r == 0)
		p->bytes = (is_checkpoint ? 2 + (uint64_t)ints : 0) * 4 +
			   (uint64_t)(dims + reals) * (strstr(version, "_single") ? 4 : 8);
}

/* The next box: "FILE COUNT OFFSET". */
static int check_box(struct particles *p, struct ckpt_amrex_files *files)
{
	int64_t which = ckpt_scan_int(&p->in), count = ckpt_scan_int(&p->in);
	int64_t where = ckpt_scan_int(&p->in);
	const struct ckpt_file *file;
	uint64_t len, end;
	size_t index;
	char name[32];
	int r;

	demand(p, which >= 0 && count >= 0 && where >= 0);
	if (p->in.r || count == 0)
		return 0;
	if (__builtin_mul_overflow((uint64_t)count, p->bytes, &len) ||
	    __builtin_add_overflow((uint64_t)where, len, &end) || end > INT64_MAX) {
		demand(p, false);
		return 0;
	}
	p->seen += count;
	snprintf(name, sizeof(name), "DATA_%05lld", (long long)which);
	r = ckpt_amrex_files_open(files, name, &file, &index);
	return r ? r : ckpt_amrex_files_use(files, index, (uint64_t)where, end);
}

static int check_level(struct particles *p, int level)
{
	_cleanup_amrex_files_ struct ckpt_amrex_files files;
	char path[CKPT_AMREX_PATH];
	const char *slash = strrchr(p->path, '/');
	int r = 0;

	snprintf(path, sizeof(path), "%.*sLevel_%d/", slash ? (int)(slash + 1 - p->path) : 0,
		 p->path, level);
	ckpt_amrex_files_init(&files, p->check, path);
	for (int64_t i = 0; r == 0 && p->in.r == 0 && i < p->boxes[level]; i++)
		r = check_box(p, &files);
	return r || p->in.r ? r : ckpt_amrex_files_finish(&files);
}

static int check_all(struct particles *p)
{
	int r = 0;

	read_head(p);
	for (int i = 0; r == 0 && p->in.r == 0 && i < p->levels; i++)
		r = check_level(p, i);
	if (r)
		return r;
	demand(p, p->seen == p->n);
	r = ckpt_scan_verdict(&p->in, p->check);
	return r > 0 ? ckpt_check_blame(p->check, p->path, r) : r;
}

int ckpt_amrex_particles_check(struct ckpt_check *check, const char *path)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct particles p = { .check = check, .path = path };
	int r = ckpt_file_open(check->ctx, check->dirfd, path, &file, check->err);

	if (r)
		return r < 0 ? r
			     : ckpt_check_blame(check, path,
						ckpt_check_reject(check, CKPT_UNREADABLE,
								  CKPT_PROBLEM_HEADER,
								  CKPT_NO_OFFSET, NULL,
								  "not a regular file"));
	check->report->verdict.size_bytes += file.size;
	r = ckpt_scan_open(&p.in, &file, 0, file.size, check->err);
	if (r == 0)
		r = check_all(&p);
	ckpt_scan_done(&p.in);
	return r;
}
