/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See list_columns.h.
 */
#include "cli/list_columns.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "core/resolve/trail.h"

enum column {
	NAME,
	ROLE,
	EPOCH,
	STEP,
	LOSS,
	SIZE,
	AGE,
	VERDICT,
	EVIDENCE,
	FORMAT,
	PROBLEM,
	WHY,
	DIR_,
	LABEL
};

const struct ckpt_column ckpt_list_columns[] = {
	[NAME] = { "NAME", false, "file, directory, or a bundle's prefix" },
	[ROLE] = { "ROLE", false, "numbered, last, best, named, superseded, pretrained" },
	[EPOCH] = { "EPOCH", true, "as the content has it, else the name" },
	[STEP] = { "STEP", true, "the same for the step" },
	[LOSS] = { "LOSS", true, "loss or score that the content names" },
	[SIZE] = { "SIZE", true, "of all files that belong to it" },
	[AGE] = { "AGE", true, "since it was last written" },
	[VERDICT] = { "VERDICT", false, "valid, incomplete, corrupt, unreadable, missing" },
	[EVIDENCE] = { "EVIDENCE", false, "what valid rests on: structure, checksum, ..." },
	[FORMAT] = { "FORMAT", false, "what its content turned out to be" },
	[PROBLEM] = { "PROBLEM", false, "what is wrong with it, in a word" },
	[WHY] = { "WHY", false, "the verdict in words: what is wrong, and in which file" },
	[DIR_] = { "DIR", false, "the directory it lies in" },
	[LABEL] = { "LABEL", false, "best, epoch, step, loss and size as training UIs show them" },
	{ NULL, false, NULL },
};

static const char *cell_position(const struct ckpt_set *set, int column, char *buf, size_t size)
{
	struct ckpt_position p = ckpt_order_position(set);

	if (column == EPOCH)
		return p.has_epoch ? ckpt_text_number(buf, size, p.epoch) : NULL;
	if (column == STEP && p.has_step)
		snprintf(buf, size, "%lld", (long long)p.step);
	else if (column == LOSS && p.has_loss)
		snprintf(buf, size, "%.4f", p.loss);
	else
		return NULL;
	return buf;
}

/* What the check saw, else what stat says; false where neither could. */
static bool size_of(const struct ckpt_set *set, uint64_t *ret)
{
	if (set->report && set->report->verdict.size_bytes > 0) {
		*ret = set->report->verdict.size_bytes;
		return true;
	}
	return ckpt_set_size(set, ret) == 0;
}

static const char *cell_file(const struct ckpt_set *set, int column, char *buf, size_t size)
{
	struct ckpt_identity id = { 0 };
	uint64_t bytes;

	if (column == SIZE)
		return size_of(set, &bytes) ? ckpt_text_size(buf, size, bytes) : NULL;
	if (set->report)
		id = set->report->identity;
	if (id.mtime_ns == 0 && ckpt_set_identity(set, &id) < 0)
		return NULL;
	return ckpt_text_age(buf, size, (int64_t)time(NULL) - id.mtime_ns / 1000000000);
}

static const char *cell_verdict(const struct ckpt_report *report, int column,
				const char **ret_color)
{
	if (!report)
		return NULL;
	switch (column) {
	case VERDICT:
		*ret_color = report->verdict.status == CKPT_VALID	 ? "green"
			     : report->verdict.status == CKPT_UNREADABLE ? "yellow"
									 : "red";
		return ckpt_status_name(report->verdict.status);
	case EVIDENCE:
		return report->verdict.status == CKPT_VALID
			       ? ckpt_evidence_name(report->verdict.evidence)
			       : NULL;
	case FORMAT:
		return report->format ? report->format->name : NULL;
	default:
		return report->verdict.problem.code
			       ? ckpt_problem_name(report->verdict.problem.code)
			       : NULL;
	}
}

/* "BEST | Epoch 2 | Step 1000 | (Loss: 0.3542) | [487.3 MB]" */
static const char *cell_label(const struct ckpt_set *set, char *buf, size_t size)
{
	struct ckpt_position p = ckpt_order_position(set);
	_cleanup_str_ struct ckpt_str label = { 0 };
	char text[32];
	uint64_t bytes;

	if (set->role == CKPT_ROLE_BEST)
		ckpt_str_add(&label, "BEST | ");
	else if (set->role == CKPT_ROLE_LAST)
		ckpt_str_add(&label, "LAST | ");
	if (p.has_epoch)
		ckpt_str_add(&label, "Epoch %s | ", ckpt_text_number(text, sizeof(text), p.epoch));
	if (p.has_step)
		ckpt_str_add(&label, "Step %lld | ", (long long)p.step);
	if (p.has_loss)
		ckpt_str_add(&label, "(Loss: %.4f) | ", p.loss);
	ckpt_str_add(&label, "[%s]",
		     size_of(set, &bytes) ? ckpt_text_size(text, sizeof(text), bytes) : "?");
	snprintf(buf, size, "%s", label.s ? label.s : "");
	return buf;
}

const char *ckpt_list_cell(const void *row, int column, char *buf, size_t size,
			   const char **ret_color)
{
	const struct ckpt_set *set = row;

	switch (column) {
	case NAME:
		return set->name;
	case ROLE:
		return ckpt_role_name(set->role);
	case DIR_:
		return set->dir;
	case EPOCH:
	case STEP:
	case LOSS:
		return cell_position(set, column, buf, size);
	case SIZE:
	case AGE:
		return cell_file(set, column, buf, size);
	case LABEL:
		return cell_label(set, buf, size);
	case WHY:
		return set->report ? ckpt_report_words(buf, size, set->report, set->name) : NULL;
	}
	return cell_verdict(set->report, column, ret_color);
}
