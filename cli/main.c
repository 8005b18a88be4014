/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl's front door: the table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "cli/ckptctl.h"

const struct ckpt_command ckpt_commands[] = {
	{ "list", "the checkpoints of a run directory, with verdicts", ckpt_cmd_list },
	{ "info", "all that is known of one checkpoint", ckpt_cmd_info },
	{ "validate", "prove checkpoints whole, or say what is wrong", ckpt_cmd_validate },
	{ "resolve", "print the path that a job would resume from", ckpt_cmd_resolve },
	{ "why", "how that decision comes about: everything looked at", ckpt_cmd_why },
	{ "seal", "verify checkpoints and record their digests", ckpt_cmd_seal },
	{ "quarantine", "take a proved corrupt checkpoint out of the way", ckpt_cmd_quarantine },
	{ "release", "undo a quarantine", ckpt_cmd_release },
	{ "prune", "remove sealed checkpoints beyond the newest and the best", ckpt_cmd_prune },
	{ "epoch-info", "show or repair epoch_info.json", ckpt_cmd_epoch_info },
	{ "stage", "run a stage of a pipeline once over all attempts", ckpt_cmd_stage },
	{ "exec", "start a program with the decision as its argument", ckpt_cmd_exec },
	{ "env", "the decision as variables for a shell", ckpt_cmd_env },
	{ "companion", "watch and seal what this script saves", ckpt_cmd_companion },
	{ "done", "declare a run done, or not", ckpt_cmd_done },
	{ "beat", "a sign of life of your program", ckpt_cmd_beat },
	{ "history", "a run's attempts: why each ended, and what was lost", ckpt_cmd_history },
	{ "watch", "follow a run as it goes", ckpt_cmd_watch },
	{ "report", "a run's past as one HTML page", ckpt_cmd_report },
	{ "damage", "try whether your own checkpoints' damage would be found", ckpt_cmd_damage },
	{ NULL, NULL, NULL },
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: ckptctl COMMAND [OPTION...]\n\n"
		     "Looks at checkpoints as ckpt-resume does when it restarts a job.\n\n");
	for (const struct ckpt_command *c = ckpt_commands; c->name; c++)
		fprintf(out, "  %-12s %s\n", c->name, c->summary);
	fprintf(out, "\n`ckptctl COMMAND --help` tells a command's options. Every command that "
		     "answers has --json.\n"
		     "Exit: 0 yes, 1 the answer is no, 2 usage, 3 could not find out.\n");
}

static const struct ckpt_command *find_command(const char *name)
{
	for (const struct ckpt_command *c = ckpt_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* A full disk behind stdout shows only when the last of it is written. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("ckptctl: stdout");
	return CKPT_EXIT_UNKNOWN;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int run_command(int argc, char **argv)
{
	static char help[] = "--help", name[64];
	bool helped = argc == 3 && is_help(argv[1]);
	const char *word = argv[helped ? 2 : 1];
	const struct ckpt_command *command = find_command(word);

	if (!command) {
		fprintf(stderr, "ckptctl: there is no command %s; `ckptctl --help` lists them\n",
			CKPT_QUOTE(word));
		return CKPT_EXIT_USAGE;
	}
	if (helped)
		argv[2] = help;
	snprintf(name, sizeof(name), "ckptctl %s", command->name);
	argv[1] = name;
	return finish(command->run(argc - 1, argv + 1));
}

int main(int argc, char **argv)
{
	argp_err_exit_status = CKPT_EXIT_USAGE;
	if (argc < 2) {
		print_help(stderr);
		return CKPT_EXIT_USAGE;
	}
	if (argc == 2 && is_help(argv[1])) {
		print_help(stdout);
		return finish(CKPT_EXIT_YES);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ckptctl " CKPT_VERSION "\n");
		return finish(CKPT_EXIT_YES);
	}
	return run_command(argc, argv);
}
