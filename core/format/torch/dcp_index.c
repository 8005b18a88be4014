/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dcp_index.h. A dataclass is pickled as the dict of its fields in their order, so a record is
 * a relative_path with the offset and length after it; the other dataclass with an offset
 * (MetadataIndex) has no path. That one is the record's key and stands before it: its offset is a
 * torch.Size for a part of a tensor, None or left out for bytes.
 */
#include "core/format/torch/dcp_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/words.h"
#include "wire/cleanup.h"

enum { PATH, OFFSET, LENGTH, TRANSFORMS, TENSOR, N_WORDS };

static const char *const words[N_WORDS] = { "relative_path", "offset", "length",
					    "transform_descriptors", "TensorStorageMetadata" };

#define BIT(word) (1U << (word))
#define ALL (BIT(PATH) | BIT(OFFSET) | BIT(LENGTH))
#define NO_FILE UINT64_MAX

void ckpt_dcp_index_done(struct ckpt_dcp_index *index)
{
	for (size_t i = 0; i < index->n_files; i++)
		free(index->files[i].name);
	free(index->files);
	free(index->slots);
	free(index->items);
	*index = (struct ckpt_dcp_index) { .fault = 0 };
}

/* Names that collide on purpose cost their own reader time, within CKPT_DCP_FILES. */
static uint64_t hash_of(const char *name)
{
	uint64_t h = ckpt_hash(CKPT_HASH_START, name, strlen(name));

	return h ^ h >> 32;
}

/* Where @name is, or the free slot where it would be. */
static size_t find(const struct ckpt_dcp_index *index, const char *name)
{
	size_t i = hash_of(name) & (index->n_slots - 1);

	while (index->slots[i] && strcmp(index->files[index->slots[i] - 1].name, name) != 0)
		i = (i + 1) & (index->n_slots - 1);
	return i;
}

/* Keeps at least half of the slots free. */
static int grow_slots(struct ckpt_dcp_index *index)
{
	size_t n = index->n_slots ? index->n_slots * 2 : 64;
	uint32_t *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(index->slots);
	index->slots = slots;
	index->n_slots = n;
	for (size_t i = 0; i < index->n_files; i++)
		index->slots[find(index, index->files[i].name)] = (uint32_t)(i + 1);
	return 0;
}

static int grow_files(struct ckpt_dcp_index *index)
{
	size_t cap = index->cap_files ? index->cap_files * 2 : 32;
	struct ckpt_dcp_file *files;

	if (index->n_files == CKPT_DCP_FILES)
		return -E2BIG;
	if (index->n_files < index->cap_files)
		return 0;
	files = reallocarray(index->files, cap, sizeof(*files));
	if (!files)
		return -ENOMEM;
	index->files = files;
	index->cap_files = cap;
	return 0;
}

/* The number of the file @name, which is new or not. */
static int file_of(struct ckpt_dcp_index *index, const char *name, uint32_t *ret)
{
	int r = 2 * (index->n_files + 1) > index->n_slots ? grow_slots(index) : 0;
	size_t slot;
	char *copy;

	if (r < 0)
		return r;
	slot = find(index, name);
	if (index->slots[slot]) {
		*ret = index->slots[slot] - 1;
		return 0;
	}
	r = grow_files(index);
	copy = r < 0 ? NULL : strdup(name);
	if (!copy)
		return r < 0 ? r : -ENOMEM;
	index->files[index->n_files] = (struct ckpt_dcp_file) { .name = copy };
	*ret = (uint32_t)index->n_files++;
	index->slots[slot] = *ret + 1;
	return 0;
}

/* Only strings that are paths; the fault ends the scan at the next pair. */
static bool on_intern(void *arg, size_t word, const char *text, uint32_t *ret_id)
{
	struct ckpt_dcp_index *index = arg;

	if (word != PATH || index->fault)
		return false;
	index->fault = file_of(index, text, ret_id);
	return index->fault == 0;
}

static int keep_item(struct ckpt_dcp_index *index)
{
	size_t cap = index->cap_items ? index->cap_items * 2 : 256;
	uint64_t *items;

	if (index->n_items == CKPT_DCP_ITEMS) {
		index->n_unkept++;
		return 0;
	}
	if (index->n_items == index->cap_items) {
		items = reallocarray(index->items, cap, 3 * sizeof(*items));
		if (!items)
			return -ENOMEM;
		index->items = items;
		index->cap_items = cap;
	}
	items = index->items + 3 * index->n_items++;
	items[0] = index->now.file;
	items[1] = index->now.off;
	items[2] = index->now.len | (index->now.tensor ? CKPT_DCP_TENSOR : 0);
	return 0;
}

/* A whole record. */
static int add_item(struct ckpt_dcp_index *index)
{
	struct ckpt_dcp_file *file;
	uint64_t end;

	if (__builtin_add_overflow(index->now.off, index->now.len, &end) || end > INT64_MAX)
		return -EOVERFLOW;
	if (index->now.file == NO_FILE) {
		index->n_unplaced++;
		return 0;
	}
	file = &index->files[index->now.file];
	file->used = true;
	if (end > file->end)
		file->end = end;
	return keep_item(index);
}

/* Behind a record: its bytes went through something (compression) on their way to the file. */
static void transformed(struct ckpt_dcp_index *index)
{
	if (index->n_items)
		index->items[3 * index->n_items - 1] &= ~CKPT_DCP_TENSOR;
}

/* The class of what is told of a tensor, once for all its parts. */
static bool on_named(void *arg, size_t word)
{
	struct ckpt_dcp_index *index = arg;

	index->n_tensors += word == TENSOR;
	return true;
}

static bool on_pair(void *arg, size_t word, const struct ckpt_pickle_value *value)
{
	struct ckpt_dcp_index *index = arg;

	if (index->fault)
		return false;
	if (word == TRANSFORMS && value->kind != CKPT_PICKLE_NONE)
		transformed(index);
	if (word == OFFSET && !index->now.have)
		index->now.tensor = value->kind == CKPT_PICKLE_OPAQUE;
	if (word == PATH) {
		index->now.have = BIT(PATH);
		index->now.file =
			value->kind == CKPT_PICKLE_INTERNED ? (uint64_t)value->i : NO_FILE;
		return true;
	}
	if (!index->now.have || word >= TRANSFORMS || value->kind != CKPT_PICKLE_INT)
		return true;
	if (value->i < 0)
		index->fault = -EOVERFLOW;
	*(word == OFFSET ? &index->now.off : &index->now.len) = (uint64_t)value->i;
	index->now.have |= BIT(word);
	if (index->now.have != ALL || index->fault)
		return index->fault == 0;
	index->now.have = 0;
	index->fault = add_item(index);
	index->now.tensor = false;
	return index->fault == 0;
}

int ckpt_dcp_index_read(struct ckpt_dcp_index *index, struct ckpt_stream *in,
			struct ckpt_error *err)
{
	const struct ckpt_pickle_sink sink = { .words = words,
					       .n_words = N_WORDS,
					       .named = on_named,
					       .intern = on_intern,
					       .nested = on_pair,
					       .arg = index };
	struct ckpt_pickle_summary sum;
	int r;

	index->now.have = 0;
	r = ckpt_pickle_scan(in, &sink, &sum, err);
	return r == 0 && index->fault ? CKPT_PICKLE_STOPPED : r;
}

void ckpt_dcp_index_sort(struct ckpt_dcp_index *index)
{
	if (index->n_items)
		ckpt_words_sort(index->items, index->n_items, 3);
}
