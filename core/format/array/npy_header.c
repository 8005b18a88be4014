/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of an npy file: a Python dict of three keys, read without Python.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/array/npy.h"

#define DEPTH_MAX 32 /* records in records; real ones have two or three */

/* A Python literal under way. @why is set by the first fault. */
struct literal {
	const char *p, *end;
	const char *why;
	int depth;
	struct ckpt_npy *npy;
};

static bool bad(struct literal *l, const char *why)
{
	if (!l->why)
		l->why = why;
	return false;
}

static void blanks(struct literal *l)
{
	while (l->p < l->end && strchr(" \t\n\r", *l->p) && *l->p)
		l->p++;
}

static bool peek(struct literal *l, char c)
{
	blanks(l);
	return l->p < l->end && *l->p == c;
}

static bool eat(struct literal *l, char c)
{
	if (!peek(l, c))
		return false;
	l->p++;
	return true;
}

/* A string, perhaps with Python 2's prefix; its text goes to @ret, cut to fit. */
static bool string(struct literal *l, char *ret, size_t size)
{
	size_t n = 0;
	char quote;

	blanks(l);
	if (l->p < l->end && (*l->p == 'u' || *l->p == 'b'))
		l->p++;
	if (l->p == l->end || (*l->p != '\'' && *l->p != '"'))
		return bad(l, "a text is missing in the header");
	for (quote = *l->p++; l->p < l->end && *l->p != quote; l->p++) {
		if (*l->p == '\\' && ++l->p == l->end)
			break;
		if (n + 1 < size)
			ret[n++] = *l->p;
	}
	ret[n] = '\0';
	return eat(l, quote) || bad(l, "a text in the header does not end");
}

static bool number(struct literal *l, uint64_t *ret)
{
	uint64_t v = 0;
	int digits = 0;

	for (blanks(l); l->p < l->end && *l->p >= '0' && *l->p <= '9'; l->p++, digits++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*l->p - '0'), &v))
			return bad(l, "a number in the header is too large");
	if (l->p < l->end && *l->p == 'L') /* Python 2's long */
		l->p++;
	*ret = v;
	return digits || bad(l, "a number is missing in the header");
}

/* "(2, 3)", "(4,)", "()" or a bare number: the product goes to @ret, the numbers to @hash. */
static bool shape(struct literal *l, uint64_t *ret, uint64_t *hash)
{
	uint64_t dim;

	*ret = 1;
	if (!eat(l, '(')) {
		if (!number(l, ret))
			return false;
		*hash = ckpt_tensor_shape(*hash, *ret);
		return true;
	}
	while (!eat(l, ')')) {
		if (!number(l, &dim))
			return false;
		if (__builtin_mul_overflow(*ret, dim, ret))
			return bad(l, "the shape has more elements than any file can hold");
		*hash = ckpt_tensor_shape(*hash, dim);
		if (!eat(l, ',') && !peek(l, ')'))
			return bad(l, "the shape in the header is no tuple");
	}
	return true;
}

/* "<f4", "|S10", "<M8[ns]": bytes an element. */
static bool plain_type(struct literal *l, uint64_t *ret)
{
	char text[64], *p = text, *rest;

	if (!string(l, text, sizeof(text)))
		return false;
	if (*p && strchr("<>|=", *p)) {
		l->npy->big = *p == '>';
		p++;
	}
	if (!*p || !strchr("biufcSaUVOmMt?", *p))
		return bad(l, "the header names a type that NumPy does not have");
	l->npy->kind = *p;
	l->npy->objects = l->npy->objects || *p == 'O';
	*ret = strtoul(p + 1, &rest, 10);
	if (*p == '?' && rest == p + 1)
		*ret = 1;
	else if (*p != 'O' && (rest == p + 1 || *ret > UINT32_MAX))
		return bad(l, "the header names a type of no size");
	*ret *= *p == 'U' ? 4 : 1;
	return !*rest || *rest == '[' || bad(l, "the header names a type that NumPy does not have");
}

static bool type(struct literal *l, uint64_t *ret);

