/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pages.h. A file of which nothing is in memory needs no question on the way: small pieces,
 * which are often read again, are dropped with what the kernel read ahead when it is closed, and
 * large ones at once. Where some is, each read asks first, and ends where what is in memory begins;
 * pages at the end of what someone has read in sequence bear a mark that makes the kernel read on,
 * whoever reads them, hence not even those are taken from memory before something that is not in
 * it. Where O_DIRECT is refused as well, threads may take a page between them that one of them just
 * read for one that was there.
 */
#include "core/base/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"

/* Of a file: below, the page cache keeps more of its directory. */
#define WORTH_ASKING ((uint64_t)16 * 1024)
#define WORTH_DIRECT ((uint64_t)1024 * 1024) /* of a file: below, one descriptor is enough */
#define LARGE ((size_t)32 * 1024)	     /* of a read: smaller ones are done again and again */
/* For a read that is on its way, and TRIES times that at most. */
#define ARRIVES_NS 1000000
#define TRIES 5
#define STEP ((uint64_t)64 * 1024 * 1024) /* of looking at what is in memory */
/* As far as the kernel may read ahead of a page that is in memory: by default 128 KiB, on disks
 * that ask for more 8 MiB. */
#define AHEAD ((uint64_t)16 * 1024 * 1024)

/* A quarter of the memory. */
static uint64_t quarter(struct ckpt_ctx *ctx)
{
	_cleanup_close_ int rootfd = -1;

	if (ctx->seam && ctx->seam->memory)
		return ctx->seam->memory / 4;
	if (ctx->quarter)
		return ctx->quarter;
	rootfd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ctx->quarter = rootfd < 0 ? 0 : ckpt_memory_available(rootfd) / 4;
	return ctx->quarter;
}

/* Whether the page cache may take @bytes beside what other checkpoints have filled it with. */
static bool fits(struct ckpt_ctx *ctx, uint64_t bytes)
{
	uint64_t others = ctx->filled - ctx->filling;

	if (ctx->cache != CKPT_CACHE_AUTO)
		return ctx->cache == CKPT_CACHE_FILL;
	return bytes <= quarter(ctx) && others <= quarter(ctx) - bytes;
}

void ckpt_pages_expect(struct ckpt_ctx *ctx, uint64_t bytes, bool next)
{
	if (next) {
		ctx->checkpoint_bytes = 0;
		ctx->filling = 0;
	}
	if (bytes <= ctx->checkpoint_bytes)
		return;
	ctx->checkpoint_bytes = bytes;
	ctx->filled -= ctx->filling;
	ctx->filling = 0;
	if (!fits(ctx, bytes))
		return;
	ctx->filling = bytes;
	ctx->filled += bytes;
}

int ckpt_pages_cached(const struct ckpt_file *file, uint64_t off, uint64_t len)
{
	const struct ckpt_seam *seam = file->ctx ? file->ctx->seam : NULL;

	if (seam && seam->cached)
		return seam->cached(seam->arg, file->fd, off, len);
	return (int)ckpt_cached(file->fd, off, len);
}

/* Whether the same holds for all of the file's pages. Looks no further than to the first that
 * differs. */
static bool is_all(const struct ckpt_file *file, enum ckpt_cached cached)
{
	for (uint64_t at = 0; at < file->id.size; at += STEP) {
		uint64_t left = file->id.size - at;

		if (ckpt_pages_cached(file, at, left < STEP ? left : STEP) != (int)cached)
			return false;
	}
	return true;
}

/* Whether direct reads at multiples of CKPT_PAGES_ALIGN are right for @fd, as far as the kernel
 * says. */
static bool is_aligned_enough(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN))
		return stx.stx_dio_offset_align && stx.stx_dio_offset_align <= CKPT_PAGES_ALIGN &&
		       stx.stx_dio_mem_align <= CKPT_PAGES_BUFFER;
#endif
	return fd >= 0;
}

/* A descriptor of its own for the same inode, since O_DIRECT is the open file's. -1: none. */
static int open_direct(int fd)
{
	_cleanup_close_ int direct = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return is_aligned_enough(direct) ? ckpt_take_fd(&direct) : -1;
}

void ckpt_pages_open(struct ckpt_file *file)
{
	struct ckpt_ctx *ctx = file->ctx;
	uint64_t bytes = file->id.size;

	if (!ctx || bytes < WORTH_ASKING)
		return;
	if (fits(ctx, bytes > ctx->checkpoint_bytes ? bytes : ctx->checkpoint_bytes))
		return;
	if (is_all(file, CKPT_CACHED_ALL))
		return;
	file->pages = is_all(file, CKPT_CACHED_NONE) ? CKPT_PAGES_NONE : CKPT_PAGES_THOSE;
	file->direct = bytes < WORTH_DIRECT ? -1 : open_direct(file->fd);
	if (file->pages == CKPT_PAGES_THOSE) /* what is read ahead could not be told from those */
		posix_fadvise(file->fd, 0, 0, POSIX_FADV_RANDOM);
}

void ckpt_pages_share(struct ckpt_file *file)
{
	if (file->pages != CKPT_PAGES_ANY && file->direct >= 0)
		file->direct = fcntl(file->direct, F_DUPFD_CLOEXEC, 3);
}

static uint64_t align_down(uint64_t at)
{
	return at / CKPT_PAGES_ALIGN * CKPT_PAGES_ALIGN;
}

static void drop(const struct ckpt_file *file, uint64_t at, uint64_t len)
{
	uint64_t begin = align_down(at), end = align_down(at + len + CKPT_PAGES_ALIGN - 1);

	posix_fadvise(file->fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_DONTNEED);
}

