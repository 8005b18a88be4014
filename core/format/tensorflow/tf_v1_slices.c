/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_v1_slices.h. Messages of saved_tensor_slice.proto, tensor_slice.proto, tensor_shape.proto
 * and tensor.proto; which of TensorProto's fields a type is saved in is what
 * saved_tensor_slice_util.h says.
 */
#include "core/format/tensorflow/tf_v1_slices.h"

#include <errno.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/format/tensorflow/tf_judge.h"
#include "core/format/tensorflow/tf_proto.h"
#include "wire/text.h"

#define RANK_MAX 254 /* TensorShape's own limit */
#define NAME_SIZE 512

/* A tensor, or a slice of one, on its way. */
struct tensor {
	uint64_t at; /* of its message */
	char name[NAME_SIZE];
	uint64_t hash; /* of the name */
	uint64_t dtype;
	unsigned rank;
	bool odd; /* a dimension is unknown: elements cannot be told */
	uint64_t dims[RANK_MAX];
};

/* Its extents, read one by one. */
struct extents {
	struct tensor *tensor; /* NULL: without a shape */
	unsigned n;
	uint64_t hash, elements;
	bool odd;
};

/* What TensorProto holds of a type: how much of its field there was. */
struct values {
	uint64_t dtype;
	uint64_t bytes; /* of packed ones */
	uint64_t n;	/* not packed */
	struct ckpt_proto_field last;
};

typedef int field_fn(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg);

static int bad(struct ckpt_tf_v1 *v, uint64_t at, const char *name, const char *what)
{
	return ckpt_check_reject(v->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, name, "%s", what);
}

/* Calls @fn for each field of @message until it answers other than 0; the reader stays where it is.
 */
static int each(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *message, field_fn *fn,
		void *arg)
{
	uint64_t at = v->in.at, end = v->in.end;
	struct ckpt_proto_field f;
	int r;

	if (message->type != CKPT_PROTO_BYTES)
		return bad(v, v->in.at, NULL, "a message in it is none");
	ckpt_window_range(&v->in, message->off, message->len);
	while ((r = ckpt_proto_next(&v->in, &f)) == 0) {
		r = fn(v, &f, arg);
		if (r)
			return r;
	}
	if (r == CKPT_PROTO_BAD)
		return bad(v, v->in.at, NULL, "a message in it is none");
	ckpt_window_range(&v->in, at, end - at);
	return r < 0 ? r : 0;
}

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = ckpt_hash(*hash, &value, sizeof(value));
}

static int take_name(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, struct tensor *t)
{
	int r = f->type == CKPT_PROTO_BYTES ? ckpt_proto_text(&v->in, f, t->name, sizeof(t->name))
					    : CKPT_PROTO_BAD;

	if (r)
		return r < 0 ? r : bad(v, t->at, NULL, "a tensor has no name");
	t->hash = ckpt_hash(CKPT_HASH_START, t->name,
			    f->len < sizeof(t->name) - 1 ? f->len : sizeof(t->name) - 1);
	mix(&t->hash, f->len);
	return 0;
}

/* TensorShapeProto.Dim. */
static int on_dim(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct tensor *t = arg;

	(void)v;
	if (f->number == 1 && f->type == CKPT_PROTO_VARINT)
		t->dims[t->rank] = f->value;
	return 0;
}

/* TensorShapeProto. */
static int on_shape(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct tensor *t = arg;
	int r;

	if (f->number == 3 && f->value)
		t->odd = true;
	if (f->number != 2)
		return 0;
	if (t->rank == RANK_MAX)
		return bad(v, t->at, t->name, "its rank is over 254");
	t->dims[t->rank] = 0;
	r = each(v, f, on_dim, t);
	t->odd = t->odd || t->dims[t->rank] > INT64_MAX;
	t->rank++;
	return r;
}

/* TensorSliceProto.Extent; a dimension that is there as a whole has no length. */
static int on_extent_field(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	uint64_t *extent = arg;

	(void)v;
	if (f->number == 1 || f->number == 2)
		extent[f->number - 1] = f->value;
	if (f->number == 2)
		extent[2] = 1;
	return 0;
}

