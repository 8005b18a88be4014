/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The zip walker against archives made by hand: each rule of the layout broken on its own, zip64
 * beyond 4 GiB, end records that lie.
 */
#include "core/format/archive/zip.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

#define NAME "f.zip"
#define MANY 1202 /* entries that are worth threads */

/* An archive under construction. Entries are "a/0", "a/1" ... with 10 bytes each. */
struct maker {
	uint8_t data[262144];
	size_t len, cd, end64, end;
	size_t local[MANY], record[MANY];
	int entries;
};

static void put(struct maker *m, size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		m->data[at + i] = (uint8_t)(value >> 8 * i);
}

static void add(struct maker *m, uint64_t value, size_t size)
{
	put(m, m->len, value, size);
	m->len += size;
}

static void add_text(struct maker *m, const char *text)
{
	memcpy(m->data + m->len, text, strlen(text));
	m->len += strlen(text);
}

static void add_zeros(struct maker *m, size_t n)
{
	memset(m->data + m->len, 0, n);
	m->len += n;
}

#define CRC 0x12345678u /* the walker compares CRCs, it computes none */

/* A stored entry of 10 bytes; with a descriptor every other one. */
static void add_local(struct maker *m)
{
	bool descriptor = m->entries % 2 == 0;
	char name[16];

	m->local[m->entries] = m->len;
	snprintf(name, sizeof(name), "a/%d", m->entries++);
	add(m, 0x04034b50, 4);
	add(m, 20, 2);
	add(m, descriptor ? 0x8 : 0, 2);
	add_zeros(m, 6);
	add(m, descriptor ? 0 : CRC, 4);
	add(m, descriptor ? 0 : 10, 4);
	add(m, descriptor ? 0 : 10, 4);
	add(m, strlen(name), 2);
	add(m, 6, 2);
	add_text(m, name);
	add_text(m, "FB\2");
	add_zeros(m, 3);
	add_text(m, "0123456789");
	if (!descriptor)
		return;
	add(m, 0x08074b50, 4);
	add(m, CRC, 4);
	add(m, 10, 4);
	add(m, 10, 4);
}

static void add_record(struct maker *m, int i)
{
	char name[16];

	m->record[i] = m->len;
	snprintf(name, sizeof(name), "a/%d", i);
	add(m, 0x02014b50, 4);
	add(m, 0, 4);
	add(m, i % 2 == 0 ? 0x8 : 0, 2);
	add_zeros(m, 6);
	add(m, CRC, 4);
	add(m, 10, 4);
	add(m, 10, 4);
	add(m, strlen(name), 2);
	add_zeros(m, 12);
	add(m, m->local[i], 4);
	add_text(m, name);
}

static void add_end(struct maker *m, bool zip64)
{
	size_t size = m->len - m->cd;

	m->end64 = m->len;
	if (zip64) {
		add(m, 0x06064b50, 4);
		add(m, 44, 8);
		add(m, 0, 4);
		add_zeros(m, 8);
		add(m, (uint64_t)m->entries, 8);
		add(m, (uint64_t)m->entries, 8);
		add(m, size, 8);
		add(m, m->cd, 8);
		add(m, 0x07064b50, 4);
		add(m, 0, 4);
		add(m, m->end64, 8);
		add(m, 1, 4);
	}
	m->end = m->len;
	add(m, 0x06054b50, 4);
	add(m, 0, 4);
	add(m, (uint64_t)m->entries, 2);
	add(m, (uint64_t)m->entries, 2);
	add(m, size, 4);
	add(m, m->cd, 4);
	add(m, 0, 2);
}

static void make(struct maker *m, int entries, bool zip64)
{
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < entries; i++)
		add_local(m);
	m->cd = m->len;
	for (int i = 0; i < entries; i++)
		add_record(m, i);
	add_end(m, zip64);
}

/* Opens and walks NAME in the bench. What ckpt_zip_open() or the walk said last. */
static int walk(struct bench *bench, struct ckpt_zip *zip, uint64_t *ret_entries)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_zip_walk w;
	struct ckpt_zip_entry e;
	struct ckpt_ctx ctx = { 0 };
	int r;

	*ret_entries = 0;
	assert_int_equal(ckpt_file_open(&ctx, bench->fd, NAME, &file, NULL), 0);
	r = ckpt_zip_open(&file, zip, NULL);
	if (r)
		return r;
	ckpt_zip_walk_init(&w, zip);
	for (;;) {
		r = ckpt_zip_walk_next(&w, &e, NULL);
		if (r)
			return r;
		assert_int_equal(e.index, *ret_entries);
		++*ret_entries;
	}
}

