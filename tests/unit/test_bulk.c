/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/bulk.c: the same bytes in every way of reading, from every kind of file system; the
 * page cache as it was, or filled, as the way promises.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bulk.h"
#include "core/base/crc.h"
#include "core/base/memory.h"
#include "tests/unit/support/scratch.h"

#define MIB ((uint64_t)1024 * 1024)
#define BLOCK ((off_t)(2 * MIB)) /* that reads past the page cache are cut to */
#define SIZE                                                                                       \
	(9 * MIB + 1234) /* three windows, the last one short, and no whole page at the end        \
			  */

/* What the file system and the page cache are made to look like. */
struct world {
	int cached;	    /* what the page cache is said to hold; -1: the truth */
	int direct_errno;   /* of reads past the page cache; 0: they work */
	size_t direct_most; /* bytes of such a read; 0: all */
	_Atomic int n_direct, n_cached;
	_Atomic int n_crossing; /* of the direct ones, those over an edge of BLOCK */
	struct ckpt_seam seam;
	struct ckpt_ctx ctx;
};

static ssize_t world_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct world *w = arg;

	if (!(fcntl(fd, F_GETFL) & O_DIRECT)) {
		w->n_cached++;
		return pread(fd, buf, len, off);
	}
	w->n_direct++;
	w->n_crossing += off / BLOCK != (off + (off_t)len - 1) / BLOCK;
	assert_int_equal(off % 4096, 0);
	assert_int_equal(len % 4096, 0);
	assert_int_equal((uintptr_t)buf % 512, 0);
	if (w->direct_errno) {
		errno = w->direct_errno;
		return -1;
	}
	return pread(fd, buf, w->direct_most && w->direct_most < len ? w->direct_most : len, off);
}

static int world_cached(void *arg, int fd, uint64_t off, uint64_t len)
{
	const struct world *w = arg;

	return w->cached < 0 ? (int)ckpt_cached(fd, off, len) : w->cached;
}

static void world_begin(struct world *w)
{
	w->seam = (struct ckpt_seam) { .now_ns = w->seam.now_ns,
				       .pread = world_pread,
				       .cached = world_cached,
				       .memory = w->seam.memory,
				       .arg = w };
	w->ctx.seam = &w->seam;
	w->n_direct = w->n_cached = w->n_crossing = 0;
}

static uint64_t sequential(uint64_t at, uint64_t size, uint32_t seed)
{
	(void)seed;
	return at < size ? at : 0;
}

static uint64_t anywhere(uint64_t at, uint64_t size, uint32_t seed)
{
	return (at * 2654435761 + seed * UINT64_C(40503) * 4093) % size;
}

static uint64_t backwards(uint64_t at, uint64_t size, uint32_t seed)
{
	(void)seed;
	return size - 1 - at % size;
}

/* Orders of reading, and lengths. */
static const struct pattern {
	uint64_t (*where)(uint64_t at, uint64_t size, uint32_t seed);
	size_t len;
	int n;
} patterns[] = {
	{ sequential, CKPT_BULK_MOST, 40 }, { sequential, 100003, 100 }, { sequential, 777, 3000 },
	{ anywhere, CKPT_BULK_MOST, 40 },   { anywhere, 4096, 200 },	 { anywhere, 1, 200 },
	{ backwards, 70001, 130 },
};

/* Reads @file, whose bytes are @data, in the pattern's way. */
static void read_all(const struct ckpt_file *file, const uint8_t *data, const struct pattern *p)
{
	struct ckpt_bulk bulk;
	struct ckpt_bulk_reader reader;
	uint64_t at = 0;

	ckpt_bulk_init(&bulk, file, 2);
	assert_int_equal(ckpt_bulk_reader_init(&reader, &bulk), 0);
	for (int i = 0; i < p->n; i++) {
		uint64_t off = p->where(at, file->size, (uint32_t)i);
		size_t len = off + p->len < file->size ? p->len : (size_t)(file->size - off);
		const void *got = NULL;

		assert_int_equal(ckpt_bulk_read(&reader, off, len, &got, NULL), 0);
		assert_memory_equal(got, data + off, len);
		at += len;
	}
	ckpt_bulk_reader_done(&reader);
	ckpt_bulk_done(&bulk);
}

