/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks slurmctld through ckpt-jobinfo, which lies beside ckpt-hook, under a deadline. The hook
 * itself links no libslurm and waits for no controller.
 */
#ifndef CKPT_HOOKS_ASK_H
#define CKPT_HOOKS_ASK_H

#include "hooks/cause.h"

/* What slurmctld knows of @job_id, by @deadline_ns (CLOCK_MONOTONIC). 0; or with @err -ETIMEDOUT,
 * -EBADMSG (no whole line), or an errno of starting the program. */
int ckpt_ask_show(int64_t job_id, int64_t deadline_ns, struct ckpt_jobinfo *ret,
		  struct ckpt_error *err);

/* Puts @job_id back into the queue, where it waits for the end of job @after (0: for none). As
 * ckpt_ask_show(); -EREMOTEIO when slurmctld refused. */
int ckpt_ask_requeue(int64_t job_id, int64_t after, int64_t deadline_ns, struct ckpt_error *err);

/* The same, held, or held where it waits; @reason (NULL: none) is left where scontrol show job
 * shows it and, unless @only_admin, in the comment that squeue shows too. */
int ckpt_ask_hold(int64_t job_id, const char *reason, bool only_admin, int64_t deadline_ns,
		  struct ckpt_error *err);

/* Undoes a hold. As ckpt_ask_requeue(). */
int ckpt_ask_release(int64_t job_id, int64_t deadline_ns, struct ckpt_error *err);

/* Reads one line of ckpt-jobinfo, @line, in place. 0, or -EBADMSG with @err. */
int ckpt_ask_parse(char *line, struct ckpt_jobinfo *ret, struct ckpt_error *err);

#endif
