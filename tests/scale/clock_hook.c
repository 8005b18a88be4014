/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prolog and Epilog that run ckpt-hook, which lies beside them, and add one line to the file
 * "clock" there: "HOOK JOB ATTEMPT SECONDS WALL CPU PEAK", when it ended, then microseconds of wall
 * and CPU time (of all its processes) and the largest peak of one in KiB.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long to_us(const struct timeval *tv)
{
	return tv->tv_sec * 1000000LL + tv->tv_usec;
}

/* NAME in the directory of this program. */
static void beside(const char *name, char *buf, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", buf, size - 1);

	buf[len > 0 ? len : 0] = '\0';
	if (strrchr(buf, '/'))
		strrchr(buf, '/')[1] = '\0';
	strncat(buf, name, size - strlen(buf) - 1);
}

static const char *variable(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

static void tell(long long wall, const struct rusage *used)
{
	const char *what = variable("SLURM_SCRIPT_CONTEXT", "hook");
	char path[4096], line[200];
	struct timespec now;
	int fd, n;

	clock_gettime(CLOCK_REALTIME, &now);
	n = snprintf(line, sizeof(line), "%.6s %.12s %.12s %lld.%06ld %lld %lld %ld\n", what,
		     variable("SLURM_JOB_ID", "0"), variable("SLURM_JOB_RESTART_COUNT", "0"),
		     (long long)now.tv_sec, now.tv_nsec / 1000, wall,
		     to_us(&used->ru_utime) + to_us(&used->ru_stime), used->ru_maxrss);
	beside("clock", path, sizeof(path));
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd >= 0 && write(fd, line, (size_t)n) != n)
		fd = -1;
}

int main(int argc, char **argv)
{
	char path[4096];
	struct rusage used = { 0 };
	long long began = wall_us();
	int status = 0;
	pid_t pid;

	(void)argc;
	beside("ckpt-hook", path, sizeof(path));
	pid = vfork();
	if (pid == 0) {
		execve(path, argv, environ);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
		return 0;
	tell(wall_us() - began, &used);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}
