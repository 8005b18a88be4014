/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The row. Structure: superblock, and every object from the root group on. Content: the same, with
 * the checksums of chunks. Version 0 structures have no checksums, so that most flips in them do
 * not show.
 */
#include "core/format/hdf5/hdf5.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"
#include "wire/text.h"

#define SUPERBLOCK 48 /* bytes of it at least */

static void walk_free(struct ckpt_hdf5 **h)
{
	if (*h)
		ckpt_hdf5_objects_done(&(*h)->objects);
	if (*h)
		free((*h)->look);
	free(*h);
}

/*
 * An entry of an old group, or of the superblock, repeats what the header of a group says, unless
 * the group took to another form since (H5G__obj_stab_to_new_format(): external links, an order).
 */
static int as_cached(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	const struct ckpt_hdf5_known *known = &h->objects.list[h->current];

	if (!known->cached || (obj->is_group && obj->table_tree == CKPT_HDF5_NONE) ||
	    known->cached == ckpt_hdf5_cached(obj->table_tree, obj->table_heap))
		return 0;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, known->addr,
				"a group is not where its entry says");
}

static void tell(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	static const char *const classes[] = { "int", "float", "time", "text" };
	struct ckpt_tensor told = { .count = obj->items };
	unsigned size = (unsigned)obj->type_size; /* the file has 32 bits for it */
	char path[256];

	if (!h->told || !obj->has_layout || !obj->has_type || !obj->has_space)
		return;
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	told.name = path;
	for (int i = 0; i < obj->rank; i++)
		told.shape = ckpt_tensor_shape(told.shape, obj->dims[i]);
	if (obj->type_class < 2)
		snprintf(told.type, sizeof(told.type), "%s%s%llu",
			 obj->type_class || obj->is_signed ? "" : "u", classes[obj->type_class],
			 8ULL * size);
	else if (obj->type_class < 4)
		snprintf(told.type, sizeof(told.type), "%s", classes[obj->type_class]);
	else
		snprintf(told.type, sizeof(told.type), "%u B", size);
	h->told->tell(h->told->arg, &told);
}

/* The object's header, then what its messages point at. */
static int visit(struct ckpt_hdf5 *h, uint64_t addr)
{
	struct ckpt_hdf5_object obj;
	int r = ckpt_hdf5_header(h, addr, &obj);

	r = r ? r : ckpt_hdf5_shape(h, &obj, addr);
	r = r ? r : as_cached(h, &obj);
	if (r == 0 && obj.table_tree != CKPT_HDF5_NONE)
		r = ckpt_hdf5_old_group(h, obj.table_tree, obj.table_heap);
	r = r ? r : ckpt_hdf5_dense(h, &obj.links);
	r = r ? r : ckpt_hdf5_dense(h, &obj.attributes);
	r = r ? r : ckpt_hdf5_scalar(h, &obj);
	if (r == 0 && h->told) {
		tell(h, &obj);
		return 0;
	}
	if (r == 0 && obj.has_layout && h->current > 0)
		h->check->report->tensors += !h->content && !h->look;
	if (r == 0 && h->look)
		ckpt_hdf5_look_begin(h, &obj);
	r = r ? r : ckpt_hdf5_data(h, &obj);
	if (r == 0 && h->look)
		ckpt_hdf5_look_end(h, &obj);
	return r;
}

/* Names in the root group that tell what a file of Keras holds. */
static void judge_contents(struct ckpt_report *report)
{
	static const char *const optimizers[] = { "optimizer", "optimizer_weights" };
	static const char *const models[] = { "layers", "model_weights",
					      "_layer_checkpoint_dependencies" };

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (ckpt_report_has_key(report, models[i]))
			report->contents = CKPT_CONTENTS_WEIGHTS;
	for (size_t i = 0; i < sizeof(optimizers) / sizeof(optimizers[0]); i++)
		if (ckpt_report_has_key(report, optimizers[i]))
			report->contents = CKPT_CONTENTS_FULL;
}

/* The root group's members, as far as they are in the table's beginning. */
static void add_keys(struct ckpt_hdf5 *h)
{
	char name[256];

	for (uint32_t i = 1; i < h->objects.n && i <= CKPT_REPORT_KEYS + 1; i++) {
		if (h->objects.list[i].parent != 0)
			break;
		ckpt_hdf5_path(h, i, name, sizeof(name));
		ckpt_report_add_key(h->check->report, name, strlen(name));
	}
	judge_contents(h->check->report);
}

