/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See json.h. Python writes NaN and Infinity for losses that went wrong, which no JSON grammar
 * knows: a document that does not parse is tried once more with them as null.
 */
#include "core/base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "wire/text.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: beyond it a double is no exact integer */

static bool is_blank(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r'))
		s++;
	return s == end;
}

static cJSON *parse_whole(const char *text, size_t len)
{
	const char *end = NULL;
	cJSON *value = cJSON_ParseWithLengthOpts(text, len, &end, false);

	if (value && !is_blank(end, text + len)) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

/* Length of the non-finite number at @s, which ends at @end; 0 if there is none. */
static size_t non_finite_at(const char *s, const char *end)
{
	static const char *const words[] = { "-Infinity", "Infinity", "NaN" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(end - s) >= len && memcmp(s, words[i], len) == 0)
			return len;
	}
	return 0;
}

/* Copies @text with null for each of them outside strings to @out, which holds 4/3 of @len. */
static size_t copy_finite(const char *text, size_t len, char *out)
{
	const char *end = text + len;
	char *to = out;
	bool in_string = false;

	for (const char *p = text; p < end;) {
		size_t word = in_string ? 0 : non_finite_at(p, end);

		if (word > 0) {
			memcpy(to, "null", 4);
			to += 4;
			p += word;
			continue;
		}
		if (in_string && *p == '\\' && p + 1 < end)
			*to++ = *p++;
		else if (*p == '"')
			in_string = !in_string;
		*to++ = *p++;
	}
	return (size_t)(to - out);
}

int ckpt_json_parse(const char *text, size_t len, cJSON **ret, struct ckpt_error *err)
{
	_cleanup_free_ char *copy = NULL;
	cJSON *value = parse_whole(text, len);

	if (!value && len > 0) {
		copy = malloc(len + len / 3 + 1);
		if (!copy)
			return ckpt_fail(err, -ENOMEM, "no memory to parse JSON of %zu bytes", len);
		value = parse_whole(copy, copy_finite(text, len, copy));
	}
	if (!value)
		return ckpt_fail(err, CKPT_JSON_TORN,
				 "not one whole JSON value (empty, cut, or nested deeper than %d)",
				 CJSON_NESTING_LIMIT);
	*ret = value;
	return 0;
}

int ckpt_json_load(struct ckpt_ctx *ctx, int dirfd, const char *name, cJSON **ret,
		   struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = ckpt_file_slurp(ctx, dirfd, name, CKPT_JSON_MAX, &text, &len, err);
	if (r == -EFBIG)
		return ckpt_fail(err, CKPT_JSON_LARGE, "%s is larger than %d bytes",
				 CKPT_QUOTE(name), CKPT_JSON_MAX);
	if (r == CKPT_FILE_NOT_REGULAR)
		return ckpt_fail(err, -EINVAL, "%s is not a regular file", CKPT_QUOTE(name));
	if (r < 0)
		return r;
	r = ckpt_json_parse(text, len, ret, err);
	if (r == CKPT_JSON_TORN)
		ckpt_fail(err, r, "%s: not one whole JSON value (empty, cut, or nested too deep)",
			  CKPT_QUOTE(name));
	return r;
}

int ckpt_json_store(int dirfd, const char *name, const cJSON *value, struct ckpt_error *err)
{
	_cleanup_free_ char *text = cJSON_Print(value);
	size_t len;

	if (!text)
		return ckpt_fail(err, -ENOMEM, "no memory to write %s", CKPT_QUOTE(name));
	len = strlen(text);
	text[len] = '\n'; /* in the NUL's place: the length is passed along */
	return ckpt_file_replace(dirfd, name, text, len + 1, err);
}

bool ckpt_json_number(const cJSON *o, const char *key, double *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
		return false;
	*ret = item->valuedouble;
	return true;
}

bool ckpt_json_int(const cJSON *o, const char *key, int64_t *ret)
{
	double value;

	if (!ckpt_json_number(o, key, &value) || fabs(value) > EXACT_MAX || value != floor(value))
		return false;
	*ret = (int64_t)value;
	return true;
}

const char *ckpt_json_text(const cJSON *o, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

bool ckpt_json_is(const cJSON *o, const char *key, const char *text)
{
	const char *value = ckpt_json_text(o, key);

	return value && strcmp(value, text) == 0;
}

bool ckpt_json_bool(const cJSON *o, const char *key, bool fallback)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

void ckpt_json_add_text(cJSON *o, const char *key, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(o, key, text);
	else
		cJSON_AddNullToObject(o, key);
}

void ckpt_json_add_number(cJSON *o, const char *key, bool known, double value)
{
	if (known && isfinite(value))
		cJSON_AddNumberToObject(o, key, value);
	else
		cJSON_AddNullToObject(o, key);
}
