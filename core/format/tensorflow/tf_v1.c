/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_v1.h. A block may be as long as a tensor: structure steps over the data, content takes
 * the CRCs with all threads; no block is held in memory but the index.
 */
#include "core/format/tensorflow/tf_v1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/format/train/shards.h"
#include "core/format/tensorflow/tf_judge.h"
#include "core/format/tensorflow/tf_table.h"
#include "core/format/tensorflow/tf_v1_slices.h"
#include "wire/text.h"

#define NUMBER_BLOCK (32u << 20) /* a larger block is not read for the sake of a number in it */

struct place {
	uint64_t off, size;
};

/* A check under way: about 40 KiB. */
struct v1 {
	struct ckpt_tf_v1 slices;
	struct ckpt_tf_table table;
	uint64_t next;	     /* where the next block must begin */
	uint64_t compressed; /* blocks */
	bool begun;	     /* the list was read */
};

static void v1_free(struct v1 **v)
{
	if (!*v)
		return;
	ckpt_tf_table_done(&(*v)->table);
	ckpt_storages_done(&(*v)->slices.slices);
	free(*v);
}

static int v1_open(struct ckpt_check *check, struct v1 **ret)
{
	struct v1 *v = calloc(1, sizeof(*v));

	*ret = v;
	if (!v)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	v->slices.check = check;
	v->slices.in.file = check->file;
	v->slices.in.err = check->err;
	return ckpt_tf_judge(check, &v->table,
			     ckpt_tf_table_open(&v->table, check->file, check->err));
}

static int torn(struct v1 *v, uint64_t at, const char *what)
{
	return ckpt_check_reject(v->slices.check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, at, NULL,
				 "%s", what);
}

/* Steps to the next block; blocks follow each other without gaps. *@ret_end at the last. */
static int next_place(struct v1 *v, struct place *ret, bool *ret_end)
{
	int r = ckpt_tf_table_next_place(&v->table, &ret->off, &ret->size);

	*ret_end = r == CKPT_TF_END;
	if (r == CKPT_TF_END)
		return v->next == v->table.block.off
			       ? 0
			       : torn(v, v->next, "the index names fewer blocks than there are");
	if (r)
		return ckpt_tf_judge(v->slices.check, &v->table, r);
	if (ret->off != v->next)
		return torn(v, ret->off, "a block does not begin where the one before ends");
	v->next = ret->off + ret->size + CKPT_TF_TRAILER;
	return 0;
}

/* The masked CRC behind a block and its compression. 0 or an errno. */
static int read_trailer(struct v1 *v, const struct place *block, uint8_t *ret_type,
			uint32_t *ret_crc)
{
	uint8_t trailer[CKPT_TF_TRAILER];
	struct ckpt_check *check = v->slices.check;
	int r = ckpt_check_read(check, block->off + block->size, trailer, sizeof(trailer),
				"the end of a block");

	if (r)
		return r;
	*ret_type = trailer[0];
	*ret_crc = ckpt_tf_unmask((uint32_t)ckpt_bytes_le(trailer + 1, 4));
	return 0;
}

/* Where the block's entries end: before its restart points. */
static int entries_end(struct v1 *v, const struct place *block, uint64_t *ret)
{
	uint8_t count[4];
	uint64_t restarts;
	int r;

	if (block->size < sizeof(count))
		return torn(v, block->off, "a block is too short");
	r = ckpt_check_read(v->slices.check, block->off + block->size - 4, count, 4,
			    "the end of a block");
	if (r)
		return r;
	restarts = (ckpt_bytes_le(count, 4) + 1) * 4;
	if (restarts > block->size)
		return torn(v, block->off, "a block's restart points do not fit");
	*ret = block->off + block->size - restarts;
	return 0;
}

/* One entry at slices.in.at: the list first, slices behind it. */
static int take_entry(struct v1 *v, uint64_t *key_len)
{
	struct ckpt_window *in = &v->slices.in;
	uint64_t shared, tail, value, off, end = in->end;
	int r = ckpt_proto_varint(in, &shared);

	r = r ? r : ckpt_proto_varint(in, &tail);
	r = r ? r : ckpt_proto_varint(in, &value);
	if (r < 0)
		return r;
	if (r || shared > *key_len || tail > end - in->at || value > end - in->at - tail)
		return torn(v, in->at, "an entry does not fit its block");
	*key_len = shared + tail;
	off = in->at + tail;
	if (v->begun == (*key_len == 0))
		return torn(v, off, "the list of tensors is not the first entry");
	r = v->begun ? ckpt_tf_v1_slice(&v->slices, off, value)
		     : ckpt_tf_v1_list(&v->slices, off, value);
	v->begun = true;
	ckpt_window_range(in, off + value, end - (off + value));
	return r;
}

static int one_range(void *arg, struct ckpt_crc_range *ret)
{
	struct ckpt_crc_range *range = arg;

	if (!range->len)
		return 0;
	*ret = *range;
	range->len = 0;
	return 1;
}

/* Numbers that a block held count once its CRC was found right. */
static int settle_numbers(struct v1 *v, const struct place *block, uint32_t crc)
{
	struct ckpt_position *pos = &v->slices.check->report->position;
	struct ckpt_tf_v1_number step = v->slices.step, epoch = v->slices.epoch;
	struct ckpt_crc_range bad, range = { block->off, block->size + 1, crc, 0, NULL };
	struct ckpt_crc_job job = { .kind = CKPT_CRC32C, .next = one_range, .arg = &range };
	int r;

	v->slices.step.found = v->slices.epoch.found = false;
	if ((!step.found && !epoch.found) || block->size > NUMBER_BLOCK)
		return 0;
	r = ckpt_crc_verify(v->slices.check->file, &job, &bad, v->slices.check->err);
	if (r)
		return r < 0 ? r : 0;
	if (step.found) {
		pos->has_step = true;
		pos->step = step.value;
		pos->step_source = CKPT_FROM_CONTENT;
	}
	if (epoch.found) {
		pos->has_epoch = true;
		pos->epoch = (double)epoch.value;
		pos->epoch_source = CKPT_FROM_CONTENT;
	}
	return 0;
}

