/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the agent for a decision, from srun or from the batch task, always as the user, and
 * telling the user what came of it: one line on standard error.
 */
#ifndef CKPT_PLUGIN_ASK_H
#define CKPT_PLUGIN_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/decision.h"
#include "wire/request.h"
#include "wire/site.h"

#define CKPT_OPTION "SLURM_SPANK_CKPT_"	   /* options in a job's environment */
#define CKPT_CARRIER "SLURM_SPANK_CKPT_D_" /* the decision, for steps */
#define CKPT_STOP "SLURM_SPANK_CKPT_STOP"  /* srun tells its tasks to end with this code */

#define CKPT_SWITCHED_OFF "warning: switched off on this cluster; no checkpoint was looked for"

/* Who asks, and about which attempt. */
struct ckpt_asking {
	const struct ckpt_site *site;
	ckpt_getenv_fn *lookup; /* into the job's environment */
	void *arg;
	bool hooks; /* a prolog began the attempt */
	int64_t job_id, attempt;
	bool companion;		       /* the attempt will have one */
	int64_t array_job, array_task; /* 0 and CKPT_REQUEST_NO_TASK outside of arrays */
};

/* What is to become of the task: it starts, or ends by @signal, or with @code. */
struct ckpt_ending {
	bool start;
	bool refused; /* ends by our own refusal */
	int code, signal;
};

/*
 * Loads the site's configuration (plugstack argument config=PATH, else beside SLURM_CONF). A bad
 * one is logged and the defaults hold. False, and a line to the user, where the kill switch is
 * thrown.
 */
bool ckpt_ask_site(struct ckpt_site *site, int ac, char *argv[]);

/*
 * Fills @req with all that a decision of the attempt depends on. 0; -ESTALE with @err where the
 * work directory is not there; -EINVAL or -E2BIG with @err for an option that is wrong.
 */
int ckpt_ask_request(struct ckpt_request *req, const struct ckpt_asking *asking,
		     struct ckpt_error *err);

/*
 * Runs the agent (op resolve) and says what it decided. Fills *@ret where the task starts.
 * Nothing found out is never a fresh start, except where the user asked for a fresh one.
 */
struct ckpt_ending ckpt_ask(const struct ckpt_asking *asking, struct ckpt_decision *ret);

/*
 * Takes a decision made before (by the prolog): says it, and where it says so has the agent align
 * pointers and quarantine (op settle); trouble in that is a warning.
 */
struct ckpt_ending ckpt_ask_settle(const struct ckpt_asking *asking, const struct ckpt_decision *d);

/* Takes the lease for a decision made before (op claim). False where another job has it, or nobody
 * can tell: then the decision is to be made anew, which waits and says so. */
bool ckpt_ask_claim(const struct ckpt_asking *asking);

/* Writes "ckpt-resume: " @text and a newline to standard error. */
void ckpt_ask_say(const char *text);

#endif
