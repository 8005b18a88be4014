/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of a safetensors file: the ranges of its tensors must tile the buffer, which must end
 * where the file does. Memory: 8 bytes a name (a hash, for duplicates) and 16 bytes a range, ranges
 * that touch being merged at once, so that a header in offset order keeps one. A header of 100 MB
 * stays below 32 MiB. Empty tensors may lie anywhere in the buffer: merged ranges no longer know
 * their borders.
 */
#include "core/format/array/safetensors.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/words.h"
#include "core/format/names_at.h"
#include "wire/text.h"

#define ENTRY_BYTES_MIN 48 /* "":{"dtype":"U8","shape":[],"data_offsets":[0,0]} and more */
#define RANGES_MAX                                                                                 \
	786432 /* 12 MiB of ranges that do not touch; models have under 100,000 tensors */
#define POSITION_MAX 1e15 /* numbers beyond are no step or epoch */

struct range {
	uint64_t begin, end;
};
_Static_assert(sizeof(struct range) == 2 * sizeof(uint64_t), "sorted as two words");

struct tiling {
	uint64_t *names;
	struct range *ranges;
	size_t n_names, cap_names, n_ranges, cap_ranges;
	uint64_t empty_max; /* largest position of an empty tensor */
};

static void tiling_done(struct tiling *t)
{
	free(t->names);
	free(t->ranges);
}

static int tiling_init(struct tiling *t, uint64_t header_len)
{
	t->cap_names = (size_t)(header_len / ENTRY_BYTES_MIN + 1);
	t->cap_ranges = t->cap_names < RANGES_MAX ? t->cap_names : RANGES_MAX;
	t->names = malloc(t->cap_names * sizeof(*t->names));
	t->ranges = malloc(t->cap_ranges * sizeof(*t->ranges));
	return t->names && t->ranges ? 0 : -ENOMEM;
}

/* Sorts the ranges and merges those that touch; overlapping ones stay apart. */
static void tiling_merge(struct tiling *t)
{
	size_t n = 0;

	ckpt_words_sort(&t->ranges->begin, t->n_ranges, 2);
	for (size_t i = 0; i < t->n_ranges; i++) {
		if (n && t->ranges[n - 1].end == t->ranges[i].begin)
			t->ranges[n - 1].end = t->ranges[i].end;
		else
			t->ranges[n++] = t->ranges[i];
	}
	t->n_ranges = n;
}

/* False when the tables are full. */
static bool tiling_add(struct tiling *t, const struct ckpt_safetensors_tensor *tensor)
{
	struct range *last = t->n_ranges ? &t->ranges[t->n_ranges - 1] : NULL;

	if (t->n_names == t->cap_names)
		return false;
	t->names[t->n_names++] = tensor->hash;
	if (tensor->begin == tensor->end) {
		if (tensor->begin > t->empty_max)
			t->empty_max = tensor->begin;
		return true;
	}
	if (last && last->end == tensor->begin) {
		last->end = tensor->end;
		return true;
	}
	if (t->n_ranges == t->cap_ranges) {
		tiling_merge(t);
		if (t->n_ranges > t->cap_ranges / 2)
			return false;
	}
	t->ranges[t->n_ranges++] = (struct range) { tensor->begin, tensor->end };
	return true;
}

static const struct progress_row {
	const char *key;
	bool epoch, vague;
	enum ckpt_meaning meaning;
} progress_rows[] = {
	/* kohya sd-scripts, train_network.py: epochs done, also in a save within an epoch */
	{ "ss_epoch", true, false, CKPT_EPOCH_COMPLETED },
	{ "ss_steps", false, false, CKPT_EPOCH_UNKNOWN },
	{ "epoch", true, false, CKPT_EPOCH_UNKNOWN },
	{ "global_step", false, false, CKPT_EPOCH_UNKNOWN },
	{ "step", false, true, CKPT_EPOCH_UNKNOWN },
};

static void set_progress(struct ckpt_position *p, const struct progress_row *row, double number)
{
	if (row->epoch && !p->has_epoch) {
		p->has_epoch = true;
		p->epoch = number;
		p->meaning = row->meaning;
		p->epoch_source = CKPT_FROM_CONTENT;
	}
	if (!row->epoch && !p->has_step && number == (double)(int64_t)number) {
		p->has_step = true;
		p->step = (int64_t)number;
		p->step_vague = row->vague;
		p->step_source = CKPT_FROM_CONTENT;
	}
}

