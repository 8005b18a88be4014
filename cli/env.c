/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl env: the decision as a shell's text, for scripts on clusters where nothing is installed.
 */
#include <stdio.h>
#include <string.h>

#include "cli/decide.h"
#include "core/base/shell.h"

static const struct argp_child children[] = { { &ckpt_cli_decide_argp, 0, NULL, 0 },
					      { &ckpt_cli_json_argp, 0, NULL, 0 },
					      { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ckpt_cli_decide *decide = state->input;

	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = decide;
	state->child_inputs[1] = &decide->cli;
	return 0;
}

static const struct argp argp = {
	NULL,
	parse,
	NULL,
	"Decides what this attempt starts from, as the plugin does, and prints the variables for "
	"the shell:\n\n"
	"  eval \"$(ckptctl env --dir=D || echo exit $?)\"\n\n"
	"That ends the script where nothing may be started, also where ckptctl is not found. Each "
	"call decides anew inside the same run.\v"
	"A run that is done gives CKPT_RESUME_MODE=done: `[ $CKPT_RESUME_MODE != done ] || exit "
	"0`.\n"
	"A refusal prints a text that fails with the code a job would end with (64, 65, 75), so "
	"`eval \"$(ckptctl env)\" || exit` ends there too.\n"
	"Exit: 0 decided (a fresh start included), 1 the pinned checkpoint is missing or not "
	"valid, "
	"2 usage, 3 could not find out.",
	children,
	NULL,
	NULL
};

static int add_variable(void *arg, const char *name, const char *value)
{
	struct ckpt_str *text = arg;

	ckpt_str_add(text, "export %s=", name);
	ckpt_shell_quote(text, value);
	ckpt_str_add(text, "\n");
	return text->failed ? -ENOMEM : 0;
}

static int print_variables(const struct ckpt_decision *d)
{
	_cleanup_str_ struct ckpt_str text = { 0 };

	if (strcmp(d->mode, "refused") == 0) {
		printf("(exit %lld)\n", (long long)d->refusal);
		return ckpt_cli_decision_exit(d);
	}
	if (ckpt_decision_export(d, 0, add_variable, &text) < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "no memory");
	fputs(text.s, stdout);
	return CKPT_EXIT_YES;
}

int ckpt_cmd_env(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	static struct ckpt_cli_decide decide;
	int r;

	ckpt_cli_decide_init(&decide);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &decide) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_cli_decide(&decide, &res);
	if (r != 0)
		return r;
	if (!decide.cli.json)
		return print_variables(&res.decision);
	ckpt_cli_print_json(ckpt_resolution_json(&res));
	return res.decision.refusal ? ckpt_cli_decision_exit(&res.decision) : CKPT_EXIT_YES;
}
