/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of ranges of files, as many side by side in one thread as is fast on this CPU, in
 * constant memory: each stream is read piece by piece, and a stream that ends makes room for the
 * next one.
 */
#ifndef CKPT_CORE_BASE_SHA256_STREAMS_H
#define CKPT_CORE_BASE_SHA256_STREAMS_H

#include "core/base/file.h"
#include "core/base/sha256_blocks.h"

/* The memory that one thread reads into. */
#define CKPT_SHA256_BUFFER ((size_t)512 * 1024)

struct ckpt_sha256_message {
	const struct ckpt_file *file; /* stays open until done() */
	uint64_t off, len;
};

/* Where one thread's messages come from and their digests go to. @lane: 0 to lanes - 1; one message
 * at a time is under way in each. */
struct ckpt_sha256_source {
	/* Fills in the next message. False: there is none, and none for the other lanes. */
	bool (*next)(void *arg, int lane, struct ckpt_sha256_message *ret);
	/* The message of @lane ended: with 0 and its digest; CKPT_FILE_SHORT or an errno, whose
	 * text is in @err; or -ECANCELED, without a text, when stop() ended all. */
	void (*done)(void *arg, int lane, int result, const uint8_t *digest,
		     const struct ckpt_error *err);
	/* Asked often: true ends the work. */
	bool (*stop)(void *arg);
	void *arg;
};

/* How many lanes each of @threads should run for @messages: 1 where side by side does not pay. At
 * most 512 for all together, so that their files stay below the usual limit of open ones. */
int ckpt_sha256_lanes(uint64_t messages, int threads);

/* Works off the messages of @source in @lanes lanes, CKPT_SHA256_LANES at most. 0 or -ENOMEM. */
int ckpt_sha256_streams(const struct ckpt_sha256_source *source, int lanes);

#endif
