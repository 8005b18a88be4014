/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ocdbt.h and ocdbt_object.h. The checksum comes first: a body that does not decode behind a
 * right one was written so.
 */
#include "core/format/jax/ocdbt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/varint.h"
#include "core/format/jax/ocdbt_object.h"
#include "core/format/archive/zstd.h"
#include "wire/text.h"

#define HEADER 12 /* magic, big-endian; length of the whole object, little-endian */
#define CRC 4	  /* behind the body */
#define LENGTH_MIN (HEADER + 2 + CRC) /* version and compression */
#define CHUNK ((size_t)256 * 1024)

enum { PLAIN, ZSTD }; /* compression */

void ckpt_ocdbt_body_done(struct ckpt_ocdbt_body *body)
{
	free(body->bytes);
	*body = (struct ckpt_ocdbt_body) { 0 };
}

/* CRC-32C of @len bytes at @off. */
static int crc_of(struct ckpt_check *check, uint64_t off, uint64_t len, uint32_t *ret)
{
	size_t size = len < CHUNK ? (size_t)len : CHUNK;
	_cleanup_free_ uint8_t *buf = malloc(size);
	uint32_t crc = 0;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	for (uint64_t end = off + len; off < end;) {
		size_t n = end - off < size ? (size_t)(end - off) : size;
		int r = ckpt_check_read(check, off, buf, n, "an object");

		if (r)
			return r;
		crc = ckpt_crc(CKPT_CRC32C, crc, buf, n);
		off += n;
	}
	*ret = crc;
	return 0;
}

static int check_crc(struct ckpt_check *check, const struct ckpt_ocdbt_place *place)
{
	uint64_t len = place->len - CRC;
	uint8_t stored[CRC];
	uint32_t crc;
	int r = crc_of(check, place->off, len, &crc);

	if (r == 0)
		r = ckpt_check_read(check, place->off + len, stored, sizeof(stored), "its CRC");
	if (r)
		return r;
	if (crc != (uint32_t)ckpt_bytes_le(stored, sizeof(stored)))
		return ckpt_check_reject(
			check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, place->off, NULL,
			"the object of %llu bytes at byte %llu does not match its "
			"CRC-32C",
			(unsigned long long)place->len, (unsigned long long)place->off);
	return 0;
}

/* That the object lies in the file. */
static int check_range(struct ckpt_check *check, const struct ckpt_ocdbt_place *place)
{
	uint64_t end;

	if (place->len < LENGTH_MIN)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, place->off + 4,
					 NULL, "an object of %llu bytes",
					 (unsigned long long)place->len);
	if (!__builtin_add_overflow(place->off, place->len, &end) && end <= check->file->size)
		return 0;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size,
				 NULL, "it has %llu bytes, an object needs %llu at byte %llu",
				 (unsigned long long)check->file->size,
				 (unsigned long long)place->len, (unsigned long long)place->off);
}

int ckpt_ocdbt_object(struct ckpt_check *check, const struct ckpt_ocdbt_place *place)
{
	uint8_t head[HEADER];
	int r = check_range(check, place);

	r = r ? r : ckpt_check_read(check, place->off, head, sizeof(head), "the header");
	if (r)
		return r;
	if ((uint32_t)ckpt_bytes_be(head, 4) != place->magic ||
	    ckpt_bytes_le(head + 4, 8) != place->len)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, place->off, NULL,
					 "what stands at byte %llu is not the object of %llu bytes "
					 "that is referred to",
					 (unsigned long long)place->off,
					 (unsigned long long)place->len);
	return check_crc(check, place);
}

int ckpt_ocdbt_manifest(struct ckpt_check *check)
{
	struct ckpt_ocdbt_place place = { .magic = CKPT_OCDBT_MANIFEST_MAGIC };
	uint8_t head[HEADER];
	int r = ckpt_check_read(check, 0, head, sizeof(head), "the header");

	if (r)
		return r;
	if ((uint32_t)ckpt_bytes_be(head, 4) != place.magic)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
					 "it does not begin as an OCDBT manifest does");
	place.len = ckpt_bytes_le(head + 4, 8);
	r = check_range(check, &place);
	if (r == 0 && place.len < check->file->size)
		r = ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, place.len, NULL,
				      "bytes follow the manifest");
	return r ? r : ckpt_ocdbt_object(check, &place);
}

