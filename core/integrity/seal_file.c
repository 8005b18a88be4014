/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seal's text, written and read. The self-hash is the SHA-256 of the whole file with its own 64
 * digits as zeros. Numbers beyond 2^53, which JSON does not carry safely, are texts.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/temporary.h"
#include "core/integrity/files.h"
#include "core/integrity/seal.h"
#include "wire/text.h"

#define VERSION 1
#define SELF_KEY "self_sha256"

static const char no_hash[] = "0000000000000000000000000000000000000000000000000000000000000000";

bool ckpt_seal_name(const char *name, char *buf)
{
	return snprintf(buf, NAME_MAX + 1, "%s" CKPT_SEAL_SUFFIX, name) <= NAME_MAX;
}

int ckpt_seal_whole(const struct ckpt_seal *seal, size_t file, struct ckpt_digest *ret)
{
	const struct ckpt_digest_file *f = &seal->files[file];

	return ckpt_digest_of(
		f->digests, ckpt_digest_chunks(f->id.size, seal->chunk) * sizeof(*f->digests), ret);
}

void ckpt_seal_done(struct ckpt_seal *seal)
{
	for (size_t i = 0; seal->files && i < seal->n; i++)
		free((char *)seal->files[i].name);
	free(seal->files);
	free(seal->digests);
	seal->files = NULL;
	seal->digests = NULL;
	seal->n = 0;
}

/* The 64-bit numbers of an identity, by their keys. */
static const struct {
	const char *key;
	size_t offset;
} id_fields[] = {
	{ "inode", offsetof(struct ckpt_identity, ino) },
	{ "size", offsetof(struct ckpt_identity, size) },
	{ "mtime_ns", offsetof(struct ckpt_identity, mtime_ns) },
	{ "ctime_ns", offsetof(struct ckpt_identity, ctime_ns) },
};

static int add_chunks(cJSON *o, const struct ckpt_seal *seal, size_t file)
{
	uint64_t n = ckpt_digest_chunks(seal->files[file].id.size, seal->chunk);
	_cleanup_free_ char *text = malloc(n * (CKPT_DIGEST_HEX - 1) + 1);
	char whole[CKPT_DIGEST_HEX];
	struct ckpt_digest digest;

	if (!text || ckpt_seal_whole(seal, file, &digest) < 0)
		return -ENOMEM;
	text[0] = '\0';
	for (uint64_t i = 0; i < n; i++)
		ckpt_digest_text(text + i * (CKPT_DIGEST_HEX - 1), &seal->files[file].digests[i]);
	cJSON_AddStringToObject(o, "whole", ckpt_digest_text(whole, &digest));
	return cJSON_AddStringToObject(o, "chunks", text) ? 0 : -ENOMEM;
}

static int add_file(cJSON *files, const struct ckpt_seal *seal, size_t file)
{
	const struct ckpt_digest_file *f = &seal->files[file];
	cJSON *o = cJSON_CreateObject();
	char number[24];

	if (!o || !cJSON_AddItemToArray(files, o))
		return -ENOMEM;
	cJSON_AddStringToObject(o, "name", f->name);
	for (size_t i = 0; i < sizeof(id_fields) / sizeof(*id_fields); i++) {
		snprintf(number, sizeof(number), "%" PRId64,
			 *(const int64_t *)((const char *)&f->id + id_fields[i].offset));
		cJSON_AddStringToObject(o, id_fields[i].key, number);
	}
	return add_chunks(o, seal, file);
}

static cJSON *seal_json(const struct ckpt_seal *seal)
{
	_cleanup_json_ cJSON *o = cJSON_CreateObject();
	cJSON *files = cJSON_CreateArray();

	cJSON_AddNumberToObject(o, "version", VERSION);
	cJSON_AddStringToObject(o, "sealed_at", seal->sealed_at);
	cJSON_AddStringToObject(o, "algorithm", "sha256");
	cJSON_AddNumberToObject(o, "leaf_size", (double)CKPT_DIGEST_LEAF);
	cJSON_AddNumberToObject(o, "chunk_size", (double)seal->chunk);
	cJSON_AddItemToObject(o, "verdict", ckpt_seal_report_json(&seal->report));
	if (!cJSON_AddItemToObject(o, "files", files))
		return NULL;
	for (size_t i = 0; i < seal->n; i++)
		if (add_file(files, seal, i) < 0)
			return NULL;
	return cJSON_AddStringToObject(o, SELF_KEY, no_hash) ? ckpt_take_ptr(o) : NULL;
}

/* The last place of @word in @text of @len bytes. */
static char *find_last(char *text, size_t len, const char *word)
{
	char *at = NULL, *next = text;

	while ((next = memmem(next, len - (size_t)(next - text), word, strlen(word))))
		at = next++;
	return at;
}

