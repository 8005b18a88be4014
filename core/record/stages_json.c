/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of stages.json. Its checksum is CRC-32C of the document without it, printed without
 * blanks: enough against a torn or rotten file, which is all that it is for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/base/json.h"
#include "core/record/stages.h"
#include "wire/text.h"

#define VERSION 1
#define CHECKSUM "crc32c"

/* A member of a stage or an output; size 0: an int64_t. */
struct row {
	const char *key;
	size_t offset, size;
};

#define TEXT(type, member)                                                                         \
	{                                                                                          \
#member, offsetof(struct type, member), sizeof(((struct type *)0)->member)         \
	}
#define INT(type, member)                                                                          \
	{                                                                                          \
#member, offsetof(struct type, member), 0                                          \
	}

static const struct row stage_rows[] = {
	TEXT(ckpt_stage, name), INT(ckpt_stage, job_id),    INT(ckpt_stage, attempt),
	INT(ckpt_stage, pid),	INT(ckpt_stage, exit_code), INT(ckpt_stage, seconds),
	TEXT(ckpt_stage, host), TEXT(ckpt_stage, at),
};
static const struct row output_rows[] = {
	INT(ckpt_stage_output, files),
	INT(ckpt_stage_output, bytes),
	TEXT(ckpt_stage_output, sha256),
};
#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool read_rows(const struct row *rows, size_t n, const cJSON *o, void *to)
{
	for (size_t i = 0; i < n; i++) {
		char *member = (char *)to + rows[i].offset;
		const char *text;

		if (rows[i].size == 0) {
			if (!ckpt_json_int(o, rows[i].key, (int64_t *)(void *)member))
				return false;
			continue;
		}
		text = ckpt_json_text(o, rows[i].key);
		if (!text || !ckpt_text_copy(member, rows[i].size, text))
			return false;
	}
	return true;
}

static bool write_rows(const struct row *rows, size_t n, const void *from, cJSON *o)
{
	for (size_t i = 0; i < n; i++) {
		const char *member = (const char *)from + rows[i].offset;
		cJSON *item = rows[i].size
				      ? cJSON_AddStringToObject(o, rows[i].key, member)
				      : cJSON_AddNumberToObject(
						o, rows[i].key,
						(double)*(const int64_t *)(const void *)member);

		if (!item)
			return false;
	}
	return true;
}

static bool read_state(const cJSON *o, enum ckpt_stage_state *ret)
{
	const char *text = ckpt_json_text(o, "state");

	for (int i = CKPT_STAGE_RUNNING; text && i <= CKPT_STAGE_INTERRUPTED; i++) {
		if (strcmp(text, ckpt_stage_state_name((enum ckpt_stage_state)i)) != 0)
			continue;
		*ret = (enum ckpt_stage_state)i;
		return true;
	}
	return false;
}

static int read_output(const cJSON *o, struct ckpt_stage *stage)
{
	struct ckpt_stage_output output = { 0 };
	const char *path = ckpt_json_text(o, "path"), *given = ckpt_json_text(o, "given");

	if (!path || path[0] != '/' || !given ||
	    !read_rows(output_rows, N(output_rows), o, &output) || output.files < 0 ||
	    output.bytes < 0)
		return CKPT_STATE_TORN;
	output.path = (char *)path; /* copied by the one that adds it */
	output.given = (char *)given;
	output.directory = ckpt_json_bool(o, "directory", false);
	output.unread = ckpt_json_bool(o, "unread", false);
	return ckpt_stage_add_output(stage, &output) == -ENOMEM ? -ENOMEM : 0;
}

static int read_stage(const cJSON *o, struct ckpt_stages *stages)
{
	_cleanup_stage_ struct ckpt_stage stage = { 0 };
	const cJSON *item;
	int r;

	if (!read_rows(stage_rows, N(stage_rows), o, &stage) || !read_state(o, &stage.state) ||
	    !ckpt_stage_is_name(stage.name))
		return CKPT_STATE_TORN;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(o, "outputs")) {
		r = read_output(item, &stage);
		if (r != 0)
			return r;
	}
	r = ckpt_stages_put(stages, &stage);
	return r == -E2BIG ? CKPT_STATE_TORN : r;
}

