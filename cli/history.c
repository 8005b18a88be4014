/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl history [DIR|JOBID]: the attempts of a run, a row each.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/runs.h"
#include "core/record/lease.h"

struct history {
	bool json;
	struct ckpt_table table;
	const char *word;
};

static const struct argp_option options[] = {
	CKPT_CLI_DIR_OPTION,
	{ "noheader", 'h', NULL, 0, "no header line", 0 },
	{ "format", 'o', "COLUMN[,...]", 0, "which columns (below)", 0 },
	{ "parsable", 'p', NULL, 0,
	  "'|' between cells, no alignment; a '|' or control character in a name as \\xNN", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON, with every checkpoint", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct history *history = state->input;

	switch (key) {
	case 'h':
		history->table.style.no_header = true;
		return 0;
	case 'o':
		history->table.style.columns = arg;
		return 0;
	case 'p':
		history->table.style.parsable = true;
		return 0;
	case 'j':
		history->json = true;
		return 0;
	case 'd':
	case ARGP_KEY_ARG:
		return ckpt_cli_take_dir(&history->word, arg, state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"[DIR|JOBID]",
	"The attempts of the runs in a run directory (default: this job's, else checkpoints): why "
	"each ended, where it started from and how far it came, what had to be done again, how "
	"long it waited, and which job holds a lease there. A JOBID is looked for in $CKPT_DIR and "
	"checkpoints; ARRAYJOB_TASK in "
	"checkpoints/ARRAYJOB_TASK.\v"
	"Exit: 0 shown, 1 no attempt is recorded there, 3 not all could be read.",
	NULL,
	ckpt_runs_help,
	NULL
};

/* The lease in @dir, as long as it may have a holder. */
static bool is_held(const char *dir, struct ckpt_lease *ret)
{
	_cleanup_close_ int statefd = ckpt_state_open_in(dir, NULL);
	struct ckpt_lease here = { 0 };

	ckpt_lease_sign(&here);
	return statefd >= 0 && ckpt_lease_load(statefd, ret, NULL) == 0 &&
	       !ckpt_lease_is_over(&here, ret);
}

static void say_leases(const struct ckpt_roots *roots)
{
	struct ckpt_lease lease;

	for (int i = 0; i < roots->n; i++)
		if (is_held(roots->dir[i], &lease))
			ckpt_cli_fail(0, "attempt %lld of job %lld on %s holds the lease of %s",
				      (long long)lease.attempt, (long long)lease.job_id,
				      lease.host[0] ? lease.host : "?", CKPT_QUOTE(roots->dir[i]));
}

static void add_leases(cJSON *o, const struct ckpt_roots *roots)
{
	cJSON *list = cJSON_AddArrayToObject(o, "leases");
	struct ckpt_lease lease;

	for (int i = 0; i < roots->n; i++) {
		cJSON *one = is_held(roots->dir[i], &lease) ? cJSON_CreateObject() : NULL;

		cJSON_AddStringToObject(one, "dir", roots->dir[i]);
		cJSON_AddNumberToObject(one, "job_id", (double)lease.job_id);
		cJSON_AddNumberToObject(one, "attempt", (double)lease.attempt);
		cJSON_AddStringToObject(one, "host", lease.host);
		cJSON_AddItemToArray(list, one);
	}
}

static int show(struct history *history, const struct ckpt_runs *runs, const struct ckpt_history *h)
{
	cJSON *json;

	if (history->json) {
		json = ckpt_history_json(h);
		add_leases(json, &runs->roots.roots);
		return ckpt_cli_print_json(json) ? ckpt_runs_exit(h) : CKPT_EXIT_UNKNOWN;
	}
	if (ckpt_runs_add_rows(&history->table, h) < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(ENOMEM));
	ckpt_table_print(&history->table);
	say_leases(&runs->roots.roots);
	return ckpt_runs_exit(h);
}

int ckpt_cmd_history(int argc, char **argv)
{
	static struct ckpt_runs runs;
	struct history history = { .table = { .columns = ckpt_runs_columns,
					      .cell = ckpt_runs_cell,
					      .style.columns = CKPT_RUNS_COLUMNS } };
	_cleanup_history_ struct ckpt_history h = { 0 };
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &history) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_table_begin(&history.table);
	if (r == 0)
		r = ckpt_runs_name(history.word, &runs);
	if (r == 0)
		r = ckpt_runs_load(&runs, &h);
	if (r == 0)
		r = show(&history, &runs, &h);
	ckpt_table_done(&history.table);
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(-r)) : r;
}
