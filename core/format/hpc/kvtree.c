/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See kvtree.h. A tree: u32 number of branches, then of each the key with its NUL and the tree
 * below. Nothing tells a tree's length, so that branches are counted: without recursion, however
 * deep.
 */
#include "core/format/hpc/kvtree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "wire/text.h"

#define MAGIC 0x951fc3f5
#define TYPE_HASH 1
#define VERSION 1
#define HEADER 20	      /* magic, type, version, size of the file, flags */
#define FLAG_CRC 1	      /* every writer sets it */
#define SIZE_MAX_ (64u << 20) /* SCR gathers about 1 MB a file; an index has some KB */

static bool take_count(struct ckpt_bytes *in, uint64_t *ret)
{
	struct ckpt_bytes count;

	if (!ckpt_bytes_take(in, 4, &count))
		return false;
	*ret = ckpt_bytes_be(count.p, 4);
	return true;
}

static bool take_key(struct ckpt_bytes *in, const char **ret)
{
	const uint8_t *end = in->n ? memchr(in->p, 0, in->n) : NULL;

	if (!end)
		return false;
	*ret = (const char *)in->p;
	in->n -= (size_t)(end + 1 - in->p);
	in->p = end + 1;
	return true;
}

/* Steps over a whole tree; false if it does not fit. */
static bool skip(struct ckpt_bytes *in)
{
	uint64_t left, below;
	const char *key;

	if (!take_count(in, &left))
		return false;
	while (left-- > 0) {
		if (!take_key(in, &key) || !take_count(in, &below))
			return false;
		left += below;
	}
	return true;
}

static int reject(struct ckpt_check *check, const char *path, enum ckpt_status status,
		  enum ckpt_problem_code code, const char *what)
{
	return ckpt_check_blame(
		check, path,
		ckpt_check_reject(check, status, code, CKPT_NO_OFFSET, NULL, "%s", what));
}

static bool has_magic(const void *header)
{
	return ckpt_bytes_be(header, 4) == MAGIC;
}

/* With the version. */
static bool has_type(const void *header)
{
	const uint8_t *bytes = header;

	return ckpt_bytes_be(bytes + 4, 2) == TYPE_HASH && ckpt_bytes_be(bytes + 6, 2) == VERSION;
}

/* Length, CRC and branches of the @len bytes at @data. */
static int prove(struct ckpt_check *check, const char *path, struct ckpt_kvtree *tree, size_t len)
{
	const char *data = tree->data;
	uint64_t size;
	struct ckpt_bytes in;

	if (len < HEADER + 4)
		return reject(check, path, CKPT_INCOMPLETE,
			      len ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_EMPTY, "it is too short");
	if (!has_magic(data) || !has_type(data)) /* other files of SCR's have the magic too */
		return reject(check, path, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
			      "it does not begin as a KVTree file does");
	size = ckpt_bytes_be(data + 8, 8);
	if (size > len)
		return reject(check, path, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
			      "it is shorter than it says");
	if (size < HEADER + 4)
		return reject(check, path, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
			      "its length is wrong");
	in = (struct ckpt_bytes) { (const uint8_t *)data + HEADER, (size_t)size - HEADER - 4 };
	if (!(ckpt_bytes_be(data + 16, 4) & FLAG_CRC) ||
	    ckpt_crc(CKPT_CRC32, 0, data, (size_t)size - 4) != ckpt_bytes_be(data + size - 4, 4))
		return reject(check, path, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM,
			      "it does not match its CRC-32");
	tree->root = in;
	return skip(&in) && in.n == 0 ? 0
				      : reject(check, path, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY,
					       "its tree does not fit");
}

int ckpt_kvtree_load(struct ckpt_check *check, int dirfd, const char *path, struct ckpt_kvtree *ret)
{
	size_t len;
	int r = ckpt_file_slurp(check->ctx, dirfd, path, SIZE_MAX_, &ret->data, &len, check->err);

	if (r == -EFBIG)
		return reject(check, path, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
			      "it is larger than 64 MiB: not checked");
	if (r > 0)
		return reject(check, path, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
			      "not a regular file");
	return r ? r : prove(check, path, ret, len);
}

/* By two of magic, type with version, and its own length: one of them may be what is damaged. */
static bool kvtree_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	bool size = head->n_head >= HEADER && ckpt_bytes_be(head->head + 8, 8) == head->size;

	return head->n_head >= 8 && has_magic(head->head) + has_type(head->head) + size >= 2;
}

/* Readers go by the length in it (kvtree_read_fd). */
static int kvtree_structure(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	uint64_t size = head->n_head < HEADER ? UINT64_MAX : ckpt_bytes_be(head->head + 8, 8);

	snprintf(check->report->framework, sizeof(check->report->framework), "SCR");
	if (size > head->size)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, head->size,
					 NULL, "it is shorter than it says");
	if (size < head->size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, size,
				  "%llu bytes more than it says",
				  (unsigned long long)(head->size - size));
	return 0;
}

static int kvtree_content(struct ckpt_check *check)
{
	const uint64_t size = ckpt_bytes_be(check->head.head + 8, 8);
	_cleanup_kvtree_ struct ckpt_kvtree tree = { 0 };
	int r;

	if (size > SIZE_MAX_) {
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "larger than 64 MiB: its CRC was not looked at");
		return 0;
	}
	tree.data = malloc((size_t)size + 1);
	if (!tree.data)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	r = ckpt_check_read(check, 0, tree.data, (size_t)size, "its tree");
	return r ? r : prove(check, check->file->name, &tree, (size_t)size);
}

const struct ckpt_format ckpt_format_kvtree = {
	.name = "kvtree",
	.title = "KVTree file (SCR's books)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = kvtree_sniff,
	.structure = kvtree_structure,
	.content = kvtree_content,
};

void ckpt_kvtree_done(struct ckpt_kvtree *tree)
{
	free(tree->data);
	tree->data = NULL;
}

void ckpt_kvtree_first(struct ckpt_bytes tree, struct ckpt_kvtree_walk *ret)
{
	ret->rest = tree;
	if (!take_count(&ret->rest, &ret->left))
		ret->left = 0;
}

bool ckpt_kvtree_next(struct ckpt_kvtree_walk *walk, const char **ret_key,
		      struct ckpt_bytes *ret_below)
{
	if (!walk->left || !take_key(&walk->rest, ret_key))
		return false;
	walk->left--;
	*ret_below = walk->rest;
	return skip(&walk->rest);
}

bool ckpt_kvtree_get(struct ckpt_bytes tree, const char *key, struct ckpt_bytes *ret)
{
	struct ckpt_kvtree_walk walk;
	const char *name;

	ckpt_kvtree_first(tree, &walk);
	while (ckpt_kvtree_next(&walk, &name, ret))
		if (strcmp(name, key) == 0)
			return true;
	return false;
}

const char *ckpt_kvtree_text(struct ckpt_bytes tree, const char *key)
{
	struct ckpt_kvtree_walk walk;
	struct ckpt_bytes below;
	const char *value;

	if (!ckpt_kvtree_get(tree, key, &below))
		return NULL;
	ckpt_kvtree_first(below, &walk);
	return ckpt_kvtree_next(&walk, &value, &below) ? value : NULL;
}

bool ckpt_kvtree_int(struct ckpt_bytes tree, const char *key, int64_t *ret)
{
	const char *text = ckpt_kvtree_text(tree, key);

	return text && ckpt_text_int(text, 0, INT64_MAX, ret);
}