static int walk(struct ckpt_hdf5 *h)
{
	int r = ckpt_hdf5_super(h);

	if (r)
		return r;
	h->left = h->end;
	r = ckpt_hdf5_add(
		h, &(const struct ckpt_hdf5_known) { .addr = h->root, .cached = h->root_cached });
	if (r == 0 && h->extension != CKPT_HDF5_NONE) {
		struct ckpt_hdf5_object extension;

		h->current = UINT32_MAX; /* no member of the tree */
		r = ckpt_hdf5_header(h, h->extension, &extension);
	}
	for (uint32_t i = 0; r == 0 && i < h->objects.n; i++) {
		h->current = i;
		r = visit(h, h->objects.list[i].addr);
		if (r == 0 && i == 0)
			add_keys(h);
	}
	if (r == 0 && h->objects.cut)
		ckpt_check_cap(h->check, CKPT_EVIDENCE_OPAQUE,
			       "more than %u objects: the others were not looked at",
			       CKPT_HDF5_OBJECTS);
	return r;
}

static int run(struct ckpt_check *check, bool content)
{
	_cleanup_(walk_free) struct ckpt_hdf5 *h = calloc(1, sizeof(*h));
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r;

	if (!h)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	h->check = check;
	h->content = content;
	r = walk(h);
	if (r == 0 && content && h->unsummed)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "%llu parts of the file have no checksum",
			       (unsigned long long)h->unsummed);
	if (r == 0 && verdict->status != CKPT_VALID)
		return (int)verdict->status;
	return r;
}

static int hdf5_structure(struct ckpt_check *check)
{
	return run(check, false);
}

static int hdf5_content(struct ckpt_check *check)
{
	return run(check, true);
}

/* The content passed a moment ago: what is damaged now has changed. */
static int hdf5_finite(struct ckpt_check *check)
{
	_cleanup_(walk_free) struct ckpt_hdf5 *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	h->check = check;
	r = ckpt_hdf5_look_new(h);
	r = r ? r : walk(h);
	if (r <= 0)
		return r;
	check->report->verdict.status = CKPT_VALID;
	return ckpt_fail(check->err, -EAGAIN, "%s changed while it was read",
			 CKPT_QUOTE(check->file->name));
}

/* Where the walk ends at a fault, it was most likely what was asked for: a structure that lies
 * there. */
static int answer(struct ckpt_hdf5 *h, int r)
{
	const struct ckpt_problem *p = &h->check->report->verdict.problem;
	const struct ckpt_hdf5_asked *asked = h->asked;

	if (r < 0)
		return r;
	if (r > 0 && (p->offset == CKPT_NO_OFFSET ||
		      !ckpt_extent_meets(asked->extent, p->offset, p->offset + 1)))
		return r;
	if (r > 0)
		*asked->names = (struct ckpt_names) { .n = 0 };
	if (r > 0 || asked->metadata ||
	    ckpt_extent_meets(asked->extent, h->base, h->base + SUPERBLOCK))
		ckpt_names_offer(asked->names, asked->extent, 0, UINT64_MAX, "its metadata");
	return 0;
}

int ckpt_hdf5_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		 struct ckpt_names *names)
{
	_cleanup_(walk_free) struct ckpt_hdf5 *h = calloc(1, sizeof(*h));
	struct ckpt_hdf5_asked asked = { .extent = extent, .names = names };

	if (!h)
		return ckpt_fail(check->err, -ENOMEM, "no memory to look into %s",
				 CKPT_QUOTE(check->file->name));
	h->check = check;
	h->asked = &asked;
	return answer(h, walk(h));
}

int ckpt_hdf5_tensors(struct ckpt_check *check, ckpt_tensor_fn *fn, void *arg)
{
	_cleanup_(walk_free) struct ckpt_hdf5 *h = calloc(1, sizeof(*h));
	const struct ckpt_hdf5_told told = { fn, arg };

	if (!h)
		return ckpt_fail(check->err, -ENOMEM, "no memory to look into %s",
				 CKPT_QUOTE(check->file->name));
	h->check = check;
	h->told = &told;
	return walk(h);
}

static bool hdf5_sniff(const struct ckpt_check *check)
{
	return ckpt_hdf5_find(check) != CKPT_HDF5_NONE;
}

const struct ckpt_format ckpt_format_hdf5 = {
	.name = "hdf5",
	.title = "HDF5 (h5py, Keras weights, NetCDF-4)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = hdf5_sniff,
	.structure = hdf5_structure,
	.content = hdf5_content,
	.finite = hdf5_finite,
	.at = ckpt_hdf5_at,
	.tensors = ckpt_hdf5_tensors,
};