static int walk_block(struct v1 *v, const struct place *block)
{
	uint64_t end = 0, key_len = 0;
	uint8_t type;
	uint32_t crc;
	int r = read_trailer(v, block, &type, &crc);

	if (r)
		return r;
	if (type > 1)
		return torn(v, block->off, "a block has an unknown compression");
	if (type) {
		v->compressed++;
		return 0;
	}
	r = entries_end(v, block, &end);
	if (r)
		return r;
	ckpt_window_range(&v->slices.in, block->off, end - block->off);
	while (r == 0 && v->slices.in.at < v->slices.in.end)
		r = take_entry(v, &key_len);
	return r ? r : settle_numbers(v, block, crc);
}

/* The first shard answers for the others' being there. */
static int check_shards(struct ckpt_check *check)
{
	const char *name = check->file->name;
	size_t stem = strlen(name);
	struct ckpt_shard shard;
	char sibling[512];

	stem -= stem < 15 ? stem : 15;
	if (!ckpt_shard_match(name + stem, "-#-of-#", &shard) || shard.no[0] != 0)
		return 0;
	for (uint64_t i = 1; i < shard.no[1]; i++) {
		snprintf(sibling, sizeof(sibling), "%.*s-%05llu-of-%05llu", (int)stem, name,
			 (unsigned long long)i, (unsigned long long)shard.no[1]);
		if (ckpt_dir_lacks(check->dirfd, sibling))
			return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
						 CKPT_NO_OFFSET, sibling,
						 "a file of the set is missing");
	}
	return 0;
}

/* Every slice of the list was found. */
static int check_seen(struct v1 *v)
{
	struct ckpt_check *check = v->slices.check;
	const char *why = v->compressed	  ? "blocks are compressed: slices were not looked at"
			  : v->slices.cut ? "too many slices: not all were compared with the list"
					  : NULL;

	if (why)
		snprintf(check->report->verdict.note, sizeof(check->report->verdict.note), "%s",
			 why);
	else if (!v->begun)
		return torn(v, 0, "there is no list of tensors");
	else if (v->slices.seen != v->slices.slices.n)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_MEMBER_MISSING,
					 CKPT_NO_OFFSET, NULL, "%llu slices of %llu are missing",
					 (unsigned long long)(v->slices.slices.n - v->slices.seen),
					 (unsigned long long)v->slices.slices.n);
	return 0;
}

static int v1_structure(struct ckpt_check *check)
{
	_cleanup_(v1_free) struct v1 *v = NULL;
	struct place block;
	bool end = false;
	int r = v1_open(check, &v);

	check->report->contents = CKPT_CONTENTS_WEIGHTS;
	while (r == 0 && (r = next_place(v, &block, &end)) == 0 && !end)
		r = walk_block(v, &block);
	r = r ? r : check_seen(v);
	return r ? r : check_shards(check);
}

static int next_range(void *arg, struct ckpt_crc_range *ret)
{
	struct v1 *v = arg;
	struct place block;
	uint32_t crc;
	uint8_t type;
	bool end;
	int r = next_place(v, &block, &end);

	if (r == 0 && end)
		return 0;
	r = r ? r : read_trailer(v, &block, &type, &crc);
	if (r)
		return r < 0 ? r : -EAGAIN; /* it passed before: it changes under us */
	*ret = (struct ckpt_crc_range) { block.off, block.size + 1, crc, 0, NULL };
	return 1;
}

static int v1_content(struct ckpt_check *check)
{
	_cleanup_(v1_free) struct v1 *v = NULL;
	int r = v1_open(check, &v);
	struct ckpt_crc_job job = {
		.kind = CKPT_CRC32C, .next = next_range, .arg = v, .total = check->file->size
	};
	struct ckpt_crc_range bad;

	if (r)
		return r;
	r = ckpt_crc_verify(check->file, &job, &bad, check->err);
	return r <= 0 ? r
		      : ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, bad.off, NULL,
					  "a block has another CRC-32C");
}

/* Takes tag 1 of a message and its length, which must lie within @limit. */
static bool begins(struct ckpt_bytes *in, uint64_t *limit)
{
	uint64_t tag, len;
	size_t before = in->n;

	if (!ckpt_varint_take(in, &tag) || !ckpt_varint_take(in, &len))
		return false;
	if (tag != (1 << 3 | CKPT_PROTO_BYTES) || len > *limit || before - in->n > *limit - len)
		return false;
	*limit = len;
	return true;
}

/*
 * The first entry has no key, and its value begins with meta, its first tensor, and that one's
 * name; a bundle's index begins with a number instead.
 */
static bool v1_sniff(const struct ckpt_check *check)
{
	struct ckpt_bytes in = { check->head.head, check->head.n_head };
	uint64_t shared, tail, limit;

	return ckpt_varint_take(&in, &shared) && ckpt_varint_take(&in, &tail) && !shared && !tail &&
	       ckpt_varint_take(&in, &limit) && begins(&in, &limit) && begins(&in, &limit) &&
	       begins(&in, &limit);
}

const struct ckpt_format ckpt_format_tf_v1 = {
	.name = "tf-v1",
	.title = "TensorFlow checkpoint, version 1",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.split = true,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = v1_sniff,
	.structure = v1_structure,
	.content = v1_content,
};
