/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ahead.h. The mapping is said to be read in sequence, which keeps the kernel from taking its
 * end for another use of each page (zap_present_folio_ptes() in mm/memory.c).
 */
#include "core/base/ahead.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/base/memory.h"
#include "core/base/pages.h"
#include "core/base/sha256_cpu.h"

#ifdef __x86_64__
#define HAS_PREFETCH true
#else
#define HAS_PREFETCH false
#endif

/* Linux 5.14; older kernels say EINVAL, older headers do not know it. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Where to map what is cached is a matter of memory alone: no lock, no question to a server. */
static bool is_local(const struct ckpt_file *file)
{
	static const uint32_t local[] = {
		0xef53,	    /* ext4 */
		0x58465342, /* XFS */
		0x9123683e, /* Btrfs */
		0x01021994, /* tmpfs */
	};
	uint32_t type = ckpt_file_fs_type(file);

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (local[i] == type)
			return true;
	return false;
}

static bool may(const struct ckpt_file *file, uint64_t at, size_t len)
{
	return HAS_PREFETCH && file->ctx && file->ctx->ahead && !file->source &&
	       file->pages == CKPT_PAGES_ANY &&
	       ckpt_pages_cached(file, at, len) == CKPT_CACHED_ALL && is_local(file);
}

static int populate(const struct ckpt_file *file, void *map, size_t len)
{
	const struct ckpt_seam *seam = file->ctx->seam;

	if (seam && seam->populate)
		return seam->populate(seam->arg, map, len);
	return madvise(map, len, MADV_POPULATE_READ);
}

bool ckpt_ahead_pays(void)
{
	return HAS_PREFETCH && !ckpt_sha256_cpu().amd;
}

void ckpt_ahead_done(struct ckpt_ahead *ahead)
{
	if (ahead->map)
		munmap((void *)ahead->map, ahead->len);
	*ahead = (struct ckpt_ahead) { 0 };
}

bool ckpt_ahead_map(struct ckpt_ahead *ahead, const struct ckpt_file *file, uint64_t off)
{
	uint64_t at = (file->base + off) / CKPT_PAGES_ALIGN * CKPT_PAGES_ALIGN;
	uint64_t end = file->base + file->size;
	size_t len = CKPT_AHEAD_WINDOW;
	void *map;

	ckpt_ahead_done(ahead);
	if (at >= end)
		return false;
	len = end - at < len ? (size_t)(end - at) : len;
	if (!may(file, at, len))
		return false;
	map = mmap(NULL, len, PROT_READ, MAP_SHARED, file->fd, (off_t)at);
	if (map == MAP_FAILED)
		return false;
	*ahead = (struct ckpt_ahead) {
		.map = map, .len = len, .off = at, .ino = file->id.ino, .dev = file->id.dev
	};
	madvise(map, len, MADV_SEQUENTIAL);
	if (populate(file, map, len) == 0)
		return true;
	ckpt_ahead_done(ahead);
	return false;
}

const uint8_t *ckpt_ahead_at(const struct ckpt_ahead *ahead, const struct ckpt_file *file,
			     uint64_t off, size_t len)
{
	uint64_t at = file->base + off;

	if (!ahead->map || ahead->ino != file->id.ino || ahead->dev != file->id.dev)
		return NULL;
	if (at < ahead->off || at - ahead->off > ahead->len || len > ahead->len - (at - ahead->off))
		return NULL;
	return ahead->map + (at - ahead->off);
}
