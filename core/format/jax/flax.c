/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See flax.h. The object is walked without recursion; data are stepped over.
 */
#include "core/format/jax/flax.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/jax/flax_array.h"
#include "core/format/jax/msgpack.h"
#include "core/format/opaque.h"
#include "wire/text.h"

#define DEPTH_MAX 512 /* flax's trees are as deep as the modules of a model: tens */
#define TEXT_MAX 256
#define PATH_SIZE 256
#define ZEROS_MIN 8

/* Extensions of flax/serialization.py. */
enum { NDARRAY = 1, COMPLEX = 2, SCALAR = 3 };

/* Parts of an array that was written in chunks because MessagePack's lengths end at 4 GiB. */
#define CHUNKED "__msgpack_chunked_array__"
enum role { PLAIN, SHAPE, CHUNKS };

/* A map or array that is not at its end. */
struct frame {
	uint64_t left;	       /* tokens on this level, keys too */
	size_t path;	       /* length of the path to it */
	uint64_t shape, parts; /* of a chunked array: elements */
	uint8_t role;
	bool map, chunked, unknown;
};

struct walk {
	struct ckpt_check *check;
	struct ckpt_window in;
	char path[PATH_SIZE];
	char text[TEXT_MAX]; /* the last string, cut */
	uint64_t arrays;
	ckpt_tensor_fn *tell; /* NULL: nobody asks */
	void *arg;
	bool optimizer, progress, elsewhere;
	unsigned depth;
	struct frame frames[DEPTH_MAX];
};

static int bad(struct walk *w, const char *what)
{
	return ckpt_check_reject(w->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, w->in.at, w->path,
				 "%s", what);
}

static struct frame *top(struct walk *w)
{
	return w->depth ? &w->frames[w->depth - 1] : NULL;
}

/* True if the token under way is a key. */
static bool at_key(struct walk *w)
{
	return w->depth && top(w)->map && top(w)->left % 2 == 0;
}

/* Reads a string, of which the beginning is kept. */
static int take_text(struct walk *w, uint64_t len)
{
	size_t n = len < sizeof(w->text) - 1 ? (size_t)len : sizeof(w->text) - 1;
	int r = ckpt_window_take(&w->in, w->text, n);

	w->text[n] = '\0';
	return r ? r : ckpt_window_skip(&w->in, len - n);
}

/* Keys that only the state of a training has. */
static void note_key(struct walk *w)
{
	static const char *const optimizers[] = { "opt_state",	      "opt_states",
						  "optimizer",	      "optimizer_state",
						  "optimizer_states", "opt" };
	size_t n = sizeof(optimizers) / sizeof(optimizers[0]);

	for (size_t i = 0; w->depth <= 3 && i < n; i++)
		w->optimizer = w->optimizer || strcmp(w->text, optimizers[i]) == 0;
	if (w->depth == 1)
		ckpt_report_add_key(w->check->report, w->text, strlen(w->text));
}

static void take_key(struct walk *w)
{
	struct frame *f = top(w);
	size_t at = f->path, room;

	/* The path is for messages, and cut where it is too long for one. */
	if (at && at < sizeof(w->path) - 1)
		w->path[at++] = '/';
	room = sizeof(w->path) - at;
	snprintf(w->path + at, room, "%.*s", (int)room - 1, w->text);
	if (strcmp(w->text, CHUNKED) == 0) {
		f->chunked = true;
		f->shape = 1;
	}
	note_key(w);
}

/* Data that several hosts share lie elsewhere; flax names the directory, Orbax the array. */
static int check_placeholder(struct walk *w)
{
	const struct ckpt_check *check = w->check;
	const char *rest;
	char path[2 * TEXT_MAX + 256];

	if (ckpt_text_starts(w->text, "PLACEHOLDER://", NULL))
		w->elsewhere = true;
	if (!ckpt_text_starts(w->text, "//GDAPlaceholder:", &rest))
		return 0;
	w->elsewhere = true;
	snprintf(path, sizeof(path), "%s_gda/%s", check->file->name, rest);
	if (!ckpt_dir_lacks(check->dirfd, path))
		return 0;
	return ckpt_check_reject(w->check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
				 CKPT_NO_OFFSET, w->path, "its data are missing in %s",
				 CKPT_QUOTE(path));
}

/* A number at the top. */
static void note_number(struct walk *w, int64_t value)
{
	struct ckpt_position *pos = &w->check->report->position;

	if (w->depth != 1 || !top(w)->map || value < 0 || value > INT64_C(1) << 53)
		return;
	if (strcmp(w->path, "step") == 0) {
		w->progress = pos->has_step = true;
		pos->step = value;
		pos->step_source = CKPT_FROM_CONTENT;
	} else if (strcmp(w->path, "epoch") == 0) {
		w->progress = pos->has_epoch = true;
		pos->epoch = (double)value;
		pos->epoch_source = CKPT_FROM_CONTENT;
	}
}

