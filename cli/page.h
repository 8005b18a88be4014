/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run's past as an HTML page with its timeline as inline SVG.
 */
#ifndef CKPT_CLI_PAGE_H
#define CKPT_CLI_PAGE_H

#include "cli/runs.h"
#include "core/base/text.h"

/* Writes the whole page about @h, of the run directory @dir, to @page (whose `failed` tells of
 * memory). Every text in it is escaped. */
void ckpt_page_write(const struct ckpt_history *h, const char *dir, struct ckpt_str *page);

/* Appends the picture of the score that checkpoints name over steps or epochs; nothing where fewer
 * than two name one. */
void ckpt_page_curve(struct ckpt_str *page, const struct ckpt_history *h);

/* Appends @text as HTML has it in text and quoted attributes; control bytes and what is no UTF-8 as
 * '?'. */
void ckpt_page_escape(struct ckpt_str *page, const char *text);

#endif
