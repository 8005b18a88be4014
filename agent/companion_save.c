/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Having the job's programs save: each is signalled once, and given the time that it takes. What
 * counts is a checkpoint that was begun after the signal, is whole, and has no other one behind it:
 * a program that saves two files is not done after the first.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/base/clock.h"
#include "core/catalog/pool.h"
#include "core/watch/procs.h"
#include "core/watch/targets.h"
#include "wire/cleanup.h"
#include "wire/detach.h"
#include "wire/frame.h"

#define SLICE_MS 250
#define BASE_NS (5 * CKPT_SECOND_NS) /* for the watcher to see what is there before the signal */
/* After a save, of programs that stay: no further one comes. */
#define CALM_NS (20 * CKPT_SECOND_NS)
#define DEAF_NS (15 * CKPT_SECOND_NS) /* of a watcher, once the programs are gone */

/* The programs, and what was seen since they were signalled. */
struct save {
	struct ckpt_companion_monitor *m;
	pid_t *pids; /* whose end is the end of the saving */
	size_t n, cap;
	int signalled;
	uint64_t base; /* the number of the haste that marked what was there before */
	int64_t stirred_ns, gone_ns;
	struct ckpt_companion_news last;
};

static void save_done(struct save *s)
{
	free(s->pids);
}
#define _cleanup_save_ _cleanup_(save_done)

/* Has the watcher look at once, without rests from now on. */
static void hurry(struct save *s, bool mark)
{
	const struct ckpt_companion_haste haste = { ++s->m->hastes, mark };

	send(s->m->c->watcher_fd, &haste, sizeof(haste), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool has_hurried(const struct save *s)
{
	return s->m->news.hurried == s->m->hastes;
}

/* The time limit of the job and its own end are the only things that do not wait. */
static bool may_wait(int64_t end_ns)
{
	return ckpt_frame_now_ns() < end_ns &&
	       !ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, SLICE_MS);
}

/* Until the watcher knows what was there before the signal. One that hangs has none to tell from
 * what comes after it; the job's time goes on. */
static void take_base(struct save *s)
{
	int64_t end_ns = ckpt_frame_now_ns() + BASE_NS;

	hurry(s, true);
	s->base = s->m->hastes;
	do
		ckpt_companion_monitor_hear(s->m);
	while (!has_hurried(s) && may_wait(end_ns));
}

/* Whether the script would go on by itself when its program ends. */
static bool would_go_on(const struct ckpt_procs *procs, pid_t task, int number)
{
	bool has_child = false;

	for (size_t i = 0; i < procs->n; i++) {
		const struct ckpt_proc *p = &procs->p[i];

		if (p->pid == task && ckpt_proc_catches(p, number))
			return false; /* it has a say in it */
		has_child |= p->parent == task && p->state != 'Z';
	}
	return has_child;
}

/* Through slurmctld; where that fails, to what is here. */
static enum ckpt_targets_by signal_steps(const struct ckpt_companion *c, int number)
{
	char text[16], line[64];

	snprintf(text, sizeof(text), "%d", number);
	if (ckpt_companion_ask_more(c, "signal", text, line, sizeof(line)) == 0)
		return CKPT_TARGETS_SLURM;
	return CKPT_TARGETS_DIRECT;
}

/* Stops the script, once somebody is there to continue it should we be killed. */
static bool stop_script(struct ckpt_companion_monitor *m)
{
	int guard = ckpt_companion_guard(m->c);

	if (guard < 0)
		return false;
	m->guard = guard;
	return kill(m->c->task, SIGSTOP) == 0;
}

static void await(struct save *s, pid_t pid)
{
	if (ckpt_array_grow(&s->pids, s->n, &s->cap, sizeof(*s->pids)) == 0)
		s->pids[s->n++] = pid;
}

/* Signals who would do something at it. */
static void signal_programs(struct save *s, int number, bool *ret_stopped)
{
	const struct ckpt_companion *c = s->m->c;
	const struct ckpt_procs_job job = { "/proc", c->task, c->req.job_id, NULL };
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	enum ckpt_targets_by by;

	if (ckpt_procs_list(&job, &procs) < 0)
		return;
	*ret_stopped = would_go_on(&procs, c->task, number) && stop_script(s->m);
	by = ckpt_targets_choose(&procs, number);
	if (by == CKPT_TARGETS_SLURM)
		by = signal_steps(c, number);
	for (size_t i = 0; i < procs.n; i++) {
		const struct ckpt_proc *p = &procs.p[i];
		bool is_target = ckpt_targets_has(&procs, p, number, by);

		if (is_target)
			s->signalled += kill(p->pid, number) == 0;
		else if (by == CKPT_TARGETS_SLURM && ckpt_targets_is_srun(&procs, p))
			s->signalled++;
		else
			continue;
		await(s, p->pid);
	}
}

static bool is_any_left(const struct save *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (ckpt_proc_lives("/proc", s->pids[i]))
			return true;
	return false;
}

/* All have ended: once the watcher has looked after that, nothing comes any more. */
static bool is_settled(struct save *s, int64_t now)
{
	const struct ckpt_companion_news *news = &s->m->news;

	if (!s->gone_ns) {
		s->gone_ns = now;
		hurry(s, false);
		return false;
	}
	if (now - s->m->heard_ns > DEAF_NS && now - s->gone_ns > DEAF_NS)
		return true;
	return has_hurried(s) && news->unsettled == 0;
}

static bool has_saved(const struct save *s)
{
	const struct ckpt_companion_news *news = &s->m->news;

	return news->hurried >= s->base && news->saved > 0 && news->unsettled == 0;
}

/* Whether no further checkpoint is to be waited for. */
static bool is_over(struct save *s)
{
	const struct ckpt_companion_news *news = &s->m->news;
	int64_t now = ckpt_frame_now_ns();

	ckpt_companion_monitor_hear(s->m);
	if (news->checkpoints != s->last.checkpoints || news->stirs != s->last.stirs ||
	    news->saved != s->last.saved || news->unsettled != s->last.unsettled)
		s->stirred_ns = now;
	s->last = *news;
	if (s->n && !is_any_left(s))
		return is_settled(s, now);
	return has_saved(s) && now - s->stirred_ns >= CALM_NS;
}

bool ckpt_companion_save(struct ckpt_companion_monitor *m, const struct ckpt_companion_cause *cause,
			 bool *ret_stopped)
{
	int64_t end_ns = ckpt_frame_now_ns() + cause->save_ns;
	_cleanup_save_ struct save s = { .m = m };

	*ret_stopped = false;
	take_base(&s);
	signal_programs(&s, cause->signal, ret_stopped);
	dprintf(STDERR_FILENO, "ckpt-resume: %s: %d processes got signal %d (%s)\n", cause->words,
		s.signalled, cause->signal, strsignal(cause->signal));
	s.last = m->news;
	s.stirred_ns = ckpt_frame_now_ns();
	while (s.signalled > 0 && may_wait(end_ns) && !is_over(&s))
		;
	return has_saved(&s);
}
