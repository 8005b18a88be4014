/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `history`, `watch` and `report` share: which run directories are meant, and their attempts
 * as a table.
 */
#ifndef CKPT_CLI_RUNS_H
#define CKPT_CLI_RUNS_H

#include "cli/job.h"
#include "cli/table.h"
#include "core/resolve/history.h"

/* Whose past it is. */
struct ckpt_runs {
	struct ckpt_cli_roots roots;
	int64_t job_id; /* that one alone; 0 = all */
};

/* One row of the table. */
struct ckpt_runs_row {
	const struct ckpt_history_attempt *attempt;
	bool newest; /* of its job */
};

/* Columns, the last with a NULL name, and the ckpt_cell_fn over struct ckpt_runs_row. */
extern const struct ckpt_column ckpt_runs_columns[];
const char *ckpt_runs_cell(const void *row, int column, char *buf, size_t size,
			   const char **ret_color);

/* The columns that are shown by default. */
#define CKPT_RUNS_COLUMNS                                                                          \
	"job,attempt,reason,from,ran,cause,to,reached,waited,lost_steps,lost_time,valid,rejected"

/*
 * Takes DIR, JOBID, ARRAYJOB_TASK or NULL (this job's, else the default directory). A number is a
 * job unless it says ./NUMBER; it is looked for in $CKPT_DIR and the default directory. 0 or an
 * exit code, said.
 */
int ckpt_runs_name(const char *word, struct ckpt_runs *ret);

/* Reads it and says what is torn, foreign, left out or cannot be read. 0 with *@ret for
 * ckpt_history_done(); an exit code where there is nothing to show, said. */
int ckpt_runs_load(const struct ckpt_runs *runs, struct ckpt_history *ret);

/* The exit code of an answer over @h: not all could be read, or yes. */
int ckpt_runs_exit(const struct ckpt_history *h);

/* Adds a row an attempt. 0 or -ENOMEM. */
int ckpt_runs_add_rows(struct ckpt_table *table, const struct ckpt_history *h);

/* "step 500, epoch 2" of @p into @buf; NULL where nothing is known. */
const char *ckpt_runs_position(const struct ckpt_position *p, char *buf, size_t size);

/* "COLUMN help" lines appended to --help: a help_filter for argp. */
char *ckpt_runs_help(int key, const char *text, void *input);

#endif
