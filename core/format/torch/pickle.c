/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scan's loop, arguments and words. What an opcode does stands in pickle_ops.c.
 */
#include "core/format/torch/pickle.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/pickle_scan.h"
#include "wire/cleanup.h"

#define PATH_DEPTH 16			    /* keys of a path that are shown */
#define LINE_MAX_BYTES ((uint64_t)65536)    /* of protocol 0: no name or number is longer */
#define TEXT_LINE_MAX ((uint64_t)256 << 20) /* of a text there, an array's bytes among them */

static const struct {
	const char *text;
	uint8_t element;
	enum ckpt_float type;
} own_words[] = {
	{ "storage", 0, CKPT_FLOAT_UNKNOWN },
	{ "_rebuild_", 0, CKPT_FLOAT_UNKNOWN }, /* by prefix */
	{ "DoubleStorage", 8, CKPT_FLOAT_F64 },
	{ "FloatStorage", 4, CKPT_FLOAT_F32 },
	{ "HalfStorage", 2, CKPT_FLOAT_F16 },
	{ "BFloat16Storage", 2, CKPT_FLOAT_BF16 },
	{ "LongStorage", 8, CKPT_FLOAT_NONE },
	{ "IntStorage", 4, CKPT_FLOAT_NONE },
	{ "ShortStorage", 2, CKPT_FLOAT_NONE },
	{ "CharStorage", 1, CKPT_FLOAT_NONE },
	{ "ByteStorage", 1, CKPT_FLOAT_NONE },
	{ "BoolStorage", 1, CKPT_FLOAT_NONE },
	{ "ComplexDoubleStorage", 16, CKPT_FLOAT_F64 },
	{ "ComplexFloatStorage", 8, CKPT_FLOAT_F32 },
	{ "QInt8Storage", 1, CKPT_FLOAT_NONE },
	{ "QUInt8Storage", 1, CKPT_FLOAT_NONE },
	{ "QInt32Storage", 4, CKPT_FLOAT_NONE },
	{ "UntypedStorage", 1, CKPT_FLOAT_UNKNOWN },
};

#define N_OWN (sizeof(own_words) / sizeof(own_words[0]))

/* Told by their first letters nearly always. */
static bool same(const char *word, const char *text)
{
	return word[0] == text[0] && strcmp(word, text) == 0;
}

/* One of 256 bits, by the first letter and the length. */
static uint8_t shape(const char *text, size_t len)
{
	return (uint8_t)((uint8_t)text[0] * 8 + len);
}

