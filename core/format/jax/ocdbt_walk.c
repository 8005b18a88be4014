/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over an OCDBT tree, see ocdbt.h: from the manifest down to each value. One node a level
 * is held; what all of them take, and what is decoded in all, is bounded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/jax/ocdbt.h"
#include "core/format/jax/ocdbt_node.h"
#include "core/format/jax/ocdbt_object.h"
#include "wire/text.h"

/* Bytes for the decoded nodes on the way to a leaf. Orbax makes single nodes of what others split,
 * some 200 bytes an array and 60 a chunk. */
#define MEMORY ((size_t)40 * 1024 * 1024)
/* What nodes may decode to in all: some 0.1 s, and what zstd makes of repetitive names. */
#define WORK_FLOOR ((uint64_t)64 * 1024 * 1024)
#define WORK_RATIO 128
#define FILES 8 /* kept open: values of one array lie in as many as hosts wrote it */

struct open_file {
	char *path; /* below the store; owned; NULL: unused */
	struct ckpt_file file;
};

struct ckpt_ocdbt_walk {
	const struct ckpt_ocdbt_job *job;
	struct ckpt_check *check;
	size_t memory; /* left */
	uint64_t work; /* left */
	struct open_file files[FILES];
	unsigned next_file; /* whose place the next one takes */
	struct level *level;
};

/* One node on the way down. */
struct level {
	struct ckpt_ocdbt_body body;
	struct ckpt_ocdbt_table table;
	struct ckpt_ocdbt_entries entries;
	struct ckpt_ocdbt_entry entry;
	const char *base; /* what all paths of the table begin with; borrowed */
	size_t n_base;
	char *key; /* the prefix, then the entry's; owned */
	size_t n_prefix;
	size_t charged;
};

/* A node, as its parent knows it. */
struct target {
	const struct ckpt_ocdbt_table *table;
	struct ckpt_ocdbt_ref ref;
	const char *base, *prefix; /* base: of the parent's paths */
	size_t n_base, n_prefix;
};

static void level_done(struct ckpt_ocdbt_walk *walk, struct level *level)
{
	walk->memory += level->charged;
	ckpt_ocdbt_body_done(&level->body);
	ckpt_ocdbt_table_done(&level->table);
	free(level->key);
	free(level);
}

static void charge(struct ckpt_ocdbt_walk *walk, struct level *level, size_t n)
{
	walk->memory -= n;
	level->charged += n;
}

static int no_memory(struct ckpt_ocdbt_walk *walk)
{
	return ckpt_fail(walk->check->err, -ENOMEM, "no memory to walk the tree of %s",
			 CKPT_QUOTE(walk->check->name));
}

/* Opens @path into a slot that is free now. 0, INCOMPLETE where it is missing, or an errno. */
static int open_into(struct ckpt_ocdbt_walk *walk, struct open_file *slot, const char *path)
{
	_cleanup_free_ char *below = NULL;
	struct ckpt_check *check = walk->check;
	int r;

	if (asprintf(&below, "./%s%s", walk->job->prefix, path) < 0)
		return no_memory(walk);
	r = ckpt_file_open(check->ctx, check->dirfd, below, &slot->file, check->err);
	if (r == -ENOENT || r == -ENOTDIR)
		return ckpt_check_blame(check, below + 2,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_MEMBER_MISSING,
							  CKPT_NO_OFFSET, NULL,
							  "it is missing, and the tree refers to "
							  "it"));
	if (r > 0)
		return ckpt_check_blame(check, below + 2,
					ckpt_check_reject(check, CKPT_UNREADABLE,
							  CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
							  "not a regular file"));
	if (r < 0)
		return r;
	memmove(slot->file.name, slot->file.name + 2, strlen(slot->file.name + 2) + 1);
	slot->path = strdup(path);
	return slot->path ? 0 : no_memory(walk);
}

/* Borrows the data file @path, below the store. As a check function. */
static int use_file(struct ckpt_ocdbt_walk *walk, const char *path, const struct ckpt_file **ret)
{
	struct open_file *slot;
	int r;

	for (size_t i = 0; i < FILES; i++)
		if (walk->files[i].path && strcmp(walk->files[i].path, path) == 0) {
			*ret = &walk->files[i].file;
			return 0;
		}
	slot = &walk->files[walk->next_file++ % FILES];
	ckpt_file_done(&slot->file);
	free(slot->path);
	*slot = (struct open_file) { .file = CKPT_FILE_INIT };
	r = open_into(walk, slot, path);
	if (r == 0)
		*ret = &slot->file;
	return r;
}

/* The file that @ref of a table lies in. As a check function. */
static int locate(struct ckpt_ocdbt_walk *walk, const struct target *t,
		  const struct ckpt_file **ret)
{
	_cleanup_free_ char *path = NULL;

	if (t->ref.file >= t->table->n)
		return ckpt_check_reject(
			walk->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
			"the tree refers to data file %llu of %llu",
			(unsigned long long)t->ref.file, (unsigned long long)t->table->n);
	if (asprintf(&path, "%.*s%s", (int)t->n_base, t->base, t->table->paths[t->ref.file].text) <
	    0)
		return no_memory(walk);
	return use_file(walk, path, ret);
}

