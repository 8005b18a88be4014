/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/workers.h: every worker runs once, the first in the caller, the others with all signals
 * blocked, and never more than the limit.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/base/workers.h"

struct worker {
	_Atomic int *total;
	pthread_t thread;
	int ran;
	bool blocked;
};

static void *work(void *arg)
{
	struct worker *self = arg;
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	self->blocked = sigismember(&now, SIGTERM) && sigismember(&now, SIGUSR1);
	self->thread = pthread_self();
	self->ran++;
	(*self->total)++;
	return NULL;
}

static void test_workers__each_runs_once(void **state)
{
	static const int counts[] = { 1, 2, 7, CKPT_WORKERS_MAX, CKPT_WORKERS_MAX + 6 };
	static struct worker workers[CKPT_WORKERS_MAX + 6];

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		int n = counts[c], most = n < CKPT_WORKERS_MAX ? n : CKPT_WORKERS_MAX;
		_Atomic int total = 0;

		for (int i = 0; i < n; i++)
			workers[i] = (struct worker) { .total = &total };
		ckpt_workers_run(work, workers, sizeof(workers[0]), n);
		assert_int_equal(total, most);
		assert_true(pthread_equal(workers[0].thread, pthread_self()));
		assert_false(workers[0].blocked);
		for (int i = 1; i < n; i++) {
			assert_int_equal(workers[i].ran, i < most);
			assert_int_equal(workers[i].blocked, i < most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers__each_runs_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
