/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See siblings.h. Each save becomes a table of hashes of names; a name that is there more than once
 * (ranks, views of one storage) counts with the sum of what is told of it, and is compared where it
 * is told as often. Names are looked up in a second pass, once it is known that something differs.
 */
#include "core/integrity/siblings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/jstream.h"
#include "core/base/text.h"
#include "core/format/format.h"
#include "core/integrity/files.h"
#include "wire/text.h"

#define FILES_MAX 4096	   /* looked at: a rank each */
#define DCP_DATA ".distcp" /* of PyTorch's distributed checkpoint, whose .metadata tell of it */

/* What is told of a name. */
struct entry {
	uint64_t name; /* its hash; 0 = free */
	uint64_t type, shape, count;
	uint64_t told; /* times */
	char text[16]; /* of its type */
};

struct table {
	struct entry *slots;
	size_t n, cap;
	int r; /* the first failure */
};

static void table_done(struct table *t)
{
	free(t->slots);
}
#define _cleanup_table_ _cleanup_(table_done)

static uint64_t hash_of(const char *name)
{
	uint64_t hash = ckpt_jstream_hash(name, strlen(name));

	return hash ? hash : 1;
}

/* Where the name is, or the free place where it would be. */
static struct entry *find(const struct table *t, uint64_t name)
{
	size_t i = name & (t->cap - 1);

	while (t->slots[i].name && t->slots[i].name != name)
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

/* Keeps at least half of the places free. */
static int grow(struct table *t)
{
	struct table wider = { .n = t->n, .cap = t->cap ? 2 * t->cap : 1024 };

	if (t->n == CKPT_SIBLINGS_TENSORS)
		return -E2BIG;
	if (2 * (t->n + 1) <= t->cap)
		return 0;
	wider.slots = calloc(wider.cap, sizeof(*wider.slots));
	if (!wider.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].name)
			*find(&wider, t->slots[i].name) = t->slots[i];
	free(t->slots);
	*t = wider;
	return 0;
}

static void add(void *arg, const struct ckpt_tensor *tensor)
{
	uint64_t name = hash_of(tensor->name);
	struct table *t = arg;
	struct entry *e;

	t->r = t->r ? t->r : grow(t);
	if (t->r)
		return;
	e = find(t, name);
	t->n += !e->name;
	e->name = name;
	e->type += hash_of(tensor->type);
	e->shape += tensor->shape;
	e->count += tensor->count;
	e->told++;
	memcpy(e->text, tensor->type, sizeof(e->text));
}

/* What has no name in its file. */
struct unnamed {
	const char *name;
	ckpt_tensor_fn *tell;
	void *arg;
};

static void tell_named(void *arg, const struct ckpt_tensor *tensor)
{
	const struct unnamed *u = arg;
	struct ckpt_tensor told = *tensor;

	if (!*told.name)
		told.name = u->name;
	u->tell(u->arg, &told);
}

/* The tensors of @name, if its row tells them: of a file, a bundle (whose files are none by
 * themselves), or the directory @rootfd as a whole. */
static int tell_one(struct ckpt_ctx *ctx, int rootfd, enum ckpt_kind kind, const char *name,
		    ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_error err = { 0 };
	struct ckpt_check check = { .ctx = ctx,
				    .kind = kind,
				    .dirfd = rootfd,
				    .name = name,
				    .report = report,
				    .err = &err };
	const struct ckpt_format *row;
	int r = report ? 0 : -ENOMEM;

	if (r == 0 && kind == CKPT_KIND_FILE) {
		check.file = &file;
		r = ckpt_file_open(ctx, rootfd, name, &file, &err);
		r = r ? r : ckpt_check_probe(&check);
	}
	if (r)
		return r;
	row = ckpt_format_find(&check);
	return row && row->tensors ? row->tensors(&check, tell, arg) : 0;
}

