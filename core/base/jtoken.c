/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What callers ask of tokens: their value as a number, whether they are a word, and to pass over a
 * value.
 */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/jstream.h"

int ckpt_jstream_skip(struct ckpt_jstream *js, const struct ckpt_jtoken *token,
		      struct ckpt_error *err)
{
	struct ckpt_jtoken tok = *token;
	int depth = token->depth;

	if (token->type != CKPT_J_OBJECT && token->type != CKPT_J_ARRAY)
		return 0;
	do {
		int r = ckpt_jstream_next(js, &tok, err);

		if (r)
			return r;
	} while (tok.depth != depth ||
		 (tok.type != CKPT_J_OBJECT_END && tok.type != CKPT_J_ARRAY_END));
	return 0;
}

bool ckpt_jtoken_u64(const struct ckpt_jtoken *token, uint64_t *ret)
{
	uint64_t v = 0;

	if (token->type != CKPT_J_NUMBER || !token->len)
		return false;
	for (const char *p = token->text; *p; p++)
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*ret = v;
	return true;
}

bool ckpt_jtoken_number(const struct ckpt_jtoken *token, double *ret)
{
	locale_t c_locale;
	double v;

	if (token->type != CKPT_J_NUMBER)
		return false;
	c_locale =
		newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a program's locale may want commas */
	if (!c_locale)
		return false;
	v = strtod_l(token->text, NULL, c_locale);
	freelocale(c_locale);
	if (!isfinite(v))
		return false;
	*ret = v;
	return true;
}

bool ckpt_jtoken_is(const struct ckpt_jtoken *token, const char *text)
{
	return (token->type == CKPT_J_KEY || token->type == CKPT_J_STRING) && !token->cut &&
	       token->len == strlen(text) && !memcmp(token->text, text, token->len);
}
