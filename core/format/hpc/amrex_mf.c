/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See amrex_mf.h. The header is passed over once to see that it is whole and where its lists begin;
 * then one reader for each list goes along with the boxes, so that memory does not grow with them.
 */
#include "core/format/hpc/amrex_mf.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hpc/amrex_fab.h"
#include "core/format/hpc/amrex_files.h"
#include "wire/text.h"

#define FAB_LINE 1024	/* a FAB's own header; it takes about 150 bytes */
#define COMP_MAX 100000 /* components; real ones have under 1000 */

/* VisMF::Header::Version, AMReX_VisMF.H. */
enum { WITH_FAB_HEADERS = 1, BARE = 2, BARE_MIN_MAX = 3, BARE_ALL_MIN_MAX = 4 };

struct mf {
	struct ckpt_check *check; /* of the directory */
	const char *path;
	struct ckpt_file file;
	int64_t version, ncomp, ngrow[3], n; /* n: boxes */
	uint64_t at_boxes, at_fabs;
	uint64_t at_extremes[2]; /* minima, maxima; 0 where there are none */
	struct ckpt_amrex_real real;
	struct ckpt_amrex_files files;
	struct ckpt_scan boxes, fabs, extremes[2];
	double *said[2]; /* extremes of one box */
};

static void mf_done(struct mf *mf)
{
	ckpt_scan_done(&mf->boxes);
	ckpt_scan_done(&mf->fabs);
	for (int i = 0; i < 2; i++) {
		ckpt_scan_done(&mf->extremes[i]);
		free(mf->said[i]);
	}
	ckpt_amrex_files_done(&mf->files);
	ckpt_file_done(&mf->file);
}

/* A rejection made about the header itself. */
static int blame(struct mf *mf, int r)
{
	return r > 0 ? ckpt_check_blame(mf->check, mf->path, r) : r;
}

static void demand(struct ckpt_scan *in, bool fits)
{
	if (in->r == 0 && !fits)
		in->r = CKPT_SCAN_SYNTAX;
}

/* One number, or one a dimension. */
static void read_ngrow(struct ckpt_scan *in, int64_t ret[3])
{
	bool vector = ckpt_scan_peek(in) == '(';

	if (vector)
		ckpt_scan_expect(in, "(");
	ret[0] = ret[1] = ret[2] = ckpt_scan_int(in);
	for (int i = 1; vector && i < 3 && ckpt_scan_peek(in) == ','; i++) {
		ckpt_scan_expect(in, ",");
		ret[i] = ckpt_scan_int(in);
	}
	if (vector)
		ckpt_scan_expect(in, ")");
	demand(in, ret[0] >= 0 && ret[1] >= 0 && ret[2] >= 0);
}

/* "FabOnDisk: NAME OFFSET". A multifab of which only the header was written says "Not Saved". */
static void read_place(struct ckpt_scan *in, char *name, size_t size, int64_t *ret_offset)
{
	ckpt_scan_expect(in, "FabOnDisk:");
	ckpt_scan_word(in, name, size);
	if (in->r == 0 && strcmp(name, "Not") == 0) {
		ckpt_scan_expect(in, "Saved");
		name[0] = '\0';
	}
	*ret_offset = ckpt_scan_int(in);
	demand(in, !name[0] || *ret_offset >= 0);
}

static void pass_boxes(struct mf *mf, struct ckpt_scan *in)
{
	struct ckpt_amrex_box box;
	char name[64];
	int64_t offset;

	ckpt_scan_expect(in, "(");
	mf->n = ckpt_scan_int(in);
	ckpt_scan_int(in); /* once a hash */
	demand(in, mf->n >= 0);
	ckpt_scan_peek(in);
	mf->at_boxes = ckpt_scan_offset(in);
	for (int64_t i = 0; in->r == 0 && i < mf->n; i++)
		ckpt_amrex_box_read(in, &box);
	ckpt_scan_expect(in, ")");
	demand(in, ckpt_scan_int(in) == mf->n);
	ckpt_scan_peek(in);
	mf->at_fabs = ckpt_scan_offset(in);
	for (int64_t i = 0; in->r == 0 && i < mf->n; i++)
		read_place(in, name, sizeof(name), &offset);
}

static void read_row(struct ckpt_scan *in, int64_t n, double *ret)
{
	for (int64_t i = 0; in->r == 0 && i < n; i++) {
		double value = ckpt_scan_real(in);

		ckpt_scan_expect(in, ",");
		if (ret)
			ret[i] = value;
	}
}

