/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a job: in a tree that looks like /proc, and among the test's own.
 */
#include "core/watch/procs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"
#include "wire/cleanup.h"

/* A process of the tree. */
static void put(struct scratch *s, int pid, int parent, const char *command, const char *environ)
{
	char name[64], text[256];

	snprintf(name, sizeof(name), "proc/%d/stat", pid);
	snprintf(text, sizeof(text),
		 "%d (%s) S %d 1 1 0 -1 4194304 1 2 3 4 100 50 25 25 20 0 1 0 1 1 1", pid, command,
		 parent);
	scratch_put(s->fd, name, text);
	snprintf(name, sizeof(name), "proc/%d/status", pid);
	scratch_put(s->fd, name,
		    "Name:\tx\nSigBlk:\t0000000000000800\nSigIgn:\t00000000ffffffff\n"
		    "SigCgt:\t0000000000000200\n");
	snprintf(name, sizeof(name), "proc/%d/environ", pid);
	scratch_write(s->fd, name, environ, strlen(environ) + 1);
}

static void test_procs__whose_they_are(void **state)
{
	struct scratch *s = *state;
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	char proc[96];
	const struct ckpt_procs_job job = { .proc = proc, .task = 100, .job_id = 7 };

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 100, 1, "slurm_script", "A=1");
	put(s, 90, 105, "low (number) ) x", "A=1"); /* a grandchild with a lower number */
	put(s, 105, 100, "python3", "A=1");
	put(s, 200, 199, "rank", "SLURM_JOB_ID=7");
	put(s, 201, 200, "of\nrank", "A=1");
	put(s, 300, 1, "other", "SLURM_JOB_ID=77");
	put(s, 301, 1, "mine", "XSLURM_JOB_ID=7");
	scratch_put(s->fd, "proc/400/stat", "400 (torn");
	scratch_put(s->fd, "proc/401/comm", "no stat");
	scratch_put(s->fd, "proc/self/stat", "1 (a) S 100");
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 5);
	assert_int_equal(procs.p[0].pid, 90);
	assert_string_equal(procs.p[0].command, "low (number) ) x");
	assert_int_equal(procs.p[0].state, 'S');
	assert_int_equal(procs.p[0].parent, 105);
	assert_string_equal(procs.p[4].command, "of?rank");
	assert_int_equal(ckpt_procs_cpu(&procs), 5 * 200 * (1000000000LL / sysconf(_SC_CLK_TCK)));
	assert_true(ckpt_proc_catches(&procs.p[0], SIGUSR1)); /* a handler */
	assert_true(ckpt_proc_catches(&procs.p[0], SIGUSR2)); /* waits for it, blocked */
	assert_false(ckpt_proc_catches(&procs.p[0], SIGTERM));
}

/* Another user's are not ours to look at or to signal, whatever their environment says. */
static void test_procs__of_another_user(void **state)
{
	struct scratch *s = *state;
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	char proc[96];
	const struct ckpt_procs_job job = { .proc = proc, .task = 100, .job_id = 7 };

	if (geteuid() != 0)
		skip();
	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 100, 1, "slurm_script", "A=1");
	put(s, 101, 100, "python3", "SLURM_JOB_ID=7");
	assert_int_equal(fchownat(s->fd, "proc/101", 65534, 65534, 0), 0);
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 1);
	assert_int_equal(procs.p[0].pid, 100);
}

/* A job of several parts is on more nodes than the number of one part says. */
static void test_procs__of_several_parts(void **state)
{
	struct scratch *s = *state;
	static const char part[] = "SLURM_JOB_NUM_NODES=1\0SLURM_HET_SIZE=2";
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	char proc[96];
	const struct ckpt_procs_job job = { .proc = proc, .task = 100, .job_id = 7 };

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 100, 1, "slurm_script", "");
	scratch_write(s->fd, "proc/100/environ", part, sizeof(part));
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 1);
	assert_false(procs.one_node);
}

/* On one machine with a later attempt of the same job: whoever has no number of an attempt, or
 * another's, is nobody's. */
static void test_procs__of_one_attempt(void **state)
{
	struct scratch *s = *state;
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	static const char later[] = "SLURM_JOB_ID=7\0CKPT_ATTEMPT=10";
	static const char ours[] = "SLURM_JOB_ID=7\0CKPT_ATTEMPT=1";
	char proc[96];
	const struct ckpt_procs_job job = {
		.proc = proc, .task = 100, .job_id = 7, .attempt = "CKPT_ATTEMPT=1"
	};

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 100, 1, "slurm_script", "A=1");
	put(s, 101, 100, "child", "A=1");
	put(s, 200, 1, "rank", "A=1");
	put(s, 201, 1, "later", "A=1");
	put(s, 202, 1, "agent", "SLURM_JOB_ID=7");
	scratch_write(s->fd, "proc/200/environ", ours, sizeof(ours));
	scratch_write(s->fd, "proc/201/environ", later, sizeof(later));
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 3);
	assert_int_equal(procs.p[2].pid, 200);
}

