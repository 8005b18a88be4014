/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl info PATH: all that is known of one checkpoint.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/common.h"
#include "cli/findings.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "core/resolve/trail.h"

struct info {
	bool json;
	enum ckpt_level level;
	const char *path, *glob;
};

static const struct argp_option options[] = {
	{ "level", 'l', "structure|sample|full|finite", 0, "how far to check (default structure)",
	  0 },
	CKPT_CLI_GLOB,
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct info *info = state->input;

	switch (key) {
	case 'l':
		if (!ckpt_cli_level(arg, &info->level))
			argp_error(state, "--level=%s: structure, sample, full or finite", arg);
		return 0;
	case 'g':
		info->glob = arg;
		return 0;
	case 'j':
		info->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		info->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which checkpoint?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"PATH",
	"Tells all that is known of one checkpoint: a file, a directory, a bundle's prefix.\v"
	"Of one that is not valid also what can be found out about it: where its data end, holes, "
	"free space, who still writes, which older one stands in for it and what that costs.\n\n"
	"Exit: 0 it is valid, 1 it is not (or holds NaN or Inf, with --level=finite), 3 could not "
	"find out.",
	NULL,
	NULL,
	NULL
};

static void print_line(const char *label, const char *text)
{
	if (text && *text)
		ckpt_cli_say("%-11s %s", label, text);
}

static void print_keys(const struct ckpt_report *report)
{
	if (report->n_keys == 0)
		return;
	printf("%-11s", "Keys");
	for (int i = 0; i < report->n_keys; i++)
		printf(" %s", report->keys[i]);
	printf("%s\n", report->keys_cut ? " ..." : "");
}

static void print_position(const struct ckpt_set *set)
{
	struct ckpt_position p = ckpt_order_position(set);
	char words[96], line[256];

	ckpt_position_words(words, sizeof(words), &p);
	if (p.has_epoch)
		snprintf(line, sizeof(line), "%s (meaning of the epoch: %s; from %s)", words,
			 ckpt_meaning_name(p.meaning), ckpt_source_name(p.epoch_source));
	else if (p.has_step)
		snprintf(line, sizeof(line), "%s from %s", words, ckpt_source_name(p.step_source));
	else
		snprintf(line, sizeof(line), "unknown");
	print_line("Position", line);
	if (p.has_loss) {
		snprintf(line, sizeof(line), "%g (%s)", p.loss, p.loss_key);
		print_line("Loss", line);
	}
}

static void print_time(const struct ckpt_report *report)
{
	time_t when = (time_t)(report->identity.mtime_ns / 1000000000);
	char text[64];
	struct tm tm;

	if (when && localtime_r(&when, &tm) && strftime(text, sizeof(text), "%F %T %z", &tm))
		print_line("Written", text);
}

static void print_info(const struct ckpt_set *set, const struct ckpt_report *report)
{
	char line[CKPT_PATH_MAX + CKPT_REPORT_WORDS], size[32];
	uint64_t bytes = report->verdict.size_bytes;

	snprintf(line, sizeof(line), "%s/%s", set->dir, set->name);
	print_line("Path", line);
	print_line("Verdict", ckpt_report_words(line, sizeof(line), report, set->name));
	print_line("Format", report->format ? report->format->title : NULL);
	print_line("Holds", report->inner ? report->inner->title : NULL);
	print_line("Framework", report->framework);
	print_line("Layout", set->layout);
	print_line("Role", ckpt_role_name(set->role));
	print_line("Contents", ckpt_contents_name(report->contents));
	print_position(set);
	if (bytes == 0) /* the check ended before it came to the members */
		ckpt_set_size(set, &bytes);
	print_line("Size", ckpt_text_size(size, sizeof(size), bytes));
	print_time(report);
	if (report->tensors) {
		snprintf(line, sizeof(line), "%llu", (unsigned long long)report->tensors);
		print_line("Tensors", line);
	}
	print_keys(report);
}

static void print_json(const struct ckpt_set *set, const struct ckpt_findings *found)
{
	cJSON *o = ckpt_set_json(set);

	if (o)
		cJSON_AddItemToObject(o, "findings", ckpt_findings_json(found));
	ckpt_cli_print_json(o);
}

int ckpt_cmd_info(int argc, char **argv)
{
	struct info info = { .level = CKPT_LEVEL_STRUCTURE };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, others = { 0 };
	struct ckpt_findings found;
	const struct ckpt_report *report;
	struct ckpt_set *set = NULL;
	struct ckpt_ctx ctx = { .no_recall = true, .tell_all = true, .strict = true };
	struct ckpt_error err;
	bool rejected;
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &info) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_cli_find(&ctx, &cat, info.path, info.glob, &set, &err);
	if (r != 0)
		return ckpt_cli_fail(r, "%s", err.text);
	ckpt_cli_progress(&ctx);
	report = ckpt_set_verify(&ctx, set, info.level);
	ckpt_cli_progress_end(&ctx);
	rejected = report->verdict.status != CKPT_VALID;
	ckpt_findings_alone(&ctx, set, &others, &found);
	if (info.json) {
		print_json(set, &found);
	} else {
		print_info(set, report);
		ckpt_findings_print(&found, rejected);
	}
	return ckpt_cli_report_exit(report, info.level);
}
