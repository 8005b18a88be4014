/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See bulk.h. What is in memory is looked at window by window, so that a file of which a part is
 * costs what its parts cost. A read of whole pages that fails or ends early is done again just as
 * it was asked for, which then gives the bytes or the error.
 */
#include "core/base/bulk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/base/pages.h"
#include "core/base/workers.h"

#define WINDOW ((uint64_t)4 * 1024 * 1024)
#define ALIGN CKPT_PAGES_ALIGN
#define SMALL ((uint64_t)1024 * 1024) /* a file of this size is not worth any question */
#define EXPECT_MOST (4 * WINDOW)      /* that is asked about at once */
/* So that the disk has work while others' bytes are looked at; past the page cache nobody else
 * sees to that. */
#define THREADS_COLD 4
#define THREADS_DIRECT 12
#define WORTH_THREADS ((uint64_t)32 * 1024 * 1024)
#define PART (SMALL / 16) /* of a sample */
#define SAMPLES 4	  /* whether a file is in memory: its beginning, its end and two between */
/*
 * All readers' buffers for what is read past the page cache lie in huge pages, where there are any:
 * the disk gets a read in one piece, not page by page, and its bytes are looked at twice as fast.
 */
#define HUGE CKPT_BULK_BLOCK
#define ARENA ((size_t)24 * 1024 * 1024)
/* Of what lies behind an edge: less would go through the page cache (pages.c). */
#define REST ((uint64_t)64 * 1024)
#define GAP ((uint64_t)64 * 1024) /* that a reader of one range after the other may leave out */
/*
 * Bytes are copied to where they lie at the same place in a cache line as in the page cache: on a
 * Zen 4 the kernel's copy is four times slower to a place a little behind that.
 */
#define LINE ((size_t)64)

/* @len bytes that begin with a huge page, for munmap(). NULL without memory. */
static char *map_huge(size_t len)
{
	char *map =
		mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (map == MAP_FAILED)
		return NULL;
	before = (HUGE - (uintptr_t)map % HUGE) % HUGE;
	if (before > 0)
		munmap(map, before);
	if (before < HUGE)
		munmap(map + before + len, HUGE - before);
	madvise(map + before, len, MADV_HUGEPAGE);
	return map + before;
}

void ckpt_bulk_init(struct ckpt_bulk *bulk, const struct ckpt_file *file, int threads)
{
	size_t n = threads > 0 ? (size_t)threads : 1;

	*bulk = (struct ckpt_bulk) { .file = file, .whole = *file };
	bulk->whole.base = 0;
	bulk->whole.size = UINT64_MAX;
	if (file->source || file->pages == CKPT_PAGES_ANY || file->direct < 0)
		return;
	for (bulk->each = HUGE; bulk->each > CKPT_BULK_MOST && n * bulk->each > ARENA;)
		bulk->each /= 2;
	bulk->arena_size = n * bulk->each;
	bulk->arena = map_huge(bulk->arena_size);
}

void ckpt_bulk_done(struct ckpt_bulk *bulk)
{
	if (bulk->arena)
		munmap(bulk->arena, bulk->arena_size);
	bulk->arena = NULL;
}

int ckpt_bulk_reader_init(struct ckpt_bulk_reader *reader, struct ckpt_bulk *bulk)
{
	*reader = (struct ckpt_bulk_reader) { .bulk = bulk,
					      .buf = aligned_alloc(LINE, CKPT_BULK_MOST + LINE) };
	if (bulk->arena)
		reader->direct_buf = bulk->arena + bulk->each * bulk->readers++;
	return reader->buf ? 0 : -ENOMEM;
}

void ckpt_bulk_reader_done(struct ckpt_bulk_reader *reader)
{
	free(reader->buf);
	*reader = (struct ckpt_bulk_reader) { 0 };
}

static uint64_t align_up(uint64_t at)
{
	return (at + ALIGN - 1) / ALIGN * ALIGN;
}

/* What is cached of the whole pages of [@begin, @end): those at its edges are its neighbours' too.
 */
static int cached_inside(const struct ckpt_file *file, uint64_t begin, uint64_t end)
{
	if (end / ALIGN * ALIGN > align_up(begin)) {
		begin = align_up(begin);
		end = end / ALIGN * ALIGN;
	}
	return ckpt_pages_cached(file, begin, end - begin);
}

