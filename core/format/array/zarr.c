/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zarr.h. A chunk is read through fixed buffers, whatever it decodes to.
 */
#include "core/format/array/zarr.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/format/archive/decode.h"
#include "core/format/archive/gzip.h"
#include "core/format/inflate.h"
#include "core/format/archive/zstd.h"
#include "wire/text.h"

#define BUFFER ((size_t)128 * 1024)
#define CRC 4
#define BLOSC 16 /* bytes of its header */
#define ENTRY 16 /* of a shard's index: offset, length */
#define ROWS 512 /* entries read at once */
/* What a chunk of unknown size may decode to beside its own size, a thousand times: 0.2 s. */
#define FLOOR ((uint64_t)64 * 1024 * 1024)

/* One chunk on its way through the codecs. */
struct chunk {
	struct ckpt_check *check; /* whose file is the chunk's */
	const struct ckpt_zarr_chain *chain;
	const char *member;
	uint64_t off, len;
	bool covered; /* by a checksum that was compared */
};

static int shorter(const struct chunk *c, uint64_t has, uint64_t needs)
{
	return ckpt_check_reject(c->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, c->off + c->len,
				 c->member, "a chunk has %llu bytes where %llu are needed",
				 (unsigned long long)has, (unsigned long long)needs);
}

static int longer(const struct chunk *c, uint64_t needs)
{
	return ckpt_check_reject(c->check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, c->off, c->member,
				 "a chunk has more bytes than the %llu of its shape",
				 (unsigned long long)needs);
}

/* Holds @has, what was decoded, against the shape. */
static int fits(const struct chunk *c, uint64_t has)
{
	uint64_t needs = c->chain->bytes;

	if (needs == 0 || has == needs)
		return 0;
	return has < needs ? shorter(c, has, needs) : longer(c, needs);
}

/* CRC-32C of [@off, @off + @len). */
static int crc_of(struct ckpt_check *check, uint64_t off, uint64_t len, uint32_t *ret)
{
	_cleanup_free_ uint8_t *buf = malloc(BUFFER);
	uint32_t crc = 0;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	for (uint64_t end = off + len; off < end;) {
		size_t n = end - off < BUFFER ? (size_t)(end - off) : BUFFER;
		int r = ckpt_check_read(check, off, buf, n, "a chunk");

		if (r)
			return r;
		crc = ckpt_crc(CKPT_CRC32C, crc, buf, n);
		off += n;
	}
	*ret = crc;
	return 0;
}

/* Compares the CRC-32C behind @len bytes at @off. */
static int check_crc(const struct chunk *c, uint64_t off, uint64_t len, const char *what)
{
	uint8_t stored[CRC];
	uint32_t crc;
	int r = crc_of(c->check, off, len, &crc);

	r = r ? r : ckpt_check_read(c->check, off + len, stored, sizeof(stored), "its CRC");
	if (r)
		return r;
	if (crc == (uint32_t)ckpt_bytes_le(stored, sizeof(stored)))
		return 0;
	return ckpt_check_reject(c->check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, off, c->member,
				 "%s does not match its CRC-32C", what);
}

static int undecodable(const struct chunk *c, int r, const char *codec)
{
	if (r == CKPT_DECODE_CANNOT)
		return 0;
	if (r == CKPT_DECODE_SHORT)
		return ckpt_check_reject(c->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 c->off + c->len, c->member,
					 "the %s data of a chunk end too early", codec);
	if (r == CKPT_DECODE_TRAILING)
		return ckpt_check_reject(c->check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, c->off,
					 c->member, "bytes follow the %s data of a chunk", codec);
	return ckpt_check_reject(c->check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, c->off, c->member,
				 "the %s data of a chunk do not decode", codec);
}

