/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ocdbt.h.
 */
#include "core/format/jax/ocdbt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "wire/text.h"

#define MANIFEST 0x0cdb3a2aU
#define NODE 0x0cdb20deU
#define VERSION_NODE 0x0cdb1234U
#define HEADER 12 /* magic, big-endian; length of the whole object, little-endian */
#define LENGTH_MIN (HEADER + 2 + 4) /* version and compression, CRC */
#define CHUNK ((size_t)256 * 1024)

static uint32_t big32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t little(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	while (len-- > 0)
		v = v << 8 | p[len];
	return v;
}

/* CRC-32C of the first @len bytes. */
static int crc_of(struct ckpt_check *check, uint64_t len, uint32_t *ret)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	uint32_t crc = 0;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	for (uint64_t off = 0; off < len;) {
		size_t n = len - off < CHUNK ? (size_t)(len - off) : CHUNK;
		int r = ckpt_check_read(check, off, buf, n, "an object");

		if (r)
			return r;
		crc = ckpt_crc(CKPT_CRC32C, crc, buf, n);
		off += n;
	}
	*ret = crc;
	return 0;
}

/* The object of @len bytes at the beginning, which lies in the file. */
static int check_crc(struct ckpt_check *check, uint64_t len)
{
	uint8_t stored[4];
	uint32_t crc;
	int r = crc_of(check, len - sizeof(stored), &crc);

	if (r == 0)
		r = ckpt_check_read(check, len - sizeof(stored), stored, sizeof(stored), "its CRC");
	if (r)
		return r;
	if (crc != (uint32_t)little(stored, sizeof(stored)))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, 0, NULL,
					 "the object of %llu bytes does not match its CRC-32C",
					 (unsigned long long)len);
	return 0;
}

static int check_length(struct ckpt_check *check, uint64_t len)
{
	if (len < LENGTH_MIN)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 4, NULL,
					 "an object of %llu bytes", (unsigned long long)len);
	if (len > check->file->size)
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size, NULL,
			"it has %llu bytes, its object needs %llu",
			(unsigned long long)check->file->size, (unsigned long long)len);
	return 0;
}

int ckpt_ocdbt_manifest(struct ckpt_check *check)
{
	uint8_t head[HEADER];
	uint64_t len;
	int r = ckpt_check_read(check, 0, head, sizeof(head), "the header");

	if (r)
		return r;
	if (big32(head) != MANIFEST)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
					 "it does not begin as an OCDBT manifest does");
	len = little(head + 4, 8);
	r = check_length(check, len);
	if (r == 0 && len < check->file->size)
		r = ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, len, NULL,
				      "bytes follow the manifest");
	return r ? r : check_crc(check, len);
}

int ckpt_ocdbt_data(struct ckpt_check *check)
{
	uint8_t head[HEADER] = { 0 };
	uint64_t len;
	int r;

	if (check->file->size < sizeof(head))
		return 0;
	r = ckpt_check_read(check, 0, head, sizeof(head), "the header");
	if (r || (big32(head) != NODE && big32(head) != VERSION_NODE))
		return r;
	len = little(head + 4, 8);
	r = check_length(check, len);
	return r ? r : check_crc(check, len);
}
