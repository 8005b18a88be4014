/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each opcode does to the stack of tags: one table row an opcode. Slot 0 is the object itself.
 * No opcode may take slots across a mark, as in Python; what would fail there is "bad" here.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/pickle_scan.h"

static int push(struct ckpt_pickle_scan *s, struct ckpt_pickle_slot slot)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1024;
		struct ckpt_pickle_slot *stack;

		if (cap > CKPT_PICKLE_STACK)
			return CKPT_PICKLE_LIMIT;
		stack = realloc(s->stack, cap * sizeof(*stack));
		if (!stack)
			return ckpt_fail(s->err, -ENOMEM, "no memory for the scan of a pickle");
		s->stack = stack;
		s->cap = cap;
	}
	s->stack[s->n++] = slot;
	return 0;
}

static int push_tag(struct ckpt_pickle_scan *s, enum ckpt_pickle_tag tag)
{
	return push(s, (struct ckpt_pickle_slot) { .tag = tag });
}

/* Slots above the topmost mark. */
static size_t above_mark(const struct ckpt_pickle_scan *s)
{
	return s->n - s->mark;
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

/* Keeps the beginning of a text that may be a name or value of the top-level object. Whether it
 * did. */
static bool keep_text(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	size_t len = a->len < CKPT_PICKLE_KEPT ? a->len : CKPT_PICKLE_KEPT - 1;

	if (s->n >= CKPT_PICKLE_TEXTS || (s->mark > 2 && !s->sink->paths))
		return false;
	memcpy(s->texts[s->n], a->text, len);
	s->texts[s->n][len] = '\0';
	return true;
}

static bool is_caller_word(const struct ckpt_pickle_slot *slot)
{
	return slot->tag == CKPT_TAG_WORD && slot->word >= CKPT_WORD_CALLER;
}

/* Offers a string that follows a word of the caller's to it. Whether it took it. */
static bool intern(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a, uint32_t *ret_id)
{
	const struct ckpt_pickle_slot *key;

	if (!s->sink->intern || a->cut || above_mark(s) == 0)
		return false;
	key = &s->stack[s->n - 1];
	return is_caller_word(key) &&
	       s->sink->intern(s->sink->arg, key->word - CKPT_WORD_CALLER, a->text, ret_id);
}

static int run_text(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_TEXT };
	uint64_t value;
	uint32_t id;

	if (intern(s, a, &id))
		return push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INTERNED, .value = id });

	slot.word = ckpt_pickle_word(s->sink, a);
	if (slot.word) {
		slot.tag = CKPT_TAG_WORD;
	} else if (ckpt_pickle_digits(a, &value)) {
		slot.tag = CKPT_TAG_DIGITS;
		slot.value = value;
	} else {
		slot.value = keep_text(s, a);
	}
	return push(s, slot);
}

/* STRING of protocol 0 is quoted. Escapes are not resolved: no name of interest has any. */
static int run_quoted(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_arg bare = { .cut = a->cut };

	if (a->len < 2)
		return CKPT_PICKLE_BAD;
	bare.len = a->len - 2;
	memcpy(bare.text, a->text + 1, bare.len);
	return run_text(s, &bare);
}

static int run_global(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_GLOBAL,
						   .word = ckpt_pickle_word(s->sink, a) });
}

static int run_stack_global(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot;

	(void)a;
	if (above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	slot = s->stack[s->n - 1];
	s->n -= 2;
	slot.word = slot.tag == CKPT_TAG_WORD ? slot.word : 0;
	slot.tag = CKPT_TAG_GLOBAL;
	return push(s, slot);
}

static int run_mark(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_MARK, .value = s->mark };
	int r = push(s, slot);

	(void)a;
	if (r == 0)
		s->mark = s->n;
	return r;
}

static int run_int(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .value = a->num });
}

static int run_int32(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .i = (int32_t)a->num });
}

/* LONG1: little-endian two's complement of any length; beyond 64 bit it is just a number. */
static int run_long(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	uint64_t v = a->len && (a->text[a->len - 1] & 0x80) ? UINT64_MAX : 0;

	if (a->len > 8)
		return push_tag(s, CKPT_TAG_OPAQUE);
	for (size_t i = a->len; i-- > 0;)
		v = v << 8 | (uint8_t)a->text[i];
	return push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .value = v });
}

