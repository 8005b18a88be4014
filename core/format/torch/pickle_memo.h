/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tags of the pickle scan, and its memo: identical strings and classes come back by number, so
 * those of interest are remembered, all others are not.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_PICKLE_MEMO_H
#define CKPT_CORE_FORMAT_TORCH_PICKLE_MEMO_H

#include <stdint.h>

enum ckpt_pickle_tag {
	CKPT_TAG_UNSEEN, /* came from the memo, which did not keep it */
	CKPT_TAG_MARK,	 /* value: index of the mark below plus one, or 0 */
	CKPT_TAG_OPAQUE,
	CKPT_TAG_NONE,
	CKPT_TAG_BOOL,
	CKPT_TAG_INT,
	CKPT_TAG_FLOAT,
	CKPT_TAG_TEXT,	 /* value: 1 if the scan kept its text for this slot */
	CKPT_TAG_WORD,	 /* a string of interest */
	CKPT_TAG_DIGITS, /* a string that is a decimal number */
	CKPT_TAG_GLOBAL, /* a class or function; word 0 = none of interest */
	CKPT_TAG_DICT,
	CKPT_TAG_LIST,
	CKPT_TAG_OBJECT,
	CKPT_TAG_TENSOR,
	CKPT_TAG_STORAGE,  /* the tuple that names a storage */
	CKPT_TAG_INTERNED, /* value: the caller's id of a string */
};

/* One place of the stack. */
struct ckpt_pickle_slot {
	uint8_t tag, word;
	union {
		uint64_t value;
		int64_t i;
		double f;
	};
};

#define CKPT_MEMO_SLOTS 16384 /* 0.4 MB */
#define CKPT_MEMO_DIGITS                                                                           \
	8192 /* storage keys and interned strings kept: a model of 2,700 parameters with Adam */
#define CKPT_MEMO_OTHERS 2048 /* words and classes kept: each is memoised once a pickle */

struct ckpt_pickle_memo {
	uint32_t digits, others;
	uint64_t index[CKPT_MEMO_SLOTS]; /* plus one; 0 = free */
	struct ckpt_pickle_slot slot[CKPT_MEMO_SLOTS];
};

/* Remembers @slot as number @index if it is of interest and there is room; else forgets that
 * number. */
void ckpt_pickle_memo_put(struct ckpt_pickle_memo *memo, uint64_t index,
			  struct ckpt_pickle_slot slot);

/* What number @index is; CKPT_TAG_UNSEEN where it was not kept. */
struct ckpt_pickle_slot ckpt_pickle_memo_get(const struct ckpt_pickle_memo *memo, uint64_t index);

#endif
