/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tags of the pickle scan, and its memo: identical strings and classes come back by number, so
 * those of interest are remembered, all others are not.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_PICKLE_MEMO_H
#define CKPT_CORE_FORMAT_TORCH_PICKLE_MEMO_H

#include <stdint.h>

enum ckpt_pickle_tag {
	CKPT_TAG_UNSEEN, /* came from the memo, which did not keep it; value: its number there */
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
	CKPT_TAG_HELD,	   /* a storage; value: which mention of one it is */
	CKPT_TAG_DIMS,	   /* a tuple of numbers; value: which one it is, 0: the empty one */
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

#define CKPT_MEMO_DIGITS                                                                           \
	8192 /* storage keys and interned strings kept: a model of 2,700 parameters with Adam */
#define CKPT_MEMO_OTHERS 2048 /* words and classes kept: each is memoised once a pickle */

#define CKPT_MEMO_ENTRIES (CKPT_MEMO_DIGITS + CKPT_MEMO_OTHERS)
#define CKPT_MEMO_PLACES 16384 /* 2^14: the hash of an index has 14 bits */

_Static_assert(CKPT_MEMO_PLACES * 2 >= CKPT_MEMO_ENTRIES * 3, "a third of the places is free");

struct ckpt_pickle_memo {
	uint32_t digits, others;	  /* entries in use: the first ones */
	uint16_t place[CKPT_MEMO_PLACES]; /* number of an entry plus one; 0 = free */
	struct {
		uint64_t index;
		struct ckpt_pickle_slot slot;
	} entry[CKPT_MEMO_ENTRIES]; /* 0.25 MB, touched as far as it is in use */
};

/* Remembers @slot as number @index if it is of interest and there is room; else forgets that
 * number. */
void ckpt_pickle_memo_put(struct ckpt_pickle_memo *memo, uint64_t index,
			  struct ckpt_pickle_slot slot);

/* What number @index is; CKPT_TAG_UNSEEN where it was not kept. */
struct ckpt_pickle_slot ckpt_pickle_memo_get(struct ckpt_pickle_memo *memo, uint64_t index);

#endif
