/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl: one file a command, one row a command. Data goes to stdout, words to stderr; works
 * without Slurm and without any installation by an admin.
 */
#ifndef CKPT_CLI_CKPTCTL_H
#define CKPT_CLI_CKPTCTL_H

#include <argp.h>
#include <stdbool.h>

#include "core/resolve/resolve.h"

/* What a command ends with: the contract's exit codes. */
enum ckpt_exit {
	CKPT_EXIT_YES = 0,
	CKPT_EXIT_NO = 1,
	CKPT_EXIT_USAGE = 2,
	CKPT_EXIT_UNKNOWN = 3, /* could not find out */
};

/* One command. */
struct ckpt_command {
	const char *name, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is "ckptctl NAME" */
};

/* All commands in the order of --help; the last has a NULL name. */
extern const struct ckpt_command ckpt_commands[];

/* For commands with one kind of directory, which is their argument: who comes from `resolve --dir`
 * need not know that. To be treated as the argument, by the key 'd'. */
#define CKPT_CLI_DIR_OPTION                                                                        \
	{                                                                                          \
		"dir", 'd', "DIR", 0, "the same as DIR", 0                                         \
	}

/* list [DIR...]: the checkpoints of run directories, a row each. 1 where there are none. */
int ckpt_cmd_list(int argc, char **argv);

/* info PATH: all that is known of one. The verdict's exit code. */
int ckpt_cmd_info(int argc, char **argv);

/* validate PATH...: reads them in full. The worst verdict's exit code. */
int ckpt_cmd_validate(int argc, char **argv);

/* resolve: the path alone on stdout, the decision in words on stderr. 1 where there is none. */
int ckpt_cmd_resolve(int argc, char **argv);

/* why [DECISION.json]: the trail of a decision, made now or recorded. */
int ckpt_cmd_why(int argc, char **argv);

/* seal PATH...: records digests of what verified. */
int ckpt_cmd_seal(int argc, char **argv);

/* quarantine PATH...: moves what is proved corrupt aside. 1 where one stays. */
int ckpt_cmd_quarantine(int argc, char **argv);

/* release PATH...: brings it back. 1 where nothing is there to bring back, or its place is taken.
 */
int ckpt_cmd_release(int argc, char **argv);

/* epoch-info [show|repair]: epoch_info.json beside the newest valid checkpoint. 1: they differ. */
int ckpt_cmd_epoch_info(int argc, char **argv);

/* stage NAME -- COMMAND, stage list, stage reset [NAME]. COMMAND's own exit code. */
int ckpt_cmd_stage(int argc, char **argv);

/* exec -- COMMAND: becomes it. */
int ckpt_cmd_exec(int argc, char **argv);

/* env: the decision as a shell's text. */
int ckpt_cmd_env(int argc, char **argv);

/* prune --keep=N[,best=K] [--dry-run]: removes what is one too many. 1 where something stays. */
int ckpt_cmd_prune(int argc, char **argv);

/* companion: starts ckpt-companion for the calling script, and returns. */
int ckpt_cmd_companion(int argc, char **argv);

/* done [--undo] [DIR]: the run's end marker. 1 where no run began. */
int ckpt_cmd_done(int argc, char **argv);

/* beat [DIR]: touches the heartbeat. */
int ckpt_cmd_beat(int argc, char **argv);

/* history [DIR|JOBID]: the attempts of a run, a row each. 1 where none is recorded. */
int ckpt_cmd_history(int argc, char **argv);

/* watch [DIR|JOBID]: follows them until SIGINT. */
int ckpt_cmd_watch(int argc, char **argv);

/* report [DIR|JOBID] -o FILE: the same as a page. */
int ckpt_cmd_report(int argc, char **argv);

/* damage SOURCE --to=COPY, damage COPY --how=KIND: spoils a copy. 1 where it refuses. */
int ckpt_cmd_damage(int argc, char **argv);

#endif