static int contradicts(struct ckpt_check *check, uint64_t off, const char *what)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, NULL,
				 "%s contradicts itself behind a right checksum", what);
}

/* Reads the node and takes its columns apart. */
static int load(struct ckpt_ocdbt_walk *walk, struct ckpt_check *sub, const struct target *t,
		struct level *level)
{
	const struct ckpt_ocdbt_place place = { t->ref.off, t->ref.len, CKPT_OCDBT_NODE_MAGIC };
	size_t max = walk->memory < walk->work ? walk->memory : (size_t)walk->work;
	int r = ckpt_ocdbt_load(sub, &place, max, &level->body);

	if (r)
		return r;
	charge(walk, level, level->body.n);
	walk->work -= level->body.n;
	r = ckpt_ocdbt_node_read((struct ckpt_bytes) { level->body.bytes, level->body.n },
				 walk->memory, &level->table, &level->entries);
	if (r < 0)
		return r;
	charge(walk, level, level->table.size);
	if (r || level->entries.height != t->ref.height)
		return contradicts(sub, t->ref.off, "a node of the tree");
	return 0;
}

/* Reads the node @t into a new level, on top. As a check function. */
static int descend(struct ckpt_ocdbt_walk *walk, const struct target *t, struct level **ret)
{
	struct ckpt_check sub = *walk->check;
	const struct ckpt_file *file;
	struct level *level;
	int r = locate(walk, t, &file);

	if (r)
		return r;
	if (walk->memory < 2 * CKPT_OCDBT_KEY_MAX + 1)
		return -E2BIG;
	level = calloc(1, sizeof(*level));
	if (!level)
		return no_memory(walk);
	*ret = level;
	level->key = malloc(2 * CKPT_OCDBT_KEY_MAX + 1);
	if (!level->key)
		return no_memory(walk);
	charge(walk, level, 2 * CKPT_OCDBT_KEY_MAX + 1);
	level->n_prefix = t->n_prefix;
	if (t->n_prefix)
		memcpy(level->key, t->prefix, t->n_prefix);
	sub.file = (struct ckpt_file *)file;
	sub.name = file->name;
	return load(walk, &sub, t, level);
}

/* Hands one value on, once it is known to lie in its file. */
static int visit_value(struct ckpt_ocdbt_walk *walk, const struct target *t,
		       struct ckpt_ocdbt_value *value)
{
	struct ckpt_check sub = *walk->check;
	uint64_t end;
	int r;

	if (value->bytes)
		return walk->job->value(walk->job->arg, value);
	r = locate(walk, t, &value->file);
	if (r)
		return r;
	if (!__builtin_add_overflow(value->off, value->len, &end) && end <= value->file->size)
		return walk->job->value(walk->job->arg, value);
	sub.file = (struct ckpt_file *)value->file;
	return ckpt_check_reject(&sub, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, value->file->size,
				 value->key, "it has %llu bytes, a value needs %llu at byte %llu",
				 (unsigned long long)value->file->size,
				 (unsigned long long)value->len, (unsigned long long)value->off);
}

static int visit_leaf_entry(struct ckpt_ocdbt_walk *walk, struct level *level)
{
	const struct ckpt_ocdbt_entry *entry = &level->entry;
	const struct target t = { .table = &level->table,
				  .ref = entry->ref,
				  .base = level->base,
				  .n_base = level->n_base };
	struct ckpt_ocdbt_value value = { .walk = walk,
					  .key = level->key,
					  .n_key = level->n_prefix + entry->n_key,
					  .bytes = entry->here ? entry->bytes.p : NULL,
					  .off = entry->here ? 0 : entry->ref.off,
					  .len = entry->ref.len };

	walk->level = level;
	level->key[value.n_key] = '\0';
	return visit_value(walk, &t, &value);
}

static int visit_node(struct ckpt_ocdbt_walk *walk, const struct target *t);

static int visit_entry(struct ckpt_ocdbt_walk *walk, struct level *level)
{
	const struct ckpt_ocdbt_entry *entry = &level->entry;
	const struct target below = { .table = &level->table,
				      .ref = entry->ref,
				      .base = level->base,
				      .n_base = level->n_base,
				      .prefix = level->key,
				      .n_prefix = level->n_prefix + entry->common };

	if (level->entries.height == 0)
		return visit_leaf_entry(walk, level);
	if (below.n_prefix > CKPT_OCDBT_KEY_MAX)
		return contradicts(walk->check, CKPT_NO_OFFSET, "a key of the tree");
	return visit_node(walk, &below);
}

/* The part of the node's own path that its children's begin with, behind the parent's. */
static int inherit(const struct target *t, struct level *level, char **ret)
{
	const struct ckpt_ocdbt_path *path = &t->table->paths[t->ref.file];

	if (asprintf(ret, "%.*s%.*s", (int)t->n_base, t->base, (int)path->base, path->text) < 0) {
		*ret = NULL;
		return -ENOMEM;
	}
	level->base = *ret;
	level->n_base = strlen(*ret);
	return level->n_base > CKPT_OCDBT_PATH_MAX ? -E2BIG : 0;
}

