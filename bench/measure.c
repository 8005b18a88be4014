/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure COMMAND...: runs the command with its output thrown away and prints, on one line, its
 * wall time in microseconds, its CPU time (with that of the children it waited for) in
 * microseconds, its peak memory in KiB and its exit code. A program of its own because a child's
 * peak begins with that of the process that started it, which must therefore be small.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long to_us(const struct timeval *tv)
{
	return tv->tv_sec * 1000000LL + tv->tv_usec;
}

static void run(char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage used;
	long long began = now_us(), wall;
	int status;
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = vfork();
	if (pid == 0)
		run(argv + 1);
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0) {
		perror("measure");
		return 1;
	}
	wall = now_us() - began;
	printf("%lld %lld %ld %d\n", wall, to_us(&used.ru_utime) + to_us(&used.ru_stime),
	       used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