/* __metadata__ is all strings: "12", "3.5". */
static void take_metadata(void *arg, const struct ckpt_jtoken *key, const struct ckpt_jtoken *value)
{
	struct ckpt_report *report = arg;
	struct ckpt_jtoken as_number = *value;
	double number;

	as_number.type = CKPT_J_NUMBER;
	if (value->cut || !value->len || value->text[0] == '.' ||
	    strspn(value->text, "0123456789.") != value->len ||
	    !ckpt_jtoken_number(&as_number, &number) || number > POSITION_MAX)
		return;
	for (size_t i = 0; i < sizeof(progress_rows) / sizeof(progress_rows[0]); i++)
		if (ckpt_jtoken_is(key, progress_rows[i].key))
			set_progress(&report->position, &progress_rows[i], number);
}

/* Turns a reader's result that ends the check into the verdict. */
static int judge(struct ckpt_check *check, const struct ckpt_safetensors_reader *reader, int r)
{
	uint64_t at = ckpt_jstream_offset(&reader->js);

	if (r < 0)
		return r;
	switch ((enum ckpt_safetensors_result)r) {
	case CKPT_SAFETENSORS_CUT:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 check->file->size, NULL,
					 "the file ends within its header of %llu bytes",
					 (unsigned long long)reader->header_len);
	case CKPT_SAFETENSORS_ZEROS:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, at, NULL,
					 "the header gives way to zeros: it was never written");
	case CKPT_SAFETENSORS_WRONG:
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at,
					 reader->tensor.name, "%s", reader->wrong);
	case CKPT_SAFETENSORS_END:
		break;
	}
	return 0;
}

/* Says of the first tensor with a type of a later version that no more than its length is known. */
static void note_later(struct ckpt_check *check, const struct ckpt_safetensors_tensor *tensor)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	if (!tensor->later || verdict->note[0])
		return;
	snprintf(verdict->note, sizeof(verdict->note),
		 "type %s of tensor %.120s is not known here: checked by the width in its name",
		 tensor->dtype, tensor->name);
	ckpt_text_clean(verdict->note);
}

static int read_all(struct ckpt_check *check, struct ckpt_safetensors_reader *reader,
		    struct tiling *t)
{
	int r;

	while (r = ckpt_safetensors_next(reader, check->err), !r) {
		const struct ckpt_safetensors_tensor *tensor = &reader->tensor;

		if (!tiling_add(t, tensor))
			return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
						 tensor->off, tensor->name,
						 "more than %zu scattered tensors: not checked",
						 t->cap_ranges);
		note_later(check, tensor);
		if (check->heard)
			check->heard(check->heard_arg, tensor->hash);
		check->report->tensors++;
		ckpt_report_add_key(check->report, tensor->name, strcspn(tensor->name, "."));
	}
	return judge(check, reader, r);
}

/* A property of a tensor to look for: its name's hash, or where its range begins. */
struct wanted {
	bool by_hash;
	uint64_t value;
	int nth; /* which of those that match */
};

/* Reads the header once more to name a tensor that the tables know by a number alone. */
static int find_tensor(struct ckpt_check *check, struct wanted want,
		       struct ckpt_safetensors_tensor *ret)
{
	_cleanup_safetensors_ struct ckpt_safetensors_reader reader = { .arg = NULL };
	int r = ckpt_safetensors_open(&reader, check->file, check->err);

	while (!r) {
		const struct ckpt_safetensors_tensor *t = &reader.tensor;

		r = ckpt_safetensors_next(&reader, check->err);
		if (r || (!want.by_hash && t->begin == t->end))
			continue;
		if ((want.by_hash ? t->hash : t->begin) == want.value && --want.nth == 0) {
			*ret = *t;
			return 0;
		}
	}
	return r < 0 ? r : -EAGAIN; /* the file is no longer what it was */
}

static int check_names(struct ckpt_check *check, struct tiling *t)
{
	struct ckpt_safetensors_tensor tensor;
	int r;

	ckpt_words_sort(t->names, t->n_names, 1);
	for (size_t i = 1; i < t->n_names; i++) {
		if (t->names[i] != t->names[i - 1])
			continue;
		r = find_tensor(check, (struct wanted) { true, t->names[i], 2 }, &tensor);
		return r ? r
			 : ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, tensor.off,
					     tensor.name, "the tensor is there twice");
	}
	return 0;
}