static int walk_made(struct bench *bench, const struct maker *m, struct ckpt_zip *zip)
{
	uint64_t n;
	int r;

	bench_write(bench, NAME, m->data, m->len);
	r = walk(bench, zip, &n);
	if (r == CKPT_ZIP_END)
		assert_int_equal(n, m->entries);
	return r;
}

static void test_zip__whole(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	for (int entries = 0; entries <= 5; entries++) {
		for (int zip64 = 0; zip64 <= 1; zip64++) {
			make(m, entries, zip64);
			assert_int_equal(walk_made(&bench, m, &zip), CKPT_ZIP_END);
			assert_int_equal(zip.entries, entries);
			assert_int_equal(zip.cd_off, m->cd);
			assert_int_equal(zip.trailing, 0);
		}
	}
}

/* Where a patch goes: relative to a part of the archive. */
enum part { LOCAL0, LOCAL1, LOCAL2, RECORD0, RECORD1, END64, LOCATOR, END };

static size_t part_offset(const struct maker *m, enum part part)
{
	const size_t offsets[] = { m->local[0],	 m->local[1], m->local[2],   m->record[0],
				   m->record[1], m->end64,    m->end64 + 56, m->end };

	return offsets[part];
}

static void test_zip__damaged(void **state)
{
	static const struct {
		enum part part;
		size_t at, size;
		uint64_t value;
	} rows[] = {
		{ LOCAL0, 0, 4, 0 },	     /* signature */
		{ LOCAL1, 3, 1, 5 },	     /* likewise */
		{ LOCAL0, 6, 2, 0 },	     /* flags */
		{ LOCAL0, 8, 2, 8 },	     /* method */
		{ LOCAL1, 14, 4, CRC + 1 },  /* CRC without a descriptor */
		{ LOCAL1, 18, 4, 11 },	     /* size likewise */
		{ LOCAL1, 22, 4, 11 },	     /* likewise */
		{ LOCAL0, 14, 4, CRC + 1 },  /* CRC that a descriptor repeats: neither it nor 0 */
		{ LOCAL0, 18, 4, 11 },	     /* size likewise */
		{ LOCAL0, 22, 4, 11 },	     /* likewise */
		{ LOCAL0, 26, 2, 4 },	     /* length of the name */
		{ LOCAL0, 28, 2, 7 },	     /* of the extra field: the data move */
		{ LOCAL0, 28, 2, 0xffff },   /* beyond the file */
		{ LOCAL0, 30, 1, 'b' },	     /* name */
		{ LOCAL0, 49, 4, 0 },	     /* descriptor's signature */
		{ LOCAL0, 53, 4, CRC + 1 },  /* CRC */
		{ LOCAL0, 57, 4, 11 },	     /* size */
		{ LOCAL2, 61, 1, 11 },	     /* the last one's */
		{ RECORD0, 0, 4, 0 },	     /* signature */
		{ RECORD0, 6, 1, 64 },	     /* version needed: there is none above 6.3 */
		{ RECORD0, 10, 2, 8 },	     /* method */
		{ RECORD0, 16, 4, CRC + 1 }, /* CRC */
		{ RECORD0, 20, 4, 9 },	     /* size */
		{ RECORD0, 20, 4, 0xffffffff },	  /* 64-bit without the field */
		{ RECORD0, 24, 4, 9 },		  /* other size */
		{ RECORD0, 28, 2, 0 },		  /* no name */
		{ RECORD0, 28, 2, 5000 },	  /* too long */
		{ RECORD0, 30, 2, 65535 },	  /* extra field beyond the directory */
		{ RECORD0, 32, 2, 3 },		  /* comment: the next one is not there */
		{ RECORD0, 34, 2, 1 },		  /* another disk */
		{ RECORD0, 42, 4, 1 },		  /* not at the beginning */
		{ RECORD1, 42, 4, 0 },		  /* overlaps the first */
		{ RECORD1, 42, 4, 0xfffffff0 },	  /* beyond the file */
		{ RECORD0, 47, 1, 0 },		  /* NUL in a name */
		{ END64, 0, 4, 0 },		  /* signature */
		{ END64, 4, 8, 43 },		  /* does not reach the locator */
		{ END64, 4, 8, UINT64_MAX },	  /* overflows */
		{ END64, 24, 8, 4 },		  /* entries, two counts differ */
		{ END64, 40, 8, 1 },		  /* directory's size */
		{ END64, 48, 8, UINT64_MAX - 1 }, /* offset overflows */
		{ LOCATOR, 0, 4, 0 },		  /* signature: 32-bit end does not fit then */
		{ LOCATOR, 4, 4, 1 },		  /* disk */
		{ LOCATOR, 8, 8, UINT64_MAX },	  /* beyond */
		{ LOCATOR, 16, 4, 2 },		  /* disks */
		{ END, 0, 4, 0 },		  /* signature */
		{ END, 4, 2, 1 },		  /* disk */
		{ END, 8, 2, 2 },		  /* entries */
		{ END, 12, 4, 1 },		  /* size */
		{ END, 16, 4, 1 },		  /* offset */
		{ END, 20, 2, 9 },		  /* a comment that is not there */
	};
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		make(m, 3, true);
		assert_int_equal(walk_made(&bench, m, &zip), CKPT_ZIP_END);
		put(m, part_offset(m, rows[i].part) + rows[i].at, rows[i].value, rows[i].size);
		r = walk_made(&bench, m, &zip);
		if (r != CKPT_ZIP_DAMAGED)
			print_error("row %zu: %d\n", i, r);
		assert_int_equal(r, CKPT_ZIP_DAMAGED);
		assert_true(zip.fault.detail[0] != '\0');
	}
}

