/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local heaps: the names of an old group's members, and the texts of its soft links (File Format
 * Specification III.D). They have no checksum: what libhdf5 refuses is refused (H5HLcache.c).
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

#define NO_BLOCK 1 /* H5HL_FREE_NULL; the specification has the undefined address */
#define PIECE 64   /* most names end within */

/* The free block at @*at: takes its length from @*left, goes to the next. */
static int free_block(struct ckpt_hdf5 *h, const struct ckpt_hdf5_names *names, uint64_t *at,
		      uint64_t *left)
{
	struct ckpt_hdf5_cur cur = { .h = h, .at = names->addr + *at, .end = h->end };
	uint64_t most = *at < names->size ? names->size - *at : 0, next, len;

	next = ckpt_hdf5_len(&cur);
	len = ckpt_hdf5_len(&cur);
	if (most < 2u * h->sl ||
	    (cur.r == 0 && (next == 0 || len < 2u * h->sl || len > most || len > *left)))
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, names->addr,
					"the free space of a group's names is not in its heap");
	*at = next;
	*left -= len;
	return cur.r;
}

/* Free blocks: each begins with the next one's place, and its own length. */
static int free_blocks(struct ckpt_hdf5 *h, const struct ckpt_hdf5_names *names, uint64_t at)
{
	uint64_t none = UINT64_MAX >> (64 - 8 * h->sl), left = names->size;
	int r = 0;

	while (r == 0 && at != NO_BLOCK && at != none)
		r = free_block(h, names, &at, &left);
	return r;
}

/* The empty name at the beginning is what a tree's first key stands for. */
static int empty_first(struct ckpt_hdf5 *h, const struct ckpt_hdf5_names *names)
{
	uint8_t first;
	int r = names->size ? ckpt_hdf5_read(h, names->addr, &first, 1) : 0;

	if (r || (names->size && first == 0))
		return r;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, names->addr,
				"a group's names do not begin with the empty one");
}

int ckpt_hdf5_names_open(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_names *ret)
{
	struct ckpt_hdf5_cur cur;
	uint64_t version, first;
	int r = ckpt_hdf5_begin(h, &cur, addr, "HEAP");

	if (r)
		return r;
	version = ckpt_hdf5_uint(&cur, 1);
	ckpt_hdf5_skip(&cur, 3);
	ret->size = ckpt_hdf5_len(&cur);
	first = ckpt_hdf5_len(&cur);
	ret->addr = ckpt_hdf5_addr(&cur);
	if (cur.r)
		return cur.r;
	if (version)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr, "a heap of version %u",
					(unsigned)version);
	h->unsummed++;
	r = ckpt_hdf5_charge(h, addr, cur.at - addr, "a heap");
	r = r ? r : ckpt_hdf5_charge(h, ret->addr, ret->size, "a heap's names");
	r = r ? r : empty_first(h, ret);
	return r ? r : free_blocks(h, ret, first);
}

int ckpt_hdf5_name(struct ckpt_hdf5 *h, const struct ckpt_hdf5_names *names, uint64_t offset,
		   struct ckpt_hdf5_name *ret)
{
	uint64_t rest, n = 0;
	int r = 0;

	if (offset >= names->size)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, names->addr,
					"a member's name is not in its group's heap");
	rest = names->size - offset;
	ret->at = names->addr + offset;
	for (bool ended = false; r == 0 && !ended && n < sizeof(ret->text) - 1;) {
		uint64_t len = rest - n < PIECE ? rest - n : PIECE;

		if (len == 0)
			return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, ret->at,
						"a member's name has no end");
		if (len > sizeof(ret->text) - 1 - n)
			len = sizeof(ret->text) - 1 - n;
		r = ckpt_hdf5_read(h, ret->at + n, ret->text + n, len);
		ended = r == 0 && memchr(ret->text + n, 0, len);
		n += len;
	}
	ret->text[n] = '\0';
	ret->len = r ? 0 : strlen(ret->text);
	return r;
}