/* Each pattern over the whole file and over views at odd places. */
static void read_everywhere(struct world *w, const struct scratch *dir, const uint8_t *data)
{
	static const struct {
		uint64_t off, len;
	} views[] = {
		{ 0, SIZE },
		{ 1, SIZE - 1 },
		{ 4 * MIB - 3, 4 * MIB + 10 },
		{ 3 * MIB + 4095, 2 * MIB },
		{ SIZE - 3 * MIB, 3 * MIB },
		{ 17, 1000 }, /* too small for anything but a plain read */
	};

	for (size_t v = 0; v < sizeof(views) / sizeof(views[0]); v++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT, view = CKPT_FILE_INIT;

		world_begin(w);
		assert_int_equal(ckpt_file_open(&w->ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(ckpt_file_view(&file, views[v].off, views[v].len, &view, NULL), 0);
		for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++)
			read_all(&view, data + views[v].off, &patterns[p]);
	}
}

static void test_bulk__same_bytes_in_each_way(void **state)
{
	static const struct {
		enum ckpt_cache cache;
		int cached, direct_errno;
		size_t direct_most;
	} worlds[] = {
		{ CKPT_CACHE_FILL, CKPT_CACHED_ALL, 0, 0 },
		{ CKPT_CACHE_FILL, CKPT_CACHED_NONE, 0, 0 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_ALL, 0, 0 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_NONE, 0, 0 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_SOME, 0, 8192 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_SOME, 0, 1000 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_NONE, EINVAL, 0 },
		{ CKPT_CACHE_LEAVE, CKPT_CACHED_UNKNOWN, EIO, 0 },
	};
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 11);

	scratch_write(dir->fd, "file", data, SIZE);
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++) {
		struct world w = { .cached = worlds[i].cached,
				   .direct_errno = worlds[i].direct_errno,
				   .direct_most = worlds[i].direct_most,
				   .ctx = { .cache = worlds[i].cache } };

		read_everywhere(&w, dir, data);
	}
}

static int read_one(struct world *w, const struct scratch *dir)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_bulk bulk;
	struct ckpt_bulk_reader reader;
	const void *got;
	int r = 0;

	world_begin(w);
	assert_int_equal(ckpt_file_open(&w->ctx, dir->fd, "file", &file, NULL), 0);
	ckpt_bulk_init(&bulk, &file, 2);
	assert_int_equal(ckpt_bulk_reader_init(&reader, &bulk), 0);
	for (uint64_t off = 0; r == 0 && off < file.size; off += CKPT_BULK_MOST) {
		uint64_t left = file.size - off;

		r = ckpt_bulk_read(&reader, off,
				   left < CKPT_BULK_MOST ? (size_t)left : CKPT_BULK_MOST, &got,
				   NULL);
	}
	ckpt_bulk_reader_done(&reader);
	ckpt_bulk_done(&bulk);
	return r;
}

/* Puts the file's pages out of memory, or skips. Returns a descriptor that reads nothing ahead. */
static int evict(const struct scratch *dir)
{
	int fd = openat(dir->fd, "file", O_RDONLY | O_CLOEXEC);

	assert_int_equal(fsync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	if (ckpt_cached(fd, 0, SIZE) != CKPT_CACHED_NONE) {
		close(fd);
		print_message("skip: this file system lives in memory\n");
		skip();
	}
	return fd;
}

static void test_bulk__what_the_page_cache_holds_afterwards(void **state)
{
	static const struct {
		enum ckpt_cache cache;
		int direct_errno;
		enum ckpt_cached after;
	} cases[] = {
		{ CKPT_CACHE_FILL, 0, CKPT_CACHED_ALL },
		{ CKPT_CACHE_LEAVE, 0, CKPT_CACHED_NONE },
		{ CKPT_CACHE_LEAVE, EINVAL, CKPT_CACHED_NONE },
	};
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 5);

	scratch_write(dir->fd, "file", data, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_close_ int fd = evict(dir);
		struct world w = { .cached = -1,
				   .direct_errno = cases[i].direct_errno,
				   .ctx = { .cache = cases[i].cache } };

		assert_int_equal(read_one(&w, dir), 0);
		assert_int_equal(ckpt_cached(fd, 0, SIZE), cases[i].after);
	}
}