static void note_shape(struct ckpt_pickle_scan *s, const char *word)
{
	uint8_t bit = shape(word, strlen(word));

	s->shapes[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void note_shapes(struct ckpt_pickle_scan *s)
{
	for (size_t i = 0; i < s->sink->n_words; i++)
		note_shape(s, s->sink->words[i]);
	for (size_t i = 0; i < N_OWN; i++)
		note_shape(s, own_words[i].text);
}

uint8_t ckpt_pickle_word_here(const struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *text)
{
	uint8_t bit = shape(text->text, text->len);

	if (text->text[0] != '_' && !(s->shapes[bit / 64] >> bit % 64 & 1))
		return 0;
	return ckpt_pickle_word(s->sink, text);
}

/* All functions that give a tensor begin with _rebuild_. */
uint8_t ckpt_pickle_word(const struct ckpt_pickle_sink *sink, const struct ckpt_pickle_arg *text)
{
	if (text->cut || text->len == 0)
		return 0;
	if (strncmp(text->text, "_rebuild_", 9) == 0)
		return CKPT_WORD_REBUILD;
	for (size_t i = 0; i < sink->n_words; i++)
		if (same(sink->words[i], text->text))
			return CKPT_WORD_CALLER + i;
	for (size_t i = 0; i < N_OWN; i++)
		if (same(own_words[i].text, text->text))
			return i + 1;
	return 0;
}

uint8_t ckpt_pickle_element(uint8_t word)
{
	return word >= 1 && word <= N_OWN ? own_words[word - 1].element : 0;
}

enum ckpt_float ckpt_pickle_float(uint8_t word)
{
	return word >= 1 && word <= N_OWN ? own_words[word - 1].type : CKPT_FLOAT_UNKNOWN;
}

bool ckpt_pickle_digits(const struct ckpt_pickle_arg *text, uint64_t *ret)
{
	uint64_t v = 0;

	if (text->len == 0 || text->cut || (text->text[0] == '0' && text->len > 1))
		return false;
	for (size_t i = 0; i < text->len; i++) {
		unsigned int digit = (unsigned char)text->text[i] - (unsigned int)'0';

		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*ret = v;
	return true;
}

static const char *word_text(const struct ckpt_pickle_sink *sink, uint8_t word)
{
	return word >= CKPT_WORD_CALLER ? sink->words[word - CKPT_WORD_CALLER]
					: own_words[word - 1].text;
}

struct ckpt_pickle_value ckpt_pickle_value_of(const struct ckpt_pickle_scan *s,
					      const struct ckpt_pickle_slot *slot)
{
	static const uint8_t kinds[] = {
		[CKPT_TAG_NONE] = CKPT_PICKLE_NONE,	 [CKPT_TAG_BOOL] = CKPT_PICKLE_BOOL,
		[CKPT_TAG_INT] = CKPT_PICKLE_INT,	 [CKPT_TAG_FLOAT] = CKPT_PICKLE_FLOAT,
		[CKPT_TAG_TEXT] = CKPT_PICKLE_TEXT,	 [CKPT_TAG_WORD] = CKPT_PICKLE_TEXT,
		[CKPT_TAG_DIGITS] = CKPT_PICKLE_TEXT,	 [CKPT_TAG_TENSOR] = CKPT_PICKLE_TENSOR,
		[CKPT_TAG_STORAGE] = CKPT_PICKLE_OPAQUE, [CKPT_TAG_INTERNED] = CKPT_PICKLE_INTERNED,
		[CKPT_TAG_HELD] = CKPT_PICKLE_OPAQUE,	 [CKPT_TAG_DIMS] = CKPT_PICKLE_OPAQUE,
	};
	struct ckpt_pickle_value v = { .kind = kinds[slot->tag] };

	if (slot->tag == CKPT_TAG_UNSEEN && s->sink->memo)
		v = (struct ckpt_pickle_value) { .kind = CKPT_PICKLE_EARLIER, .i = slot->i };
	else if (slot->tag == CKPT_TAG_FLOAT)
		v.f = slot->f;
	else if (slot->tag == CKPT_TAG_INT || slot->tag == CKPT_TAG_BOOL ||
		 slot->tag == CKPT_TAG_INTERNED)
		v.i = slot->i;
	else if (slot->tag == CKPT_TAG_TEXT && slot->value)
		memcpy(v.text, s->texts[slot - s->stack], sizeof(v.text));
	else if (slot->tag == CKPT_TAG_DIGITS)
		snprintf(v.text, sizeof(v.text), "%llu", (unsigned long long)slot->value);
	else if (slot->tag == CKPT_TAG_WORD)
		snprintf(v.text, sizeof(v.text), "%s", word_text(s->sink, slot->word));
	return v;
}

/* The slot that holds the key under which the object below mark @mark is being put: callees of it
 * stand between. 0 if there is none. */
static size_t key_of(const struct ckpt_pickle_scan *s, size_t mark, size_t below)
{
	size_t i = mark > 1 ? mark - 2 : 0;

	while (i > below && s->stack[i].tag == CKPT_TAG_GLOBAL)
		i--;
	return i >= below ? i : 0;
}

void ckpt_pickle_path(const struct ckpt_pickle_scan *s, char *ret, size_t size)
{
	size_t keys[PATH_DEPTH], n = 0, at = 0;

	for (size_t mark = s->mark; mark && n < PATH_DEPTH; mark = s->stack[mark - 1].value) {
		size_t key = key_of(s, mark - 1, s->stack[mark - 1].value);

		if (key)
			keys[n++] = key;
	}
	ret[0] = '\0';
	while (n-- > 0 && at < size) {
		struct ckpt_pickle_value v = ckpt_pickle_value_of(s, &s->stack[keys[n]]);

		if (v.kind == CKPT_PICKLE_INT)
			snprintf(v.text, sizeof(v.text), "%lld", (long long)v.i);
		if ((v.kind == CKPT_PICKLE_TEXT || v.kind == CKPT_PICKLE_INT) && v.text[0])
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? "/" : "", v.text);
	}
}

/* Little-endian number of @len bytes. */
static int take_number(struct ckpt_pickle_scan *s, size_t len, uint64_t *ret)
{
	uint64_t raw = 0;
	int r = ckpt_stream_take(s->in, &raw, len, s->err);

	*ret = le64toh(raw);
	return r;
}

/* A text with its length before it; what is not kept is skipped. */
static int take_text(struct ckpt_pickle_scan *s, size_t len_size, struct ckpt_pickle_arg *a)
{
	uint64_t len;
	int r;

	r = take_number(s, len_size, &len);
	if (r)
		return r;
	a->cut = len > CKPT_PICKLE_TEXT_MAX;
	a->len = a->cut ? CKPT_PICKLE_TEXT_MAX : len;
	r = ckpt_stream_take(s->in, a->text, a->len, s->err);
	a->text[a->len] = '\0';
	return r ? r : ckpt_stream_take(s->in, NULL, len - a->len, s->err);
}

/* A line without its newline, of at most @most bytes. */
static int take_line(struct ckpt_pickle_scan *s, uint64_t most, struct ckpt_pickle_arg *a)
{
	uint8_t c;
	int r;

	a->len = 0;
	a->cut = false;
	while ((r = ckpt_stream_byte(s->in, &c, s->err)) == 0 && c != '\n') {
		if (most-- == 0)
			return CKPT_PICKLE_BAD;
		if (a->len < CKPT_PICKLE_TEXT_MAX)
			a->text[a->len++] = (char)c;
		else
			a->cut = true;
	}
	a->text[a->len] = '\0';
	return r;
}

/* Reads the argument of a row. 0, CKPT_PICKLE_TORN (the stream's END), BAD or an errno. */
static int take_arg(struct ckpt_pickle_scan *s, enum ckpt_pickle_arg_kind kind,
		    struct ckpt_pickle_arg *a)
{
	int r;

	switch (kind) {
	case CKPT_ARG_INVALID:
		return CKPT_PICKLE_BAD;
	case CKPT_ARG_NONE:
		return 0;
	case CKPT_ARG_U8:
	case CKPT_ARG_U16:
	case CKPT_ARG_U32:
	case CKPT_ARG_U64:
		return take_number(s, (size_t)1 << (kind - CKPT_ARG_U8), &a->num);
	case CKPT_ARG_TEXT8:
		return take_text(s, 1, a);
	case CKPT_ARG_TEXT32:
		return take_text(s, 4, a);
	case CKPT_ARG_TEXT64:
		return take_text(s, 8, a);
	case CKPT_ARG_LINES:
		r = take_line(s, LINE_MAX_BYTES, a);
		return r ? r : take_line(s, LINE_MAX_BYTES, a);
	case CKPT_ARG_LINE:
		return take_line(s, LINE_MAX_BYTES, a);
	case CKPT_ARG_TEXT_LINE:
		return take_line(s, TEXT_LINE_MAX, a);
	}
	return CKPT_PICKLE_BAD;
}

_Static_assert(CKPT_STREAM_END == CKPT_PICKLE_TORN, "the end of the stream is a torn pickle");

/* Runs opcodes until STOP, which leaves exactly the object. */
static int run(struct ckpt_pickle_scan *s, struct ckpt_pickle_arg *a)
{
	uint8_t code = 0;
	int r;

	for (;;) {
		r = ckpt_stream_byte(s->in, &code, s->err);
		if (r)
			return r;
		if (code == '.')
			break;
		r = take_arg(s, ckpt_pickle_ops[code].arg, a);
		if (r == 0)
			r = ckpt_pickle_step(s, &ckpt_pickle_ops[code], a);
		if (r)
			return r;
		if (s->stop)
			return CKPT_PICKLE_STOPPED;
	}
	if (s->n == 0 || s->mark)
		return CKPT_PICKLE_BAD;
	s->sum.top = ckpt_pickle_value_of(s, &s->stack[s->n - 1]);
	return 0;
}

int ckpt_pickle_scan(struct ckpt_stream *in, const struct ckpt_pickle_sink *sink,
		     struct ckpt_pickle_summary *ret, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_pickle_scan *s = calloc(1, sizeof(*s));
	struct ckpt_pickle_arg a = { 0 };
	int r;

	if (!s)
		return ckpt_fail(err, -ENOMEM, "no memory for the scan of a pickle");
	s->in = in;
	s->sink = sink;
	s->err = err;
	note_shapes(s);
	r = run(s, &a);
	free(s->stack);
	if (r == 0)
		*ret = s->sum;
	return r;
}

int ckpt_pickle_scan_range(struct ckpt_pickle_range *range, const struct ckpt_pickle_sink *sink,
			   struct ckpt_pickle_summary *ret, struct ckpt_error *err)
{
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	struct ckpt_pickle_summary sum;
	int r = ckpt_stream_init(&in, range->file, range->off, range->end, err);

	r = r ? r : ckpt_pickle_scan(&in, sink, ret ? ret : &sum, err);
	if (r == 0)
		range->off = ckpt_stream_offset(&in);
	return r;
}
