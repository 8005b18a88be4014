/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PyTorch legacy: magic number, protocol 1001, system, object, list of storage keys; then the
 * storages in the list's order. Their sizes stand in the object: the file must end exactly with the
 * last one.
 */
#include "core/format/torch/torch_legacy.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/torch/storages.h"
#include "core/format/stream.h"
#include "core/format/torch/torch_state.h"
#include "core/format/torch/torch_views.h"
#include "wire/text.h"

#define PROTOCOL 1001 /* torch.serialization.PROTOCOL_VERSION */
#define TRAILING_MAX                                                                               \
	65536 /* torch.load() ignores what follows; more is no accident of a block size */
#define MAGIC_FRAMED (2 + 9) /* where the number stands if protocol 4 put a frame around it */

/* LONG1 of ten bytes: 0x1950a86a20f9469cfc6c. */
static const uint8_t magic[] = { 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
				 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e };

/* The walk over the storages behind the pickles, driven by the list of keys. */
struct walk {
	struct ckpt_check *check;
	struct ckpt_storages storages; /* as the object names them; size = elements */
	uint64_t pos, listed;
	bool unknown;		       /* there is one whose size cannot be known */
	bool finite;		       /* look for NaN and Inf on the way, */
	struct ckpt_torch_views views; /* in what tensors use */
	int result;
};

static void walk_done(struct walk *walk)
{
	ckpt_storages_done(&walk->storages);
	ckpt_torch_views_done(&walk->views);
}
#define _cleanup_walk_ _cleanup_(walk_done)

static int truncated(struct ckpt_check *check, const char *member, const char *what)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size,
				 member, "the file ends inside %s", what);
}

/* A storage of the object. Views name their root's key and size. */
static bool on_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct walk *w = arg;
	struct ckpt_storage add = { .key = storage->key,
				    .size = storage->numel,
				    .element = storage->element,
				    .type = (uint8_t)storage->type };
	int r;

	if (!storage->has_key)
		return true; /* a key that was seen before */
	w->unknown = w->unknown || storage->element == 0;
	r = ckpt_storages_add(&w->storages, &add);
	w->unknown = w->unknown || r == CKPT_STORAGES_FULL;
	w->result = r < 0 ? r : 0;
	return r >= 0;
}

static bool zero_tail(const struct ckpt_head *head)
{
	for (size_t i = 0; i < head->n_tail; i++)
		if (head->tail[i])
			return false;
	return true;
}

/* The numbers of @storage, which lies at @off. Keys are all that names it at this place. */
static int look_for_poison(struct walk *w, const struct ckpt_storage *storage, uint64_t off)
{
	struct ckpt_check *check = w->check;
	const struct ckpt_finite_range range = { .off = off,
						 .len = storage->size * storage->element,
						 .kind = { storage->type, false },
						 .tag = storage->key };
	struct ckpt_floats floats;
	char name[48];
	int r;

	if (storage->type == CKPT_FLOAT_UNKNOWN)
		ckpt_finiteness_skip(check, 1, "untyped storages");
	snprintf(name, sizeof(name), "storage %llu", (unsigned long long)storage->key);
	if (storage->whole || w->views.loose || range.len == 0 ||
	    ckpt_float_size(storage->type) == 0)
		return ckpt_finiteness_range(check, &range, name);
	r = ckpt_torch_views_scan(check, &w->views, &range, &floats);
	if (r == 0)
		ckpt_finiteness_tensor(check, name, &floats);
	return r;
}

