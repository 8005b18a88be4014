/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl prune: --ckpt-keep by hand.
 */
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/base/text.h"
#include "core/resolve/retain.h"

struct prune {
	struct ckpt_cli_request cli; /* first: the child's input */
	struct ckpt_keep keep;
	bool dry_run, force;
};

static const struct argp_option options[] = {
	{ "keep", 'k', "N[,best=K]", 0, "the N newest (2 or more) and the K best stay", 0 },
	{ "dry-run", 'n', NULL, 0, "only tell what would be removed", 0 },
	{ "force", 'f', NULL, 0, "also where a job began and was not seen to end", 0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_answer_argp, 0, NULL, 0 }, { 0 } };

static void take_keep(struct prune *prune, const char *arg, struct argp_state *state)
{
	const char *problem = *arg ? ckpt_keep_parse(arg, &prune->keep) : "is empty";

	if (problem)
		argp_error(state, "--keep=%s %s", arg, problem);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct prune *prune = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = prune;
		return 0;
	case 'k':
		take_keep(prune, arg, state);
		return 0;
	case 'n':
		prune->dry_run = true;
		return 0;
	case 'f':
		prune->force = true;
		return 0;
	case ARGP_KEY_END:
		if (!prune->keep.newest)
			argp_error(state, "--keep=N: how many?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	NULL,
	"Removes, for good, the oldest numbered checkpoints of each series that are sealed and "
	"unchanged since, beyond the N newest ones and the K best by --metric. What a decision, a "
	"pointer file, a link or epoch_info.json refers to stays, and so does what is not sealed "
	"(`ckptctl seal`).\v"
	"Exit: 0 all removed, or nothing to remove; 1 something could not be removed, or a job "
	"is at work there; 3 could not find out, nothing was removed.",
	children,
	NULL,
	NULL
};

static void tell(const struct prune *prune, const struct ckpt_retain *plan, size_t gone)
{
	char size[64];

	ckpt_text_size(size, sizeof(size), plan->bytes);
	if (plan->n == 0)
		fprintf(stderr, "ckptctl: nothing to remove");
	else if (prune->dry_run)
		fprintf(stderr, "ckptctl: would remove %zu checkpoints, %s", plan->n, size);
	else
		fprintf(stderr, "ckptctl: removed %zu of %zu checkpoints, %s", gone, plan->n, size);
	if (plan->spared)
		fprintf(stderr, "; %zu stay that something refers to", plan->spared);
	fputs("\n", stderr);
}

static cJSON *answer(const struct prune *prune, const struct ckpt_retain *plan, size_t gone)
{
	cJSON *o = cJSON_CreateObject(), *paths = cJSON_AddArrayToObject(o, "paths");
	char path[2 * CKPT_PATH_MAX];

	for (size_t i = plan->n; i > 0; i--) {
		const struct ckpt_set *set = plan->doomed[i - 1];

		snprintf(path, sizeof(path), "%s/%s", set->dir, set->name);
		cJSON_AddItemToArray(paths, cJSON_CreateString(path));
	}
	cJSON_AddNumberToObject(o, "bytes", (double)plan->bytes);
	cJSON_AddNumberToObject(o, "removed", (double)gone);
	cJSON_AddNumberToObject(o, "spared", (double)plan->spared);
	cJSON_AddBoolToObject(o, "dry_run", prune->dry_run);
	return o;
}

static void print_paths(const struct ckpt_retain *plan)
{
	for (size_t i = plan->n; i > 0; i--)
		ckpt_cli_say("%s/%s", plan->doomed[i - 1]->dir, plan->doomed[i - 1]->name);
}

static int carry_out(struct prune *prune, const struct ckpt_resolution *res,
		     const struct ckpt_retain *plan)
{
	struct ckpt_error err = { 0 };
	size_t gone = prune->dry_run ? 0 : ckpt_retain_remove(res, &prune->cli.req, plan, &err);

	if (prune->cli.json)
		ckpt_cli_print_json(answer(prune, plan, gone));
	else
		print_paths(plan);
	if (err.text[0])
		ckpt_cli_fail(0, "%s", err.text);
	tell(prune, plan, gone);
	return prune->dry_run || gone == plan->n ? CKPT_EXIT_YES : CKPT_EXIT_NO;
}

int ckpt_cmd_prune(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_retain_ struct ckpt_retain plan = { 0 };
	static struct prune prune;
	struct ckpt_ctx ctx = { .no_recall = true };
	int r;

	ckpt_cli_request_init(&prune.cli);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &prune) != 0)
		return CKPT_EXIT_USAGE;
	if (!prune.cli.req.verify[0])
		ckpt_text_copy(prune.cli.req.verify, sizeof(prune.cli.req.verify), "structure");
	if (!ckpt_cli_request_ready(&prune.cli))
		return CKPT_EXIT_USAGE;
	r = ckpt_resolve(&ctx, &prune.cli.req, &res, &prune.cli.err);
	if (r == 0 && res.state.live_job && !prune.force)
		return ckpt_cli_fail(CKPT_EXIT_NO,
				     "job %lld began here and was not seen to end: nothing is "
				     "removed; --force removes all the same",
				     (long long)res.state.live_job);
	if (r == 0)
		r = ckpt_retain_plan(&ctx, &prune.cli.req, &prune.keep, &res, &plan,
				     &prune.cli.err);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s; nothing was removed",
				     prune.cli.err.text);
	return carry_out(&prune, &res, &plan);
}
