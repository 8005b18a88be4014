/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See workers.h.
 */
#include "core/base/workers.h"

#include <pthread.h>
#include <signal.h>

#define STACK ((size_t)512 * 1024)

/* Starts threads for workers 1 to @n - 1 as far as that goes. Returns how many. */
static int start(void *(*work)(void *), char *workers, size_t size, pthread_t *threads, int n)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int started = 0;

	if (n <= 1 || pthread_attr_init(&attr) != 0)
		return 0;
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < n - 1 && pthread_create(&threads[started], &attr, work,
						 workers + (size_t)(started + 1) * size) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return started;
}

void ckpt_workers_run(void *(*work)(void *worker), void *workers, size_t size, int n)
{
	pthread_t threads[CKPT_WORKERS_MAX];
	int started;

	if (n > CKPT_WORKERS_MAX)
		n = CKPT_WORKERS_MAX;
	started = start(work, workers, size, threads, n);
	work(workers);
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}
