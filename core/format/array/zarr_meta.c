/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata of zarr arrays, see zarr.h. What is not understood leaves sizes unknown and chunks
 * unlooked at, never a fault.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/format/array/zarr.h"
#include "wire/text.h"

#define RANK_MAX 32

static const struct {
	const char *name;
	unsigned bytes;
} types[] = {
	{ "bool", 1 },	  { "int8", 1 },      { "int16", 2 },	    { "int32", 4 },
	{ "int64", 8 },	  { "uint8", 1 },     { "uint16", 2 },	    { "uint32", 4 },
	{ "uint64", 8 },  { "float16", 2 },   { "bfloat16", 2 },    { "float32", 4 },
	{ "float64", 8 }, { "complex64", 8 }, { "complex128", 16 },
};

static const struct {
	const char *name;
	enum ckpt_zarr_codec codec;
} codecs[] = {
	{ "zstd", CKPT_ZARR_ZSTD },
	{ "gzip", CKPT_ZARR_GZIP },
	{ "zlib", CKPT_ZARR_ZLIB },
	{ "blosc", CKPT_ZARR_BLOSC },
};

/* Bytes of a number of type @name ("<f4", "bfloat16"); 0: not known. */
static uint64_t type_bytes(const char *name)
{
	int64_t n;

	for (size_t i = 0; name && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].bytes;
	if (!name || strlen(name) < 3 || !strchr("<>|", name[0]) || !strchr("biufcSV", name[1]) ||
	    !ckpt_text_int(name + 2, 1, 65536, &n))
		return 0;
	return (uint64_t)n;
}

static enum ckpt_zarr_codec codec_of(const char *name)
{
	for (size_t i = 0; name && i < sizeof(codecs) / sizeof(codecs[0]); i++)
		if (strcmp(codecs[i].name, name) == 0)
			return codecs[i].codec;
	return CKPT_ZARR_OTHER;
}

struct shape {
	unsigned rank;
	uint64_t n[RANK_MAX];
};

/* An array of whole numbers, @least or more. */
static bool shape_of(const cJSON *json, double least, struct shape *ret)
{
	const cJSON *item;

	ret->rank = 0;
	if (!cJSON_IsArray(json))
		return false;
	cJSON_ArrayForEach (item, json) {
		if (ret->rank == RANK_MAX || !cJSON_IsNumber(item) || item->valuedouble < least ||
		    item->valuedouble > 9e15)
			return false;
		ret->n[ret->rank++] = (uint64_t)item->valuedouble;
	}
	return true;
}

/* Chunks of the shape @part that cover @all. UINT64_MAX where that is too many to count. */
static uint64_t grid(const struct shape *all, const struct shape *part)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < all->rank; i++) {
		uint64_t along = all->n[i] / part->n[i] + (all->n[i] % part->n[i] != 0);

		if (__builtin_mul_overflow(n, along, &n))
			return UINT64_MAX;
	}
	return n;
}

/* Bytes of a chunk; 0: not known. */
static uint64_t volume(const struct shape *chunk, uint64_t item)
{
	uint64_t n = item;

	for (unsigned i = 0; i < chunk->rank; i++)
		if (__builtin_mul_overflow(n, chunk->n[i], &n))
			return 0;
	return n;
}

/* The array as a tensor; @type in its own words, without the order of bytes. */
static struct ckpt_tensor tensor_of(const struct shape *all, const char *type)
{
	struct ckpt_tensor told = { .name = "", .count = 1 };

	if (type)
		snprintf(told.type, sizeof(told.type), "%s", type + strspn(type, "<>|="));
	ckpt_text_clean(told.type);
	for (unsigned i = 0; i < all->rank; i++)
		ckpt_tensor_dim(&told, all->n[i]);
	return told;
}

static bool none(const cJSON *json)
{
	return !json || cJSON_IsNull(json) || (cJSON_IsArray(json) && !json->child);
}

static bool read_v2(const cJSON *json, struct ckpt_zarr *ret)
{
	const cJSON *compressor = cJSON_GetObjectItemCaseSensitive(json, "compressor");
	const char *separator = ckpt_json_text(json, "dimension_separator");
	const char *type = ckpt_json_text(json, "dtype");
	struct shape all, part;

	if (!shape_of(cJSON_GetObjectItemCaseSensitive(json, "shape"), 0, &all) ||
	    !shape_of(cJSON_GetObjectItemCaseSensitive(json, "chunks"), 1, &part) ||
	    all.rank != part.rank)
		return false;
	*ret = (struct ckpt_zarr) { .version = 2, .separator = separator ? separator[0] : '.' };
	ret->all = tensor_of(&all, type);
	ret->chunks = grid(&all, &part);
	ret->chain.bytes = volume(&part, type_bytes(type));
	ret->chain.codec =
		none(compressor) ? CKPT_ZARR_RAW : codec_of(ckpt_json_text(compressor, "id"));
	if (!none(cJSON_GetObjectItemCaseSensitive(json, "filters")))
		ret->chain.bytes = 0;
	if (ret->chain.codec == CKPT_ZARR_RAW && ret->chain.bytes == 0)
		ret->chain.codec = CKPT_ZARR_OTHER;
	return true;
}