/* Takes away those that are not asked. */
static void keep_asked(struct ckpt_files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (ckpt_text_ends(files->f[i].name, DCP_DATA))
			free(files->f[i].name);
		else
			files->f[n++] = files->f[i];
	}
	files->n = n;
}

/* The tensors of all of @set's files. */
static int tell_set(struct ckpt_ctx *ctx, const struct ckpt_set *set, ckpt_tensor_fn *tell,
		    void *arg)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, NULL);
	_cleanup_files_ struct ckpt_files files = { 0 };
	struct unnamed unnamed = { "the array", tell, arg };
	int r = rootfd < 0 ? rootfd : 0;

	if (r == 0 && set->kind != CKPT_KIND_FILE)
		r = tell_one(ctx, rootfd, set->kind, set->name, tell, arg);
	if (r || set->kind == CKPT_KIND_PREFIX)
		return r;
	r = ckpt_files_list(rootfd, set, &files, NULL);
	keep_asked(&files);
	if (r || files.n > FILES_MAX)
		return r < 0 ? r : -E2BIG;
	for (size_t i = 0; r == 0 && i < files.n; i++) {
		if (set->kind == CKPT_KIND_DIRECTORY) /* whose files keep their names */
			unnamed.name = files.f[i].name;
		r = tell_one(ctx, rootfd, CKPT_KIND_FILE, files.f[i].name, tell_named, &unnamed);
	}
	return r;
}

/* A comparison under way. */
struct comparing {
	struct table own, old;
	bool grown; /* most tensors have: what has only grown differs too */
	struct ckpt_siblings *found;
};

/* Sums over another number of ranks say nothing of the tensor. */
static bool comparable(const struct entry *own, const struct entry *old)
{
	return own->told == old->told;
}

static bool retyped(const struct entry *own, const struct entry *old)
{
	return comparable(own, old) && own->type != old->type;
}

static bool has_grown(const struct entry *own, const struct entry *old)
{
	return comparable(own, old) && own->type == old->type && own->count > old->count;
}

static bool resized(const struct comparing *c, const struct entry *own, const struct entry *old)
{
	if (!comparable(own, old) || own->type != old->type ||
	    (own->count == old->count && own->shape == old->shape))
		return false;
	return !has_grown(own, old) || c->grown;
}

static void note(struct ckpt_difference *d, const char *name, const struct entry *own,
		 const struct entry *old)
{
	if (d->name[0])
		return;
	snprintf(d->name, sizeof(d->name), "%s", name);
	ckpt_text_clean(d->name);
	d->own.count = own->count;
	d->old.count = old->count;
	memcpy(d->own.type, own->text, sizeof(own->text));
	memcpy(d->old.type, old->text, sizeof(old->text));
}

/* Counts what differs; names stay unknown. */
static void count(struct comparing *c)
{
	size_t grown = 0, both = 0;

	for (size_t i = 0; i < c->own.cap; i++) {
		const struct entry *own = &c->own.slots[i];
		const struct entry *old = own->name ? find(&c->old, own->name) : own;

		both += old->name && own->name;
		c->found->fresh.n += own->name && !old->name;
		grown += old->name && own->name && has_grown(own, old);
	}
	c->grown = 2 * grown > both;
	for (size_t i = 0; i < c->old.cap; i++) {
		const struct entry *old = &c->old.slots[i];
		const struct entry *own = old->name ? find(&c->own, old->name) : old;

		c->found->gone.n += old->name && !own->name;
		if (!old->name || !own->name)
			continue;
		c->found->types.n += retyped(own, old);
		c->found->sizes.n += resized(c, own, old);
	}
	if (c->found->gone.n == 0)
		c->found->fresh.n = 0;
}

