/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl exec: starts a program with the decision as an argument of its own kind.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/decide.h"
#include "core/resolve/template.h"

/* As env(1) and nohup(1) end where the program cannot be started. */
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

struct exec {
	struct ckpt_cli_decide decide; /* first: the child's input */
	const char *append, *fresh_append;
	char **command; /* NULL-terminated: the end of argv */
	size_t n;
};

static const struct argp_option options[] = {
	{ "append", 'a', "TEMPLATE", 0, "arguments to add where there is a checkpoint", 0 },
	{ "fresh-append", 'f', "TEMPLATE", 0, "arguments to add at a fresh start", 0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_decide_argp, 0, NULL, 0 }, { 0 } };

/* A template's form is looked at before anything is decided: not at the third attempt. */
static void check_template(const char *text, struct argp_state *state)
{
	_cleanup_template_ struct ckpt_template t = { 0 };
	struct ckpt_error err = { 0 };

	if (ckpt_template_fill(text, NULL, &t, &err) != 0)
		argp_error(state, "%s", err.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct exec *e = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &e->decide;
		return 0;
	case 'a':
	case 'f':
		check_template(arg, state);
		*(key == 'a' ? &e->append : &e->fresh_append) = arg;
		return 0;
	case ARGP_KEY_ARGS:
		e->command = state->argv + state->next;
		e->n = (size_t)(state->argc - state->next);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"-- COMMAND [ARGUMENT...]",
	"Decides what this attempt starts from, sets the variables and becomes COMMAND, with the "
	"decision as its own arguments:\n\n"
	"  ckptctl exec --append='--resume {path}' --fresh-append='--from-scratch' -- ./train\n\n"
	"A template is split at spaces, then filled in: {path}, {root}, {tag}, {epoch} (last "
	"completed), {start_epoch}, {step}; {{ is a brace. Each call decides anew inside the same "
	"run: in a loop the second one goes on from what the first has saved. The tasks of a step "
	"that srun starts get one decision.\v"
	"COMMAND is not started where the run is done (exit 0), where a placeholder has no value "
	"(2), where nothing could be found out (75, or 3), where the options or the pinned "
	"checkpoint are wrong (64, 65), or where it cannot be run (126, 127).\n"
	"Exit: 0 or another code of COMMAND's own.",
	children,
	NULL,
	NULL
};

static int set_variable(void *arg, const char *name, const char *value)
{
	(void)arg;
	return setenv(name, value, 1) < 0 ? -errno : 0;
}

static int become(const struct exec *e, const struct ckpt_template *added)
{
	_cleanup_free_ char **argv = calloc(e->n + added->n + 1, sizeof(*argv));

	if (!argv)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "no memory");
	memcpy(argv, e->command, e->n * sizeof(*argv));
	memcpy(argv + e->n, added->words, added->n * sizeof(*argv));
	fflush(NULL);
	execvp(argv[0], argv);
	return ckpt_cli_fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN,
			     "cannot run %s: %s", CKPT_QUOTE(argv[0]), strerror(errno));
}

static int start(const struct exec *e, const struct ckpt_decision *d)
{
	const char *text = d->path[0] ? e->append : e->fresh_append;
	/* steps that srun starts with --export=NONE get the decision by these */
	bool carriers = getenv("SLURM_SPANK_CKPT_D_RESUME_MODE") != NULL;
	_cleanup_template_ struct ckpt_template added = { 0 };
	struct ckpt_error err = { 0 };
	int r = text ? ckpt_template_fill(text, d, &added, &err) : 0;

	if (r > 0)
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "%s=%s: %s; %s was not started",
				     d->path[0] ? "--append" : "--fresh-append", CKPT_QUOTE(text),
				     err.text, CKPT_QUOTE(e->command[0]));
	if (r == 0)
		r = ckpt_decision_export(d, carriers, set_variable, NULL);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "the variables cannot be set: %s",
				     strerror(-r));
	return become(e, &added);
}

int ckpt_cmd_exec(int argc, char **argv)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	static struct exec e;
	int r;

	ckpt_cli_decide_init(&e.decide);
	if (ckpt_cli_parse(&argp, argc, argv, ARGP_IN_ORDER, &e) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_cli_decide(&e.decide, &res);
	if (r != 0)
		return r;
	if (strcmp(res.decision.mode, "refused") == 0)
		return (int)res.decision.refusal;
	if (strcmp(res.decision.mode, "done") == 0)
		return CKPT_EXIT_YES;
	return start(&e, &res.decision);
}
