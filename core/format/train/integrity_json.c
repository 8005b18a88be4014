/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See integrity_json.h. The names are relative to the directory and never lead out of it.
 */
#include "core/format/train/integrity_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/sha256.h"
#include "core/base/share.h"
#include "wire/text.h"

static int reject_list(struct ckpt_check *check, enum ckpt_status status,
		       enum ckpt_problem_code code, const char *detail)
{
	return ckpt_check_blame(
		check, CKPT_INTEGRITY_JSON,
		ckpt_check_reject(check, status, code, CKPT_NO_OFFSET, NULL, "%s", detail));
}

static int load(struct ckpt_check *check, cJSON **ret)
{
	int r = ckpt_json_load(check->ctx, check->dirfd, CKPT_INTEGRITY_JSON, ret, check->err);

	if (r == CKPT_JSON_TORN)
		return reject_list(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
				   "it is no whole JSON document");
	if (r == CKPT_JSON_LARGE)
		return reject_list(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
				   "it is larger than is read here");
	if (r > 0)
		return reject_list(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
				   "it is not a regular file");
	return r;
}

/* A path below the directory: no root, no "..". */
static bool is_below(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
		if (strcspn(p, "/") == 0 || (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2])))
			return false;
	return *path != '\0';
}

static int fill(struct ckpt_check *check, const cJSON *files, struct ckpt_sha256_item *items)
{
	const cJSON *file;
	size_t n = 0;

	cJSON_ArrayForEach (file, files) {
		items[n] = (struct ckpt_sha256_item) { .name = file->string };
		if (!is_below(file->string) || !cJSON_IsString(file) ||
		    !ckpt_sha256_parse(file->valuestring, items[n].expected))
			return reject_list(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
					   "an entry is no file of this directory with a SHA-256");
		n++;
	}
	return 0;
}

/* The verdict that the first item with an answer gives. */
static int item_verdict(struct ckpt_check *check, const struct ckpt_sha256_item *item)
{
	int r;

	switch (item->result) {
	case CKPT_SHA256_MISMATCH:
		r = ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST, CKPT_NO_OFFSET,
				      NULL, "its SHA-256 is not the one in " CKPT_INTEGRITY_JSON);
		break;
	case CKPT_SHA256_CHANGED:
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
				      CKPT_NO_OFFSET, NULL, "the file changed while it was read");
		break;
	case CKPT_SHA256_NOT_REGULAR:
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
		break;
	case -ENOENT:
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL,
				      "it is missing, but stands in " CKPT_INTEGRITY_JSON);
		break;
	default:
		return 0;
	}
	return ckpt_check_blame(check, item->name, r);
}

/* Moves the items that are read here to the front; returns how many. */
static size_t keep_share(const struct ckpt_check *check, struct ckpt_sha256_item *items, size_t n)
{
	size_t mine = 0;

	for (size_t i = 0; i < n; i++)
		if (ckpt_share_takes_file(check->ctx->share, items[i].name))
			items[mine++] = items[i];
	return mine;
}

static int compare(struct ckpt_check *check, const cJSON *files, struct ckpt_integrity_counts *ret)
{
	_cleanup_free_ struct ckpt_sha256_item *items = NULL;
	int n = cJSON_GetArraySize(files), r;
	size_t mine;

	if (n > CKPT_INTEGRITY_FILES)
		return reject_list(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
				   "it names more files than are compared here");
	items = calloc((size_t)n + 1, sizeof(*items));
	if (!items)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a list of digests");
	r = fill(check, files, items);
	if (r)
		return r;
	for (int i = 0; i < n; i++)
		ret->n_distcp += ckpt_text_ends(items[i].name, ".distcp");
	mine = keep_share(check, items, (size_t)n);
	r = ckpt_sha256_verify(check->ctx, check->dirfd, items, mine, check->err);
	for (size_t i = 0; r > 0 && i < mine; i++)
		if (item_verdict(check, &items[i]))
			return (int)check->report->verdict.status;
	ret->n_files = (uint64_t)n;
	return r;
}

int ckpt_integrity_json_check(struct ckpt_check *check, struct ckpt_integrity_counts *ret)
{
	_cleanup_json_ cJSON *list = NULL;
	const cJSON *files;
	const char *algorithm;
	int r;

	*ret = (struct ckpt_integrity_counts) { .found = false };
	if (ckpt_dir_lacks(check->dirfd, CKPT_INTEGRITY_JSON))
		return 0;
	r = load(check, &list);
	if (r)
		return r;
	algorithm = ckpt_json_text(list, "algorithm");
	files = cJSON_GetObjectItemCaseSensitive(list, "files");
	if (!algorithm || !cJSON_IsObject(files))
		return reject_list(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
				   "it holds no algorithm and files");
	if (strcmp(algorithm, "sha256") != 0)
		return 0;
	ret->found = true;
	return compare(check, files, ret);
}
