/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See epoch_info.h. A file is changed member by member: what is not ours is written back byte for
 * byte as it was read (a 64-bit seed, an Infinity, the program's own layout), because a parsed and
 * printed number may be another one.
 */
#include "core/record/epoch_info.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/json.h"
#include "core/record/backup.h"
#include "wire/text.h"

#define TORN_SUFFIX ".torn"

/* The file as read: its text, its values, and its members with their values as raw text. */
struct document {
	char *text; /* NULL: too large, or no regular file */
	size_t len;
	cJSON *values, *raw;
	bool changed;
};

static void document_done(struct document *doc)
{
	free(doc->text);
	cJSON_Delete(doc->values);
	cJSON_Delete(doc->raw);
}
#define _cleanup_document_ _cleanup_(document_done)

static const char *skip_blank(const char *p)
{
	while (*p && (unsigned char)*p <= ' ')
		p++;
	return p;
}

/* Behind the string that begins at @p. */
static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* Behind the value that begins at @p: at the comma or bracket that ends it. */
static const char *skip_value(const char *p)
{
	int depth = 0;

	while (*p) {
		if (*p == '"') {
			p = skip_string(p);
			continue;
		}
		if (depth == 0 && (*p == ',' || *p == '}'))
			return p;
		depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
		p++;
	}
	return p;
}

/* Adds one member with the texts of its key (quoted) and value. 0 or -ENOMEM. */
static int add_raw(cJSON *raw, const char *key, const char *key_end, const char *end)
{
	const char *value = skip_blank(skip_blank(key_end) + 1); /* behind the colon */
	_cleanup_json_ cJSON *name = cJSON_ParseWithLength(key, (size_t)(key_end - key));
	_cleanup_free_ char *text = NULL;
	cJSON *item;

	while (end > value && (unsigned char)end[-1] <= ' ')
		end--;
	text = strndup(value, (size_t)(end - value));
	item = text && name ? cJSON_CreateRaw(text) : NULL;
	if (item && cJSON_AddItemToObject(raw, name->valuestring, item))
		return 0;
	cJSON_Delete(item);
	return -ENOMEM;
}

/* The members of @text, which is known to be one whole JSON object. NULL = no memory. */
static cJSON *split_members(const char *text)
{
	_cleanup_json_ cJSON *raw = cJSON_CreateObject();
	const char *p = strchr(text, '{');

	p = p ? skip_blank(p + 1) : "";
	while (raw && *p == '"') {
		const char *key_end = skip_string(p), *end = skip_value(key_end);

		if (add_raw(raw, p, key_end, end) < 0)
			return NULL;
		p = skip_blank(*end == ',' ? end + 1 : end);
	}
	return ckpt_take_ptr(raw);
}

/* Of members of one of our names that stand there twice the last alone: Python, too, reads that
 * one. */
static void keep_last(cJSON *object)
{
	static const char *const keys[] = {
		"last_completed_epoch", "best_epoch", "best_score", "step",
		"checkpoint",		"job_id",     "attempt",    "reason",
		"recorded_by",		"timestamp"
	};
	cJSON *last[sizeof(keys) / sizeof(keys[0])] = { NULL }, *item;

	cJSON_ArrayForEach (item, object) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			if (strcmp(item->string, keys[i]) != 0)
				continue;
			cJSON_Delete(last[i] ? cJSON_DetachItemViaPointer(object, last[i]) : NULL);
			last[i] = item;
		}
	}
}

static int torn(struct ckpt_error *err, const char *how)
{
	return ckpt_fail(err, CKPT_EPOCH_INFO_TORN, "%s %s: treated as absent", CKPT_EPOCH_INFO,
			 how);
}

/* 0, ABSENT, TORN (doc->text is there if it could be read) or an errno. */
static int read_document(struct ckpt_ctx *ctx, int dirfd, struct document *doc,
			 struct ckpt_error *err)
{
	int r = ckpt_file_slurp(ctx, dirfd, CKPT_EPOCH_INFO, CKPT_JSON_MAX, &doc->text, &doc->len,
				err);

	if (r == -ENOENT)
		return CKPT_EPOCH_INFO_ABSENT;
	if (r > 0)
		return torn(err, "is no regular file");
	if (r == -EFBIG)
		return torn(err, "is too large");
	if (r < 0)
		return r;
	if (memchr(doc->text, '\0', doc->len))
		return torn(err, "holds NUL bytes");
	r = ckpt_json_parse(doc->text, doc->len, &doc->values, err);
	if (r > 0)
		return torn(err, "is not one whole JSON document");
	if (r < 0)
		return r;
	if (!cJSON_IsObject(doc->values))
		return torn(err, "is no JSON object");
	doc->raw = split_members(doc->text);
	if (!doc->raw)
		return ckpt_fail(err, -ENOMEM, "no memory for %s", CKPT_EPOCH_INFO);
	keep_last(doc->values);
	keep_last(doc->raw);
	return 0;
}

