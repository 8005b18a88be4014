/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two passes over the header: the first adds up a record of all record variables, the second
 * computes the needed size. The vsize field is not looked at: it overflows in large files by
 * design.
 */
#include "core/format/array/netcdf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/stream.h"
#include "wire/text.h"

#define DIMS_MAX (1u << 16) /* 512 KiB of table; the library's own NC_MAX_DIMS is 1024 */
#define STREAMING UINT64_MAX

enum { TAG_DIMS = 10, TAG_VARS = 11, TAG_ATTRIBUTES = 12 };

struct netcdf {
	struct ckpt_check *check;
	struct ckpt_stream in;
	unsigned count, offset; /* bytes of a count, of a variable's begin */
	uint64_t records;
	uint64_t *dims; /* 0 = the record dimension */
	uint32_t n_dims;
	uint64_t record_size, record_vars, last_slab; /* of the pass before */
	uint64_t sum, vars_seen, slab_seen;	      /* of this one */
	uint64_t need;
	ckpt_tensor_fn *tell; /* NULL: nobody asks */
	void *arg;
	char name[128]; /* variable or dimension being read */
};

static int bad(struct netcdf *n, const char *what)
{
	return ckpt_check_reject(n->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
				 ckpt_stream_offset(&n->in), n->name, "%s", what);
}

static int take(struct netcdf *n, void *dst, uint64_t len)
{
	int r = ckpt_stream_take(&n->in, dst, len, n->check->err);

	if (r != CKPT_STREAM_END)
		return r;
	return ckpt_check_reject(n->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
				 n->check->file->size, n->name, "the file ends within its header");
}

static int number(struct netcdf *n, unsigned bytes, uint64_t *ret)
{
	uint8_t buf[8];
	int r = take(n, buf, bytes);

	if (r == 0)
		*ret = ckpt_bytes_be(buf, bytes);
	return r;
}

static int count(struct netcdf *n, uint64_t *ret)
{
	return number(n, n->count, ret);
}

/* Texts and attribute values are padded to 4. */
static uint64_t padded(uint64_t len)
{
	return len > UINT64_MAX - 3 ? len : (len + 3) / 4 * 4;
}

static int name(struct netcdf *n)
{
	uint64_t len = 0, keep;
	int r = count(n, &len);

	keep = len < sizeof(n->name) - 1 ? len : sizeof(n->name) - 1;
	n->name[0] = '\0';
	r = r ? r : take(n, n->name, keep);
	n->name[r ? 0 : keep] = '\0';
	return r ? r : take(n, NULL, padded(len) - keep);
}

/* Bytes of an element of @type; 0 for none. */
static unsigned type_size(uint64_t type)
{
	static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8 };

	return type < sizeof(sizes) ? sizes[type] : 0;
}

/* In CDL's words. */
static const char *type_name(uint64_t type)
{
	static const char *const names[] = {
		"",	  "byte",  "char",   "short", "int",   "float",
		"double", "ubyte", "ushort", "uint",  "int64", "uint64"
	};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "";
}

/* A list's tag and length; an absent list is two zeros. */
static int list(struct netcdf *n, unsigned tag, uint64_t *ret)
{
	uint64_t found = 0;
	int r = number(n, 4, &found);

	r = r ? r : count(n, ret);
	if (r)
		return r;
	if (found != tag && (found != 0 || *ret != 0))
		return bad(n, "a list in the header has no tag");
	return 0;
}

static int attributes(struct netcdf *n)
{
	uint64_t n_attrs = 0, type = 0, len = 0, bytes;
	int r = list(n, TAG_ATTRIBUTES, &n_attrs);

	for (uint64_t i = 0; r == 0 && i < n_attrs; i++) {
		r = name(n);
		r = r ? r : number(n, 4, &type);
		r = r ? r : count(n, &len);
		if (r == 0 && !type_size(type))
			return bad(n, "an attribute of a type that NetCDF does not have");
		if (r == 0 && __builtin_mul_overflow(len, type_size(type), &bytes))
			return bad(n, "an attribute larger than any file");
		r = r ? r : take(n, NULL, padded(bytes));
	}
	return r;
}

static int dimensions(struct netcdf *n)
{
	uint64_t n_dims = 0;
	int r = list(n, TAG_DIMS, &n_dims);

	if (r == 0 && n_dims > DIMS_MAX)
		return ckpt_check_reject(n->check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, 8,
					 NULL, "%llu dimensions: not checked",
					 (unsigned long long)n_dims);
	n->n_dims = (uint32_t)n_dims;
	if (r == 0 && !n->dims)
		n->dims = calloc(n_dims + 1, sizeof(*n->dims));
	if (!n->dims && r == 0)
		return ckpt_fail(n->check->err, -ENOMEM, "no memory for the dimensions of %s",
				 CKPT_QUOTE(n->check->file->name));
	for (uint32_t i = 0; r == 0 && i < n_dims; i++) {
		r = name(n);
		r = r ? r : count(n, &n->dims[i]);
	}
	return r;
}

/* What a variable's dimensions say, without that of the records. */
struct dims {
	uint64_t items, hash;
	bool record;
};

