/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_bundle.h. Structure: every block of the index by its CRC, every entry by the rules, every
 * shard by its size, progress by the CRC of its number. Content: the CRC of every tensor, in
 * constant memory: the index is read again for each shard.
 */
#include "core/format/tensorflow/tf_bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/format/names_at.h"
#include "core/format/tensorflow/tf_judge.h"
#include "core/base/share.h"
#include "core/format/tensorflow/tf_position.h"
#include "core/format/tensorflow/tf_reader.h"
#include "core/format/tensorflow/tf_strings.h"
#include "wire/text.h"

struct bundle {
	struct ckpt_check *check;
	struct ckpt_file index;
	struct ckpt_tf_header header;
	uint64_t *ends;	  /* of each shard: where its last tensor ends */
	uint64_t varying; /* tensors of strings and variants */
	struct ckpt_tf_candidates candidates;
};

static void bundle_done(struct bundle *b)
{
	ckpt_file_done(&b->index);
	free(b->ends);
}

/* True if there is data of the bundle beside the missing index. */
static bool has_data(const struct ckpt_check *check)
{
	int fd = openat(check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	const char *rest;

	while (dir && (entry = readdir(dir)))
		if (ckpt_text_starts(entry->d_name, check->name, &rest) &&
		    ckpt_text_starts(rest, ".data-", NULL))
			return true;
	return false;
}

static int open_index(struct bundle *b)
{
	struct ckpt_check *check = b->check;
	char name[NAME_MAX + 1];
	int r;

	if (snprintf(name, sizeof(name), "%s.index", check->name) >= (int)sizeof(name))
		return ckpt_fail(check->err, -ENAMETOOLONG, "%s: the prefix is too long",
				 CKPT_QUOTE(check->name));
	r = ckpt_file_open(check->ctx, check->dirfd, name, &b->index, check->err);
	if (r == -ENOENT && has_data(check))
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
					 CKPT_NO_OFFSET, name,
					 "there is data, but no index: it is written last");
	if (r == -ENOENT)
		return ckpt_check_reject(check, CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING,
					 CKPT_NO_OFFSET, name, "it does not exist");
	if (r == CKPT_FILE_NOT_REGULAR)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, name, "not a regular file");
	return r;
}

static void note_entry(struct bundle *b, const struct ckpt_tf_reader *reader)
{
	struct ckpt_report *report = b->check->report;
	const struct ckpt_tf_entry *e = &reader->entry;
	const char *name = ckpt_tf_reader_name(reader);
	uint64_t end = e->offset + e->size;

	if (*name) { /* a slice is a part of what was counted */
		report->tensors++;
		ckpt_report_add_key(report, name, strcspn(name, "/"));
		ckpt_tf_note_contents(report, name);
	}
	if (e->sliced)
		return;
	if (end > b->ends[e->shard])
		b->ends[e->shard] = end;
	b->varying += ckpt_tf_reader_varies(reader);
	ckpt_tf_position_offer(&b->candidates, name, e);
}

/* Reads the whole index and adds up what it says. */
static int read_index(struct bundle *b)
{
	_cleanup_tf_reader_ struct ckpt_tf_reader reader = { .nth = 0 };
	int r = open_index(b);

	if (!r)
		r = ckpt_tf_reader_open(&reader, b->check, &b->index);
	if (r)
		return r;
	b->check->report->tensors = 0;
	b->header = reader.header;
	b->ends = calloc(b->header.num_shards, sizeof(*b->ends));
	if (!b->ends)
		return ckpt_fail(b->check->err, -ENOMEM, "no memory for the shards of %s",
				 CKPT_QUOTE(b->check->name));
	while (r = ckpt_tf_reader_next(&reader), !r)
		note_entry(b, &reader);
	return r == CKPT_TF_READER_END ? 0 : r;
}

static int open_shard(struct bundle *b, uint64_t shard, struct ckpt_file *ret)
{
	struct ckpt_check *check = b->check;
	char name[NAME_MAX + 1];
	int r;

	if (snprintf(name, sizeof(name), "%s.data-%05llu-of-%05llu", check->name,
		     (unsigned long long)shard,
		     (unsigned long long)b->header.num_shards) >= (int)sizeof(name))
		return ckpt_fail(check->err, -ENAMETOOLONG, "%s: the prefix is too long",
				 CKPT_QUOTE(check->name));
	r = ckpt_file_open(check->ctx, check->dirfd, name, ret, check->err);
	if (r == -ENOENT)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
					 CKPT_NO_OFFSET, name, "the data file is missing");
	if (r == CKPT_FILE_NOT_REGULAR)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, name, "not a regular file");
	return r;
}