/* The merged ranges must be one, from 0 on. */
static int check_ranges(struct ckpt_check *check, struct tiling *t, uint64_t *ret_end)
{
	struct ckpt_safetensors_tensor tensor;
	uint64_t bad, reached;
	int r;

	tiling_merge(t);
	*ret_end = t->n_ranges ? t->ranges[0].end : 0;
	if (t->n_ranges <= 1 && (!t->n_ranges || t->ranges[0].begin == 0))
		return 0;
	reached = t->ranges[0].begin ? 0 : t->ranges[0].end;
	bad = t->ranges[0].begin ? t->ranges[0].begin : t->ranges[1].begin;
	r = find_tensor(check, (struct wanted) { false, bad, bad == 0 ? 2 : 1 }, &tensor);
	if (r)
		return r;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, tensor.off, tensor.name,
				 "its data begins at %llu of the buffer, %s %llu",
				 (unsigned long long)bad,
				 bad < reached ? "inside the tensor that ends at"
					       : "but the tensors before it end at",
				 (unsigned long long)reached);
}

/* Where the buffer must end, against the file's size. */
static int check_size(struct ckpt_check *check, uint64_t header_len, uint64_t data_end)
{
	uint64_t need, size = check->file->size;

	if (__builtin_add_overflow(sizeof(uint64_t) + header_len, data_end, &need))
		need = UINT64_MAX;
	if (size < need)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
					 "its header promises %llu bytes, but the file has %llu",
					 (unsigned long long)need, (unsigned long long)size);
	if (size > need)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, need, NULL,
					 "%llu bytes follow the last tensor",
					 (unsigned long long)(size - need));
	return 0;
}

static int safetensors_structure(struct ckpt_check *check)
{
	_cleanup_safetensors_ struct ckpt_safetensors_reader reader = { .metadata = take_metadata,
									.arg = check->report };
	_cleanup_(tiling_done) struct tiling t = { .names = NULL };
	uint64_t end;
	int r = ckpt_safetensors_open(&reader, check->file, check->err);

	check->report->contents = CKPT_CONTENTS_WEIGHTS;
	if (r)
		return judge(check, &reader, r);
	r = tiling_init(&t, reader.header_len);
	if (r)
		return ckpt_fail(check->err, r, "no memory for the header of %s",
				 CKPT_QUOTE(check->file->name));
	r = read_all(check, &reader, &t);
	if (!r)
		r = check_names(check, &t);
	if (!r)
		r = check_ranges(check, &t, &end);
	if (!r && t.empty_max > end)
		r = ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "an empty tensor lies beyond the buffer");
	return r ? r : check_size(check, reader.header_len, end);
}

/* A length that a header can have, then the header; one that the file cannot hold must look the
 * more so. */
static bool safetensors_sniff(const struct ckpt_check *check)
{
	const uint8_t *head = check->head.head;
	uint64_t n;

	if (check->head.n_head < sizeof(n) + 2)
		return false;
	memcpy(&n, head, sizeof(n));
	n = le64toh(n);
	if (n < 2 || n > CKPT_SAFETENSORS_HEADER_MAX || head[8] != '{')
		return false;
	return n <= check->head.size - sizeof(n) || head[9] == '"';
}

static int tensors_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names)
{
	_cleanup_safetensors_ struct ckpt_safetensors_reader reader = { .arg = NULL };
	int r = ckpt_safetensors_open(&reader, check->file, check->err);
	uint64_t data = sizeof(uint64_t) + reader.header_len;

	ckpt_names_offer(names, extent, 0, data, "the header");
	while (!r && (r = ckpt_safetensors_next(&reader, check->err)) == 0) {
		const struct ckpt_safetensors_tensor *t = &reader.tensor;
		uint64_t begin, end;

		if (__builtin_add_overflow(data, t->begin, &begin) ||
		    __builtin_add_overflow(data, t->end, &end))
			continue;
		ckpt_names_offer(names, extent, begin, end, t->name);
	}
	return r == CKPT_SAFETENSORS_END ? 0 : r;
}

static int tell_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_safetensors_ struct ckpt_safetensors_reader reader = { .arg = NULL };
	int r = ckpt_safetensors_open(&reader, check->file, check->err);

	while (!r && (r = ckpt_safetensors_next(&reader, check->err)) == 0) {
		const struct ckpt_safetensors_tensor *t = &reader.tensor;
		struct ckpt_tensor told = { .name = t->name,
					    .count = t->elements,
					    .shape = t->shape };

		memcpy(told.type, t->dtype, sizeof(told.type));
		tell(arg, &told);
	}
	return r == CKPT_SAFETENSORS_END ? 0 : r;
}

const struct ckpt_format ckpt_format_safetensors = {
	.name = "safetensors",
	.title = "safetensors",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = safetensors_sniff,
	.structure = safetensors_structure,
	.bare = "safetensors stores no checksum",
	.finite = ckpt_safetensors_finite,
	.at = tensors_at,
	.tensors = tell_tensors,
};