/* Two clusters on one machine, and a job of the same number in each. */
static void test_procs__of_one_cluster(void **state)
{
	struct scratch *s = *state;
	static const char task[] = "A=1\0SLURM_CONF=/a/slurm.conf\0B=2";
	static const char none[] = "A=1\0XSLURM_CONF=/b/slurm.conf";
	static const char ours[] = "SLURM_JOB_ID=7\0SLURM_CONF=/a/slurm.conf";
	static const char other[] = "SLURM_CONF=/a/slurm.conf2\0SLURM_JOB_ID=7";
	_cleanup_procs_ struct ckpt_procs procs = { 0 }, all = { 0 };
	char proc[96];
	const struct ckpt_procs_job job = { .proc = proc, .task = 100, .job_id = 7 };

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	for (int pid = 100; pid < 104; pid++)
		put(s, pid, 1, "rank", "SLURM_JOB_ID=7");
	scratch_write(s->fd, "proc/100/environ", task, sizeof(task));
	scratch_write(s->fd, "proc/101/environ", ours, sizeof(ours));
	scratch_write(s->fd, "proc/102/environ", other, sizeof(other));
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 3);
	assert_int_equal(procs.p[1].pid, 101);
	assert_int_equal(procs.p[2].pid, 103); /* says nothing of its cluster */
	scratch_write(s->fd, "proc/100/environ", none, sizeof(none));
	assert_int_equal(ckpt_procs_list(&job, &all), 0);
	assert_int_equal(all.n, 4);
}

/* Tasks of steps, what they start, and a job that was submitted from inside of a step. */
static void test_procs__of_a_step(void **state)
{
	struct scratch *s = *state;
	_cleanup_procs_ struct ckpt_procs procs = { 0 }, inside = { 0 }, numbered = { 0 };
	static const char alone[] = "SLURM_JOB_ID=7\0SLURM_JOB_NUM_NODES=1";
	static const char task[] = "SLURM_JOB_ID=7\0SLURM_STEP_ID=0\0SLURM_JOB_NUM_NODES=12";
	static const char other[] = "SLURM_JOB_ID=7\0SLURM_STEP_ID=1";
	static const char script[] = "SLURM_JOB_ID=7\0SLURM_STEP_ID=-5"; /* since 26.05 */
	char proc[96];
	const struct ckpt_procs_job job = { .proc = proc, .task = 100, .job_id = 7 };

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 100, 1, "slurm_script", "");
	scratch_write(s->fd, "proc/100/environ", alone, sizeof(alone));
	put(s, 101, 100, "srun", "SLURM_JOB_ID=7");
	put(s, 200, 1, "rank", "");
	scratch_write(s->fd, "proc/200/environ", task, sizeof(task));
	put(s, 201, 200, "worker", "A=1");
	put(s, 202, 1, "rank", "");
	scratch_write(s->fd, "proc/202/environ", other, sizeof(other));
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 5);
	assert_true(procs.one_node);
	for (size_t i = 0; i < procs.n; i++)
		assert_int_equal(procs.p[i].step, procs.p[i].pid >= 200);
	scratch_write(s->fd, "proc/100/environ", task, sizeof(task));
	assert_int_equal(ckpt_procs_list(&job, &inside), 0);
	assert_int_equal(inside.n, 5);
	assert_false(inside.one_node);
	for (size_t i = 0; i < inside.n; i++)
		assert_int_equal(inside.p[i].step, inside.p[i].pid == 202);
	scratch_write(s->fd, "proc/100/environ", script, sizeof(script));
	scratch_write(s->fd, "proc/101/environ", script, sizeof(script));
	assert_int_equal(ckpt_procs_list(&job, &numbered), 0);
	assert_int_equal(numbered.n, 5);
	for (size_t i = 0; i < numbered.n; i++)
		assert_int_equal(numbered.p[i].step, numbered.p[i].pid >= 200);
}

static void test_procs__lives(void **state)
{
	struct scratch *s = *state;
	char proc[96];

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	put(s, 5, 1, "rank", "A=1");
	scratch_put(s->fd, "proc/6/stat", "6 (dead) Z 1 1 1 0 -1 4194304 1 2 3 4 0 0 0 0 20 0 1");
	assert_true(ckpt_proc_lives(proc, 5));
	assert_false(ckpt_proc_lives(proc, 6));
	assert_false(ckpt_proc_lives(proc, 7));
}

static void test_procs__waits(void **state)
{
	struct scratch *s = *state;
	char proc[96], buf[64];

	snprintf(proc, sizeof(proc), "%s/proc", s->path);
	scratch_put(s->fd, "proc/5/wchan", "futex_\033wait");
	scratch_put(s->fd, "proc/5/syscall", "202 0x1 0x2\n");
	assert_string_equal(ckpt_proc_waits(proc, 5, buf, sizeof(buf)),
			    "wchan futex_?wait, syscall 202");
	assert_string_equal(ckpt_proc_waits(proc, 6, buf, sizeof(buf)), "");
}

static void on_signal(int number)
{
	(void)number;
}

static void test_procs__real(void **state)
{
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	struct ckpt_procs_job job = { .proc = "/proc", .task = getpid(), .job_id = 4000000000 };
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGUSR1, on_signal);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(ckpt_procs_list(&job, &procs), 0);
	assert_int_equal(procs.n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(ckpt_proc_catches(&procs.p[i], SIGUSR1), procs.p[i].pid == pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	job.proc = "/nonexistent";
	assert_int_equal(ckpt_procs_list(&job, &procs), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_procs__whose_they_are),
		scratch_test(test_procs__of_another_user),
		scratch_test(test_procs__of_several_parts),
		scratch_test(test_procs__of_one_attempt),
		scratch_test(test_procs__of_one_cluster),
		scratch_test(test_procs__of_a_step),
		scratch_test(test_procs__lives),
		scratch_test(test_procs__waits),
		cmocka_unit_test(test_procs__real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
