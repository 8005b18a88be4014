/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SPANK plugin that measures the one between its two lines in plugstack.conf,
 *   optional clock_spank.so begin
 *   optional ckpt_resume.so config=...
 *   optional clock_spank.so end FILE
 * on the way of a batch step to its script, and adds one line to FILE as clock_hook.c does:
 * "step JOB ATTEMPT SECONDS WALL CPU PEAK", in microseconds and KiB. Both lines load this one copy,
 * so that they share its variables.
 */
#include <fcntl.h>
#include <slurm/spank.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BATCH_STEP 0xfffffffbU

SPANK_PLUGIN(ckpt_clock, 1);

static struct {
	long long wall_us, cpu_us; /* at the last "begin" */
	long long spent_us, worked_us;
} clock_state;

static long long wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long to_us(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000LL + u->ru_utime.tv_usec +
	       u->ru_stime.tv_usec;
}

/* Of this thread, and of the children that were waited for. */
static long long cpu_us(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_THREAD, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return to_us(&own) + to_us(&children);
}

static void take(int ac, char *argv[])
{
	if (ac < 1 || spank_context() != S_CTX_REMOTE)
		return;
	if (strcmp(argv[0], "begin") == 0) {
		clock_state.cpu_us = cpu_us();
		clock_state.wall_us = wall_us();
		return;
	}
	clock_state.spent_us += wall_us() - clock_state.wall_us;
	clock_state.worked_us += cpu_us() - clock_state.cpu_us;
}

static void tell(spank_t sp, const char *file)
{
	struct rusage children;
	struct timespec now;
	uint32_t job = 0;
	char line[160], attempt[16] = "0";
	int fd, n;

	spank_get_item(sp, S_JOB_ID, &job);
	spank_getenv(sp, "SLURM_RESTART_COUNT", attempt, sizeof(attempt));
	clock_gettime(CLOCK_REALTIME, &now);
	getrusage(RUSAGE_CHILDREN, &children);
	n = snprintf(line, sizeof(line), "step %u %s %lld.%06ld %lld %lld %ld\n", job, attempt,
		     (long long)now.tv_sec, now.tv_nsec / 1000, clock_state.spent_us,
		     clock_state.worked_us, children.ru_maxrss);
	fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		slurm_error("clock_spank: cannot write %s", file);
	if (fd >= 0)
		close(fd);
}

int slurm_spank_init(spank_t sp, int ac, char *argv[])
{
	(void)sp;
	take(ac, argv);
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char *argv[])
{
	(void)sp;
	take(ac, argv);
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char *argv[])
{
	uint32_t id = 0;

	take(ac, argv);
	if (ac == 2 && strcmp(argv[0], "end") == 0 &&
	    spank_get_item(sp, S_JOB_STEPID, &id) == ESPANK_SUCCESS && id == BATCH_STEP)
		tell(sp, argv[1]);
	return 0;
}
