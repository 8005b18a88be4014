/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zarr arrays, version 2 (.zarray) and 3 (zarr.json): chunks that are values of a store or files of
 * a folder. https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html, .../v3/core/index.html and
 * .../v3/codecs/sharding-indexed/index.html
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_ZARR_H
#define CKPT_CORE_FORMAT_ARRAY_ZARR_H

#include "core/format/format.h"

enum ckpt_zarr_codec {
	CKPT_ZARR_RAW,
	CKPT_ZARR_ZSTD,
	CKPT_ZARR_GZIP,
	CKPT_ZARR_ZLIB,
	CKPT_ZARR_BLOSC,
	CKPT_ZARR_OTHER, /* what cannot be looked into */
};

/* How the bytes of one chunk come about. */
struct ckpt_zarr_chain {
	enum ckpt_zarr_codec codec;
	bool crc;	/* the CRC-32C of all that stands behind it */
	uint64_t bytes; /* decoded; 0: not known */
};

/* What an array's metadata say, as far as it is needed here. */
struct ckpt_zarr {
	unsigned version;	      /* 2 or 3 */
	char separator;		      /* between the numbers of a chunk's key */
	bool prefixed;		      /* which begins with a "c" */
	uint64_t chunks;	      /* that cover its shape; UINT64_MAX: not known */
	bool sharded;		      /* each chunk is a shard of chunks */
	bool index_first;	      /* with the index in front */
	bool index_crc;		      /* and its CRC-32C behind it */
	uint64_t in_shard;	      /* chunks in one */
	struct ckpt_zarr_chain chain; /* of a chunk, in shards of one in them */
	struct ckpt_tensor all;	      /* what it is as a tensor; the name is not here */
};

/* Reads the JSON of an array. False if it is none, such as a group's, or not understood. */
bool ckpt_zarr_read(const char *json, size_t len, struct ckpt_zarr *ret);

/* Whether @key (the part behind the array's name) is one of its chunks'. */
bool ckpt_zarr_is_chunk(const struct ckpt_zarr *zarr, const char *key, size_t n_key);

/* Where a chunk lies; @member names it in messages. */
struct ckpt_zarr_bytes {
	const struct ckpt_file *file;
	uint64_t off, len;
	const char *member;
};

/*
 * Checks a chunk, or a shard and all chunks in it: its length, the shard's index, and where @level
 * is FULL that it decodes, to as much as the shape says, and matches what checksums there are.
 * *@ret_covered: a checksum of zarr or of its codec covers all bytes, and was compared. As a check
 * function.
 */
int ckpt_zarr_chunk(struct ckpt_check *check, const struct ckpt_zarr *zarr,
		    const struct ckpt_zarr_bytes *bytes, enum ckpt_level level, bool *ret_covered);

#endif