static void copy_text(char *dst, size_t size, const cJSON *object, const char *key)
{
	const char *text = ckpt_json_text(object, key);

	if (text)
		ckpt_text_copy(dst, size, text);
}

int ckpt_epoch_info_load(struct ckpt_ctx *ctx, int dirfd, struct ckpt_epoch_info *ret,
			 struct ckpt_error *err)
{
	_cleanup_document_ struct document doc = { 0 };
	struct ckpt_epoch_info info = { 0 };
	int r = read_document(ctx, dirfd, &doc, err);

	if (r != 0)
		return r;
	info.has_last =
		ckpt_json_int(doc.values, "last_completed_epoch", &info.last_completed_epoch);
	info.has_best_epoch = ckpt_json_int(doc.values, "best_epoch", &info.best_epoch);
	info.has_best_score = ckpt_json_number(doc.values, "best_score", &info.best_score);
	info.has_step = ckpt_json_int(doc.values, "step", &info.step);
	copy_text(info.checkpoint, sizeof(info.checkpoint), doc.values, "checkpoint");
	copy_text(info.recorded_by, sizeof(info.recorded_by), doc.values, "recorded_by");
	*ret = info;
	return 0;
}

/* Takes @item. 0 or -ENOMEM. */
static int put(struct document *doc, const char *key, cJSON *item)
{
	bool ok;

	if (!item)
		return -ENOMEM;
	ok = cJSON_HasObjectItem(doc->raw, key) && cJSON_GetObjectItemCaseSensitive(doc->raw, key)
		     ? cJSON_ReplaceItemInObjectCaseSensitive(doc->raw, key, item)
		     : cJSON_AddItemToObject(doc->raw, key, item);
	if (!ok) {
		cJSON_Delete(item);
		return -ENOMEM;
	}
	doc->changed = true;
	return 0;
}

static int put_int(struct document *doc, const char *key, int64_t value)
{
	int64_t old;

	if (ckpt_json_int(doc->values, key, &old) && old == value)
		return 0;
	return put(doc, key, cJSON_CreateNumber((double)value));
}

static int put_text(struct document *doc, const char *key, const char *value)
{
	const char *old = ckpt_json_text(doc->values, key);

	if (old && strcmp(old, value) == 0)
		return 0;
	return put(doc, key, cJSON_CreateString(value));
}

static int drop(struct document *doc, const char *key)
{
	if (!cJSON_GetObjectItemCaseSensitive(doc->raw, key))
		return 0;
	cJSON_DeleteItemFromObjectCaseSensitive(doc->raw, key);
	doc->changed = true;
	return 0;
}

static bool is_ours(const struct document *doc)
{
	const char *by = ckpt_json_text(doc->values, "recorded_by");

	return by && strcmp(by, CKPT_RECORDED_BY) == 0;
}

static const char *text_of(const char *s)
{
	return s ? s : "";
}

static int put_or_drop_int(struct document *doc, const char *key, bool known, int64_t value)
{
	return known ? put_int(doc, key, value) : drop(doc, key);
}

static int put_or_drop_text(struct document *doc, const char *key, const char *value)
{
	return *text_of(value) ? put_text(doc, key, value) : drop(doc, key);
}

/* ISO 8601 with an offset that Python's fromisoformat() has understood since 3.7. */
static int put_now(struct document *doc)
{
	time_t now = time(NULL);
	char text[40];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &tm))
		return -EOVERFLOW;
	return put_text(doc, "timestamp", text);
}

/* Makes the document our record; members that are neither ours nor about the last epoch stay. */
static int fill_ours(struct document *doc, const struct ckpt_epoch_record *record)
{
	const struct ckpt_position *at = &record->position;
	int r;

	if ((r = put_or_drop_int(doc, "last_completed_epoch", record->has_last,
				 record->last_completed_epoch)) < 0 ||
	    (r = put_or_drop_int(doc, "step", at->has_step, at->step)) < 0 ||
	    (r = put_or_drop_text(doc, "checkpoint", record->checkpoint)) < 0 ||
	    (r = put_int(doc, "job_id", record->job_id)) < 0 ||
	    (r = put_int(doc, "attempt", record->attempt)) < 0 ||
	    (r = put_or_drop_text(doc, "reason", record->reason)) < 0)
		return r;
	r = put_text(doc, "recorded_by", CKPT_RECORDED_BY);
	return r < 0 ? r : put_now(doc);
}

static int store(int dirfd, const struct document *doc, struct ckpt_error *err)
{
	return ckpt_json_store(dirfd, CKPT_EPOCH_INFO, doc->raw, err);
}

