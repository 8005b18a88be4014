/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One framed message of bounded size over a pipe: magic "CKW1", u32 little-endian length, that many
 * bytes. The reader polls to a deadline and never waits for EOF, so an agent that floods, stalls or
 * keeps the pipe open costs no more than its budget.
 */
#ifndef CKPT_WIRE_FRAME_H
#define CKPT_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "wire/error.h"

/* Payload bytes: three paths and two lines fit several times. */
#define CKPT_FRAME_MAX (64 * 1024)

/* CLOCK_MONOTONIC now, in nanoseconds. */
int64_t ckpt_frame_now_ns(void);

/* Writes one frame to @fd (blocking). 0, -E2BIG, or the errno of write(2). */
int ckpt_frame_write(int fd, const char *payload, size_t len);

/*
 * Reads one frame into @buf (CKPT_FRAME_MAX bytes), waiting until @deadline_ns of CLOCK_MONOTONIC
 * (0 = no limit). Returns the payload's length; -ETIMEDOUT; -EPIPE when the writer closed before a
 * whole frame; -EBADMSG for a wrong magic or length; or read(2)'s errno.
 */
long ckpt_frame_read(int fd, char *buf, int64_t deadline_ns);

#endif
