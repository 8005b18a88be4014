/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_reader.h.
 */
#include "core/format/tensorflow/tf_reader.h"

#include <string.h>

#include "core/format/tensorflow/tf_judge.h"

/* The verdict on the index after a table function answered @r. */
static int judge(struct ckpt_tf_reader *reader, int r)
{
	if (r == CKPT_TF_END)
		return CKPT_TF_READER_END;
	return ckpt_tf_judge(&reader->in_index, &reader->table, r);
}

static int wrong(struct ckpt_tf_reader *reader, const char *what)
{
	return ckpt_check_reject(&reader->in_index, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
				 reader->table.block.off, ckpt_tf_reader_name(reader), "%s", what);
}

/* The entry with the empty key comes first and says how many shards there are. */
static int read_header(struct ckpt_tf_reader *reader)
{
	const struct ckpt_tf_block *block = &reader->table.block;
	int r = judge(reader, ckpt_tf_table_next(&reader->table, reader->in_index.err));

	if (r && r != CKPT_TF_READER_END)
		return r;
	if (r || block->key_len || !ckpt_tf_header_parse(block->value, &reader->header) ||
	    !reader->header.num_shards)
		return wrong(reader, "the index does not begin with a bundle's header");
	if (reader->header.num_shards > CKPT_TF_SHARDS)
		return ckpt_check_reject(&reader->in_index, CKPT_UNREADABLE,
					 CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET, NULL,
					 "more than %d shards: not checked", CKPT_TF_SHARDS);
	return 0;
}

int ckpt_tf_reader_open(struct ckpt_tf_reader *reader, const struct ckpt_check *check,
			struct ckpt_file *index)
{
	int r;

	reader->in_index = *check;
	reader->in_index.file = index;
	r = judge(reader, ckpt_tf_table_open(&reader->table, index, check->err));
	return r ? r : read_header(reader);
}

int ckpt_tf_reader_next(struct ckpt_tf_reader *reader)
{
	struct ckpt_tf_entry *e = &reader->entry;
	uint64_t end, bytes, width;
	int r = judge(reader, ckpt_tf_table_next(&reader->table, reader->in_index.err));

	if (r)
		return r;
	reader->nth++;
	if (!ckpt_tf_entry_parse(reader->table.block.value, e))
		return wrong(reader, "its entry is no bundle entry");
	if (e->sliced)
		return 0;
	if (e->shard >= reader->header.num_shards)
		return wrong(reader, "it lies in a shard beyond the last");
	if (__builtin_add_overflow(e->offset, e->size, &end) || end > INT64_MAX)
		return wrong(reader, "its place overflows");
	width = ckpt_tf_dtype_size(e->dtype);
	if (width && !e->odd_shape &&
	    (__builtin_mul_overflow(e->elements, width, &bytes) || bytes != e->size))
		return wrong(reader, "its size does not fit type and shape");
	return 0;
}

const char *ckpt_tf_reader_name(const struct ckpt_tf_reader *reader)
{
	return (const char *)reader->table.block.key;
}

bool ckpt_tf_reader_varies(const struct ckpt_tf_reader *reader)
{
	return reader->entry.dtype == CKPT_TF_STRING || reader->entry.dtype == CKPT_TF_VARIANT;
}

void ckpt_tf_reader_done(struct ckpt_tf_reader *reader)
{
	ckpt_tf_table_done(&reader->table);
}
