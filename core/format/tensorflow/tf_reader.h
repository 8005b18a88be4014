/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of a bundle's index, one at a time, each held against the rules of the format.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_READER_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_READER_H

#include "core/format/format.h"
#include "core/format/tensorflow/tf_proto.h"
#include "core/format/tensorflow/tf_table.h"

#define CKPT_TF_READER_END 1000 /* beside every verdict */
#define CKPT_TF_SHARDS 99999	/* as many as the five digits of a shard's name can tell apart */

struct ckpt_tf_reader {
	struct ckpt_check in_index; /* the check with the index as its file: rejections name it */
	struct ckpt_tf_table table;
	struct ckpt_tf_header header;
	struct ckpt_tf_entry entry; /* the current one; its name is table.block.key */
	uint64_t nth;		    /* its number, from 1 */
};

/* Begins to read @index, opened by the caller. As a check function. */
int ckpt_tf_reader_open(struct ckpt_tf_reader *reader, const struct ckpt_check *check,
			struct ckpt_file *index);

/* Steps to the next entry: 0, CKPT_TF_READER_END, or as a check function. */
int ckpt_tf_reader_next(struct ckpt_tf_reader *reader);

/* The current entry's name, NUL-terminated; "" for a slice, whose key is binary. */
const char *ckpt_tf_reader_name(const struct ckpt_tf_reader *reader);

/* True if the current entry's bytes need ckpt_tf_strings_verify(). */
bool ckpt_tf_reader_varies(const struct ckpt_tf_reader *reader);

/* Frees what the reader holds; a zeroed one is fine. */
void ckpt_tf_reader_done(struct ckpt_tf_reader *reader);
#define _cleanup_tf_reader_ _cleanup_(ckpt_tf_reader_done)

#endif
