/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of `ckptctl list`, over rows of struct ckpt_set.
 */
#ifndef CKPT_CLI_LIST_COLUMNS_H
#define CKPT_CLI_LIST_COLUMNS_H

#include "cli/table.h"
#include "core/catalog/catalog.h"

/* All of them; the last has a NULL name. */
extern const struct ckpt_column ckpt_list_columns[];

/* A ckpt_cell_fn. What a check found comes from the set's report, the rest from stat. */
const char *ckpt_list_cell(const void *row, int column, char *buf, size_t size,
			   const char **ret_color);

#endif
