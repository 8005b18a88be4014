/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of the companion: holds the lease of the job's run directories, in a process of its
 * own that may hang with them. Not at idle priority: a holder that is not run looks dead; what it
 * does is one small read and one small write every few seconds.
 *
 * Where a later attempt of the same job has the lease, this one runs on a node that was given up.
 * Its programs are killed at once: a signal that they could handle would make them save, over what
 * the later attempt does. The script is stopped first, lest it starts the next one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/base/ctx.h"
#include "core/resolve/expand.h"
#include "core/watch/holding.h"
#include "core/watch/procs.h"
#include "wire/detach.h"
#include "wire/text.h"

#define MS_NS ((int64_t)1000000)
#define KILL_MS 10000 /* for the programs to be gone */
#define SRUN_MS 2000  /* for srun to end its tasks on other nodes */
#define NAP_MS 50

struct keeper {
	const struct ckpt_companion *c;
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	int n;
	struct ckpt_holding keeps[CKPT_REQUEST_DIRS];
	struct ckpt_lease mine, other;
	bool said; /* that another job has one */
};

static void fill_mine(struct keeper *k)
{
	const struct ckpt_request *req = &k->c->req;

	ckpt_text_copy(k->mine.run, sizeof(k->mine.run), k->c->run);
	ckpt_text_copy(k->mine.cluster, sizeof(k->mine.cluster), req->cluster);
	ckpt_text_copy(k->mine.host, sizeof(k->mine.host), req->node);
	k->mine.job_id = req->job_id;
	k->mine.attempt = req->attempt;
	ckpt_lease_sign(&k->mine);
}

/* Kills the job's programs once, srun by a signal that it passes on; how many of them live. */
static size_t kill_programs(const struct ckpt_companion *c, bool srun_too)
{
	char attempt[40];
	const struct ckpt_procs_job job = { "/proc", c->task, c->req.job_id, attempt };
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	size_t n = 0;

	snprintf(attempt, sizeof(attempt), "CKPT_ATTEMPT=%lld", (long long)c->req.attempt);
	if (ckpt_procs_list(&job, &procs) < 0)
		return 0;
	for (size_t i = 0; i < procs.n; i++) {
		const struct ckpt_proc *p = &procs.p[i];
		bool srun = strcmp(p->command, "srun") == 0 && !srun_too;

		if (p->pid == c->task || p->state == 'Z')
			continue;
		n++;
		kill(p->pid, srun ? SIGTERM : SIGKILL);
		kill(p->pid, SIGCONT);
	}
	return n;
}

static void end_programs(const struct ckpt_companion *c)
{
	int64_t start_ns = ckpt_ctx_now(NULL), spent_ns = 0;
	bool last = false;

	if (c->task > 0)
		kill(c->task, SIGSTOP);
	while (kill_programs(c, last || spent_ns > SRUN_MS * MS_NS) > 0 && !last) {
		poll(NULL, 0, NAP_MS);
		spent_ns = ckpt_ctx_now(NULL) - start_ns;
		last = spent_ns >= KILL_MS * MS_NS || ckpt_companion_is_late();
	}
}

/* The later attempt's place, for a person. */
static void describe(const struct ckpt_lease *other, char *buf, size_t size)
{
	snprintf(buf, size, "attempt %lld of job %lld on %s has the lease",
		 (long long)other->attempt, (long long)other->job_id,
		 other->host[0] ? other->host : "?");
}

/* All processes of it but this one: nothing is sealed, and the script not continued, any more. */
static void end_companion(void)
{
	pid_t group = getpgrp(), companion = getppid();

	if (setpgid(0, 0) < 0 || kill(-group, SIGKILL) < 0)
		kill(companion, SIGKILL);
}

/* Ends the attempt, and with it the companion. */
__attribute__((noreturn)) static void give_up(const struct keeper *k)
{
	char why[400];

	if (ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, 0))
		_exit(0); /* the task's number may be another's now */
	describe(&k->other, why, sizeof(why));
	prctl(PR_SET_PDEATHSIG, 0);
	end_companion();
	end_programs(k->c);
	dprintf(STDERR_FILENO,
		"ckpt-resume: %s: this one, attempt %lld on %s, was given up and is ended\n", why,
		(long long)k->c->req.attempt, k->c->req.node);
	ckpt_companion_tell_ledger(k->c, "lease-lost", why);
	if (k->c->task > 0 && !ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, 0))
		kill(k->c->task, SIGKILL);
	_exit(0);
}

/* Another job has it: it took what was ours (@lost), or had it all the time. Neither is to die of
 * that. */
static void stand_aside(struct keeper *k, bool lost)
{
	char why[400];

	if (k->said)
		return;
	k->said = true;
	describe(&k->other, why, sizeof(why));
	dprintf(STDERR_FILENO,
		"ckpt-resume: warning: %s of this run directory now: both write "
		"there\n",
		why);
	if (lost)
		ckpt_companion_tell_ledger(k->c, "lease-lost", why);
}

/* Whether the holder of a lease that never was ours is at work, which nobody else says: the plugin
 * waits for such a one, or has said that its user wants both. */
static bool is_rival(const struct keeper *k, const struct ckpt_holding *keep)
{
	return strcmp(k->c->req.share, "yes") != 0 &&
	       (keep->sight.moved || ckpt_lease_is_here(&k->mine, &k->other));
}

static void step(struct keeper *k, int i)
{
	_cleanup_close_ int statefd = ckpt_state_open_in(k->dirs[i], NULL);
	bool held = k->keeps[i].held;

	if (statefd < 0)
		return;
	switch (ckpt_holding_step(&k->keeps[i], statefd, &k->mine, ckpt_ctx_now(NULL), &k->other)) {
	case CKPT_HOLDING_LOST:
		give_up(k);
	case CKPT_HOLDING_ASIDE:
		if (held || is_rival(k, &k->keeps[i]))
			stand_aside(k, held);
		break;
	case CKPT_HOLDING_HELD:
	case CKPT_HOLDING_BLIND:
		break;
	}
}

static void release(struct keeper *k)
{
	for (int i = 0; i < k->n; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(k->dirs[i], NULL);

		if (statefd >= 0)
			ckpt_lease_release(statefd, &k->mine, NULL);
	}
}

void ckpt_companion_keep(const struct ckpt_companion *c)
{
	static struct keeper k;

	k.c = c;
	if (ckpt_expand_roots(&c->req, k.dirs, &k.n, NULL) != 0)
		_exit(0);
	fill_mine(&k);
	do
		for (int i = 0; i < k.n; i++)
			step(&k, i);
	while (!ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, (int)(CKPT_LEASE_RENEW_NS / MS_NS)));
	release(&k);
	_exit(0);
}
