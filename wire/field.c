/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See field.h. Every value, whoever sent it, passes through ckpt_field_set(): there is no second
 * way into a member.
 */
#include "wire/field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "wire/text.h"

#define NAME_MAX_LEN 128 /* prefix and environment name of the longest row, with room */
#define ROWS_MAX 64	 /* "given twice" is noted in the bits of one word */

static int set_int(const struct ckpt_field *row, void *member, const char *text,
		   struct ckpt_error *err)
{
	int64_t value;

	if (!ckpt_text_int(text, row->min, row->max, &value))
		return ckpt_fail(err, -EINVAL, "%s: %s is not a number from %lld to %lld", row->key,
				 CKPT_QUOTE(text), row->min, row->max);
	memcpy(member, &value, sizeof(value));
	return 0;
}

/* What is wrong with @text for the type of @row, or NULL. */
static const char *text_problem(const struct ckpt_field *row, const char *text)
{
	if (ckpt_text_has_control(text))
		return "holds control characters";
	if (row->type == CKPT_FIELD_WORD && *text && !ckpt_text_is_word(text))
		return "is not a word of letters, digits, '_', '.' and '-'";
	if (row->type == CKPT_FIELD_PATH && *text && *text != '/')
		return "is not an absolute path";
	if (row->valid && !row->valid(text))
		return "is not allowed here";
	return NULL;
}

int ckpt_field_set(const struct ckpt_field *row, void *object, const char *text,
		   struct ckpt_error *err)
{
	char *member = (char *)object + row->offset;
	const char *problem;

	if (row->type == CKPT_FIELD_INT)
		return set_int(row, member, text, err);
	if (strlen(text) >= row->size)
		return ckpt_fail(err, -E2BIG, "%s: %s is longer than %zu bytes", row->key,
				 CKPT_QUOTE(text), row->size - 1);
	problem = text_problem(row, text);
	if (problem)
		return ckpt_fail(err, -EINVAL, "%s: %s %s; allowed: %s", row->key, CKPT_QUOTE(text),
				 problem, row->help);
	ckpt_text_copy(member, row->size, text);
	return 0;
}

const char *ckpt_field_get(const struct ckpt_field *row, const void *object, char *buf, size_t size)
{
	const char *member = (const char *)object + row->offset;
	int64_t value;

	if (row->type != CKPT_FIELD_INT)
		return member;
	memcpy(&value, member, sizeof(value));
	snprintf(buf, size, "%" PRId64, value);
	return buf;
}

const struct ckpt_field *ckpt_field_find(const struct ckpt_fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->n; i++)
		if (strcmp(fields->rows[i].key, key) == 0)
			return &fields->rows[i];
	return NULL;
}

/* True if the member is what a zeroed struct holds. */
static bool is_zero(const struct ckpt_field *row, const void *object)
{
	const char *member = (const char *)object + row->offset;
	int64_t value;

	if (row->type != CKPT_FIELD_INT)
		return *member == '\0';
	memcpy(&value, member, sizeof(value));
	return value == 0;
}

long ckpt_fields_encode(const struct ckpt_fields *fields, const void *object, char *buf,
			size_t size)
{
	size_t at = 0;

	if (size == 0)
		return -E2BIG;
	buf[0] = '\0';
	for (size_t i = 0; i < fields->n; i++) {
		const struct ckpt_field *row = &fields->rows[i];
		char number[24];
		int n;

		if (is_zero(row, object))
			continue;
		n = snprintf(buf + at, size - at, "%s=%s\n", row->key,
			     ckpt_field_get(row, object, number, sizeof(number)));
		if (n < 0 || (size_t)n >= size - at)
			return -E2BIG;
		at += (size_t)n;
	}
	return (long)at;
}

/* Copies one line (without its newline) to @dst; lines that fit no member fail here. */
static int take_line(const char *line, size_t len, char *dst, size_t size, struct ckpt_error *err)
{
	if (len >= size)
		return ckpt_fail(err, -EINVAL, "a line of %zu bytes is longer than any field", len);
	if (memchr(line, '\0', len))
		return ckpt_fail(err, -EINVAL, "a NUL byte in a line");
	memcpy(dst, line, len);
	dst[len] = '\0';
	return 0;
}

static int decode_line(const struct ckpt_fields *fields, void *object, char *line, uint64_t *seen,
		       struct ckpt_error *err)
{
	char *value = strchr(line, '=');
	const struct ckpt_field *row;
	uint64_t bit;

	if (!value)
		return ckpt_fail(err, -EINVAL, "no '=' in %s", CKPT_QUOTE(line));
	*value++ = '\0';
	row = ckpt_field_find(fields, line);
	if (!row || row - fields->rows >= ROWS_MAX)
		return ckpt_fail(err, -EINVAL, "unknown key %s", CKPT_QUOTE(line));
	bit = UINT64_C(1) << (row - fields->rows);
	if (*seen & bit)
		return ckpt_fail(err, -EINVAL, "%s is given twice", row->key);
	*seen |= bit;
	return ckpt_field_set(row, object, value, err) < 0 ? -EINVAL : 0;
}

int ckpt_fields_decode(const struct ckpt_fields *fields, void *object, const char *buf, size_t len,
		       struct ckpt_error *err)
{
	char line[32 * 1024]; /* the longest member with its key fits twice */
	const char *end = buf + len;
	uint64_t seen = 0;

	while (buf < end) {
		const char *newline = memchr(buf, '\n', (size_t)(end - buf));
		int r;

		if (!newline)
			return ckpt_fail(err, -EINVAL, "the last line has no end");
		r = take_line(buf, (size_t)(newline - buf), line, sizeof(line), err);
		if (r == 0)
			r = decode_line(fields, object, line, &seen, err);
		if (r < 0)
			return r;
		buf = newline + 1;
	}
	return 0;
}

int ckpt_fields_from_env(const struct ckpt_fields *fields, void *object, const char *prefix,
			 ckpt_getenv_fn *lookup, void *arg, struct ckpt_error *err)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct ckpt_field *row = &fields->rows[i];
		char name[NAME_MAX_LEN];
		const char *value;
		int r;

		if (!row->env)
			continue;
		if (snprintf(name, sizeof(name), "%s%s", prefix, row->env) >= (int)sizeof(name))
			return ckpt_fail(err, -E2BIG, "the name %s%s is too long", prefix,
					 row->env);
		value = lookup(arg, name);
		r = value ? ckpt_field_set(row, object, value, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

void ckpt_fields_terminate(const struct ckpt_fields *fields, void *object)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct ckpt_field *row = &fields->rows[i];

		if (row->type != CKPT_FIELD_INT)
			((char *)object)[row->offset + row->size - 1] = '\0';
	}
}
