/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See bulk.h. Residency is looked at window by window, so that a file of which a part is in memory
 * costs what its parts cost. A direct read that fails or ends early is done again through the page
 * cache, which then gives the bytes or the error: O_DIRECT is never more than a faster way.
 */
#include "core/base/bulk.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"

#define WINDOW ((uint64_t)4 * 1024 * 1024)
#define ALIGN ((uint64_t)4096)	      /* of a direct read's offset, length and buffer */
#define SMALL ((uint64_t)1024 * 1024) /* a file of this size is not worth any question */
#define EXPECT_MOST (4 * WINDOW)      /* less is dropped late, and asked about at once */
#define THREADS_COLD 4 /* so that the disk has work while others' bytes are looked at */
#define WORTH_THREADS ((uint64_t)32 * 1024 * 1024)
#define SAMPLES 4 /* whether a file is in memory: its beginning, its end and two between */
/* Reads that come out of one direct read; a page more, since they need not begin with one. */
#define READS_MOST ((size_t)3)
#define READERS_ALL ((size_t)32 * 1024 * 1024)
#define GAP ((uint64_t)64 * 1024) /* that a reader of one range after the other may leave out */

void ckpt_bulk_init(struct ckpt_bulk *bulk, const struct ckpt_file *file)
{
	*bulk = (struct ckpt_bulk) { .file = file, .direct = CKPT_FILE_INIT };
	pthread_mutex_init(&bulk->lock, NULL);
}

void ckpt_bulk_done(struct ckpt_bulk *bulk)
{
	ckpt_cleanup_close(&bulk->direct.fd);
	pthread_mutex_destroy(&bulk->lock);
}

int ckpt_bulk_reader_init(struct ckpt_bulk_reader *reader, struct ckpt_bulk *bulk, int threads)
{
	size_t reads = READERS_ALL / (size_t)(threads > 0 ? threads : 1) / CKPT_BULK_MOST;
	size_t size;

	if (reads > READS_MOST)
		reads = READS_MOST;
	size = (reads > 0 ? reads : 1) * CKPT_BULK_MOST + ALIGN;
	*reader = (struct ckpt_bulk_reader) { .bulk = bulk, .size = size };
	reader->buf = aligned_alloc(ALIGN, size); /* untouched pages cost nothing */
	return reader->buf ? 0 : -ENOMEM;
}

/* Past the last use of a window. */
static void leave_window(struct ckpt_bulk_reader *reader)
{
	if (reader->drop)
		posix_fadvise(reader->bulk->file->fd, (off_t)reader->begin,
			      (off_t)(reader->end - reader->begin), POSIX_FADV_DONTNEED);
	reader->drop = false;
}

void ckpt_bulk_reader_done(struct ckpt_bulk_reader *reader)
{
	if (reader->bulk)
		leave_window(reader);
	free(reader->buf);
	*reader = (struct ckpt_bulk_reader) { 0 };
}

/* A descriptor of its own for the same inode, since O_DIRECT is the open file's. */
static int reopen_direct(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

/* Whether direct reads at multiples of ALIGN are right for @fd, as far as the kernel says. */
static bool is_aligned_enough(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN))
		return stx.stx_dio_offset_align && stx.stx_dio_offset_align <= ALIGN &&
		       stx.stx_dio_mem_align <= ALIGN;
#endif
	return fd >= 0;
}

static enum ckpt_bulk_way open_direct(struct ckpt_bulk *bulk)
{
	_cleanup_close_ int fd = reopen_direct(bulk->file->fd);

	if (fd < 0 || !is_aligned_enough(fd))
		return CKPT_BULK_DROP;
	bulk->direct = *bulk->file;
	bulk->direct.base = 0;
	bulk->direct.size = UINT64_MAX;
	bulk->direct.fd = ckpt_take_fd(&fd);
	return CKPT_BULK_DIRECT;
}

static uint64_t memory(const struct ckpt_ctx *ctx)
{
	_cleanup_close_ int rootfd = -1;

	if (ctx->seam && ctx->seam->memory)
		return ctx->seam->memory;
	rootfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return rootfd < 0 ? 0 : ckpt_memory_available(rootfd);
}

/* Whether the page cache may take this file beside what this work has filled it with before. */
static bool fits(const struct ckpt_bulk *bulk)
{
	struct ckpt_ctx *ctx = bulk->file->ctx;
	uint64_t quarter, size = bulk->file->size;

	if (!ctx || ctx->cache != CKPT_CACHE_AUTO)
		return !ctx || ctx->cache == CKPT_CACHE_FILL;
	quarter = memory(ctx) / 4;
	if (size > quarter || ctx->checkpoint_bytes > quarter || ctx->filled > quarter - size)
		return false;
	ctx->filled += size;
	return true;
}

static enum ckpt_bulk_way way_of(struct ckpt_bulk *bulk)
{
	enum ckpt_bulk_way way;

	pthread_mutex_lock(&bulk->lock);
	if (bulk->way == CKPT_BULK_UNDECIDED)
		bulk->way = fits(bulk) ? CKPT_BULK_FILL : open_direct(bulk);
	way = bulk->way;
	pthread_mutex_unlock(&bulk->lock);
	return way;
}

/* The file system takes O_DIRECT at the opening and refuses it at the reading. */
static void refuse_direct(struct ckpt_bulk *bulk)
{
	pthread_mutex_lock(&bulk->lock);
	bulk->way = CKPT_BULK_DROP;
	pthread_mutex_unlock(&bulk->lock);
}

