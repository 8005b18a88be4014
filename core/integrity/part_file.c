/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See part_file.h. Numbers of 64 bit are texts: JSON carries 53.
 */
#include "core/integrity/part_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/libcrypto.h"
#include "core/integrity/files.h"
#include "wire/text.h"

#define VERSION 1
#define PIECES_MAX (2 * CKPT_FILES_MAX) /* a file is cut at most at both ends of a share */

bool ckpt_part_name(const struct ckpt_parts *parts, unsigned int index, char *buf)
{
	return snprintf(buf, NAME_MAX + 1, "%s.part-%u-of-%u.json", parts->name, index,
			parts->count) <= NAME_MAX;
}

static int digest_files(const struct ckpt_files *files, struct ckpt_digest *ret)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	EVP_MD_CTX *md = lib ? lib->EVP_MD_CTX_new() : NULL;
	int ok = md && lib->EVP_DigestInit_ex(md, lib->EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < files->n; i++) {
		const struct ckpt_member *f = &files->f[i];
		const uint64_t id[] = { f->id.ino, f->id.size, (uint64_t)f->id.mtime_ns,
					(uint64_t)f->id.ctime_ns };

		ok = lib->EVP_DigestUpdate(md, f->name, strlen(f->name) + 1) == 1 &&
		     lib->EVP_DigestUpdate(md, id, sizeof(id)) == 1;
	}
	ok = ok && lib->EVP_DigestFinal_ex(md, ret->b, NULL) == 1;
	if (md)
		lib->EVP_MD_CTX_free(md);
	return ok ? 0 : lib ? -ENOMEM : -ELIBACC;
}

int ckpt_part_files(const struct ckpt_set *set, char ret[CKPT_DIGEST_HEX], struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, err);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, err);
	_cleanup_files_ struct ckpt_files files = { 0 };
	struct ckpt_digest digest;
	int r = rootfd < 0 ? rootfd : ckpt_files_list(rootfd, set, &files, err);

	if (r == 0)
		r = digest_files(&files, &digest);
	if (r == 0)
		ckpt_digest_text(ret, &digest);
	return r > 0 ? -E2BIG : r;
}

static void add_u64(cJSON *array, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

static cJSON *pieces_json(const struct ckpt_share *share)
{
	cJSON *array = cJSON_CreateArray();

	for (const struct ckpt_share_piece *p = share->pieces; p; p = p->next) {
		cJSON *o = p->done ? cJSON_CreateArray() : NULL;

		if (!o)
			continue;
		add_u64(o, p->ino);
		add_u64(o, (uint64_t)p->kind);
		add_u64(o, p->range_off);
		add_u64(o, p->range_len);
		add_u64(o, p->off);
		add_u64(o, p->len);
		add_u64(o, p->expected);
		add_u64(o, p->crc);
		cJSON_AddItemToArray(array, o);
	}
	return array;
}

static void add_number(cJSON *o, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	cJSON_AddStringToObject(o, key, text);
}

static cJSON *problem_json(const struct ckpt_problem *p)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "code", ckpt_problem_name(p->code));
	add_number(o, "offset", p->offset);
	cJSON_AddStringToObject(o, "file", p->file);
	cJSON_AddStringToObject(o, "member", p->member);
	cJSON_AddStringToObject(o, "detail", p->detail);
	return o;
}

static cJSON *differing_json(const struct ckpt_differing *all)
{
	cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "first");

	add_number(o, "ranges", all->ranges);
	add_number(o, "bytes", all->bytes);
	cJSON_AddBoolToObject(o, "cut", all->cut);
	for (int i = 0; i < all->n_named; i++) {
		const struct ckpt_differing_range *d = &all->named[i];
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "file", d->file);
		cJSON_AddStringToObject(one, "member", d->member);
		add_number(one, "off", d->off);
		add_number(one, "len", d->len);
		cJSON_AddItemToArray(list, one);
	}
	return o;
}

int ckpt_part_store(const struct ckpt_parts *parts, const struct ckpt_part *part,
		    struct ckpt_error *err)
{
	const struct ckpt_verdict *v = &part->verdict;
	_cleanup_json_ cJSON *o = cJSON_CreateObject();
	char name[NAME_MAX + 1];

