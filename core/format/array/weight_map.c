/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See weight_map.h. {"metadata": {...}, "weight_map": {"tensor": "file", ...}}; the order of the
 * members and whatever else is in it do not matter.
 */
#include "core/format/array/weight_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "core/format/jverdict.h"
#include "wire/text.h"

_Static_assert(sizeof(struct ckpt_weight) == 2 * sizeof(uint64_t), "sorted as two words");

/* Called for each pair; nonzero ends the walk. @value is the current token, @key is cut to fit. */
typedef int pair_fn(void *arg, const struct ckpt_jtoken *key, const struct ckpt_jtoken *value);

struct walk {
	struct ckpt_check *check;
	struct ckpt_jstream js;
	pair_fn *pair;
	void *arg;
	bool seen;
};

static int next(struct walk *w, struct ckpt_jtoken *ret)
{
	return ckpt_jverdict(w->check, &w->js, ckpt_jstream_next(&w->js, ret, w->check->err));
}

static int wrong(struct walk *w, const char *member, const char *what)
{
	return ckpt_check_reject(w->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
				 ckpt_jstream_offset(&w->js), member, "%s", what);
}

static int walk_pairs(struct walk *w)
{
	char name[CKPT_JSTREAM_TEXT + 1];
	struct ckpt_jtoken key, value;
	int r = next(w, &value);

	if (r)
		return r;
	if (value.type != CKPT_J_OBJECT || w->seen)
		return wrong(w, "weight_map", "weight_map is no object or there twice");
	w->seen = true;
	while (r = next(w, &key), !r && key.type == CKPT_J_KEY) {
		memcpy(name, key.text, key.len + 1);
		key.text = name;
		r = next(w, &value);
		if (!r && value.type != CKPT_J_STRING)
			r = wrong(w, name, "a tensor is mapped to no file name");
		if (!r)
			r = w->pair(w->arg, &key, &value);
		if (r)
			return r;
	}
	return r;
}

static int walk_members(struct walk *w)
{
	struct ckpt_jtoken tok;
	int r = next(w, &tok);

	if (!r && tok.type != CKPT_J_OBJECT)
		return wrong(w, NULL, "the index is no object");
	while (!r && (r = next(w, &tok)) == 0 && tok.type == CKPT_J_KEY) {
		if (ckpt_jtoken_is(&tok, "weight_map")) {
			r = walk_pairs(w);
			continue;
		}
		r = next(w, &tok);
		if (!r)
			r = ckpt_jverdict(w->check, &w->js,
					  ckpt_jstream_skip(&w->js, &tok, w->check->err));
	}
	if (!r)
		r = next(w, &tok); /* nothing may follow */
	return r || w->seen ? r : wrong(w, "weight_map", "there is no weight_map");
}

static int walk(struct ckpt_check *check, pair_fn *pair, void *arg)
{
	struct walk w = { .check = check, .pair = pair, .arg = arg };
	int r = ckpt_jstream_open(&w.js, check->file, 0, check->file->size);

	if (!r) {
		w.js.python = true;
		r = walk_members(&w);
	}
	ckpt_jstream_done(&w.js);
	return r;
}

struct reading {
	struct ckpt_check *check;
	struct ckpt_weight_map *map;
	size_t last; /* the shard of the tensor before: mostly this one's too */
};

static int too_many(struct ckpt_check *check, const char *what, size_t cap)
{
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET,
				 NULL, "more than %zu %s: not checked", cap, what);
}

static int find_shard(struct reading *in, const struct ckpt_jtoken *value, size_t *ret)
{
	struct ckpt_weight_map *map = in->map;
	size_t i = in->last;

	if (i >= map->n_shards || map->shard_hashes[i] != value->hash)
		for (i = 0; i < map->n_shards && map->shard_hashes[i] != value->hash;)
			i++;
	if (i == CKPT_WEIGHT_MAP_SHARDS)
		return too_many(in->check, "shards", CKPT_WEIGHT_MAP_SHARDS);
	if (i == map->n_shards) {
		map->shards[i] = strdup(value->text);
		if (!map->shards[i])
			return -ENOMEM;
		map->shard_hashes[i] = value->hash;
		map->n_shards++;
	}
	*ret = in->last = i;
	return 0;
}

static int grow(struct ckpt_check *check, struct ckpt_weight_map *map)
{
	size_t cap = map->cap_weights ? 2 * map->cap_weights : 4096;
	struct ckpt_weight *more;

	if (map->n_weights < map->cap_weights)
		return 0;
	if (cap > CKPT_WEIGHT_MAP_TENSORS)
		return too_many(check, "tensors", CKPT_WEIGHT_MAP_TENSORS);
	more = realloc(map->weights, cap * sizeof(*more));
	if (!more)
		return -ENOMEM;
	map->weights = more;
	map->cap_weights = cap;
	return 0;
}

static int add_pair(void *arg, const struct ckpt_jtoken *key, const struct ckpt_jtoken *value)
{
	struct reading *in = arg;
	size_t shard = 0;
	int folders = ckpt_jverdict_path_depth(value), r;

	if (value->type == CKPT_J_STRING && value->cut)
		return too_many(in->check, "bytes of a shard's path", CKPT_JSTREAM_TEXT);
	if (folders > CKPT_WEIGHT_MAP_FOLDERS)
		return too_many(in->check, "folders around a shard", CKPT_WEIGHT_MAP_FOLDERS);
	/* An index among the shards could name itself; a path upwards could lead anywhere. */
	if (folders < 0 || ckpt_text_ends(value->text, ".json"))
		return ckpt_check_reject(in->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, value->off,
					 key->text, "it is mapped to %s, which is no shard's name",
					 CKPT_QUOTE(value->text));
	r = find_shard(in, value, &shard);
	if (!r)
		r = grow(in->check, in->map);
	if (r)
		return r;
	in->map->weights[in->map->n_weights++] = (struct ckpt_weight) { shard, key->hash };
	in->check->report->tensors++;
	ckpt_report_add_key(in->check->report, key->text, strcspn(key->text, "."));
	return 0;
}

int ckpt_weight_map_read(struct ckpt_check *check, struct ckpt_weight_map *map)
{
	struct reading in = { .check = check, .map = map };
	int r;

	check->report->tensors = 0;
	r = walk(check, add_pair, &in);
	if (r == -ENOMEM)
		return ckpt_fail(check->err, r, "no memory for the index %s",
				 CKPT_QUOTE(check->file->name));
	if (!r && !map->n_weights)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, NULL, "the index names no tensor");
	if (!r)
		ckpt_words_sort(&map->weights->shard, map->n_weights, 2);
	return r;
}

enum { FOUND = 1000 }; /* beside every verdict */

struct finding {
	uint64_t hash;
	char *ret;
	size_t size;
};

static int find_pair(void *arg, const struct ckpt_jtoken *key, const struct ckpt_jtoken *value)
{
	struct finding *f = arg;

	(void)value;
	if (key->hash != f->hash)
		return 0;
	snprintf(f->ret, f->size, "%s", key->text);
	return FOUND;
}

int ckpt_weight_map_name(struct ckpt_check *check, uint64_t hash, char *ret, size_t size)
{
	struct finding f = { hash, ret, size };
	int r = walk(check, find_pair, &f);

	return r < 0 ? r : r == FOUND ? 0 : -EAGAIN; /* the file is no longer what it was */
}

void ckpt_weight_map_done(struct ckpt_weight_map *map)
{
	for (size_t i = 0; i < map->n_shards; i++)
		free(map->shards[i]);
	free(map->weights);
	*map = (struct ckpt_weight_map) { .n_shards = 0 };
}