/* Pages that somebody else has use for stay, whatever the way. */
static void test_bulk__keeps_what_was_there(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 6);
	char page[4096];

	scratch_write(dir->fd, "file", data, SIZE);
	for (int direct_errno = 0; direct_errno <= EINVAL; direct_errno += EINVAL) {
		_cleanup_close_ int fd = evict(dir);
		struct world w = { .cached = -1,
				   .direct_errno = direct_errno,
				   .ctx = { .cache = CKPT_CACHE_LEAVE } };

		assert_int_equal(pread(fd, page, 4096, (off_t)(5 * MIB)), 4096);
		assert_int_equal(read_one(&w, dir), 0);
		assert_int_equal(ckpt_cached(fd, 5 * MIB, 4096), CKPT_CACHED_ALL);
		assert_int_equal(ckpt_cached(fd, 0, 4 * MIB), CKPT_CACHED_NONE);
		assert_int_equal(ckpt_cached(fd, 8 * MIB, MIB), CKPT_CACHED_NONE);
	}
}

static void test_bulk__reads_past_the_page_cache_only_what_is_not_in_it(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 7);
	struct world w = { .cached = CKPT_CACHED_ALL, .ctx = { .cache = CKPT_CACHE_LEAVE } };

	scratch_write(dir->fd, "file", data, SIZE);
	assert_int_equal(read_one(&w, dir), 0);
	assert_int_equal(w.n_direct, 0);
	w.cached = CKPT_CACHED_NONE;
	assert_int_equal(read_one(&w, dir), 0);
	if (w.n_direct == 0) {
		print_message("skip: this file system knows no O_DIRECT\n");
		skip();
	}
	assert_int_equal(w.n_cached, 0);
	assert_int_equal(w.n_direct, 5); /* eight reads come out of one */
	assert_int_equal(w.n_crossing, 0);
	assert_in_range(w.ctx.bytes_read, 2 * SIZE, 2 * SIZE + 16 * 4096);
	w.ctx.cache = CKPT_CACHE_FILL;
	assert_int_equal(read_one(&w, dir), 0);
	assert_int_equal(w.n_direct, 0);
}

/* Records of an archive: they begin anywhere, with a little of something else between. */
struct records {
	const uint8_t *data;
	uint64_t len, at;
};

static int next_record(void *arg, struct ckpt_crc_range *ret)
{
	struct records *records = arg;
	uint64_t off = records->at + 61, len = records->len;

	if (off >= SIZE)
		return 0;
	len = len < SIZE - off ? len : SIZE - off;
	*ret = (struct ckpt_crc_range) {
		.off = off,
		.len = len,
		.expected = ckpt_crc(CKPT_CRC32, 0, records->data + off, len),
	};
	records->at = off + len;
	return 1;
}