int ckpt_seal_store(int dirfd, const char *name, const struct ckpt_seal *seal, cJSON *metadata,
		    struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	char file[NAME_MAX + 1], hex[CKPT_DIGEST_HEX], *at;
	struct ckpt_digest digest;
	cJSON *o = seal_json(seal);
	size_t len;
	int r;

	if (!ckpt_seal_name(name, file)) {
		cJSON_Delete(o);
		return ckpt_fail(err, -ENAMETOOLONG, "the name %s is too long for a seal",
				 CKPT_QUOTE(name));
	}
	cJSON_DeleteItemFromObjectCaseSensitive(metadata, "seal"); /* it has to be the last */
	if (o && cJSON_AddItemToObject(metadata, "seal", o))
		text = cJSON_Print(metadata);
	if (!text)
		return ckpt_fail(err, -ENOMEM, "no memory to write %s", CKPT_QUOTE(file));
	len = strlen(text);
	text[len++] = '\n'; /* in the NUL's place: the length is passed along */
	if (len > CKPT_SEAL_MAX)
		return ckpt_fail(err, CKPT_SEAL_REFUSED, "its seal would be larger than %d bytes",
				 CKPT_SEAL_MAX);
	at = find_last(text, len, no_hash);
	r = at ? ckpt_digest_of(text, len, &digest) : -ENOMEM;
	if (r < 0)
		return ckpt_fail(err, r, "cannot write %s: %s", CKPT_QUOTE(file), strerror(-r));
	memcpy(at, ckpt_digest_text(hex, &digest), CKPT_DIGEST_HEX - 1);
	r = ckpt_file_replace(dirfd, file, text, len, err);
	if (r == 0)
		ckpt_temporary_sweep(dirfd, file);
	return r;
}

static int torn(struct ckpt_error *err, const char *why)
{
	return ckpt_fail(err, CKPT_SEAL_TORN, "%s", why);
}

/* Whether @text, which @seal was parsed from, is what was hashed when it was written: 0, TORN or
 * an errno. */
static int check_self(char *text, size_t len, const cJSON *seal, struct ckpt_error *err)
{
	const char *hex = ckpt_json_text(seal, SELF_KEY);
	char own[CKPT_DIGEST_HEX], *at = NULL;
	struct ckpt_digest found;
	int r;

	if (hex && strlen(hex) == CKPT_DIGEST_HEX - 1)
		at = find_last(text, len, hex);
	if (!at)
		return torn(err, "the seal was edited");
	memcpy(at, no_hash, CKPT_DIGEST_HEX - 1);
	r = ckpt_digest_of(text, len, &found);
	if (r < 0)
		return ckpt_fail(err, r, "the seal's digest cannot be computed: %s", strerror(-r));
	return strcmp(hex, ckpt_digest_text(own, &found)) == 0 ? 0
							       : torn(err, "the seal was edited");
}

/* A name below a root, that stays there. */
static bool is_inside(const char *name)
{
	if (!name || !*name || *name == '/')
		return false;
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (strcmp(part, "..") == 0 || strncmp(part, "../", 3) == 0)
			return false;
	}
	return true;
}

static bool parse_identity(const cJSON *o, struct ckpt_identity *id)
{
	*id = (struct ckpt_identity) { 0 };
	for (size_t i = 0; i < sizeof(id_fields) / sizeof(*id_fields); i++) {
		const char *text = ckpt_json_text(o, id_fields[i].key);

		if (!text || !ckpt_text_int(text, INT64_MIN, INT64_MAX,
					    (int64_t *)((char *)id + id_fields[i].offset)))
			return false;
	}
	return id->size <= INT64_MAX;
}

/* Reads one file of the seal; its digests go to @digests, which has room for @left. Returns how
 * many, or -1. */
static int64_t parse_file(const cJSON *o, struct ckpt_seal *seal, struct ckpt_digest *digests,
			  uint64_t left)
{
	struct ckpt_digest_file *f = &seal->files[seal->n];
	const char *name = ckpt_json_text(o, "name"), *hex = ckpt_json_text(o, "chunks");
	uint64_t n;

	if (!is_inside(name) || !hex || !parse_identity(o, &f->id))
		return -1;
	if (seal->n > 0 && strcmp(seal->files[seal->n - 1].name, name) >= 0)
		return -1;
	n = ckpt_digest_chunks(f->id.size, seal->chunk);
	if (n > left || strlen(hex) != n * (CKPT_DIGEST_HEX - 1))
		return -1;
	for (uint64_t i = 0; i < n; i++)
		if (!ckpt_digest_parse(hex + i * (CKPT_DIGEST_HEX - 1), &digests[i]))
			return -1;
	f->digests = digests;
	f->name = strdup(name);
	if (!f->name)
		return -1;
	seal->n++;
	return (int64_t)n;
}

