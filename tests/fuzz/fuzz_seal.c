/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a seal whose self-hash is right, and as a list of digests. What passes must be
 * usable: names that stay inside, digests for every chunk.
 */
#include "core/integrity/seal.h"
#include "core/integrity/sidecar_list.h"

#include "tests/fuzz/dir.h"

#define KEY "\"self_sha256\":\t\""
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* The input in an object with a self-hash: what stands in it is up to the input. */
static char *complete(const uint8_t *data, size_t size, size_t *ret_len)
{
	static const char begin[] = "{\"seal\":{", end[] = "," KEY ZEROS "\"}}";
	size_t len = sizeof(begin) - 1 + size + sizeof(end) - 1;
	char *text = malloc(len + 1), hex[CKPT_DIGEST_HEX];
	struct ckpt_digest digest;

	if (!text)
		abort();
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + sizeof(begin) - 1, data, size);
	memcpy(text + sizeof(begin) - 1 + size, end, sizeof(end));
	if (ckpt_digest_of(text, len, &digest) < 0)
		abort();
	memcpy(text + len - 67, ckpt_digest_text(hex, &digest), CKPT_DIGEST_HEX - 1);
	*ret_len = len;
	return text;
}

static void check_seal(const struct ckpt_seal *seal)
{
	uint64_t chunks = 0;
	uint8_t sum = 0;

	if (seal->n == 0 || seal->chunk == 0 || seal->report.verdict.status != CKPT_VALID)
		abort();
	for (size_t i = 0; i < seal->n; i++) {
		const struct ckpt_digest_file *f = &seal->files[i];

		if (f->name[0] == '/' || strcmp(f->name, "..") == 0)
			abort();
		chunks = ckpt_digest_chunks(f->id.size, seal->chunk);
		for (uint64_t c = 0; c < chunks; c++)
			sum ^= f->digests[c].b[0];
	}
	if (sum == 0xff && seal->n > 1000000)
		abort(); /* keeps the sum from being left out */
}

static void load(const uint8_t *data, size_t size)
{
	struct ckpt_seal seal = { 0 };
	struct ckpt_ctx ctx = { 0 };
	size_t len;
	char *text = complete(data, size, &len);

	fuzz_dir_put("n" CKPT_SEAL_SUFFIX, (const uint8_t *)text, len);
	if (ckpt_seal_load(&ctx, fuzz_dir(), "n", &seal, NULL) == 0)
		check_seal(&seal);
	ckpt_seal_done(&seal);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_sum sum;
	char name[64];

	load(data, size);
	for (enum ckpt_sum_kind kind = CKPT_SUM_NONE; kind < CKPT_SUM_COUNT; kind++)
		if (ckpt_sum_line((const char *)data, size, kind, &sum, name, sizeof(name)) &&
		    (strnlen(name, sizeof(name)) == sizeof(name) || !ckpt_sum_size(sum.kind)))
			abort();
	unlinkat(fuzz_dir(), "n" CKPT_SEAL_SUFFIX, 0);
	return 0;
}
