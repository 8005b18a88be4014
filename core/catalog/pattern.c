/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The matcher of the table of names: backtracking over "*" and "(a|b)", so that its cost is bounded
 * by the length of a directory entry and the few stars of a pattern.
 */
#include "core/catalog/pattern.h"

#include <string.h>

struct matcher {
	const char *name;
	struct ckpt_pattern_match *found;
};

static bool match(const struct matcher *m, const char *p, const char *s);

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool comes_next(const char *p, char c)
{
	while (*++p != ']') {
		if (*p == c)
			return true;
	}
	return false;
}

/* Cheaply rules out most places at which what follows a star cannot match. */
static bool may_begin(const struct matcher *m, const char *p, const char *s)
{
	if (*p == '<') {
		if (s > m->name && is_word(s[-1]))
			return false;
		p++;
	}
	if (*p == '{')
		return is_digit(*s);
	if (*p == '[')
		return comes_next(p, *s);
	return *p == *s || strchr("*?(~<>", *p);
}

/* What follows the star is tried at every place, the nearest first. */
static bool match_any(const struct matcher *m, const char *rest, const char *s)
{
	int n = m->found->n;

	if (!*rest)
		return true;
	for (;; s++) {
		if (may_begin(m, rest, s) && match(m, rest, s))
			return true;
		m->found->n = n;
		if (!*s)
			return false;
	}
}

static bool ends_choice(char c)
{
	return c == '|' || c == ')';
}

static bool match_choice(const struct matcher *m, const char *p, const char *s)
{
	int n = m->found->n;

	while (*p != ')') {
		const char *t = s;

		for (p++; *p == *t && !ends_choice(*p); p++)
			t++;
		if (ends_choice(*p) && match(m, strchr(p, ')') + 1, t))
			return true;
		m->found->n = n;
		while (!ends_choice(*p))
			p++;
	}
	return false;
}

static bool match_separator(const struct matcher *m, const char *rest, const char *s)
{
	int n = m->found->n;

	if (*s && strchr("-_=.", *s) && match(m, rest, s + 1))
		return true;
	m->found->n = n;
	return match(m, rest, s);
}

/* Takes a run of digits, which must not begin inside another. Returns where it ends, or NULL. */
static const char *take_number(const struct matcher *m, const char *p, const char *s)
{
	size_t len = strspn(s, "0123456789");
	struct ckpt_pattern_number *number;

	if (!len || (s > m->name && is_digit(s[-1])) || m->found->n == CKPT_PATTERN_NUMBERS)
		return NULL;
	if (is_digit(p[2]) && len != (size_t)(p[2] - '0'))
		return NULL;
	number = &m->found->numbers[m->found->n++];
	number->meaning = p[1];
	number->begin = (size_t)(s - m->name);
	number->end = number->begin + len;
	return s + len;
}

/* Matches one sign that needs no backtracking. Returns what is left of the name, or NULL. */
static const char *match_one(const struct matcher *m, const char *p, const char *s)
{
	switch (*p) {
	case '{':
		return take_number(m, p, s);
	case '[':
		return comes_next(p, *s) ? s : NULL;
	case '<':
		return s > m->name && is_word(s[-1]) ? NULL : s;
	case '>':
		return is_word(*s) ? NULL : s;
	case '?':
		return *s ? s + 1 : NULL;
	default:
		return *p == *s ? s + 1 : NULL;
	}
}

static bool match(const struct matcher *m, const char *p, const char *s)
{
	while (*p) {
		if (*p == '*')
			return match_any(m, p + 1, s);
		if (*p == '(')
			return match_choice(m, p, s);
		if (*p == '~')
			return match_separator(m, p + 1, s);
		s = match_one(m, p, s);
		if (!s)
			return false;
		if (*p == '{' || *p == '[')
			p = strchr(p, *p + 2); /* '}' and ']' in ASCII */
		p++;
	}
	return !*s;
}

bool ckpt_pattern_match(const char *pattern, const char *name, struct ckpt_pattern_match *ret)
{
	struct matcher m = { .name = name, .found = ret };

	ret->n = 0;
	return match(&m, pattern, name);
}

bool ckpt_pattern_int(const char *s, const struct ckpt_pattern_number *n, int64_t *ret)
{
	int64_t value = 0;

	for (size_t i = n->begin; i < n->end; i++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, s[i] - '0', &value))
			return false;
	}
	*ret = value;
	return true;
}