/* What the kernel reads ahead at that moment cannot be dropped before it has arrived. */
static void drop_all(const struct ckpt_file *file)
{
	const struct timespec wait = { .tv_nsec = ARRIVES_NS };

	for (int i = 0; i < TRIES; i++) {
		drop(file, file->base, file->size);
		if (file->base > 0 || is_all(file, CKPT_CACHED_NONE))
			return;
		nanosleep(&wait, NULL);
	}
}

void ckpt_pages_close(struct ckpt_file *file)
{
	if (file->pages == CKPT_PAGES_ANY)
		return;
	if (file->pages == CKPT_PAGES_NONE)
		drop_all(file);
	ckpt_cleanup_close(&file->direct);
}

static ssize_t read_by(const struct ckpt_file *file, int fd, void *buf, size_t len, uint64_t at)
{
	const struct ckpt_seam *seam = file->ctx ? file->ctx->seam : NULL;

	if (seam && seam->pread)
		return seam->pread(seam->arg, fd, buf, len, (off_t)at);
	return pread(fd, buf, len, (off_t)at);
}

/*
 * The whole pages of what is asked for, past the page cache. -1 where that is not possible: then
 * the page cache gives the bytes or the error.
 */
static ssize_t read_direct(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	ssize_t n;

	if (file->direct < 0 || len < LARGE || at % CKPT_PAGES_ALIGN != 0 ||
	    (uintptr_t)buf % CKPT_PAGES_BUFFER != 0)
		return -1;
	n = read_by(file, file->direct, buf, (size_t)align_down(len), at);
	return n > 0 ? n : -1;
}

/* The same for what is not whole pages, or not at a multiple of them: the first of it. */
static ssize_t read_detour(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	_Alignas(CKPT_PAGES_ALIGN) uint8_t pages[LARGE];
	size_t before = (size_t)(at - align_down(at));
	ssize_t n;

	if (file->direct < 0)
		return -1;
	n = read_by(file, file->direct, pages, sizeof(pages), align_down(at));
	if (n <= (ssize_t)before)
		return -1;
	len = (size_t)n - before < len ? (size_t)n - before : len;
	memcpy(buf, pages + before, len);
	return (ssize_t)len;
}

/* Whether the kernel would read nothing if pages of [@at, @at + @len), which are in memory, were
 * taken from there. */
static bool is_settled(const struct ckpt_file *file, size_t len, uint64_t at)
{
	uint64_t size = file->id.size, end = at + len < size ? at + len : size;
	uint64_t soon = size - end < AHEAD ? size - end : AHEAD;

	return soon == 0 || ckpt_pages_cached(file, end, soon) == CKPT_CACHED_ALL;
}

/* Halves @len, by whole pages, until all of it is in memory, or none of it. Returns which. */
static int agree(const struct ckpt_file *file, size_t *len, uint64_t at)
{
	for (;;) {
		int cached = ckpt_pages_cached(file, at, *len);
		uint64_t next = align_down(at) + CKPT_PAGES_ALIGN, half = align_down(at + *len / 2);

		if (half < next)
			half = next;
		if (cached != CKPT_CACHED_SOME || half >= at + *len)
			return cached;
		*len = (size_t)(half - at);
	}
}

static ssize_t read_and_drop(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	ssize_t n = read_by(file, file->fd, buf, len, at);

	if (n > 0)
		drop(file, at, (uint64_t)n);
	return n;
}

/* Leaves those pages that are in memory. */
static ssize_t read_those(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	int cached = ckpt_pages_cached(file, at, len);
	ssize_t n;

	if (cached == CKPT_CACHED_ALL && is_settled(file, len, at))
		return read_by(file, file->fd, buf, len, at);
	n = read_direct(file, buf, len, at);
	if (n > 0)
		return n;
	if (cached == CKPT_CACHED_SOME)
		cached = agree(file, &len, at);
	if (cached == CKPT_CACHED_NONE)
		return read_and_drop(file, buf, len, at);
	n = read_detour(file, buf, len, at);
	return n > 0 ? n : read_by(file, file->fd, buf, len, at);
}

/* Leaves none. */
static ssize_t read_none(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	ssize_t n = read_direct(file, buf, len, at);

	if (n > 0)
		return n;
	return len < LARGE ? read_by(file, file->fd, buf, len, at)
			   : read_and_drop(file, buf, len, at);
}

ssize_t ckpt_pages_pread(const struct ckpt_file *file, void *buf, size_t len, uint64_t at)
{
	switch (file->pages) {
	case CKPT_PAGES_ANY:
		return read_by(file, file->fd, buf, len, at);
	case CKPT_PAGES_NONE:
		return read_none(file, buf, len, at);
	case CKPT_PAGES_THOSE:
		return read_those(file, buf, len, at);
	}
	errno = EINVAL;
	return -1;
}

bool ckpt_pages_soon(const struct ckpt_file *file, uint64_t off, uint64_t len)
{
	uint64_t at = file->base + off;

	if (file->source || file->fd < 0 || file->pages == CKPT_PAGES_THOSE ||
	    ckpt_pages_cached(file, at, len) != CKPT_CACHED_NONE)
		return false;
	return posix_fadvise(file->fd, (off_t)at, (off_t)len, POSIX_FADV_WILLNEED) == 0;
}

size_t ckpt_pages_room(const struct ckpt_file *file, uint64_t off, size_t size)
{
	return size - (size_t)((file->base + off) % CKPT_PAGES_ALIGN);
}
