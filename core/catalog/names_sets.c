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

void ckpt_name_end(char *text, size_t size, const char *end)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s", end);
}

void ckpt_name_end_series(struct ckpt_name *ret, const char *end)
{
	ckpt_name_end(ret->series, sizeof(ret->series), end);
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

/* Where a name says which rank's it is: [begin, end) with the signs around it. */
struct rank_word {
	size_t begin, end;
	struct ckpt_pattern_number rank, ranks; /* ranks: where it tells how many there are */
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of the number at @s behind at most one sign, 0 for none; *@ret has where it is in @name.
 */
static size_t take_number(const char *name, const char *s, char meaning,
			  struct ckpt_pattern_number *ret)
{
	size_t sign = *s && strchr("-_=.", *s) ? 1 : 0, digits = strspn(s + sign, "0123456789");

	ret->meaning = meaning;
	ret->begin = (size_t)(s - name) + sign;
	ret->end = ret->begin + digits;
	return digits ? sign + digits : 0;
}

/* The word of a rank that begins at @word, of @len letters, in @lower. */
static bool read_rank_word(const char *lower, const char *word, size_t len, struct rank_word *ret)
{
	const char *at = word + len;
	size_t more = take_number(lower, at, 'p', &ret->rank);

	if (more == 0 || (word > lower && is_alnum(word[-1])))
		return false;
	at += more;
	more = *at == '-' || *at == '_' ? 1 : 0;
	ret->ranks = (struct ckpt_pattern_number) { 0 };
	if (strncmp(at + more, "of", 2) == 0) {
		size_t number = take_number(lower, at + more + 2, 'o', &ret->ranks);

		at += number ? more + 2 + number : 0;
	}
	if (is_alnum(*at))
		return false;
	ret->begin = (size_t)(word - lower);
	ret->end = (size_t)(at - lower);
	if (ret->begin > 0 && strchr("-_=.", lower[ret->begin - 1]))
		ret->begin--;
	else if (ret->begin == 0 && *at && strchr("-_=", *at))
		ret->end++;
	return true;
}

/* The only word of a rank in @lower. */
static bool find_rank_word(const char *lower, struct rank_word *ret)
{
	static const char *const words[] = { "rank", "shard" };
	struct rank_word one;
	int n = 0;

	if (strstr(lower, "lora")) /* a matrix's rank */
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		for (const char *at = strstr(lower, words[i]); at; at = strstr(at + 1, words[i])) {
			if (!read_rank_word(lower, at, strlen(words[i]), &one))
				continue;
			*ret = one;
			n++;
		}
	}
	return n == 1;
}

/* Numbers of the name without the word stand where they do in the name itself; the word's own are
 * added. */
static bool take_word(const char *name, const struct rank_word *word, struct ckpt_name *ret)
{
	size_t len = word->end - word->begin;

	for (int i = 0; i < ret->n_numbers; i++) {
		if (ret->numbers[i].begin < word->begin)
			continue;
		ret->numbers[i].begin += len;
		ret->numbers[i].end += len;
	}
	if (ret->n_numbers + 2 > CKPT_PATTERN_NUMBERS)
		return false;
	ret->numbers[ret->n_numbers++] = word->rank;
	if (word->ranks.end)
		ret->numbers[ret->n_numbers++] = word->ranks;
	ret->part = CKPT_PART_INDEX;
	ckpt_name_take_numbers(name, ret);
	return ret->part >= 0;
}

int ckpt_name_parse_ranked(const char *name, struct ckpt_name *ret)
{
	char lower[CKPT_NAME_SIZE], rest[CKPT_NAME_SIZE];
	struct rank_word word = { 0 };
	size_t len;

	if (!ckpt_name_lower(name, lower, &len) || !find_rank_word(lower, &word))
		return CKPT_NAME_NONE;
	if (ckpt_name_parse_rows(name, CKPT_KIND_FILE, ret) == 0 && ret->fold == CKPT_FOLD_RANKS)
		return 0;
	snprintf(rest, sizeof(rest), "%.*s%s", (int)word.begin, name, name + word.end);
	if (rest[0] == '.' || ckpt_name_parse_rows(rest, CKPT_KIND_FILE, ret) != 0 ||
	    ret->fold != CKPT_FOLD_NONE || !take_word(name, &word, ret))
		return CKPT_NAME_NONE;
	ret->fold = CKPT_FOLD_RANKS;
	ret->numbering = CKPT_RANKS_IN_A_ROW;
	snprintf(ret->stem, sizeof(ret->stem), "%.*s#%s", (int)word.rank.begin, name,
		 name + word.rank.end);
	ckpt_name_end_series(ret, word.ranks.end ? "_rank#-of-#" : "_rank#");
	return 0;
}