/* TensorSliceProto. */
static int on_slice(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct extents *e = arg;
	uint64_t extent[3] = { 0 }, n;
	int r;

	if (f->number != 1)
		return 0;
	r = each(v, f, on_extent_field, extent);
	for (int i = 0; i < 3; i++)
		mix(&e->hash, extent[i]);
	if (r || !e->tensor)
		return r;
	if (e->n == e->tensor->rank)
		return bad(v, e->tensor->at, e->tensor->name, "a slice of it has another rank");
	n = extent[2] ? extent[1] : e->tensor->dims[e->n];
	e->n++;
	e->odd = e->odd || n > INT64_MAX || __builtin_mul_overflow(e->elements, n, &e->elements);
	return 0;
}

/* Adds one slice of the tensor to the list. */
static int add_slice(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, struct tensor *t)
{
	struct extents e = { .tensor = t, .hash = t->hash, .elements = 1, .odd = t->odd };
	struct ckpt_storage slice = { .element = t->dtype < 255 ? (uint8_t)t->dtype : 0 };
	int r = each(v, f, on_slice, &e);

	if (r)
		return r;
	if (!e.odd && e.n != t->rank)
		return bad(v, t->at, t->name, "a slice of it has another rank");
	slice.key = e.hash;
	slice.size = e.elements;
	if (e.odd)
		slice.element = 0;
	r = ckpt_storages_add(&v->slices, &slice);
	if (r == CKPT_STORAGES_TWICE)
		return bad(v, t->at, t->name, "its slice is listed twice");
	v->cut = v->cut || r == CKPT_STORAGES_FULL;
	if (r < 0)
		return ckpt_fail(v->check->err, r, "no memory for the slices of %s",
				 CKPT_QUOTE(v->check->file->name));
	return 0;
}

/* SavedSliceMeta, what is said of the tensor itself. */
static int on_tensor(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct tensor *t = arg;

	switch (f->number) {
	case 1:
		return take_name(v, f, t);
	case 2:
		return each(v, f, on_shape, t);
	case 3:
		t->dtype = f->value;
		return 0;
	}
	return 0;
}

static int on_tensor_slice(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	return f->number == 4 ? add_slice(v, f, arg) : 0;
}

/* SavedTensorSliceMeta. */
static int on_list(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct ckpt_report *report = v->check->report;
	struct tensor t = { .at = f->off };
	int r;

	(void)arg;
	if (f->number != 1)
		return 0;
	r = each(v, f, on_tensor, &t);
	r = r ? r : each(v, f, on_tensor_slice, &t);
	if (r)
		return r;
	report->tensors++;
	ckpt_report_add_key(report, t.name, strcspn(t.name, "/"));
	ckpt_tf_note_contents(report, t.name);
	return 0;
}

/* SavedTensorSlices. */
static int on_list_entry(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	return f->number == 1 ? each(v, f, on_list, arg) : 0;
}

int ckpt_tf_v1_list(struct ckpt_tf_v1 *v, uint64_t off, uint64_t len)
{
	struct ckpt_proto_field all = { .type = CKPT_PROTO_BYTES, .off = off, .len = len };

	return each(v, &all, on_list_entry, NULL);
}

/* Where TensorProto keeps values of a type. */
static const struct store {
	uint8_t field;
	uint8_t width; /* bytes of a fixed one; 0 = base 128 */
	uint8_t per;   /* of them in an element; 0 = not known here */
} stores[] = {
	[1] = { 5, 4, 1 },   [2] = { 6, 8, 1 },	  [3] = { 7, 0, 1 },   [4] = { 7, 0, 1 },
	[5] = { 7, 0, 1 },   [6] = { 7, 0, 1 },	  [7] = { 8, 1, 1 },   [8] = { 9, 4, 2 },
	[9] = { 10, 0, 1 },  [10] = { 11, 0, 1 }, [11] = { 7, 0, 1 },  [12] = { 7, 0, 1 },
	[13] = { 7, 0, 1 },  [16] = { 7, 0, 1 },  [17] = { 7, 0, 1 },  [18] = { 12, 8, 2 },
	[19] = { 13, 0, 1 }, [22] = { 16, 0, 1 }, [23] = { 17, 0, 1 },
};

static const struct store *store_of(uint64_t dtype)
{
	static const struct store unknown = { 0 };

	return dtype < sizeof(stores) / sizeof(stores[0]) ? &stores[dtype] : &unknown;
}

