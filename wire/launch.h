/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts the agent and takes its one answer. The agent gets an environment made from nothing: PATH,
 * LANG=C and the request's rows as CKPT_REQUEST_*; its answer comes over descriptor 3. Safe in a
 * child forked from a multi-threaded process: everything is built before the fork, and between fork
 * and exec only async-signal-safe calls and @prepare are run.
 */
#ifndef CKPT_WIRE_LAUNCH_H
#define CKPT_WIRE_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/decision.h"
#include "wire/request.h"

#define CKPT_LAUNCH_ANSWER_FD 3

/* How to start it. */
struct ckpt_launch {
	const char *agent;   /* absolute path of ckpt-agent */
	const char *op;	     /* "resolve", "claim", "settle", "record" */
	bool confined;	     /* pass --no-exec: seccomp, no fetch; stdio on /dev/null, cwd "/" */
	int64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
	/* Runs in the child just before exec, e.g. to drop privileges; non-zero ends the child with
	 * 127. NULL = nothing. */
	int (*prepare)(void *arg);
	void *arg;
};

/* How it ended. */
struct ckpt_launch_end {
	bool timed_out; /* it gave no answer and we killed it (waited for it 100 ms more) */
	int signal;	/* it died by that signal, else 0 */
	int exit_code;
};

/*
 * Runs the agent for @req. 0 with a decoded and checked answer in *@ret (op record answers with
 * mode "fresh" and a line); -ETIMEDOUT, -EPIPE (died without an answer), -EBADMSG (answered
 * nonsense), or an errno of starting it; @ret_end (never NULL) is filled in every case but the
 * last.
 */
int ckpt_launch_agent(const struct ckpt_launch *how, const struct ckpt_request *req,
		      struct ckpt_decision *ret, struct ckpt_launch_end *ret_end,
		      struct ckpt_error *err);

#endif
