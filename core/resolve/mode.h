/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mode of a request as a value: what --ckpt-resume=MODE asks for.
 */
#ifndef CKPT_CORE_RESOLVE_MODE_H
#define CKPT_CORE_RESOLVE_MODE_H

#include <stdbool.h>
#include <stdint.h>

enum ckpt_mode_kind {
	CKPT_MODE_AUTO,
	CKPT_MODE_BEST,
	CKPT_MODE_FRESH,
	CKPT_MODE_STEP,	 /* number */
	CKPT_MODE_EPOCH, /* number */
	CKPT_MODE_NAME,	 /* text */
	CKPT_MODE_PATH,	 /* text, absolute */
};

struct ckpt_mode {
	enum ckpt_mode_kind kind;
	int64_t number;
	const char *text; /* borrowed from the string that was parsed */
};

/* Reads @s ("" = auto). False, and *@ret untouched, when it is no mode. */
bool ckpt_mode_parse(const char *s, struct ckpt_mode *ret);

/* True for step, epoch, name and path: one certain checkpoint or none. */
bool ckpt_mode_is_pin(const struct ckpt_mode *mode);

#endif
