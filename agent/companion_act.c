/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the companion does to a job that is stuck or at its time limit. A batch script that would go
 * on, and end, once its program has saved and exited is stopped meanwhile: a job that has completed
 * is not requeued. Slurm continues it when it ends it; where the requeue fails, we do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/companion.h"
#include "wire/cleanup.h"
#include "wire/detach.h"
#include "wire/frame.h"
#include "wire/requeue.h"

#define MS_NS ((int64_t)1000000)
#define NOTE_MS 15000 /* for a ledger that may lie on a dead file system */
#define ASK_MS 30000
#define GRACE_MS 2000 /* for all that is still done once the batch task has ended */
#define NAP_MS 20
#define TRIES 4 /* of a requeue: slurmctld may be failing over */
#define TRY_MS 5000

extern char **environ;

bool ckpt_companion_is_late(void)
{
	static int64_t seen_ns; /* when its end was seen; 0: not yet */

	if (!seen_ns && ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, 0))
		seen_ns = ckpt_frame_now_ns();
	return seen_ns && ckpt_frame_now_ns() - seen_ns >= GRACE_MS * MS_NS;
}

/* Waits for @pid until @end_ns, and no longer than the batch task lets us, then kills it. Its exit
 * code, or -ETIMEDOUT, or -EINTR. */
static int finish(pid_t pid, int64_t end_ns)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ckpt_frame_now_ns() >= end_ns || ckpt_companion_is_late()) {
			kill(pid, SIGKILL); /* one that hangs in the kernel is init's to reap */
			return -ETIMEDOUT;
		}
		poll(NULL, 0, NAP_MS);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

bool ckpt_companion_tell_ledger(const struct ckpt_companion *c, const char *event, const char *why)
{
	pid_t self = getpid(), pid;

	if (ckpt_companion_is_late())
		return false;
	pid = fork();
	if (pid == 0) {
		ckpt_companion_die_with(self);
		_exit(ckpt_companion_note(c, event, why) == 0 ? 0 : 1);
	}
	return pid > 0 && finish(pid, ckpt_frame_now_ns() + NOTE_MS * MS_NS) == 0;
}

/* ckpt-jobinfo, beside this program. */
static bool jobinfo_path(char *buf, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	buf[len > 0 ? len : 0] = '\0';
	slash = strrchr(buf, '/');
	if (!slash || (size_t)(slash - buf) + sizeof("/ckpt-jobinfo") > size)
		return false;
	memcpy(slash, "/ckpt-jobinfo", sizeof("/ckpt-jobinfo"));
	return access(buf, X_OK) == 0;
}

int ckpt_companion_ask_more(const struct ckpt_companion *c, const char *verb, const char *more,
			    char *buf, size_t size)
{
	int64_t end_ns = ckpt_frame_now_ns() + ASK_MS * MS_NS;
	char program[CKPT_PATH_MAX], id[24];
	char *argv[] = { program, (char *)verb, id, (char *)more, NULL };
	pid_t self = getpid(), pid;
	int fds[2], r;

	if (ckpt_companion_is_late())
		return -ETIMEDOUT;
	snprintf(id, sizeof(id), "%lld", (long long)c->req.job_id);
	if (!jobinfo_path(program, sizeof(program)))
		return -ENOENT;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		ckpt_companion_die_with(self);
		dup2(STDIN_FILENO, STDERR_FILENO); /* /dev/null */
		dup2(fds[1], STDOUT_FILENO);
		execve(program, argv, environ);
		_exit(127);
	}
	close(fds[1]);
	r = pid < 0 ? -errno : finish(pid, end_ns);
	if (r == 0) { /* a line, which the pipe holds */
		ssize_t n = read(fds[0], buf, size - 1);

		buf[n > 0 ? n : 0] = '\0';
	}
	close(fds[0]);
	return r;
}

int ckpt_companion_ask(const struct ckpt_companion *c, const char *verb, char *buf, size_t size)
{
	return ckpt_companion_ask_more(c, verb, NULL, buf, size);
}

static bool has_ended(int wait_ms)
{
	return ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, wait_ms);
}

enum standing {
	STANDING_UNKNOWN, /* nobody says */
	STANDING_RUNNING, /* this attempt */
	STANDING_FIXED,	  /* the same, and Slurm may not requeue it */
	STANDING_ENDED,	  /* this attempt, by itself or by its time limit */
	STANDING_CANCELLED,
	STANDING_REQUEUED, /* already: its next attempt may be at work */
};

/* What slurmctld has the job for. */
static enum standing look_at_job(const struct ckpt_companion *c)
{
	char line[1024];
	const char *restarts;

	if (ckpt_companion_ask(c, "show", line, sizeof(line)) != 0)
		return STANDING_UNKNOWN;
	restarts = strstr(line, " restart=");
	if (!restarts)
		return STANDING_UNKNOWN;
	if (strstr(line, " state=cancelled "))
		return STANDING_CANCELLED;
	if (strtoll(restarts + strlen(" restart="), NULL, 10) != c->req.attempt)
		return STANDING_REQUEUED;
	if (!strstr(line, " state=running ") && !strstr(line, " state=suspended "))
		return STANDING_ENDED;
	return strstr(line, " no_requeue=1") ? STANDING_FIXED : STANDING_RUNNING;
}

/* The verb by which a job that stands so is requeued; NULL: it is not, by us. One that is cancelled
 * after our look is not to come back: where it runs, it is requeued only if it does. */
