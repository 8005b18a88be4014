/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See child.h. All signals are blocked and taken one by one, so that none comes between a look and
 * a wait.
 */
#include "cli/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
				 SIGUSR1, SIGUSR2, SIGXCPU, SIGCONT };

static void taken_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(ret, passed_on[i]);
}

__attribute__((noreturn)) static void become(char *const *argv, const sigset_t *mask, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(128 + SIGTERM);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "ckptctl: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void conclude(int status, struct ckpt_cli_child *ret)
{
	ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	ret->code = ret->signal ? 128 + ret->signal : WEXITSTATUS(status);
}

/* Whether the signal in @info came from a process, not from a terminal's key. */
static bool is_sent(const siginfo_t *info)
{
	return info->si_code != SI_KERNEL;
}

/* Waits for @pid, and passes on what comes in the meantime. */
static void attend(pid_t pid, const sigset_t *taken, struct ckpt_cli_child *ret)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			conclude(status, ret);
			return;
		}
		if (sigwaitinfo(taken, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_signo != SIGCONT)
			ret->passed = info.si_signo;
		if (is_sent(&info))
			kill(pid, info.si_signo);
	}
}

int ckpt_cli_child_run(char *const *argv, struct ckpt_cli_child *ret)
{
	pid_t parent = getpid(), pid;
	sigset_t taken, before;

	*ret = (struct ckpt_cli_child) { 0 };
	fflush(NULL);
	taken_signals(&taken);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would never come */
	sigprocmask(SIG_BLOCK, &taken, &before);
	pid = fork();
	if (pid == 0)
		become(argv, &before, parent);
	if (pid > 0)
		attend(pid, &taken, ret);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -errno : 0;
}

int ckpt_cli_child_exit(const struct ckpt_cli_child *child)
{
	static const struct rlimit no_core;
	sigset_t one;

	if (!child->signal)
		return child->code;
	setrlimit(RLIMIT_CORE, &no_core); /* the program's own is there */
	signal(child->signal, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, child->signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	raise(child->signal);
	return child->code;
}
