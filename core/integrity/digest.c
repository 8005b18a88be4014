/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words and values of digest.h.
 */
#include "core/integrity/digest.h"

#include <errno.h>
#include <stdio.h>

#include "core/base/libcrypto.h"
#include "core/base/sha256_plain.h"

int ckpt_digest_of(const void *data, size_t len, struct ckpt_digest *ret)
{
	const struct ckpt_libcrypto *lib;

	if (len <= CKPT_SHA256_PLAIN_MAX) {
		ckpt_sha256_plain(data, len, ret->b);
		return 0;
	}
	lib = ckpt_libcrypto();
	if (!lib)
		return -ELIBACC;
	return lib->EVP_Digest(data, len, ret->b, NULL, lib->EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

const char *ckpt_digest_text(char *buf, const struct ckpt_digest *digest)
{
	for (size_t i = 0; i < CKPT_DIGEST_SIZE; i++)
		snprintf(buf + 2 * i, 3, "%02x", digest->b[i]);
	return buf;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ckpt_digest_parse(const char *text, struct ckpt_digest *ret)
{
	struct ckpt_digest digest;

	for (size_t i = 0; i < CKPT_DIGEST_SIZE; i++) {
		int high = hex_value(text[2 * i]);
		int low = high < 0 ? -1 : hex_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		digest.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = digest;
	return true;
}

uint64_t ckpt_digest_chunks(uint64_t size, uint64_t chunk)
{
	return chunk ? size / chunk + (size % chunk != 0) : 1;
}
