/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Progress of a TensorFlow checkpoint: scalar integers with known names.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_POSITION_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_POSITION_H

#include "core/format/format.h"
#include "core/format/tensorflow/tf_proto.h"

enum ckpt_tf_slot { CKPT_TF_SLOT_STEP, CKPT_TF_SLOT_EPOCH, CKPT_TF_SLOT_COUNTER, CKPT_TF_SLOTS };

/* The best candidate for each number, found while the index is read. */
struct ckpt_tf_candidates {
	struct {
		int rank; /* 0 = none; smaller is better */
		struct ckpt_tf_entry entry;
	} slots[CKPT_TF_SLOTS];
};

/* Takes the entry @name if it is a better candidate than those before. */
void ckpt_tf_position_offer(struct ckpt_tf_candidates *c, const char *name,
			    const struct ckpt_tf_entry *entry);

/*
 * Puts a candidate's value, whose @bytes were read from its place, into @position unless their CRC
 * is another: a damaged number is no position.
 */
void ckpt_tf_position_set(struct ckpt_position *position, enum ckpt_tf_slot slot,
			  const struct ckpt_tf_entry *entry, const uint8_t bytes[8],
			  bool big_endian);

#endif
