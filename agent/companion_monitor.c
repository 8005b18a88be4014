/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of the companion looks at the job: signs of progress, and the time that is
 * left. What of it lies in files of the user comes from the watcher; a watcher that is not heard is
 * blind.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/watch/limit.h"
#include "core/watch/procs.h"
#include "wire/frame.h"
#include "wire/text.h"

#define IDLE_MS 60000
#define TICK_NS (10 * CKPT_SECOND_NS)
#define TICK_LEAST_NS CKPT_SECOND_NS
#define TICKS 20		      /* in the time of --ckpt-stall */
#define DEAF_NS (60 * CKPT_SECOND_NS) /* of a watcher that speaks every three seconds */
#define ECHO_NS (10 * CKPT_SECOND_NS) /* until the watcher has told of what we wrote */
#define ASK_NS (30 * CKPT_SECOND_NS)  /* after the start: slurmctld has others to serve then */
#define REASK_NS (600 * CKPT_SECOND_NS)
#define SAVE_NS (30 * CKPT_SECOND_NS)	/* to save at a stall */
#define MARGIN_NS (20 * CKPT_SECOND_NS) /* left for the requeue before the limit, at most */
#define MARGIN_PART 3			/* and no more than this part of --ckpt-before-limit */

static int64_t tick_ns(const struct ckpt_companion_monitor *m)
{
	int64_t tick = m->c->stall_ns > 0 ? m->c->stall_ns / TICKS : TICK_NS;

	if (tick > TICK_NS)
		return TICK_NS;
	return tick < TICK_LEAST_NS ? TICK_LEAST_NS : tick;
}

static int64_t now_ns(void)
{
	return ckpt_frame_now_ns();
}

/* The end as Slurm set it into the environment (23.02 and later), against the node's clock. */
static int64_t end_by_environment(void)
{
	const char *text = getenv("SLURM_JOB_END_TIME");
	int64_t end;

	if (!text || !ckpt_text_int(text, 1, INT32_MAX, &end))
		return 0;
	return now_ns() + (end - (int64_t)time(NULL)) * CKPT_SECOND_NS;
}

void ckpt_companion_monitor_init(struct ckpt_companion_monitor *m, const struct ckpt_companion *c)
{
	*m = (struct ckpt_companion_monitor) {
		.c = c,
		.stall.limit_ns = c->stall_ns,
		.heard_ns = now_ns(),
		.ask_ns = now_ns() + ASK_NS,
	};
	if (c->before_ns >= 0)
		m->end_ns = end_by_environment();
}

/* A tick, or less: the time before the limit is short, and begins when its user said. */
static int64_t until_look_ns(const struct ckpt_companion_monitor *m)
{
	int64_t tick = tick_ns(m), left;

	if (m->c->before_ns < 0)
		return tick;
	left = (m->end_ns ? m->end_ns - m->c->before_ns : m->ask_ns) - now_ns();
	return left > 0 && left < tick ? left : tick;
}

static int64_t margin_ns(const struct ckpt_companion_monitor *m)
{
	int64_t part = m->c->before_ns / MARGIN_PART;

	return part < MARGIN_NS ? part : MARGIN_NS;
}

int ckpt_companion_monitor_wait_ms(const struct ckpt_companion_monitor *m)
{
	if (m->over || (m->c->stall_ns < 0 && m->c->before_ns < 0))
		return IDLE_MS;
	return (int)(until_look_ns(m) / 1000000) + 1;
}

void ckpt_companion_monitor_hear(struct ckpt_companion_monitor *m)
{
	struct ckpt_companion_news news;

	while (recv(m->c->watcher_fd, &news, sizeof(news), MSG_DONTWAIT) == sizeof(news)) {
		m->news = news;
		m->heard_ns = now_ns();
	}
}

/* All processes of the job that could run are stopped: it is suspended. */
static bool is_paused(const struct ckpt_procs *procs)
{
	size_t stopped = 0;

	for (size_t i = 0; i < procs->n; i++)
		if (procs->p[i].state == 'T')
			stopped++;
		else if (procs->p[i].state != 'Z')
			return false;
	return stopped > 0;
}

static void gather(const struct ckpt_companion_monitor *m, struct ckpt_signs *ret)
{
	const struct ckpt_procs_job job = { "/proc", m->c->task, m->c->req.job_id, NULL };
	_cleanup_procs_ struct ckpt_procs procs = { 0 };

	*ret = (struct ckpt_signs) {
		.checkpoints = m->news.checkpoints,
		.output = m->news.output,
		.beat = m->news.beat,
		.cadence_ns = m->news.cadence_ns,
		.cpu_ns = -1,
		.blind = now_ns() - m->heard_ns > DEAF_NS,
	};
	if (ckpt_procs_list(&job, &procs) < 0 || procs.n == 0)
		return;
	ret->cpu_ns = ckpt_procs_cpu(&procs);
	ret->paused = is_paused(&procs);
}

/* What does not come off now is tried again; for as long as that takes nothing else is looked at.
 */
static void act(struct ckpt_companion_monitor *m, const struct ckpt_companion_cause *cause,
		struct ckpt_retry *again)
{
	switch (ckpt_companion_act(m, cause)) {
	case CKPT_COMPANION_REQUEUED:
		m->over = true;
		break;
	case CKPT_COMPANION_FAILED:
		ckpt_retry_failed(again, now_ns());
		break;
	case CKPT_COMPANION_UNWANTED:
		ckpt_retry_never(again);
		break;
	}
	m->spoke_ns = now_ns();
}