static void test_bulk__records_are_read_by_whole_blocks(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 12);
	struct world w = { .cached = CKPT_CACHED_NONE, .ctx = { .cache = CKPT_CACHE_LEAVE } };

	scratch_write(dir->fd, "file", data, SIZE);
	for (int i = 0; i < 4; i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct records records = { .data = data, .len = i % 2 ? 30000 : 3 * MIB + 517 };
		const struct ckpt_crc_job job = { CKPT_CRC32, next_record, &records, SIZE };
		struct ckpt_crc_range bad;

		world_begin(&w);
		w.ctx.threads = i < 2 ? 1 : 12;
		assert_int_equal(ckpt_file_open(&w.ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(ckpt_crc_verify(&file, &job, &bad, NULL), 0);
		if (w.n_direct == 0) {
			print_message("skip: this file system knows no O_DIRECT\n");
			skip();
		}
		assert_int_equal(w.n_crossing, 0);
		assert_in_range(w.n_direct, 5, i % 2 ? 20 : 6);
		assert_int_equal(w.n_cached, 0);
	}
}

static void test_bulk__a_refusal_is_asked_for_once(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 8);
	struct world w = { .cached = CKPT_CACHED_NONE,
			   .direct_errno = EINVAL,
			   .ctx = { .cache = CKPT_CACHE_LEAVE } };

	scratch_write(dir->fd, "file", data, SIZE);
	assert_int_equal(read_one(&w, dir), 0);
	assert_in_range(w.n_direct, 0, 16); /* the window that was begun, at most */
}

static void test_bulk__a_file_that_shrinks(void **state)
{
	static const enum ckpt_cache ways[] = { CKPT_CACHE_FILL, CKPT_CACHE_LEAVE };
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 10);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct world w = { .cached = CKPT_CACHED_NONE, .ctx = { .cache = ways[i] } };
		struct ckpt_bulk bulk;
		struct ckpt_bulk_reader reader;
		struct ckpt_error err = { 0 };
		const void *got;

		scratch_write(dir->fd, "file", data, SIZE);
		world_begin(&w);
		assert_int_equal(ckpt_file_open(&w.ctx, dir->fd, "file", &file, NULL), 0);
		scratch_resize(dir->fd, "file", 5 * MIB + 100);
		ckpt_bulk_init(&bulk, &file, 2);
		assert_int_equal(ckpt_bulk_reader_init(&reader, &bulk), 0);
		assert_int_equal(ckpt_bulk_read(&reader, 5 * MIB, 100, &got, &err), 0);
		assert_memory_equal(got, data + 5 * MIB, 100);
		assert_int_equal(ckpt_bulk_read(&reader, 5 * MIB, 101, &got, &err),
				 CKPT_FILE_SHORT);
		assert_int_equal(ckpt_bulk_read(&reader, 8 * MIB, 10, &got, &err), CKPT_FILE_SHORT);
		assert_int_equal(ckpt_bulk_read(&reader, SIZE, 1, &got, &err), CKPT_FILE_SHORT);
		assert_int_equal(ckpt_bulk_read(&reader, UINT64_MAX, 1, &got, &err),
				 CKPT_FILE_SHORT);
		ckpt_bulk_reader_done(&reader);
		ckpt_bulk_done(&bulk);
	}
}

static int64_t late(void *arg)
{
	(void)arg;
	return 1000;
}

static void test_bulk__keeps_the_deadline(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 12);
	struct world w = { .cached = CKPT_CACHED_NONE,
			   .seam = { .now_ns = late },
			   .ctx = { .cache = CKPT_CACHE_LEAVE, .deadline_ns = 999 } };

	scratch_write(dir->fd, "file", data, SIZE);
	assert_int_equal(read_one(&w, dir), -ETIMEDOUT);
	w.ctx.deadline_ns = 0;
	w.ctx.max_bytes = 3 * MIB;
	assert_int_equal(read_one(&w, dir), -EDQUOT);
	assert_in_range(w.ctx.bytes_read, 3 * MIB, 4 * MIB);
}

static int next_range(void *arg, struct ckpt_crc_range *ret)
{
	struct ckpt_crc_range *range = arg;

	if (range->len == 0)
		return 0;
	*ret = *range;
	range->len = 0;
	return 1;
}