static enum ckpt_cached cached(const struct ckpt_file *file, uint64_t off, uint64_t len)
{
	const struct ckpt_seam *seam = file->ctx ? file->ctx->seam : NULL;

	if (seam && seam->cached)
		return (enum ckpt_cached)seam->cached(seam->arg, file->fd, off, len);
	return ckpt_cached(file->fd, off, len);
}

static uint64_t align_up(uint64_t at)
{
	return (at + ALIGN - 1) / ALIGN * ALIGN;
}

/* What is cached of the whole pages of [@begin, @end): those at its edges are its neighbours' too.
 */
static enum ckpt_cached cached_inside(const struct ckpt_file *file, uint64_t begin, uint64_t end)
{
	if (end / ALIGN * ALIGN > align_up(begin)) {
		begin = align_up(begin);
		end = end / ALIGN * ALIGN;
	}
	return cached(file, begin, end - begin);
}

/* Makes [@begin, @end) of the whole file the window. */
static void enter_window(struct ckpt_bulk_reader *reader, uint64_t begin, uint64_t end)
{
	const struct ckpt_file *file = reader->bulk->file;
	enum ckpt_cached in_memory = cached_inside(file, begin, end);

	leave_window(reader);
	reader->begin = begin / ALIGN * ALIGN;
	reader->end = align_up(end);
	reader->way = CKPT_BULK_UNDECIDED;
	if (in_memory == CKPT_CACHED_ALL)
		return;
	reader->way = way_of(reader->bulk);
	reader->drop = reader->way == CKPT_BULK_DROP && in_memory == CKPT_CACHED_NONE;
	if (reader->way != CKPT_BULK_DIRECT) /* threads confuse the kernel's own readahead */
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

/* How much to read past the page cache for [@at, @at + @len), from @begin on: more than asked for
 * where one range follows the other. */
static size_t direct_len(const struct ckpt_bulk_reader *reader, uint64_t begin, uint64_t at,
			 size_t len)
{
	uint64_t least = align_up(at + len), end = reader->end;

	if (at < reader->next || at - reader->next > GAP || end < least)
		end = least;
	if (end - begin > reader->size)
		end = begin + reader->size;
	return (size_t)(end - begin);
}

/* Fills the buffer past the page cache. 0 if it then holds [@at, @at + @len), else an errno. */
static int fill_direct(struct ckpt_bulk_reader *reader, uint64_t at, size_t len)
{
	uint64_t begin = at / ALIGN * ALIGN;
	size_t want = direct_len(reader, begin, at, len), got = 0;
	ssize_t n = 1;

	reader->held_len = 0;
	while (got < want && n > 0 && got % ALIGN == 0) {
		n = ckpt_file_read_some(&reader->bulk->direct, begin + got, reader->buf + got,
					want - got);
		got += n > 0 ? (size_t)n : 0;
	}
	if (n == -ETIMEDOUT || n == -EDQUOT)
		return (int)n;
	if (n < 0) {
		refuse_direct(reader->bulk);
		enter_window(reader, reader->begin, reader->end);
	}
	if (begin + got < at + len)
		return -EINVAL;
	reader->held_off = begin;
	reader->held_len = got;
	return 0;
}

static bool holds(const struct ckpt_bulk_reader *reader, uint64_t at, size_t len)
{
	return at >= reader->held_off && at + len <= reader->held_off + reader->held_len;
}

/* Through the page cache. */
static int read_cached(struct ckpt_bulk_reader *reader, uint64_t off, size_t len, const void **ret,
		       struct ckpt_error *err)
{
	int r;

	reader->held_len = 0;
	r = ckpt_file_read(reader->bulk->file, off, reader->buf, len, err);
	if (r == 0)
		*ret = reader->buf;
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

/* True if some of the file, by a few samples, has to come from the disk. */
static bool is_cold(const struct ckpt_file *file)
{
	for (uint64_t i = 0; i < SAMPLES; i++) {
		uint64_t at = (file->size - SMALL) / (SAMPLES - 1) * i;

		if (cached_inside(file, file->base + at, file->base + at + SMALL) !=
		    CKPT_CACHED_ALL)
			return true;
	}
	return false;
}

int ckpt_bulk_threads(const struct ckpt_file *file, int n)
{
	bool chosen = file->ctx && file->ctx->threads > 0;

	if (chosen || n >= THREADS_COLD || !has_windows(file, 0, WORTH_THREADS))
		return n;
	return is_cold(file) ? THREADS_COLD : n;
}

int ckpt_bulk_read(struct ckpt_bulk_reader *reader, uint64_t off, size_t len, const void **ret,
		   struct ckpt_error *err)
{
	const struct ckpt_file *file = reader->bulk->file;
	uint64_t at = file->base + off;
	int r = 0;

	if (!has_windows(file, off, len))
		return read_cached(reader, off, len, ret, err);
	if (at < reader->begin || at >= reader->end)
		enter_around(reader, at);
	if (reader->way != CKPT_BULK_DIRECT)
		return read_cached(reader, off, len, ret, err);
	if (!holds(reader, at, len))
		r = fill_direct(reader, at, len);
	reader->next = at + len;
	if (r != 0)
		return read_cached(reader, off, len, ret, err);
	*ret = reader->buf + (at - reader->held_off);
	return 0;
}