int ckpt_ocdbt_data(struct ckpt_check *check)
{
	struct ckpt_ocdbt_place place = { 0 };
	uint8_t head[HEADER] = { 0 };
	int r;

	if (check->file->size < sizeof(head))
		return 0;
	r = ckpt_check_read(check, 0, head, sizeof(head), "the header");
	place.magic = (uint32_t)ckpt_bytes_be(head, 4);
	if (r || (place.magic != CKPT_OCDBT_NODE_MAGIC && place.magic != CKPT_OCDBT_VERSION_MAGIC))
		return r;
	place.len = ckpt_bytes_le(head + 4, 8);
	return ckpt_ocdbt_object(check, &place);
}

/* Makes room for one more chunk behind what came out. 0, -E2BIG beyond @max, -ENOMEM. */
static int grow(struct ckpt_ocdbt_body *body, size_t *room, size_t max)
{
	size_t want = *room ? *room * 2 : CHUNK;
	uint8_t *bytes;

	if (body->n < *room)
		return 0;
	if (want > max)
		want = max;
	if (want <= *room)
		return -E2BIG;
	bytes = realloc(body->bytes, want);
	if (!bytes)
		return -ENOMEM;
	body->bytes = bytes;
	*room = want;
	return 0;
}

/* All that @d decodes. 0, ckpt_decode_result but END, or an errno. */
static int pull_all(struct ckpt_decoder *d, size_t max, struct ckpt_ocdbt_body *ret,
		    struct ckpt_error *err)
{
	size_t room = 0, n;
	int r = 0;

	while (r == 0) {
		r = grow(ret, &room, max);
		r = r ? r : ckpt_decoder_pull(d, ret->bytes + ret->n, room - ret->n, &n, err);
		if (r == 0)
			ret->n += n;
	}
	return r == CKPT_DECODE_END ? 0 : r;
}

/* The compressed body [@off, @off + @len). */
static int decode(struct ckpt_check *check, const struct ckpt_ocdbt_place *body, size_t max,
		  struct ckpt_ocdbt_body *ret)
{
	_cleanup_decoder_ struct ckpt_decoder d = { 0 };
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	int r = ckpt_file_view(check->file, body->off, body->len, &view, check->err);

	if (r == CKPT_FILE_SHORT)
		return -EAGAIN; /* its CRC was read just now */
	r = r ? r : ckpt_decoder_init(&d, &ckpt_zstd_codec, &view, check->err);
	r = r ? r : pull_all(&d, max, ret, check->err);
	if (r <= 0)
		return r;
	if (r == CKPT_DECODE_CANNOT)
		return -E2BIG;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, body->off, NULL,
				 "the object's body at byte %llu cannot be decoded by zstd",
				 (unsigned long long)body->off);
}

static int copy(struct ckpt_check *check, const struct ckpt_ocdbt_place *body, size_t max,
		struct ckpt_ocdbt_body *ret)
{
	if (body->len > max)
		return -E2BIG;
	ret->n = (size_t)body->len;
	ret->bytes = malloc(ret->n ? ret->n : 1);
	if (!ret->bytes)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	return ckpt_check_read(check, body->off, ret->bytes, ret->n, "an object's body");
}

int ckpt_ocdbt_load(struct ckpt_check *check, const struct ckpt_ocdbt_place *place, size_t max,
		    struct ckpt_ocdbt_body *ret)
{
	struct ckpt_ocdbt_place body;
	struct ckpt_bytes in;
	uint64_t version, compression;
	uint8_t head[20];
	int r = ckpt_ocdbt_object(check, place);

	if (r)
		return r;
	body.len = place->len - HEADER - CRC;
	in = (struct ckpt_bytes) { head,
				   body.len < sizeof(head) ? (size_t)body.len : sizeof(head) };
	r = ckpt_check_read(check, place->off + HEADER, head, in.n, "the header");
	if (r)
		return r;
	if (!ckpt_varint_take(&in, &version) || !ckpt_varint_take(&in, &compression) ||
	    version != 0 || compression > ZSTD)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, place->off,
					 NULL, "an object of another version of the format");
	body.off = place->off + HEADER + (size_t)(in.p - head);
	body.len -= (size_t)(in.p - head);
	return (compression == ZSTD ? decode : copy)(check, &body, max, ret);
}
