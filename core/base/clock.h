/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Times as one number: what stat(2) and clock_gettime(2) tell, in nanoseconds.
 */
#ifndef CKPT_CORE_BASE_CLOCK_H
#define CKPT_CORE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CKPT_SECOND_NS INT64_C(1000000000)

/* Nanoseconds of @ts, since whatever it counts from. */
static inline int64_t ckpt_clock_ns(struct timespec ts)
{
	return (int64_t)ts.tv_sec * CKPT_SECOND_NS + ts.tv_nsec;
}

#endif
