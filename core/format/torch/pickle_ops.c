/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each opcode does to the stack of tags: one table row an opcode. Slot 0 is the object itself.
 * No opcode may take slots across a mark, as in Python; what would fail there is "bad" here.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/format/torch/pickle_scan.h"

int ckpt_pickle_grow(struct ckpt_pickle_scan *s)
{
	size_t cap = s->cap ? s->cap * 2 : 1024;
	struct ckpt_pickle_slot *stack;

	if (cap > CKPT_PICKLE_STACK)
		return CKPT_PICKLE_LIMIT;
	stack = realloc(s->stack, cap * sizeof(*stack));
	if (!stack)
		return ckpt_fail(s->err, -ENOMEM, "no memory for the scan of a pickle");
	s->stack = stack;
	s->cap = cap;
	return 0;
}

/* Removes the topmost mark and what is above it. False if there is none. */
static bool pop_mark(struct ckpt_pickle_scan *s)
{
	if (s->mark == 0)
		return false;
	s->n = s->mark - 1;
	s->mark = s->stack[s->n].value;
	return true;
}

/* The slots from @at on; of an empty stack, which has no memory yet, none. */
static const struct ckpt_pickle_slot *slots_from(const struct ckpt_pickle_scan *s, size_t at)
{
	return at ? s->stack + at : s->stack;
}

/* A class or function is mentioned: one of the caller's words is told. */
static void tell_named(struct ckpt_pickle_scan *s, const struct ckpt_pickle_slot *slot)
{
	if (slot->tag == CKPT_TAG_GLOBAL && slot->word >= CKPT_WORD_CALLER && s->sink->named)
		s->stop = s->stop || !s->sink->named(s->sink->arg, slot->word - CKPT_WORD_CALLER);
}

/* Pushes the class or function of the word @word. */
static int push_global(struct ckpt_pickle_scan *s, uint8_t word)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_GLOBAL, .word = word };

	tell_named(s, &slot);
	return ckpt_pickle_push(s, slot);
}

static int run_global(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return push_global(s, ckpt_pickle_word_here(s, a));
}

static int run_stack_global(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot;

	(void)a;
	if (ckpt_pickle_above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	slot = s->stack[s->n - 1];
	s->n -= 2;
	return push_global(s, slot.tag == CKPT_TAG_WORD ? slot.word : 0);
}

static int run_mark(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_MARK, .value = s->mark };
	int r = ckpt_pickle_push(s, slot);

	(void)a;
	if (r == 0)
		s->mark = s->n;
	return r;
}

/* Whether the latest string is what stands on top: one that was taken off again is not. */
static bool is_fresh(const struct ckpt_pickle_scan *s)
{
	uint8_t tag = s->stack[s->n - 1].tag;

	return s->fresh == s->n &&
	       (tag == CKPT_TAG_TEXT || tag == CKPT_TAG_WORD || tag == CKPT_TAG_DIGITS);
}

static int put(struct ckpt_pickle_scan *s, uint64_t index)
{
	if (ckpt_pickle_above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	ckpt_pickle_memo_put(&s->memo, index, s->stack[s->n - 1]);
	if (s->sink->memo)
		s->sink->memo(s->sink->arg, index, is_fresh(s) ? s->text : "");
	s->fresh = 0;
	return 0;
}

static int run_put(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return put(s, a->num);
}

static int run_memoize(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return put(s, s->memoized++);
}

static int get(struct ckpt_pickle_scan *s, uint64_t index)
{
	struct ckpt_pickle_slot slot = ckpt_pickle_memo_get(&s->memo, index);

	tell_named(s, &slot);
	return ckpt_pickle_push(s, slot);
}

static int run_get(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return get(s, a->num);
}

/* PUT and GET of protocol 0 name the number as a line. */
static int run_put_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	uint64_t index;

	return ckpt_pickle_digits(a, &index) && index < UINT32_MAX ? put(s, index)
								   : CKPT_PICKLE_BAD;
}

static int run_get_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	uint64_t index;

	return ckpt_pickle_digits(a, &index) && index < UINT32_MAX ? get(s, index)
								   : CKPT_PICKLE_BAD;
}

/* POP also takes a mark, as Python's does. */
static int run_pop(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (ckpt_pickle_above_mark(s) == 0)
		return pop_mark(s) ? 0 : CKPT_PICKLE_BAD;
	s->n--;
	return 0;
}

static int run_pop_mark(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return pop_mark(s) ? 0 : CKPT_PICKLE_BAD;
}

