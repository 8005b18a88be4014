/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader is a state machine over bytes: `state` says what the grammar allows next, one bit a
 * level says what the open containers are. Nothing recurses, so depth costs no stack.
 */
#include "core/base/jstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/jstream_private.h"

#define BUFFER_BYTES 65536
#define NUMBER_BYTES 400 /* longer ones are no number that any writer prints */

enum state { VALUE, FIRST_ELEMENT, FIRST_KEY, NEXT_KEY, AFTER };

int ckpt_jstream_open(struct ckpt_jstream *js, const struct ckpt_file *file, uint64_t off,
		      uint64_t len)
{
	*js = (struct ckpt_jstream) { .file = file, .off = off, .state = VALUE };
	if (__builtin_add_overflow(off, len, &js->end) || js->end > file->size)
		js->end = file->size;
	if (js->off > js->end)
		js->off = js->end;
	js->buf = malloc(BUFFER_BYTES);
	return js->buf ? 0 : -ENOMEM;
}

void ckpt_jstream_done(struct ckpt_jstream *js)
{
	free(js->buf);
	js->buf = NULL;
}

uint64_t ckpt_jstream_offset(const struct ckpt_jstream *js)
{
	return js->off - (js->n - js->pos);
}

bool ckpt_jstream_at_nul(const struct ckpt_jstream *js)
{
	return js->pos < js->n && js->buf[js->pos] == 0;
}

static int refill(struct ckpt_jstream *js, struct ckpt_error *err)
{
	uint64_t left = js->end - js->off;
	size_t want = left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
	int r;

	js->pos = js->n = 0;
	if (!want)
		return 0;
	r = ckpt_file_read(js->file, js->off, js->buf, want, err);
	if (r > 0) /* the file shrank while it was read */
		js->end = js->off;
	if (r)
		return r > 0 ? 0 : r;
	js->n = want;
	js->off += want;
	return 0;
}

/* The next byte without taking it, CKPT_JSTREAM_AT_END, or an errno. */
int ckpt_jstream_peek(struct ckpt_jstream *js, struct ckpt_error *err)
{
	if (js->pos == js->n) {
		int r = refill(js, err);

		if (r < 0)
			return r;
		if (!js->n)
			return CKPT_JSTREAM_AT_END;
	}
	return js->buf[js->pos];
}

static int peek_past_blanks(struct ckpt_jstream *js, struct ckpt_error *err)
{
	int c;

	while (c = ckpt_jstream_peek(js, err), c == ' ' || c == '\n' || c == '\r' || c == '\t')
		js->pos++;
	return c;
}

/* What a byte that does not fit means. */
int ckpt_jstream_misfit(int c)
{
	if (c < 0)
		return c;
	return c == CKPT_JSTREAM_AT_END ? CKPT_JSTREAM_TORN : CKPT_JSTREAM_SYNTAX;
}

/* Steps over decimal digits; false if there are none. */
static bool digits(const char **p)
{
	const char *from = *p;

	while (**p >= '0' && **p <= '9')
		++*p;
	return *p > from;
}

/* The grammar of a number over the whole of @s. */
static bool is_number(const char *s)
{
	s += *s == '-';
	if (*s == '0')
		s++;
	else if (!digits(&s))
		return false;
	if (*s == '.') {
		s++;
		if (!digits(&s))
			return false;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		if (!digits(&s))
			return false;
	}
	return *s == 0;
}

/* A run of letters, digits and signs: a number or a literal. */
static int read_word(struct ckpt_jstream *js, struct ckpt_jtoken *tok, struct ckpt_error *err)
{
	static const char in_word[] =
		"0123456789+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t len = 0;
	int c;

	while (c = ckpt_jstream_peek(js, err),
	       c > 0 && c < CKPT_JSTREAM_AT_END && strchr(in_word, c)) {
		if (len == NUMBER_BYTES)
			return CKPT_JSTREAM_SYNTAX;
		js->text[len++] = (char)c;
		js->pos++;
	}
	if (c < 0 || !len)
		return ckpt_jstream_misfit(c);
	js->text[len] = 0;
	tok->len = len;
	return 0;
}