/* Writes our record into @doc, or where there is none (raw is NULL) into a new one. */
static int store_ours(int dirfd, struct document *doc, const struct ckpt_epoch_record *record,
		      struct ckpt_error *err)
{
	int r;

	if (!doc->raw)
		doc->raw = cJSON_CreateObject();
	r = doc->raw ? fill_ours(doc, record) : -ENOMEM;
	if (r < 0)
		return ckpt_fail(err, r, "cannot make %s: %s", CKPT_EPOCH_INFO, strerror(-r));
	return store(dirfd, doc, err);
}

/* A torn file may have left values behind that belong to no document. */
static void forget(struct document *doc)
{
	cJSON_Delete(ckpt_take_ptr(doc->values));
	cJSON_Delete(ckpt_take_ptr(doc->raw));
}

int ckpt_epoch_info_write(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_epoch_record *record,
			  struct ckpt_error *err)
{
	_cleanup_document_ struct document doc = { 0 };
	int r = read_document(ctx, dirfd, &doc, err);

	if (r < 0)
		return r;
	if (r == CKPT_EPOCH_INFO_TORN) {
		forget(&doc);
		r = ckpt_set_aside(dirfd, CKPT_EPOCH_INFO, TORN_SUFFIX, err);
		if (r < 0)
			return r;
	} else if (r == 0 && !is_ours(&doc)) {
		return CKPT_EPOCH_INFO_FOREIGN;
	}
	return store_ours(dirfd, &doc, record, err);
}

/* The former name's directory part is kept: a program that wrote a path reads a path. */
static int align_checkpoint(struct document *doc, const char *name)
{
	const char *old = ckpt_json_text(doc->values, "checkpoint");
	const char *slash = old ? strrchr(old, '/') : NULL;
	char path[8192];
	int len;

	if (!*name)
		return 0;
	if (!slash)
		return put_text(doc, "checkpoint", name);
	len = snprintf(path, sizeof(path), "%.*s%s", (int)(slash - old + 1), old, name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	return put_text(doc, "checkpoint", path);
}

static int align_best(struct document *doc, int64_t last)
{
	int64_t best;

	if (!ckpt_json_int(doc->values, "best_epoch", &best) || best <= last)
		return 0;
	drop(doc, "best_epoch");
	return drop(doc, "best_score");
}

static int align_members(struct document *doc, const struct ckpt_epoch_record *record)
{
	const struct ckpt_position *at = &record->position;
	int r = 0;

	if (record->has_last) {
		r = put_int(doc, "last_completed_epoch", record->last_completed_epoch);
		if (r == 0)
			r = align_best(doc, record->last_completed_epoch);
	}
	if (r == 0 && at->has_step)
		r = put_int(doc, "step", at->step);
	else if (r == 0 && is_ours(doc))
		r = drop(doc, "step");
	return r < 0 ? r : align_checkpoint(doc, text_of(record->checkpoint));
}

static int back_up(struct ckpt_ctx *ctx, int backup_dirfd, const struct document *doc,
		   const struct ckpt_epoch_record *record, struct ckpt_error *err)
{
	const struct ckpt_backup backup = {
		.name = CKPT_EPOCH_INFO,
		.attempt = record->attempt,
		.data = doc->text,
		.len = doc->len,
	};

	return ckpt_backup_store(ctx, backup_dirfd, &backup, err);
}

/* The program would stumble over a torn file: it is kept and a whole one takes its place. */
static int align_torn(struct ckpt_ctx *ctx, const int fds[2], struct document *doc,
		      const struct ckpt_epoch_record *record, struct ckpt_error *err)
{
	int r = doc->text ? back_up(ctx, fds[1], doc, record, err)
			  : ckpt_set_aside(fds[0], CKPT_EPOCH_INFO, TORN_SUFFIX, err);

	if (r < 0)
		return r;
	forget(doc);
	return store_ours(fds[0], doc, record, err);
}

int ckpt_epoch_info_align(struct ckpt_ctx *ctx, int dirfd, int backup_dirfd,
			  const struct ckpt_epoch_record *record, struct ckpt_error *err)
{
	_cleanup_document_ struct document doc = { 0 };
	int r = read_document(ctx, dirfd, &doc, err);

	if (r == CKPT_EPOCH_INFO_TORN)
		return align_torn(ctx, (const int[]) { dirfd, backup_dirfd }, &doc, record, err);
	if (r != 0)
		return r;
	r = align_members(&doc, record);
	if (r < 0)
		return ckpt_fail(err, r, "cannot align %s: %s", CKPT_EPOCH_INFO, strerror(-r));
	if (!doc.changed)
		return CKPT_EPOCH_INFO_SAME;
	r = back_up(ctx, backup_dirfd, &doc, record, err);
	return r < 0 ? r : store(dirfd, &doc, err);
}