	if (!ckpt_part_name(parts, part->share.index, name))
		return ckpt_fail(err, -ENAMETOOLONG, "the name %s is too long for a part",
				 CKPT_QUOTE(parts->name));
	cJSON_AddNumberToObject(o, "part_version", VERSION);
	cJSON_AddNumberToObject(o, "index", part->share.index);
	cJSON_AddNumberToObject(o, "count", part->share.count);
	cJSON_AddStringToObject(o, "run", part->run);
	cJSON_AddStringToObject(o, "way", part->share.way);
	cJSON_AddStringToObject(o, "files", part->files);
	cJSON_AddStringToObject(o, "format", part->format);
	cJSON_AddStringToObject(o, "verdict", ckpt_status_name(v->status));
	cJSON_AddStringToObject(o, "evidence", ckpt_evidence_name(v->evidence));
	cJSON_AddStringToObject(o, "note", v->note);
	cJSON_AddNumberToObject(o, "size_bytes", (double)v->size_bytes);
	cJSON_AddNumberToObject(o, "bytes_read", (double)v->bytes_read);
	cJSON_AddNumberToObject(o, "seconds", v->seconds);
	cJSON_AddItemToObject(o, "problem", problem_json(&v->problem));
	cJSON_AddItemToObject(o, "differing", differing_json(&part->differing));
	if (!cJSON_AddItemToObject(o, "pieces", pieces_json(&part->share)))
		return ckpt_fail(err, -ENOMEM, "no memory to write %s", CKPT_QUOTE(name));
	return ckpt_json_store(parts->dirfd, name, o, err);
}

/* The value whose word is member @key of @o, of those up to @last; -1 if there is none. */
static int word_value(const cJSON *o, const char *key, const char *(*name)(int), int last)
{
	const char *word = ckpt_json_text(o, key);

	for (int i = 0; word && i <= last; i++)
		if (strcmp(word, name(i)) == 0)
			return i;
	return -1;
}

static const char *status_word(int i)
{
	return ckpt_status_name((enum ckpt_status)i);
}

static const char *evidence_word(int i)
{
	return ckpt_evidence_name((enum ckpt_evidence)i);
}

static const char *problem_word(int i)
{
	return ckpt_problem_name((enum ckpt_problem_code)i);
}

/* Copies member @key, a text, cleaned. False if it is none, or does not fit. */
static bool parse_text(const cJSON *o, const char *key, char *ret, size_t size)
{
	const char *text = ckpt_json_text(o, key);

	if (!text || strlen(text) >= size)
		return false;
	memcpy(ret, text, strlen(text) + 1);
	ckpt_text_clean(ret);
	return true;
}

static bool parse_u64(const char *text, uint64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool parse_problem(const cJSON *o, struct ckpt_problem *p)
{
	int code = word_value(o, "code", problem_word, CKPT_PROBLEM_COUNT - 1);

	if (code < 0)
		return false;
	p->code = (enum ckpt_problem_code)code;
	return parse_u64(ckpt_json_text(o, "offset"), &p->offset) &&
	       parse_text(o, "file", p->file, sizeof(p->file)) &&
	       parse_text(o, "member", p->member, sizeof(p->member)) &&
	       parse_text(o, "detail", p->detail, sizeof(p->detail));
}

static bool parse_range(const cJSON *o, struct ckpt_differing_range *ret)
{
	return parse_text(o, "file", ret->file, sizeof(ret->file)) &&
	       parse_text(o, "member", ret->member, sizeof(ret->member)) &&
	       parse_u64(ckpt_json_text(o, "off"), &ret->off) &&
	       parse_u64(ckpt_json_text(o, "len"), &ret->len);
}

static bool parse_differing(const cJSON *o, struct ckpt_differing *all)
{
	const cJSON *one;

	cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(o, "first"))
		if (all->n_named == CKPT_DIFFERENCES_NAMED ||
		    !parse_range(one, &all->named[all->n_named++]))
			return false;
	all->cut = ckpt_json_bool(o, "cut", true);
	return parse_u64(ckpt_json_text(o, "bytes"), &all->bytes) &&
	       parse_u64(ckpt_json_text(o, "ranges"), &all->ranges) &&
	       all->ranges >= (uint64_t)all->n_named;
}

