/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a compressed file holds, as a file of its own: reads go forward through the decoder, the
 * last bytes that came out are kept, and a read further back decodes from the beginning again.
 * Memory and work are bounded: two windows, and an allowance of decoded bytes for all passes
 * together, which files packed inside one another share.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_UNPACK_H
#define CKPT_CORE_FORMAT_ARCHIVE_UNPACK_H

#include "core/format/archive/decode.h"

struct ckpt_unpack {
	struct ckpt_decoder decoder;
	struct ckpt_file_source source;
	uint64_t size;	     /* of all that comes out, once measured */
	uint64_t allowed;    /* bytes that may still be decoded */
	uint64_t *allowance; /* ours, or that of the file around this one */
	uint64_t at;	     /* of what comes out next */
	uint8_t *window;     /* the last bytes that came out, up to here */
	size_t kept;
	uint8_t *tail; /* the last of all */
	size_t n_tail;
	bool exhausted; /* the allowance is used up */
};

/*
 * Decodes all of @file once, so that its own checks are made and its size is known. Results as
 * ckpt_decoder_pull(), where 0 stands for END: u->size is set, and what stands at u->decoder.
 * -EDQUOT with u->exhausted: the allowance is used up.
 */
int ckpt_unpack_init(struct ckpt_unpack *u, const struct ckpt_codec *codec,
		     const struct ckpt_file *file, struct ckpt_error *err);

/* Frees it; a zeroed one is fine. */
void ckpt_unpack_done(struct ckpt_unpack *u);
#define _cleanup_unpack_ _cleanup_(ckpt_unpack_done)

/*
 * A file of what comes out, with the name and identity of the packed one; @ctx becomes its context,
 * which must have one thread. It borrows @u. 0 or an errno.
 */
int ckpt_unpack_open(struct ckpt_unpack *u, struct ckpt_ctx *ctx, struct ckpt_file *ret,
		     struct ckpt_error *err);

#endif
