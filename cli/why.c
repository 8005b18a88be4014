/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl why: the trail of a decision. Of one that was made (a decision-*.json, or --attempt in a
 * run directory), or of the one that would be made now.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/base/json.h"
#include "core/record/state.h"

struct why {
	struct ckpt_cli_request cli; /* first: the child's input */
	const char *file;
	bool last;
};

static const struct argp_option options[] = {
	{ "last", 'L', NULL, 0, "the last decision made in the run directory, as it was made", 0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_request_argp, 0, NULL, 0 }, { 0 } };

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
				  "file, that of a decision made now.",
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

	printf("%s\n", text_of(decision, "line"));
	cJSON_ArrayForEach (e, trail) {
		const cJSON *set = cJSON_GetObjectItemCaseSensitive(e, "checkpoint");
		const char *path = text_of(set, "path"), *slash = strrchr(path, '/');

		printf("  %-13s %-28s %s\n", text_of(e, "fate"), slash ? slash + 1 : path,
		       text_of(e, "why"));
	}
	cJSON_ArrayForEach (e, cJSON_GetObjectItemCaseSensitive(decision, "skipped"))
		printf("  %-13s %-28s %s\n", "skipped", text_of(e, "name"), text_of(e, "why"));
	if (ckpt_json_int(decision, "not_looked_at", &unseen) && unseen > 0)
		printf("  %-13s %lld more\n", "not-looked-at", (long long)unseen);
	if (*text_of(decision, "warning"))
		printf("  %-13s %s\n", "warning", text_of(decision, "warning"));
}

/* Newest decision-*.json of @dir by mtime, as a path relative to the current directory. */
static bool newest_decision(const char *dir, char *ret, size_t size)
{
	char state[CKPT_PATH_MAX];
	_cleanup_closedir_ DIR *d = NULL;
	struct ckpt_identity id;
	int64_t newest = INT64_MIN;
	struct dirent *e;

	if (snprintf(state, sizeof(state), "%s/" CKPT_STATE_DIR, dir) >= (int)sizeof(state))
		return false;
	d = opendir(state);
	while (d && (e = readdir(d))) {
		if (!ckpt_text_starts(e->d_name, "decision-", NULL) ||
		    !ckpt_text_ends(e->d_name, ".json") ||
		    ckpt_identity_at(dirfd(d), e->d_name, false, &id) < 0 || id.mtime_ns <= newest)
			continue;
		newest = id.mtime_ns;
		snprintf(ret, size, "%s/%s", state, e->d_name);
	}
	return newest != INT64_MIN;
}

static int why_recorded(struct why *why, const char *file)
{
	_cleanup_json_ cJSON *decision = NULL;
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_json_load(&ctx, AT_FDCWD, file, &decision, &err);

	if (r != 0)
		return ckpt_cli_fail(r == -ENOENT ? CKPT_EXIT_NO : CKPT_EXIT_UNKNOWN, "%s: %s",
				     file, err.text[0] ? err.text : strerror(r < 0 ? -r : EINVAL));
	if (why->cli.json)
		ckpt_cli_print_json(ckpt_take_ptr(decision));
	else
		print_trail(decision);
	return CKPT_EXIT_YES;
}

static int why_now(struct why *why)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_json_ cJSON *json = NULL;
	struct ckpt_ctx ctx = { 0 };
	int r;

	ckpt_cli_progress(&ctx);
	r = ckpt_resolve(&ctx, &why->cli.req, &res, &why->cli.err);
	ckpt_cli_progress_end(&ctx);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", why->cli.err.text);
	json = ckpt_resolution_json(&res);
	if (why->cli.json)
		ckpt_cli_print_json(ckpt_take_ptr(json));
	else
		print_trail(json);
	return ckpt_cli_decision_exit(&res.decision);
}

int ckpt_cmd_why(int argc, char **argv)
{
	static struct why why;
	char file[2 * CKPT_PATH_MAX];

	ckpt_cli_request_init(&why.cli);
	if (argp_parse(&argp, argc, argv, 0, NULL, &why) != 0 || !ckpt_cli_request_ready(&why.cli))
		return CKPT_EXIT_USAGE;
	if (why.file)
		return why_recorded(&why, why.file);
	if (!why.last)
		return why_now(&why);
	if (!newest_decision(why.cli.req.dirs[0] ? why.cli.req.dirs : "checkpoints", file,
			     sizeof(file)))
		return ckpt_cli_fail(CKPT_EXIT_NO,
				     "no decision is recorded there; without --last `ckptctl "
				     "why` tells what would be decided now");
	return why_recorded(&why, file);
}
