/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structure: the directory, the three members that Keras always writes, and the stored HDF5 file.
 * Content: all CRCs.
 */
#include "core/format/hdf5/keras.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/hdf5/hdf5.h"
#include "core/format/archive/zip_check.h"
#include "core/format/names_at.h"
#include "wire/text.h"

#define WEIGHTS "model.weights.h5"

static const char *const members[] = { "metadata.json", "config.json", WEIGHTS };

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

/* What was found out about the weights becomes the archive's, in the archive's offsets. */
static int fold(struct ckpt_check *check, const struct ckpt_zip_entry *e,
		const struct ckpt_report *own, int r)
{
	const struct ckpt_problem *p = &own->verdict.problem;
	struct ckpt_report *report = check->report;
	char member[256];

	if (r > 0) {
		snprintf(member, sizeof(member), WEIGHTS "%s%.200s", p->member[0] ? ":" : "",
			 p->member);
		return ckpt_check_reject(check, own->verdict.status, p->code,
					 p->offset == CKPT_NO_OFFSET ? p->offset
								     : e->data_off + p->offset,
					 member, "%s", p->detail);
	}
	report->position = own->position;
	report->contents = own->contents;
	report->tensors = own->tensors;
	for (int i = 0; i < own->n_keys; i++)
		ckpt_report_add_key(report, own->keys[i], strlen(own->keys[i]));
	return r;
}

/* The stored weights as a file of their own, with a report of its own. */
struct weights {
	struct ckpt_file view;
	struct ckpt_report *own;
	struct ckpt_check sub;
};

static void weights_done(struct weights *w)
{
	ckpt_file_done(&w->view);
	free(w->own);
}
#define _cleanup_weights_ _cleanup_(weights_done)

static bool is_weights(const struct ckpt_zip_entry *e)
{
	return strcmp(e->name, WEIGHTS) == 0 && e->method == CKPT_ZIP_STORED &&
	       ckpt_zip_check_readable(e);
}

/* Opens them as a view of the archive. */
static int open_weights(struct ckpt_check *check, const struct ckpt_zip_entry *e, struct weights *w)
{
	int r;

	*w = (struct weights) { .view = CKPT_FILE_INIT, .sub = *check };
	w->own = calloc(1, sizeof(*w->own));
	if (!w->own)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	r = ckpt_file_view(check->file, e->data_off, e->csize, &w->view, check->err);
	if (r)
		return r < 0 ? r : -EAGAIN; /* it was that long before */
	w->sub.file = &w->view;
	w->sub.report = w->own;
	return ckpt_check_probe(&w->sub);
}

static int check_weights(struct ckpt_check *check, const struct ckpt_zip_entry *e)
{
	_cleanup_weights_ struct weights w;
	int r = open_weights(check, e, &w);

	if (r)
		return r;
	if (ckpt_format_hdf5.sniff(&w.sub))
		r = ckpt_format_hdf5.structure(&w.sub);
	else
		r = ckpt_check_reject(&w.sub, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
				      "the weights are no HDF5 file");
	return fold(check, e, w.own, r);
}

static int on_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	unsigned *seen = arg;

	for (size_t i = 0; i < N_MEMBERS; i++)
		*seen |= (unsigned)(strcmp(e->name, members[i]) == 0) << i;
	return is_weights(e) ? check_weights(check, e) : 0;
}

static int keras_structure(struct ckpt_check *check)
{
	struct ckpt_report *report = check->report;
	struct ckpt_zip zip;
	unsigned seen = 0;
	int r = ckpt_zip_check_open(check, &zip);

	r = r ? r : ckpt_zip_check_walk(check, &zip, on_entry, &seen);
	if (r)
		return r;
	if (!report->framework[0])
		snprintf(report->framework, sizeof(report->framework), "Keras 3");
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (!(seen & 1u << i))
			return ckpt_check_reject(
				check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET,
				members[i], "the archive lacks a member that Keras always writes");
	return 0;
}

static int keras_content(struct ckpt_check *check)
{
	return ckpt_zip_check_content(check, NULL);
}

static int look_at_weights(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	const struct ckpt_slice slice = { check->file, e->data_off, e->csize };
	int *found = arg;

	if (!is_weights(e))
		return 0;
	*found = 1;
	return ckpt_check_slice(check, &slice, CKPT_LEVEL_FULL, NULL);
}

/* The archive's own checksums are known to hold: what the weights' format lacks does not lower
 * them. */
static int keras_finite(struct ckpt_check *check)
{
	struct ckpt_verdict before = check->report->verdict;
	struct ckpt_zip zip;
	int found = 0, r = ckpt_zip_check_open(check, &zip);

	r = r ? r : ckpt_zip_check_walk(check, &zip, look_at_weights, &found);
	if (r == 0)
		check->report->verdict = before;
	if (r == 0 && !found)
		ckpt_finiteness_skip(check, 1, "compressed weights");
	return r;
}

struct asked {
	const struct ckpt_extent *extent;
	struct ckpt_names *names;
};

/* What lies in the stored weights, which begin at @e->data_off of the archive. */
static int ask_weights(struct ckpt_check *check, const struct ckpt_zip_entry *e,
		       const struct asked *asked)
{
	struct ckpt_extent inside = *asked->extent;
	_cleanup_weights_ struct weights w;
	int r = open_weights(check, e, &w);

	if (inside.off < e->data_off) {
		inside.len -= e->data_off - inside.off;
		inside.off = e->data_off;
	}
	inside.off -= e->data_off;
	return r ? r : ckpt_hdf5_at(&w.sub, &inside, asked->names);
}

static int ask_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	const struct asked *asked = arg;
	const uint64_t end = e->data_off + e->csize;
	struct ckpt_names before = *asked->names;

	if (!ckpt_extent_meets(asked->extent, e->data_off, end))
		return 0;
	if (is_weights(e) && ask_weights(check, e, asked) == 0)
		return 0;
	*asked->names = before;
	ckpt_names_offer(asked->names, asked->extent, e->data_off, end, e->name);
	return 0;
}

static int keras_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		    struct ckpt_names *names)
{
	struct asked asked = { extent, names };
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	return r ? r : ckpt_zip_check_walk(check, &zip, ask_entry, &asked);
}

struct telling {
	ckpt_tensor_fn *tell;
	void *arg;
};

static int tell_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	const struct telling *telling = arg;
	_cleanup_weights_ struct weights w = { .view = CKPT_FILE_INIT };
	int r = is_weights(e) ? open_weights(check, e, &w) : 0;

	if (r || !w.own)
		return r;
	r = ckpt_hdf5_tensors(&w.sub, telling->tell, telling->arg);
	return fold(check, e, w.own, r);
}

/* Compressed weights are not told. */
static int keras_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	struct telling telling = { tell, arg };
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	return r ? r : ckpt_zip_check_walk(check, &zip, tell_entry, &telling);
}

/* metadata.json alone may be anybody's; it names Keras in its first line. */
static bool keras_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	if (ckpt_zip_check_first_ends(head, WEIGHTS))
		return true;
	return (ckpt_zip_check_first_ends(head, "metadata.json") ||
		ckpt_zip_check_first_ends(head, "config.json")) &&
	       memmem(head->head, head->n_head, "keras", 5) != NULL;
}

const struct ckpt_format ckpt_format_keras = {
	.name = "keras",
	.title = "Keras archive (.keras)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.split = true,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = keras_sniff,
	.structure = keras_structure,
	.content = keras_content,
	.finite = keras_finite,
	.at = keras_at,
	.tensors = keras_tensors,
};
