/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See mark.h. A candidate is one string, "inode:size:mtime_ns:name", because 100,000 of them as
 * objects would be four times the size. A mark is whole or torn: guessing a missing part would turn
 * somebody else's checkpoints into ours.
 */
#include "core/record/mark.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/base/json.h"
#include "wire/text.h"

#define VERSION 1
#define RUN_ID_LEN 32
#define CANDIDATES "candidates"

/* The members of the document but for the version and the candidates, one row each. */
struct row {
	const char *key;
	size_t offset;
	size_t size; /* of a text; 0: an int64_t */
};

#define TEXT(member)                                                                               \
	{                                                                                          \
#member, offsetof(struct ckpt_mark, member),                                       \
			sizeof(((struct ckpt_mark *)0)->member)                                    \
	}
#define INT(member)                                                                                \
	{                                                                                          \
#member, offsetof(struct ckpt_mark, member), 0                                     \
	}

static const struct row rows[] = {
	TEXT(run),	    INT(job_id), TEXT(cluster),	  INT(array_task), TEXT(continues),
	INT(continues_job), TEXT(base),	 TEXT(base_mode), TEXT(base_step), TEXT(base_epoch),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int ckpt_run_id(char *buf)
{
	unsigned char bytes[RUN_ID_LEN / 2];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(buf + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static bool is_run_id(const char *s)
{
	return strlen(s) == RUN_ID_LEN && strspn(s, "0123456789abcdef") == RUN_ID_LEN;
}

/* A decimal up to @end, where *@s then stands behind it. False if there is none. */
static bool take_u64(const char **s, char end, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;

	if (*p == end)
		return false;
	for (; *p != end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	}
	*s = p + 1;
	*ret = value;
	return true;
}

static bool take_i64(const char **s, char end, int64_t *ret)
{
	bool negative = **s == '-';
	const char *p = *s + negative;
	uint64_t value;

	if (!take_u64(&p, end, &value) || value > INT64_MAX)
		return false;
	*s = p;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool is_entry_name(const char *name)
{
	return *name && strlen(name) <= NAME_MAX && !strchr(name, '/');
}

/* 0, CKPT_STATE_TORN or -ENOMEM. */
static int add_candidate(struct ckpt_mark *mark, const cJSON *item)
{
	const char *s = cJSON_IsString(item) ? item->valuestring : "";
	struct ckpt_identity id = { 0 };

	if (!take_u64(&s, ':', &id.ino) || !take_u64(&s, ':', &id.size) ||
	    !take_i64(&s, ':', &id.mtime_ns) || !is_entry_name(s))
		return CKPT_STATE_TORN;
	return ckpt_mark_add(mark, s, &id);
}

static int read_candidates(struct ckpt_mark *mark, const cJSON *document)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, CANDIDATES);
	const cJSON *item;

	if (!cJSON_IsArray(list))
		return CKPT_STATE_TORN;
	cJSON_ArrayForEach (item, list) {
		int r = add_candidate(mark, item);

		if (r != 0)
			return r;
	}
	ckpt_mark_sort(mark);
	return 0;
}

static bool read_row(const struct row *row, const cJSON *document, struct ckpt_mark *mark)
{
	char *member = (char *)mark + row->offset;
	const char *text;

	if (row->size == 0)
		return ckpt_json_int(document, row->key, (int64_t *)(void *)member);
	text = ckpt_json_text(document, row->key);
	return text && ckpt_text_copy(member, row->size, text);
}

static int read_document(const cJSON *document, struct ckpt_mark *mark, struct ckpt_error *err)
{
	int64_t version;
	int r;

	if (!ckpt_json_int(document, "version", &version) || version != VERSION)
		return ckpt_fail(err, CKPT_STATE_TORN,
				 "%s/%s is no mark that this version can read", CKPT_STATE_DIR,
				 CKPT_MARK);
	for (size_t i = 0; i < N_ROWS; i++)
		if (!read_row(&rows[i], document, mark))
			return ckpt_fail(err, CKPT_STATE_TORN, "%s/%s: \"%s\" is missing or bad",
					 CKPT_STATE_DIR, CKPT_MARK, rows[i].key);
	if (!is_run_id(mark->run))
		return ckpt_fail(err, CKPT_STATE_TORN, "%s/%s: \"run\" is no run id",
				 CKPT_STATE_DIR, CKPT_MARK);
	r = read_candidates(mark, document);
	if (r > 0)
		return ckpt_fail(err, r, "%s/%s: \"%s\" is missing or bad", CKPT_STATE_DIR,
				 CKPT_MARK, CANDIDATES);
	return r;
}

int ckpt_mark_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_mark *ret, struct ckpt_error *err)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	_cleanup_json_ cJSON *document = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = ckpt_file_slurp(ctx, statefd, CKPT_MARK, CKPT_MARK_MAX, &text, &len, err);
	if (r == -ENOENT)
		return CKPT_STATE_ABSENT;
	if (r > 0 || r == -EFBIG)
		return ckpt_fail(err, CKPT_STATE_TORN, "%s/%s is %s", CKPT_STATE_DIR, CKPT_MARK,
				 r > 0 ? "no regular file" : "larger than any mark");
	if (r < 0)
		return r;
	r = ckpt_json_parse(text, len, &document, err);
	if (r > 0)
		return ckpt_fail(err, CKPT_STATE_TORN, "%s/%s is torn: not one whole JSON document",
				 CKPT_STATE_DIR, CKPT_MARK);
	if (r == 0)
		r = read_document(document, &mark, err);
	if (r != 0)
		return r;
	*ret = mark;
	mark = (struct ckpt_mark) { 0 };
	return 0;
}