/* Counts what @d decodes, up to @max. 0, a ckpt_decode_result, or an errno. */
static int count(struct ckpt_decoder *d, uint64_t max, uint64_t *ret, struct ckpt_error *err)
{
	_cleanup_free_ uint8_t *buf = malloc(BUFFER);
	uint64_t total = 0;
	size_t n;
	int r = buf ? 0 : -ENOMEM;

	while (r == 0 && total <= max) {
		r = ckpt_ctx_expired(d->file->ctx);
		r = r ? r : ckpt_decoder_pull(d, buf, BUFFER, &n, err);
		if (r == 0)
			total += n;
	}
	*ret = total;
	return r;
}

/* What a chunk may decode to before it is given up. */
static uint64_t most(const struct chunk *c)
{
	uint64_t max;

	if (c->chain->bytes)
		return c->chain->bytes;
	if (__builtin_mul_overflow(c->len, (uint64_t)1024, &max) ||
	    __builtin_add_overflow(max, FLOOR, &max))
		return UINT64_MAX - BUFFER;
	return max;
}

static int decode(struct chunk *c, const struct ckpt_codec *codec, bool sums)
{
	_cleanup_decoder_ struct ckpt_decoder d = { 0 };
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	uint64_t total = 0;
	int r = ckpt_file_view(c->check->file, c->off, c->len, &view, c->check->err);

	if (r > 0)
		return -EAGAIN; /* it lay in the file */
	r = r ? r : ckpt_decoder_init(&d, codec, &view, c->check->err);
	r = r ? r : count(&d, most(c), &total, c->check->err);
	if (r < 0 || (r > 0 && r != CKPT_DECODE_END))
		return r < 0 ? r : undecodable(c, r, codec->name);
	c->covered |= r == CKPT_DECODE_END && sums && d.frames == 1;
	return fits(c, total);
}

/* Whether the frame that begins the chunk has a checksum: RFC 8878, 3.1.1.1.1. */
static int decode_zstd(struct chunk *c)
{
	uint8_t head[5] = { 0 };
	int r = c->len < sizeof(head)
			? 0
			: ckpt_check_read(c->check, c->off, head, sizeof(head), "a chunk");

	return r ? r : decode(c, &ckpt_zstd_codec, head[4] & 4);
}

static int decode_zlib(struct chunk *c)
{
	const struct ckpt_inflate_job job = {
		.file = c->check->file, .off = c->off, .len = c->len, .zlib = true, .max = most(c)
	};
	uint64_t total = 0;
	int r = ckpt_inflate(&job, &total, c->check->err);

	if (r < 0)
		return r;
	switch ((enum ckpt_inflate_result)r) {
	case CKPT_INFLATE_SHORT:
		return undecodable(c, CKPT_DECODE_SHORT, "zlib");
	case CKPT_INFLATE_BAD:
		return undecodable(c, CKPT_DECODE_BAD, "zlib");
	case CKPT_INFLATE_REST:
		return undecodable(c, CKPT_DECODE_TRAILING, "zlib");
	case CKPT_INFLATE_LONG:
		return c->chain->bytes ? longer(c, c->chain->bytes) : 0;
	}
	c->covered = true;
	return fits(c, total);
}

/* Blosc's header: bytes decoded at 4, of all of it at 12 (c-blosc, README_CHUNK_FORMAT.rst). */
static int check_blosc(const struct chunk *c)
{
	uint8_t head[BLOSC];
	int r;

	if (c->len < sizeof(head))
		return shorter(c, c->len, sizeof(head));
	r = ckpt_check_read(c->check, c->off, head, sizeof(head), "a chunk");
	if (r)
		return r;
	if (ckpt_bytes_le(head + 12, 4) > c->len)
		return shorter(c, c->len, ckpt_bytes_le(head + 12, 4));
	return fits(c, ckpt_bytes_le(head + 4, 4));
}

