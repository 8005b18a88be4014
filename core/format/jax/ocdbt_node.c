/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ocdbt_node.h. Where each column begins is found by stepping over those before it.
 */
#include "core/format/jax/ocdbt_node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BAD 1
#define UUID 16
#define TIME 8
#define LEVEL 4			/* zstd's, an int32 */
#define ARITY_MAX (1024 * 1024) /* kMaxNodeArity */

/* Takes the column of @n numbers off @in; *@sum (may be NULL) gets their sum, which fits. */
static bool column(struct ckpt_bytes *in, uint64_t n, struct ckpt_bytes *ret, uint64_t *sum)
{
	uint64_t v, total = 0;

	*ret = *in;
	if (n > in->n)
		return false;
	while (n-- > 0)
		if (!ckpt_varint_take(in, &v) || (sum && __builtin_add_overflow(total, v, &total)))
			return false;
	ret->n = (size_t)(in->p - ret->p);
	if (sum)
		*sum = total;
	return true;
}

/* The columns of the table of files. */
struct files {
	uint64_t n;
	struct ckpt_bytes prefix, suffix, base, text;
};

struct path {
	uint64_t prefix, suffix, base, before; /* lengths; base: the one of the path before */
};

/* The next path's lengths. False where they contradict those of the path before, of @len bytes. */
static bool next_path(struct files *f, bool first, uint64_t len, struct path *p)
{
	p->before = first ? 0 : p->base;
	p->prefix = 0;
	if ((!first && !ckpt_varint_take(&f->prefix, &p->prefix)) ||
	    !ckpt_varint_take(&f->suffix, &p->suffix) || !ckpt_varint_take(&f->base, &p->base))
		return false;
	if (p->prefix > len || p->suffix > CKPT_OCDBT_PATH_MAX - p->prefix ||
	    p->base > p->prefix + p->suffix)
		return false;
	return p->base == p->before || (p->prefix <= p->base && p->prefix <= p->before);
}

/* Bytes that the paths take with a NUL each. */
static bool measure(struct files f, uint64_t *ret)
{
	struct path p = { 0 };
	uint64_t total = 0, len = 0;

	for (uint64_t i = 0; i < f.n; i++) {
		if (!next_path(&f, i == 0, len, &p))
			return false;
		len = p.prefix + p.suffix;
		total += len + 1;
	}
	*ret = total;
	return true;
}

/* Writes the paths behind the table's array. */
static bool fill(struct files f, struct ckpt_ocdbt_table *table)
{
	char *at = (char *)(table->paths + f.n);
	const char *before = NULL;
	struct path p = { 0 };
	uint64_t len = 0;

	for (uint64_t i = 0; i < f.n; i++) {
		struct ckpt_bytes suffix;

		if (!next_path(&f, i == 0, len, &p) ||
		    !ckpt_bytes_take(&f.text, p.suffix, &suffix) ||
		    memchr(suffix.p, '\0', suffix.n))
			return false;
		if (p.prefix)
			memcpy(at, before, (size_t)p.prefix);
		memcpy(at + p.prefix, suffix.p, suffix.n);
		len = p.prefix + p.suffix;
		at[len] = '\0';
		table->paths[i] = (struct ckpt_ocdbt_path) { at, (size_t)p.base };
		before = at;
		at += len + 1;
	}
	return true;
}

int ckpt_ocdbt_table_take(struct ckpt_bytes *in, size_t max, struct ckpt_ocdbt_table *ret)
{
	struct files f = { 0 };
	uint64_t texts, total;
	size_t size;

	*ret = (struct ckpt_ocdbt_table) { 0 };
	if (!ckpt_varint_take(in, &f.n) || f.n > in->n)
		return BAD;
	if (!column(in, f.n ? f.n - 1 : 0, &f.prefix, NULL) ||
	    !column(in, f.n, &f.suffix, &texts) || !column(in, f.n, &f.base, NULL) ||
	    !ckpt_bytes_take(in, texts, &f.text) || !measure(f, &total))
		return BAD;
	if (f.n > max / sizeof(*ret->paths) || total > max - f.n * sizeof(*ret->paths))
		return -E2BIG;
	size = (size_t)(f.n * sizeof(*ret->paths) + total);
	ret->paths = malloc(size ? size : 1);
	if (!ret->paths)
		return -ENOMEM;
	ret->n = f.n;
	ret->size = size;
	return fill(f, ret) ? 0 : BAD;
}

void ckpt_ocdbt_table_done(struct ckpt_ocdbt_table *table)
{
	free(table->paths);
	*table = (struct ckpt_ocdbt_table) { 0 };
}

/* Takes the configuration off @in; *@ret_kind is 0 where the versions follow. */
static bool config(struct ckpt_bytes *in, uint64_t *ret_kind)
{
	struct ckpt_bytes skipped;
	uint64_t inline_max, node_max, compression;

	return ckpt_bytes_take(in, UUID, &skipped) && ckpt_varint_take(in, ret_kind) &&
	       ckpt_varint_take(in, &inline_max) && ckpt_varint_take(in, &node_max) &&
	       ckpt_bytes_take(in, 1, &skipped) && ckpt_varint_take(in, &compression) &&
	       ckpt_bytes_take(in, compression ? LEVEL : 0, &skipped);
}

/* The last number of a column that is whole. */
static uint64_t last(struct ckpt_bytes column)
{
	uint64_t v = 0;

	while (column.n && ckpt_varint_take(&column, &v))
		continue;
	return v;
}

