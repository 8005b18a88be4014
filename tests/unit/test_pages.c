/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/pages.c: which checkpoints may fill the page cache; and that all readers alike leave it
 * as it was where they have to, on a disk and with O_DIRECT or without.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bulk.h"
#include "core/base/crc.h"
#include "core/base/finite.h"
#include "core/base/memory.h"
#include "core/base/pages.h"
#include "core/base/sha256.h"
#include "tests/unit/support/scratch.h"

#define MIB ((uint64_t)1024 * 1024)
#define PAGE ((uint64_t)4096)
#define SIZE (9 * MIB + 1234) /* no whole page at the end */
#define KEPT (5 * MIB)	      /* where a page is that somebody else has use for */

static void test_pages__a_quarter_of_the_memory(void **state)
{
	static const struct {
		enum ckpt_cache cache;
		uint64_t memory, checkpoint, filled;
		bool fills;
	} cases[] = {
		{ CKPT_CACHE_AUTO, 4 * SIZE, 0, 0, true },
		{ CKPT_CACHE_AUTO, 4 * SIZE, SIZE, 0, true },
		{ CKPT_CACHE_AUTO, 4 * SIZE - 1, 0, 0, false },
		{ CKPT_CACHE_AUTO, 4 * SIZE - 1, SIZE, 0, false },
		{ CKPT_CACHE_AUTO, 4 * SIZE, SIZE + 1, 0, false }, /* with all its files */
		{ CKPT_CACHE_AUTO, 4 * SIZE, 0, 1, false },	   /* another has its part */
		{ CKPT_CACHE_AUTO, 4 * SIZE, SIZE, 1, false },
		{ CKPT_CACHE_AUTO, 8 * SIZE, SIZE, SIZE, true },
		{ CKPT_CACHE_AUTO, 8 * SIZE, SIZE, SIZE + 4, false },
		{ CKPT_CACHE_AUTO, 1, 0, 0, false },
		{ CKPT_CACHE_FILL, 1, 0, SIZE, true },
		{ CKPT_CACHE_LEAVE, UINT64_MAX, SIZE, 0, false },
	};
	const struct scratch *dir = *state;

	scratch_sparse(dir->fd, "file", SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_seam seam = { .memory = cases[i].memory };
		struct ckpt_ctx ctx = { .seam = &seam,
					.cache = cases[i].cache,
					.filled = cases[i].filled };

		ckpt_pages_expect(&ctx, cases[i].checkpoint, true);
		assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(file.pages == CKPT_PAGES_ANY, cases[i].fills);
	}
}

static void test_pages__each_checkpoint_counts_once(void **state)
{
	struct ckpt_seam seam = { .memory = 400 };
	struct ckpt_ctx ctx = { .seam = &seam };

	(void)state;
	ckpt_pages_expect(&ctx, 0, true); /* only looked at: no content */
	assert_int_equal(ctx.filled, 0);
	ckpt_pages_expect(&ctx, 40, true);
	assert_int_equal(ctx.filled, 40);
	ckpt_pages_expect(&ctx, 30, false); /* a part of it */
	assert_int_equal(ctx.filled, 40);
	ckpt_pages_expect(&ctx, 50, false); /* more than was known at first */
	assert_int_equal(ctx.filled, 50);
	ckpt_pages_expect(&ctx, 51, true); /* the next one finds no room */
	assert_int_equal(ctx.filled, 50);
	ckpt_pages_expect(&ctx, 50, true);
	assert_int_equal(ctx.filled, 100);
	ckpt_pages_expect(&ctx, 101, false); /* and gives back what it grows out of */
	assert_int_equal(ctx.filled, 50);
}

static void test_pages__small_files_are_not_asked_about(void **state)
{
	static const struct {
		uint64_t size;
		enum ckpt_pages pages;
	} cases[] = { { 0, CKPT_PAGES_ANY },
		      { 4 * PAGE - 1, CKPT_PAGES_ANY },
		      { 4 * PAGE, CKPT_PAGES_NONE },
		      { SIZE, CKPT_PAGES_NONE } };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
		struct ckpt_ctx ctx = { .cache = CKPT_CACHE_LEAVE };

		scratch_sparse(dir->fd, "file", cases[i].size);
		assert_int_equal(ckpt_file_open(&ctx, dir->fd, "file", &file, NULL), 0);
		assert_int_equal(file.pages, cases[i].pages);
	}
}

/* Reads the file in pieces of @len, the first at @from. */
static void in_pieces(const struct ckpt_file *file, const uint8_t *data, uint64_t from, size_t len)
{
	_cleanup_free_ uint8_t *buf = aligned_alloc(PAGE, (len + PAGE - 1) / PAGE * PAGE);

	for (uint64_t at = from; at < file->size; at += len) {
		size_t n = file->size - at < len ? (size_t)(file->size - at) : len;

		assert_int_equal(ckpt_file_read(file, at, buf, n, NULL), 0);
		assert_memory_equal(buf, data + at, n);
	}
}