/* The storage of @key stands at w->pos: its count must be the object's. */
static int check_storage(struct walk *w, uint64_t key, const char *text)
{
	struct ckpt_storage *storage = ckpt_storages_find(&w->storages, key);
	struct ckpt_check *check = w->check;
	uint64_t count, bytes, end;
	int r;

	if (!storage || storage->seen)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, w->pos, text,
					 "the list of storages contradicts the object");
	storage->seen = true;
	w->listed++;
	if (__builtin_mul_overflow(storage->size, storage->element, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(count), &bytes) ||
	    __builtin_add_overflow(w->pos, bytes, &end) || end > check->file->size)
		return truncated(check, text, "a storage");
	r = ckpt_check_read(check, w->pos, &count, sizeof(count), "a storage");
	if (r)
		return r;
	if (count == 0 && storage->size != 0 && zero_tail(&check->head))
		return ckpt_check_reject(
			check, CKPT_CORRUPT, CKPT_PROBLEM_ZERO_TAIL, w->pos, text,
			"zeros begin where a storage should, up to the file's end");
	if (le64toh(count) != storage->size)
		return ckpt_check_reject(
			check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, w->pos, text,
			"the storage begins with %llu elements, the object names %llu",
			(unsigned long long)le64toh(count), (unsigned long long)storage->size);
	if (w->finite)
		r = look_for_poison(w, storage, w->pos + sizeof(count));
	w->pos = end;
	return r;
}

/* An element of the list of keys. */
static bool on_key(void *arg, const char *text, size_t len)
{
	struct walk *w = arg;
	int64_t key;

	if (strlen(text) != len || !ckpt_text_int(text, 0, INT64_MAX, &key))
		w->result = ckpt_check_reject(
			w->check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, w->pos, text,
			"the list of storages holds %s, which is no key", CKPT_QUOTE(text));
	else
		w->result = check_storage(w, (uint64_t)key, text);
	return w->result == 0;
}

/* What a scan of pickle @what that stopped early means. */
static int judge(struct ckpt_check *check, const struct walk *w, int r, const char *what)
{
	if (r == CKPT_PICKLE_TORN)
		return truncated(check, NULL, what);
	if (r == CKPT_PICKLE_STOPPED)
		return w->result;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
				 "%s cannot be followed", what);
}

/* The magic number, the protocol and the system's description. */
static int read_preamble(struct ckpt_check *check, struct ckpt_stream *in)
{
	static const char *const what[] = { "the magic number", "the protocol's number",
					    "the system's description" };
	const struct ckpt_pickle_sink sink = { 0 };
	struct ckpt_pickle_summary sum;
	int r;

	for (size_t i = 0; i < 3; i++) {
		r = ckpt_pickle_scan(in, &sink, &sum, check->err);
		if (r)
			return r < 0 ? r : judge(check, NULL, r, what[i]);
		if (i == 1 && (sum.top.kind != CKPT_PICKLE_INT || sum.top.i != PROTOCOL))
			return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
						 CKPT_NO_OFFSET, NULL, "the protocol is not 1001");
	}
	return 0;
}

/* The object: progress, and the storages that the list must hold. */
static int read_object(struct ckpt_check *check, struct ckpt_stream *in, struct walk *w)
{
	int r = ckpt_torch_state_scan(in, check->report, on_storage, w, check->err);

	if (r == CKPT_PICKLE_STOPPED && w->result < 0)
		return ckpt_fail(check->err, w->result, "no memory for the storages of %s",
				 CKPT_QUOTE(check->file->name));
	check->report->tensors = w->storages.n;
	return r > 0 && r != CKPT_PICKLE_LIMIT ? judge(check, w, r, "the object") : r;
}

static bool on_mention(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct walk *w = arg;

	ckpt_torch_views_settle(&w->views);
	ckpt_torch_views_mention(
		&w->views, storage->has_key ? ckpt_storages_find(&w->storages, storage->key) : NULL,
		storage->has_key);
	return true;
}

static bool on_view(void *arg, const struct ckpt_pickle_view *view)
{
	struct walk *w = arg;

	ckpt_torch_views_take(&w->views, view);
	return true;
}

/* The object once more, which was whole: what of its storages tensors use. */
static int read_views(struct ckpt_check *check, uint64_t off, struct walk *w)
{
	const struct ckpt_pickle_sink sink = { .storage = on_mention, .view = on_view, .arg = w };
	struct ckpt_pickle_range range = { check->file, off, check->file->size };
	int r = ckpt_pickle_scan_range(&range, &sink, NULL, check->err);

	ckpt_torch_views_settle(&w->views);
	ckpt_torch_views_join(&w->views);
	return r > 0 ? judge(check, w, r, "the object") : r;
}

