/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is run and waited for, with the signals that come for it passed on.
 */
#ifndef CKPT_CLI_CHILD_H
#define CKPT_CLI_CHILD_H

/* How it ended. */
struct ckpt_cli_child {
	int code;   /* as a shell has it: its own, 128 + the signal that ended it, 126, 127 */
	int signal; /* that ended it; 0 = none */
	int passed; /* the last signal that was passed on to it; 0 = none */
};

/*
 * Runs @argv in this process group and waits. Signals that somebody sends to this process go on to
 * it (those of a terminal reach it anyway); it gets SIGTERM if this process is killed. 0 or an
 * errno.
 */
int ckpt_cli_child_run(char *const *argv, struct ckpt_cli_child *ret);

/* Ends this process as @child ended, by its signal or with its code: returns that code. */
int ckpt_cli_child_exit(const struct ckpt_cli_child *child);

#endif
