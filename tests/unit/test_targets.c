/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom a signal goes to: a batch script with its srun and that one's child, a task of the step with
 * a worker of its own, a program beside them, and an srun inside of the step.
 */
#include "core/watch/targets.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MASK(number) ((uint64_t)1 << ((number)-1))
#define ANY (MASK(SIGUSR1) | MASK(SIGTERM) | MASK(SIGHUP))

static struct ckpt_proc job[] = {
	{ .pid = 100, .parent = 1, .state = 'S', .command = "slurm_script" },
	{ .pid = 101, .parent = 100, .state = 'S', .caught = ANY, .command = "srun" },
	{ .pid = 102, .parent = 101, .state = 'S', .caught = ANY, .command = "srun" },
	{ .pid = 103, .parent = 100, .state = 'R', .caught = ANY, .command = "python3" },
	{ .pid = 104, .parent = 100, .state = 'Z', .caught = ANY, .command = "python3" },
	{ .pid = 200, .parent = 1, .state = 'R', .step = true, .caught = ANY, .command = "rank" },
	{ .pid = 201, .parent = 200, .state = 'S', .step = true, .command = "worker" },
	{ .pid = 202, .parent = 200, .state = 'S', .step = true, .caught = ANY, .command = "srun" },
};
static const struct ckpt_procs all = { .p = job, .n = sizeof(job) / sizeof(*job) };
static const struct ckpt_procs one_node = { job, sizeof(job) / sizeof(*job), 0, true };
static const struct ckpt_procs no_srun = { .p = job + 3, .n = sizeof(job) / sizeof(*job) - 3 };

/* Their pids, in order, with a blank behind each. */
static const char *targets(const struct ckpt_procs *procs, int number, enum ckpt_targets_by by)
{
	static char text[128];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < procs->n; i++)
		if (ckpt_targets_has(procs, &procs->p[i], number, by))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%d ",
					      (int)procs->p[i].pid);
	return text;
}

static void test_targets__each_gets_it_once(void **state)
{
	static const struct {
		int number;
		bool one_node;
		enum ckpt_targets_by by;
		const char *targets;
	} cases[] = {
		{ SIGUSR1, true, CKPT_TARGETS_DIRECT, "103 200 " },
		{ SIGTERM, true, CKPT_TARGETS_DIRECT, "103 200 " },
		{ SIGUSR2, true, CKPT_TARGETS_DIRECT, "" },
		{ SIGUSR1, false, CKPT_TARGETS_SRUN, "101 103 " },
		{ SIGUSR2, false, CKPT_TARGETS_SRUN, "101 " },
		{ SIGTERM, false, CKPT_TARGETS_SLURM, "103 " },
		{ SIGHUP, false, CKPT_TARGETS_SLURM, "103 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ckpt_procs *procs = cases[i].one_node ? &one_node : &all;

		assert_int_equal(ckpt_targets_choose(procs, cases[i].number), cases[i].by);
		assert_string_equal(targets(procs, cases[i].number, cases[i].by), cases[i].targets);
	}
}

/* Nobody passes it on: tasks whose srun runs elsewhere, or has ended. */
static void test_targets__without_srun(void **state)
{
	(void)state;
	assert_int_equal(ckpt_targets_choose(&no_srun, SIGUSR1), CKPT_TARGETS_DIRECT);
	assert_int_equal(ckpt_targets_choose(&no_srun, SIGTERM), CKPT_TARGETS_DIRECT);
	assert_string_equal(targets(&no_srun, SIGTERM, CKPT_TARGETS_DIRECT), "103 200 ");
	job[1].state = 'Z';
	assert_int_equal(ckpt_targets_choose(&all, SIGUSR1), CKPT_TARGETS_DIRECT);
	job[1].state = 'S';
}

static void test_targets__one_srun_a_step(void **state)
{
	int n = 0;

	(void)state;
	for (size_t i = 0; i < all.n; i++)
		n += ckpt_targets_is_srun(&all, &all.p[i]);
	assert_int_equal(n, 1);
	assert_true(ckpt_targets_is_srun(&all, &all.p[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets__each_gets_it_once),
		cmocka_unit_test(test_targets__without_srun),
		cmocka_unit_test(test_targets__one_srun_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
