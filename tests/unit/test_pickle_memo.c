/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memo of the pickle scan: what it keeps, what it forgets, and its two caps.
 */
#include "core/format/torch/pickle_memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ckpt_pickle_slot slot_of(enum ckpt_pickle_tag tag, uint64_t value)
{
	return (struct ckpt_pickle_slot) { .tag = (uint8_t)tag, .word = 7, .value = value };
}

static void assert_kept(struct ckpt_pickle_memo *memo, uint64_t index, enum ckpt_pickle_tag tag,
			uint64_t value)
{
	struct ckpt_pickle_slot got = ckpt_pickle_memo_get(memo, index);

	assert_int_equal(got.tag, tag);
	assert_int_equal(got.value, tag == CKPT_TAG_UNSEEN ? index : value);
}

static void test_pickle_memo__what_is_kept(void **state)
{
	static const struct {
		enum ckpt_pickle_tag tag;
		bool kept;
	} cases[] = {
		{ CKPT_TAG_WORD, true },    { CKPT_TAG_DIGITS, true }, { CKPT_TAG_INTERNED, true },
		{ CKPT_TAG_GLOBAL, true },  { CKPT_TAG_TEXT, false },  { CKPT_TAG_DICT, false },
		{ CKPT_TAG_OBJECT, false }, { CKPT_TAG_INT, false },   { CKPT_TAG_UNSEEN, false },
	};
	struct ckpt_pickle_memo *memo = calloc(1, sizeof(*memo));

	(void)state;
	assert_non_null(memo);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ckpt_pickle_memo_put(memo, i, slot_of(cases[i].tag, i + 100));
		assert_kept(memo, i, cases[i].kept ? cases[i].tag : CKPT_TAG_UNSEEN, i + 100);
	}
	ckpt_pickle_memo_put(memo, 50,
			     (struct ckpt_pickle_slot) { .tag = CKPT_TAG_GLOBAL, .word = 0 });
	assert_kept(memo, 50, CKPT_TAG_UNSEEN, 0);
	assert_kept(memo, 51, CKPT_TAG_UNSEEN, 0);
	free(memo);
}

/* The number names what was put there last, also where that is of no interest. */
static void test_pickle_memo__put_again(void **state)
{
	struct ckpt_pickle_memo *memo = calloc(1, sizeof(*memo));

	(void)state;
	assert_non_null(memo);
	for (uint64_t i = 0; i < 3; i++)
		ckpt_pickle_memo_put(memo, UINT64_MAX - i, slot_of(CKPT_TAG_DIGITS, i));
	for (uint64_t i = 0; i < 3; i++)
		assert_kept(memo, UINT64_MAX - i, CKPT_TAG_DIGITS, i);
	assert_kept(memo, 0, CKPT_TAG_UNSEEN, 0);
	ckpt_pickle_memo_put(memo, UINT64_MAX, slot_of(CKPT_TAG_WORD, 9));
	ckpt_pickle_memo_put(memo, UINT64_MAX - 1, slot_of(CKPT_TAG_DICT, 0));
	assert_kept(memo, UINT64_MAX, CKPT_TAG_WORD, 9);
	assert_kept(memo, UINT64_MAX - 1, CKPT_TAG_UNSEEN, 0);
	assert_kept(memo, UINT64_MAX - 2, CKPT_TAG_DIGITS, 2);
	free(memo);
}

/* Each kind up to its own cap, none of them lost, and none taken for another. */
static void test_pickle_memo__caps(void **state)
{
	struct ckpt_pickle_memo *memo = calloc(1, sizeof(*memo));

	(void)state;
	assert_non_null(memo);
	for (uint64_t i = 0; i < CKPT_MEMO_DIGITS + 10; i++)
		ckpt_pickle_memo_put(memo, i * 3, slot_of(CKPT_TAG_DIGITS, i));
	for (uint64_t i = 0; i < CKPT_MEMO_OTHERS + 10; i++)
		ckpt_pickle_memo_put(memo, i * 3 + 1, slot_of(CKPT_TAG_WORD, i));
	for (uint64_t i = 0; i < CKPT_MEMO_DIGITS + 10; i++) {
		assert_kept(memo, i * 3, i < CKPT_MEMO_DIGITS ? CKPT_TAG_DIGITS : CKPT_TAG_UNSEEN,
			    i);
		assert_kept(memo, i * 3 + 1, i < CKPT_MEMO_OTHERS ? CKPT_TAG_WORD : CKPT_TAG_UNSEEN,
			    i);
		assert_kept(memo, i * 3 + 2, CKPT_TAG_UNSEEN, 0);
	}
	free(memo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pickle_memo__what_is_kept),
		cmocka_unit_test(test_pickle_memo__put_again),
		cmocka_unit_test(test_pickle_memo__caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