/* "('name', type)" or "('name', type, shape)"; the name may be a pair of title and name. */
static bool field(struct literal *l, uint64_t *sum)
{
	uint64_t size, n = 1, hash = 0;
	char name[8];

	if (!eat(l, '('))
		return bad(l, "a field of the header's record is no tuple");
	if (eat(l, '(')) {
		if (!string(l, name, sizeof(name)) || !eat(l, ',') ||
		    !string(l, name, sizeof(name)) || !eat(l, ')'))
			return bad(l, "a field of the header's record has no name");
	} else if (!string(l, name, sizeof(name))) {
		return false;
	}
	if (!eat(l, ',') || !type(l, &size))
		return bad(l, "a field of the header's record has no type");
	if (eat(l, ',') && !peek(l, ')') && !shape(l, &n, &hash))
		return false;
	if (__builtin_mul_overflow(size, n, &size) || __builtin_add_overflow(*sum, size, sum))
		return bad(l, "the header's record is larger than any file");
	return eat(l, ')') || bad(l, "a field of the header's record does not end");
}

/* A type: a plain one, or a list of fields. */
static bool type(struct literal *l, uint64_t *ret)
{
	if (!peek(l, '['))
		return plain_type(l, ret);
	if (++l->depth > DEPTH_MAX)
		return bad(l, "the header's record is nested too deep");
	*ret = 0;
	eat(l, '[');
	while (!eat(l, ']')) {
		if (!field(l, ret))
			return false;
		if (!eat(l, ',') && !peek(l, ']'))
			return bad(l, "the header's record does not end");
	}
	l->depth--;
	l->npy->kind = '\0';
	return true;
}

static bool boolean(struct literal *l)
{
	static const char *const words[] = { "False", "True" };

	blanks(l);
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(l->end - l->p) >= n && memcmp(l->p, words[i], n) == 0) {
			l->p += n;
			return true;
		}
	}
	return bad(l, "fortran_order is neither True nor False");
}

/* One pair of the dict; *@seen has a bit for each key. */
static bool pair(struct literal *l, int *seen, uint64_t *size)
{
	char key[16];

	if (!string(l, key, sizeof(key)) || !eat(l, ':'))
		return bad(l, "the header is no dict");
	if (strcmp(key, "descr") == 0) {
		*seen |= 1;
		return type(l, size);
	}
	if (strcmp(key, "fortran_order") == 0) {
		*seen |= 2;
		return boolean(l);
	}
	if (strcmp(key, "shape") != 0)
		return bad(l, "the header has a key that NumPy does not write");
	*seen |= 4;
	return shape(l, &l->npy->items, &l->npy->shape);
}

static bool dict(struct literal *l)
{
	uint64_t size = 0;
	int seen = 0;

	if (!eat(l, '{'))
		return bad(l, "the header is no dict");
	while (!eat(l, '}')) {
		if (!pair(l, &seen, &size))
			return false;
		if (!eat(l, ',') && !peek(l, '}'))
			return bad(l, "the header is no dict");
	}
	blanks(l);
	if (l->p != l->end)
		return bad(l, "more than the dict is in the header");
	if (seen != 7)
		return bad(l, "descr, fortran_order or shape is missing in the header");
	l->npy->item = size;
	if (__builtin_mul_overflow(size, l->npy->items, &l->npy->data))
		return bad(l, "the array is larger than any file");
	if (l->npy->objects)
		l->npy->data = 0;
	return true;
}

/* Magic and version; *@ret_len is the header's. */
static int prefix(const uint8_t *buf, size_t len, struct ckpt_npy *ret, uint64_t *ret_len)
{
	size_t n = len < 6 ? len : 6, wide;

	ret->why = "it does not begin as NumPy files do";
	if (memcmp(buf, "\x93NUMPY", n) != 0)
		return CKPT_NPY_BAD;
	if (len < 10)
		return CKPT_NPY_SHORT;
	ret->why = "its version is none of NumPy's";
	if (buf[6] < 1 || buf[6] > 3 || buf[7] != 0)
		return CKPT_NPY_BAD;
	wide = buf[6] == 1 ? 2 : 4;
	if (len < 8 + wide)
		return CKPT_NPY_SHORT;
	*ret_len = ckpt_bytes_le(buf + 8, wide);
	ret->header = 8 + wide + *ret_len;
	if (*ret_len > CKPT_NPY_HEADER_MAX)
		return CKPT_NPY_LARGE;
	return ret->header > len ? CKPT_NPY_SHORT : 0;
}

int ckpt_npy_parse(const uint8_t *buf, size_t len, struct ckpt_npy *ret)
{
	struct literal l = { .npy = ret };
	uint64_t header_len;
	int r;

	*ret = (struct ckpt_npy) { .items = 1 };
	r = prefix(buf, len, ret, &header_len);
	if (r)
		return r;
	l.end = (const char *)buf + ret->header;
	l.p = l.end - header_len;
	if (dict(&l))
		return 0;
	ret->why = l.why;
	return CKPT_NPY_BAD;
}
