/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a job's time limit has room for --ckpt-before-limit. Where it has none, every attempt
 * would be told to save as soon as it is looked at, and start again for ever.
 */
#ifndef CKPT_CORE_WATCH_LIMIT_H
#define CKPT_CORE_WATCH_LIMIT_H

#include <stdint.h>

enum ckpt_limit_room {
	CKPT_LIMIT_ENOUGH,
	CKPT_LIMIT_LITTLE, /* less than half of the limit is left to work */
	CKPT_LIMIT_NONE,   /* nothing is: it is to be left alone */
};

/* Judges @before_ns against the whole limit @limit_ns; a limit of 0 is not known, and enough. */
enum ckpt_limit_room ckpt_limit_room(int64_t limit_ns, int64_t before_ns);

#endif