static void look_for_stall(struct ckpt_companion_monitor *m)
{
	struct ckpt_companion_cause cause = {
		.event = "stall",
		.why = "stall",
		.signal = ckpt_request_signal(&m->c->req, SIGTERM),
		.save_ns = SAVE_NS,
	};
	struct ckpt_signs signs;
	char age[32];

	gather(m, &signs);
	if (m->spoke_ns && now_ns() - m->spoke_ns < ECHO_NS)
		m->stall.last.output = signs.output; /* what grew is our own words */
	switch (ckpt_stall_take(&m->stall, &signs, now_ns(), tick_ns(m))) {
	case CKPT_STALL_GOING:
		return;
	case CKPT_STALL_BLIND:
		dprintf(STDERR_FILENO, "ckpt-resume: warning: the run directories do not answer: "
				       "whether the job is stuck cannot be seen, and nothing is "
				       "done about it\n");
		return;
	case CKPT_STALL_STALLED:
		break;
	}
	if (!ckpt_retry_is_due(&m->stall_again, now_ns()))
		return;
	ckpt_text_age(age, sizeof(age), (now_ns() - m->stall.sign_ns) / CKPT_SECOND_NS);
	snprintf(cause.words, sizeof(cause.words), "no sign of progress for %s", age);
	act(m, &cause, &m->stall_again);
}

/* The whole limit, from the second line of an answer. */
static void take_limit(struct ckpt_companion_monitor *m, const char *answer)
{
	const char *text = strstr(answer, "\nlimit=");
	char number[24];
	int64_t limit;

	if (!text)
		return;
	text += strlen("\nlimit=");
	snprintf(number, sizeof(number), "%.*s", (int)strcspn(text, "\n"), text);
	if (ckpt_text_int(number, 1, INT32_MAX, &limit))
		m->limit_ns = limit * CKPT_SECOND_NS;
}

/* Asks slurmctld for the time that is left: it may have been changed. */
static void ask_for_end(struct ckpt_companion_monitor *m)
{
	char line[64];
	const char *text;
	int64_t left;

	m->ask_ns = now_ns() + REASK_NS;
	if (ckpt_companion_ask(m->c, "left", line, sizeof(line)) != 0)
		return;
	take_limit(m, line);
	line[strcspn(line, "\n")] = '\0';
	if (!ckpt_text_starts(line, "left=", &text))
		return;
	if (ckpt_text_int(text, 0, INT32_MAX, &left))
		m->end_ns = now_ns() + left * CKPT_SECOND_NS;
	else if (strcmp(text, "unlimited") == 0)
		m->end_ns = 0;
}

/* Nothing is left to work; the limit may be changed, so that it is asked for again. */
static bool stands_aside(const struct ckpt_companion_monitor *m)
{
	return ckpt_limit_room(m->limit_ns, m->c->before_ns) == CKPT_LIMIT_NONE;
}

static void warn_of_room(struct ckpt_companion_monitor *m)
{
	const char *option = m->c->req.before_limit;
	char limit[32], rest[32];

	if (m->warned || ckpt_limit_room(m->limit_ns, m->c->before_ns) == CKPT_LIMIT_ENOUGH)
		return;
	m->warned = true;
	ckpt_text_age(limit, sizeof(limit), m->limit_ns / CKPT_SECOND_NS);
	ckpt_text_age(rest, sizeof(rest), (m->limit_ns - m->c->before_ns) / CKPT_SECOND_NS);
	if (stands_aside(m))
		dprintf(STDERR_FILENO,
			"ckpt-resume: warning: the job's time limit is %s, and "
			"--ckpt-before-limit=%s is not less: nothing is done before it\n",
			limit, option);
	else
		dprintf(STDERR_FILENO,
			"ckpt-resume: warning: the job's time limit is %s, and "
			"--ckpt-before-limit=%s leaves %s of it to work\n",
			limit, option, rest);
}

static bool is_due(const struct ckpt_companion_monitor *m)
{
	return m->end_ns && !stands_aside(m) && now_ns() >= m->end_ns - m->c->before_ns;
}

/* Whether slurmctld is to be asked: because it is time, or it is not known when it will be. */
static bool is_to_ask(const struct ckpt_companion_monitor *m)
{
	return m->end_ns == 0 || stands_aside(m) ? now_ns() >= m->ask_ns : is_due(m);
}

static void look_for_limit(struct ckpt_companion_monitor *m)
{
	struct ckpt_companion_cause cause = {
		.event = "limit",
		.why = "time-limit",
		.signal = ckpt_request_signal(&m->c->req, SIGUSR1),
	};
	int64_t left;
	char age[32];

	if (!ckpt_retry_is_due(&m->limit_again, now_ns()))
		return;
	if (!is_to_ask(m))
		return;
	ask_for_end(m);
	warn_of_room(m);
	if (!is_due(m))
		return;
	left = m->end_ns > now_ns() ? m->end_ns - now_ns() : 0;
	ckpt_text_age(age, sizeof(age), left / CKPT_SECOND_NS);
	snprintf(cause.words, sizeof(cause.words), "the time limit is %s away", age);
	cause.save_ns = left - margin_ns(m);
	act(m, &cause, &m->limit_again);
}

void ckpt_companion_monitor_look(struct ckpt_companion_monitor *m)
{
	ckpt_companion_monitor_hear(m);
	if (m->c->before_ns >= 0 && !m->over)
		look_for_limit(m);
	if (m->c->stall_ns >= 0 && !m->over)
		look_for_stall(m);
}
