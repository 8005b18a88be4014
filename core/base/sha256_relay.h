/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of one range of a file by up to two threads: one reads the next piece while the other
 * takes the one before in.
 */
#ifndef CKPT_CORE_BASE_SHA256_RELAY_H
#define CKPT_CORE_BASE_SHA256_RELAY_H

#include "core/base/file.h"
#include "core/base/sha256_blocks.h"

#define CKPT_SHA256_MATES 2

struct ckpt_sha256_message {
	const struct ckpt_file *file; /* open until the message has ended */
	uint64_t off, len;
};

struct ckpt_sha256_relay {
	int mates; /* threads: 1 or 2 */
	/* Asked often, by any of them: true ends the work. */
	bool (*stop)(void *arg);
	void *arg;
	uint8_t *buf; /* @size bytes, shared out among the mates */
	size_t size;
};

/* The digest of @message into @ret. 0; CKPT_FILE_SHORT; -ECANCELED, without a text, when stopped;
 * or an errno. */
int ckpt_sha256_relay(const struct ckpt_sha256_relay *relay,
		      const struct ckpt_sha256_message *message, uint8_t ret[CKPT_SHA256_SIZE],
		      struct ckpt_error *err);

#endif
