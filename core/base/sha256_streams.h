/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of ranges of files in constant memory: as many side by side in one thread as is fast on
 * this CPU, where each is read piece by piece and one that ends makes room for the next; or, where
 * there are few, one after the other with a second thread that reads ahead.
 */
#ifndef CKPT_CORE_BASE_SHA256_STREAMS_H
#define CKPT_CORE_BASE_SHA256_STREAMS_H

#include "core/base/sha256_relay.h"

/* The memory that one thread reads into. */
#define CKPT_SHA256_BUFFER ((size_t)1024 * 1024)

/* Where one thread's messages come from and their digests go to. @lane: 0 to lanes - 1; one message
 * at a time is under way in each. */
struct ckpt_sha256_source {
	/* Fills in the next message. False: there is none, and none for the other lanes. */
	bool (*next)(void *arg, int lane, struct ckpt_sha256_message *ret);
	/* The message of @lane ended: with 0 and its digest; CKPT_FILE_SHORT or an errno, whose
	 * text is in @err; or -ECANCELED, without a text, when stop() ended all. */
	void (*done)(void *arg, int lane, int result, const uint8_t *digest,
		     const struct ckpt_error *err);
	/* The next @len bytes of the message of @lane, as they were read; NULL = not told. Without
	 * effect where there is one lane. */
	void (*bytes)(void *arg, int lane, const uint8_t *data, size_t len);
	/* Asked often, with mates by several threads at once: true ends the work. */
	bool (*stop)(void *arg);
	void *arg;
	/* The messages of a thread follow each other in their files: it may fetch ahead (ahead.h).
	 */
	bool ahead;
};

/* How a job's work is shared out. */
struct ckpt_sha256_plan {
	int threads; /* each of which runs ckpt_sha256_streams() */
	int lanes;   /* of each; 1 where side by side does not pay */
	int mates;   /* threads that work at each message, where there is one lane */
};

/*
 * The plan for @messages by at most @threads. Lanes are at most 512 for all together, so that their
 * files stay below the usual limit of open ones.
 */
struct ckpt_sha256_plan ckpt_sha256_plan(uint64_t messages, int threads);

/* Works off the messages of @source as one of the threads of @plan. 0 or -ENOMEM. */
int ckpt_sha256_streams(const struct ckpt_sha256_source *source,
			const struct ckpt_sha256_plan *plan);

#endif
