/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl why: the trail of a decision. Of one that was made (a decision-*.json, or --attempt in a
 * run directory), or of the one that would be made now.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "cli/findings.h"
#include "core/base/json.h"
#include "core/record/state.h"
#include "core/resolve/expand.h"
#include "core/resolve/settle.h"

#define FINDINGS_MAX 3 /* rejected ones that are looked at more closely */

struct why {
	struct ckpt_cli_request cli; /* first: the child's input */
	const char *file;
	bool last;
};

static const struct argp_option options[] = {
	{ "last", 'L', NULL, 0, "the last decision made in the run directory, as it was made", 0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_answer_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct why *why = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &why->cli;
		return 0;
	case 'L':
		why->last = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		why->file = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = { options,
				  parse,
				  "[DECISION.json]",
				  "Tells how a decision comes about: every checkpoint looked at, "
				  "and what was found. Without a "
				  "file, that of a decision made now.\v"
				  "Exit: 0 there is a checkpoint to start from, or the recorded "
				  "decision was read; 1 there is none; 3 could not find out.",
				  children,
				  NULL,
				  NULL };

/* A cell of a recorded trail; "" where it is not there. */
static const char *text_of(const cJSON *o, const char *key)
{
	const char *text = ckpt_json_text(o, key);

	return text ? text : "";
}

static void print_trail(const cJSON *decision)
{
	const cJSON *trail = cJSON_GetObjectItemCaseSensitive(decision, "trail");
	int64_t unseen = 0;
	const cJSON *e;

	ckpt_cli_say("%s", text_of(decision, "line"));
	cJSON_ArrayForEach (e, trail) {
		const cJSON *set = cJSON_GetObjectItemCaseSensitive(e, "checkpoint");
		const char *path = text_of(set, "path"), *slash = strrchr(path, '/');

		ckpt_cli_say("  %-13s %-28s %s", text_of(e, "fate"), slash ? slash + 1 : path,
			     text_of(e, "why"));
		if (*text_of(e, "findings_words"))
			ckpt_cli_say("  %-13s %-28s %s", "", "", text_of(e, "findings_words"));
	}
	cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(decision, "skipped"))
		ckpt_cli_say("  %-13s %-28s %s", "skipped", text_of(e, "name"), text_of(e, "why"));
	if (ckpt_json_int(decision, "not_looked_at", &unseen) && unseen > 0)
		ckpt_cli_say("  %-13s %lld more", "not-looked-at", (long long)unseen);
	if (*text_of(decision, "warning"))
		ckpt_cli_say("  %-13s %s", "warning", text_of(decision, "warning"));
}

/* The newest decision-*.json seen so far, by mtime. */
struct newest {
	int64_t mtime_ns;
	char path[2 * CKPT_PATH_MAX];
	int error; /* a place that could not be looked into; 0 = none */
};

static void look_for_decision(const char *dir, struct newest *newest)
{
	char state[CKPT_PATH_MAX + 16];
	_cleanup_closedir_ DIR *d = NULL;
	struct ckpt_identity id;
	struct dirent *e;

	snprintf(state, sizeof(state), "%.*s/" CKPT_STATE_DIR, CKPT_PATH_MAX - 1, dir);
	d = opendir(state);
	if (!d && errno != ENOENT)
		newest->error = errno;
	while (d && (e = readdir(d))) {
		if (!ckpt_text_starts(e->d_name, "decision-", NULL) ||
		    !ckpt_text_ends(e->d_name, ".json") ||
		    ckpt_identity_at(dirfd(d), e->d_name, false, &id) < 0 ||
		    id.mtime_ns <= newest->mtime_ns)
			continue;
		newest->mtime_ns = id.mtime_ns;
		snprintf(newest->path, sizeof(newest->path), "%s/%s", state, e->d_name);
	}
}

/* Where a run with this request keeps its last decision. 0, or an exit code with what is wrong
 * printed. */
static int last_decision(struct why *why, struct newest *newest)
{
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	const struct ckpt_request *req = &why->cli.req;
	int n = 0;

	newest->mtime_ns = INT64_MIN;
	if (ckpt_expand_roots(req, dirs, &n, &why->cli.err) != 0)
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "%s", why->cli.err.text);
	for (int i = 0; i < n; i++)
		look_for_decision(dirs[i], newest);
	if (newest->mtime_ns != INT64_MIN)
		return 0;
	if (newest->error)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "the recorded decisions: %s",
				     strerror(newest->error));
	return ckpt_cli_fail(CKPT_EXIT_NO, "no decision is recorded there; without --last "
					   "`ckptctl why` tells what would be decided now");
}

