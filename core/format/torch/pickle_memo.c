/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memo as a half-empty open-addressed table of fixed size.
 */
#include "core/format/torch/pickle_memo.h"

#include <stdbool.h>
#include <stddef.h>

/* Where @index is, or the free place where it would be: the caps keep more than a third free. */
static size_t find(const struct ckpt_pickle_memo *memo, uint64_t index)
{
	size_t i = (index * 0x9e3779b97f4a7c15u) >> 50;

	while (memo->index[i] != 0 && memo->index[i] != index + 1)
		i = (i + 1) % CKPT_MEMO_SLOTS;
	return i;
}

static bool interesting(const struct ckpt_pickle_slot *slot)
{
	return slot->tag == CKPT_TAG_WORD || slot->tag == CKPT_TAG_DIGITS ||
	       slot->tag == CKPT_TAG_INTERNED || (slot->tag == CKPT_TAG_GLOBAL && slot->word != 0);
}

void ckpt_pickle_memo_put(struct ckpt_pickle_memo *memo, uint64_t index,
			  struct ckpt_pickle_slot slot)
{
	size_t i = find(memo, index);
	bool digits = slot.tag == CKPT_TAG_DIGITS || slot.tag == CKPT_TAG_INTERNED;

	if (!interesting(&slot))
		slot.tag = CKPT_TAG_UNSEEN;
	if (memo->index[i] == 0) {
		if (slot.tag == CKPT_TAG_UNSEEN)
			return;
		if (digits ? memo->digits >= CKPT_MEMO_DIGITS : memo->others >= CKPT_MEMO_OTHERS)
			return;
		memo->digits += digits;
		memo->others += !digits;
		memo->index[i] = index + 1;
	}
	memo->slot[i] = slot;
}

struct ckpt_pickle_slot ckpt_pickle_memo_get(const struct ckpt_pickle_memo *memo, uint64_t index)
{
	size_t i = find(memo, index);

	if (memo->index[i] == 0)
		return (struct ckpt_pickle_slot) { .tag = CKPT_TAG_UNSEEN };
	return memo->slot[i];
}
