/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage to the bytes of one file. See damage.h. What is chosen at random is chosen so that bytes
 * differ afterwards, as far as a few tries find such a place.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/damage.h"
#include "wire/text.h"

#define PAGE 4096
#define BLOCK_MAX (1 << 20)
#define TRIES 64
#define YEAR (365 * 86400)

static int nothing(const struct ckpt_damage *d, struct ckpt_error *err)
{
	return ckpt_fail(err, -ENODATA,
			 "%s: too small, or all its blocks are alike: nothing to damage",
			 CKPT_QUOTE(d->at->path));
}

static int failed(struct ckpt_error *err)
{
	return ckpt_fail(err, -errno, "%s", strerror(errno));
}

static void done(struct ckpt_damage *d, uint64_t offset, uint64_t length)
{
	d->done_offset = offset;
	d->done_length = length;
	d->changed = true;
}

int ckpt_damage_truncate(struct ckpt_damage *d, struct ckpt_error *err)
{
	uint64_t keep = d->offset >= 0 ? (uint64_t)d->offset : ckpt_damage_random(d, d->at->size);
	_cleanup_close_ int fd = ckpt_damage_open(d, err);

	if (fd < 0)
		return fd;
	if (keep >= d->at->size)
		return nothing(d, err);
	if (ftruncate(fd, (off_t)keep) != 0)
		return failed(err);
	done(d, keep, d->at->size - keep);
	snprintf(d->detail, sizeof(d->detail), "cut to its first %llu bytes",
		 (unsigned long long)keep);
	return 0;
}

int ckpt_damage_bit(struct ckpt_damage *d, struct ckpt_error *err)
{
	uint64_t at = d->offset >= 0 ? (uint64_t)d->offset : ckpt_damage_random(d, d->at->size);
	unsigned int bit = (unsigned int)ckpt_damage_random(d, 8);
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	unsigned char byte;
	int r;

	if (fd < 0)
		return fd;
	if (at >= d->at->size)
		return nothing(d, err);
	r = ckpt_damage_read(fd, at, &byte, 1, err);
	if (r != 0)
		return r;
	byte ^= (unsigned char)(1U << bit);
	done(d, at, 1);
	snprintf(d->detail, sizeof(d->detail), "bit %u flipped", bit);
	return ckpt_damage_write(fd, at, &byte, 1, err);
}

/* A block of a file, in memory. */
struct block {
	uint64_t off;
	size_t len;
	unsigned char *bytes; /* owned */
};

static void block_done(struct block *b)
{
	free(b->bytes);
}
#define _cleanup_block_ _cleanup_(block_done)

static int block_init(const struct ckpt_damage *d, struct block *b)
{
	b->len = d->length > 0 && d->length <= BLOCK_MAX ? (size_t)d->length : PAGE;
	b->bytes = malloc(b->len);
	return b->bytes ? 0 : -ENOMEM;
}

/* Reads the block that --offset names, or one at random, on a boundary of its own length. */
static int block_pick(struct ckpt_damage *d, int fd, struct block *b, struct ckpt_error *err)
{
	uint64_t blocks = d->at->size / b->len;

	if (d->offset >= 0)
		b->off = (uint64_t)d->offset - (uint64_t)d->offset % b->len;
	else if (blocks > 0)
		b->off = ckpt_damage_random(d, blocks) * b->len;
	else
		return nothing(d, err);
	if (b->off >= d->at->size || d->at->size - b->off < b->len)
		return nothing(d, err);
	return ckpt_damage_read(fd, b->off, b->bytes, b->len, err);
}

static bool all_zero(const unsigned char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static int zeroed_by_writing(int fd, struct block *b, struct ckpt_error *err)
{
	memset(b->bytes, 0, b->len);
	return ckpt_damage_write(fd, b->off, b->bytes, b->len, err);
}

static int zeroed_by_punching(int fd, struct block *b, struct ckpt_error *err)
{
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)b->off,
		      (off_t)b->len) == 0)
		return 0;
	return failed(err);
}

/* A block that held something, made zeros by @zero. */
static int zero_block(struct ckpt_damage *d, int (*zero)(int, struct block *, struct ckpt_error *),
		      struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	_cleanup_block_ struct block b = { 0 };
	int r = fd < 0 ? fd : block_init(d, &b);

	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = block_pick(d, fd, &b, err);
		if (r != 0)
			return r;
		if (all_zero(b.bytes, b.len))
			continue;
		done(d, b.off, b.len);
		return zero(fd, &b, err);
	}
	return r != 0 ? r : nothing(d, err);
}

int ckpt_damage_zero_page(struct ckpt_damage *d, struct ckpt_error *err)
{
	snprintf(d->detail, sizeof(d->detail), "a block of zeros written over it");
	return zero_block(d, zeroed_by_writing, err);
}

int ckpt_damage_hole(struct ckpt_damage *d, struct ckpt_error *err)
{
	snprintf(d->detail, sizeof(d->detail), "a hole punched: it reads as zeros");
	return zero_block(d, zeroed_by_punching, err);
}

