/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See error.h.
 */
#include "wire/error.h"

#include <stdio.h>

#include "wire/text.h"

int ckpt_fail(struct ckpt_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	ckpt_text_clean(err->text);
	return code;
}