/* A dimension of a chunked array. */
static void note_dimension(struct walk *w, uint64_t value)
{
	struct frame *f = top(w);

	if (!f || f->role != SHAPE)
		return;
	f = &w->frames[w->depth - 2];
	f->unknown = f->unknown || __builtin_mul_overflow(f->shape, value, &f->shape);
}

static void tell_array(const struct walk *w, const struct ckpt_flax_array *array)
{
	struct ckpt_tensor told = { .name = w->path,
				    .count = array->elements,
				    .shape = array->shape };

	snprintf(told.type, sizeof(told.type), "%s", array->type ? array->type : "");
	w->tell(w->arg, &told);
}

static int take_array(struct walk *w, uint64_t len)
{
	uint64_t end = w->in.end;
	struct ckpt_flax_array array;
	struct frame *f = top(w);
	int r;

	ckpt_window_range(&w->in, w->in.at, len);
	r = ckpt_flax_array_read(&w->in, &array);
	if (r)
		return r < 0 ? r : bad(w, array.wrong);
	w->in.end = end;
	w->arrays++;
	if (w->tell)
		tell_array(w, &array);
	if (array.has_number)
		note_number(w, array.number);
	if (!f || f->role != CHUNKS)
		return 0;
	f = &w->frames[w->depth - 2];
	f->unknown = f->unknown || __builtin_add_overflow(f->parts, array.elements, &f->parts);
	return 0;
}

static int take_ext(struct walk *w, const struct ckpt_msgpack *token)
{
	switch (token->ext) {
	case NDARRAY:
	case SCALAR:
		return take_array(w, token->len);
	default:
		return ckpt_window_skip(&w->in, token->len);
	}
}

/* Enters a map or array. */
static int enter(struct walk *w, const struct ckpt_msgpack *token)
{
	const struct frame *in = top(w);
	struct frame f = { .left = token->len, .map = token->kind == CKPT_MSGPACK_MAP };

	if (w->depth == DEPTH_MAX)
		return ckpt_check_reject(w->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 w->in.at, w->path, "nested deeper than %d", DEPTH_MAX);
	if (f.map)
		f.left *= 2;
	if (in && in->chunked)
		f.role = strcmp(w->text, "shape") == 0	  ? SHAPE
			 : strcmp(w->text, "chunks") == 0 ? CHUNKS
							  : PLAIN;
	f.path = in ? strlen(w->path) : 0;
	w->frames[w->depth++] = f;
	return 0;
}

/* Leaves all that is at its end. */
static int leave(struct walk *w)
{
	struct frame *f;

	while ((f = top(w)) && f->left == 0) {
		w->path[f->path] = '\0';
		if (f->chunked && !f->unknown && f->shape != f->parts)
			return bad(w, "its chunks do not fit its shape");
		w->depth--;
	}
	return 0;
}

static int take_value(struct walk *w, const struct ckpt_msgpack *token)
{
	int r;

	switch (token->kind) {
	case CKPT_MSGPACK_NIL:
	case CKPT_MSGPACK_BOOL:
	case CKPT_MSGPACK_FLOAT:
		return 0;
	case CKPT_MSGPACK_INT:
		note_number(w, (int64_t)token->value);
		note_dimension(w, token->value);
		return 0;
	case CKPT_MSGPACK_STR:
		r = take_text(w, token->len);
		return r ? r : check_placeholder(w);
	case CKPT_MSGPACK_BIN:
		return ckpt_window_skip(&w->in, token->len);
	case CKPT_MSGPACK_EXT:
		return take_ext(w, token);
	case CKPT_MSGPACK_ARRAY:
	case CKPT_MSGPACK_MAP:
		return enter(w, token);
	}
	return 0;
}

/* One token: a key is text or a number, anything may be a value. */
static int step(struct walk *w)
{
	struct ckpt_msgpack token;
	bool key = at_key(w);
	int r = ckpt_msgpack_next(&w->in, &token);

	if (r == CKPT_MSGPACK_NEVER)
		return bad(w, "there is a byte that MessagePack does not have");
	if (r == CKPT_MSGPACK_SHORT)
		return ckpt_check_reject(w->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 w->in.end, w->path,
					 "the object goes on behind the end of the file");
	if (r)
		return r;
	if (w->depth)
		top(w)->left--;
	if (!key)
		return take_value(w, &token);
	if (token.kind >= CKPT_MSGPACK_BIN)
		return bad(w, "a key is neither text nor a number");
	if (token.kind != CKPT_MSGPACK_STR)
		return 0;
	r = take_text(w, token.len);
	if (r == 0)
		take_key(w);
	return r;
}

