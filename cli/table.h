/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables as lsblk and squeue print them (libsmartcols), over rows of texts.
 */
#ifndef CKPT_CLI_TABLE_H
#define CKPT_CLI_TABLE_H

#include <libsmartcols/libsmartcols.h>
#include <stdbool.h>

#define CKPT_TABLE_COLUMNS 32 /* of one table, repeated ones included */

/* One column a table can have. */
struct ckpt_column {
	const char *name;
	bool right; /* numbers */
	const char *help;
};

/* How a table is printed. */
struct ckpt_table_style {
	const char *columns;	  /* comma list of names; NULL = all in order */
	bool no_header, parsable; /* parsable: '|' between cells, no alignment */
};

/* What a cell holds; NULL prints as "-". Colour: a name of libsmartcols, or NULL. */
typedef const char *ckpt_cell_fn(const void *row, int column, char *buf, size_t size,
				 const char **ret_color);

struct ckpt_table {
	const struct ckpt_column *columns; /* the last has a NULL name */
	ckpt_cell_fn *cell;
	struct ckpt_table_style style;
	struct libscols_table *scols; /* made by ckpt_table_begin */
	int shown[CKPT_TABLE_COLUMNS], n_shown;
};

/* Reads style.columns and makes the table. 0; 2 when a column is unknown (said on stderr); or
 * -ENOMEM. */
int ckpt_table_begin(struct ckpt_table *table);

/* Adds a line for @row. 0 or -ENOMEM. */
int ckpt_table_add(struct ckpt_table *table, const void *row);

/* Prints it. */
void ckpt_table_print(struct ckpt_table *table);

/* Frees what ckpt_table_begin() made, as far as it came. */
void ckpt_table_done(struct ckpt_table *table);

#endif
