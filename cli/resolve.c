/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl resolve: the path that a job would resume from, alone on stdout.
 */
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/resolve/settle.h"

static const struct argp_child children[] = { { &ckpt_cli_answer_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = state->input;
	return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	NULL,
	parse,
	NULL,
	"Prints the path of the checkpoint that a job would start from, and "
	"nothing else, on stdout. Changes nothing.\v"
	"Exit: 0 printed, 1 nothing to resume from, 3 could not find out.",
	children,
	NULL,
	NULL
};

int ckpt_cmd_resolve(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	static struct ckpt_cli_request cli;
	struct ckpt_ctx ctx = { 0 };
	int r;

	ckpt_cli_request_init(&cli);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &cli) != 0 || !ckpt_cli_request_ready(&cli))
		return CKPT_EXIT_USAGE;
	ckpt_cli_decision_ctx(&ctx);
	ckpt_cli_progress(&ctx);
	r = ckpt_resolve(&ctx, &cli.req, &res, &cli.err);
	ckpt_cli_progress_end(&ctx);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", cli.err.text);
	ckpt_settle_say_staying(&res, false);
	if (cli.json)
		ckpt_cli_print_json(ckpt_resolution_json(&res));
	else if (res.decision.path[0])
		puts(res.decision.path);
	fprintf(stderr, "ckptctl: %s\n", res.decision.line);
	if (res.decision.warning[0])
		fprintf(stderr, "ckptctl: warning: %s\n", res.decision.warning);
	return ckpt_cli_decision_exit(&res.decision);
}