/* "ROWS,COLUMNS" and the rows; none where only the header was written. Returns where rows begin. */
static uint64_t pass_extremes(const struct mf *mf, struct ckpt_scan *in)
{
	int64_t rows = ckpt_scan_int(in), columns;
	uint64_t at;

	ckpt_scan_expect(in, ",");
	columns = ckpt_scan_int(in);
	demand(in, rows == 0 || (rows == mf->n && columns == mf->ncomp));
	ckpt_scan_peek(in);
	at = ckpt_scan_offset(in);
	for (int64_t i = 0; in->r == 0 && i < rows; i++)
		read_row(in, columns, NULL);
	return rows > 0 ? at : 0;
}

static void pass_header(struct mf *mf, struct ckpt_scan *in)
{
	mf->version = ckpt_scan_int(in);
	ckpt_scan_int(in); /* how many wrote one file */
	mf->ncomp = ckpt_scan_int(in);
	demand(in, mf->version >= WITH_FAB_HEADERS && mf->version <= BARE_ALL_MIN_MAX &&
			   mf->ncomp >= 0 && mf->ncomp <= COMP_MAX);
	read_ngrow(in, mf->ngrow);
	pass_boxes(mf, in);
	if (mf->version == WITH_FAB_HEADERS || mf->version == BARE_MIN_MAX)
		for (int i = 0; i < 2; i++)
			mf->at_extremes[i] = pass_extremes(mf, in);
	if (mf->version == BARE_ALL_MIN_MAX)
		read_row(in, 2 * mf->ncomp, NULL);
	if (mf->version != WITH_FAB_HEADERS)
		ckpt_amrex_real_read(in, &mf->real);
}

static int read_header(struct mf *mf)
{
	_cleanup_scan_ struct ckpt_scan in = { .r = 0 };
	struct ckpt_check *check = mf->check;
	int r = ckpt_file_open(check->ctx, check->dirfd, mf->path, &mf->file, check->err);

	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL, "it is missing");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	if (r == 0)
		r = ckpt_scan_open(&in, &mf->file, 0, mf->file.size, check->err);
	if (r)
		return blame(mf, r);
	check->report->verdict.size_bytes += mf->file.size;
	pass_header(mf, &in);
	return blame(mf, ckpt_scan_verdict(&in, check));
}

/* The FAB's own header at @offset of @file. */
static int read_fab(struct mf *mf, const struct ckpt_file *file, uint64_t offset,
		    struct ckpt_amrex_fab *fab)
{
	_cleanup_scan_ struct ckpt_scan in = { .r = 0 };
	uint64_t left = file->size - offset;
	int r = ckpt_scan_open(&in, file, offset, offset + (left < FAB_LINE ? left : FAB_LINE),
			       mf->check->err);

	if (r)
		return r;
	ckpt_amrex_fab_read(&in, fab);
	if (in.r == CKPT_SCAN_TORN && left > FAB_LINE)
		in.r = CKPT_SCAN_SYNTAX;
	r = ckpt_scan_verdict(&in, mf->check);
	return r > 0 ? ckpt_check_blame(mf->check, file->name, r) : r;
}

/* Finds out where FAB @fab lies. */
static int place_fab(struct mf *mf, const struct ckpt_file *file, uint64_t offset,
		     const struct ckpt_amrex_box *box, struct ckpt_amrex_fab *fab)
{
	*fab = (struct ckpt_amrex_fab) {
		.real = mf->real, .box = *box, .ncomp = mf->ncomp, .begin = offset
	};
	if (mf->version == WITH_FAB_HEADERS)
		return read_fab(mf, file, offset, fab);
	if (ckpt_amrex_box_grow(&fab->box, mf->ngrow) && ckpt_amrex_fab_place(fab))
		return 0;
	return blame(mf, ckpt_check_reject(mf->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
					   ckpt_scan_offset(&mf->boxes), NULL,
					   "a box is larger than any file"));
}

/* Whether the FAB is the one that the header means. */
static int match_fab(struct mf *mf, const struct ckpt_file *file, uint64_t offset,
		     const struct ckpt_amrex_box *box, const struct ckpt_amrex_fab *fab)
{
	if (fab->ncomp == mf->ncomp && ckpt_amrex_box_contains(&fab->box, box))
		return 0;
	return ckpt_check_blame(mf->check, file->name,
				ckpt_check_reject(mf->check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MIXED_SAVES, offset, NULL,
						  "the box stored here is not the one that %s "
						  "names: another save's",
						  mf->path));
}

/* What comes back from comparing one box. */
struct comparison {
	struct mf *mf;
	const struct ckpt_file *file;
	const struct ckpt_amrex_fab *fab;
};

/* Numbers written with 17 digits are exact; of singles the text may hold the double before it was
 * rounded. */
static bool agrees(double value, double said, unsigned bytes)
{
	double slack = bytes == 4 ? 1e-6 : 1e-14, size = fmax(fabs(value), fabs(said));

	return value == said || fabs(value - said) <= slack * size + (bytes == 4 ? FLT_MIN : 0);
}

