/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl list [DIR...]: the checkpoints of a run directory. The newest run of several unless
 * --all-runs; structure is checked unless --level says otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/list_columns.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/integrity/verify.h"

#define VERIFY_NS                                                                                  \
	(20 * 1000000000LL) /* after which rows stay unverified: a list is no validation */

struct list {
	bool json, all_runs, verify;
	enum ckpt_level level;
	struct ckpt_table table;
	const char *glob;
	char **dirs;
	int n_dirs;
	size_t shown, unverified;
};

static const struct argp_option options[] = {
	CKPT_CLI_DIR_OPTION,
	{ "glob", 'g', "PATTERN", 0, "further names that are checkpoints", 0 },
	{ "all-runs", 'a', NULL, 0, "every run folder, not the newest alone", 0 },
	{ "long", 'L', NULL, 0, "labels as training UIs show them: -o label,name,verdict", 0 },
	{ "level", 'l', "none|structure|sample|full", 0, "how far to check (default structure)",
	  0 },
	{ "noheader", 'h', NULL, 0, "no header line", 0 },
	{ "format", 'o', "COLUMN[,...]", 0, "which columns (below)", 0 },
	{ "parsable", 'p', NULL, 0,
	  "'|' between cells, no alignment; a '|' or control character in a name as \\xNN", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static void set_level(struct list *list, const char *arg, struct argp_state *state)
{
	enum ckpt_level level = CKPT_LEVEL_STRUCTURE;

	list->verify = strcmp(arg, "none") != 0;
	if (list->verify && (!ckpt_cli_level(arg, &level) || level > CKPT_LEVEL_FULL))
		argp_error(state, "--level=%s: none, structure, sample or full", arg);
	list->level = level;
}

static error_t add_dir(struct list *list, char *dir)
{
	char **more = realloc(list->dirs, (size_t)(list->n_dirs + 1) * sizeof(*more));

	if (!more)
		return ENOMEM;
	list->dirs = more;
	list->dirs[list->n_dirs++] = dir;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list *list = state->input;

	switch (key) {
	case 'g':
		list->glob = arg;
		return 0;
	case 'a':
		list->all_runs = true;
		return 0;
	case 'L':
		list->table.style.columns = "label,name,verdict";
		return 0;
	case 'l':
		set_level(list, arg, state);
		return 0;
	case 'h':
		list->table.style.no_header = true;
		return 0;
	case 'o':
		list->table.style.columns = arg;
		return 0;
	case 'p':
		list->table.style.parsable = true;
		return 0;
	case 'j':
		list->json = true;
		return 0;
	case 'd':
	case ARGP_KEY_ARG:
		return add_dir(list, arg);
	}
	return ARGP_ERR_UNKNOWN;
}

/* Completes --help: the columns from their table. */
static char *help_filter(int key, const char *text, void *input)
{
	struct ckpt_str help = { 0 };

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	ckpt_str_add(&help, "%s\n\nColumns:\n", text);
	for (const struct ckpt_column *c = ckpt_list_columns; c->name; c++)
		ckpt_str_add(&help, "  %-9s %s\n", c->name, c->help);
	return help.s;
}

static const struct argp argp = {
	options,
	parse,
	"[DIR...]",
	"Lists the checkpoints of run directories (default: checkpoints, else the "
	"current directory) with what they hold and whether they are whole.\v"
	"Exit: 0 listed, 1 no checkpoints there, 3 could not find out.",
	NULL,
	help_filter,
	NULL
};

/* Scans one directory. 0 or an exit code, with what is wrong printed. */
static int scan_one(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat, int index)
{
	struct ckpt_catalog_options scanned = { .glob = list->glob };
	const char *path = list->dirs[index];
	struct ckpt_error err = { 0 };
	char dir[CKPT_PATH_MAX];
	int r = ckpt_cli_absolute(path, dir) ? 0 : -ENAMETOOLONG;

	if (r == 0)
		r = ckpt_catalog_scan(ctx, cat, dir, index, &scanned, &err);
	if (r == -ENOENT)
		return ckpt_cli_fail(CKPT_EXIT_NO, "%s: no such directory", CKPT_QUOTE(path));
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: %s", CKPT_QUOTE(path),
				     err.text[0] ? err.text : strerror(-r));
	return 0;
}

/* Scans all that were named; one that fails does not hide the others. The worst exit code. */
static int scan(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat)
{
	static char fallback[] = ".", usual[] = "checkpoints";
	int code = 0;

	if (list->n_dirs == 0 && add_dir(list, access(usual, F_OK) == 0 ? usual : fallback) != 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(ENOMEM));
	for (int i = 0; i < list->n_dirs; i++) {
		int r = scan_one(list, ctx, cat, i);

		code = r > code ? r : code;
	}
	return code;
}

/* Whether @set's run folder is the newest of the directory it was found under. */
static bool in_newest_run(const struct ckpt_catalog *cat, const struct ckpt_set *set)
{
	for (int run = 0; run < set->run; run++)
		if (cat->runs[run].request == cat->runs[set->run].request)
			return false;
	return true;
}

/* Prints an element of the JSON array as it comes, so that a long list needs no memory. */
static int print_element(const struct ckpt_set *set, bool first)
{
	_cleanup_json_ cJSON *o = ckpt_set_json(set);
	char *text = ckpt_cli_json_text(o);

	if (!text)
		return -ENOMEM;
	printf("%s%s", first ? "[" : ", ", text);
	cJSON_free(text);
	return 0;
}

/* Verifies @set, puts it into the answer, and lets the report go: a long list has many. */
static int add_row(struct list *list, struct ckpt_ctx *ctx, struct ckpt_set *set)
{
	int r;

	if (list->verify && ckpt_ctx_expired(ctx) == 0)
		ckpt_set_verify(ctx, set, list->level);
	else
		list->unverified += list->verify;
	ckpt_cli_progress_end(ctx);
	r = list->json ? print_element(set, list->shown == 0) : ckpt_table_add(&list->table, set);
	free(set->report);
	set->report = NULL;
	list->shown++;
	return r;
}

/* In the catalog's order: newest run first, newest name of each series first. */
static int add_rows(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat)
{
	int r = 0;

	for (size_t i = 0; i < cat->n_sets && r == 0; i++) {
		struct ckpt_set *set = &cat->sets[i];

		if (list->all_runs || in_newest_run(cat, set))
			r = add_row(list, ctx, set);
	}
	return r;
}

/* What the rows do not show. True if something could not be looked into. */
static bool say_rest(const struct list *list, const struct ckpt_catalog *cat)
{
	bool closed = false;

	if (list->unverified)
		ckpt_cli_fail(0,
			      "time is up: %zu checkpoints are listed without a verdict (`ckptctl "
			      "validate` takes all the time it needs)",
			      list->unverified);
	if (cat->n_sets > list->shown)
		ckpt_cli_fail(0, "%zu more in older run folders (--all-runs)",
			      cat->n_sets - list->shown);
	for (size_t i = 0; i < ckpt_catalog_skipped(cat); i++) {
		ckpt_cli_fail(0, "skipped %s: %s", CKPT_QUOTE(cat->skipped[i].name),
			      cat->skipped[i].why);
		closed |= cat->skipped[i].code == CKPT_PROBLEM_IO;
	}
	return closed;
}

/* @code: how the scan of the directories ended. */
static int say_empty(const struct list *list, const struct ckpt_catalog *cat, int code)
{
	if (list->json)
		puts("[]");
	if (say_rest(list, cat))
		code = CKPT_EXIT_UNKNOWN;
	if (code != 0)
		return code;
	return ckpt_cli_fail(
		CKPT_EXIT_NO,
		"no checkpoints in %s. Save one there (names such as ckpt-3.pt are found by "
		"themselves), or name another directory: `ckptctl list DIR`; `sbatch "
		"--ckpt-dir=DIR --ckpt-glob=PATTERN` tells a job where and what",
		CKPT_QUOTE(list->dirs[0]));
}

static int list_all(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat)
{
	int code = scan(list, ctx, cat), r;

	if (cat->n_sets == 0)
		return say_empty(list, cat, code);
	r = add_rows(list, ctx, cat);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(-r));
	if (list->json)
		puts("]");
	else
		ckpt_table_print(&list->table);
	say_rest(list, cat);
	return code;
}

int ckpt_cmd_list(int argc, char **argv)
{
	struct list list = {
		.verify = true,
		.table = { .columns = ckpt_list_columns,
			   .cell = ckpt_list_cell,
			   .style.columns =
				   "name,role,epoch,step,loss,size,age,verdict,evidence" }
	};
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { .no_recall = true };
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &list) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_table_begin(&list.table);
	if (r == 0) {
		ctx.deadline_ns =
			list.level == CKPT_LEVEL_FULL ? 0 : ckpt_ctx_now(&ctx) + VERIFY_NS;
		ckpt_cli_progress(&ctx);
		r = list_all(&list, &ctx, &cat);
	}
	ckpt_table_done(&list.table);
	free(list.dirs);
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(-r)) : r;
}
