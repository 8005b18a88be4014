/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Object headers, versions 1 and 2: chunks of messages, each chunk named by a continuation message
 * in one before it.
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

#define PENDING_MAX 64 /* chunks named and not yet read; libhdf5 names one at a time */
#define CONTINUATION 0x10
#define LAST_TYPE 0x18 /* of the metadata cache's image: H5O_MDCI_MSG_ID */
#define DATATYPE 0x03
#define ATTRIBUTE 0x0c

/* Flags of a message: H5O_MSG_FLAG_* of H5Opublic.h and H5Oprivate.h. */
#define SHARED 0x02
#define NOT_SHARED 0x04
#define FAIL 0x08
#define MARK 0x10
#define WAS_UNKNOWN 0x20
/* Data space, data type, both fill values, filters, attribute (H5O_SHARE_IS_SHARABLE). */
#define SHAREABLE (1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 11 | 1u << 12)

struct chunk {
	uint64_t addr, len;
};

struct header {
	struct ckpt_hdf5 *h;
	struct ckpt_hdf5_object *obj;
	int version;
	bool ordered; /* messages carry their order of creation */
	int n_pending;
	struct chunk pending[PENDING_MAX];
};

static int continuation(struct header *head, struct ckpt_hdf5_cur *cur)
{
	struct chunk next = { .addr = ckpt_hdf5_addr(cur) };

	next.len = ckpt_hdf5_len(cur);
	if (cur->r)
		return cur->r;
	if (head->n_pending == PENDING_MAX)
		return ckpt_hdf5_reject(head->h, CKPT_PROBLEM_HEADER, cur->at,
					"the object's header is in too many pieces");
	head->pending[head->n_pending++] = next;
	return 0;
}

/* A message's prefix. */
struct prefix {
	unsigned type, len, flags;
};

static int bad(struct header *head, uint64_t addr, const char *what)
{
	return ckpt_hdf5_reject(head->h, CKPT_PROBLEM_HEADER, addr, "%s", what);
}

/* What libhdf5 refuses of a prefix without a checksum (H5O__chunk_deserialize()). */
static int check_prefix(struct header *head, uint64_t addr, const struct prefix *p)
{
	if (head->version != 1)
		return 0;
	if (p->type > LAST_TYPE)
		return bad(head, addr, "a message of a kind that HDF5 does not have");
	if (p->len % 8)
		return bad(head, addr, "a message of a length that is not of whole words");
	if ((p->flags & SHARED && (p->flags & NOT_SHARED || !(SHAREABLE >> p->type & 1))) ||
	    (p->flags & WAS_UNKNOWN && (p->flags & FAIL || !(p->flags & MARK))))
		return bad(head, addr, "a message with flags that exclude each other");
	return 0;
}

/* Shared: what it says is kept elsewhere, and may have no checksum there. */
static int shared(struct header *head, struct ckpt_hdf5_cur *cur, unsigned type)
{
	uint64_t version = ckpt_hdf5_uint(cur, 1), where = ckpt_hdf5_uint(cur, 1);

	if (cur->r == 0 && (version < 1 || version > 3 || where > 3))
		return bad(head, cur->at, "a shared message that HDF5 does not have");
	head->obj->elsewhere |= 1u << type;
	head->h->unsummed += type == DATATYPE || type == ATTRIBUTE;
	return cur->r;
}

static int message(struct header *head, struct ckpt_hdf5_cur *data, const struct prefix *p)
{
	if (p->type == CONTINUATION)
		return continuation(head, data);
	if (p->flags & SHARED && p->type <= LAST_TYPE)
		return shared(head, data, p->type);
	return ckpt_hdf5_message(data, p->type, head->obj);
}

