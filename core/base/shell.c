/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See shell.h.
 */
#include "core/base/shell.h"

#include <string.h>

void ckpt_shell_quote(struct ckpt_str *str, const char *text)
{
	ckpt_str_add(str, "'");
	while (*text) {
		size_t plain = strcspn(text, "'");

		ckpt_str_add(str, "%.*s", (int)plain, text);
		text += plain;
		if (*text == '\'') {
			ckpt_str_add(str, "'\\''");
			text++;
		}
	}
	ckpt_str_add(str, "'");
}
