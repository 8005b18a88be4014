/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See name_memo.h. The table's patterns tell digits from other characters and count them, but do
 * not tell one digit from another; what a name's digits change are its numbers, and the part of its
 * series that stands before the first of them.
 */
#include "core/catalog/name_memo.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Writes the shape of @name to @shape. Its length, or 0 where the name is too long or has none. */
static size_t shape_of(const char *name, char *shape)
{
	size_t i;

	for (i = 0; name[i]; i++) {
		bool first = is_digit(name[i]) && (i == 0 || !is_digit(name[i - 1]));

		if (i == CKPT_NAME_SIZE - 1 || name[i] == '\1')
			return 0;
		if (!is_digit(name[i]) ||
		    (first && i > 0 && is_letter(name[i - 1]) && !is_digit(name[i + 1])))
			shape[i] = name[i];
		else
			shape[i] = '\1';
	}
	shape[i] = '\0';
	return i;
}

/* Whether what is kept of a name of this shape says all of @name. */
static bool tells(const struct ckpt_name_memo_entry *e, const char *name)
{
	return e->result != 0 || memcmp(e->name, name, e->parsed.numbers[0].begin) == 0;
}

static const struct ckpt_name_memo_entry *find(const struct ckpt_name_memo *memo, const char *shape,
					       size_t len, bool is_dir)
{
	const struct ckpt_name_memo_entry *e;

	for (e = memo->entries; e < memo->entries + CKPT_NAME_MEMO_SIZE; e++) {
		if (e->len == len && e->is_dir == is_dir && memcmp(e->shape, shape, len) == 0)
			return e;
	}
	return NULL;
}

static void recall(const struct ckpt_name_memo_entry *e, const char *name, struct ckpt_name *ret)
{
	memcpy(ret, &e->parsed, offsetof(struct ckpt_name, series));
	memcpy(ret->series, e->parsed.series, strlen(e->parsed.series) + 1);
	ret->stem[0] = '\0';
	ret->position = (struct ckpt_position) { .step_vague = e->parsed.position.step_vague };
	ret->has_number = false;
	ret->number = 0;
	ckpt_name_take_numbers(name, ret);
}

/* A folded or superseded name's digits end up in more than its numbers. */
static bool is_worth_keeping(int r, const struct ckpt_name *parsed)
{
	return r > 0 || (parsed->fold == CKPT_FOLD_NONE && parsed->n_numbers > 0 &&
			 parsed->role != CKPT_ROLE_SUPERSEDED);
}

/* The entry of a shape that was kept before, or the next one in turn. */
static struct ckpt_name_memo_entry *place(struct ckpt_name_memo *memo,
					  const struct ckpt_name_memo_entry *known)
{
	if (known)
		return &memo->entries[known - memo->entries];
	return &memo->entries[memo->next++ % CKPT_NAME_MEMO_SIZE];
}

int ckpt_name_memo_parse(struct ckpt_name_memo *memo, const char *name, bool is_dir,
			 struct ckpt_name *ret, const char **ret_why)
{
	char shape[CKPT_NAME_SIZE];
	size_t len = shape_of(name, shape);
	const struct ckpt_name_memo_entry *known = find(memo, shape, len, is_dir);
	struct ckpt_name_memo_entry *e;
	int r;

	if (len && known && tells(known, name)) {
		if (known->result == 0)
			recall(known, name, ret);
		*ret_why = known->why;
		return known->result;
	}
	*ret_why = NULL;
	r = ckpt_name_parse(name, is_dir, ret, ret_why);
	if (!len || !is_worth_keeping(r, ret))
		return r;
	e = place(memo, known);
	memcpy(e->shape, shape, len);
	memcpy(e->name, name, len);
	e->len = len;
	e->is_dir = is_dir;
	e->result = r;
	e->why = *ret_why;
	if (r == 0)
		e->parsed = *ret;
	return r;
}
