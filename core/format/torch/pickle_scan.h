/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the pickle scan, shared by its files: the state and its stack, the table of opcodes.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_PICKLE_SCAN_H
#define CKPT_CORE_FORMAT_TORCH_PICKLE_SCAN_H

#include "core/format/torch/pickle.h"
#include "core/format/torch/pickle_memo.h"

/* A batch has 1000 items; the deepest stack seen in real files is 645. */
#define CKPT_PICKLE_STACK 65536
#define CKPT_PICKLE_TEXT_MAX 255 /* bytes kept of a string or line */
#define CKPT_PICKLE_TEXTS 2048	 /* slots whose text is kept: a top-level batch has 1000 pairs */
#define CKPT_PICKLE_KEPT 64	 /* bytes of it, with the NUL */
#define CKPT_PICKLE_TUPLES 4	 /* of numbers that are kept: a tensor has two */
#define CKPT_WORD_CALLER 128	 /* slot.word of the caller's first word */

/* slot.word of the words that the scan itself knows; storage classes follow. */
enum { CKPT_WORD_STORAGE = 1, CKPT_WORD_REBUILD = 2 };

/* Argument of an opcode: a number, or the kept part of a text, terminated. */
struct ckpt_pickle_arg {
	uint64_t num;
	size_t len;
	bool cut;
	char text[CKPT_PICKLE_TEXT_MAX + 1];
};

struct ckpt_pickle_scan {
	struct ckpt_stream *in;
	const struct ckpt_pickle_sink *sink;
	struct ckpt_error *err;
	uint64_t shapes[4]; /* a bit for each first letter and length that a word has */
	struct ckpt_pickle_slot *stack;
	size_t n, cap;
	size_t mark; /* index of the topmost mark plus one; 0 = none */
	uint64_t memoized;
	size_t fresh; /* where the stack ended when the latest string was pushed; 0 = not kept */
	char text[CKPT_PICKLE_TEXT_MAX + 1];		  /* that string */
	struct ckpt_pickle_storage storage;		  /* of the latest tuple that names one */
	uint64_t held;					  /* storages mentioned */
	uint64_t tuples;				  /* of numbers alone, with any in them */
	struct ckpt_pickle_dims dims[CKPT_PICKLE_TUPLES]; /* the latest, by their number */
	bool shifted; /* it is a legacy view itself, which tensors' offsets are relative to */
	struct ckpt_pickle_summary sum;
	bool stop;					 /* a callback said so */
	char texts[CKPT_PICKLE_TEXTS][CKPT_PICKLE_KEPT]; /* by slot */
	struct ckpt_pickle_memo memo;
};

enum ckpt_pickle_arg_kind {
	CKPT_ARG_INVALID, /* no opcode */
	CKPT_ARG_NONE,
	CKPT_ARG_U8,
	CKPT_ARG_U16,
	CKPT_ARG_U32,
	CKPT_ARG_U64,
	CKPT_ARG_TEXT8, /* length of 1, 4 or 8 bytes, then that many */
	CKPT_ARG_TEXT32,
	CKPT_ARG_TEXT64,
	CKPT_ARG_LINE,	    /* of a name or a number */
	CKPT_ARG_TEXT_LINE, /* which may be as long as a text */
	CKPT_ARG_LINES,	    /* two of names; the second is kept */
};

typedef int ckpt_pickle_run_fn(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a);

/* Without `run`: pops `pops` slots and pushes one with `tag` and `value` if `pushes`. */
struct ckpt_pickle_op {
	uint8_t arg, pops;
	bool pushes;
	uint8_t tag, value;
	ckpt_pickle_run_fn *run;
};

/* Opcodes whose value stands beside them (pickle_literals.c). */
ckpt_pickle_run_fn ckpt_pickle_run_text, ckpt_pickle_run_quoted, ckpt_pickle_run_int,
	ckpt_pickle_run_int32, ckpt_pickle_run_long, ckpt_pickle_run_int_line,
	ckpt_pickle_run_float, ckpt_pickle_run_float_line;

/* Makes room for one slot. 0, CKPT_PICKLE_LIMIT or -ENOMEM. */
int ckpt_pickle_grow(struct ckpt_pickle_scan *s);

/* Puts @slot on top. As ckpt_pickle_grow(). */
static inline int ckpt_pickle_push(struct ckpt_pickle_scan *s, struct ckpt_pickle_slot slot)
{
	int r = s->n == s->cap ? ckpt_pickle_grow(s) : 0;

	if (r == 0)
		s->stack[s->n++] = slot;
	return r;
}

/* The same of a slot that has nothing but a tag. */
static inline int ckpt_pickle_push_tag(struct ckpt_pickle_scan *s, enum ckpt_pickle_tag tag)
{
	return ckpt_pickle_push(s, (struct ckpt_pickle_slot) { .tag = tag });
}

/* Slots above the topmost mark: what is below is out of reach until the mark is taken away. */
static inline size_t ckpt_pickle_above_mark(const struct ckpt_pickle_scan *s)
{
	return s->n - s->mark;
}

/* Whether @slot is a word that the caller gave. */
static inline bool ckpt_pickle_is_caller_word(const struct ckpt_pickle_slot *slot)
{
	return slot->tag == CKPT_TAG_WORD && slot->word >= CKPT_WORD_CALLER;
}

extern const struct ckpt_pickle_op ckpt_pickle_ops[256];

/* Does what the row @op says. 0, a ckpt_pickle_result or an errno. */
int ckpt_pickle_step(struct ckpt_pickle_scan *s, const struct ckpt_pickle_op *op,
		     const struct ckpt_pickle_arg *a);

/* What slot.word stands for @text, 0 if it is no known word. */
uint8_t ckpt_pickle_word(const struct ckpt_pickle_sink *sink, const struct ckpt_pickle_arg *text);

/* The same in a scan, where nearly all texts are told by their first letter and length. */
uint8_t ckpt_pickle_word_here(const struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *text);

/* Bytes an element of the storage class @word; 0 if it is none. */
uint8_t ckpt_pickle_element(uint8_t word);

/* Whether they are floats; UNKNOWN of an untyped storage and of no class that is known. */
enum ckpt_float ckpt_pickle_float(uint8_t word);

/* What the tuple of the @n slots at @p is on the stack: one of numbers is kept. */
struct ckpt_pickle_slot ckpt_pickle_tuple(struct ckpt_pickle_scan *s,
					  const struct ckpt_pickle_slot *p, size_t n);

/* Tells the sink the tensor, if the @n slots at @p are the arguments of one. */
void ckpt_pickle_tell_view(struct ckpt_pickle_scan *s, const struct ckpt_pickle_slot *p, size_t n);

/* The keys of the dicts that are being filled, up to the object that is being made now. */
void ckpt_pickle_path(const struct ckpt_pickle_scan *s, char *ret, size_t size);

/* Tells the string in slot @i, if it is one, as a name of the top-level object. */
void ckpt_pickle_tell_name(struct ckpt_pickle_scan *s, size_t i);

/* Tells what is of interest of the pairs from slot @first to the top, which belong to the container
 * at slot @container. */
void ckpt_pickle_tell_pairs(struct ckpt_pickle_scan *s, size_t container, size_t first);

/* Whether the text is a decimal number without leading zeros that fits. */
bool ckpt_pickle_digits(const struct ckpt_pickle_arg *text, uint64_t *ret);

/* @slot as a value for the caller. */
struct ckpt_pickle_value ckpt_pickle_value_of(const struct ckpt_pickle_scan *s,
					      const struct ckpt_pickle_slot *slot);

#endif