/* One of the own tensors. */
static void name_own(void *arg, const struct ckpt_tensor *tensor)
{
	struct comparing *c = arg;
	uint64_t name = hash_of(tensor->name);
	const struct entry *own = find(&c->own, name), *old = find(&c->old, name);

	if (!own->name)
		return;
	if (!old->name)
		note(&c->found->fresh, tensor->name, own, old);
	else if (retyped(own, old))
		note(&c->found->types, tensor->name, own, old);
	else if (resized(c, own, old))
		note(&c->found->sizes, tensor->name, own, old);
}

/* One of the elder's. */
static void name_old(void *arg, const struct ckpt_tensor *tensor)
{
	struct comparing *c = arg;
	uint64_t name = hash_of(tensor->name);
	const struct entry *own = find(&c->own, name), *old = find(&c->old, name);

	if (old->name && !own->name)
		note(&c->found->gone, tensor->name, own, old);
}

int ckpt_siblings_compare(struct ckpt_ctx *ctx, const struct ckpt_set *own,
			  const struct ckpt_set *old, struct ckpt_siblings *ret)
{
	_cleanup_table_ struct table a = { .n = 0 }, b = { .n = 0 };
	struct comparing c = { .found = ret };
	int r;

	*ret = (struct ckpt_siblings) { .own = 0 };
	r = tell_set(ctx, old, add, &b);
	r = r ? r : b.r;
	r = r ? r : tell_set(ctx, own, add, &a);
	r = r ? r : a.r;
	if (r || a.n == 0 || b.n == 0)
		return r;
	ret->own = a.n;
	ret->old = b.n;
	c.own = a;
	c.old = b;
	count(&c);
	if (ret->types.n || ret->sizes.n || ret->fresh.n)
		r = tell_set(ctx, own, name_own, &c);
	if (r == 0 && ret->gone.n)
		r = tell_set(ctx, old, name_old, &c);
	return r;
}

static const char *type_of(const char *type)
{
	return *type ? type : "an unknown type";
}

/* Ends a clause that tells of the first of @n. */
static void end_clause(struct ckpt_str *s, uint64_t n)
{
	if (n > 1)
		ckpt_str_add(s, " (and %llu more)", (unsigned long long)(n - 1));
}

/* Of several ranks the last one's type is known by name, and need not be the one that differs. */
static void say_types(struct ckpt_str *s, const struct ckpt_difference *d, const char *elder)
{
	if (strcmp(d->own.type, d->old.type) == 0)
		ckpt_str_add(s, "%.80s is of other types than in %.80s", d->name, elder);
	else
		ckpt_str_add(s, "%.80s is of %s, %s in %.80s", d->name, type_of(d->own.type),
			     type_of(d->old.type), elder);
}

static void say_sizes(struct ckpt_str *s, const struct ckpt_difference *d, const char *elder)
{
	if (d->own.count == d->old.count)
		ckpt_str_add(s, "%.80s has another shape than in %.80s", d->name, elder);
	else
		ckpt_str_add(s, "%.80s has %llu numbers, %llu in %.80s", d->name,
			     (unsigned long long)d->own.count, (unsigned long long)d->old.count,
			     elder);
}

const char *ckpt_siblings_words(const struct ckpt_siblings *s, const char *elder, char *buf,
				size_t size)
{
	_cleanup_str_ struct ckpt_str words = { 0 };

	if (s->types.n)
		say_types(&words, &s->types, elder);
	end_clause(&words, s->types.n);
	if (s->sizes.n && words.s)
		ckpt_str_add(&words, "; ");
	if (s->sizes.n)
		say_sizes(&words, &s->sizes, elder);
	end_clause(&words, s->sizes.n);
	if (s->gone.n)
		ckpt_str_add(&words, "%sno %.80s, which %.80s has", words.s ? "; " : "",
			     s->gone.name, elder);
	end_clause(&words, s->gone.n);
	if (s->fresh.n)
		ckpt_str_add(&words, "%s%.80s is new", words.s ? "; " : "", s->fresh.name);
	end_clause(&words, s->fresh.n);
	snprintf(buf, size, "%s", words.s ? words.s : "");
	return buf;
}
