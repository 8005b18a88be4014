/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ask.h.
 */
#include "hooks/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/frame.h"
#include "wire/text.h"

#define MS_NS ((int64_t)1000000)
#define REAP_MS 100
#define LINE_MAX_BYTES 1024

/* ckpt-jobinfo beside this executable, whatever link it was called by. */
static int program_path(char *buf, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	if (len < 0)
		return -errno;
	buf[len] = '\0';
	slash = strrchr(buf, '/');
	if (!slash || (size_t)(slash - buf) + sizeof("/ckpt-jobinfo") > size)
		return -ENAMETOOLONG;
	memcpy(slash, "/ckpt-jobinfo", sizeof("/ckpt-jobinfo"));
	return 0;
}

/* Words of one call: verb, job, reason, "only"; NULL ends them. */
#define WORDS 4

static _Noreturn void become(const char *program, const char *const *words, int out)
{
	char conf[CKPT_PATH_MAX + 16];
	const char *slurm_conf = getenv("SLURM_CONF");
	char *argv[WORDS + 2] = { (char *)program };
	char *envp[] = { NULL, NULL };

	for (size_t i = 0; i < WORDS && words[i]; i++)
		argv[i + 1] = (char *)words[i];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (slurm_conf &&
	    (size_t)snprintf(conf, sizeof(conf), "SLURM_CONF=%s", slurm_conf) < sizeof(conf))
		envp[0] = conf;
	if (dup2(out, STDOUT_FILENO) >= 0)
		execve(program, argv, envp);
	_exit(127);
}

static int ms_until(int64_t deadline_ns)
{
	int64_t left = deadline_ns - ckpt_frame_now_ns();

	return left <= 0 ? 0 : (int)((left + MS_NS - 1) / MS_NS);
}

/* Reads to the end of the output, at most @size - 1 bytes. 0 or -ETIMEDOUT. */
static int read_all(int fd, char *buf, size_t size, int64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	size_t at = 0;

	while (at < size - 1) {
		ssize_t n;

		if (poll(&poll_fd, 1, ms_until(deadline_ns)) <= 0)
			return -ETIMEDOUT;
		n = read(fd, buf + at, size - 1 - at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf[at] = '\0';
	return 0;
}

/* Waits for @pid until the deadline, then kills it. The exit code, or -ETIMEDOUT, or -EREMOTEIO for
 * a signal. */
static int finish(pid_t pid, int64_t deadline_ns)
{
	const struct timespec pause = { 0, 2 * MS_NS };
	bool killed = false;
	int status = 0;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			break;
		if (ms_until(deadline_ns) == 0 && killed)
			return -ETIMEDOUT;
		if (ms_until(deadline_ns) == 0) {
			kill(pid, SIGKILL);
			killed = true;
			deadline_ns = ckpt_frame_now_ns() + REAP_MS * MS_NS;
		}
		nanosleep(&pause, NULL);
	}
	if (killed)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EREMOTEIO;
}

/* Runs "ckpt-jobinfo WORDS...". 0 with its output in @buf; a negative errno with @err. */
static int run(const char *const *words, int64_t deadline_ns, char *buf, struct ckpt_error *err)
{
	char program[CKPT_PATH_MAX];
	_cleanup_close_ int in = -1, out = -1;
	int pipe_fds[2], r = program_path(program, sizeof(program));
	pid_t pid;

	if (r < 0 || access(program, X_OK) < 0)
		return ckpt_fail(err, -ENOENT, "no ckpt-jobinfo beside ckpt-hook");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return ckpt_fail(err, -errno, "cannot make a pipe: %s", strerror(errno));
	in = pipe_fds[0];
	out = pipe_fds[1];
	pid = fork();
	if (pid == 0)
		become(program, words, out);
	if (pid < 0)
		return ckpt_fail(err, -errno, "cannot fork: %s", strerror(errno));
	ckpt_cleanup_close(&out);
	out = -1;
	r = read_all(in, buf, LINE_MAX_BYTES, deadline_ns);
	if (r < 0)
		deadline_ns = 0;
	r = finish(pid, deadline_ns);
	if (r == -ETIMEDOUT)
		return ckpt_fail(err, r, "slurmctld does not answer in time");
	if (r != 0)
		return ckpt_fail(err, -EREMOTEIO, "ckpt-jobinfo %s failed (%d)", words[0], r);
	return 0;
}

/* One verb about @job_id, with what stands behind the number. */
static int tell(const char *verb, int64_t job_id, const char *const *more, int64_t deadline_ns,
		struct ckpt_error *err)
{
	char line[LINE_MAX_BYTES], id[24];
	const char *words[WORDS + 1] = { verb, id, more ? more[0] : NULL, more ? more[1] : NULL };

	snprintf(id, sizeof(id), "%lld", (long long)job_id);
	return run(words, deadline_ns, line, err);
}

int ckpt_ask_parse(char *line, struct ckpt_jobinfo *ret, struct ckpt_error *err)
{
	struct ckpt_jobinfo info = { 0 };
	size_t len = strlen(line);

	if (!len || strchr(line, '\n') != line + len - 1)
		return ckpt_fail(err, -EBADMSG, "ckpt-jobinfo's answer is not one line");
	for (char *p = line; *p; p++)
		if (*p == ' ')
			*p = '\n';
	if (ckpt_fields_decode(&ckpt_jobinfo_fields, &info, line, len, err) < 0)
		return -EBADMSG;
	if (!info.end || !info.state[0])
		return ckpt_fail(err, -EBADMSG, "ckpt-jobinfo's answer is not whole");
	*ret = info;
	return 0;
}

int ckpt_ask_show(int64_t job_id, int64_t deadline_ns, struct ckpt_jobinfo *ret,
		  struct ckpt_error *err)
{
	char line[LINE_MAX_BYTES], id[24];
	const char *const words[WORDS + 1] = { "show", id };
	struct ckpt_jobinfo info;
	int r;

	snprintf(id, sizeof(id), "%lld", (long long)job_id);
	r = run(words, deadline_ns, line, err);
	if (r == 0)
		r = ckpt_ask_parse(line, &info, err);
	if (r < 0)
		return r;
	if (info.job != job_id)
		return ckpt_fail(err, -EBADMSG, "ckpt-jobinfo answered for another job");
	*ret = info;
	return 0;
}

int ckpt_ask_requeue(int64_t job_id, int64_t after, int64_t deadline_ns, struct ckpt_error *err)
{
	const char *more[] = { NULL, NULL };
	char id[24];

	snprintf(id, sizeof(id), "%lld", (long long)after);
	if (after)
		more[0] = id;
	return tell("requeue", job_id, more, deadline_ns, err);
}

int ckpt_ask_hold(int64_t job_id, const char *reason, bool only_admin, int64_t deadline_ns,
		  struct ckpt_error *err)
{
	const char *const more[] = { reason, only_admin && reason ? "only" : NULL };

	return tell("hold", job_id, more, deadline_ns, err);
}

int ckpt_ask_release(int64_t job_id, int64_t deadline_ns, struct ckpt_error *err)
{
	return tell("release", job_id, NULL, deadline_ns, err);
}
