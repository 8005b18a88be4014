/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pieces of which AMReX builds its files: boxes of integers, descriptions of real numbers, and
 * FABs (a box of values, components one behind the other, x running fastest).
 */
#ifndef CKPT_CORE_FORMAT_HPC_AMREX_FAB_H
#define CKPT_CORE_FORMAT_HPC_AMREX_FAB_H

#include "core/format/scan.h"

/* A box of one to three dimensions, both ends included. */
struct ckpt_amrex_box {
	int dims;
	int64_t lo[3], hi[3]; /* unused dimensions are 0..0 */
};

/* How real numbers lie in a file. */
struct ckpt_amrex_real {
	unsigned bytes; /* of one value */
	bool known; /* IEEE of 4 or 8 bytes in one of the two plain orders: values can be read */
	bool big;   /* most significant byte first */
};

/* One FAB in its file. */
struct ckpt_amrex_fab {
	struct ckpt_amrex_real real;
	struct ckpt_amrex_box box; /* with ghost cells */
	int64_t ncomp;
	bool old;	/* ASCII, 8-bit or an order that is not told: its length is not known */
	uint64_t begin; /* of the values */
	uint64_t end;	/* behind them */
};

/* Takes "((lo) (hi) (type))" (AMReX_Box.cpp, box_write). scan->r tells of failures. */
void ckpt_amrex_box_read(struct ckpt_scan *scan, struct ckpt_amrex_box *ret);

/* Grows @box on all sides by @ngrow cells. False on overflow. */
bool ckpt_amrex_box_grow(struct ckpt_amrex_box *box, const int64_t ngrow[3]);

/* True if all of @inner lies in @outer. */
bool ckpt_amrex_box_contains(const struct ckpt_amrex_box *outer,
			     const struct ckpt_amrex_box *inner);

/* Takes "((n, (format)),(n, (order)))" (AMReX_FabConv.cpp, RealDescriptor's output). */
void ckpt_amrex_real_read(struct ckpt_scan *scan, struct ckpt_amrex_real *ret);

/* Fills @fab->end from the rest. False where no file can be that long. */
bool ckpt_amrex_fab_place(struct ckpt_amrex_fab *fab);

/* Takes a FAB's own line (AMReX_FArrayBox.cpp, read_header) and places what follows it. */
void ckpt_amrex_fab_read(struct ckpt_scan *scan, struct ckpt_amrex_fab *ret);

/* Extremes of one component over the cells of a box. */
struct ckpt_amrex_range {
	double min, max;
	bool nan; /* some value is no number: AMReX's own extremes then depend on their order */
};

/* What to read of a FAB. */
struct ckpt_amrex_values {
	const struct ckpt_file *file;
	const struct ckpt_amrex_fab *fab;
	const struct ckpt_amrex_box *valid; /* without ghost cells */
	struct ckpt_error *err;
};

/*
 * Reads the values and gives each component's extremes inside the valid box to @each, as long as
 * that returns 0. 0, what @each returned, CKPT_STREAM_END, or an errno.
 */
int ckpt_amrex_fab_ranges(const struct ckpt_amrex_values *values,
			  int (*each)(void *arg, int64_t comp,
				      const struct ckpt_amrex_range *range),
			  void *arg);

#endif
