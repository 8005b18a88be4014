/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl list [DIR...]: the checkpoints of a run directory. The newest run of several unless
 * --all-runs; structure is checked unless --level says otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/table.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"

#define VERIFY_NS                                                                                  \
	(20 * 1000000000LL) /* after which rows stay unverified: a list is no validation */

struct list {
	bool json, all_runs, long_label, verify, full;
	struct ckpt_table table;
	char **dirs;
	int n_dirs;
};

static const struct argp_option options[] = {
	{ "all-runs", 'a', NULL, 0, "every run folder, not the newest alone", 0 },
	{ "long", 'L', NULL, 0, "labels as training UIs show them", 0 },
	{ "level", 'l', "none|structure|full", 0, "how far to check (default structure)", 0 },
	{ "noheader", 'h', NULL, 0, "no header line", 0 },
	{ "format", 'o', "COLUMN[,...]", 0,
	  "columns: name,role,epoch,step,loss,size,age,verdict,evidence,format,problem,dir", 0 },
	{ "parsable", 'p', NULL, 0, "'|' between cells, no alignment", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static void set_level(struct list *list, const char *arg, struct argp_state *state)
{
	enum ckpt_level level = CKPT_LEVEL_STRUCTURE;

	list->verify = strcmp(arg, "none") != 0;
	if (list->verify && !ckpt_cli_level(arg, &level))
		argp_error(state, "--level=%s: none, structure or full", arg);
	list->full = level == CKPT_LEVEL_FULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list *list = state->input;

	switch (key) {
	case 'a':
		list->all_runs = true;
		return 0;
	case 'L':
		list->long_label = true;
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
	case ARGP_KEY_ARGS:
		list->dirs = state->argv + state->next;
		list->n_dirs = state->argc - state->next;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"[DIR...]",
	"Lists the checkpoints of run directories (default: checkpoints, else the "
	"current directory) with what they hold and whether they are whole.",
	NULL,
	NULL,
	NULL
};

enum column { NAME, ROLE, EPOCH, STEP, LOSS, SIZE, AGE, VERDICT, EVIDENCE, FORMAT, PROBLEM, DIR_ };

static const struct ckpt_column columns[] = {
	[NAME] = { "NAME", false, NULL },
	[ROLE] = { "ROLE", false, NULL },
	[EPOCH] = { "EPOCH", true, NULL },
	[STEP] = { "STEP", true, NULL },
	[LOSS] = { "LOSS", true, NULL },
	[SIZE] = { "SIZE", true, NULL },
	[AGE] = { "AGE", true, NULL },
	[VERDICT] = { "VERDICT", false, NULL },
	[EVIDENCE] = { "EVIDENCE", false, NULL },
	[FORMAT] = { "FORMAT", false, NULL },
	[PROBLEM] = { "PROBLEM", false, NULL },
	[DIR_] = { "DIR", false, NULL },
	{ NULL, false, NULL },
};

static const char *cell_position(const struct ckpt_set *set, int column, char *buf, size_t size)
{
	struct ckpt_position p = ckpt_order_position(set);

	if (column == EPOCH)
		return p.has_epoch ? ckpt_text_number(buf, size, p.epoch) : NULL;
	if (column == STEP && p.has_step)
		snprintf(buf, size, "%lld", (long long)p.step);
	else if (column == LOSS && p.has_loss)
		snprintf(buf, size, "%.4f", p.loss);
	else
		return NULL;
	return buf;
}

static const char *cell_file(const struct ckpt_set *set, int column, char *buf, size_t size)
{
	struct ckpt_identity id;
	uint64_t bytes;

	if (column == SIZE)
		return ckpt_set_size(set, &bytes) == 0 ? ckpt_text_size(buf, size, bytes) : NULL;
	if (ckpt_set_identity(set, &id) < 0)
		return NULL;
	return ckpt_text_age(buf, size, (int64_t)time(NULL) - id.mtime_ns / 1000000000);
}

static const char *cell_verdict(const struct ckpt_report *report, int column,
				const char **ret_color)
{
	if (!report)
		return NULL;
	switch (column) {
	case VERDICT:
		*ret_color = report->verdict.status == CKPT_VALID	 ? "green"
			     : report->verdict.status == CKPT_UNREADABLE ? "yellow"
									 : "red";
		return ckpt_status_name(report->verdict.status);
	case EVIDENCE:
		return report->verdict.status == CKPT_VALID
			       ? ckpt_evidence_name(report->verdict.evidence)
			       : NULL;
	case FORMAT:
		return report->format ? report->format->name : NULL;
	default:
		return report->verdict.problem.code
			       ? ckpt_problem_name(report->verdict.problem.code)
			       : NULL;
	}
}

static const char *cell(const void *row, int column, char *buf, size_t size, const char **ret_color)
{
	const struct ckpt_set *set = row;

	switch (column) {
	case NAME:
		return set->name;
	case ROLE:
		return ckpt_role_name(set->role);
	case DIR_:
		return set->dir;
	case EPOCH:
	case STEP:
	case LOSS:
		return cell_position(set, column, buf, size);
	case SIZE:
	case AGE:
		return cell_file(set, column, buf, size);
	}
	return cell_verdict(set->report, column, ret_color);
}

/* "BEST | Epoch 2 | Step 1000 | (Loss: 0.3542) | [487.3 MB]" */
static void print_label(const struct ckpt_set *set)
{
	struct ckpt_position p = ckpt_order_position(set);
	char number[32], size[32];
	uint64_t bytes = 0;

	if (set->role == CKPT_ROLE_BEST)
		printf("BEST | ");
	else if (set->role == CKPT_ROLE_LAST)
		printf("LAST | ");
	if (p.has_epoch)
		printf("Epoch %s | ", ckpt_text_number(number, sizeof(number), p.epoch));
	if (p.has_step)
		printf("Step %lld | ", (long long)p.step);
	if (p.has_loss)
		printf("(Loss: %.4f) | ", p.loss);
	ckpt_set_size(set, &bytes);
	printf("[%s] | %s", ckpt_text_size(size, sizeof(size), bytes), set->name);
	if (set->report && set->report->verdict.status != CKPT_VALID)
		printf(" | %s", ckpt_status_name(set->report->verdict.status));
	putchar('\n');
}

static int scan(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat)
{
	static char fallback[] = ".", usual[] = "checkpoints";
	char *one[1] = { access(usual, F_OK) == 0 ? usual : fallback };
	struct ckpt_catalog_options none = { 0 };
	struct ckpt_error err = { 0 };
	char dir[CKPT_PATH_MAX];

	if (list->n_dirs == 0) {
		list->dirs = one;
		list->n_dirs = 1;
	}
	for (int i = 0; i < list->n_dirs; i++) {
		int r = ckpt_cli_absolute(list->dirs[i], dir) ? 0 : -ENAMETOOLONG;

		if (r == 0)
			r = ckpt_catalog_scan(ctx, cat, dir, i, &none, &err);
		if (r == -ENOENT)
			return ckpt_cli_fail(CKPT_EXIT_NO, "%s: no such directory",
					     CKPT_QUOTE(list->dirs[i]));
		if (r < 0)
			return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: %s", CKPT_QUOTE(list->dirs[i]),
					     err.text[0] ? err.text : strerror(-r));
	}
	return 0;
}

static bool is_shown(const struct list *list, const struct ckpt_set *set)
{
	return list->all_runs || set->run <= 0 || list->n_dirs > 1;
}

/* Verifies, in the catalog's order (newest name of each series first). Returns how many are shown in @rows. */
static size_t gather(struct list *list, struct ckpt_ctx *ctx, struct ckpt_catalog *cat,
		     struct ckpt_set **rows)
{
	size_t n = 0, unverified = 0;

	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_set *set = &cat->sets[i];

		if (!is_shown(list, set))
			continue;
		rows[n++] = set;
		if (list->verify && ckpt_ctx_expired(ctx) == 0)
			ckpt_set_verify(ctx, set,
					list->full ? CKPT_LEVEL_FULL : CKPT_LEVEL_STRUCTURE);
		else
			unverified += list->verify;
	}
	if (unverified)
		ckpt_cli_fail(0,
			      "time is up: %zu checkpoints are listed without a verdict (`ckptctl "
			      "validate` takes all the time it needs)",
			      unverified);
	return n;
}

static int print_rows(struct list *list, struct ckpt_set **rows, size_t n)
{
	cJSON *array;
	int r = 0;

	if (list->json) {
		array = cJSON_CreateArray();
		for (size_t i = 0; i < n; i++)
			cJSON_AddItemToArray(array, ckpt_set_json(rows[i]));
		return ckpt_cli_print_json(array) ? 0 : CKPT_EXIT_UNKNOWN;
	}
	if (list->long_label) {
		for (size_t i = 0; i < n; i++)
			print_label(rows[i]);
		return 0;
	}
	r = ckpt_table_begin(&list->table);
	for (size_t i = 0; i < n && r == 0; i++)
		r = ckpt_table_add(&list->table, rows[i]);
	if (r == 0)
		ckpt_table_end(&list->table);
	return r < 0 ? CKPT_EXIT_UNKNOWN : r;
}

static void say_rest(const struct list *list, const struct ckpt_catalog *cat, size_t shown)
{
	if (cat->n_sets > shown && !list->json)
		ckpt_cli_fail(0, "%zu more in older run folders (--all-runs)", cat->n_sets - shown);
	for (size_t i = 0; i < ckpt_catalog_skipped(cat) && !list->json; i++)
		ckpt_cli_fail(0, "skipped %s: %s", CKPT_QUOTE(cat->skipped[i].name),
			      cat->skipped[i].why);
}

static int say_empty(const struct list *list, const struct ckpt_catalog *cat)
{
	if (list->json)
		puts("[]");
	say_rest(list, cat, 0);
	return ckpt_cli_fail(
		CKPT_EXIT_NO,
		"no checkpoints in %s. Save one there (names such as ckpt-3.pt are found by "
		"themselves), or name another directory: `ckptctl list DIR`; `sbatch "
		"--ckpt-dir=DIR --ckpt-glob=PATTERN` tells a job where and what",
		list->dirs[0]);
}

int ckpt_cmd_list(int argc, char **argv)
{
	struct list list = {
		.verify = true,
		.table = { .columns = columns,
			   .cell = cell,
			   .style.columns =
				   "name,role,epoch,step,loss,size,age,verdict,evidence" }
	};
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_free_ struct ckpt_set **rows = NULL;
	struct ckpt_ctx ctx = { 0 };
	size_t n;
	int r;

	if (argp_parse(&argp, argc, argv, 0, NULL, &list) != 0)
		return CKPT_EXIT_USAGE;
	ctx.deadline_ns = list.full ? 0 : ckpt_ctx_now(&ctx) + VERIFY_NS;
	r = scan(&list, &ctx, &cat);
	if (r != 0)
		return r;
	if (cat.n_sets == 0)
		return say_empty(&list, &cat);
	rows = calloc(cat.n_sets, sizeof(struct ckpt_set *));
	if (!rows)
		return CKPT_EXIT_UNKNOWN;
	n = gather(&list, &ctx, &cat, rows);
	r = print_rows(&list, rows, n);
	say_rest(&list, &cat, n);
	return r;
}
