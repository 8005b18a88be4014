/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See mode.h.
 */
#include "core/resolve/mode.h"

#include <string.h>

#include "wire/text.h"

/* What stands before the argument, and what the argument is. */
static const struct mode_row {
	const char *prefix;
	enum ckpt_mode_kind kind;
	bool number, text;
} rows[] = {
	{ "auto", CKPT_MODE_AUTO, false, false },   { "best", CKPT_MODE_BEST, false, false },
	{ "fresh", CKPT_MODE_FRESH, false, false }, { "step:", CKPT_MODE_STEP, true, false },
	{ "epoch:", CKPT_MODE_EPOCH, true, false }, { "name:", CKPT_MODE_NAME, false, true },
};

static bool row_takes(const struct mode_row *row, const char *rest, struct ckpt_mode *mode)
{
	if (row->number)
		return ckpt_text_int(rest, 0, INT64_MAX, &mode->number);
	if (row->text) {
		mode->text = rest;
		return *rest && !strchr(rest, '/');
	}
	return !*rest;
}

bool ckpt_mode_parse(const char *s, struct ckpt_mode *ret)
{
	struct ckpt_mode mode = { .kind = CKPT_MODE_AUTO };
	const char *rest;

	if (!*s || *s == '/') {
		mode.kind = *s ? CKPT_MODE_PATH : CKPT_MODE_AUTO;
		mode.text = *s ? s : NULL;
		*ret = mode;
		return true;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!ckpt_text_starts(s, rows[i].prefix, &rest))
			continue;
		mode.kind = rows[i].kind;
		if (!row_takes(&rows[i], rest, &mode))
			return false;
		*ret = mode;
		return true;
	}
	return false;
}

bool ckpt_mode_is_pin(const struct ckpt_mode *mode)
{
	return mode->kind == CKPT_MODE_STEP || mode->kind == CKPT_MODE_EPOCH ||
	       mode->kind == CKPT_MODE_NAME || mode->kind == CKPT_MODE_PATH;
}