/* TensorProto. */
static int on_values(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct values *values = arg;

	(void)v;
	if (f->number != store_of(values->dtype)->field)
		return 0;
	values->last = *f;
	if (f->type == CKPT_PROTO_BYTES && values->dtype != CKPT_TF_STRING)
		values->bytes += f->len;
	else
		values->n++;
	return 0;
}

/* True if what is there can be @elements of the type. */
static bool values_fit(const struct values *values, uint64_t elements)
{
	const struct store *store = store_of(values->dtype);
	uint64_t n;

	if (__builtin_mul_overflow(elements, store->per, &n) || n < values->n)
		return false;
	n -= values->n;
	if (store->width)
		return values->bytes % store->width == 0 && values->bytes / store->width == n;
	return n <= values->bytes && (values->bytes + 9) / 10 <= n;
}

/* A scalar's value, where its name is one of progress. */
static int note_number(struct ckpt_tf_v1 *v, const char *name, const struct values *values)
{
	struct ckpt_tf_v1_number *number = strcmp(name, "global_step") == 0 ? &v->step
					   : strcmp(name, "epoch") == 0	    ? &v->epoch
									    : NULL;
	uint64_t value = values->last.value, at = v->in.at, end = v->in.end;
	int r = 0;

	if (!number || (values->dtype != CKPT_TF_INT32 && values->dtype != CKPT_TF_INT64))
		return 0;
	if (values->last.type == CKPT_PROTO_BYTES) {
		ckpt_window_range(&v->in, values->last.off, values->last.len);
		r = ckpt_proto_varint(&v->in, &value);
		ckpt_window_range(&v->in, at, end - at);
	}
	number->found = r == 0 && value <= UINT64_C(1) << 53;
	number->value = (int64_t)value;
	return r < 0 ? r : 0;
}

/* A slice under way. */
struct slice {
	struct tensor tensor;
	struct extents extents;
	struct ckpt_proto_field where, data;
};

/* SavedSlice. */
static int on_saved(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct slice *s = arg;

	if (f->number == 1)
		return take_name(v, f, &s->tensor);
	if (f->number == 2)
		s->where = *f;
	if (f->number == 3)
		s->data = *f;
	return 0;
}

/* The data against what the list says of them. */
static int check_values(struct ckpt_tf_v1 *v, struct slice *s, const struct ckpt_storage *listed)
{
	struct values values = { .dtype = listed->element };
	int r;

	if (!store_of(values.dtype)->per)
		return 0;
	r = s->data.len ? each(v, &s->data, on_values, &values) : 0;
	if (r)
		return r;
	if (!values_fit(&values, listed->size))
		return bad(v, s->tensor.at, s->tensor.name, "its data do not fit type and shape");
	return listed->size == 1 ? note_number(v, s->tensor.name, &values) : 0;
}

static int check_slice(struct ckpt_tf_v1 *v, struct slice *s)
{
	struct ckpt_storage *listed;
	int r;

	s->extents.hash = s->tensor.hash;
	r = s->where.len ? each(v, &s->where, on_slice, &s->extents) : 0;
	if (r)
		return r;
	listed = ckpt_storages_find(&v->slices, s->extents.hash);
	if (!listed && v->cut)
		return 0;
	if (!listed)
		return bad(v, s->tensor.at, s->tensor.name, "the list does not name this slice");
	if (listed->seen)
		return bad(v, s->tensor.at, s->tensor.name, "this slice is there twice");
	listed->seen = true;
	v->seen++;
	return check_values(v, s, listed);
}

/* SavedTensorSlices. */
static int on_entry(struct ckpt_tf_v1 *v, const struct ckpt_proto_field *f, void *arg)
{
	struct slice s = { .tensor = { .at = f->off } };
	int r;

	(void)arg;
	if (f->number != 2)
		return 0;
	r = each(v, f, on_saved, &s);
	return r ? r : check_slice(v, &s);
}

int ckpt_tf_v1_slice(struct ckpt_tf_v1 *v, uint64_t off, uint64_t len)
{
	struct ckpt_proto_field all = { .type = CKPT_PROTO_BYTES, .off = off, .len = len };

	return each(v, &all, on_entry, NULL);
}
