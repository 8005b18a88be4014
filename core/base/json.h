/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small JSON documents by cJSON with the caps that foreign files need, and typed look-ups.
 * (Documents too large for a tree, such as safetensors headers, are streamed by
 * core/base/jstream.h.)
 */
#ifndef CKPT_CORE_BASE_JSON_H
#define CKPT_CORE_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/file.h"

#define CKPT_JSON_MAX                                                                              \
	(4 * 1024 * 1024) /* bytes: a trainer_state.json of a long run has about 2 MB */

enum ckpt_json_result {
	CKPT_JSON_TORN =
		1, /* not one whole JSON value (empty, cut, trailing bytes, nested too deep) */
	CKPT_JSON_LARGE, /* beyond CKPT_JSON_MAX */
};

static inline void ckpt_json_done(cJSON **p)
{
	cJSON_Delete(*p);
}
#define _cleanup_json_ _cleanup_(ckpt_json_done)

/* Parses @len bytes at @text. 0 with *@ret for the caller to delete, CKPT_JSON_TORN or -ENOMEM. */
int ckpt_json_parse(const char *text, size_t len, cJSON **ret, struct ckpt_error *err);

/* Reads and parses a file. As ckpt_json_parse(), and CKPT_JSON_LARGE, -ENOENT, other errnos. */
int ckpt_json_load(struct ckpt_ctx *ctx, int dirfd, const char *name, cJSON **ret,
		   struct ckpt_error *err);

/* Writes @value formatted, with a final newline, by ckpt_file_replace(). 0 or an errno. */
int ckpt_json_store(int dirfd, const char *name, const cJSON *value, struct ckpt_error *err);

/* Member @key of object @o as an integer; false if it is absent or not a whole number within 2^53.
 */
bool ckpt_json_int(const cJSON *o, const char *key, int64_t *ret);

/* Member @key as a finite number. */
bool ckpt_json_number(const cJSON *o, const char *key, double *ret);

/* Member @key as a string, borrowed; NULL if absent or no string. */
const char *ckpt_json_text(const cJSON *o, const char *key);

/* Whether member @key is the string @text. */
bool ckpt_json_is(const cJSON *o, const char *key, const char *text);

/* Member @key as a boolean; @fallback if absent or no boolean. */
bool ckpt_json_bool(const cJSON *o, const char *key, bool fallback);

/* Adds @text to @o as @key, null where it is NULL or empty. */
void ckpt_json_add_text(cJSON *o, const char *key, const char *text);

/* Adds @value to @o as @key, null where it is not @known or no finite number. */
void ckpt_json_add_number(cJSON *o, const char *key, bool known, double value);

#endif