/* All messages from @at to @end. What is too short for another one is a gap, from version 2 on. */
static int messages(struct header *head, uint64_t at, uint64_t end)
{
	unsigned prefix = head->version == 1 ? 8 : head->ordered ? 6 : 4;
	struct ckpt_hdf5_cur cur, data;
	struct prefix p;
	uint64_t begin;
	int r = 0;

	while (r == 0 && end - at >= prefix) {
		begin = at;
		cur = (struct ckpt_hdf5_cur) { .h = head->h, .at = at, .end = end };
		p.type = (unsigned)ckpt_hdf5_uint(&cur, head->version == 1 ? 2 : 1);
		p.len = (unsigned)ckpt_hdf5_uint(&cur, 2);
		p.flags = (unsigned)ckpt_hdf5_uint(&cur, 1);
		ckpt_hdf5_skip(&cur, prefix - (head->version == 1 ? 5 : 4));
		data = cur;
		ckpt_hdf5_skip(&cur, p.len);
		if (cur.r)
			return cur.r;
		data.end = at = cur.at;
		r = check_prefix(head, begin, &p);
		r = r ? r : message(head, &data, &p);
	}
	if (r == 0 && head->version == 1 && at != end)
		r = bad(head, at, "bytes behind the last message of an object's header");
	return r;
}

static int version1(struct header *head, uint64_t addr)
{
	struct ckpt_hdf5_cur cur;
	uint64_t n, len;
	int r = ckpt_hdf5_begin(head->h, &cur, addr, NULL);

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 2);
	n = ckpt_hdf5_uint(&cur, 2);
	ckpt_hdf5_skip(&cur, 4);
	len = ckpt_hdf5_uint(&cur, 4);
	if (cur.r)
		return cur.r;
	if (n ? len < 8 : len > 0)
		return bad(head, addr, "an object's header of another length than its messages");
	head->h->unsummed++;
	r = ckpt_hdf5_charge(head->h, addr, 16 + len, "an object's header");
	return r ? r : messages(head, addr + 16, addr + 16 + len);
}

static int version2(struct header *head, uint64_t addr)
{
	struct ckpt_hdf5_cur cur;
	unsigned flags;
	uint64_t len;
	int r = ckpt_hdf5_begin(head->h, &cur, addr, "OHDR");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 1);
	flags = (unsigned)ckpt_hdf5_uint(&cur, 1);
	head->ordered = flags & 0x04;
	ckpt_hdf5_skip(&cur, (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
	len = ckpt_hdf5_uint(&cur, 1u << (flags & 3));
	if (cur.r)
		return cur.r;
	if (len > head->h->end)
		len = head->h->end; /* refused below */
	head->obj->summed = true;
	r = ckpt_hdf5_sum(head->h, addr, cur.at - addr + len + 4, "an object's header");
	return r ? r : messages(head, cur.at, cur.at + len);
}

static int continued(struct header *head, const struct chunk *chunk)
{
	struct ckpt_hdf5_cur cur;
	int r;

	if (head->version == 1) {
		r = ckpt_hdf5_charge(head->h, chunk->addr, chunk->len, "an object's header");
		return r ? r : messages(head, chunk->addr, chunk->addr + chunk->len);
	}
	r = ckpt_hdf5_begin(head->h, &cur, chunk->addr, "OCHK");
	if (r == 0 && chunk->len < 8)
		r = ckpt_hdf5_reject(head->h, CKPT_PROBLEM_HEADER, chunk->addr,
				     "a piece of the object's header is too short");
	r = r ? r : ckpt_hdf5_sum(head->h, chunk->addr, chunk->len, "an object's header");
	return r ? r : messages(head, cur.at, chunk->addr + chunk->len - 4);
}

static void object_init(struct ckpt_hdf5_object *obj)
{
	memset(obj, 0, sizeof(*obj));
	obj->addr = obj->table_tree = obj->table_heap = CKPT_HDF5_NONE;
	obj->links = obj->attributes =
		(struct ckpt_hdf5_dense) { CKPT_HDF5_NONE, CKPT_HDF5_NONE, CKPT_HDF5_NONE };
}

int ckpt_hdf5_header(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_object *obj)
{
	struct header head = { .h = h, .obj = obj, .version = 2 };
	uint8_t first;
	int r = ckpt_hdf5_read(h, addr, &first, 1);

	object_init(obj);
	if (r)
		return r;
	if (first == 1)
		head.version = 1;
	r = first == 1 ? version1(&head, addr) : version2(&head, addr);
	while (r == 0 && head.n_pending > 0) {
		struct chunk chunk = head.pending[--head.n_pending];

		r = continued(&head, &chunk);
	}
	return r;
}
