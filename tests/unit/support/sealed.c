/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sealed.h.
 */
#include "tests/unit/support/sealed.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/integrity/verify.h"
#include "tests/unit/support/torch_synthetic.h"

struct ckpt_set *sealed_set(const struct scratch *dir, struct ckpt_catalog *cat, const char *name)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_set *set = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	if (ckpt_catalog_add_path(&ctx, cat, path, &set, &err) != 0)
		fail_msg("%s", err.text);
	return set;
}

void sealed_make(const struct scratch *dir, const char *name)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	if (ckpt_seal_make(&ctx, sealed_set(dir, &cat, name), &err) != 0)
		fail_msg("%s", err.text);
}

void sealed_verify(struct ckpt_ctx *ctx, const struct scratch *dir, const char *name,
		   enum ckpt_level level, struct ckpt_report *ret)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx none = { 0 };

	*ret = *ckpt_set_verify(ctx ? ctx : &none, sealed_set(dir, &cat, name), level);
}

void sealed_put_trainer(const struct scratch *dir, uint32_t floats)
{
	const struct torch_synthetic weights = { .epoch = -1, .step = -1, .floats = floats };

	scratch_put(dir->fd, "checkpoint-500/trainer_state.json",
		    "{\"epoch\": 2.5, \"global_step\": 500, \"best_metric\": 0.5, "
		    "\"log_history\": [{\"step\": 500, \"loss\": 0.25}]}");
	scratch_put(dir->fd, "checkpoint-500/notes/more/readme.txt", "words");
	torch_synthetic_write(dir->fd, "checkpoint-500/pytorch_model.bin", &weights);
	torch_synthetic_write(dir->fd, "checkpoint-500/optimizer.pt", &weights);
}

char *sealed_text(const struct scratch *dir, const char *name)
{
	char file[300], *text;

	snprintf(file, sizeof(file), "%s.metadata.json", name);
	text = scratch_get(dir->fd, file);
	assert_non_null(text);
	return text;
}

void sealed_hex(const struct scratch *dir, const char *name, bool wrong, char ret[SEALED_HEX])
{
	unsigned char *data, digest[32];
	size_t size;

	data = scratch_read(dir->fd, name, &size);
	assert_int_equal(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL), 1);
	digest[31] ^= wrong;
	for (int i = 0; i < 32; i++)
		sprintf(ret + 2 * i, "%02x", digest[i]);
	free(data);
}

void sealed_forge(const struct scratch *dir, const char *name, char *text)
{
	static const char key[] = "\"self_sha256\":\t\"";
	char *at = strstr(text, key), file[300], hex[3];
	unsigned char digest[32];

	assert_non_null(at);
	at += sizeof(key) - 1;
	memset(at, '0', 64);
	assert_int_equal(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL), 1);
	for (int i = 0; i < 32; i++) {
		snprintf(hex, sizeof(hex), "%02x", digest[i]);
		memcpy(at + 2 * i, hex, 2);
	}
	snprintf(file, sizeof(file), "%s.metadata.json", name);
	scratch_put(dir->fd, file, text);
}

/* Puts @value as member @key of the object that begins at @from of @text, in the same width. */
static void put_number(char *from, const char *key, int64_t value)
{
	char number[24], *at = strstr(from, key);
	int len = snprintf(number, sizeof(number), "%lld\"", (long long)value);

	assert_non_null(at);
	at = strchr(at, '\t') + 2;
	assert_int_equal(strcspn(at, "\"") + 1, len);
	memcpy(at, number, (size_t)len);
}

void sealed_take_as_unchanged(const struct scratch *dir, const char *name, const char *member)
{
	char *text = sealed_text(dir, name), quoted[300], path[512], *at;
	struct ckpt_identity id;

	snprintf(quoted, sizeof(quoted), "\"name\":\t\"%s\"", member);
	at = strstr(text, quoted);
	assert_non_null(at);
	snprintf(path, sizeof(path), "%s%s%s", name, "/", member);
	if (ckpt_identity_at(dir->fd, path, true, &id) < 0)
		assert_int_equal(ckpt_identity_at(dir->fd, member, true, &id), 0);
	put_number(at, "\"mtime_ns\"", id.mtime_ns);
	put_number(at, "\"ctime_ns\"", id.ctime_ns);
	sealed_forge(dir, name, text);
	free(text);
}

/* Digest of a chunk of @len zero bytes: that of its leaves' digests, which are all but the last the
 * same. */
static struct ckpt_digest hole_digest(uint64_t len)
{
	static struct ckpt_digest leaf;
	static uint8_t zeros[CKPT_DIGEST_LEAF];
	size_t n = (size_t)(len / CKPT_DIGEST_LEAF), rest = (size_t)(len % CKPT_DIGEST_LEAF);
	struct ckpt_digest *leaves = calloc(n + 1, sizeof(*leaves)), ret;

	assert_non_null(leaves);
	if (!leaf.b[0] && !leaf.b[1])
		assert_int_equal(ckpt_digest_of(zeros, sizeof(zeros), &leaf), 0);
	for (size_t i = 0; i < n; i++)
		leaves[i] = leaf;
	if (rest)
		assert_int_equal(ckpt_digest_of(zeros, rest, &leaves[n++]), 0);
	assert_int_equal(ckpt_digest_of(leaves, n * sizeof(*leaves), &ret), 0);
	free(leaves);
	return ret;
}

static void fill_holes(struct ckpt_digest_file *f, uint64_t chunk)
{
	uint64_t n = ckpt_digest_chunks(f->id.size, chunk), rest = f->id.size % chunk;
	struct ckpt_digest whole = hole_digest(chunk);

	for (uint64_t i = 0; i < n; i++)
		f->digests[i] = whole;
	if (rest)
		f->digests[n - 1] = hole_digest(rest);
}

void sealed_put_holes(const struct scratch *dir, const char *name, const uint64_t *sizes, size_t n)
{
	struct ckpt_seal seal = { .chunk = CKPT_DIGEST_CHUNK, .sealed_at = "2026-01-02T03:04:05Z" };
	_cleanup_json_ cJSON *metadata = cJSON_CreateObject();
	struct ckpt_digest *at;
	char path[300];

	for (size_t i = 0; i < n; i++)
		seal.report.verdict.size_bytes += sizes[i];
	seal.report.verdict.evidence = CKPT_EVIDENCE_STRUCTURE;
	while (seal.report.verdict.size_bytes / seal.chunk > CKPT_SEAL_CHUNKS_MAX)
		seal.chunk *= 2;
	seal.files = calloc(n, sizeof(*seal.files));
	at = seal.digests = calloc(CKPT_SEAL_CHUNKS_MAX + n, sizeof(*at));
	assert_true(seal.files && at);
	for (; seal.n < n; seal.n++) {
		struct ckpt_digest_file *f = &seal.files[seal.n];

		snprintf(path, sizeof(path), "%s/part-%02zu", name, seal.n);
		scratch_put(dir->fd, path, "");
		scratch_resize(dir->fd, path, sizes[seal.n]);
		assert_int_equal(ckpt_identity_at(dir->fd, path, true, &f->id), 0);
		f->name = strdup(path + strlen(name) + 1);
		f->digests = at;
		at += ckpt_digest_chunks(f->id.size, seal.chunk);
		fill_holes(f, seal.chunk);
	}
	assert_int_equal(ckpt_seal_store(dir->fd, name, &seal, metadata, NULL), 0);
	ckpt_seal_done(&seal);
}
