/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs of dicts: what of them is told. Those of the top-level dict, those of any dict by a word
 * of the caller's, and those below one of the top-level dict, with the keys that lead to them. For
 * these: a container that is being filled stands on the stack with its key below it; below the
 * state of an object stands the object itself. What is above the same mark belongs to the container
 * below that mark: a dict of one pair inside a dict of one pair, which has no mark either, is told
 * with the outer key missing where a mark lies below both.
 */
#include <string.h>

#include "core/format/torch/pickle_scan.h"

void ckpt_pickle_tell_name(struct ckpt_pickle_scan *s, size_t i)
{
	struct ckpt_pickle_value v = ckpt_pickle_value_of(s, &s->stack[i]);

	if (v.kind == CKPT_PICKLE_TEXT && v.text[0] && s->sink->name)
		s->stop = s->stop || !s->sink->name(s->sink->arg, v.text, strlen(v.text));
}

/* Pairs from slot @first on belong to the top-level dict: tells those of interest. */
static void tell_top(struct ckpt_pickle_scan *s, size_t first)
{
	for (size_t i = first; i + 1 < s->n && !s->stop; i += 2) {
		const struct ckpt_pickle_slot *key = &s->stack[i], *value = &s->stack[i + 1];
		struct ckpt_pickle_value v;

		s->sum.items++;
		ckpt_pickle_tell_name(s, i);
		s->sum.tensors += value->tag == CKPT_TAG_TENSOR || value->tag == CKPT_TAG_UNSEEN;
		if (!ckpt_pickle_is_caller_word(key) || !s->sink->item)
			continue;
		v = ckpt_pickle_value_of(s, value);
		s->stop = s->stop || !s->sink->item(s->sink->arg, key->word - CKPT_WORD_CALLER, &v);
	}
}

static bool is_container(const struct ckpt_pickle_slot *slot)
{
	return slot->tag == CKPT_TAG_DICT || slot->tag == CKPT_TAG_OBJECT;
}

/* The slot with the key of the container at @at; 0 if it has none. */
static size_t key_slot(const struct ckpt_pickle_scan *s, size_t at)
{
	size_t key = at - 1;

	if (key > 0 && s->stack[key].tag == CKPT_TAG_OBJECT)
		key--;
	return key > 0 && s->stack[key].tag != CKPT_TAG_MARK ? key : 0;
}

/* Tells which dict the pairs that come belong to. */
static void tell_holder(struct ckpt_pickle_scan *s, size_t container)
{
	struct ckpt_pickle_value v = { .kind = CKPT_PICKLE_OPAQUE };
	size_t key = container ? key_slot(s, container) : 0;

	if (key)
		v = ckpt_pickle_value_of(s, &s->stack[key]);
	if (s->sink->holder)
		s->stop = !s->sink->holder(s->sink->arg, &v);
}

/* Pairs from slot @first on belong to the dict @container: tells those of interest to who asked. */
static void tell_nested(struct ckpt_pickle_scan *s, size_t container, size_t first)
{
	bool held = false;

	for (size_t i = first; s->sink->nested && i + 1 < s->n && !s->stop; i += 2) {
		const struct ckpt_pickle_slot *key = &s->stack[i];
		struct ckpt_pickle_value v;

		if (!ckpt_pickle_is_caller_word(key))
			continue;
		if (!held)
			tell_holder(s, container);
		held = true;
		v = ckpt_pickle_value_of(s, &s->stack[i + 1]);
		s->stop =
			s->stop || !s->sink->nested(s->sink->arg, key->word - CKPT_WORD_CALLER, &v);
	}
}

/* The container that the pair with its key at @key is put into; SIZE_MAX where it is no dict. */
static size_t parent_of(const struct ckpt_pickle_scan *s, size_t key)
{
	size_t mark = s->mark;

	while (mark && mark - 1 > key)
		mark = s->stack[mark - 1].value;
	if (mark == 0)
		return key == 1 || is_container(&s->stack[key - 1]) ? key - 1 : SIZE_MAX;
	return mark >= 2 && is_container(&s->stack[mark - 2]) ? mark - 2 : SIZE_MAX;
}

/* Finds the slots of the keys that lead to the container at @at, innermost first. False unless the
 * outermost is one of the caller's words in the top-level dict. */
static bool find_keys(const struct ckpt_pickle_scan *s, size_t at, size_t *keys, size_t *ret_n)
{
	size_t n = 0;

	while (at != 0 && n < CKPT_PICKLE_KEYS) {
		size_t key = key_slot(s, at);

		if (!key)
			return false;
		keys[n++] = key;
		at = parent_of(s, key);
		if (at == SIZE_MAX)
			return false;
	}
	*ret_n = n;
	return at == 0 && n && s->stack[keys[n - 1]].tag == CKPT_TAG_WORD &&
	       s->stack[keys[n - 1]].word >= CKPT_WORD_CALLER;
}

/* Tells the pairs of @container, if they are below a word in the top-level dict. */
static void tell_below(struct ckpt_pickle_scan *s, size_t container, size_t first)
{
	struct ckpt_pickle_pair pair = { 0 };
	size_t keys[CKPT_PICKLE_KEYS], n;

	if (!s->sink->below || !find_keys(s, container, keys, &n))
		return;
	pair.word = s->stack[keys[n - 1]].word - CKPT_WORD_CALLER;
	pair.n = n;
	for (size_t i = 0; i + 1 < n; i++)
		pair.keys[i] = ckpt_pickle_value_of(s, &s->stack[keys[n - 2 - i]]);
	for (size_t i = first; i + 1 < s->n && !s->stop; i += 2) {
		pair.keys[n - 1] = ckpt_pickle_value_of(s, &s->stack[i]);
		pair.value = ckpt_pickle_value_of(s, &s->stack[i + 1]);
		pair.inner = is_container(&s->stack[i + 1]);
		s->stop = !s->sink->below(s->sink->arg, &pair);
	}
}

void ckpt_pickle_tell_pairs(struct ckpt_pickle_scan *s, size_t container, size_t first)
{
	if (container == 0)
		tell_top(s, first);
	tell_nested(s, container, first);
	tell_below(s, container, first);
}
