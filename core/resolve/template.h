/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments of a program made from a decision: words like `--resume {path}`. The template is split
 * at spaces first and filled in afterwards, so that a path with spaces stays one word.
 */
#ifndef CKPT_CORE_RESOLVE_TEMPLATE_H
#define CKPT_CORE_RESOLVE_TEMPLATE_H

#include "wire/cleanup.h"
#include "wire/decision.h"

#define CKPT_TEMPLATE_WORDS 64 /* of one template */

/* The words of a template, filled in; heap texts, NULL-terminated. */
struct ckpt_template {
	char *words[CKPT_TEMPLATE_WORDS + 1];
	size_t n;
};

enum ckpt_template_result {
	CKPT_TEMPLATE_BAD = 1, /* an unknown placeholder, a '{' without its '}', too many words */
	CKPT_TEMPLATE_EMPTY,   /* the decision has no value for a placeholder */
};

/*
 * Fills @text in from @d: {path}, {root}, {tag}, {epoch} (last completed), {start_epoch}, {step};
 * `{{` is a brace; a '}' alone stands for itself. With @d NULL only its form is checked, and
 * @ret->n counts the words. 0, BAD or EMPTY with @err, or -ENOMEM. The caller calls
 * ckpt_template_done().
 */
int ckpt_template_fill(const char *text, const struct ckpt_decision *d, struct ckpt_template *ret,
		       struct ckpt_error *err);

/* Frees the words. */
void ckpt_template_done(struct ckpt_template *t);
#define _cleanup_template_ _cleanup_(ckpt_template_done)

#endif
