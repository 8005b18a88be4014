/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent's confinement from inside: puts it on, then tries what a taken-over parser would, and
 * what the agent itself needs. One line each, "refused NAME" or "allowed NAME".
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"

/* A call that makes a process: the new one ends at once, so that only the answer is left. */
static bool made(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static bool try_fork(void)
{
	return made(fork());
}

static bool try_clone(void)
{
	return made(syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L));
}

static bool try_clone3(void)
{
#ifdef SYS_clone3
	unsigned long args[11] = { [4] = SIGCHLD };

	return made(syscall(SYS_clone3, args, sizeof(args)));
#else
	return false;
#endif
}

static bool try_spawn(void)
{
	char *const argv[] = { (char *)"true", NULL };
	pid_t pid;

	return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL) == 0;
}

static bool try_exec(void)
{
	char *const argv[] = { (char *)"/nonexistent", NULL };

	execv(argv[0], argv);
	return errno != EPERM;
}

static bool try_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool try_unshare(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool try_session(void)
{
	return setsid() >= 0;
}

static bool try_group(void)
{
	return setpgid(0, 0) == 0;
}

static bool try_outlive(void)
{
	return prctl(PR_SET_PDEATHSIG, 0) == 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static bool try_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static bool try_files(void)
{
	char from[] = "/tmp/ckpt-confined.XXXXXX";
	int fd = mkstemp(from);
	bool good = fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return unlink(from) == 0 && good;
}

static const struct {
	const char *name;
	bool (*attempt)(void);
} attempts[] = {
	{ "fork", try_fork },	  { "clone", try_clone },     { "clone3", try_clone3 },
	{ "spawn", try_spawn },	  { "exec", try_exec },	      { "socket", try_socket },
	{ "ptrace", try_ptrace }, { "unshare", try_unshare }, { "session", try_session },
	{ "group", try_group },	  { "outlive", try_outlive }, { "thread", try_thread },
	{ "files", try_files },
};

int main(void)
{
	struct ckpt_error err = { 0 };

	if (ckpt_confine(&err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		printf("%s %s\n", attempts[i].attempt() ? "allowed" : "refused", attempts[i].name);
		fflush(stdout);
	}
	return 0;
}