/* Many threads over one file, past the page cache and through it. */
static void test_bulk__threads(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 13);
	uint32_t crc = ckpt_crc(CKPT_CRC32C, 0, data + 5, SIZE - 9);

	scratch_write(dir->fd, "file", data, SIZE);
	for (int i = 0; i < 12; i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_crc_range range = { .off = 5, .len = SIZE - 9, .expected = crc }, bad;
		struct ckpt_crc_job job = { CKPT_CRC32C, next_range, &range, 0 };
		struct world w = { .cached = CKPT_CACHED_NONE,
				   .direct_errno = i % 3 == 2 ? EINVAL : 0,
				   .ctx = { .threads = 1 + i % 4,
					    .cache = i % 3 ? CKPT_CACHE_LEAVE : CKPT_CACHE_FILL } };

		world_begin(&w);
		assert_int_equal(ckpt_file_open(&w.ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(ckpt_crc_verify(&file, &job, &bad, NULL), 0);
	}
}

/* A disk is given more threads than there are processors; a few missing pages make no disk. */
static void test_bulk__threads_for_a_disk(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		int cached;
		enum ckpt_cache cache;
		int threads;
	} rows[] = {
		{ CKPT_CACHED_ALL, CKPT_CACHE_FILL, 2 },
		{ CKPT_CACHED_SOME, CKPT_CACHE_FILL, 2 },
		{ CKPT_CACHED_NONE, CKPT_CACHE_FILL, 4 },
		{ CKPT_CACHED_NONE, CKPT_CACHE_LEAVE, 12 },
		{ CKPT_CACHED_UNKNOWN, CKPT_CACHE_FILL, 4 },
		{ CKPT_CACHED_SOME, CKPT_CACHE_LEAVE, 2 },
	};
	_cleanup_close_ int fd = openat(dir->fd, "large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, 40 * MIB), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct world w = { .cached = rows[i].cached, .ctx = { .cache = rows[i].cache } };

		world_begin(&w);
		assert_int_equal(ckpt_file_open(&w.ctx, dir->fd, "large", &file, NULL), 0);
		assert_int_equal(ckpt_bulk_threads(&file, 2), rows[i].threads);
	}
}

/* What reading its structure has brought into memory makes no file warm. */
static void test_bulk__threads_for_a_file_that_was_looked_at(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(40 * MIB, 14);
	static const size_t present[] = { 0, 4096, 512 * 1024, 40 * MIB };

	scratch_write(dir->fd, "large", data, 40 * MIB);
	for (size_t i = 0; i < sizeof(present) / sizeof(present[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		_cleanup_close_ int fd = openat(dir->fd, "large", O_RDONLY | O_CLOEXEC);
		struct ckpt_ctx ctx = { .cache = CKPT_CACHE_FILL };

		assert_int_equal(fdatasync(fd), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);
		for (size_t at = 0; at < present[i]; at += MIB)
			assert_true(pread(fd, data, present[i] < MIB ? present[i] : MIB,
					  (off_t)at) > 0);
		if (present[i] == 0 && ckpt_cached(fd, 0, SIZE) != CKPT_CACHED_NONE)
			skip(); /* of a file system that keeps all in memory */
		assert_int_equal(ckpt_file_open(&ctx, dir->fd, "large", &file, NULL), 0);
		assert_int_equal(ckpt_bulk_threads(&file, 2), present[i] < 40 * MIB ? 4 : 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_bulk__same_bytes_in_each_way),
		scratch_test(test_bulk__what_the_page_cache_holds_afterwards),
		scratch_test(test_bulk__keeps_what_was_there),
		scratch_test(test_bulk__reads_past_the_page_cache_only_what_is_not_in_it),
		scratch_test(test_bulk__records_are_read_by_whole_blocks),
		scratch_test(test_bulk__a_refusal_is_asked_for_once),
		scratch_test(test_bulk__a_file_that_shrinks),
		scratch_test(test_bulk__keeps_the_deadline),
		scratch_test(test_bulk__threads),
		scratch_test(test_bulk__threads_for_a_disk),
		scratch_test(test_bulk__threads_for_a_file_that_was_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