/* Fewer or more entries than the directory holds, in all records that count them. */
static void test_zip__wrong_count(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	for (uint64_t count = 0; count <= 5; count++) {
		make(m, 3, false);
		put(m, m->end + 8, count, 2);
		put(m, m->end + 10, count, 2);
		if (count == 3)
			continue;
		assert_int_equal(walk_made(&bench, m, &zip), CKPT_ZIP_DAMAGED);
	}
}

/* Bytes between entries, or before the directory, are not left unexplained. */
static void test_zip__gaps(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	for (int where = 0; where < 3; where++) {
		for (size_t gap = 0; gap < 40; gap += 8) {
			memset(m, 0, sizeof(*m));
			for (int i = 0; i < 3; i++) {
				add_zeros(m, where == i ? gap : 0);
				add_local(m);
			}
			m->cd = m->len;
			for (int i = 0; i < 3; i++)
				add_record(m, i);
			add_end(m, false);
			assert_int_equal(walk_made(&bench, m, &zip),
					 gap ? CKPT_ZIP_DAMAGED : CKPT_ZIP_END);
		}
	}
}

static void test_zip__no_end(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(m, 3, true);
	for (len = m->len - 1; len > 0; len--) {
		int r;

		m->len = len;
		r = walk_made(&bench, m, &zip);
		assert_true(r == CKPT_ZIP_NO_END || r == CKPT_ZIP_DAMAGED);
	}
	bench_write(&bench, NAME, "", 0);
	assert_int_equal(walk(&bench, &zip, &(uint64_t) { 0 }), CKPT_ZIP_NO_END);
}

/* A comment and junk are stepped over; a stray end signature in them, or in the data, is not
 * believed. */
static void test_zip__trailing(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	make(m, 3, true);
	put(m, m->end + 20, 5, 2);
	add_text(m, "hello");
	assert_int_equal(walk_made(&bench, m, &zip), CKPT_ZIP_END);
	assert_int_equal(zip.trailing, 0);
	add_text(m, "PK\5\6");
	add_zeros(m, 100);
	assert_int_equal(walk_made(&bench, m, &zip), CKPT_ZIP_END);
	assert_int_equal(zip.trailing, 104);
}

/* One entry of 5 GiB of nothing, then one whose header lies beyond 4 GiB: 64-bit fields and
 * descriptors. */
