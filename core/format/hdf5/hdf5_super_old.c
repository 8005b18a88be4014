/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superblocks of versions 0 and 1, which have no checksum: each field is compared with what it may
 * be. Reserved bytes are not looked at: nobody reads them.
 */
#include "core/format/hdf5/hdf5_walk.h"

#define FIELDS_AT 9    /* behind signature and version */
#define K_MAX 32767    /* H5Pset_sym_k() and H5Pset_istore_k(): 2k fits 16 bits */
#define FLAGS 0x07     /* H5F_SUPER_ALL_FLAGS: written, closed well, one writer of many */
#define USER_BLOCK 512 /* the smallest; they are powers of two (H5Pset_userblock()) */
#define DRIVER_HEAD 16 /* H5F_DRVINFOBLOCK_HDR_SIZE */

static int bad(struct ckpt_hdf5 *h, const char *what, uint64_t value)
{
	return ckpt_check_reject(h->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, h->base, NULL,
				 "its superblock says: %s %llu", what, (unsigned long long)value);
}

/* The versions of its parts, of which there is but one each. */
static int check_versions(struct ckpt_hdf5_cur *cur)
{
	static const struct {
		unsigned skip;
		const char *of;
	} rows[] = { { 0, "version of free space:" },
		     { 0, "version of the root group:" },
		     { 1, "version of shared messages:" } };
	uint64_t version;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !cur->r; i++) {
		ckpt_hdf5_skip(cur, rows[i].skip);
		version = ckpt_hdf5_uint(cur, 1);
		if (version != 0)
			return bad(cur->h, rows[i].of, version);
	}
	ckpt_hdf5_skip(cur, 3); /* sizes of addresses and lengths, which were taken before */
	return cur->r;
}

static int check_ranks(struct ckpt_hdf5_cur *cur, unsigned version)
{
	struct ckpt_hdf5 *h = cur->h;
	uint64_t flags;

	h->leaf_k = (unsigned)ckpt_hdf5_uint(cur, 2);
	h->tree_k[0] = (unsigned)ckpt_hdf5_uint(cur, 2);
	flags = ckpt_hdf5_uint(cur, 4);
	if (version == 1) {
		h->tree_k[1] = (unsigned)ckpt_hdf5_uint(cur, 2);
		ckpt_hdf5_skip(cur, 2);
	}
	if (cur->r)
		return cur->r;
	if (h->leaf_k == 0)
		return bad(h, "half the members of a table:", 0);
	for (size_t i = 0; i < 2; i++)
		if (h->tree_k[i] == 0 || h->tree_k[i] > K_MAX)
			return bad(h, "half the children of a tree's node:", h->tree_k[i]);
	return flags & ~(uint64_t)FLAGS ? bad(h, "flags", flags) : 0;
}

/* A user block may have been put before the file, or taken away: where it is need not be base. */
static bool may_be_base(uint64_t base)
{
	return base == 0 || (base >= USER_BLOCK && !(base & (base - 1)));
}

/* Free space is kept in no file of these versions: libhdf5 would take it for an extension. */
static int check_places(struct ckpt_hdf5_cur *cur)
{
	struct ckpt_hdf5 *h = cur->h;
	uint64_t base = ckpt_hdf5_addr(cur), free_space = ckpt_hdf5_addr(cur), driver;

	ckpt_hdf5_addr(cur); /* the end */
	driver = ckpt_hdf5_addr(cur);
	if (cur->r)
		return cur->r;
	if (!may_be_base(base))
		return bad(h, "base address", base);
	if (free_space != CKPT_HDF5_NONE)
		return bad(h, "a list of free space at", free_space);
	if (driver != CKPT_HDF5_NONE && (driver >= h->end || h->end - driver < DRIVER_HEAD))
		return bad(h, "a driver's description at", driver);
	return 0;
}

static int check_driver(struct ckpt_hdf5 *h, uint64_t driver)
{
	struct ckpt_hdf5_cur cur;
	uint64_t version, size;
	int r = ckpt_hdf5_begin(h, &cur, driver, NULL);

	version = ckpt_hdf5_uint(&cur, 1);
	ckpt_hdf5_skip(&cur, 3);
	size = ckpt_hdf5_uint(&cur, 4);
	ckpt_hdf5_skip(&cur, 8);
	ckpt_hdf5_skip(&cur, size);
	if (r || cur.r)
		return r ? r : cur.r;
	return version ? bad(h, "version of a driver's description:", version) : 0;
}

static int check_root(struct ckpt_hdf5 *h, const struct ckpt_hdf5_entry *root)
{
	if (root->kind >= CKPT_HDF5_SOFT)
		return bad(h, "kind of the root's entry:", root->kind);
	if (root->kind != CKPT_HDF5_GROUP)
		return 0;
	h->root_cached = ckpt_hdf5_cached(root->tree, root->heap);
	h->root_name = root->name;
	return 0;
}

int ckpt_hdf5_super_old(struct ckpt_hdf5 *h, unsigned version)
{
	struct ckpt_hdf5_cur cur, before;
	struct ckpt_hdf5_entry root;
	uint64_t driver;
	int r = ckpt_hdf5_begin(h, &cur, FIELDS_AT, NULL);

	r = r ? r : check_versions(&cur);
	r = r ? r : check_ranks(&cur, version);
	before = cur;
	r = r ? r : check_places(&cur);
	if (r)
		return r;
	ckpt_hdf5_skip(&before, 3u * h->so);
	driver = ckpt_hdf5_addr(&before);
	if (driver != CKPT_HDF5_NONE)
		r = check_driver(h, driver);
	ckpt_hdf5_entry(&cur, &root);
	r = r ? r : cur.r;
	return r ? r : check_root(h, &root);
}
