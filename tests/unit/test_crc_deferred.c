/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/crc_deferred.h: a deferred check is good exactly when every byte of every range came
 * once and was right, whatever the order and the cuts; what cannot be deferred is handed out again.
 */
#include "core/base/crc_deferred.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/scratch.h"

#define SIZE 100000
#define MANY 200

/* A job over @n ranges; ends with @result. */
struct list {
	struct ckpt_crc_range range[MANY];
	int n, at, result;
};

static int next(void *arg, struct ckpt_crc_range *ret)
{
	struct list *list = arg;

	if (list->at == list->n)
		return list->result;
	*ret = list->range[list->at++];
	return 1;
}

static int next_for_ever(void *arg, struct ckpt_crc_range *ret)
{
	uint64_t *n = arg;

	*ret = (struct ckpt_crc_range) { .tag = (*n)++ };
	return 1;
}

static struct ckpt_file file_of(uint64_t ino, uint64_t base, uint64_t size)
{
	return (struct ckpt_file) {
		.fd = -1, .base = base, .size = size, .id = { .ino = ino, .size = base + size }
	};
}

/* Ranges from @base on in @data: gaps, neighbours, empty ones, one byte, most of the file. */
static void fill(struct list *list, const uint8_t *data, uint64_t base, enum ckpt_crc_kind kind)
{
	static const uint64_t lens[] = { 1, 0, 700, 64, 0, 3, 30000, 12 }, gaps[] = { 0, 5, 0, 64 };
	uint64_t at = 3;

	*list = (struct list) { 0 };
	for (int i = 0; at + 30000 < SIZE - base; i++) {
		uint64_t len = lens[i % 8];

		list->range[list->n++] = (struct ckpt_crc_range) {
			.off = at, .len = len, .expected = ckpt_crc(kind, 0, data + base + at, len)
		};
		at += len + gaps[i % 4];
	}
}

static bool defer(struct ckpt_crc_deferred *d, const struct ckpt_file *file, struct list *list,
		  enum ckpt_crc_kind kind)
{
	const struct ckpt_crc_job job = { .kind = kind, .next = next, .arg = list };
	struct ckpt_crc_replay replay;
	bool taken = ckpt_crc_defer(d, file, &job, &replay);

	free(replay.kept);
	return taken;
}

/* Bytes [@begin, @end) of the file, in pieces of @piece. */
static void feed(struct ckpt_crc_deferred *d, const struct ckpt_identity *id, const uint8_t *data,
		 const uint64_t part[3])
{
	struct ckpt_crc_track track = { 0 };

	ckpt_crc_track_begin(&track, d, id, part[0]);
	for (uint64_t at = part[0], n; at < part[1]; at += n) {
		n = part[1] - at < part[2] ? part[1] - at : part[2];
		ckpt_crc_track_take(&track, data + at, n);
	}
	ckpt_crc_track_end(&track);
}

/* The whole file in leaves of @leaf bytes, every second one first. */
static void feed_all(struct ckpt_crc_deferred *d, const struct ckpt_identity *id,
		     const uint8_t *data, uint64_t leaf)
{
	for (uint64_t odd = 2; odd-- > 0;) {
		for (uint64_t at = odd * leaf; at < SIZE; at += 2 * leaf) {
			uint64_t end = at + leaf < SIZE ? at + leaf : SIZE;

			feed(d, id, data, (uint64_t[3]) { at, end, leaf / 3 + 1 });
		}
	}
}

static void test_crc_deferred__any_cuts(void **state)
{
	static const uint64_t leaves[] = { 1, 7, 64, 1000, 4096, 31000, SIZE };
	uint8_t *data = scratch_noise(SIZE, 5);
	struct list list;

	(void)state;
	for (int kind = CKPT_CRC32; kind <= CKPT_CRC32C; kind++) {
		for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++) {
			_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
			uint64_t base = i % 2 ? 1000 : 0;
			struct ckpt_file file = file_of(1, base, SIZE - base);

			fill(&list, data, base, (enum ckpt_crc_kind)kind);
			assert_true(defer(&d, &file, &list, (enum ckpt_crc_kind)kind));
			assert_false(ckpt_crc_deferred_good(&d));
			feed_all(&d, &file.id, data, leaves[i]);
			assert_true(ckpt_crc_deferred_good(&d));
			feed(&d, &file.id, data, (uint64_t[3]) { base + 3, base + 4, 1 });
			assert_false(ckpt_crc_deferred_good(&d)); /* a byte twice */
		}
	}
	free(data);
}

/* One bit anywhere in a range shows, and none outside of them. */
static void test_crc_deferred__one_bit(void **state)
{
	uint8_t *data = scratch_noise(SIZE, 6);
	struct ckpt_file file = file_of(1, 0, SIZE);
	struct list list;

	(void)state;
	for (uint64_t bit = 0; bit < SIZE; bit += 997) {
		_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
		bool inside = false;

		fill(&list, data, 0, CKPT_CRC32);
		for (int i = 0; i < list.n; i++)
			inside = inside || (bit >= list.range[i].off &&
					    bit < list.range[i].off + list.range[i].len);
		assert_true(defer(&d, &file, &list, CKPT_CRC32));
		data[bit] ^= 1;
		feed_all(&d, &file.id, data, 4096);
		data[bit] ^= 1;
		assert_int_equal(ckpt_crc_deferred_good(&d), !inside);
	}
	free(data);
}