static int check_codec(struct chunk *c, enum ckpt_level level)
{
	switch (c->chain->codec) {
	case CKPT_ZARR_RAW:
		return fits(c, c->len);
	case CKPT_ZARR_BLOSC:
		return check_blosc(c);
	case CKPT_ZARR_ZSTD:
		return level >= CKPT_LEVEL_FULL ? decode_zstd(c) : 0;
	case CKPT_ZARR_GZIP:
		return level >= CKPT_LEVEL_FULL ? decode(c, &ckpt_gzip_codec, true) : 0;
	case CKPT_ZARR_ZLIB:
		return level >= CKPT_LEVEL_FULL ? decode_zlib(c) : 0;
	case CKPT_ZARR_OTHER:
		break;
	}
	return 0;
}

static int check_chunk(struct chunk *c, enum ckpt_level level)
{
	int r = 0;

	if (c->chain->crc && c->len < CRC)
		return shorter(c, c->len, CRC);
	if (c->chain->crc) {
		c->len -= CRC;
		if (level >= CKPT_LEVEL_FULL)
			r = check_crc(c, c->off, c->len, "a chunk");
		c->covered = level >= CKPT_LEVEL_FULL;
	}
	return r ? r : check_codec(c, level);
}

/* One row of a shard's index; both numbers all ones: there is no such chunk. */
static int check_row(const struct chunk *shard, const uint8_t *row, enum ckpt_level level,
		     bool *covered)
{
	struct chunk c = *shard;
	uint64_t at = ckpt_bytes_le(row, 8), end;
	int r;

	c.len = ckpt_bytes_le(row + 8, 8);
	if (at == UINT64_MAX && c.len == UINT64_MAX)
		return 0;
	if (__builtin_add_overflow(at, c.len, &end) || end > shard->len)
		return ckpt_check_reject(c.check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, c.off,
					 c.member,
					 "a chunk is said to lie at byte %llu of a shard of %llu",
					 (unsigned long long)at, (unsigned long long)shard->len);
	c.off += at;
	c.covered = false;
	r = check_chunk(&c, level);
	*covered &= c.covered;
	return r;
}

/* The rows of the index at @off of the file. */
static int check_rows(const struct chunk *shard, uint64_t off, uint64_t n, enum ckpt_level level,
		      bool *covered)
{
	uint8_t rows[ROWS * ENTRY];
	int r = 0;

	while (r == 0 && n > 0) {
		size_t some = n < ROWS ? (size_t)n : ROWS;

		r = ckpt_check_read(shard->check, off, rows, some * ENTRY, "a shard's index");
		for (size_t i = 0; r == 0 && i < some; i++)
			r = check_row(shard, rows + i * ENTRY, level, covered);
		off += some * ENTRY;
		n -= some;
	}
	return r;
}

static int check_shard(struct chunk *shard, const struct ckpt_zarr *zarr, enum ckpt_level level)
{
	uint64_t rows = zarr->in_shard * ENTRY, index = rows + (zarr->index_crc ? CRC : 0), at;
	bool covered = zarr->index_crc;
	int r = 0;

	if (shard->len < index)
		return shorter(shard, shard->len, index);
	at = shard->off + (zarr->index_first ? 0 : shard->len - index);
	if (zarr->index_crc)
		r = check_crc(shard, at, rows, "a shard's index");
	r = r ? r : check_rows(shard, at, zarr->in_shard, level, &covered);
	shard->covered = covered;
	return r;
}

int ckpt_zarr_chunk(struct ckpt_check *check, const struct ckpt_zarr *zarr,
		    const struct ckpt_zarr_bytes *bytes, enum ckpt_level level, bool *ret_covered)
{
	struct ckpt_check sub = *check;
	struct chunk c = { .check = &sub,
			   .chain = &zarr->chain,
			   .member = bytes->member,
			   .off = bytes->off,
			   .len = bytes->len };
	int r;

	sub.file = (struct ckpt_file *)bytes->file;
	sub.name = bytes->file->name;
	r = zarr->sharded ? check_shard(&c, zarr, level) : check_chunk(&c, level);
	*ret_covered = c.covered;
	return r;
}