/* INT and LONG as decimal lines: "5", "5L", and "00"/"01" for the booleans of protocol 0. */
static int run_int_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_INT };
	char *end;

	if (strcmp(a->text, "00") == 0 || strcmp(a->text, "01") == 0) {
		slot.tag = CKPT_TAG_BOOL;
		slot.i = a->text[1] == '1';
		return push(s, slot);
	}
	errno = 0;
	slot.i = strtoll(a->text, &end, 10);
	if (errno == ERANGE || a->cut)
		return push_tag(s, CKPT_TAG_OPAQUE);
	if (end == a->text || (*end && strcmp(end, "L") != 0))
		return CKPT_PICKLE_BAD;
	return push(s, slot);
}

static int run_float(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_FLOAT };
	uint64_t bits = __builtin_bswap64(a->num);

	memcpy(&slot.f, &bits, sizeof(bits));
	return push(s, slot);
}

static int run_float_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_FLOAT };
	char *end;

	slot.f = strtod(a->text, &end);
	if (end == a->text || *end)
		return CKPT_PICKLE_BAD;
	return push(s, slot);
}

static int run_put(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	if (above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	ckpt_pickle_memo_put(&s->memo, a->num, s->stack[s->n - 1]);
	return 0;
}

static int run_memoize(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_arg next = { .num = s->memoized++ };

	(void)a;
	return run_put(s, &next);
}

static int run_get(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return push(s, ckpt_pickle_memo_get(&s->memo, a->num));
}

/* PUT and GET of protocol 0 name the number as a line. */
static int run_put_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_arg n = { 0 };

	return ckpt_pickle_digits(a, &n.num) && n.num < UINT32_MAX ? run_put(s, &n)
								   : CKPT_PICKLE_BAD;
}

static int run_get_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_arg n = { 0 };

	return ckpt_pickle_digits(a, &n.num) && n.num < UINT32_MAX ? run_get(s, &n)
								   : CKPT_PICKLE_BAD;
}