/* The codecs of a chunk: one that makes bytes of an array, then a compressor, then the CRC. */
static void read_chain(const cJSON *list, struct ckpt_zarr_chain *chain)
{
	const cJSON *item;
	bool bytes = false;

	chain->codec = CKPT_ZARR_RAW;
	cJSON_ArrayForEach (item, list) {
		const char *name = ckpt_json_text(item, "name");
		bool known = name && !chain->crc;

		if (known && strcmp(name, "transpose") == 0 && !bytes)
			continue;
		if (known && strcmp(name, "bytes") == 0 && !bytes)
			bytes = true;
		else if (known && strcmp(name, "crc32c") == 0 && bytes)
			chain->crc = true;
		else if (known && bytes && chain->codec == CKPT_ZARR_RAW)
			chain->codec = codec_of(name);
		else
			chain->codec = CKPT_ZARR_OTHER;
	}
	if (!bytes || (chain->codec == CKPT_ZARR_RAW && chain->bytes == 0))
		chain->codec = CKPT_ZARR_OTHER;
}

/* Index codecs: what is understood is little-endian numbers, with a CRC or without. */
static bool read_index(const cJSON *list, struct ckpt_zarr *ret)
{
	struct ckpt_zarr_chain index = { .bytes = 16 };
	const cJSON *bytes = cJSON_GetArrayItem(list, 0);
	const cJSON *settings = cJSON_GetObjectItemCaseSensitive(bytes, "configuration");
	const char *endian = ckpt_json_text(settings, "endian");

	read_chain(list, &index);
	ret->index_crc = index.crc;
	return index.codec == CKPT_ZARR_RAW && endian && strcmp(endian, "little") == 0;
}

/* The settings of a shard; @outer is its shape. */
static void read_shard(const cJSON *settings, const struct shape *outer, uint64_t item,
		       struct ckpt_zarr *ret)
{
	const char *where = ckpt_json_text(settings, "index_location");
	struct shape inner;

	ret->chain = (struct ckpt_zarr_chain) { .codec = CKPT_ZARR_OTHER };
	if (!shape_of(cJSON_GetObjectItemCaseSensitive(settings, "chunk_shape"), 1, &inner) ||
	    inner.rank != outer->rank ||
	    !read_index(cJSON_GetObjectItemCaseSensitive(settings, "index_codecs"), ret))
		return;
	ret->in_shard = grid(outer, &inner);
	ret->sharded = ret->in_shard < UINT32_MAX;
	ret->index_first = where && strcmp(where, "start") == 0;
	ret->chain.bytes = volume(&inner, item);
	read_chain(cJSON_GetObjectItemCaseSensitive(settings, "codecs"), &ret->chain);
}

static const cJSON *configuration(const cJSON *json, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, key),
						"configuration");
}

/* Default keys are "c/0/1", those in the way of version 2 "0.1", each with either separator. */
static void read_keys(const cJSON *json, struct ckpt_zarr *ret)
{
	const cJSON *encoding = cJSON_GetObjectItemCaseSensitive(json, "chunk_key_encoding");
	const char *name = ckpt_json_text(encoding, "name");
	const char *separator =
		ckpt_json_text(configuration(json, "chunk_key_encoding"), "separator");

	ret->prefixed = !name || strcmp(name, "v2") != 0;
	ret->separator = separator ? separator[0] : ret->prefixed ? '/' : '.';
}

static bool read_v3(const cJSON *json, struct ckpt_zarr *ret)
{
	const cJSON *grid_settings = configuration(json, "chunk_grid");
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "codecs");
	const cJSON *first = cJSON_GetArrayItem(list, 0);
	const char *node = ckpt_json_text(json, "node_type");
	const char *type = ckpt_json_text(json, "data_type");
	const char *name = ckpt_json_text(first, "name");
	uint64_t item = type_bytes(type);
	struct shape all, part;

	if (!node || strcmp(node, "array") != 0 ||
	    !shape_of(cJSON_GetObjectItemCaseSensitive(json, "shape"), 0, &all) ||
	    !shape_of(cJSON_GetObjectItemCaseSensitive(grid_settings, "chunk_shape"), 1, &part) ||
	    all.rank != part.rank)
		return false;
	*ret = (struct ckpt_zarr) { .version = 3, .chunks = grid(&all, &part) };
	ret->all = tensor_of(&all, type);
	read_keys(json, ret);
	ret->chain.bytes = volume(&part, item);
	if (name && strcmp(name, "sharding_indexed") == 0 && !first->next)
		read_shard(cJSON_GetObjectItemCaseSensitive(first, "configuration"), &part, item,
			   ret);
	else
		read_chain(list, &ret->chain);
	return true;
}

bool ckpt_zarr_read(const char *text, size_t len, struct ckpt_zarr *ret)
{
	_cleanup_json_ cJSON *json = NULL;
	double version = 0;

	if (ckpt_json_parse(text, len, &json, NULL))
		return false;
	ckpt_json_number(json, "zarr_format", &version);
	return version == 2 ? read_v2(json, ret) : version == 3 && read_v3(json, ret);
}

/* Numbers with separators between them, to the end; "" is none. */
static bool numbers(const struct ckpt_zarr *zarr, const char *key, size_t n)
{
	bool digit = false;

	for (size_t i = 0; i < n; i++) {
		bool is = key[i] >= '0' && key[i] <= '9';

		if (!is && (key[i] != zarr->separator || !digit))
			return false;
		digit = is;
	}
	return digit;
}

bool ckpt_zarr_is_chunk(const struct ckpt_zarr *zarr, const char *key, size_t n)
{
	if (!zarr->prefixed)
		return numbers(zarr, key, n);
	if (n == 0 || key[0] != 'c')
		return false;
	return n == 1 || (key[1] == zarr->separator && numbers(zarr, key + 2, n - 2));
}
