/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See safetensors_index.h.
 */
#include "core/format/array/safetensors_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "core/format/array/safetensors.h"
#include "core/format/array/weight_map.h"
#include "wire/text.h"

/* NAME-00002-of-00005.ext: the numbers; false for any other name. */
static bool shard_numbers(const char *name, unsigned long *ret_k, unsigned long *ret_of)
{
	const char *of = strstr(name, "-of-"), *k = of;
	char *end;

	while (k && k > name && k[-1] >= '0' && k[-1] <= '9')
		k--;
	if (!of || k == of || k == name || k[-1] != '-' || of[4] < '0' || of[4] > '9')
		return false;
	*ret_k = strtoul(k, NULL, 10);
	*ret_of = strtoul(of + 4, &end, 10);
	return *end == '.' || *end == 0;
}

/* Length of the folders in a shard's path, their last slash included. */
static size_t folder_len(const char *shard)
{
	const char *slash = strrchr(shard, '/');

	return slash ? (size_t)(slash + 1 - shard) : 0;
}

static bool same_folder(const char *a, const char *b)
{
	size_t n = folder_len(a);

	return n == folder_len(b) && memcmp(a, b, n) == 0;
}

/* All shards that carry numbers in the folder of the shard @first must be of one set, and all of
 * that set be mapped. */
static int check_folder(struct ckpt_check *check, const struct ckpt_weight_map *map, size_t first)
{
	const char *folder = map->shards[first];
	unsigned long k, of, total = 0, numbered = 0;

	for (size_t i = first; i < map->n_shards; i++) {
		if (!same_folder(folder, map->shards[i]) ||
		    !shard_numbers(map->shards[i] + folder_len(folder), &k, &of))
			continue;
		if (!total)
			total = of;
		if (of != total || k > of)
			return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH,
						 CKPT_NO_OFFSET, map->shards[i],
						 "it does not belong to a set of %lu", total);
		numbered++;
	}
	if (numbered == total)
		return 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH, CKPT_NO_OFFSET,
				 NULL, "it maps tensors to %lu of %lu shards%s%.*s", numbered,
				 total, folder_len(folder) ? " in " : "", (int)folder_len(folder),
				 folder);
}

/* Each folder has numbers of its own. */
static int check_numbers(struct ckpt_check *check, const struct ckpt_weight_map *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->n_shards; i++) {
		size_t before = 0;

		while (before < i && !same_folder(map->shards[before], map->shards[i]))
			before++;
		if (before == i)
			r = check_folder(check, map, i);
	}
	return r;
}

/* The tensors mapped to one shard: a part of the map's table, and which of them were found. */
struct slice {
	const struct ckpt_weight *weights;
	size_t n;
	bool *seen;
};

static void mark(void *arg, uint64_t name_hash)
{
	struct slice *s = arg;
	size_t i = 0, n = s->n;

	while (i < n) {
		size_t mid = i + (n - i) / 2;

		if (s->weights[mid].hash < name_hash)
			i = mid + 1;
		else
			n = mid;
	}
	for (; i < s->n && s->weights[i].hash == name_hash; i++)
		s->seen[i] = true;
}

static int check_member(struct ckpt_check *check, const char *shard, enum ckpt_level level,
			struct ckpt_report *ret)
{
	int r = ckpt_check_member(check, shard, level, CKPT_PROBLEM_SHARD_MISSING, ret);

	if (r || ret->verdict.evidence != CKPT_EVIDENCE_OPAQUE)
		return r;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, shard,
				 "the shard holds no known format");
}

/* All tensors that are mapped to the shard must have been seen there. */
static int check_seen(struct ckpt_check *check, const struct slice *s, const char *shard)
{
	char name[256];
	size_t i = 0;
	int r;

	while (i < s->n && s->seen[i])
		i++;
	if (i == s->n)
		return 0;
	r = ckpt_weight_map_name(check, s->weights[i].hash, name, sizeof(name));
	return r ? r
		 : ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH,
				     CKPT_NO_OFFSET, name, "it is not in its shard %s",
				     CKPT_QUOTE(shard));
}

/* The structure of a shard, and the names in it as far as its row tells them. */
static int check_structure(struct ckpt_check *check, const struct ckpt_weight_map *map,
			   size_t shard)
{
	const uint64_t *words = &map->weights->shard, from = shard, to = shard + 1;
	size_t first = ckpt_words_lower(words, map->n_weights, 2, &from, 1);
	size_t behind = ckpt_words_lower(words, map->n_weights, 2, &to, 1);
	_cleanup_free_ bool *seen = calloc(behind - first + 1, 1);
	struct slice s = { map->weights + first, behind - first, seen };
	struct ckpt_report own;
	int r;

	if (!seen)
		return -ENOMEM;
	check->heard = mark;
	check->heard_arg = &s;
	r = check_member(check, map->shards[shard], CKPT_LEVEL_STRUCTURE, &own);
	check->heard = NULL;
	if (r)
		return r;
	if (own.format == &ckpt_format_safetensors)
		return check_seen(check, &s, map->shards[shard]);
	check->unread = true;
	return 0;
}

static int check_content(struct ckpt_check *check, const struct ckpt_weight_map *map, size_t shard)
{
	struct ckpt_report own;

	return check_member(check, map->shards[shard], CKPT_LEVEL_FULL, &own);
}

static int run(struct ckpt_check *check,
	       int (*check_shard)(struct ckpt_check *check, const struct ckpt_weight_map *map,
				  size_t shard))
{
	_cleanup_free_ struct ckpt_weight_map *map = calloc(1, sizeof(*map));
	int r = map ? ckpt_weight_map_read(check, map) : -ENOMEM;

	if (!r)
		r = check_numbers(check, map);
	for (size_t i = 0; !r && i < map->n_shards; i++)
		r = check_shard(check, map, i);
	if (map)
		ckpt_weight_map_done(map);
	return r;
}

static int index_structure(struct ckpt_check *check)
{
	check->report->contents = CKPT_CONTENTS_WEIGHTS;
	return run(check, check_structure);
}

/* Shards of safetensors hold nothing that the structure has not shown. */
static int index_content(struct ckpt_check *check)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	if (!check->unread && check->level < CKPT_LEVEL_FINITE) {
		verdict->evidence = CKPT_EVIDENCE_STRUCTURE;
		ckpt_check_bare(check, &ckpt_format_safetensors);
		return 0;
	}
	verdict->size_bytes = check->file->size; /* shards are added anew */
	return run(check, check_content);
}

/* A JSON object named as an index: shards never are, so that no index leads to another. */
static bool index_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	uint32_t i = 0;

	if (!ckpt_text_ends(check->name, ".json") || !strstr(check->name, ".index."))
		return false;
	while (i < head->n_head && strchr(" \t\r\n", head->head[i]) && head->head[i])
		i++;
	return i < head->n_head && head->head[i] == '{';
}

const struct ckpt_format ckpt_format_safetensors_index = {
	.name = "safetensors-index",
	.title = "sharded weights (index.json)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the shards lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = index_sniff,
	.split = true, /* by shards */
	.structure = index_structure,
	.content = index_content,
};
