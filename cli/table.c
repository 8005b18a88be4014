/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See table.h.
 */
#include "cli/table.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/common.h"

#define CELL 512 /* a number, a size, a label: names are not copied */

static int find_column(const struct ckpt_table *table, const char *name, size_t len)
{
	for (int i = 0; table->columns[i].name; i++)
		if (strlen(table->columns[i].name) == len &&
		    strncasecmp(table->columns[i].name, name, len) == 0)
			return i;
	return -1;
}

static int choose_column(struct ckpt_table *table, const char *name, size_t len)
{
	int column = find_column(table, name, len);
	char word[64];

	if (column < 0 || table->n_shown == CKPT_TABLE_COLUMNS) {
		snprintf(word, sizeof(word), "%.*s", (int)len, name);
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "there is no column %s; --help lists them",
				     CKPT_QUOTE(word));
	}
	table->shown[table->n_shown++] = column;
	return 0;
}

static int choose_columns(struct ckpt_table *table)
{
	const char *p = table->style.columns;
	int r = 0;

	for (int i = 0; !p && table->columns[i].name; i++)
		table->shown[table->n_shown++] = i;
	while (p && r == 0) {
		size_t len = strcspn(p, ",");

		r = choose_column(table, p, len);
		p = p[len] ? p + len + 1 : NULL;
	}
	return r;
}

int ckpt_table_begin(struct ckpt_table *table)
{
	int r = choose_columns(table);

	if (r != 0)
		return r;
	/* for the width of names; commands that print no table need not wait for it */
	setlocale(LC_CTYPE, "");
	table->scols = scols_new_table();
	if (!table->scols)
		return -ENOMEM;
	scols_table_enable_noheadings(table->scols, table->style.no_header);
	if (ckpt_cli_colors(stdout))
		scols_table_enable_colors(table->scols, true);
	for (int i = 0; i < table->n_shown; i++) {
		const struct ckpt_column *column = &table->columns[table->shown[i]];

		if (!scols_table_new_column(table->scols, column->name, 0,
					    column->right ? SCOLS_FL_RIGHT : 0))
			return -ENOMEM;
	}
	return 0;
}

int ckpt_table_add(struct ckpt_table *table, const void *row)
{
	struct libscols_line *line = scols_table_new_line(table->scols, NULL);

	if (!line)
		return -ENOMEM;
	for (int i = 0; i < table->n_shown; i++) {
		const char *color = NULL, *text;
		char buf[CELL];

		text = table->cell(row, table->shown[i], buf, sizeof(buf), &color);
		if (scols_line_set_data(line, (size_t)i, text ? text : "-") < 0)
			return -ENOMEM;
		if (color)
			scols_cell_set_color(scols_line_get_cell(line, (size_t)i), color);
	}
	return 0;
}

/* A cell for programs: what would end the cell or the line, as \xNN. */
static void print_cell(const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f || c == '|' || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

/* libsmartcols pads cells to a width; programs want none. */
static void print_parsable(struct ckpt_table *table)
{
	struct libscols_iter *iter = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *line;

	for (int i = 0; !table->style.no_header && i < table->n_shown; i++)
		printf("%s%s", i ? "|" : "", table->columns[table->shown[i]].name);
	if (!table->style.no_header)
		putchar('\n');
	while (iter && scols_table_next_line(table->scols, iter, &line) == 0) {
		for (int i = 0; i < table->n_shown; i++) {
			if (i > 0)
				putchar('|');
			print_cell(scols_cell_get_data(scols_line_get_cell(line, (size_t)i)));
		}
		putchar('\n');
	}
	scols_free_iter(iter);
}

void ckpt_table_print(struct ckpt_table *table)
{
	if (table->style.parsable)
		print_parsable(table);
	else
		scols_print_table(table->scols);
}

void ckpt_table_done(struct ckpt_table *table)
{
	scols_unref_table(table->scols);
	table->scols = NULL;
}
