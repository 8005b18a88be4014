/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The superblock: where the file's addresses count from, where its data end, and whether its last
 * writer closed it. The flags of versions 0 and 2 are not to be relied on: finished files of other
 * writers carry them. libhdf5 refuses a version 3 file that has them.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/hdf5/hdf5_walk.h"
#include "core/format/hdf5/lookup3.h"
#include "wire/text.h"

#define SIGNATURE "\x89HDF\r\n\x1a\n"
#define SIGNATURE_LEN 8
#define USER_BLOCK_MAX (1u << 20) /* it begins at 0, 512, 1024, 2048 ...; looked for up to here */
#define SUPER_MAX 128		  /* bytes of a superblock that are read */
#define WRITING 0x05		  /* open for writing, or for one writer and many readers */
#define LEAF_K 4		  /* H5F_CRT_SYM_LEAF_DEF */
#define GROUP_K 16		  /* HDF5_BTREE_SNODE_IK_DEF */
#define CHUNK_K 32		  /* HDF5_BTREE_CHUNK_IK_DEF */
#define DRIVER_MAX 256		  /* bytes that are looked through for a driver's name */

/* Reading all over every unknown file would be dear: only names that promise HDF5 are worth it. */
static bool may_have_user_block(const struct ckpt_check *check)
{
	static const char *const endings[] = { ".h5", ".hdf5", ".hdf", ".he5", ".nc", ".mat" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ckpt_text_ends(check->file->name, endings[i]))
			return true;
	return false;
}

uint64_t ckpt_hdf5_find(const struct ckpt_check *check)
{
	uint8_t found[SIGNATURE_LEN];

	if (check->head.n_head < SIGNATURE_LEN)
		return CKPT_HDF5_NONE;
	if (memcmp(check->head.head, SIGNATURE, SIGNATURE_LEN) == 0)
		return 0;
	if (!may_have_user_block(check))
		return CKPT_HDF5_NONE;
	for (uint64_t at = 512; at <= USER_BLOCK_MAX; at *= 2) {
		if (at + SIGNATURE_LEN > check->file->size ||
		    ckpt_file_read(check->file, at, found, sizeof(found), NULL) != 0)
			break;
		if (memcmp(found, SIGNATURE, sizeof(found)) == 0)
			return at;
	}
	return CKPT_HDF5_NONE;
}

static int bad(struct ckpt_hdf5 *h, const char *what, unsigned value)
{
	return ckpt_check_reject(h->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, h->base, NULL,
				 "its superblock says: %s %u", what, value);
}

/* A superblock in memory. */
struct super {
	uint64_t at; /* in the file */
	uint8_t buf[SUPER_MAX];
	size_t len;
	unsigned version, flags;
	uint64_t base, eof;
	uint64_t driver; /* where its driver is described, relative to base; NONE */
};

static uint64_t field(const struct ckpt_hdf5 *h, const struct super *s, size_t first, size_t index)
{
	return ckpt_bytes_le(s->buf + first + index * h->so, h->so);
}

/* Bytes of it by version and address size, up to and with the checksum or the root's entry. */
static size_t super_size(const struct ckpt_hdf5 *h, unsigned version)
{
	if (version >= 2)
		return 12 + 4u * h->so + 4;
	return (version == 0 ? 24 : 28) + 4u * h->so + h->sl + h->so + 8 + 16;
}

static int sizes_known(struct ckpt_hdf5 *h, struct super *s)
{
	s->version = s->buf[8];
	if (s->version > 3)
		return bad(h, "version", s->version);
	h->so = s->buf[s->version < 2 ? 13 : 9];
	h->sl = s->buf[s->version < 2 ? 14 : 10];
	if (h->so != 2 && h->so != 4 && h->so != 8)
		return bad(h, "bytes in an address:", h->so);
	if (h->sl != 2 && h->sl != 4 && h->sl != 8)
		return bad(h, "bytes in a length:", h->sl);
	if (super_size(h, s->version) > s->len)
		return ckpt_check_reject(h->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 h->check->file->size, NULL,
					 "the file ends within its superblock");
	return 0;
}