static bool parse_files(const cJSON *files, struct ckpt_seal *seal)
{
	struct ckpt_digest *at;
	uint64_t left = 0;
	const cJSON *o;
	int n = cJSON_GetArraySize(files);

	if (n < 1 || n > CKPT_FILES_MAX)
		return false;
	cJSON_ArrayForEach (o, files) {
		const char *hex = ckpt_json_text(o, "chunks");

		left += hex ? strlen(hex) / (CKPT_DIGEST_HEX - 1) : 0;
	}
	seal->files = calloc((size_t)n, sizeof(*seal->files));
	seal->digests = calloc(left + 1, sizeof(*seal->digests));
	if (!seal->files || !seal->digests)
		return false;
	at = seal->digests;
	cJSON_ArrayForEach (o, files) {
		int64_t got = parse_file(o, seal, at, left);

		if (got < 0)
			return false;
		at += got;
		left -= (uint64_t)got;
	}
	return true;
}

static bool parse_seal(const cJSON *o, struct ckpt_seal *seal)
{
	const char *sealed_at = ckpt_json_text(o, "sealed_at");
	const char *algorithm = ckpt_json_text(o, "algorithm");
	int64_t version, leaf, chunk;

	if (!ckpt_json_int(o, "version", &version) || version != VERSION || !algorithm ||
	    strcmp(algorithm, "sha256") != 0 || !sealed_at ||
	    !ckpt_text_copy(seal->sealed_at, sizeof(seal->sealed_at), sealed_at) ||
	    !ckpt_json_int(o, "leaf_size", &leaf) || leaf != (int64_t)CKPT_DIGEST_LEAF ||
	    !ckpt_json_int(o, "chunk_size", &chunk) || chunk < leaf || chunk % leaf != 0 ||
	    chunk > (int64_t)CKPT_DIGEST_CHUNK_MAX)
		return false;
	seal->chunk = (uint64_t)chunk;
	ckpt_text_clean(seal->sealed_at);
	return ckpt_seal_report_parse(cJSON_GetObjectItemCaseSensitive(o, "verdict"),
				      &seal->report) &&
	       parse_files(cJSON_GetObjectItemCaseSensitive(o, "files"), seal);
}

/* The only one may have been renamed, and its seal with it. */
static bool same_bytes(const struct ckpt_seal *a, const struct ckpt_seal *b, size_t file)
{
	const struct ckpt_digest_file *f = &a->files[file], *g = &b->files[file];
	uint64_t n = ckpt_digest_chunks(f->id.size, a->chunk);

	return (a->n == 1 || strcmp(f->name, g->name) == 0) && f->id.size == g->id.size &&
	       memcmp(f->digests, g->digests, n * sizeof(*f->digests)) == 0;
}

bool ckpt_seal_of_others(const cJSON *metadata, const struct ckpt_seal *now)
{
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(metadata, "seal");
	_cleanup_seal_ struct ckpt_seal seal = { 0 };

	if (!ckpt_json_text(o, SELF_KEY)) /* another program's member of that name */
		return false;
	if (!parse_seal(o, &seal) || seal.n != now->n || seal.chunk != now->chunk)
		return true;
	for (size_t i = 0; i < seal.n; i++)
		if (!same_bytes(&seal, now, i))
			return true;
	return false;
}

/* Each value but the first of all comes after one of these. */
bool ckpt_seal_crowded(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return n >= CKPT_SEAL_VALUES_MAX;
}

static int parse_text(char *text, size_t len, struct ckpt_seal *ret, struct ckpt_error *err)
{
	_cleanup_seal_ struct ckpt_seal seal = { 0 };
	_cleanup_json_ cJSON *metadata = NULL;
	const cJSON *o;
	int r;

	if (ckpt_seal_crowded(text, len))
		return torn(err, "its metadata file is no seal");
	r = ckpt_json_parse(text, len, &metadata, NULL);
	if (r < 0)
		return r;
	if (r > 0)
		return torn(err, "the seal is torn");
	o = cJSON_GetObjectItemCaseSensitive(metadata, "seal");
	if (!o)
		return CKPT_SEAL_NONE;
	r = check_self(text, len, o, err);
	if (r != 0)
		return r;
	if (!parse_seal(o, &seal))
		return torn(err, "the seal is of another version");
	*ret = seal;
	seal = (struct ckpt_seal) { 0 };
	return 0;
}

int ckpt_seal_load(struct ckpt_ctx *ctx, int dirfd, const char *name, struct ckpt_seal *ret,
		   struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	char file[NAME_MAX + 1];
	size_t len;
	int r;

	if (!ckpt_seal_name(name, file))
		return CKPT_SEAL_NONE;
	r = ckpt_file_slurp(ctx, dirfd, file, CKPT_SEAL_MAX, &text, &len, err);
	if (r == -ENOENT)
		return CKPT_SEAL_NONE;
	if (r == -EFBIG || r == CKPT_FILE_NOT_REGULAR)
		return torn(err, "its metadata file is no seal");
	return r == 0 ? parse_text(text, len, ret, err) : r;
}
