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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/watch/procs.h"
#include "wire/cleanup.h"
#include "wire/detach.h"
#include "wire/frame.h"
#include "wire/requeue.h"

#define MS_NS ((int64_t)1000000)
#define NOTE_MS 15000 /* for a ledger that may lie on a dead file system */
#define ASK_MS 30000
#define NAP_MS 20
#define SLICE_MS 500
#define TRIES 4 /* of a requeue: slurmctld may be failing over */
#define TRY_MS 5000

extern char **environ;

/* Waits for @pid until @end_ns, then kills it. Its exit code, or -ETIMEDOUT, or -EINTR. */
static int finish(pid_t pid, int64_t end_ns)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ckpt_frame_now_ns() >= end_ns) {
			kill(pid, SIGKILL); /* one that hangs in the kernel is init's to reap */
			return -ETIMEDOUT;
		}
		poll(NULL, 0, NAP_MS);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

/* Notes @event from a process of its own. True once it is in a ledger. */
static bool note(const struct ckpt_companion *c, const char *event, const char *why)
{
	pid_t self = getpid(), pid = fork();

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

int ckpt_companion_ask(const struct ckpt_companion *c, const char *verb, char *buf, size_t size)
{
	int64_t end_ns = ckpt_frame_now_ns() + ASK_MS * MS_NS;
	char program[CKPT_PATH_MAX], id[24];
	char *argv[] = { program, (char *)verb, id, NULL };
	pid_t self = getpid(), pid;
	int fds[2], r;

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

/* Signals who would do something at it; how many these are. */
static int signal_programs(const struct ckpt_companion *c, int number, bool *ret_stopped)
{
	const struct ckpt_procs_job job = { "/proc", c->task, c->req.job_id };
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	int n = 0;

	if (ckpt_procs_list(&job, &procs) < 0)
		return 0;
	*ret_stopped = would_go_on(&procs, c->task, number) && kill(c->task, SIGSTOP) == 0;
	for (size_t i = 0; i < procs.n; i++)
		if (ckpt_proc_catches(&procs.p[i], number))
			n += kill(procs.p[i].pid, number) == 0;
	return n;
}

static bool has_ended(int wait_ms)
{
	return ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, wait_ms);
}

/* Waits for a checkpoint that was begun from now on and is whole; until @end_ns or the job's end.
 */
static bool wait_for_save(struct ckpt_companion_monitor *m, int64_t end_ns)
{
	uint64_t before, changed;
	char hurry = CKPT_COMPANION_HURRY;

	ckpt_companion_monitor_hear(m);
	before = m->news.completed;
	changed = m->news.checkpoints;
	send(m->c->watcher_fd, &hurry, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (ckpt_frame_now_ns() < end_ns && !has_ended(SLICE_MS)) {
		ckpt_companion_monitor_hear(m);
		if (m->news.completed > before && m->news.checkpoints > changed)
			return true;
	}
	return false;
}

/* A job that has ended meanwhile may have been cancelled: then it stays so. */
static bool was_cancelled(const struct ckpt_companion *c)
{
	char line[1024];

	return ckpt_companion_ask(c, "show", line, sizeof(line)) != 0 ||
	       strstr(line, "state=cancelled") != NULL;
}

static bool requeue(const struct ckpt_companion *c)
{
	char line[64];

	for (int i = 0; i < TRIES; i++) {
		bool ended = has_ended(i ? TRY_MS : 0);

		if (ended && was_cancelled(c))
			return false;
		if (ckpt_companion_ask(c, "requeue", line, sizeof(line)) == 0)
			return true;
	}
	return false;
}

static void say(const char *text, const char *more)
{
	dprintf(STDERR_FILENO, "ckpt-resume: %s%s\n", text, more);
}

/* Whether the user's list has it; for the time limit, --ckpt-before-limit is the user's word. */
static bool may_requeue(const struct ckpt_companion *c, const struct ckpt_companion_cause *cause)
{
	struct ckpt_requeue wants = { 0 };

	return strcmp(cause->why, "stall") != 0 ||
	       (!ckpt_requeue_parse(c->req.requeue, &wants) && (wants.causes & CKPT_REQUEUE_STALL));
}

bool ckpt_companion_act(struct ckpt_companion_monitor *m, const struct ckpt_companion_cause *cause)
{
	const struct ckpt_companion *c = m->c;
	int64_t end_ns = ckpt_frame_now_ns() + cause->save_ns;
	bool stopped = false, saved = false;
	int n;

	if (!note(c, cause->event, cause->words) ||
	    (may_requeue(c, cause) && !note(c, "requeue", cause->why))) {
		say("warning: the ledger cannot be written, so the job is left alone: ",
		    cause->words);
		return false;
	}
	if (!may_requeue(c, cause)) {
		say(cause->words, "; --ckpt-requeue does not have it, so the job is left alone");
		return false;
	}
	n = signal_programs(c, cause->signal, &stopped);
	dprintf(STDERR_FILENO, "ckpt-resume: %s: %d processes got signal %d (%s)\n", cause->words,
		n, cause->signal, strsignal(cause->signal));
	if (n > 0)
		saved = wait_for_save(m, end_ns);
	say(saved ? "a checkpoint was saved; " : "no new checkpoint was seen; ",
	    "requeueing the job");
	if (requeue(c)) {
		if (stopped) /* before Slurm continues it: it is not to begin its next command */
			kill(c->task, SIGTERM);
		return true;
	}
	if (stopped)
		kill(c->task, SIGCONT);
	note(c, "requeue", "refused");
	say("warning: slurmctld did not requeue the job", "");
	return false;
}