static void test_crc_deferred__several_files(void **state)
{
	_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
	uint8_t *data = scratch_noise(SIZE, 7);
	struct ckpt_identity unknown = { .ino = 99 };
	struct list list;

	(void)state;
	for (uint64_t ino = 1; ino <= 3; ino++) {
		struct ckpt_file file = file_of(ino, 0, SIZE);

		fill(&list, data, 0, CKPT_CRC32C);
		assert_true(defer(&d, &file, &list, CKPT_CRC32C));
		assert_false(defer(&d, &file, &list, CKPT_CRC32C)); /* a second job of it */
	}
	feed_all(&d, &unknown, data, 5000);
	for (uint64_t ino = 3; ino >= 1; ino--) {
		struct ckpt_file file = file_of(ino, 0, SIZE);

		assert_false(ckpt_crc_deferred_good(&d));
		feed_all(&d, &file.id, data, 5000);
	}
	assert_true(ckpt_crc_deferred_good(&d));
	free(data);
}

/* A CRC of 0 is what nothing has, too. */
static void test_crc_deferred__unread_is_not_good(void **state)
{
	_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
	struct list list = { { { .off = 10, .len = 20 } }, 1, 0, 0 };
	struct ckpt_file file = file_of(1, 0, 100);

	(void)state;
	assert_true(defer(&d, &file, &list, CKPT_CRC32));
	assert_false(ckpt_crc_deferred_good(&d));
}

static const struct ckpt_crc_range plain = { .off = 10, .len = 20 };
static uint32_t somewhere;

/* What is not simple is not taken, and is handed out from its beginning. */
static void test_crc_deferred__hands_out_again(void **state)
{
	static const struct {
		struct ckpt_crc_range last;
		int result;
	} cases[] = {
		{ { .off = 29, .len = 5 }, 0 },		     /* overlaps */
		{ { .off = 0, .len = 5 }, 0 },		     /* goes back */
		{ { .off = 90, .len = 11 }, 0 },	     /* beyond the file */
		{ { .off = 101, .len = 0 }, 0 },	     /* so too */
		{ { .off = 50, .len = UINT64_MAX }, 0 },     /* so too */
		{ { .off = 40, .ret_crc = &somewhere }, 0 }, /* a piece */
		{ { .off = 40, .len = 5 }, -EIO },	     /* could not find out */
	};
	struct ckpt_file file = file_of(1, 0, 100);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
		struct list list = { { plain, cases[i].last }, 2, 0, cases[i].result };
		const struct ckpt_crc_job job = { .next = next, .arg = &list };
		struct ckpt_crc_replay replay;
		struct ckpt_crc_range range;

		assert_false(ckpt_crc_defer(&d, &file, &job, &replay));
		assert_int_equal(ckpt_crc_replay_next(&replay, &range), 1);
		assert_int_equal(range.off, plain.off);
		assert_int_equal(ckpt_crc_replay_next(&replay, &range), 1);
		assert_int_equal(range.off, cases[i].last.off);
		assert_int_equal(ckpt_crc_replay_next(&replay, &range), cases[i].result);
		assert_int_equal(ckpt_crc_replay_next(&replay, &range), cases[i].result);
		free(replay.kept);
		assert_true(ckpt_crc_deferred_good(&d)); /* nothing was left */
	}
}

static void test_crc_deferred__not_more_than_its_cap(void **state)
{
	_cleanup_crc_deferred_ struct ckpt_crc_deferred d = { 0 };
	struct ckpt_file file = file_of(1, 0, 100);
	uint64_t count = 0;
	const struct ckpt_crc_job job = { .next = next_for_ever, .arg = &count };
	struct ckpt_crc_replay replay;
	struct ckpt_crc_range range;

	(void)state;
	assert_false(ckpt_crc_defer(&d, &file, &job, &replay));
	assert_int_equal(count, CKPT_CRC_DEFERRED_MAX);
	for (uint64_t i = 0; i < CKPT_CRC_DEFERRED_MAX + 10; i++) {
		assert_int_equal(ckpt_crc_replay_next(&replay, &range), 1);
		assert_int_equal(range.tag, i);
	}
	free(replay.kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_deferred__any_cuts),
		cmocka_unit_test(test_crc_deferred__one_bit),
		cmocka_unit_test(test_crc_deferred__several_files),
		cmocka_unit_test(test_crc_deferred__unread_is_not_good),
		cmocka_unit_test(test_crc_deferred__hands_out_again),
		cmocka_unit_test(test_crc_deferred__not_more_than_its_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