/* The shard must reach as far as the last tensor in it; alignment may let it reach further. */
static int check_shard_size(struct bundle *b, uint64_t shard)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check in_shard = *b->check;
	uint64_t end = b->ends[shard];
	int r = open_shard(b, shard, &file);

	if (r)
		return r;
	in_shard.file = &file;
	b->check->report->verdict.size_bytes += file.size;
	if (file.size < end)
		return ckpt_check_reject(&in_shard, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 file.size, NULL,
					 "the index needs %llu bytes, but the file has %llu",
					 (unsigned long long)end, (unsigned long long)file.size);
	if (file.size > end)
		ckpt_check_remark(&in_shard, CKPT_PROBLEM_TRAILING, end,
				  "%llu bytes follow the last tensor",
				  (unsigned long long)(file.size - end));
	return 0;
}

/* Reads the number of one slot from its shard. */
static int read_position(struct bundle *b, enum ckpt_tf_slot slot)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	const struct ckpt_tf_entry *e = &b->candidates.slots[slot].entry;
	uint8_t bytes[8] = { 0 };
	int r;

	if (!b->candidates.slots[slot].rank || e->size > sizeof(bytes))
		return 0;
	r = open_shard(b, e->shard, &file);
	if (!r)
		r = ckpt_file_read(&file, e->offset, bytes, (size_t)e->size, b->check->err);
	if (!r)
		ckpt_tf_position_set(&b->check->report->position, slot, e, bytes,
				     b->header.big_endian);
	return r < 0 ? r : 0;
}

static int bundle_structure(struct ckpt_check *check)
{
	_cleanup_(bundle_done) struct bundle b = { .check = check, .index = CKPT_FILE_INIT };
	int r;

	check->report->contents = CKPT_CONTENTS_WEIGHTS;
	r = read_index(&b);
	check->report->verdict.size_bytes += b.index.size;
	for (uint64_t i = 0; !r && i < b.header.num_shards; i++)
		r = check_shard_size(&b, i);
	for (int slot = 0; !r && slot < CKPT_TF_SLOTS; slot++)
		r = read_position(&b, (enum ckpt_tf_slot)slot);
	return r;
}

/* The plain tensors of one shard, as ranges. */
struct ranges {
	struct ckpt_tf_reader reader;
	uint64_t shard;
};

static int next_range(void *arg, struct ckpt_crc_range *ret)
{
	struct ranges *ranges = arg;
	const struct ckpt_tf_entry *e = &ranges->reader.entry;
	int r;

	while (r = ckpt_tf_reader_next(&ranges->reader), !r) {
		if (e->sliced || e->shard != ranges->shard || !e->size ||
		    ckpt_tf_reader_varies(&ranges->reader))
			continue;
		*ret = (struct ckpt_crc_range) { .off = e->offset,
						 .len = e->size,
						 .expected = ckpt_tf_unmask(e->crc),
						 .tag = ranges->reader.nth };
		return 1;
	}
	if (r == CKPT_TF_READER_END)
		return 0;
	return r < 0 ? r : -EAGAIN; /* it passed before: it changes under us */
}

static int reject_tensor(struct bundle *b, struct ckpt_file *file, uint64_t off, const char *name)
{
	struct ckpt_check in_shard = *b->check;

	in_shard.file = file;
	return ckpt_check_reject(&in_shard, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, off, name,
				 "the tensor's bytes have another CRC-32C");
}

/* Names the tensor of a range that did not hold. */
static int reject_range(struct bundle *b, struct ckpt_file *file, const struct ckpt_crc_range *bad)
{
	_cleanup_tf_reader_ struct ckpt_tf_reader reader = { .nth = 0 };
	int r = ckpt_tf_reader_open(&reader, b->check, &b->index);

	while (!r && reader.nth < bad->tag)
		r = ckpt_tf_reader_next(&reader);
	return r ? r : reject_tensor(b, file, bad->off, ckpt_tf_reader_name(&reader));
}

static int check_plain(struct bundle *b, uint64_t shard, struct ckpt_file *file)
{
	struct ranges ranges = { .shard = shard };
	struct ckpt_crc_job job = {
		.kind = CKPT_CRC32C, .next = next_range, .arg = &ranges, .total = b->ends[shard]
	};
	struct ckpt_crc_range bad;
	int r = ckpt_tf_reader_open(&ranges.reader, b->check, &b->index);

	if (!r)
		r = ckpt_crc_verify(file, &job, &bad, b->check->err);
	ckpt_tf_reader_done(&ranges.reader);
	if (r == CKPT_CRC_MISMATCH)
		return reject_range(b, file, &bad);
	if (r == CKPT_CRC_SHORT)
		return ckpt_fail(b->check->err, -EAGAIN, "%s shrank while it was read",
				 CKPT_QUOTE(file->name));
	return r;
}

