/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See run_config.h. The keys are one table: section, key, how it is read, where it goes.
 */
#include "core/config/run_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "wire/text.h"

/* One key of ours. @read returns 0, -ENOMEM, or RUN_CONFIG_BAD: then @allowed is what is said. */
struct row {
	const char *section, *key;
	int (*read)(const struct row *row, const cJSON *value, struct ckpt_run_config *config);
	size_t offset;
	const char *allowed;
};

static char *member(const struct row *row, struct ckpt_run_config *config)
{
	return (char *)config + row->offset;
}

static int read_bool(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	if (!cJSON_IsBool(value))
		return CKPT_RUN_CONFIG_BAD;
	*(bool *)member(row, config) = cJSON_IsTrue(value);
	return 0;
}

static bool is_whole(const cJSON *value)
{
	return cJSON_IsNumber(value) && value->valuedouble >= 0 &&
	       value->valuedouble <= 9007199254740992.0 && /* 2^53 */
	       value->valuedouble == (double)(int64_t)value->valuedouble;
}

static int read_count(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	if (!is_whole(value))
		return CKPT_RUN_CONFIG_BAD;
	*(int64_t *)(void *)member(row, config) = (int64_t)value->valuedouble;
	return 0;
}

static int read_max_checkpoints(const struct row *row, const cJSON *value,
				struct ckpt_run_config *config)
{
	int r = read_count(row, value, config);

	if (r == 0)
		config->has_max_checkpoints = true;
	return r;
}

/* A text that can be a path: something in it, no control characters. */
static bool is_path_text(const cJSON *value)
{
	return cJSON_IsString(value) && *value->valuestring &&
	       !ckpt_text_has_control(value->valuestring);
}

static int read_path(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	if (!is_path_text(value) ||
	    !ckpt_text_copy(member(row, config), CKPT_PATH_MAX, value->valuestring))
		return CKPT_RUN_CONFIG_BAD;
	return 0;
}

static int read_resume(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	if (!cJSON_IsBool(value))
		return read_path(row, value, config);
	config->has_resume_flag = true;
	config->resume_flag = cJSON_IsTrue(value);
	return 0;
}

static int read_list(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	char **list = (char **)(void *)member(row, config);
	const cJSON *item;
	int n = 0;

	if (!cJSON_IsArray(value) || cJSON_GetArraySize(value) > CKPT_RUN_CONFIG_KEYS)
		return CKPT_RUN_CONFIG_BAD;
	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item))
			return CKPT_RUN_CONFIG_BAD;
		list[n] = strdup(item->valuestring);
		if (!list[n++])
			return -ENOMEM;
	}
	return 0;
}

static int read_keys(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, value) {
		if (!cJSON_IsString(item) || !*item->valuestring)
			return CKPT_RUN_CONFIG_BAD;
	}
	return read_list(row, value, config);
}

/* A program is named by an absolute path, or by a name to be found in PATH: not relative to who
 * knows where. */
static bool is_program(const char *name)
{
	if (!*name || *name == '-' || ckpt_text_has_control(name))
		return false;
	return *name == '/' || !strchr(name, '/');
}

static int read_fetch(const struct row *row, const cJSON *value, struct ckpt_run_config *config)
{
	const cJSON *first = cJSON_IsArray(value) ? cJSON_GetArrayItem(value, 0) : NULL;

	if (!cJSON_IsString(first) || !is_program(first->valuestring))
		return CKPT_RUN_CONFIG_BAD;
	return read_list(row, value, config);
}

#define AT(m) offsetof(struct ckpt_run_config, m)
#define PATH_ALLOWED "a path (not empty, no control characters)"
#define BOOL_ALLOWED "true or false"
#define COUNT_ALLOWED "a whole number, 0 or more"

static const struct row rows[] = {
	{ "training", "resume_from_checkpoint", read_resume, AT(resume_from_checkpoint),
	  "a path or name, true or false" },
	{ "training", "no_restore", read_bool, AT(no_restore), BOOL_ALLOWED },
	{ "training", "end_marker", read_path, AT(end_marker), PATH_ALLOWED },
	{ "checkpoints", "save_best_only", read_bool, AT(save_best_only), BOOL_ALLOWED },
	{ "checkpoints", "max_checkpoints", read_max_checkpoints, AT(max_checkpoints),
	  COUNT_ALLOWED },
	{ "model", "custom_checkpoint", read_path, AT(custom_checkpoint), PATH_ALLOWED },
	{ "model", "pretrained", read_path, AT(pretrained), PATH_ALLOWED },
	{ "model", "fetch", read_fetch, AT(fetch),
	  "a list of 1 to 32 texts: a program (absolute path or plain name) and its arguments" },
	{ "model", "fetch_into", read_path, AT(fetch_into), PATH_ALLOWED },
	{ "validation", "min_size_bytes", read_count, AT(min_size_bytes), COUNT_ALLOWED },
	{ "validation", "required_keys", read_keys, AT(required_keys),
	  "a list of at most 32 texts, none empty" },
};