static const char *verb_for(enum standing standing, bool script_ended)
{
	switch (standing) {
	case STANDING_RUNNING:
		return script_ended ? "requeue" : "requeue-running";
	case STANDING_ENDED:
		return "requeue";
	case STANDING_UNKNOWN:
	case STANDING_FIXED:
	case STANDING_CANCELLED:
	case STANDING_REQUEUED:
		break;
	}
	return NULL;
}

/* How the job stands after all tries: REQUEUED is what was wanted. */
static enum standing requeue(const struct ckpt_companion *c)
{
	enum standing standing = STANDING_UNKNOWN;
	char line[64];

	for (int i = 0; i < TRIES; i++) {
		bool script_ended = has_ended(i ? TRY_MS : 0);
		const char *verb;

		standing = look_at_job(c);
		verb = verb_for(standing, script_ended);
		if (verb && ckpt_companion_ask(c, verb, line, sizeof(line)) == 0)
			return STANDING_REQUEUED;
		if (!verb && (script_ended || standing != STANDING_UNKNOWN))
			return standing;
	}
	return standing;
}

static void say(const char *text, const char *more)
{
	dprintf(STDERR_FILENO, "ckpt-resume: %s%s\n", text, more);
}

static bool is_listed(const struct ckpt_companion *c)
{
	struct ckpt_requeue wants = { 0 };

	return !ckpt_requeue_parse(c->req.requeue, &wants) && (wants.causes & CKPT_REQUEUE_STALL);
}

/* Why nothing is done to the job, NULL where something is. What is due before the limit is saved in
 * any case, --ckpt-before-limit is the user's word for it, and slurmctld not waited for. */
static const char *why_not(const struct ckpt_companion *c, const struct ckpt_companion_cause *cause)
{
	enum standing standing;

	if (strcmp(cause->why, "stall") != 0)
		return NULL;
	if (!is_listed(c))
		return "; --ckpt-requeue does not have it, so the job is left alone";
	standing = look_at_job(c);
	if (standing == STANDING_CANCELLED)
		return "; the job was cancelled";
	if (standing == STANDING_FIXED)
		return "; it may not be requeued (--no-requeue), so the job is left alone";
	return NULL;
}

/* The script goes on: by us, and where we stopped it, by its guard. */
static void let_go(struct ckpt_companion_monitor *m, bool stopped)
{
	if (stopped && !has_ended(0))
		kill(m->c->task, SIGCONT);
	if (m->guard > 0)
		close(m->guard);
	m->guard = 0;
}

/* It is not requeued: the ledger's word for it is taken back, unless it is too late for that. Then
 * it stands, and the epilog acts upon it. */
static enum ckpt_companion_outcome give_up(struct ckpt_companion_monitor *m, enum standing standing,
					   bool stopped)
{
	let_go(m, stopped);
	ckpt_companion_tell_ledger(m->c, "requeue", "refused");
	switch (standing) {
	case STANDING_CANCELLED:
		say("the job was cancelled, and is not requeued", "");
		return CKPT_COMPANION_UNWANTED;
	case STANDING_FIXED:
		say("the job may not be requeued (--no-requeue), and goes on", "");
		return CKPT_COMPANION_UNWANTED;
	case STANDING_UNKNOWN:
	case STANDING_RUNNING:
	case STANDING_ENDED:
	case STANDING_REQUEUED:
		break;
	}
	say(ckpt_companion_is_late()
		    ? "warning: the batch script has ended before slurmctld answered: the job is "
		      "requeued where there are hooks, by the epilog"
		    : "warning: slurmctld did not requeue the job",
	    "");
	return CKPT_COMPANION_FAILED;
}

/* Has the programs save, and requeues the job. */
static enum ckpt_companion_outcome save_and_requeue(struct ckpt_companion_monitor *m,
						    const struct ckpt_companion_cause *cause)
{
	enum standing standing;
	bool stopped, saved = ckpt_companion_save(m, cause, &stopped);

	say(saved ? "a checkpoint was saved; " : "no new checkpoint was seen; ",
	    "requeueing the job");
	standing = requeue(m->c);
	if (standing != STANDING_REQUEUED)
		return give_up(m, standing, stopped);
	/* before Slurm continues it: it is not to begin its next command */
	if (stopped && !has_ended(0))
		kill(m->c->task, SIGTERM);
	return CKPT_COMPANION_REQUEUED;
}

/* What is due cannot be noted, and so it is not done. */
static enum ckpt_companion_outcome leave_alone(const struct ckpt_companion_cause *cause)
{
	say(ckpt_companion_is_late()
		    ? "warning: the batch script has ended before this could be noted: "
		    : "warning: the ledger cannot be written, so the job is left alone: ",
	    cause->words);
	return CKPT_COMPANION_FAILED;
}

enum ckpt_companion_outcome ckpt_companion_act(struct ckpt_companion_monitor *m,
					       const struct ckpt_companion_cause *cause)
{
	const struct ckpt_companion *c = m->c;
	const char *refusal = why_not(c, cause);

	if (!ckpt_companion_tell_ledger(c, cause->event, cause->words) ||
	    (!refusal && !ckpt_companion_tell_ledger(c, "requeue", cause->why)))
		return leave_alone(cause);
	if (refusal) {
		say(cause->words, refusal);
		return CKPT_COMPANION_UNWANTED;
	}
	return save_and_requeue(m, cause);
}
