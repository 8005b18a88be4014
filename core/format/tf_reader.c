/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_reader.h.
 */
#include "core/format/tf_reader.h"

#include <string.h>

#include "wire/text.h"

static bool zero_tail(struct ckpt_check *check)
{
	uint8_t tail[CKPT_TF_FOOTER];
	uint64_t size = check->file->size;
	size_t n = size < sizeof(tail) ? (size_t)size : sizeof(tail);

	if (!n || ckpt_file_read(check->file, size - n, tail, n, check->err))
		return false;
	for (size_t i = 0; i < n; i++)
		if (tail[i])
			return false;
	return true;
}

/* The verdict on the index after a table function answered @r. */
static int judge(struct ckpt_tf_reader *reader, int r)
{
	struct ckpt_check *check = &reader->in_index;
	const struct ckpt_tf_table *table = &reader->table;

	if (r <= 0)
		return r;
	switch ((enum ckpt_tf_result)r) {
	case CKPT_TF_END:
		return CKPT_TF_READER_END;
	case CKPT_TF_NO_FOOTER:
		return ckpt_check_reject(check, CKPT_INCOMPLETE,
					 !check->file->size ? CKPT_PROBLEM_EMPTY
					 : zero_tail(check) ? CKPT_PROBLEM_ZERO_TAIL
							    : CKPT_PROBLEM_TRUNCATED,
					 check->file->size, NULL,
					 "the index has no footer: it was not written to its end");
	case CKPT_TF_CHECKSUM:
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, table->at,
					 NULL, "a block of the index has another CRC-32C");
	case CKPT_TF_LARGE:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 table->at, NULL, "%s: not checked", table->wrong);
	case CKPT_TF_WRONG:
		break;
	}
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, table->at, NULL, "%s",
				 table->wrong);
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