static int why_recorded(struct why *why, const char *file)
{
	_cleanup_json_ cJSON *decision = NULL;
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { .no_recall = true };
	int r = ckpt_json_load(&ctx, AT_FDCWD, file, &decision, &err);

	if (r != 0)
		return ckpt_cli_fail(r == -ENOENT ? CKPT_EXIT_NO : CKPT_EXIT_UNKNOWN, "%s: %s",
				     CKPT_QUOTE(file),
				     err.text[0] ? err.text : strerror(r < 0 ? -r : EINVAL));
	if (why->cli.json)
		ckpt_cli_print_json(ckpt_take_ptr(decision));
	else
		print_trail(decision);
	return CKPT_EXIT_YES;
}

/* The set that entry @i of the trail is about, to be looked at: rejected, or the chosen one. */
static struct ckpt_set *set_of(struct ckpt_resolution *res, size_t i)
{
	const struct ckpt_trail_entry *e = &res->trail[i];
	const struct ckpt_catalog *cat = &res->catalog;

	if ((e->fate != CKPT_FATE_REJECTED && e->fate != CKPT_FATE_CHOSEN) || e->set < cat->sets ||
	    e->set >= cat->sets + cat->n_sets)
		return NULL;
	return cat->sets + (e->set - cat->sets);
}

static void add_finding(const struct ckpt_findings *found, bool rejected, cJSON *entry)
{
	char line[1024];

	if (!*ckpt_findings_line(found, rejected, line, sizeof(line)) && !rejected)
		return;
	cJSON_AddItemToObject(entry, "findings", ckpt_findings_json(found));
	cJSON_AddStringToObject(entry, "findings_words", line);
}

/* Adds what can be found out about the first few rejected ones to the trail's entries, and what is
 * suspicious about the chosen one. */
static void add_findings(struct ckpt_ctx *ctx, struct ckpt_resolution *res, cJSON *json)
{
	cJSON *entry = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "trail"), 0);
	struct ckpt_findings found;
	int told = 0;

	for (size_t i = 0; i < res->n_trail && entry; i++) {
		struct ckpt_set *set = set_of(res, i);
		bool rejected = res->trail[i].fate == CKPT_FATE_REJECTED;

		if (set && (!rejected || told++ < FINDINGS_MAX)) {
			ckpt_findings_of(ctx, &res->catalog, set, res->run_dirs[0], &found);
			add_finding(&found, rejected, entry);
		}
		entry = entry->next;
	}
}

static int why_now(struct why *why)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_json_ cJSON *json = NULL;
	struct ckpt_ctx ctx = { 0 };
	int r;

	ckpt_cli_decision_ctx(&ctx);
	ckpt_cli_progress(&ctx);
	r = ckpt_resolve(&ctx, &why->cli.req, &res, &why->cli.err);
	ckpt_cli_progress_end(&ctx);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", why->cli.err.text);
	ckpt_settle_say_staying(&res, false);
	json = ckpt_resolution_json(&res);
	add_findings(&ctx, &res, json);
	if (why->cli.json)
		ckpt_cli_print_json(ckpt_take_ptr(json));
	else
		print_trail(json);
	return ckpt_cli_decision_exit(&res.decision);
}

int ckpt_cmd_why(int argc, char **argv)
{
	static struct why why;
	struct newest newest = { 0 };
	int r;

	ckpt_cli_request_init(&why.cli);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &why) != 0 || !ckpt_cli_request_ready(&why.cli))
		return CKPT_EXIT_USAGE;
	if (why.file)
		return why_recorded(&why, why.file);
	if (!why.last)
		return why_now(&why);
	r = last_decision(&why, &newest);
	return r != 0 ? r : why_recorded(&why, newest.path);
}