/* The newest of the versions that a manifest names itself, and what of them follows. */
static bool versions(struct ckpt_bytes *in, struct ckpt_ocdbt_newest *ret)
{
	struct ckpt_bytes generation, height, file, off, len, numbers, time;
	uint64_t n;

	if (!ckpt_varint_take(in, &n) || n == 0 || n > in->n || !column(in, n, &generation, NULL) ||
	    !ckpt_bytes_take(in, n, &height) || !column(in, n, &file, NULL) ||
	    !column(in, n, &off, NULL) || !column(in, n, &len, NULL) ||
	    !column(in, 3 * n, &numbers, NULL) || !ckpt_bytes_take(in, TIME * n, &time))
		return false;
	ret->root = (struct ckpt_ocdbt_ref) {
		.file = last(file), .off = last(off), .len = last(len), .height = height.p[n - 1]
	};
	ret->hollow = ret->root.off == UINT64_MAX && ret->root.len == UINT64_MAX;
	return ret->hollow || ret->root.file < ret->table.n;
}

int ckpt_ocdbt_manifest_read(struct ckpt_bytes in, size_t max, struct ckpt_ocdbt_newest *ret)
{
	uint64_t kind;
	int r;

	*ret = (struct ckpt_ocdbt_newest) { 0 };
	if (!config(&in, &kind))
		return BAD;
	ret->apart = kind != 0;
	if (ret->apart)
		return 0;
	r = ckpt_ocdbt_table_take(&in, max, &ret->table);
	return r ? r : versions(&in, ret) ? 0 : BAD;
}

/* The columns of a node of nodes, which must fill @in. */
static bool inner_columns(struct ckpt_bytes *in, uint64_t n, struct ckpt_ocdbt_entries *e)
{
	struct ckpt_bytes numbers;

	return column(in, n, &e->file, NULL) && column(in, n, &e->off, NULL) &&
	       column(in, n, &e->length, NULL) && column(in, 3 * n, &numbers, NULL) && in->n == 0;
}

/* The bytes of the values in the node, and how many of its @n values lie elsewhere. */
static bool count_values(struct ckpt_ocdbt_entries e, uint64_t *ret_here, uint64_t *ret_elsewhere)
{
	uint64_t v, here = 0, elsewhere = 0;

	for (size_t i = 0; i < e.kind.n; i++) {
		if (e.kind.p[i] > 1 || !ckpt_varint_take(&e.length, &v))
			return false;
		if (e.kind.p[i])
			elsewhere++;
		else if (__builtin_add_overflow(here, v, &here))
			return false;
	}
	*ret_here = here;
	*ret_elsewhere = elsewhere;
	return true;
}

static bool leaf_columns(struct ckpt_bytes *in, uint64_t n, struct ckpt_ocdbt_entries *e)
{
	uint64_t here, elsewhere;

	return column(in, n, &e->length, NULL) && ckpt_bytes_take(in, n, &e->kind) &&
	       count_values(*e, &here, &elsewhere) && column(in, elsewhere, &e->file, NULL) &&
	       column(in, elsewhere, &e->off, NULL) && ckpt_bytes_take(in, here, &e->value) &&
	       in->n == 0;
}

int ckpt_ocdbt_node_read(struct ckpt_bytes in, size_t max, struct ckpt_ocdbt_table *table,
			 struct ckpt_ocdbt_entries *ret)
{
	struct ckpt_ocdbt_entries e = { .first = true };
	struct ckpt_bytes height;
	uint64_t n, texts;
	int r;

	if (!ckpt_bytes_take(&in, 1, &height))
		return BAD;
	e.height = height.p[0];
	r = ckpt_ocdbt_table_take(&in, max, table);
	if (r)
		return r;
	if (!ckpt_varint_take(&in, &n) || n == 0 || n > ARITY_MAX ||
	    !column(&in, n - 1, &e.prefix, NULL) || !column(&in, n, &e.suffix, &texts) ||
	    (e.height && !column(&in, n, &e.common, NULL)) ||
	    !ckpt_bytes_take(&in, texts, &e.text) ||
	    !(e.height ? inner_columns : leaf_columns)(&in, n, &e))
		return BAD;
	e.left = n;
	*ret = e;
	return 0;
}

/* The next key, into @key. */
static bool next_key(struct ckpt_ocdbt_entries *e, char *key, struct ckpt_ocdbt_entry *ret)
{
	struct ckpt_bytes suffix;
	uint64_t prefix = 0, n, common = 0;

	if ((!e->first && !ckpt_varint_take(&e->prefix, &prefix)) ||
	    !ckpt_varint_take(&e->suffix, &n) ||
	    (e->height && !ckpt_varint_take(&e->common, &common)))
		return false;
	if (prefix > (e->first ? 0 : ret->n_key) || n > CKPT_OCDBT_KEY_MAX - prefix ||
	    common > prefix + n || !ckpt_bytes_take(&e->text, n, &suffix))
		return false;
	memcpy(key + prefix, suffix.p, suffix.n);
	ret->n_key = (size_t)(prefix + n);
	ret->common = (size_t)common;
	e->first = false;
	return true;
}

int ckpt_ocdbt_entry_next(struct ckpt_ocdbt_entries *e, char *key, struct ckpt_ocdbt_entry *ret)
{
	struct ckpt_bytes kind = { 0 };
	struct ckpt_ocdbt_ref *ref = &ret->ref;

	if (!next_key(e, key, ret) || !ckpt_varint_take(&e->length, &ref->len) ||
	    (e->height == 0 && !ckpt_bytes_take(&e->kind, 1, &kind)))
		return BAD;
	e->left--;
	ret->here = e->height == 0 && kind.p[0] == 0;
	if (ret->here)
		return ckpt_bytes_take(&e->value, ref->len, &ret->bytes) ? 0 : BAD;
	ref->height = e->height ? e->height - 1 : 0;
	return ckpt_varint_take(&e->file, &ref->file) && ckpt_varint_take(&e->off, &ref->off) ? 0
											      : BAD;
}
