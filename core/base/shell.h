/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for a POSIX shell to read.
 */
#ifndef CKPT_CORE_BASE_SHELL_H
#define CKPT_CORE_BASE_SHELL_H

#include "core/base/text.h"

/*
 * Appends @text to @str between single quotes, so that any POSIX shell reads back the same bytes,
 * whatever they are (POSIX.1-2017, Shell Command Language, 2.2.2: nothing but the quote itself is
 * special there).
 */
void ckpt_shell_quote(struct ckpt_str *str, const char *text);

#endif