static int check_varying(struct bundle *b, uint64_t shard, struct ckpt_file *file)
{
	_cleanup_tf_reader_ struct ckpt_tf_reader reader = { .nth = 0 };
	const struct ckpt_tf_entry *e = &reader.entry;
	int r = b->varying ? ckpt_tf_reader_open(&reader, b->check, &b->index) : CKPT_TF_READER_END;

	while (!r && (r = ckpt_tf_reader_next(&reader)) == 0) {
		if (e->sliced || e->shard != shard || !ckpt_tf_reader_varies(&reader))
			continue;
		if (!ckpt_share_takes(file, e->offset))
			continue;
		r = ckpt_tf_strings_verify(file, e, b->check->err);
		if (r == CKPT_TF_STRINGS_BAD)
			return reject_tensor(b, file, e->offset, ckpt_tf_reader_name(&reader));
	}
	return r == CKPT_TF_READER_END ? 0 : r;
}

static int check_shard(struct bundle *b, uint64_t shard)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check in_shard = *b->check;
	int same, r = open_shard(b, shard, &file);

	if (!r)
		r = check_plain(b, shard, &file);
	if (!r && !b->header.big_endian)
		r = check_varying(b, shard, &file);
	if (r < 0 || file.fd < 0)
		return r;
	same = ckpt_file_unchanged(&file);
	if (same)
		return same < 0 ? same : r;
	in_shard.file = &file;
	b->check->report->verdict.status = CKPT_VALID; /* what was read may be half old, half new */
	return ckpt_check_reject(&in_shard, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
				 CKPT_NO_OFFSET, NULL, "the file changed while it was read");
}

static int bundle_content(struct ckpt_check *check)
{
	_cleanup_(bundle_done) struct bundle b = { .check = check, .index = CKPT_FILE_INIT };
	int r = read_index(&b);

	for (uint64_t i = 0; !r && i < b.header.num_shards; i++)
		r = check_shard(&b, i);
	if (!r && b.varying && b.header.big_endian)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "strings of a big-endian machine are not checked");
	return r;
}

/* The one format of prefixes; structure() says what is missing. */
static bool bundle_sniff(const struct ckpt_check *check)
{
	(void)check;
	return true;
}

static int tensors_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names)
{
	_cleanup_(bundle_done) struct bundle b = { .check = check, .index = CKPT_FILE_INIT };
	_cleanup_tf_reader_ struct ckpt_tf_reader reader = { .nth = 0 };
	const char *rest;
	unsigned int shard;
	int r = open_index(&b);

	if (r || !ckpt_text_starts(extent->file, check->name, &rest) ||
	    sscanf(rest, ".data-%5u-of-", &shard) != 1)
		return r;
	r = ckpt_tf_reader_open(&reader, check, &b.index);
	while (!r && (r = ckpt_tf_reader_next(&reader)) == 0) {
		const struct ckpt_tf_entry *e = &reader.entry;

		if (!e->sliced && e->shard == shard)
			ckpt_names_offer(names, extent, e->offset, e->offset + e->size,
					 ckpt_tf_reader_name(&reader));
	}
	return r == CKPT_TF_READER_END ? 0 : r;
}

static int bundle_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_(bundle_done) struct bundle b = { .check = check, .index = CKPT_FILE_INIT };
	_cleanup_tf_reader_ struct ckpt_tf_reader reader = { .nth = 0 };
	int r = open_index(&b);

	r = r ? r : ckpt_tf_reader_open(&reader, check, &b.index);
	while (!r && (r = ckpt_tf_reader_next(&reader)) == 0) {
		const struct ckpt_tf_entry *e = &reader.entry;
		struct ckpt_tensor told = { .name = ckpt_tf_reader_name(&reader),
					    .count = e->elements,
					    .shape = e->shape };

		if (!*told.name || e->odd_shape)
			continue;
		snprintf(told.type, sizeof(told.type), "%s", ckpt_tf_dtype_name(e->dtype));
		tell(arg, &told);
	}
	return r == CKPT_TF_READER_END ? 0 : r;
}

const struct ckpt_format ckpt_format_tf_bundle = {
	.name = "tf-bundle",
	.title = "TensorFlow checkpoint",
	.kind = CKPT_KIND_PREFIX,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = bundle_sniff,
	.structure = bundle_structure,
	.content = bundle_content,
	.at = tensors_at,
	.tensors = bundle_tensors,
};
