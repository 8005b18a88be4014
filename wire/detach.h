/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts a program that is nobody's child and ends with a task, mostly the calling process: the
 * companion of a batch script. A session of its own, so that no signal to the task's group reaches
 * it; working directory "/"; standard input and output on /dev/null, standard error inherited; on
 * descriptor 3 its lifeline, a pidfd of the task (the directory /proc/PID on kernels before 5.3),
 * on 4 what it holds, if anything, and nothing else open. An exec of the caller leaves the lifeline
 * what it is.
 */
#ifndef CKPT_WIRE_DETACH_H
#define CKPT_WIRE_DETACH_H

#include <stdbool.h>
#include <sys/types.h>

#include "wire/request.h"

#define CKPT_DETACH_LIFELINE_FD 3
#define CKPT_DETACH_HELD_FD 4

/* What to start. */
struct ckpt_detach {
	const char *program;	 /* absolute path */
	const char *const *more; /* variables besides the request's, "NAME=VALUE"; NULL-ended */
	pid_t task;		 /* whose end it ends with; 0: the calling process */
	/* A descriptor that it has open for as long as it lives, such as one end of a pipe whose
	 * other end tells so; not above 0: none. The caller keeps its own. */
	int held;
};

/*
 * Starts it with an environment made from nothing: PATH, LANG=C, CKPT_REQUEST_* of @req, and
 * @how->more. Safe in a child forked from a multi-threaded process. When it returns no child of
 * ours is left to be waited for. 0, also where the exec fails afterwards; -ENOENT and others where
 * the program cannot be run by its looks; or an errno of starting it.
 */
int ckpt_detach(const struct ckpt_detach *how, const struct ckpt_request *req,
		struct ckpt_error *err);

/*
 * Whether the process behind @lifeline has ended (a zombie has). Never blocks longer than @wait_ms,
 * and returns before where the process ends meanwhile.
 */
bool ckpt_lifeline_ended(int lifeline, int wait_ms);

#endif