/*
 * Zeros are numbers to MessagePack, so that an object whose end was never written ends among them,
 * before its arrays. A few numbers 0 may follow another program's object.
 */
static int check_zeros(struct walk *w)
{
	uint64_t len = w->in.end - w->in.at;
	const uint8_t *rest;
	int r = ckpt_opaque_check_end(w->check);

	if (r || len < ZEROS_MIN || len > sizeof(w->in.buf))
		return r;
	r = ckpt_window_peek(&w->in, (size_t)len, &rest);
	if (r || rest[0] || memcmp(rest, rest + 1, (size_t)len - 1) != 0)
		return r;
	return ckpt_check_reject(w->check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, w->in.at, NULL,
				 "nothing but zeros follows the object: its end was never written");
}

/* What follows the object: flax cannot load it then. Other programs write several objects. */
static int check_rest(struct walk *w)
{
	struct ckpt_check *check = w->check;
	int r;

	if (w->in.at == w->in.end)
		return 0;
	if (w->arrays)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, w->in.at, NULL,
					 "%llu bytes follow the object",
					 (unsigned long long)(w->in.end - w->in.at));
	r = check_zeros(w);
	if (r == 0)
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "no arrays in its first object: not flax's");
	return r;
}

static void conclude(struct walk *w)
{
	struct ckpt_report *report = w->check->report;

	report->tensors = w->arrays;
	report->contents = w->optimizer		       ? CKPT_CONTENTS_FULL
			   : w->progress || !w->arrays ? CKPT_CONTENTS_UNKNOWN
						       : CKPT_CONTENTS_WEIGHTS;
	if (w->elsewhere)
		ckpt_check_cap(w->check, CKPT_EVIDENCE_OPAQUE,
			       "arrays in files beside it are not looked into");
}

/* The one object of the file. */
static int walk_object(struct walk *w, struct ckpt_check *check)
{
	int r;

	w->check = check;
	w->in.file = check->file;
	w->in.err = check->err;
	ckpt_window_range(&w->in, 0, check->file->size);
	do {
		r = step(w);
		r = r ? r : leave(w);
	} while (r == 0 && w->depth);
	return r;
}

static struct walk *walk_new(const struct ckpt_check *check)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
			  CKPT_QUOTE(check->file->name));
	return w;
}

static int flax_structure(struct ckpt_check *check)
{
	_cleanup_free_ struct walk *w = walk_new(check);
	int r = w ? walk_object(w, check) : -ENOMEM;

	r = r ? r : check_rest(w);
	if (r == 0)
		conclude(w);
	return r;
}

static int flax_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_free_ struct walk *w = walk_new(check);

	if (!w)
		return -ENOMEM;
	w->tell = tell;
	w->arg = arg;
	return walk_object(w, check);
}

/* Length of the text that begins at @p, and where it begins; 0 = there is no such text. */
static size_t first_key(const uint8_t *p, size_t n, const uint8_t **ret)
{
	size_t skip = p[0] == 0xde ? 3 : p[0] == 0xdf ? 5 : 1, len;

	if ((p[0] < 0x81 || p[0] > 0x8f) && p[0] != 0xde && p[0] != 0xdf)
		return 0;
	if (n < skip + 3)
		return 0;
	p += skip;
	n -= skip;
	len = p[0] >= 0xa1 && p[0] <= 0xbf ? p[0] & 0x1fu : p[0] == 0xd9 ? p[1] : 0;
	skip = p[0] == 0xd9 ? 2 : 1;
	*ret = p + skip;
	return len < n - skip ? len : 0;
}

/* A map whose first key is a name in UTF-8, with something behind it: of 1000 random files hardly
 * one begins so by chance. */
bool ckpt_flax_sniff(const struct ckpt_check *check)
{
	const uint8_t *key = NULL;
	size_t len = check->head.n_head ? first_key(check->head.head, check->head.n_head, &key) : 0;
	char name[UINT8_MAX + 1] = "";

	if (len == 0 || key[len] == 0xc1 || memchr(key, '\0', len))
		return false;
	memcpy(name, key, len);
	ckpt_text_clean(name);
	return memcmp(name, key, len) == 0;
}

const struct ckpt_format ckpt_format_flax = {
	.name = "flax",
	.title = "Flax checkpoint (MessagePack)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = ckpt_flax_sniff,
	.structure = flax_structure,
	.bare = "flax stores no checksum",
	.tensors = flax_tensors,
};