int ckpt_damage_swap(struct ckpt_damage *d, struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	_cleanup_block_ struct block a = { 0 }, b = { 0 };
	struct ckpt_damage second = *d;
	int r = fd < 0 ? fd : block_init(d, &a);

	if (r == 0)
		r = block_init(d, &b);
	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = block_pick(d, fd, &a, err);
		second.random = ckpt_damage_random(d, UINT64_MAX);
		second.offset = -1;
		if (r == 0)
			r = block_pick(&second, fd, &b, err);
		if (r != 0 || memcmp(a.bytes, b.bytes, a.len) == 0)
			continue;
		done(d, a.off, a.len);
		snprintf(d->detail, sizeof(d->detail), "swapped with the block at %llu",
			 (unsigned long long)b.off);
		r = ckpt_damage_write(fd, a.off, b.bytes, b.len, err);
		return r != 0 ? r : ckpt_damage_write(fd, b.off, a.bytes, a.len, err);
	}
	return r != 0 ? r : nothing(d, err);
}

int ckpt_damage_duplicate(struct ckpt_damage *d, struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	_cleanup_block_ struct block a = { 0 }, next = { 0 };
	int r = fd < 0 ? fd : block_init(d, &a);

	if (r == 0)
		r = block_init(d, &next);
	for (int i = 0; r == 0 && i < TRIES; i++) {
		r = block_pick(d, fd, &a, err);
		next.off = a.off + a.len;
		if (r != 0 || next.off >= d->at->size)
			continue;
		next.len = d->at->size - next.off < a.len ? d->at->size - next.off : a.len;
		r = ckpt_damage_read(fd, next.off, next.bytes, next.len, err);
		if (r != 0 || memcmp(a.bytes, next.bytes, next.len) == 0)
			continue;
		done(d, next.off, next.len);
		snprintf(d->detail, sizeof(d->detail), "the block before it written over it");
		return ckpt_damage_write(fd, next.off, a.bytes, next.len, err);
	}
	return r != 0 ? r : nothing(d, err);
}

/* Moves what is from @off on to the end up by a block, last block first. */
static int shift(const struct ckpt_damage *d, int fd, uint64_t off, size_t by,
		 struct ckpt_error *err)
{
	_cleanup_free_ unsigned char *buf = malloc(BLOCK_MAX);
	uint64_t end = d->at->size;
	int r = buf ? 0 : -ENOMEM;

	while (r == 0 && end > off) {
		size_t n = end - off < BLOCK_MAX ? end - off : BLOCK_MAX;

		end -= n;
		r = ckpt_damage_read(fd, end, buf, n, err);
		if (r == 0)
			r = ckpt_damage_write(fd, end + by, buf, n, err);
	}
	return r;
}

int ckpt_damage_insert(struct ckpt_damage *d, struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	_cleanup_block_ struct block b = { 0 };
	int r = fd < 0 ? fd : block_init(d, &b);

	if (r == 0)
		r = block_pick(d, fd, &b, err);
	if (r == 0)
		r = shift(d, fd, b.off, b.len, err);
	if (r != 0)
		return r;
	done(d, b.off + b.len, b.len);
	snprintf(d->detail, sizeof(d->detail), "the block before it put in a second time");
	return 0;
}

int ckpt_damage_trailing(struct ckpt_damage *d, struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	uint64_t n = d->length > 0 && d->length <= BLOCK_MAX ? (uint64_t)d->length
							     : 1 + ckpt_damage_random(d, PAGE);
	_cleanup_free_ unsigned char *junk = malloc(n);

	if (fd < 0 || !junk)
		return fd < 0 ? fd : -ENOMEM;
	for (uint64_t i = 0; i < n; i++)
		junk[i] = (unsigned char)ckpt_damage_random(d, 256);
	done(d, d->at->size, n);
	snprintf(d->detail, sizeof(d->detail), "random bytes appended");
	return ckpt_damage_write(fd, d->at->size, junk, n, err);
}

/* Writes zeros from @off to the end; *@changed where a byte was none. */
static int zeros_to_end(const struct ckpt_damage *d, int fd, uint64_t off, bool *changed,
			struct ckpt_error *err)
{
	_cleanup_free_ unsigned char *buf = malloc(BLOCK_MAX);
	int r = buf ? 0 : -ENOMEM;
	size_t n;

	for (; r == 0 && off < d->at->size; off += n) {
		n = d->at->size - off < BLOCK_MAX ? d->at->size - off : BLOCK_MAX;
		r = ckpt_damage_read(fd, off, buf, n, err);
		if (r != 0)
			return r;
		*changed = *changed || !all_zero(buf, n);
		memset(buf, 0, n);
		r = ckpt_damage_write(fd, off, buf, n, err);
	}
	return r;
}

int ckpt_damage_zero_tail(struct ckpt_damage *d, struct ckpt_error *err)
{
	uint64_t off = d->offset >= 0 ? (uint64_t)d->offset : ckpt_damage_random(d, d->at->size);
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	bool changed = false;
	int r;

	if (fd < 0)
		return fd;
	if (off >= d->at->size)
		return nothing(d, err);
	r = zeros_to_end(d, fd, off, &changed, err);
	done(d, off, d->at->size - off);
	d->changed = changed;
	snprintf(d->detail, sizeof(d->detail), "zeros from there to its end, the size kept");
	return r;
}

int ckpt_damage_clock(struct ckpt_damage *d, struct ckpt_error *err)
{
	int64_t by = (int64_t)ckpt_damage_random(d, 2 * YEAR) - YEAR;
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0)
		return failed(err);
	st.st_mtim.tv_sec += by;
	if (futimens(fd, (struct timespec[]) { st.st_mtim, st.st_mtim }) != 0)
		return failed(err);
	snprintf(d->detail, sizeof(d->detail), "its time moved by %lld seconds, its bytes kept",
		 (long long)by);
	return 0;
}
