/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of ckpt-agent, the process that does all work on a user's files, always as that user.
 */
#ifndef CKPT_AGENT_AGENT_H
#define CKPT_AGENT_AGENT_H

#include "core/resolve/resolve.h"

/* One call of the agent. */
struct ckpt_call {
	struct ckpt_request req;
	struct ckpt_ctx ctx;
	struct ckpt_decision answer;
	int64_t started_ns, told_ns;
};

/* Begins the time of req.budget_ms. */
void ckpt_call_start_clock(struct ckpt_call *call);

/*
 * Op resolve: waits for another job in the run directory as --ckpt-share says, decides, and leaves
 * mark, decision, ledger entry and lease. 0 with the answer, or an errno with @err; in a hook
 * -EAGAIN for what is the step's to decide.
 */
int ckpt_call_resolve(struct ckpt_call *call, struct ckpt_error *err);

/* Op claim: takes the lease for an attempt that the prolog has decided. 0; -EBUSY: another job's
 * lease lies there. */
int ckpt_call_claim(struct ckpt_call *call, struct ckpt_error *err);

/* Op settle: pointers and names follow what the prolog decided, if the same comes out again; the
 * lease of op claim moves meanwhile. 0 or an errno. */
int ckpt_call_settle(struct ckpt_call *call, struct ckpt_error *err);

/* Releases the lease of the call's attempt: it has ended. */
void ckpt_call_release(const struct ckpt_call *call);

/*
 * Gives up for good what a process that reads hostile files needs not: exec, other processes,
 * leaving its group or outliving its parent, ptrace, sockets, mounts, keys (libseccomp; EPERM).
 * 0, or an errno with @err: then the agent must not go on.
 */
int ckpt_confine(struct ckpt_error *err);

/*
 * Runs the run configuration's model.fetch as the user, without a shell, in its directory (made
 * when missing), and waits for it. 0 with the directory in @ret (CKPT_PATH_MAX bytes);
 * CKPT_FETCH_FAILED with @err when it ended badly; or an errno.
 */
enum ckpt_fetch_result { CKPT_FETCH_FAILED = 1 };
int ckpt_fetch(const struct ckpt_run_config *config, const char *run_dir, char *ret,
	       struct ckpt_error *err);

#endif