/* Makes [@begin, @end) of the whole file the window. */
static void enter_window(struct ckpt_bulk_reader *reader, uint64_t begin, uint64_t end)
{
	const struct ckpt_file *file = reader->bulk->file;

	reader->begin = begin / ALIGN * ALIGN;
	reader->end = align_up(end);
	reader->direct = false;
	if (cached_inside(file, begin, end) == CKPT_CACHED_ALL)
		return;
	reader->direct = reader->direct_buf != NULL;
	if (file->pages == CKPT_PAGES_ANY) /* threads confuse the kernel's own readahead */
		posix_fadvise(file->fd, (off_t)reader->begin, (off_t)(reader->end - reader->begin),
			      POSIX_FADV_WILLNEED);
}

/* Enters the window around byte @at of the whole file, as far as it is the view's. */
static void enter_around(struct ckpt_bulk_reader *reader, uint64_t at)
{
	const struct ckpt_file *file = reader->bulk->file;
	uint64_t begin = at / WINDOW * WINDOW, end = begin + WINDOW;

	if (begin < file->base)
		begin = file->base;
	if (end > file->base + file->size)
		end = file->base + file->size;
	enter_window(reader, begin, end);
}

static bool holds(const struct ckpt_bulk_reader *reader, uint64_t at, size_t len)
{
	return at >= reader->held_off && at + len <= reader->held_off + reader->held_len;
}

/* How far reading past the page cache is worth it where [@at, @at + @len) is asked for: where one
 * range follows the other, as far as the window. */
static uint64_t worth_until(const struct ckpt_bulk_reader *reader, uint64_t at, size_t len)
{
	bool follows = at >= reader->next && at - reader->next <= GAP;

	return follows && reader->end > at + len ? reader->end : align_up(at + len);
}

/* Fills the buffer with whole pages from @at on, up to @end, but not beyond its block. 0 if it then
 * holds some of it, else an errno. */