static bool parse_verdict(const cJSON *o, struct ckpt_verdict *v)
{
	int status = word_value(o, "verdict", status_word, CKPT_MISSING);
	int evidence = word_value(o, "evidence", evidence_word, CKPT_EVIDENCE_SEAL);
	int64_t size, read;

	if (status < 0 || evidence < 0 || !ckpt_json_int(o, "size_bytes", &size) ||
	    !ckpt_json_int(o, "bytes_read", &read) || size < 0 || read < 0 ||
	    !ckpt_json_number(o, "seconds", &v->seconds) ||
	    !parse_text(o, "note", v->note, sizeof(v->note)))
		return false;
	v->status = (enum ckpt_status)status;
	v->evidence = (enum ckpt_evidence)evidence;
	v->size_bytes = (uint64_t)size;
	v->bytes_read = (uint64_t)read;
	return parse_problem(cJSON_GetObjectItemCaseSensitive(o, "problem"), &v->problem);
}

/* A piece lies in its range, and neither wraps. */
static bool is_piece(const struct ckpt_share_piece *p)
{
	uint64_t end, range_end;

	return !__builtin_add_overflow(p->off, p->len, &end) &&
	       !__builtin_add_overflow(p->range_off, p->range_len, &range_end) &&
	       p->off >= p->range_off && end <= range_end && p->len > 0;
}

static bool parse_piece(const cJSON *o, struct ckpt_share *share)
{
	struct ckpt_share_piece p = { .done = true };
	uint64_t numbers[8];
	const cJSON *item;
	size_t n = 0;

	cJSON_ArrayForEach (item, o)
		if (n == 8 || !parse_u64(cJSON_GetStringValue(item), &numbers[n++]))
			return false;
	if (n != 8 || numbers[1] > 1 || numbers[6] > UINT32_MAX || numbers[7] > UINT32_MAX)
		return false;
	p.ino = numbers[0];
	p.kind = (int)numbers[1];
	p.range_off = numbers[2];
	p.range_len = numbers[3];
	p.off = numbers[4];
	p.len = numbers[5];
	p.expected = (uint32_t)numbers[6];
	p.crc = (uint32_t)numbers[7];
	return is_piece(&p) && ckpt_share_add(share, &p);
}

static bool parse_part(const cJSON *o, struct ckpt_part *part)
{
	const cJSON *pieces = cJSON_GetObjectItemCaseSensitive(o, "pieces"), *piece;
	int64_t version, index, count;

	if (!ckpt_json_int(o, "part_version", &version) || version != VERSION ||
	    !ckpt_json_int(o, "index", &index) || index != part->share.index ||
	    !ckpt_json_int(o, "count", &count) || count != part->share.count ||
	    !parse_text(o, "run", part->run, sizeof(part->run)) ||
	    !parse_text(o, "way", part->share.way, sizeof(part->share.way)) ||
	    !parse_text(o, "files", part->files, sizeof(part->files)) ||
	    !parse_text(o, "format", part->format, sizeof(part->format)) ||
	    !parse_verdict(o, &part->verdict) ||
	    !parse_differing(cJSON_GetObjectItemCaseSensitive(o, "differing"), &part->differing) ||
	    !cJSON_IsArray(pieces) || cJSON_GetArraySize(pieces) > PIECES_MAX)
		return false;
	cJSON_ArrayForEach (piece, pieces)
		if (!parse_piece(piece, &part->share))
			return false;
	return true;
}

int ckpt_part_load(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, unsigned int index,
		   struct ckpt_part *ret, struct ckpt_error *err)
{
	struct ckpt_part part = { .share = { .index = index, .count = parts->count } };
	_cleanup_json_ cJSON *o = NULL;
	char name[NAME_MAX + 1];
	int r;

	if (!ckpt_part_name(parts, index, name))
		return ckpt_fail(err, -ENAMETOOLONG, "the name %s is too long for a part",
				 CKPT_QUOTE(parts->name));
	r = ckpt_json_load(ctx, parts->dirfd, name, &o, err);
	if (r == -ENOENT)
		return ckpt_fail(err, CKPT_PART_MISSING, "part %u of %u is missing", index,
				 parts->count);
	if (r < 0)
		return r;
	if (r > 0 || !parse_part(o, &part)) {
		ckpt_part_done(&part);
		return ckpt_fail(err, CKPT_PART_MISSING, "part %u of %u is torn", index,
				 parts->count);
	}
	*ret = part;
	return 0;
}

void ckpt_part_done(struct ckpt_part *part)
{
	ckpt_share_done(&part->share);
}