static int run_dup(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot;

	(void)a;
	if (ckpt_pickle_above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	slot = s->stack[s->n - 1];
	if (slot.tag == CKPT_TAG_TEXT)
		slot.value = 0; /* texts are kept by slot */
	return ckpt_pickle_push(s, slot);
}

/* Pops callee and arguments and pushes what they give: a tensor if the callee rebuilds one. */
static int run_call(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	const struct ckpt_pickle_slot *callee;

	(void)a;
	if (ckpt_pickle_above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	s->n -= 2;
	callee = &s->stack[s->n];
	if (callee->tag == CKPT_TAG_GLOBAL && callee->word == CKPT_WORD_REBUILD)
		return ckpt_pickle_push_tag(s, CKPT_TAG_TENSOR);
	return ckpt_pickle_push_tag(s, CKPT_TAG_OBJECT);
}

static int run_instance(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return pop_mark(s) ? ckpt_pickle_push_tag(s, CKPT_TAG_OBJECT) : CKPT_PICKLE_BAD;
}

static int run_list(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return pop_mark(s) ? ckpt_pickle_push_tag(s, CKPT_TAG_LIST) : CKPT_PICKLE_BAD;
}

/* If the @count slots at @p name a storage, notes which. The sixth is a legacy view. */
static bool note_storage(struct ckpt_pickle_scan *s, const struct ckpt_pickle_slot *p, size_t count)
{
	if (count < 5 || count > 6 || p[0].tag != CKPT_TAG_WORD || p[0].word != CKPT_WORD_STORAGE ||
	    p[4].tag != CKPT_TAG_INT || p[4].i < 0)
		return false;
	s->shifted = count == 6 && p[5].tag != CKPT_TAG_NONE;
	s->storage = (struct ckpt_pickle_storage) {
		.has_key = p[2].tag == CKPT_TAG_DIGITS,
		.key = p[2].tag == CKPT_TAG_DIGITS ? p[2].value : 0,
		.numel = p[4].i,
		.element = p[1].tag == CKPT_TAG_GLOBAL ? ckpt_pickle_element(p[1].word) : 0,
		.type = ckpt_pickle_float(p[1].tag == CKPT_TAG_GLOBAL ? p[1].word : 0),
	};
	return true;
}

static int run_tuple(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	const struct ckpt_pickle_slot *p = slots_from(s, s->mark);
	struct ckpt_pickle_slot made = { .tag = CKPT_TAG_STORAGE };

	(void)a;
	if (s->mark == 0)
		return CKPT_PICKLE_BAD;
	if (!note_storage(s, p, ckpt_pickle_above_mark(s))) {
		ckpt_pickle_tell_view(s, p, ckpt_pickle_above_mark(s));
		made = ckpt_pickle_tuple(s, p, ckpt_pickle_above_mark(s));
	}
	pop_mark(s);
	return ckpt_pickle_push(s, made);
}

static int run_persistent(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (ckpt_pickle_above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	s->n--;
	if (s->stack[s->n].tag != CKPT_TAG_STORAGE || !s->sink->storage)
		return ckpt_pickle_push_tag(s, CKPT_TAG_OBJECT);
	if (s->sink->paths)
		ckpt_pickle_path(s, s->storage.path, sizeof(s->storage.path));
	s->stop = !s->sink->storage(s->sink->arg, &s->storage);
	return ckpt_pickle_push(
		s, (struct ckpt_pickle_slot) { .tag = s->shifted ? CKPT_TAG_OBJECT : CKPT_TAG_HELD,
					       .value = ++s->held });
}

static int run_setitem(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (ckpt_pickle_above_mark(s) < 3)
		return CKPT_PICKLE_BAD;
	ckpt_pickle_tell_pairs(s, s->n - 3, s->n - 2);
	s->n -= 2;
	return 0;
}

static int run_setitems(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (s->mark < 2 || ckpt_pickle_above_mark(s) % 2)
		return CKPT_PICKLE_BAD;
	ckpt_pickle_tell_pairs(s, s->mark - 2, s->mark);
	pop_mark(s);
	return 0;
}

static int run_append(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (ckpt_pickle_above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	if (s->n == 2 && s->stack[0].tag == CKPT_TAG_LIST)
		ckpt_pickle_tell_name(s, 1);
	s->n--;
	return 0;
}

static int run_appends(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (s->mark < 2)
		return CKPT_PICKLE_BAD;
	if (s->mark == 2 && s->stack[0].tag == CKPT_TAG_LIST)
		for (size_t i = 2; i < s->n && !s->stop; i++)
			ckpt_pickle_tell_name(s, i);
	pop_mark(s);
	return 0;
}

static int run_dict(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (s->mark == 0 || ckpt_pickle_above_mark(s) % 2)
		return CKPT_PICKLE_BAD;
	ckpt_pickle_tell_pairs(s, s->mark - 1, s->mark);
	pop_mark(s);
	return ckpt_pickle_push_tag(s, CKPT_TAG_DICT);
}

#define RUN(kind, fn)                                                                              \
	{                                                                                          \
		.arg = CKPT_ARG_##kind, .run = (fn)                                                \
	}
#define PUSH(kind, t)                                                                              \
	{                                                                                          \
		.arg = CKPT_ARG_##kind, .pushes = true, .tag = CKPT_TAG_##t                        \
	}
#define POPS(kind, n)                                                                              \
	{                                                                                          \
		.arg = CKPT_ARG_##kind, .pops = (n)                                                \
	}
#define MAKE(n, t)                                                                                 \
	{                                                                                          \
		.arg = CKPT_ARG_NONE, .pops = (n), .pushes = true, .tag = CKPT_TAG_##t             \
	}

const struct ckpt_pickle_op ckpt_pickle_ops[256] = {
	['('] = RUN(NONE, run_mark),
	['0'] = RUN(NONE, run_pop),
	['1'] = RUN(NONE, run_pop_mark),
	['2'] = RUN(NONE, run_dup),
	[')'] = MAKE(0, DIMS),
	[']'] = PUSH(NONE, LIST),
	['}'] = PUSH(NONE, DICT),
	[0x8f] = PUSH(NONE, OPAQUE),
	['N'] = PUSH(NONE, NONE),
	[0x88] = { .arg = CKPT_ARG_NONE, .pushes = true, .tag = CKPT_TAG_BOOL, .value = 1 },
	[0x89] = PUSH(NONE, BOOL),
	['I'] = RUN(LINE, ckpt_pickle_run_int_line),
	['L'] = RUN(LINE, ckpt_pickle_run_int_line),
	['K'] = RUN(U8, ckpt_pickle_run_int),
	['M'] = RUN(U16, ckpt_pickle_run_int),
	['J'] = RUN(U32, ckpt_pickle_run_int32),
	[0x8a] = RUN(TEXT8, ckpt_pickle_run_long),
	[0x8b] = PUSH(TEXT32, OPAQUE),
	['F'] = RUN(LINE, ckpt_pickle_run_float_line),
	['G'] = RUN(U64, ckpt_pickle_run_float),
	['S'] = RUN(TEXT_LINE, ckpt_pickle_run_quoted),
	['V'] = RUN(TEXT_LINE, ckpt_pickle_run_text),
	['U'] = RUN(TEXT8, ckpt_pickle_run_text),
	['T'] = RUN(TEXT32, ckpt_pickle_run_text),
	['X'] = RUN(TEXT32, ckpt_pickle_run_text),
	[0x8c] = RUN(TEXT8, ckpt_pickle_run_text),
	[0x8d] = RUN(TEXT64, ckpt_pickle_run_text),
	['C'] = PUSH(TEXT8, OPAQUE),
	['B'] = PUSH(TEXT32, OPAQUE),
	[0x8e] = PUSH(TEXT64, OPAQUE),
	[0x96] = PUSH(TEXT64, OPAQUE),
	[0x97] = PUSH(NONE, OPAQUE),
	[0x98] = POPS(NONE, 0),
	[0x80] = POPS(U8, 0),
	[0x95] = POPS(U64, 0),
	[0x82] = PUSH(U8, OPAQUE),
	[0x83] = PUSH(U16, OPAQUE),
	[0x84] = PUSH(U32, OPAQUE),
	['c'] = RUN(LINES, run_global),
	[0x93] = RUN(NONE, run_stack_global),
	['R'] = RUN(NONE, run_call),
	[0x81] = MAKE(2, OBJECT),
	[0x92] = MAKE(3, OBJECT),
	['i'] = RUN(LINES, run_instance),
	['o'] = RUN(NONE, run_instance),
	['b'] = POPS(NONE, 1),
	['a'] = RUN(NONE, run_append),
	['e'] = RUN(NONE, run_appends),
	[0x90] = RUN(NONE, run_pop_mark),
	['s'] = RUN(NONE, run_setitem),
	['u'] = RUN(NONE, run_setitems),
	['d'] = RUN(NONE, run_dict),
	['l'] = RUN(NONE, run_list),
	[0x91] = RUN(NONE, run_instance),
	['t'] = RUN(NONE, run_tuple),
	[0x85] = MAKE(1, DIMS),
	[0x86] = MAKE(2, DIMS),
	[0x87] = MAKE(3, DIMS),
	['Q'] = RUN(NONE, run_persistent),
	['P'] = PUSH(LINE, OBJECT),
	['p'] = RUN(LINE, run_put_line),
	['q'] = RUN(U8, run_put),
	['r'] = RUN(U32, run_put),
	[0x94] = RUN(NONE, run_memoize),
	['g'] = RUN(LINE, run_get_line),
	['h'] = RUN(U8, run_get),
	['j'] = RUN(U32, run_get),
};

int ckpt_pickle_step(struct ckpt_pickle_scan *s, const struct ckpt_pickle_op *op,
		     const struct ckpt_pickle_arg *a)
{
	if (op->run)
		return op->run(s, a);
	if (ckpt_pickle_above_mark(s) < op->pops)
		return CKPT_PICKLE_BAD;
	s->n -= op->pops;
	if (!op->pushes)
		return 0;
	if (op->tag == CKPT_TAG_DIMS)
		return ckpt_pickle_push(s, ckpt_pickle_tuple(s, slots_from(s, s->n), op->pops));
	return ckpt_pickle_push(s,
				(struct ckpt_pickle_slot) { .tag = op->tag, .value = op->value });
}
