/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See template.h.
 */
#include "core/resolve/template.h"

#include <errno.h>
#include <string.h>

#include "core/base/text.h"

/* The placeholders, and what they stand for. */
static const struct row {
	const char *name;
	size_t offset;
} rows[] = {
	{ "path", offsetof(struct ckpt_decision, path) },
	{ "root", offsetof(struct ckpt_decision, root) },
	{ "tag", offsetof(struct ckpt_decision, tag) },
	{ "epoch", offsetof(struct ckpt_decision, resume_epoch) },
	{ "start_epoch", offsetof(struct ckpt_decision, start_epoch) },
	{ "step", offsetof(struct ckpt_decision, step) },
};

static const struct row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static int bad_placeholder(const char *at, size_t len, struct ckpt_error *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)(len > 60 ? 60 : len), at);
	return ckpt_fail(err, CKPT_TEMPLATE_BAD,
			 "%s is no placeholder; there are {path}, {root}, {tag}, {epoch}, "
			 "{start_epoch} and {step}, and {{ for a brace",
			 CKPT_QUOTE(name));
}

static int no_value(const struct row *row, struct ckpt_error *err)
{
	const char *hint = strstr(row->name, "epoch")
				   ? " (--epoch=completed or --epoch=next tells what the "
				     "checkpoint's epoch number means)"
				   : "";

	return ckpt_fail(err, CKPT_TEMPLATE_EMPTY, "{%s} has no value in this decision%s",
			 row->name, hint);
}

/* Adds what the placeholder between *@p, a '{', and its '}' stands for. */
static int fill_one(const char **p, const char *end, const struct ckpt_decision *d,
		    struct ckpt_str *word, struct ckpt_error *err)
{
	const char *close = memchr(*p, '}', (size_t)(end - *p));
	const struct row *row = close ? find_row(*p + 1, (size_t)(close - *p) - 1) : NULL;
	const char *value;

	if (!row)
		return bad_placeholder(*p, (size_t)((close ? close + 1 : end) - *p), err);
	value = d ? (const char *)d + row->offset : row->name;
	if (!*value)
		return no_value(row, err);
	ckpt_str_add(word, "%s", value);
	*p = close + 1;
	return 0;
}

static int fill_word(const char *p, const char *end, const struct ckpt_decision *d, char **ret,
		     struct ckpt_error *err)
{
	_cleanup_str_ struct ckpt_str word = { 0 };
	int r = 0;

	while (p < end && r == 0) {
		if (*p == '{' && p + 1 < end && p[1] == '{') {
			ckpt_str_add(&word, "{");
			p += 2;
		} else if (*p == '{') {
			r = fill_one(&p, end, d, &word, err);
		} else {
			ckpt_str_add(&word, "%c", *p++);
		}
	}
	if (r != 0)
		return r;
	if (word.failed || !word.s)
		return ckpt_fail(err, -ENOMEM, "no memory for arguments");
	*ret = ckpt_take_ptr(word.s);
	return 0;
}

int ckpt_template_fill(const char *text, const struct ckpt_decision *d, struct ckpt_template *ret,
		       struct ckpt_error *err)
{
	_cleanup_template_ struct ckpt_template t = { 0 };

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");
		int r;

		if (t.n == CKPT_TEMPLATE_WORDS)
			return ckpt_fail(err, CKPT_TEMPLATE_BAD, "more than %d words",
					 CKPT_TEMPLATE_WORDS);
		r = fill_word(text, text + len, d, &t.words[t.n], err);
		if (r != 0)
			return r;
		t.n++;
		text += len;
	}
	*ret = t;
	t = (struct ckpt_template) { 0 };
	return 0;
}

void ckpt_template_done(struct ckpt_template *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->words[i]);
	t->n = 0;
}