/* Where the list of keys, which begins at @off, ends. */
static int find_data(struct ckpt_check *check, uint64_t off, struct walk *w)
{
	const struct ckpt_pickle_sink sink = { 0 };
	struct ckpt_pickle_range range = { check->file, off, check->file->size };
	int r = ckpt_pickle_scan_range(&range, &sink, NULL, check->err);

	w->pos = range.off;
	return r > 0 ? judge(check, w, r, "the list of storages") : r;
}

static int judge_end(struct ckpt_check *check, const struct walk *w)
{
	uint64_t rest = check->file->size - w->pos;

	if (w->listed != w->storages.n)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, w->pos, NULL,
					 "the object names %zu storages, the list %llu",
					 w->storages.n, (unsigned long long)w->listed);
	if (rest > TRAILING_MAX)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, w->pos, NULL,
					 "%llu bytes follow the last storage",
					 (unsigned long long)rest);
	if (rest)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, w->pos,
				  "%llu bytes follow the last storage", (unsigned long long)rest);
	return 0;
}

/* Steps from storage to storage along the list of keys at @off. */
static int walk_storages(struct ckpt_check *check, uint64_t off, struct walk *w)
{
	const struct ckpt_pickle_sink sink = { .name = on_key, .arg = w };
	struct ckpt_pickle_range range = { .file = check->file, .off = off };
	int r = find_data(check, off, w);

	if (r)
		return r;
	range.end = w->pos;
	r = ckpt_pickle_scan_range(&range, &sink, NULL, check->err);
	if (r)
		return r > 0 ? judge(check, w, r, "the list of storages") : r;
	return judge_end(check, w);
}

static int read_all(struct ckpt_check *check, bool finite)
{
	_cleanup_walk_ struct walk w = { .check = check, .finite = finite };
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	uint64_t object;
	int r;

	r = ckpt_stream_init(&in, check->file, 0, check->file->size, check->err);
	r = r ? r : read_preamble(check, &in);
	if (r)
		return r;
	object = ckpt_stream_offset(&in);
	r = read_object(check, &in, &w);
	if (r == CKPT_PICKLE_LIMIT || (r == 0 && w.unknown)) {
		if (finite)
			ckpt_finiteness_skip(check, 1, "the storages' sizes are not known");
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "the sizes of the storages could not be found out");
		return 0;
	}
	if (r == 0 && finite)
		r = read_views(check, object, &w);
	return r ? r : walk_storages(check, ckpt_stream_offset(&in), &w);
}

/* How many of the magic number's bytes are wrong at @at: 0x80, the protocol, then the number. */
static size_t wrong_magic(const struct ckpt_head *head, size_t at)
{
	size_t wrong = head->head[0] != 0x80;

	/* A beginning too short to be anything else is one that was cut off. */
	if (head->n_head < at + sizeof(magic) && (head->n_head < at + 4 || wrong))
		return SIZE_MAX;
	for (size_t i = 0; i < sizeof(magic) && at + i < head->n_head; i++)
		wrong += head->head[at + i] != magic[i];
	return wrong;
}

/* One wrong byte is a damaged file of this kind rather than some other kind. */
static bool sniff(const struct ckpt_check *check)
{
	return wrong_magic(&check->head, 2) <= 1 || wrong_magic(&check->head, MAGIC_FRAMED) <= 1;
}

static int structure(struct ckpt_check *check)
{
	if (wrong_magic(&check->head, 2) && wrong_magic(&check->head, MAGIC_FRAMED))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
					 "the magic number at the beginning is damaged");
	return read_all(check, false);
}

static int look(struct ckpt_check *check)
{
	return read_all(check, true);
}

const struct ckpt_format ckpt_format_torch_legacy = {
	.name = "torch-legacy",
	.title = "PyTorch legacy (torch.save before 1.6)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = sniff,
	.structure = structure,
	.bare = "no checksums stored in this file",
	.finite = look,
};