/* The node @t and all below it: heights fall by one, so this ends. As a check function. */
static int visit_node(struct ckpt_ocdbt_walk *walk, const struct target *t)
{
	_cleanup_free_ char *base = NULL;
	struct level *level = NULL;
	int r = descend(walk, t, &level);

	r = r ? r : inherit(t, level, &base);
	while (r == 0 && level->entries.left > 0) {
		r = ckpt_ctx_expired(walk->check->ctx);
		r = r ? r
		    : ckpt_ocdbt_entry_next(&level->entries, level->key + level->n_prefix,
					    &level->entry)
			    ? contradicts(walk->check, CKPT_NO_OFFSET, "a node of the tree")
			    : visit_entry(walk, level);
	}
	if (level)
		level_done(walk, level);
	return r;
}

/* Decodes the manifest, which was found whole. */
static int read_manifest(struct ckpt_ocdbt_walk *walk, struct ckpt_ocdbt_newest *ret)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_ocdbt_place place = { .magic = CKPT_OCDBT_MANIFEST_MAGIC };
	struct ckpt_ocdbt_body body = { 0 };
	struct ckpt_check sub = *walk->check;
	char path[1024];
	int r;

	snprintf(path, sizeof(path), "%s" CKPT_OCDBT_MANIFEST, walk->job->prefix);
	r = ckpt_file_open(sub.ctx, sub.dirfd, path, &file, sub.err);
	if (r)
		return r > 0 ? -EAGAIN : r;
	sub.name = path;
	sub.file = &file;
	place.len = file.size;
	r = ckpt_ocdbt_load(&sub, &place, walk->memory, &body);
	if (r == 0)
		r = ckpt_ocdbt_manifest_read((struct ckpt_bytes) { body.bytes, body.n },
					     walk->memory, ret);
	ckpt_ocdbt_body_done(&body);
	return r == 1 && sub.report->verdict.status == CKPT_VALID
		       ? contradicts(&sub, 0, "the manifest")
		       : r;
}

static int walk_newest(struct ckpt_ocdbt_walk *walk)
{
	struct ckpt_ocdbt_newest newest = { 0 };
	struct target root = { .table = &newest.table, .base = "" };
	int r = read_manifest(walk, &newest);

	if (r == 0 && newest.apart)
		ckpt_check_cap(walk->check, CKPT_EVIDENCE_OPAQUE,
			       "OCDBT with numbered manifests is not looked into");
	root.ref = newest.root;
	if (r == 0 && !newest.apart && !newest.hollow)
		r = visit_node(walk, &root);
	ckpt_ocdbt_table_done(&newest.table);
	return r;
}

int ckpt_ocdbt_tree(const struct ckpt_ocdbt_job *job)
{
	struct ckpt_ocdbt_walk walk = {
		.job = job, .check = job->check, .memory = MEMORY, .work = WORK_FLOOR
	};
	uint64_t more;
	int r;

	if (__builtin_mul_overflow(job->bytes, WORK_RATIO, &more) ||
	    __builtin_add_overflow(walk.work, more, &walk.work))
		walk.work = UINT64_MAX;
	for (size_t i = 0; i < FILES; i++)
		walk.files[i].file = (struct ckpt_file)CKPT_FILE_INIT;
	r = walk_newest(&walk);
	for (size_t i = 0; i < FILES; i++) {
		ckpt_file_done(&walk.files[i].file);
		free(walk.files[i].path);
	}
	if (r != -E2BIG)
		return r;
	ckpt_check_cap(job->check, CKPT_EVIDENCE_OPAQUE, "its tree is too large to be walked");
	return 0;
}

bool ckpt_ocdbt_ahead(const struct ckpt_ocdbt_value *value, const char *key,
		      struct ckpt_ocdbt_value *ret)
{
	struct level *level = value->walk->level;
	struct ckpt_ocdbt_entries entries = level->entries;
	struct ckpt_ocdbt_entry entry = level->entry;
	_cleanup_free_ char *own = malloc(CKPT_OCDBT_KEY_MAX + 1);
	size_t n = strlen(key);

	if (!own || n < level->n_prefix || memcmp(key, level->key, level->n_prefix) != 0)
		return false;
	memcpy(own, level->key + level->n_prefix, entry.n_key);
	while (entries.left > 0 && ckpt_ocdbt_entry_next(&entries, own, &entry) == 0) {
		if (entry.n_key != n - level->n_prefix ||
		    memcmp(own, key + level->n_prefix, entry.n_key) != 0)
			continue;
		*ret = (struct ckpt_ocdbt_value) { .walk = value->walk,
						   .bytes = entry.here ? entry.bytes.p : NULL,
						   .len = entry.ref.len };
		return entry.here;
	}
	return false;
}