bool ckpt_mark_is_task(struct ckpt_ctx *ctx, const char *dir, const struct ckpt_request *req)
{
	_cleanup_close_ int statefd = ckpt_state_open_in(dir, NULL);
	_cleanup_mark_ struct ckpt_mark mark = { 0 };

	return statefd >= 0 && ckpt_mark_load(ctx, statefd, &mark, NULL) == 0 &&
	       mark.array_task != CKPT_REQUEST_NO_TASK &&
	       !(mark.job_id == req->job_id && strcmp(mark.cluster, req->cluster) == 0);
}

static bool write_row(const struct row *row, const struct ckpt_mark *mark, cJSON *document)
{
	const char *member = (const char *)mark + row->offset;

	if (row->size)
		return cJSON_AddStringToObject(document, row->key, member);
	return cJSON_AddNumberToObject(document, row->key,
				       (double)*(const int64_t *)(const void *)member);
}

static bool write_candidate(const struct ckpt_foreign *foreign, cJSON *list)
{
	char text[NAME_MAX + 80];
	cJSON *item;

	if ((size_t)snprintf(text, sizeof(text), "%" PRIu64 ":%" PRIu64 ":%" PRId64 ":%s",
			     foreign->ino, foreign->size, foreign->mtime_ns,
			     foreign->name) >= sizeof(text))
		return false;
	item = cJSON_CreateString(text);
	return item && cJSON_AddItemToArray(list, item);
}

/* The mark as a document, or NULL: no memory. */
static cJSON *to_document(const struct ckpt_mark *mark)
{
	_cleanup_json_ cJSON *document = cJSON_CreateObject();
	cJSON *list;

	if (!document || !cJSON_AddNumberToObject(document, "version", VERSION))
		return NULL;
	for (size_t i = 0; i < N_ROWS; i++)
		if (!write_row(&rows[i], mark, document))
			return NULL;
	list = cJSON_AddArrayToObject(document, CANDIDATES);
	for (size_t i = 0; list && i < mark->n_foreign; i++)
		if (!write_candidate(&mark->foreign[i], list))
			return NULL;
	return list ? ckpt_take_ptr(document) : NULL;
}