static int fill_direct(struct ckpt_bulk_reader *reader, uint64_t at, uint64_t end)
{
	uint64_t begin = at / ALIGN * ALIGN, each = reader->bulk->each,
		 edge = at / each * each + each;
	size_t want = (size_t)((end < edge ? end : edge) - begin), got = 0;
	ssize_t n = 1;

	reader->held_len = 0;
	while (got < want && n > 0 && got % ALIGN == 0) {
		n = ckpt_file_read_some(&reader->bulk->whole, begin + got,
					reader->direct_buf + begin % each + got, want - got);
		got += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return (int)n;
	if (begin + got <= at)
		return -ENODATA;
	reader->held_off = begin;
	reader->held_len = got;
	return 0;
}

/* Copies [@at, @at + @len), which are not all of one block, or came in parts, to one place. */
static int gather(struct ckpt_bulk_reader *reader, uint64_t at, size_t len, uint64_t end)
{
	char *buf = reader->buf + at % LINE;
	size_t got = 0;

	while (got < len) {
		uint64_t from = at + got, least = align_up(from) + REST, held;
		int r = holds(reader, from, 1)
				? 0
				: fill_direct(reader, from, end > least ? end : least);

		if (r != 0)
			return r;
		held = reader->held_off + reader->held_len - from;
		held = held < len - got ? held : len - got;
		memcpy(buf + got, reader->direct_buf + from % reader->bulk->each, (size_t)held);
		got += (size_t)held;
	}
	return 0;
}

/* Past the page cache. 0 or an errno; nothing is said by that of the file. */
static int read_direct(struct ckpt_bulk_reader *reader, uint64_t at, size_t len, const void **ret)
{
	uint64_t end = worth_until(reader, at, len);
	int r = holds(reader, at, 1) ? 0 : fill_direct(reader, at, end);

	if (r != 0)
		return r;
	if (holds(reader, at, len)) {
		*ret = reader->direct_buf + at % reader->bulk->each;
		return 0;
	}
	*ret = reader->buf + at % LINE;
	return gather(reader, at, len, end);
}

/* Through the page cache. */
static int read_cached(struct ckpt_bulk_reader *reader, uint64_t off, size_t len, const void **ret,
		       struct ckpt_error *err)
{
	char *buf = reader->buf + (reader->bulk->file->base + off) % LINE;
	int r = ckpt_file_read(reader->bulk->file, off, buf, len, err);

	if (r == 0)
		*ret = buf;
	return r;
}

/* True if windows are of use: the bytes come from a file, and they are many. */
static bool has_windows(const struct ckpt_file *file, uint64_t off, uint64_t len)
{
	return !file->source && file->size > SMALL && off <= file->size && len <= file->size - off;
}

void ckpt_bulk_expect(struct ckpt_bulk_reader *reader, uint64_t off, uint64_t len)
{
	const struct ckpt_file *file = reader->bulk->file;

	if (len <= EXPECT_MOST && has_windows(file, off, len))
		enter_window(reader, file->base + off, file->base + off + len);
	reader->next = file->base + off;
}

/* True if a part of the file of SMALL bytes from @at on has to come from the disk. Single pages
 * that are missing do not count: kernels that reclaim memory beforehand (DAMON) take some. */
static bool is_part_cold(const struct ckpt_file *file, uint64_t at)
{
	int cached = cached_inside(file, at, at + SMALL);

	for (uint64_t i = 0; cached == CKPT_CACHED_SOME && i < SMALL; i += PART)
		if (cached_inside(file, at + i, at + i + PART) == CKPT_CACHED_NONE)
			cached = CKPT_CACHED_NONE;
	return cached != CKPT_CACHED_ALL && cached != CKPT_CACHED_SOME;
}

/* True if some of the file is, by a few samples. */
static bool is_cold(const struct ckpt_file *file)
{
	for (uint64_t i = 0; i < SAMPLES; i++)
		if (is_part_cold(file, file->base + (file->size - SMALL) / (SAMPLES - 1) * i))
			return true;
	return false;
}

int ckpt_bulk_threads(const struct ckpt_file *file, int n)
{
	bool chosen = file->ctx && file->ctx->threads > 0;
	int cold = THREADS_COLD;

	if (file->pages != CKPT_PAGES_ANY && file->direct >= 0)
		cold = THREADS_DIRECT;
	if (chosen || n >= cold || !has_windows(file, 0, WORTH_THREADS))
		return n;
	return is_cold(file) ? cold : n;
}

int ckpt_bulk_read(struct ckpt_bulk_reader *reader, uint64_t off, size_t len, const void **ret,
		   struct ckpt_error *err)
{
	const struct ckpt_file *file = reader->bulk->file;
	uint64_t at = file->base + off;
	int r;

	if (!has_windows(file, off, len))
		return read_cached(reader, off, len, ret, err);
	if (at < reader->begin || at >= reader->end)
		enter_around(reader, at);
	if (!reader->direct)
		return read_cached(reader, off, len, ret, err);
	r = read_direct(reader, at, len, ret);
	reader->next = at + len;
	return r == 0 ? 0 : read_cached(reader, off, len, ret, err);
}

struct runner {
	struct ckpt_bulk_reader reader;
	ckpt_bulk_fn *fn;
	void *arg;
};

static void *runner_main(void *worker)
{
	struct runner *self = worker;

	self->fn(&self->reader, self->arg);
	return NULL;
}

int ckpt_bulk_run(const struct ckpt_file *file, int n, ckpt_bulk_fn *fn, void *arg)
{
	_cleanup_free_ struct runner *runners = calloc((size_t)n, sizeof(*runners));
	struct ckpt_bulk bulk;
	int ready = 0;

	if (!runners)
		return -ENOMEM;
	ckpt_bulk_init(&bulk, file, n);
	for (; ready < n; ready++) {
		runners[ready].fn = fn;
		runners[ready].arg = arg;
		if (ckpt_bulk_reader_init(&runners[ready].reader, &bulk) < 0)
			break;
	}
	if (ready > 0)
		ckpt_workers_run(runner_main, runners, sizeof(*runners), ready);
	for (int i = 0; i < ready; i++)
		ckpt_bulk_reader_done(&runners[i].reader);
	ckpt_bulk_done(&bulk);
	return ready > 0 ? 0 : -ENOMEM;
}