static void test_zip__beyond_4gib(void **state)
{
	const uint64_t big = (uint64_t)5 << 30;
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	_cleanup_close_ int fd = -1;
	struct ckpt_zip zip;
	uint64_t off[2] = { 0, 33 + big + 24 }, cd = off[1] + 33 + 10 + 24, n;

	(void)state;
	bench_init(&bench);
	memset(m, 0, sizeof(*m));
	for (int i = 0; i < 2; i++) {
		m->len = 0;
		add(m, 0x04034b50, 4);
		add(m, 0, 2);
		add(m, 8, 2);
		add_zeros(m, 18);
		add(m, 3, 2);
		add(m, 0, 2);
		add_text(m, i ? "a/1" : "a/0");
		fd = fd >= 0 ? fd : openat(bench.fd, NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(pwrite(fd, m->data, m->len, (off_t)off[i]), (ssize_t)m->len);
		m->len = 0;
		add(m, 0x08074b50, 4);
		add(m, CRC, 4);
		add(m, i ? 10 : big, 8);
		add(m, i ? 10 : big, 8);
		assert_int_equal(pwrite(fd, m->data, 24, (off_t)(off[i] + 33 + (i ? 10 : big))),
				 24);
	}
	m->len = 0;
	for (int i = 0; i < 2; i++) {
		add(m, 0x02014b50, 4);
		add(m, 0, 4);
		add(m, 8, 2);
		add_zeros(m, 6);
		add(m, CRC, 4);
		add(m, i ? 10 : 0xffffffff, 4);
		add(m, i ? 10 : 0xffffffff, 4);
		add(m, 3, 2);
		add(m, i ? 12 : 20, 2);
		add_zeros(m, 10);
		add(m, i ? 0xffffffff : 0, 4);
		add_text(m, i ? "a/1" : "a/0");
		add(m, 1, 2);
		add(m, i ? 8 : 16, 2);
		add(m, i ? off[1] : big, 8);
		if (!i)
			add(m, big, 8);
	}
	m->cd = 0;
	m->entries = 2;
	add_end(m, true);
	put(m, m->end64 + 48, cd, 8);
	put(m, m->end64 + 56 + 8, cd + m->end64, 8);
	put(m, m->end + 16, 0xffffffff, 4);
	assert_int_equal(pwrite(fd, m->data, m->len, (off_t)cd), (ssize_t)m->len);
	assert_int_equal(walk(&bench, &zip, &n), CKPT_ZIP_END);
	assert_int_equal(n, 2);
	/* the same with one byte less between them */
	put(m, 0, off[1] - 1, 8);
	assert_int_equal(pwrite(fd, m->data, 8, (off_t)(cd + 46 + 3 + 20 + 46 + 3 + 4)), 8);
	assert_int_equal(walk(&bench, &zip, &n), CKPT_ZIP_DAMAGED);
}

static ssize_t counted_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	++*(atomic_int *)arg;
	return pread(fd, buf, len, off);
}

/* The sum of where the data of all entries begin. */
static uint64_t pass(struct ckpt_zip *zip)
{
	struct ckpt_zip_walk w;
	struct ckpt_zip_entry e;
	uint64_t sum = 0;

	ckpt_zip_walk_init(&w, zip);
	while (ckpt_zip_walk_next(&w, &e, NULL) == 0)
		sum += e.data_off;
	return sum;
}

static void test_zip__a_second_pass_reads_no_local_headers(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_bench_ struct bench bench;
	atomic_int reads = 0;
	int first;
	struct ckpt_seam seam = { .pread = counted_pread, .arg = &reads };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_zip zip;
	uint64_t sum;

	(void)state;
	bench_init(&bench);
	make(m, 8, false);
	bench_write(&bench, NAME, m->data, m->len);
	assert_int_equal(ckpt_file_open(&ctx, bench.fd, NAME, &file, NULL), 0);
	assert_int_equal(ckpt_zip_open(&file, &zip, NULL), 0);
	sum = pass(&zip);
	assert_true(sum > 0);
	ckpt_zip_keep(&zip, 1);
	reads = 0;
	assert_int_equal(pass(&zip), sum);
	first = reads;
	reads = 0;
	assert_int_equal(pass(&zip), sum);
	assert_int_equal(first - reads, 8);
	ckpt_zip_done(&zip);
	reads = 0;
	assert_int_equal(pass(&zip), sum);
	assert_int_equal(reads, first);
}

/* What a pass finds with @threads: the sum of places, and the fault if there is one. */
static int look(const struct maker *m, int threads, uint64_t *ret_sum, struct ckpt_zip_fault *fault)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_bench_ struct bench bench;
	struct ckpt_zip_walk w;
	struct ckpt_zip_entry e;
	struct ckpt_zip zip;
	int r;

	bench_init(&bench);
	bench_write(&bench, NAME, m->data, m->len);
	assert_int_equal(ckpt_file_open(NULL, bench.fd, NAME, &file, NULL), 0);
	assert_int_equal(ckpt_zip_open(&file, &zip, NULL), 0);
	ckpt_zip_keep(&zip, threads);
	ckpt_zip_walk_init(&w, &zip);
	*ret_sum = 0;
	while ((r = ckpt_zip_walk_next(&w, &e, NULL)) == 0)
		*ret_sum += e.data_off;
	ckpt_zip_done(&zip);
	*fault = zip.fault;
	return r;
}