static void read_pages(const struct ckpt_file *file, const uint8_t *data)
{
	in_pieces(file, data, 0, 64 * 1024);
}

static void read_odd(const struct ckpt_file *file, const uint8_t *data)
{
	in_pieces(file, data, 13, 100003);
}

static void read_little(const struct ckpt_file *file, const uint8_t *data)
{
	in_pieces(file, data, 0, 4095);
}

/* Headers between data: the same few again and again. */
static void read_here_and_there(const struct ckpt_file *file, const uint8_t *data)
{
	uint8_t buf[61];

	for (int i = 0; i < 3; i++) {
		for (uint64_t at = 4090; at < file->size - sizeof(buf); at += 300001) {
			ckpt_pages_soon(file, at, sizeof(buf));
			assert_int_equal(ckpt_file_read(file, at, buf, sizeof(buf), NULL), 0);
			assert_memory_equal(buf, data + at, sizeof(buf));
		}
	}
}

static void read_view(const struct ckpt_file *file, const uint8_t *data)
{
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;

	assert_int_equal(ckpt_file_view(file, 777, 7 * MIB, &view, NULL), 0);
	in_pieces(&view, data + 777, 0, 50000);
	read_here_and_there(&view, data + 777);
}

struct ranges {
	uint64_t at, end;
	uint32_t crc;
	bool done;
};

static int next_crc(void *arg, struct ckpt_crc_range *ret)
{
	struct ranges *r = arg;

	if (r->done)
		return 0;
	r->done = true;
	*ret = (struct ckpt_crc_range) { .off = r->at, .len = r->end - r->at, .expected = r->crc };
	return 1;
}

static void read_crc(const struct ckpt_file *file, const uint8_t *data)
{
	struct ranges ranges = { .at = 5, .end = SIZE - 1 };
	const struct ckpt_crc_job job = { CKPT_CRC32C, next_crc, &ranges, 0 };
	struct ckpt_crc_range bad;

	ranges.crc = ckpt_crc(CKPT_CRC32C, 0, data + ranges.at, ranges.end - ranges.at);
	assert_int_equal(ckpt_crc_verify(file, &job, &bad, NULL), 0);
}

static int next_floats(void *arg, struct ckpt_finite_range *ret)
{
	struct ranges *r = arg;

	if (r->done)
		return 0;
	r->done = true;
	*ret = (struct ckpt_finite_range) { .off = 8,
					    .len = 9 * MIB,
					    .kind = { CKPT_FLOAT_F32, false } };
	return 1;
}

static void read_floats(const struct ckpt_file *file, const uint8_t *data)
{
	struct ranges ranges = { 0 };
	const struct ckpt_finite_job job = { next_floats, &ranges, 0 };
	struct ckpt_finite found;

	(void)data;
	assert_int_equal(ckpt_finite_scan(file, &job, &found, NULL), 0);
	assert_int_equal(found.bytes, 9 * MIB);
}

static const struct {
	const char *name;
	void (*read)(const struct ckpt_file *file, const uint8_t *data);
	bool all; /* of the file is read */
} readers[] = {
	{ "pages", read_pages, true },	   { "odd pieces", read_odd, false },
	{ "little", read_little, true },   { "here and there", read_here_and_there, false },
	{ "a view", read_view, false },	   { "checksums", read_crc, true },
	{ "numbers", read_floats, false },
};

/* What the file system refuses. */
struct world {
	int direct_errno;
	size_t direct_most;
};

static ssize_t world_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	const struct world *w = arg;

	if ((fcntl(fd, F_GETFL) & O_DIRECT) == 0)
		return pread(fd, buf, len, off);
	if (w->direct_errno) {
		errno = w->direct_errno;
		return -1;
	}
	return pread(fd, buf, w->direct_most && w->direct_most < len ? w->direct_most : len, off);
}

/* Puts the file's pages out of memory, but @kept. Returns a descriptor that reads nothing ahead. */
static int evict(const struct scratch *dir, bool kept)
{
	int fd = openat(dir->fd, "file", O_RDONLY | O_CLOEXEC);
	char page[PAGE];

	assert_int_equal(fsync(fd), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	if (ckpt_cached(fd, 0, SIZE) != CKPT_CACHED_NONE) {
		close(fd);
		print_message("skip: this file system lives in memory\n");
		skip();
	}
	if (kept)
		assert_int_equal(pread(fd, page, PAGE, (off_t)KEPT), PAGE);
	return fd;
}

static void read_by(size_t reader, const struct scratch *dir, const uint8_t *data,
		    struct ckpt_ctx *ctx)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;

	assert_int_equal(ckpt_file_open(ctx, dir->fd, "file", &file, NULL), 0);
	readers[reader].read(&file, data);
}

