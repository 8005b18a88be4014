/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table walk on its own: order, many blocks, compression, hostile blocks with right checksums.
 */
#include "core/format/tensorflow/tf_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/crc.h"
#include "tests/unit/support/tf_build.h"

/* Walks the table @file; the keys, comma-separated, to @keys. Returns what ended the walk. */
static int walk(struct bench *bench, char *keys, size_t size)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_tf_table table = { .file = NULL };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_error err;
	size_t n = 0;
	int r;

	keys[0] = 0;
	assert_int_equal(ckpt_file_open(&ctx, bench->fd, "t", &file, &err), 0);
	r = ckpt_tf_table_open(&table, &file, &err);
	while (!r && (r = ckpt_tf_table_next(&table, &err)) == 0) {
		n += (size_t)snprintf(keys + n, size - n, "%s=%.*s,", (char *)table.block.key,
				      (int)table.block.value.n, (char *)table.block.value.p);
		assert_true(n < size);
	}
	ckpt_tf_table_done(&table);
	return r;
}

static struct tf_table_build *new_build(int per_block, int snappy)
{
	struct tf_table_build *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->per_block = per_block;
	t->snappy = snappy;
	return t;
}

static int end_and_walk(struct bench *bench, struct tf_table_build *t, char *keys, size_t size)
{
	tf_table_end(t);
	bench_write(bench, "t", t->file.data, t->file.n);
	free(t);
	return walk(bench, keys, size);
}

static void test_tf_table__walks(void **state)
{
	_cleanup_bench_ struct bench bench;
	char keys[256];

	(void)state;
	bench_init(&bench);
	for (int snappy = 0; snappy <= 1; snappy++)
		for (int per_block = 1; per_block <= 5; per_block++) {
			struct tf_table_build *t = new_build(per_block, snappy);

			tf_table_add(t, "", "h", 1);
			tf_table_add(t, "model/a", "1", 1);
			tf_table_add(t, "model/ab", "", 0);
			tf_table_add(t, "n", "33", 2);
			assert_int_equal(end_and_walk(&bench, t, keys, sizeof(keys)), CKPT_TF_END);
			assert_string_equal(keys, "=h,model/a=1,model/ab=,n=33,");
		}
}

static void test_tf_table__order(void **state)
{
	static const char *const rows[][2] = { { "b", "a" }, { "a", "a" }, { "ab", "a" } };
	_cleanup_bench_ struct bench bench;
	char keys[256];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < 3; i++)
		for (int per_block = 1; per_block <= 2; per_block++) {
			struct tf_table_build *t = new_build(per_block, 0);

			tf_table_add(t, rows[i][0], "1", 1);
			tf_table_add(t, rows[i][1], "2", 1);
			assert_int_equal(end_and_walk(&bench, t, keys, sizeof(keys)),
					 CKPT_TF_WRONG);
		}
}

/* A block whose text is @raw of type @type with a right CRC, as the metaindex of an otherwise fine
 * file. */
static int walk_block(struct bench *bench, const void *raw, size_t len, unsigned char type)
{
	static const unsigned char magic[8] = { 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb };
	struct tf_bytes *f = calloc(2, sizeof(*f)), *footer = &f[1];
	static const unsigned char zeros[48];
	char keys[64];
	int r;

	assert_non_null(f);
	tf_put(f, raw, len);
	tf_put(f, &type, 1);
	tf_put_u32(f, ckpt_tf_mask(ckpt_crc(CKPT_CRC32C, 0, f->data, f->n)));
	for (int i = 0; i < 2; i++) { /* metaindex and index are the same block */
		tf_put_varint(footer, 0);
		tf_put_varint(footer, len);
	}
	tf_put(footer, zeros, 40 - footer->n);
	tf_put(footer, magic, 8);
	tf_put(f, footer->data, footer->n);
	bench_write(bench, "t", f->data, f->n);
	r = walk(bench, keys, sizeof(keys));
	free(f);
	return r;
}

#define RESTARTS "\0\0\0\0\1\0\0\0"

static void test_tf_table__hostile_blocks(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		unsigned char type;
		int want;
	} rows[] = {
		{ RESTARTS, 8, 0, CKPT_TF_END },
		{ "", 0, 0, CKPT_TF_WRONG },
		{ "\xff\xff\xff\xff", 4, 0, CKPT_TF_WRONG },
		{ "\2\0\0\0", 4, 0, CKPT_TF_WRONG },
		{ RESTARTS, 8, 7, CKPT_TF_WRONG },		  /* unknown compression */
		{ "\1\0\0" RESTARTS, 11, 0, CKPT_TF_WRONG },	  /* shares with no key */
		{ "\0\0\2\0\15" RESTARTS, 13, 0, CKPT_TF_END },	  /* an index of itself */
		{ "\1\0\2\0\15" RESTARTS, 13, 0, CKPT_TF_WRONG }, /* and one that shares */
		{ "\0\7\0" RESTARTS, 11, 0, CKPT_TF_WRONG },	  /* key beyond the block */
		{ "\0\0\7" RESTARTS, 11, 0, CKPT_TF_WRONG },	  /* value beyond the block */
		{ "\0\0" RESTARTS, 10, 0, CKPT_TF_WRONG },
		{ "\0\0\0" RESTARTS, 11, 0, CKPT_TF_WRONG }, /* the index without a handle */
		{ "\0\0\2\0\377" RESTARTS, 13, 0, CKPT_TF_WRONG },
		{ "\xff\xff\xff\xff\x0f", 5, 1, CKPT_TF_LARGE }, /* 4 GiB when decoded */
		{ "\x08\x00", 2, 1, CKPT_TF_WRONG },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = walk_block(&bench, rows[i].raw, rows[i].len, rows[i].type);

		if (r != rows[i].want)
			fail_msg("row %zu: %d instead of %d", i, r, rows[i].want);
	}
}

static void test_tf_table__long_key(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct tf_bytes *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(b);
	bench_init(&bench);
	tf_put_varint(b, 0);
	tf_put_varint(b, CKPT_TF_KEY + 1);
	tf_put_varint(b, 0);
	b->n += CKPT_TF_KEY + 1;
	tf_put(b, RESTARTS, 8);
	assert_int_equal(walk_block(&bench, b->data, b->n, 0), CKPT_TF_LARGE);
	free(b);
}

static void test_tf_table__mask(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < UINT32_MAX; v += 0x1234567)
		assert_int_equal(ckpt_tf_unmask(ckpt_tf_mask((uint32_t)v)), v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tf_table__walks),
		cmocka_unit_test(test_tf_table__order),
		cmocka_unit_test(test_tf_table__hostile_blocks),
		cmocka_unit_test(test_tf_table__long_key),
		cmocka_unit_test(test_tf_table__mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
