/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of files that make up a set with others: bundles, shards, LAMMPS' base files. What is
 * common to them, the stem, is read by the rows.
 */
#include "core/catalog/names_sets.h"

#include <stdio.h>
#include <string.h>

#include "core/catalog/pattern.h"
#include "core/catalog/rows.h"
#include "wire/text.h"

void ckpt_name_end_series(struct ckpt_name *ret, const char *end)
{
	size_t len = strlen(ret->series);

	snprintf(ret->series + len, sizeof(ret->series) - len, "%s", end);
}

int ckpt_name_parse_prefix(const char *prefix, struct ckpt_name *ret)
{
	int r = ckpt_name_parse_rows(prefix, CKPT_KIND_PREFIX, ret);

	if (r)
		return r;
	ret->layout = "tf-bundle";
	ret->fold = CKPT_FOLD_BUNDLE;
	ret->part = CKPT_PART_INDEX;
	snprintf(ret->stem, sizeof(ret->stem), "%s", prefix);
	ckpt_name_end_series(ret, ".*");
	return 0;
}

int ckpt_name_parse_percent(const char *stem, struct ckpt_name *ret)
{
	if (!strchr(stem, '%') || ckpt_name_parse_rows(stem, CKPT_KIND_PREFIX, ret) != 0 ||
	    strcmp(ret->layout, CKPT_LAYOUT_LAMMPS_SET) != 0)
		return CKPT_NAME_NONE;
	ret->fold = CKPT_FOLD_PARTS;
	ret->part = CKPT_PART_INDEX;
	snprintf(ret->stem, sizeof(ret->stem), "%s", stem);
	ckpt_name_end_series(ret, "*");
	return 0;
}

int ckpt_name_parse_base(const char *name, struct ckpt_name *ret)
{
	const char *at = strstr(name, "base");
	char stem[CKPT_NAME_SIZE];

	if (!at || name[0] == '.' || strchr(name, '%') || strlen(name) >= sizeof(stem))
		return CKPT_NAME_NONE;
	while (strstr(at + 1, "base"))
		at = strstr(at + 1, "base");
	snprintf(stem, sizeof(stem), "%.*s%%%s", (int)(at - name), name, at + 4);
	return ckpt_name_parse_percent(stem, ret);
}

/* If @name has the shape of a bundle's member, the length of its prefix and the part; else 0. */
static size_t split_bundle(const char *name, int64_t *ret_part, bool *ret_weak)
{
	struct ckpt_pattern_match m;
	const char *data = strstr(name, ".data-");

	*ret_weak = false;
	if (data && ckpt_pattern_match(".data-{p5}-of-{o5}", data, &m)) {
		ckpt_pattern_int(data, &m.numbers[0], ret_part);
		return (size_t)(data - name);
	}
	if (ckpt_text_ends(name, ".index")) {
		*ret_part = CKPT_PART_INDEX;
		return strlen(name) - strlen(".index");
	}
	if (ckpt_text_ends(name, ".meta")) {
		*ret_part = CKPT_PART_META;
		*ret_weak = true;
		return strlen(name) - strlen(".meta");
	}
	return 0;
}

int ckpt_name_parse_bundle(const char *name, struct ckpt_name *ret)
{
	char prefix[CKPT_NAME_SIZE];
	int64_t part = 0;
	size_t len;
	bool weak;
	int r;

	len = split_bundle(name, &part, &weak);
	if (!len || len >= sizeof(prefix))
		return CKPT_NAME_NONE;
	memcpy(prefix, name, len);
	prefix[len] = '\0';
	r = ckpt_name_parse_prefix(prefix, ret);
	if (r)
		return r;
	ret->part = part;
	ret->weak = part >= 0 && part != CKPT_PART_META ? false : weak || ret->weak;
	return 0;
}

int ckpt_name_parse_own_bundle(const char *name, struct ckpt_name *ret)
{
	char prefix[CKPT_NAME_SIZE];
	int64_t part = CKPT_PART_INDEX;
	size_t len;
	bool weak;

	len = split_bundle(name, &part, &weak);
	len = len ? len : strlen(name);
	if (len >= sizeof(prefix) || name[0] == '.')
		return CKPT_NAME_NONE;
	memcpy(prefix, name, len);
	prefix[len] = '\0';
	if (ckpt_name_parse_prefix(prefix, ret) != 0) {
		ckpt_name_user(prefix, false, ret);
		ret->layout = "tf-bundle";
		ret->kind = CKPT_KIND_PREFIX;
		ret->fold = CKPT_FOLD_BUNDLE;
		snprintf(ret->stem, sizeof(ret->stem), "%s", prefix);
		ckpt_name_end_series(ret, ".*");
	}
	ret->part = part;
	return 0;
}

/* What the file without its shard numbers says of position and role; weights of the last state if
 * nothing. */
static void parse_shard_base(const char *base, struct ckpt_name *ret)
{
	if (ckpt_name_parse_rows(base, CKPT_KIND_FILE, ret) != 0) {
		ret->role = CKPT_ROLE_LAST;
		ret->mistakable = ret->top_only = true;
	}
	ret->layout = "sharded";
	ret->fold = CKPT_FOLD_SHARDS;
	ret->weak = false;
	snprintf(ret->stem, sizeof(ret->stem), "%s.index.json", base);
	snprintf(ret->series, sizeof(ret->series), "%s", ret->stem);
}

int ckpt_name_parse_shards(const char *name, struct ckpt_name *ret)
{
	static const char index_suffix[] = ".index.json";
	struct ckpt_pattern_match m;
	char base[CKPT_NAME_SIZE];
	int64_t part = CKPT_PART_INDEX;
	size_t len = strlen(name);

	if (ckpt_text_ends(name, ".safetensors.index.json") ||
	    ckpt_text_ends(name, ".bin.index.json")) {
		snprintf(base, sizeof(base), "%.*s", (int)(len - strlen(index_suffix)), name);
	} else if (ckpt_pattern_match("*-{p5}-of-{o5}.safetensors", name, &m) ||
		   ckpt_pattern_match("pytorch_model-{p5}-of-{o5}.bin", name, &m)) {
		ckpt_pattern_int(name, &m.numbers[0], &part);
		snprintf(base, sizeof(base), "%.*s%s", (int)m.numbers[0].begin - 1, name,
			 name + m.numbers[1].end);
	} else {
		return CKPT_NAME_NONE;
	}
	parse_shard_base(base, ret);
	ret->part = part;
	return 0;
}
