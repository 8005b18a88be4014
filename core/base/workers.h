/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded parallel work: the same function in a few threads, of which the caller is one.
 */
#ifndef CKPT_CORE_BASE_WORKERS_H
#define CKPT_CORE_BASE_WORKERS_H

#include <stddef.h>

#define CKPT_WORKERS_MAX 64

/*
 * Runs @work(worker) for each of @n workers (at most CKPT_WORKERS_MAX) of @size bytes at @workers,
 * and returns when all have ended. The caller runs the first; with one, no thread is made. The
 * threads block all signals. What could not be started is left to the others: @work takes its share
 * from a common pool.
 */
void ckpt_workers_run(void *(*work)(void *worker), void *workers, size_t size, int n);

#endif
