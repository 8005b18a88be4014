/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings of the streaming JSON reader: escapes, surrogates and UTF-8 are checked and decoded; the
 * first CKPT_JSTREAM_TEXT bytes are kept and all of them hashed.
 */
#include <errno.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/jstream_private.h"

/* A string under way. */
struct text {
	size_t len;
	bool cut;
	uint64_t hash;
};

/* FNV alone leaves its high bits weak for short names. */
static uint64_t hash_final(uint64_t hash)
{
	hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
	hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
	return hash ^ (hash >> 33);
}

uint64_t ckpt_jstream_hash(const char *text, size_t len)
{
	return hash_final(ckpt_hash(CKPT_HASH_START, text, len));
}

static void keep(struct ckpt_jstream *js, struct text *t, const unsigned char *s, size_t len)
{
	size_t room = CKPT_JSTREAM_TEXT - t->len;

	t->hash = ckpt_hash(t->hash, s, len);
	if (len > room) {
		t->cut = true;
		len = room;
	}
	memcpy(js->text + t->len, s, len);
	t->len += len;
}

/* A code point as UTF-8; a lone surrogate (Python alone) takes its three bytes as they come. */
static void keep_code(struct ckpt_jstream *js, struct text *t, uint32_t code)
{
	unsigned char s[4];
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; code >>= 6)
		s[i] = (unsigned char)(0x80 | (code & 0x3f));
	s[0] = (unsigned char)(lead[n] | code);
	keep(js, t, s, n);
}

/* Four hexadecimal digits. */
static int hex4(struct ckpt_jstream *js, uint32_t *ret, struct ckpt_error *err)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int c = ckpt_jstream_peek(js, err);
		const char *d;

		if (c <= 0 || c == CKPT_JSTREAM_AT_END)
			return ckpt_jstream_misfit(c);
		d = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);
		if (!d)
			return CKPT_JSTREAM_SYNTAX;
		v = v << 4 | (uint32_t)(d - digits);
		js->pos++;
	}
	*ret = v;
	return 0;
}

/* Keeps the surrogate @code that lacks its other half, if that is allowed. */
static int keep_lone(struct ckpt_jstream *js, struct text *t, uint32_t code)
{
	if (!js->python)
		return CKPT_JSTREAM_SYNTAX;
	keep_code(js, t, code);
	return 0;
}

static int keep_escape(struct ckpt_jstream *js, struct text *t, struct ckpt_error *err);

/* A high surrogate was read: its low half follows as another escape. */
static int keep_pair(struct ckpt_jstream *js, struct text *t, uint32_t high, struct ckpt_error *err)
{
	uint32_t low;
	int c = ckpt_jstream_peek(js, err), r;

	if (c != '\\')
		return c < 0 || c == CKPT_JSTREAM_AT_END ? ckpt_jstream_misfit(c)
							 : keep_lone(js, t, high);
	js->pos++;
	c = ckpt_jstream_peek(js, err);
	if (c != 'u') {
		r = c < 0 || c == CKPT_JSTREAM_AT_END ? ckpt_jstream_misfit(c)
						      : keep_lone(js, t, high);
		return r ? r : keep_escape(js, t, err);
	}
	js->pos++;
	r = hex4(js, &low, err);
	if (r)
		return r;
	if (low >= 0xdc00 && low <= 0xdfff) {
		keep_code(js, t, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		return 0;
	}
	r = keep_lone(js, t, high);
	if (!r)
		keep_code(js, t, low);
	return r;
}

/* What follows a backslash. */
static int keep_escape(struct ckpt_jstream *js, struct text *t, struct ckpt_error *err)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = ckpt_jstream_peek(js, err), r;
	uint32_t code;
	const char *p;

	if (c == 'u') {
		js->pos++;
		r = hex4(js, &code, err);
		if (r)
			return r;
		if (code >= 0xd800 && code < 0xdc00)
			return keep_pair(js, t, code, err);
		if (code >= 0xdc00 && code < 0xe000)
			return keep_lone(js, t, code);
		keep_code(js, t, code);
		return 0;
	}
	p = c > 0 && c < CKPT_JSTREAM_AT_END ? strchr(from, c) : NULL;
	if (!p)
		return ckpt_jstream_misfit(c);
	js->pos++;
	keep(js, t, (const unsigned char *)&to[p - from], 1);
	return 0;
}

/* Length of the UTF-8 sequence that @lead begins and the bounds of its second byte; 0 = not a lead.
 */
static int utf8_lead(int lead, int *ret_low, int *ret_high)
{
	*ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

static int keep_utf8(struct ckpt_jstream *js, struct text *t, struct ckpt_error *err)
{
	unsigned char s[4] = { js->buf[js->pos] };
	int low, high, n = utf8_lead(s[0], &low, &high);

	if (!n)
		return CKPT_JSTREAM_SYNTAX;
	js->pos++;
	for (int i = 1; i < n; i++) {
		int c = ckpt_jstream_peek(js, err);

		if (c < low || c > high)
			return ckpt_jstream_misfit(c);
		s[i] = (unsigned char)c;
		js->pos++;
		low = 0x80;
		high = 0xbf;
	}
	keep(js, t, s, (size_t)n);
	return 0;
}

/* As many plain ASCII bytes as the buffer holds: nearly all of a document's text. */
static void keep_plain(struct ckpt_jstream *js, struct text *t)
{
	size_t from = js->pos;

	while (js->pos < js->n) {
		unsigned char c = js->buf[js->pos];

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
			break;
		js->pos++;
	}
	keep(js, t, js->buf + from, js->pos - from);
}

/* A string whose opening quote is next. */
int ckpt_jstream_string(struct ckpt_jstream *js, struct ckpt_jtoken *tok, struct ckpt_error *err)
{
	struct text t = { .hash = CKPT_HASH_START };
	int c, r = 0;

	js->pos++;
	while (c = ckpt_jstream_peek(js, err), c != '"') {
		if (c < 0x20 || c == CKPT_JSTREAM_AT_END)
			return ckpt_jstream_misfit(c);
		if (c == '\\') {
			js->pos++;
			r = keep_escape(js, &t, err);
		} else if (c >= 0x80) {
			r = keep_utf8(js, &t, err);
		} else {
			keep_plain(js, &t);
		}
		if (r)
			return r;
	}
	js->pos++;
	js->text[t.len] = 0;
	tok->len = t.len;
	tok->cut = t.cut;
	tok->hash = hash_final(t.hash);
	return 0;
}