/* Flips a bit of byte @at of the entry's local header, or behind it; twice is not at all. */
static void flip_local(struct maker *m, int entry, size_t at)
{
	m->data[m->local[entry] + at] ^= 1;
}

static void test_zip__threads_find_what_one_finds(void **state)
{
	/* a signature, a name, a flag, a CRC, an extra field's length; the last and the first of a
	 * part among them, the descriptor before one, and the very last */
	static const struct {
		int entry;
		size_t at;
	} flips[] = { { 0, 0 },	   { 299, 30 },	 { 300, 30 },  { 301, 14 },
		      { 599, 28 }, { 600, 0 },	 { 600, 28 },  { 601, 28 },
		      { 899, 8 },  { 1199, 31 }, { 1199, 28 }, { 299, 46 },
		      { 599, 46 }, { 598, 60 },	 { 298, 60 },  { 898, 56 } };
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	struct ckpt_zip_fault one, more;
	uint64_t expected, sum;

	(void)state;
	make(m, MANY, false);
	assert_int_equal(look(m, 1, &expected, &one), CKPT_ZIP_END);
	for (int threads = 2; threads <= 9; threads++) {
		assert_int_equal(look(m, threads, &sum, &more), CKPT_ZIP_END);
		assert_true(sum == expected);
	}
	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		int r;

		flip_local(m, flips[i].entry, flips[i].at);
		r = look(m, 1, &expected, &one);
		for (int threads = 2; threads <= 5; threads++) {
			assert_int_equal(look(m, threads, &sum, &more), r);
			assert_true(sum == expected);
			assert_memory_equal(&more, &one, sizeof(one));
		}
		flip_local(m, flips[i].entry, flips[i].at);
	}
}

/* An allowance of bytes lasts as far with many threads as with one. */
static void test_zip__threads_keep_to_an_allowance(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_bench_ struct bench bench;
	uint64_t one = 0;

	(void)state;
	bench_init(&bench);
	make(m, MANY, false);
	bench_write(&bench, NAME, m->data, m->len);
	for (int threads = 1; threads <= 4; threads++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_ctx ctx = { .max_bytes = threads > 1 ? one + 1 : UINT64_MAX };
		struct ckpt_zip zip;

		assert_int_equal(ckpt_file_open(&ctx, bench.fd, NAME, &file, NULL), 0);
		assert_int_equal(ckpt_zip_open(&file, &zip, NULL), 0);
		ckpt_zip_keep(&zip, threads);
		assert_true(pass(&zip) > 0);
		ckpt_zip_done(&zip);
		assert_true(threads == 1 || ctx.bytes_read == one);
		one = ctx.bytes_read;
	}
}

static void test_zip__threads_read_each_header_once(void **state)
{
	_cleanup_free_ struct maker *m = malloc(sizeof(*m));
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_bench_ struct bench bench;
	atomic_int reads = 0;
	struct ckpt_seam seam = { .pread = counted_pread, .arg = &reads };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_zip zip;

	(void)state;
	bench_init(&bench);
	make(m, MANY, false);
	bench_write(&bench, NAME, m->data, m->len);
	assert_int_equal(ckpt_file_open(&ctx, bench.fd, NAME, &file, NULL), 0);
	assert_int_equal(ckpt_zip_open(&file, &zip, NULL), 0);
	reads = 0;
	ckpt_zip_keep(&zip, 2);
	/* and one before the second part, and the directory */
	assert_in_range(reads, MANY + 1, MANY + 20);
	reads = 0;
	assert_true(pass(&zip) > 0);
	assert_in_range(reads, 1, 20);
	ckpt_zip_done(&zip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip__whole),
		cmocka_unit_test(test_zip__damaged),
		cmocka_unit_test(test_zip__wrong_count),
		cmocka_unit_test(test_zip__gaps),
		cmocka_unit_test(test_zip__no_end),
		cmocka_unit_test(test_zip__trailing),
		cmocka_unit_test(test_zip__beyond_4gib),
		cmocka_unit_test(test_zip__a_second_pass_reads_no_local_headers),
		cmocka_unit_test(test_zip__threads_find_what_one_finds),
		cmocka_unit_test(test_zip__threads_keep_to_an_allowance),
		cmocka_unit_test(test_zip__threads_read_each_header_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