static void fields(struct ckpt_hdf5 *h, struct super *s)
{
	size_t first = s->version == 0 ? 24 : s->version == 1 ? 28 : 12;

	s->base = field(h, s, first, 0);
	s->eof = field(h, s, first, 2);
	h->root =
		s->version < 2 ? field(h, s, first + 4u * h->so + h->sl, 0) : field(h, s, first, 3);
	h->extension = s->version < 2 ? CKPT_HDF5_NONE : field(h, s, first, 1);
	if (h->extension == UINT64_MAX >> (64 - 8 * h->so))
		h->extension = CKPT_HDF5_NONE;
	s->driver = s->version < 2 ? field(h, s, first, 3) : h->extension;
	s->flags = s->version == 3 ? s->buf[11] : 0;
}

static int check_sum(struct ckpt_hdf5 *h, const struct super *s)
{
	size_t n = super_size(h, s->version) - 4;
	struct ckpt_lookup3 sum;

	if (s->version < 2)
		return 0;
	ckpt_lookup3_init(&sum, n);
	ckpt_lookup3_add(&sum, s->buf, n);
	if (ckpt_lookup3_end(&sum) == ckpt_bytes_le(s->buf + n, 4))
		return 0;
	return ckpt_check_reject(h->check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, s->at, NULL,
				 "the superblock does not match its checksum");
}

/*
 * The drivers "family" and "multi" (with "split") spread one file's addresses over several files,
 * and are named in a block (versions 0 and 1) or a message of the extension (File Format
 * Specification II.B and IV.A.2.u; H5FDfamily.c, H5FDmulti.c). This file alone says nothing then.
 */
static int check_driver(struct ckpt_hdf5 *h, const struct super *s)
{
	uint8_t text[DRIVER_MAX];
	uint64_t at, size = h->check->file->size;
	size_t n;
	int r;

	if (__builtin_add_overflow(s->at, s->driver, &at) || at >= size)
		return 0;
	n = size - at < sizeof(text) ? (size_t)(size - at) : sizeof(text);
	r = ckpt_check_read(h->check, at, text, n, "its driver's name");
	if (r || (!memmem(text, n, "NCSAfami", 8) && !memmem(text, n, "NCSAmult", 8)))
		return r;
	return ckpt_check_reject(h->check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, at, NULL,
				 "it is one of several files that are one HDF5 file together "
				 "(driver family, split or multi): h5repart makes one of them");
}

/* The end of the data counts from the file's beginning; where the file was moved behind a user
 * block, from as much earlier. */
static int check_end(struct ckpt_hdf5 *h, const struct super *s)
{
	uint64_t eof, size = h->check->file->size;

	if (__builtin_add_overflow(s->eof, s->at - s->base, &eof) && s->at > s->base)
		eof = UINT64_MAX;
	if (size < eof)
		return ckpt_check_reject(
			h->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
			"its superblock promises %llu bytes, but the file has %llu",
			(unsigned long long)eof, (unsigned long long)size);
	if (eof < s->at || h->root >= eof - s->at)
		return bad(h, "the root group is not inside the file, version", s->version);
	if (size > eof)
		ckpt_check_remark(h->check, CKPT_PROBLEM_TRAILING, eof,
				  "%llu bytes follow its end: junk, or a writer that was killed "
				  "before it recorded them",
				  (unsigned long long)(size - eof));
	h->base = s->at;
	h->end = eof - s->at;
	return 0;
}

int ckpt_hdf5_super(struct ckpt_hdf5 *h)
{
	struct super s = { .at = ckpt_hdf5_find(h->check) };
	uint64_t size = h->check->file->size;
	int r;

	if (s.at == CKPT_HDF5_NONE || size - s.at < 16)
		return ckpt_check_reject(h->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size,
					 NULL, "the file ends within its superblock");
	h->base = s.at;
	s.len = size - s.at < sizeof(s.buf) ? (size_t)(size - s.at) : sizeof(s.buf);
	r = ckpt_check_read(h->check, s.at, s.buf, s.len, "its superblock");
	r = r ? r : sizes_known(h, &s);
	if (r)
		return r;
	fields(h, &s);
	h->leaf_k = LEAF_K;
	h->tree_k[0] = GROUP_K;
	h->tree_k[1] = CHUNK_K;
	r = check_sum(h, &s);
	r = r ? r : check_driver(h, &s);
	r = r ? r : check_end(h, &s);
	if (r == 0 && s.version < 2)
		r = ckpt_hdf5_super_old(h, s.version);
	if (r == 0 && (s.flags & WRITING))
		return ckpt_check_reject(
			h->check, CKPT_INCOMPLETE, CKPT_PROBLEM_WRITER_ACTIVE, s.at + 11, NULL,
			"it is marked as open for writing: its writer was killed or still works "
			"(h5clear -s takes the mark away)");
	return r;
}
