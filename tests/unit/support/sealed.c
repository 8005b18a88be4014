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
