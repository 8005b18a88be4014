/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memo as a half-empty open-addressed table of numbers of entries, which stand close together:
 * a scan touches as much memory as it remembers.
 */
#include "core/format/torch/pickle_memo.h"

#include <stdbool.h>
#include <stddef.h>

/* The place that leads to @index, or the free one where it would stand: more than a third are
 * free. */
static uint16_t *find(struct ckpt_pickle_memo *memo, uint64_t index)
{
	size_t i = (index * 0x9e3779b97f4a7c15u) >> 50;

	while (memo->place[i] != 0 && memo->entry[memo->place[i] - 1].index != index)
		i = (i + 1) % CKPT_MEMO_PLACES;
	return &memo->place[i];
}

static bool interesting(const struct ckpt_pickle_slot *slot)
{
	return slot->tag == CKPT_TAG_WORD || slot->tag == CKPT_TAG_DIGITS ||
	       slot->tag == CKPT_TAG_INTERNED || (slot->tag == CKPT_TAG_GLOBAL && slot->word != 0);
}

/* Whether there is room for one more such slot, which is then counted. */
static bool admit(struct ckpt_pickle_memo *memo, const struct ckpt_pickle_slot *slot)
{
	bool digits = slot->tag == CKPT_TAG_DIGITS || slot->tag == CKPT_TAG_INTERNED;

	if (digits ? memo->digits >= CKPT_MEMO_DIGITS : memo->others >= CKPT_MEMO_OTHERS)
		return false;
	memo->digits += digits;
	memo->others += !digits;
	return true;
}

void ckpt_pickle_memo_put(struct ckpt_pickle_memo *memo, uint64_t index,
			  struct ckpt_pickle_slot slot)
{
	uint16_t *place = find(memo, index);

	if (!interesting(&slot))
		slot = (struct ckpt_pickle_slot) { .tag = CKPT_TAG_UNSEEN, .value = index };
	if (*place == 0) {
		if (slot.tag == CKPT_TAG_UNSEEN || !admit(memo, &slot))
			return;
		*place = (uint16_t)(memo->digits + memo->others);
		memo->entry[*place - 1].index = index;
	}
	memo->entry[*place - 1].slot = slot;
}

struct ckpt_pickle_slot ckpt_pickle_memo_get(struct ckpt_pickle_memo *memo, uint64_t index)
{
	const uint16_t *place = find(memo, index);

	if (*place == 0)
		return (struct ckpt_pickle_slot) { .tag = CKPT_TAG_UNSEEN, .value = index };
	return memo->entry[*place - 1].slot;
}