static void test_pages__every_reader_leaves_them_as_they_were(void **state)
{
	static const struct world worlds[] = { { 0, 0 }, { 0, 8192 }, { EINVAL, 0 }, { EIO, 0 } };
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 3);

	scratch_write(dir->fd, "file", data, SIZE);
	for (size_t i = 0; i < 8 * sizeof(readers) / sizeof(readers[0]); i++) {
		struct world world = worlds[i / 2 % 4];
		struct ckpt_seam seam = { .pread = world_pread, .arg = &world };
		bool kept = i % 2;
		struct ckpt_ctx ctx = { .seam = &seam,
					.cache = CKPT_CACHE_LEAVE,
					.threads = world.direct_errno && kept ? 1 : 3 };
		_cleanup_close_ int fd = evict(dir, kept);
		int after;

		read_by(i / 8, dir, data, &ctx);
		after = (int)ckpt_cached(fd, KEPT, PAGE);
		if (after != (kept ? CKPT_CACHED_ALL : CKPT_CACHED_NONE) ||
		    ckpt_cached(fd, 0, KEPT) != CKPT_CACHED_NONE ||
		    ckpt_cached(fd, KEPT + PAGE, SIZE - KEPT - PAGE) != CKPT_CACHED_NONE)
			fail_msg("%s: not as it was (O_DIRECT: %s; %s)", readers[i / 8].name,
				 strerror(world.direct_errno), kept ? "a page" : "nothing");
	}
}

/* The begin is as someone has read it in sequence: its last pages make the kernel read on. */
static void test_pages__nothing_is_read_ahead_of_what_is_there(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 6);

	scratch_write(dir->fd, "file", data, SIZE);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		struct ckpt_ctx ctx = { .cache = CKPT_CACHE_LEAVE, .threads = 3 };
		_cleanup_close_ int fd = evict(dir, false);
		_cleanup_close_ int user = openat(dir->fd, "file", O_RDONLY | O_CLOEXEC);
		_cleanup_free_ char *begin = malloc(MIB);
		uint64_t kept = MIB;

		assert_non_null(begin);
		assert_int_equal(pread(user, begin, MIB, 0), MIB);
		while (kept < SIZE && ckpt_cached(fd, kept, PAGE) == CKPT_CACHED_ALL)
			kept += PAGE; /* what is read ahead of that */
		assert_true(kept < SIZE - PAGE);
		read_by(i, dir, data, &ctx);
		if (ckpt_cached(fd, 0, kept) != CKPT_CACHED_ALL ||
		    ckpt_cached(fd, kept, SIZE - kept) != CKPT_CACHED_NONE)
			fail_msg("%s: not as it was", readers[i].name);
	}
}

static void test_pages__every_reader_fills_the_cache_where_it_may(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(SIZE, 4);

	scratch_write(dir->fd, "file", data, SIZE);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		struct ckpt_seam seam = { .memory = 5 * SIZE };
		struct ckpt_ctx ctx = { .seam = &seam };
		_cleanup_close_ int fd = evict(dir, false);
		int after;

		read_by(i, dir, data, &ctx);
		after = (int)ckpt_cached(fd, 0, SIZE);
		if (after == CKPT_CACHED_NONE || (readers[i].all && after != CKPT_CACHED_ALL))
			fail_msg("%s: does not fill the page cache", readers[i].name);
	}
}

/* Many files at once, of which one thread reads many side by side. */
static void test_pages__digests_leave_them_as_they_were(void **state)
{
	struct ckpt_sha256_item items[20] = { { 0 } };
	const struct scratch *dir = *state;
	_cleanup_free_ uint8_t *data = scratch_noise(MIB + 20000, 5);
	struct ckpt_ctx ctx = { .cache = CKPT_CACHE_LEAVE, .threads = 2 };
	struct ckpt_error err = { 0 };
	char names[20][16];

	for (size_t i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "file%zu", i);
		scratch_write(dir->fd, i ? names[i] : "file", data, MIB + 1000 * i);
		items[i].name = i ? names[i] : "file";
	}
	for (size_t i = 0; i < 20; i++) {
		_cleanup_close_ int fd = openat(dir->fd, items[i].name, O_RDONLY | O_CLOEXEC);

		assert_int_equal(fsync(fd), 0);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	assert_in_range(ckpt_sha256_verify(&ctx, dir->fd, items, 20, &err), 0, 9); /* no errno */
	for (size_t i = 0; i < 20; i++) {
		_cleanup_close_ int fd = openat(dir->fd, items[i].name, O_RDONLY | O_CLOEXEC);

		assert_int_equal(ckpt_cached(fd, 0, MIB), CKPT_CACHED_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_pages__a_quarter_of_the_memory),
		cmocka_unit_test(test_pages__each_checkpoint_counts_once),
		scratch_test(test_pages__small_files_are_not_asked_about),
		scratch_test(test_pages__every_reader_leaves_them_as_they_were),
		scratch_test(test_pages__nothing_is_read_ahead_of_what_is_there),
		scratch_test(test_pages__every_reader_fills_the_cache_where_it_may),
		scratch_test(test_pages__digests_leave_them_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