/* @at_end: the range ended behind the word, so that what may be the beginning of one is torn. */
static int classify_word(struct ckpt_jstream *js, struct ckpt_jtoken *tok, bool at_end)
{
	static const struct {
		const char *word;
		enum ckpt_jtype type;
		bool python;
	} rows[] = {
		{ "true", CKPT_J_TRUE, false },	     { "false", CKPT_J_FALSE, false },
		{ "null", CKPT_J_NULL, false },	     { "NaN", CKPT_J_NUMBER, true },
		{ "Infinity", CKPT_J_NUMBER, true }, { "-Infinity", CKPT_J_NUMBER, true },
	};
	bool begins = strspn(js->text, "0123456789+-.eE") == tok->len;

	tok->type = CKPT_J_NUMBER;
	if (is_number(js->text))
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncmp(rows[i].word, js->text, tok->len) != 0 || rows[i].python > js->python)
			continue;
		begins = true;
		tok->type = rows[i].type;
		if (!rows[i].word[tok->len])
			return 0;
	}
	return begins && at_end ? CKPT_JSTREAM_TORN : CKPT_JSTREAM_SYNTAX;
}

static bool in_object(const struct ckpt_jstream *js)
{
	return js->depth && (js->objects >> (js->depth - 1) & 1);
}

static int open_container(struct ckpt_jstream *js, struct ckpt_jtoken *tok, bool object)
{
	if (js->depth == CKPT_JSTREAM_DEPTH)
		return CKPT_JSTREAM_DEEP;
	js->objects &= ~(UINT64_C(1) << js->depth);
	js->objects |= (uint64_t)object << js->depth;
	tok->depth = ++js->depth;
	tok->type = object ? CKPT_J_OBJECT : CKPT_J_ARRAY;
	js->state = object ? FIRST_KEY : FIRST_ELEMENT;
	js->pos++;
	return 0;
}

static int close_container(struct ckpt_jstream *js, struct ckpt_jtoken *tok)
{
	tok->type = in_object(js) ? CKPT_J_OBJECT_END : CKPT_J_ARRAY_END;
	tok->depth = js->depth--;
	js->state = AFTER;
	js->pos++;
	return 0;
}

static int read_value(struct ckpt_jstream *js, struct ckpt_jtoken *tok, struct ckpt_error *err)
{
	int c = ckpt_jstream_peek(js, err), r;

	if (c == '{' || c == '[')
		return open_container(js, tok, c == '{');
	js->state = AFTER;
	if (c == '"') {
		tok->type = CKPT_J_STRING;
		return ckpt_jstream_string(js, tok, err);
	}
	r = read_word(js, tok, err);
	if (r)
		return r;
	return classify_word(js, tok, ckpt_jstream_peek(js, err) == CKPT_JSTREAM_AT_END);
}

/* A key and its colon. */
static int read_key(struct ckpt_jstream *js, struct ckpt_jtoken *tok, struct ckpt_error *err)
{
	int c = ckpt_jstream_peek(js, err), r;

	if (c != '"')
		return ckpt_jstream_misfit(c);
	tok->type = CKPT_J_KEY;
	r = ckpt_jstream_string(js, tok, err);
	if (r)
		return r;
	c = peek_past_blanks(js, err);
	js->state = VALUE;
	if (c != ':')
		return ckpt_jstream_misfit(c);
	js->pos++;
	return 0;
}

/* Behind a value: a comma (taken; *@ret_more), the container's end, or the document's. */
static int read_after(struct ckpt_jstream *js, struct ckpt_jtoken *tok, int c, bool *ret_more)
{
	if (!js->depth) {
		tok->type = CKPT_J_END;
		return c == CKPT_JSTREAM_AT_END ? 0 : ckpt_jstream_misfit(c);
	}
	if (c == (in_object(js) ? '}' : ']'))
		return close_container(js, tok);
	if (c != ',')
		return ckpt_jstream_misfit(c);
	js->pos++;
	js->state = in_object(js) ? NEXT_KEY : VALUE;
	*ret_more = true;
	return 0;
}

int ckpt_jstream_next(struct ckpt_jstream *js, struct ckpt_jtoken *ret, struct ckpt_error *err)
{
	struct ckpt_jtoken tok = { .text = js->text, .depth = js->depth };
	bool more = false;
	int c = peek_past_blanks(js, err), r = 0;

	if (c < 0)
		return c;
	js->text[0] = 0;
	if (js->state == AFTER) {
		r = read_after(js, &tok, c, &more);
		if (r || !more) {
			*ret = tok;
			return r;
		}
		c = peek_past_blanks(js, err);
	}
	tok.off = ckpt_jstream_offset(js);
	if ((js->state == FIRST_KEY && c == '}') || (js->state == FIRST_ELEMENT && c == ']'))
		r = close_container(js, &tok);
	else if (js->state == FIRST_KEY || js->state == NEXT_KEY)
		r = read_key(js, &tok, err);
	else
		r = read_value(js, &tok, err);
	*ret = tok;
	return r;
}
