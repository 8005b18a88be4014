/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of data sets that lie elsewhere: messages that object headers share, in heaps of the file's
 * own, and data in files beside it.
 */
#include <errno.h>
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"
#include "wire/text.h"

#define NAME_SIZE 1024
#define INDEXES_MAX 8 /* H5O_SHMESG_MAX_NINDEXES */

/* One index of shared messages, as the table lists it. */
struct index {
	bool tree;
	unsigned messages;
	uint64_t addr, heap;
};

static int ignore(struct ckpt_hdf5_cur *record, unsigned type, void *arg)
{
	(void)record;
	(void)type;
	(void)arg;
	return 0;
}

static void take_index(struct ckpt_hdf5_cur *cur, struct index *ret)
{
	ckpt_hdf5_skip(cur, 1);
	ret->tree = ckpt_hdf5_uint(cur, 1) == 1;
	ckpt_hdf5_skip(cur, 2 + 4 + 2 + 2);
	ret->messages = (unsigned)ckpt_hdf5_uint(cur, 2);
	ret->addr = ckpt_hdf5_addr(cur);
	ret->heap = ckpt_hdf5_addr(cur);
}

/* A list has a record of 5 bytes and a place for each message: the sum stands behind the last. */
static int check_index(struct ckpt_hdf5 *h, const struct index *index)
{
	uint64_t place = h->so + 4u < 12 ? 12 : h->so + 4u;
	struct ckpt_hdf5_heap heap;
	struct ckpt_hdf5_cur cur;
	int r = 0;

	if (index->addr != CKPT_HDF5_NONE && index->tree) {
		r = ckpt_hdf5_tree2(h, index->addr, ignore, NULL);
	} else if (index->addr != CKPT_HDF5_NONE) {
		r = ckpt_hdf5_begin(h, &cur, index->addr, "SMLI");
		r = r ? r
		      : ckpt_hdf5_sum(h, index->addr, 8 + index->messages * (5 + place),
				      "a list of shared messages");
	}
	if (r || index->heap == CKPT_HDF5_NONE)
		return r;
	return ckpt_hdf5_heap_open(h, index->heap, &heap);
}

int ckpt_hdf5_shared_table(struct ckpt_hdf5_cur *message)
{
	struct ckpt_hdf5 *h = message->h;
	struct ckpt_hdf5_cur cur;
	struct index index;
	uint64_t addr;
	unsigned n;
	int r;

	ckpt_hdf5_skip(message, 1);
	addr = ckpt_hdf5_addr(message);
	n = (unsigned)ckpt_hdf5_uint(message, 1);
	if (message->r || addr == CKPT_HDF5_NONE)
		return message->r;
	if (n > INDEXES_MAX)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, message->at,
					"more indexes of shared messages than HDF5 has");
	r = ckpt_hdf5_begin(h, &cur, addr, "SMTB");
	r = r ? r
	      : ckpt_hdf5_sum(h, addr, 8 + n * (14 + 2u * h->so), "the table of shared messages");
	for (unsigned i = 0; r == 0 && i < n; i++) {
		take_index(&cur, &index);
		r = cur.r ? cur.r : check_index(h, &index);
	}
	return r;
}

int ckpt_hdf5_external_list(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	ckpt_hdf5_skip(cur, 6);
	obj->n_external = (unsigned)ckpt_hdf5_uint(cur, 2);
	obj->external_heap = ckpt_hdf5_addr(cur);
	obj->external_at = cur->at;
	ckpt_hdf5_skip(cur, obj->n_external * 3ull * cur->h->sl);
	return cur->r;
}

/* The text at @off of the local heap at @addr. As a check function. */
static int heap_text(struct ckpt_hdf5 *h, uint64_t addr, uint64_t off, char ret[NAME_SIZE])
{
	struct ckpt_hdf5_cur cur;
	uint64_t size, data, at, n;
	int r = ckpt_hdf5_begin(h, &cur, addr, "HEAP");

	ckpt_hdf5_skip(&cur, 4);
	size = ckpt_hdf5_len(&cur);
	ckpt_hdf5_len(&cur);
	data = ckpt_hdf5_addr(&cur);
	if (r || cur.r)
		return r ? r : cur.r;
	if (off >= size || __builtin_add_overflow(data, off, &at))
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a file's name is not in its heap");
	n = size - off < NAME_SIZE - 1 ? size - off : NAME_SIZE - 1;
	memset(ret, 0, NAME_SIZE);
	return ckpt_hdf5_read(h, at, ret, (size_t)n);
}

/* The file @name must have @needs bytes. The library looks for it from the job's directory. */
static int check_file(struct ckpt_hdf5 *h, const char *name, uint64_t needs)
{
	struct ckpt_check *check = h->check;
	struct ckpt_identity id;
	int r = ckpt_identity_at(check->dirfd, name, true, &id);

	if (r == 0 && id.size >= needs)
		return 0;
	if (r == 0)
		return ckpt_check_blame(check, name,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_TRUNCATED, id.size, NULL,
							  "it has %llu bytes, a data set of %s "
							  "needs %llu",
							  (unsigned long long)id.size,
							  CKPT_QUOTE(check->name),
							  (unsigned long long)needs));
	if (r == -ENOENT && name[0] == '/')
		return ckpt_check_blame(check, name,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_SHARD_MISSING,
							  CKPT_NO_OFFSET, NULL,
							  "it is missing, and holds data of %s",
							  CKPT_QUOTE(check->name)));
	ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "data in %s, which was not found here",
		       CKPT_QUOTE(name));
	return 0;
}

/* The data run through the files in their order, as far as each may go. */
int ckpt_hdf5_external(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	struct ckpt_hdf5_cur cur = { .h = h, .at = obj->external_at, .end = h->end };
	uint64_t left;
	char name[NAME_SIZE];
	int r = 0;

	h->unsummed++;
	if (!obj->has_space || !obj->has_type ||
	    __builtin_mul_overflow(obj->items, obj->type_size, &left))
		return 0;
	for (unsigned i = 0; r == 0 && i < obj->n_external && left > 0; i++) {
		uint64_t text = ckpt_hdf5_len(&cur), off = ckpt_hdf5_len(&cur),
			 size = ckpt_hdf5_len(&cur), needs;

		r = cur.r ? cur.r : heap_text(h, obj->external_heap, text, name);
		size = size < left ? size : left;
		left -= size;
		if (r == 0 && __builtin_add_overflow(off, size, &needs))
			needs = UINT64_MAX;
		r = r ? r : check_file(h, name, needs);
	}
	return r;
}