/* POP also takes a mark, as Python's does. */
static int run_pop(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (above_mark(s) == 0)
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
	if (above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	slot = s->stack[s->n - 1];
	if (slot.tag == CKPT_TAG_TEXT)
		slot.value = 0; /* texts are kept by slot */
	return push(s, slot);
}

/* Pops callee and arguments and pushes what they give: a tensor if the callee rebuilds one. */
static int run_call(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	const struct ckpt_pickle_slot *callee;

	(void)a;
	if (above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	s->n -= 2;
	callee = &s->stack[s->n];
	if (callee->tag == CKPT_TAG_GLOBAL && callee->word == CKPT_WORD_REBUILD)
		return push_tag(s, CKPT_TAG_TENSOR);
	return push_tag(s, CKPT_TAG_OBJECT);
}

static int run_instance(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return pop_mark(s) ? push_tag(s, CKPT_TAG_OBJECT) : CKPT_PICKLE_BAD;
}

static int run_list(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	return pop_mark(s) ? push_tag(s, CKPT_TAG_LIST) : CKPT_PICKLE_BAD;
}

/* If the @count slots at @p name a storage, notes which. The sixth is a legacy view. */
static bool note_storage(struct ckpt_pickle_scan *s, const struct ckpt_pickle_slot *p, size_t count)
{
	if (count < 5 || count > 6 || p[0].tag != CKPT_TAG_WORD || p[0].word != CKPT_WORD_STORAGE ||
	    p[4].tag != CKPT_TAG_INT || p[4].i < 0)
		return false;
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
	bool storage;

	(void)a;
	if (s->mark == 0)
		return CKPT_PICKLE_BAD;
	storage = note_storage(s, s->stack + s->mark, above_mark(s));
	pop_mark(s);
	return push_tag(s, storage ? CKPT_TAG_STORAGE : CKPT_TAG_OPAQUE);
}

static int run_persistent(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (above_mark(s) < 1)
		return CKPT_PICKLE_BAD;
	s->n--;
	if (s->stack[s->n].tag != CKPT_TAG_STORAGE || !s->sink->storage)
		return push_tag(s, CKPT_TAG_OBJECT);
	if (s->sink->paths)
		ckpt_pickle_path(s, s->storage.path, sizeof(s->storage.path));
	s->stop = !s->sink->storage(s->sink->arg, &s->storage);
	return push_tag(s, CKPT_TAG_OBJECT);
}

/* Tells the string in slot @i, if it is one, as a name of the top-level object. */
static void tell_name(struct ckpt_pickle_scan *s, size_t i)
{
	struct ckpt_pickle_value v = ckpt_pickle_value_of(s, &s->stack[i]);

	if (v.kind == CKPT_PICKLE_TEXT && v.text[0] && s->sink->name)
		s->stop = s->stop || !s->sink->name(s->sink->arg, v.text, strlen(v.text));
}

/* Pairs from slot @first on belong to the top-level dict: tells those of interest. */
static void tell_pairs(struct ckpt_pickle_scan *s, size_t first)
{
	for (size_t i = first; i + 1 < s->n && !s->stop; i += 2) {
		const struct ckpt_pickle_slot *key = &s->stack[i], *value = &s->stack[i + 1];
		struct ckpt_pickle_value v;

		s->sum.items++;
		tell_name(s, i);
		s->sum.tensors += value->tag == CKPT_TAG_TENSOR || value->tag == CKPT_TAG_UNSEEN;
		if (!is_caller_word(key) || !s->sink->item)
			continue;
		v = ckpt_pickle_value_of(s, value);
		s->stop = s->stop || !s->sink->item(s->sink->arg, key->word - CKPT_WORD_CALLER, &v);
	}
}

/* Pairs from slot @first on belong to a dict somewhere: tells those of interest to who asked. */
static void tell_nested(struct ckpt_pickle_scan *s, size_t first)
{
	for (size_t i = first; s->sink->nested && i + 1 < s->n && !s->stop; i += 2) {
		const struct ckpt_pickle_slot *key = &s->stack[i];
		struct ckpt_pickle_value v;

		if (!is_caller_word(key))
			continue;
		v = ckpt_pickle_value_of(s, &s->stack[i + 1]);
		s->stop = !s->sink->nested(s->sink->arg, key->word - CKPT_WORD_CALLER, &v);
	}
}

static int run_setitem(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (above_mark(s) < 3)
		return CKPT_PICKLE_BAD;
	if (s->n == 3)
		tell_pairs(s, 1);
	tell_nested(s, s->n - 2);
	s->n -= 2;
	return 0;
}

static int run_setitems(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (s->mark < 2 || above_mark(s) % 2)
		return CKPT_PICKLE_BAD;
	if (s->mark == 2)
		tell_pairs(s, 2);
	tell_nested(s, s->mark);
	pop_mark(s);
	return 0;
}

static int run_append(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (above_mark(s) < 2)
		return CKPT_PICKLE_BAD;
	if (s->n == 2 && s->stack[0].tag == CKPT_TAG_LIST)
		tell_name(s, 1);
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
			tell_name(s, i);
	pop_mark(s);
	return 0;
}

static int run_dict(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	(void)a;
	if (s->mark == 0 || above_mark(s) % 2)
		return CKPT_PICKLE_BAD;
	if (s->mark == 1)
		tell_pairs(s, 1);
	tell_nested(s, s->mark);
	pop_mark(s);
	return push_tag(s, CKPT_TAG_DICT);
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
	[')'] = PUSH(NONE, OPAQUE),
	[']'] = PUSH(NONE, LIST),
	['}'] = PUSH(NONE, DICT),
	[0x8f] = PUSH(NONE, OPAQUE),
	['N'] = PUSH(NONE, NONE),
	[0x88] = { .arg = CKPT_ARG_NONE, .pushes = true, .tag = CKPT_TAG_BOOL, .value = 1 },
	[0x89] = PUSH(NONE, BOOL),
	['I'] = RUN(LINE, run_int_line),
	['L'] = RUN(LINE, run_int_line),
	['K'] = RUN(U8, run_int),
	['M'] = RUN(U16, run_int),
	['J'] = RUN(U32, run_int32),
	[0x8a] = RUN(TEXT8, run_long),
	[0x8b] = PUSH(TEXT32, OPAQUE),
	['F'] = RUN(LINE, run_float_line),
	['G'] = RUN(U64, run_float),
	['S'] = RUN(LINE, run_quoted),
	['V'] = RUN(LINE, run_text),
	['U'] = RUN(TEXT8, run_text),
	['T'] = RUN(TEXT32, run_text),
	['X'] = RUN(TEXT32, run_text),
	[0x8c] = RUN(TEXT8, run_text),
	[0x8d] = RUN(TEXT64, run_text),
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
	[0x85] = MAKE(1, OPAQUE),
	[0x86] = MAKE(2, OPAQUE),
	[0x87] = MAKE(3, OPAQUE),
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
	if (above_mark(s) < op->pops)
		return CKPT_PICKLE_BAD;
	s->n -= op->pops;
	if (!op->pushes)
		return 0;
	return push(s, (struct ckpt_pickle_slot) { .tag = op->tag, .value = op->value });
}
