/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opcodes that push one value they have with them: texts, integers and floats, of all protocols.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/pickle_scan.h"

/* Keeps the beginning of a text that may be a name or value of the top-level object. Whether it
 * did. */
static bool keep_text(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	size_t len = a->len < CKPT_PICKLE_KEPT ? a->len : CKPT_PICKLE_KEPT - 1;

	if (s->n >= CKPT_PICKLE_TEXTS || (s->mark > 2 && !s->sink->paths))
		return false;
	memcpy(s->texts[s->n], a->text, len);
	s->texts[s->n][len] = '\0';
	return true;
}

/* Offers a string that follows a word of the caller's to it. Whether it took it. */
static bool intern(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a, uint32_t *ret_id)
{
	const struct ckpt_pickle_slot *key;

	if (!s->sink->intern || a->cut || ckpt_pickle_above_mark(s) == 0)
		return false;
	key = &s->stack[s->n - 1];
	return ckpt_pickle_is_caller_word(key) &&
	       s->sink->intern(s->sink->arg, key->word - CKPT_WORD_CALLER, a->text, ret_id);
}

/* Keeps the string that is pushed next, for the memo's number that mostly follows. */
static void remember(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	if (!s->sink->memo)
		return;
	s->fresh = a->cut ? 0 : s->n + 1;
	memcpy(s->text, a->text, a->len + 1);
}

int ckpt_pickle_run_text(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_TEXT };
	uint64_t value;
	uint32_t id;

	if (intern(s, a, &id))
		return ckpt_pickle_push(
			s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INTERNED, .value = id });

	slot.word = ckpt_pickle_word_here(s, a);
	if (slot.word) {
		slot.tag = CKPT_TAG_WORD;
	} else if (ckpt_pickle_digits(a, &value)) {
		slot.tag = CKPT_TAG_DIGITS;
		slot.value = value;
	} else {
		slot.value = keep_text(s, a);
	}
	remember(s, a);
	return ckpt_pickle_push(s, slot);
}

/* STRING of protocol 0 is quoted. Escapes are not resolved: no name of interest has any. */
int ckpt_pickle_run_quoted(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_arg bare = { .cut = a->cut };

	if (a->len < 2)
		return CKPT_PICKLE_BAD;
	bare.len = a->len - 2;
	memcpy(bare.text, a->text + 1, bare.len);
	return ckpt_pickle_run_text(s, &bare);
}

int ckpt_pickle_run_int(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return ckpt_pickle_push(s,
				(struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .value = a->num });
}

int ckpt_pickle_run_int32(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	return ckpt_pickle_push(
		s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .i = (int32_t)a->num });
}

/* LONG1: little-endian two's complement of any length; beyond 64 bit it is just a number. */
int ckpt_pickle_run_long(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	uint64_t v = a->len && (a->text[a->len - 1] & 0x80) ? UINT64_MAX : 0;

	if (a->len > 8)
		return ckpt_pickle_push_tag(s, CKPT_TAG_OPAQUE);
	for (size_t i = a->len; i-- > 0;)
		v = v << 8 | (uint8_t)a->text[i];
	return ckpt_pickle_push(s, (struct ckpt_pickle_slot) { .tag = CKPT_TAG_INT, .value = v });
}

/* INT and LONG as decimal lines: "5", "5L", and "00"/"01" for the booleans of protocol 0. */
int ckpt_pickle_run_int_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_INT };
	char *end;

	if (strcmp(a->text, "00") == 0 || strcmp(a->text, "01") == 0) {
		slot.tag = CKPT_TAG_BOOL;
		slot.i = a->text[1] == '1';
		return ckpt_pickle_push(s, slot);
	}
	errno = 0;
	slot.i = strtoll(a->text, &end, 10);
	if (errno == ERANGE || a->cut)
		return ckpt_pickle_push_tag(s, CKPT_TAG_OPAQUE);
	if (end == a->text || (*end && strcmp(end, "L") != 0))
		return CKPT_PICKLE_BAD;
	return ckpt_pickle_push(s, slot);
}

int ckpt_pickle_run_float(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_FLOAT };
	uint64_t bits = __builtin_bswap64(a->num);

	memcpy(&slot.f, &bits, sizeof(bits));
	return ckpt_pickle_push(s, slot);
}

int ckpt_pickle_run_float_line(struct ckpt_pickle_scan *s, const struct ckpt_pickle_arg *a)
{
	struct ckpt_pickle_slot slot = { .tag = CKPT_TAG_FLOAT };
	char *end;

	slot.f = strtod(a->text, &end);
	if (end == a->text || *end)
		return CKPT_PICKLE_BAD;
	return ckpt_pickle_push(s, slot);
}
