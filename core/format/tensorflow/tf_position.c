/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_position.h.
 */
#include "core/format/tensorflow/tf_position.h"

#include <endian.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/format/tensorflow/tf_table.h"
#include "wire/text.h"

#define VALUE "/.ATTRIBUTES/VARIABLE_VALUE" /* what object-based saving puts behind a name */

/* In order of trust. An optimizer's iterations count its updates. */
static const struct row {
	const char *name;
	bool suffix;
	enum ckpt_tf_slot slot;
} rows[] = {
	{ "global_step", false, CKPT_TF_SLOT_STEP },
	{ "global_step" VALUE, false, CKPT_TF_SLOT_STEP },
	{ "step" VALUE, false, CKPT_TF_SLOT_STEP },
	{ "optimizer/iter" VALUE, false, CKPT_TF_SLOT_STEP },
	{ "optimizer/_iterations" VALUE, false, CKPT_TF_SLOT_STEP },
	{ "/global_step" VALUE, true, CKPT_TF_SLOT_STEP },
	{ "/iter" VALUE, true, CKPT_TF_SLOT_STEP },
	{ "/_iterations" VALUE, true, CKPT_TF_SLOT_STEP },
	{ "epoch" VALUE, false, CKPT_TF_SLOT_EPOCH },
	{ "epoch", false, CKPT_TF_SLOT_EPOCH },
	{ "ckpt_saved_epoch" VALUE, false, CKPT_TF_SLOT_EPOCH },
	{ "epoch_counter" VALUE, false, CKPT_TF_SLOT_EPOCH },
	{ "save_counter" VALUE, false, CKPT_TF_SLOT_COUNTER },
};

void ckpt_tf_position_offer(struct ckpt_tf_candidates *c, const char *name,
			    const struct ckpt_tf_entry *entry)
{
	if (entry->rank || entry->sliced || entry->odd_shape ||
	    (entry->dtype != CKPT_TF_INT32 && entry->dtype != CKPT_TF_INT64))
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rank = (int)i + 1, *best = &c->slots[rows[i].slot].rank;

		if (rows[i].suffix ? !ckpt_text_ends(name, rows[i].name)
				   : strcmp(name, rows[i].name) != 0)
			continue;
		if (*best && *best <= rank)
			return;
		*best = rank;
		c->slots[rows[i].slot].entry = *entry;
		return;
	}
}

static int64_t value_of(const struct ckpt_tf_entry *entry, const uint8_t bytes[8], bool big_endian)
{
	uint64_t wide;
	uint32_t narrow;

	memcpy(&wide, bytes, sizeof(wide));
	memcpy(&narrow, bytes, sizeof(narrow));
	if (entry->dtype == CKPT_TF_INT32)
		return (int32_t)(big_endian ? be32toh(narrow) : le32toh(narrow));
	return (int64_t)(big_endian ? be64toh(wide) : le64toh(wide));
}

void ckpt_tf_position_set(struct ckpt_position *position, enum ckpt_tf_slot slot,
			  const struct ckpt_tf_entry *entry, const uint8_t bytes[8],
			  bool big_endian)
{
	int64_t value = value_of(entry, bytes, big_endian);

	if (ckpt_crc(CKPT_CRC32C, 0, bytes, (size_t)entry->size) != ckpt_tf_unmask(entry->crc))
		return;
	if (value < 0 || value > INT64_C(1) << 53)
		return;
	if (slot == CKPT_TF_SLOT_STEP) {
		position->has_step = true;
		position->step = value;
		position->step_source = CKPT_FROM_CONTENT;
	} else if (!position->has_epoch) {
		position->has_epoch = true;
		position->epoch = (double)value;
		position->epoch_source = CKPT_FROM_CONTENT;
		position->meaning =
			slot == CKPT_TF_SLOT_COUNTER ? CKPT_EPOCH_SAVE_COUNTER : CKPT_EPOCH_UNKNOWN;
	}
}