static uint32_t checksum_of(const cJSON *document, bool *ret_failed)
{
	_cleanup_free_ char *text = cJSON_PrintUnformatted(document);

	*ret_failed = !text;
	return text ? ckpt_crc(CKPT_CRC32C, 0, text, strlen(text)) : 0;
}

/* Takes the checksum off @document and compares it. 0, TORN or -ENOMEM. */
static int check(cJSON *document)
{
	int64_t expected = -1, version = -1;
	bool failed;
	uint32_t crc;

	if (!cJSON_IsObject(document) || !ckpt_json_int(document, CHECKSUM, &expected) ||
	    !ckpt_json_int(document, "version", &version) || version != VERSION)
		return CKPT_STATE_TORN;
	cJSON_DeleteItemFromObjectCaseSensitive(document, CHECKSUM);
	crc = checksum_of(document, &failed);
	if (failed)
		return -ENOMEM;
	return crc == expected ? 0 : CKPT_STATE_TORN;
}

int ckpt_stages_parse(const char *text, size_t len, struct ckpt_stages *ret)
{
	_cleanup_stages_ struct ckpt_stages stages = { 0 };
	_cleanup_json_ cJSON *document = NULL;
	const cJSON *item;
	int r = ckpt_json_parse(text, len, &document, NULL);

	if (r == 0)
		r = check(document);
	if (r != 0)
		return r < 0 ? r : CKPT_STATE_TORN;
	if (!ckpt_json_int(document, "seq", &stages.seq) || stages.seq < 0)
		return CKPT_STATE_TORN;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(document, "stages")) {
		r = read_stage(item, &stages);
		if (r != 0)
			return r;
	}
	*ret = stages;
	stages = (struct ckpt_stages) { 0 };
	return 0;
}

static cJSON *output_json(const struct ckpt_stage_output *output)
{
	_cleanup_json_ cJSON *o = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(o, "path", output->path) ||
	    !cJSON_AddStringToObject(o, "given", output->given) ||
	    !cJSON_AddBoolToObject(o, "directory", output->directory) ||
	    !cJSON_AddBoolToObject(o, "unread", output->unread) ||
	    !write_rows(output_rows, N(output_rows), output, o))
		return NULL;
	return ckpt_take_ptr(o);
}

cJSON *ckpt_stage_json(const struct ckpt_stage *stage)
{
	_cleanup_json_ cJSON *o = cJSON_CreateObject();
	cJSON *list;

	if (!write_rows(stage_rows, N(stage_rows), stage, o) ||
	    !cJSON_AddStringToObject(o, "state", ckpt_stage_state_name(stage->state)))
		return NULL;
	list = cJSON_AddArrayToObject(o, "outputs");
	for (size_t i = 0; i < stage->n_outputs; i++) {
		cJSON *output = output_json(&stage->outputs[i]);

		if (!output || !cJSON_AddItemToArray(list, output)) {
			cJSON_Delete(output);
			return NULL;
		}
	}
	return list ? ckpt_take_ptr(o) : NULL;
}

char *ckpt_stages_print(const struct ckpt_stages *stages)
{
	_cleanup_json_ cJSON *document = cJSON_CreateObject();
	cJSON *list;
	bool failed;
	uint32_t crc;

	if (!cJSON_AddNumberToObject(document, "version", VERSION) ||
	    !cJSON_AddNumberToObject(document, "seq", (double)stages->seq))
		return NULL;
	list = cJSON_AddArrayToObject(document, "stages");
	for (size_t i = 0; i < stages->n; i++) {
		cJSON *stage = ckpt_stage_json(&stages->s[i]);

		if (!stage || !cJSON_AddItemToArray(list, stage)) {
			cJSON_Delete(stage);
			return NULL;
		}
	}
	crc = checksum_of(document, &failed);
	if (failed || !list || !cJSON_AddNumberToObject(document, CHECKSUM, crc))
		return NULL;
	return cJSON_Print(document);
}