int ckpt_mark_store(int statefd, const struct ckpt_mark *mark, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *document = to_document(mark);
	_cleanup_free_ char *text = document ? cJSON_Print(document) : NULL;

	if (!text)
		return ckpt_fail(err, -ENOMEM, "no memory for %s", CKPT_MARK);
	if (strlen(text) > CKPT_MARK_MAX)
		return ckpt_fail(err, -EFBIG, "%zu candidates are too many for %s/%s",
				 mark->n_foreign, CKPT_STATE_DIR, CKPT_MARK);
	return ckpt_file_replace(statefd, CKPT_MARK, text, strlen(text), err);
}

int ckpt_mark_add(struct ckpt_mark *mark, const char *name, const struct ckpt_identity *id)
{
	size_t n = mark->n_foreign;
	_cleanup_free_ char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if ((n & (n - 1)) == 0) { /* room runs out at each power of two */
		struct ckpt_foreign *more =
			reallocarray(mark->foreign, n ? 2 * n : 1, sizeof(*more));

		if (!more)
			return -ENOMEM;
		mark->foreign = more;
	}
	mark->foreign[n] = (struct ckpt_foreign) {
		.ino = id->ino,
		.size = id->size,
		.mtime_ns = id->mtime_ns,
		.name = ckpt_take_ptr(copy),
	};
	mark->n_foreign++;
	return 0;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Identities alone: a file that was renamed is the same file. */
static int compare_identity(const struct ckpt_foreign *x, const struct ckpt_foreign *y)
{
	int c = COMPARE(x->ino, y->ino);

	if (!c)
		c = COMPARE(x->size, y->size);
	return c ? c : COMPARE(x->mtime_ns, y->mtime_ns);
}

static int by_identity(const void *a, const void *b)
{
	const struct ckpt_foreign *x = a, *y = b;
	int c = compare_identity(x, y);

	return c ? c : strcmp(x->name, y->name);
}

void ckpt_mark_sort(struct ckpt_mark *mark)
{
	if (mark->n_foreign)
		qsort(mark->foreign, mark->n_foreign, sizeof(*mark->foreign), by_identity);
}

static int compare_found(const void *key, const void *element)
{
	return compare_identity(key, element);
}

bool ckpt_mark_is_foreign(const struct ckpt_mark *mark, const struct ckpt_identity *id)
{
	const struct ckpt_foreign key = { .ino = id->ino,
					  .size = id->size,
					  .mtime_ns = id->mtime_ns };

	return mark->n_foreign &&
	       bsearch(&key, mark->foreign, mark->n_foreign, sizeof(*mark->foreign), compare_found);
}

void ckpt_mark_done(struct ckpt_mark *mark)
{
	for (size_t i = 0; i < mark->n_foreign; i++)
		free(mark->foreign[i].name);
	free(mark->foreign);
	mark->foreign = NULL;
	mark->n_foreign = 0;
}

void ckpt_mark_set_base(struct ckpt_mark *mark, const char *name,
			const struct ckpt_position *position)
{
	ckpt_text_copy(mark->base, sizeof(mark->base), name);
	if (position->has_step)
		snprintf(mark->base_step, sizeof(mark->base_step), "%" PRId64, position->step);
	if (position->has_epoch)
		snprintf(mark->base_epoch, sizeof(mark->base_epoch), "%.17g", position->epoch);
}

struct ckpt_position ckpt_mark_base(const struct ckpt_mark *mark)
{
	struct ckpt_position position = { 0 };
	char *end = NULL;

	position.has_step = ckpt_text_int(mark->base_step, INT64_MIN, INT64_MAX, &position.step);
	position.epoch = strtod(mark->base_epoch, &end);
	position.has_epoch = end != mark->base_epoch && *end == '\0';
	return position;
}