/* What a bad value was, shortly. */
static const char *shown(const cJSON *value, char *buf, size_t size)
{
	_cleanup_free_ char *text = cJSON_PrintUnformatted(value);

	return ckpt_text_quote(buf, size, text ? text : "?");
}

static int bad(const struct ckpt_run_config *config, const struct row *row, const cJSON *value,
	       struct ckpt_error *err)
{
	char found[96];

	return ckpt_fail(err, CKPT_RUN_CONFIG_BAD, "%s: %s.%s is %s; allowed: %s",
			 CKPT_QUOTE(config->file), row->section, row->key,
			 shown(value, found, sizeof(found)), row->allowed);
}

/* null stands for a key that is not there, as programs' defaults have it. */
static bool is_given(const cJSON *value)
{
	return value && !cJSON_IsNull(value);
}

static int read_row(const struct row *row, const cJSON *document, struct ckpt_run_config *config,
		    struct ckpt_error *err)
{
	const cJSON *section = cJSON_GetObjectItemCaseSensitive(document, row->section);
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(section, row->key);
	int r;

	if (!is_given(value))
		return 0; /* a section of another shape is the program's own */
	r = row->read(row, value, config);
	if (r > 0)
		return bad(config, row, value, err);
	return r < 0 ? ckpt_fail(err, r, "no memory for %s", CKPT_QUOTE(config->file)) : 0;
}

/* Says where the program's own rotation leaves nothing to fall back on. Never a reason for us to
 * delete. */
static void add_warning(struct ckpt_run_config *config)
{
	const char *what = NULL;

	if (config->save_best_only)
		what = "checkpoints.save_best_only";
	else if (config->has_max_checkpoints && config->max_checkpoints == 1)
		what = "checkpoints.max_checkpoints: 1";
	if (what)
		snprintf(config->warning, sizeof(config->warning),
			 "%s in the run configuration leaves no fallback when the newest "
			 "checkpoint is damaged",
			 what);
}

static int read_document(const cJSON *document, struct ckpt_run_config *config,
			 struct ckpt_error *err)
{
	if (!cJSON_IsObject(document))
		return ckpt_fail(err, CKPT_RUN_CONFIG_BAD, "%s: not a JSON object",
				 CKPT_QUOTE(config->file));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = read_row(&rows[i], document, config, err);

		if (r != 0)
			return r;
	}
	add_warning(config);
	config->present = true;
	return 0;
}

int ckpt_run_config_load(struct ckpt_ctx *ctx, const char *path, bool optional,
			 struct ckpt_run_config *ret, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *document = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (!ckpt_text_copy(ret->file, sizeof(ret->file), path))
		return ckpt_fail(err, -ENAMETOOLONG, "run configuration %s: path too long",
				 CKPT_QUOTE(path));
	r = ckpt_file_slurp(ctx, AT_FDCWD, path, CKPT_JSON_MAX, &text, &len, err);
	if (r == -ENOENT && optional)
		return 0;
	if (r > 0)
		return ckpt_fail(err, CKPT_RUN_CONFIG_BAD, "%s: not a regular file",
				 CKPT_QUOTE(path));
	if (r == -EFBIG)
		return ckpt_fail(err, CKPT_RUN_CONFIG_BAD, "%s: larger than %d bytes",
				 CKPT_QUOTE(path), CKPT_JSON_MAX);
	if (r < 0)
		return r;
	r = ckpt_json_parse(text, len, &document, err);
	if (r > 0)
		return ckpt_fail(err, CKPT_RUN_CONFIG_BAD, "%s: torn: not one whole JSON document",
				 CKPT_QUOTE(path));
	return r < 0 ? r : read_document(document, ret, err);
}

static void free_list(char **list)
{
	for (; *list; list++) {
		free(*list);
		*list = NULL;
	}
}

void ckpt_run_config_done(struct ckpt_run_config *config)
{
	free_list(config->fetch);
	free_list(config->required_keys);
}