static int compare(void *arg, int64_t comp, const struct ckpt_amrex_range *range)
{
	const struct comparison *c = arg;
	struct ckpt_check *check = c->mf->check;
	double min = c->mf->said[0][comp], max = c->mf->said[1][comp];
	unsigned bytes = c->fab->real.bytes;

	if (range->nan || isnan(min) || isnan(max)) {
		ckpt_check_remark(check, CKPT_PROBLEM_NON_FINITE, c->fab->begin,
				  "%s: values that are no numbers", c->file->name);
		return 0;
	}
	if (agrees(range->min, min, bytes) && agrees(range->max, max, bytes))
		return 0;
	return ckpt_check_blame(
		check, c->file->name,
		ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, c->fab->begin, NULL,
				  "component %lld goes from %.17g to %.17g, not from %.17g to "
				  "%.17g as %s says",
				  (long long)comp, range->min, range->max, min, max, c->mf->path));
}

static int compare_values(struct mf *mf, const struct ckpt_file *file,
			  const struct ckpt_amrex_box *box, const struct ckpt_amrex_fab *fab)
{
	struct comparison c = { mf, file, fab };
	const struct ckpt_amrex_values values = { file, fab, box, mf->check->err };
	int r = ckpt_amrex_fab_ranges(&values, compare, &c);

	if (r != CKPT_STREAM_END || mf->check->report->verdict.status != CKPT_VALID)
		return r;
	return ckpt_check_reject(mf->check, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
				 CKPT_NO_OFFSET, NULL, "a file became shorter while it was read");
}

/* One box at its place. @values: its values too. */
static int check_place(struct mf *mf, const struct ckpt_amrex_box *box, const char *name,
		       uint64_t offset, bool values)
{
	const struct ckpt_file *file;
	struct ckpt_amrex_fab fab;
	size_t index;
	int r = ckpt_amrex_files_open(&mf->files, name, &file, &index);

	if (r == 0 && offset > file->size)
		r = ckpt_amrex_files_use(&mf->files, index, offset, offset);
	if (r == 0)
		r = place_fab(mf, file, offset, box, &fab);
	if (r == 0 && fab.old)
		ckpt_check_cap(mf->check, CKPT_EVIDENCE_OPAQUE,
			       "%s is in an old format (ASCII, 8 bits) whose sizes are not known",
			       mf->path);
	if (r || fab.old)
		return r;
	r = match_fab(mf, file, offset, box, &fab);
	if (r == 0)
		r = ckpt_amrex_files_use(&mf->files, index, offset, fab.end);
	return r == 0 && values && fab.real.known ? compare_values(mf, file, box, &fab) : r;
}

/* The next box, its place and its extremes. */
static int check_next(struct mf *mf, bool values)
{
	struct ckpt_amrex_box box;
	char name[64];
	int64_t offset;

	ckpt_amrex_box_read(&mf->boxes, &box);
	read_place(&mf->fabs, name, sizeof(name), &offset);
	for (int i = 0; values && i < 2; i++)
		read_row(&mf->extremes[i], mf->ncomp, mf->said[i]);
	if (mf->boxes.r || mf->fabs.r || mf->extremes[0].r || mf->extremes[1].r)
		return blame(mf, ckpt_check_reject(mf->check, CKPT_UNREADABLE,
						   CKPT_PROBLEM_WRITER_ACTIVE, CKPT_NO_OFFSET, NULL,
						   "it changed while it was read"));
	return name[0] ? check_place(mf, &box, name, (uint64_t)offset, values) : 0;
}

static int open_lists(struct mf *mf, bool values)
{
	struct ckpt_error *err = mf->check->err;
	uint64_t end = mf->file.size;
	int r = ckpt_scan_open(&mf->boxes, &mf->file, mf->at_boxes, end, err);

	if (r == 0)
		r = ckpt_scan_open(&mf->fabs, &mf->file, mf->at_fabs, end, err);
	for (int i = 0; r == 0 && values && i < 2; i++) {
		mf->said[i] = calloc((size_t)mf->ncomp + 1, sizeof(double));
		r = mf->said[i] ? ckpt_scan_open(&mf->extremes[i], &mf->file, mf->at_extremes[i],
						 end, err)
				: -ENOMEM;
	}
	return r;
}

int ckpt_amrex_mf_check(struct ckpt_check *check, const char *path, enum ckpt_level level)
{
	_cleanup_(mf_done) struct mf mf = { .check = check, .path = path, .file = { .fd = -1 } };
	bool values;
	int r;

	ckpt_amrex_files_init(&mf.files, check, path);
	r = read_header(&mf);
	values = level == CKPT_LEVEL_FULL && mf.at_extremes[0] && mf.at_extremes[1];
	if (r == 0)
		r = open_lists(&mf, values);
	for (int64_t i = 0; r == 0 && i < mf.n; i++)
		r = check_next(&mf, values);
	return r ? r : ckpt_amrex_files_finish(&mf.files);
}