static int shape(struct netcdf *n, struct dims *ret)
{
	uint64_t rank = 0, dim = 0;
	int r = count(n, &rank);

	*ret = (struct dims) { .items = 1 };
	for (uint64_t i = 0; r == 0 && i < rank; i++) {
		r = number(n, n->count, &dim);
		if (r == 0 && dim >= n->n_dims)
			return bad(n, "a variable of a dimension that is not there");
		if (r == 0 && n->dims[dim] == 0 && i == 0)
			ret->record = true;
		else if (r == 0 && __builtin_mul_overflow(ret->items, n->dims[dim], &ret->items))
			return bad(n, "a variable larger than any file");
		else if (r == 0)
			ret->hash = ckpt_tensor_shape(ret->hash, n->dims[dim]);
	}
	return r;
}

static void tell_variable(const struct netcdf *n, const struct dims *dims, uint64_t type)
{
	struct ckpt_tensor told = { .name = n->name, .count = dims->items, .shape = dims->hash };

	snprintf(told.type, sizeof(told.type), "%s", type_name(type));
	n->tell(n->arg, &told);
}

static void add_need(struct netcdf *n, uint64_t begin, uint64_t bytes)
{
	uint64_t end;

	if (__builtin_add_overflow(begin, bytes, &end))
		end = UINT64_MAX;
	if (end > n->need && bytes)
		n->need = end;
}

/* The end of the last record of a variable. */
static void need_records(struct netcdf *n, uint64_t begin, uint64_t slab)
{
	uint64_t before, size = n->record_vars == 1 ? n->last_slab : n->record_size;

	if (n->records == 0 || n->records == STREAMING)
		return;
	if (__builtin_mul_overflow(n->records - 1, size, &before) ||
	    __builtin_add_overflow(before, slab, &before))
		before = UINT64_MAX;
	add_need(n, begin, before);
}

static int variable(struct netcdf *n)
{
	uint64_t type = 0, size = 0, begin = 0, bytes;
	struct dims dims = { .items = 0 };
	char own[sizeof(n->name)];
	int r = name(n);

	memcpy(own, n->name, sizeof(own));
	if (r == 0)
		ckpt_report_add_key(n->check->report, own, strlen(own));
	r = r ? r : shape(n, &dims);
	r = r ? r : attributes(n);
	memcpy(n->name, own, sizeof(own)); /* its attributes have names as well */
	r = r ? r : number(n, 4, &type);
	r = r ? r : number(n, n->count, &size);
	r = r ? r : number(n, n->offset, &begin);
	if (r)
		return r;
	if (!type_size(type))
		return bad(n, "a variable of a type that NetCDF does not have");
	if (__builtin_mul_overflow(dims.items, type_size(type), &bytes) ||
	    (dims.record && __builtin_add_overflow(n->sum, padded(bytes), &n->sum)))
		return bad(n, "a variable larger than any file");
	if (begin < ckpt_stream_offset(&n->in))
		return bad(n, "a variable begins inside the header");
	if (n->tell)
		tell_variable(n, &dims, type);
	if (dims.record) {
		n->vars_seen++;
		n->slab_seen = bytes;
		need_records(n, begin, bytes);
	} else {
		add_need(n, begin, bytes);
	}
	return 0;
}

/* One pass over the header. */
static int pass(struct netcdf *n)
{
	uint64_t n_vars = 0;
	int r = ckpt_stream_init(&n->in, n->check->file, 4, n->check->file->size, n->check->err);

	n->sum = n->vars_seen = n->slab_seen = n->need = 0;
	r = r ? r : count(n, &n->records);
	if (n->count == 4 && n->records == UINT32_MAX)
		n->records = STREAMING;
	r = r ? r : dimensions(n);
	r = r ? r : attributes(n);
	r = r ? r : list(n, TAG_VARS, &n_vars);
	for (uint64_t i = 0; r == 0 && i < n_vars; i++)
		r = variable(n);
	n->check->report->tensors = n_vars;
	ckpt_stream_done(&n->in);
	n->record_size = n->sum;
	n->record_vars = n->vars_seen;
	n->last_slab = n->slab_seen;
	return r;
}

static int judge_size(struct netcdf *n)
{
	uint64_t size = n->check->file->size;

	if (size < n->need)
		return ckpt_check_reject(n->check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size,
					 NULL, "its header needs %llu bytes, but the file has %llu",
					 (unsigned long long)n->need, (unsigned long long)size);
	return 0;
}

static void netcdf_done(struct netcdf *n)
{
	ckpt_stream_done(&n->in);
	free(n->dims);
}

static struct netcdf netcdf_of(struct ckpt_check *check)
{
	uint8_t version = check->head.head[3];

	return (struct netcdf) { .check = check,
				 .count = version == 5 ? 8 : 4,
				 .offset = version == 1 ? 4 : 8 };
}

static int netcdf_structure(struct ckpt_check *check)
{
	_cleanup_(netcdf_done) struct netcdf n = netcdf_of(check);
	int r = pass(&n);

	r = r ? r : pass(&n);
	return r ? r : judge_size(&n);
}

/* Without the number of records: it grows. */
static int netcdf_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_(netcdf_done) struct netcdf n = netcdf_of(check);

	n.tell = tell;
	n.arg = arg;
	return pass(&n);
}

static bool netcdf_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	return head->n_head >= 4 && memcmp(head->head, "CDF", 3) == 0 &&
	       (head->head[3] == 1 || head->head[3] == 2 || head->head[3] == 5);
}

const struct ckpt_format ckpt_format_netcdf = {
	.name = "netcdf",
	.title = "NetCDF classic",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = netcdf_sniff,
	.structure = netcdf_structure,
	.bare = "NetCDF stores no checksum",
	.tensors = netcdf_tensors,
};
