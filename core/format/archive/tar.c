/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tar.h. What the archive says of its checkpoint is what its most telling member says: one with
 * an optimizer before weights alone, one with a position before one without.
 */
#include "core/format/archive/tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/archive/container.h"
#include "core/format/opaque.h"
#include "core/format/archive/tar_walk.h"
#include "wire/text.h"

/* The judging of all members. */
struct judging {
	struct ckpt_check *check;
	enum ckpt_level level;
	struct ckpt_report best, own;
	uint64_t known; /* members of a known format */
	enum ckpt_evidence evidence;
	bool unproved; /* bytes in members that no checksum covers */
	bool sparse;   /* members that were not looked into, */
	bool headless; /* and those that their names say are checkpoints, their bytes not */
};

static int telling(const struct ckpt_report *report)
{
	return (int)report->contents * 2 +
	       (report->position.has_step || report->position.has_epoch);
}

/* A member's fault becomes the archive's, with its name. */
static int blame(struct judging *j, const struct ckpt_tar_member *m)
{
	const struct ckpt_problem *problem = &j->own.verdict.problem;

	return ckpt_check_reject(j->check, j->own.verdict.status, problem->code, problem->offset,
				 m->path, "%s%s%s", problem->member, problem->member[0] ? ": " : "",
				 problem->detail);
}

/* Judges the bytes of @m by the row that knows them. */
static int run(struct judging *j, const struct ckpt_tar_member *m)
{
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	struct ckpt_check sub = *j->check;
	int r = ckpt_file_view(j->check->file, m->off, m->size, &view, j->check->err);

	if (r)
		return r == CKPT_FILE_SHORT ? -EAGAIN : r; /* the walk saw that it lies there */
	memset(&j->own, 0, sizeof(j->own));
	sub.file = &view;
	sub.depth++;
	sub.report = &j->own;
	r = ckpt_check_run(&sub, j->level);
	if (j->own.verdict.problem.offset != CKPT_NO_OFFSET)
		j->own.verdict.problem.offset += m->off;
	return r;
}

/* Endings of formats that have rows: what no row knows has lost its head, or never was one. */
static bool is_named(const char *path)
{
	static const char *const endings[] = { ".pt",  ".pth", ".bin", ".safetensors",
					       ".npz", ".npy", ".h5",  ".keras" };

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ckpt_text_ends(path, endings[i]))
			return true;
	return false;
}

static int judge_member(struct judging *j, const struct ckpt_tar_member *m)
{
	int r;

	if (m->size == 0)
		return 0; /* marks and empty __init__ files are meant to be so */
	if (m->sparse) {
		j->unproved = j->sparse = true;
		return 0;
	}
	r = run(j, m);
	if (r < 0)
		return r;
	if (j->own.format == &ckpt_format_opaque) {
		j->unproved = true;
		j->headless = j->headless || is_named(m->path);
		return 0;
	}
	if (r > 0)
		return blame(j, m);
	if (j->known++ == 0 || telling(&j->own) > telling(&j->best))
		j->best = j->own;
	if (j->own.verdict.evidence < j->evidence)
		j->evidence = j->own.verdict.evidence;
	return 0;
}

static int conclude(struct judging *j)
{
	struct ckpt_check *check = j->check;

	if (j->known == 0) {
		if (j->headless)
			check->report->inner = &ckpt_format_opaque;
		ckpt_check_cap(
			check, CKPT_EVIDENCE_OPAQUE, "%s",
			j->sparse ? "its members lie in it without their holes: not looked into"
				  : "no member is of a known format");
		return 0;
	}
	ckpt_container_adopt(check->report, &j->best);
	if (j->unproved)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "tar has no checksum of data, nor have all members one");
	ckpt_check_cap(check, j->evidence, "%s",
		       j->best.verdict.note[0] ? j->best.verdict.note
					       : "tar has no checksum of data");
	return 0;
}

static int walk(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct judging *j = calloc(1, sizeof(*j));
	struct ckpt_tar tar = { .check = check };
	struct ckpt_tar_member member;
	int r = 0;

	if (!j)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	j->check = check;
	j->level = level;
	j->evidence = CKPT_EVIDENCE_CHECKSUM;
	while (r == 0) {
		r = ckpt_tar_next(&tar, &member);
		if (r || tar.end)
			break;
		r = check->depth < CKPT_CONTAINER_DEPTH ? judge_member(j, &member) : 0;
	}
	return r ? r : conclude(j);
}

static bool sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	return head->n_head == CKPT_TAR_BLOCK &&
	       (ckpt_tar_is_header(head->head) || memcmp(head->head + 257, "ustar", 5) == 0);
}

static int structure(struct ckpt_check *check)
{
	return walk(check, CKPT_LEVEL_STRUCTURE);
}

static int content(struct ckpt_check *check)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	verdict->evidence = CKPT_EVIDENCE_CHECKSUM; /* packed members prove nothing until now */
	verdict->note[0] = '\0';
	return walk(check, check->level);
}

const struct ckpt_format ckpt_format_tar = {
	.name = "tar",
	.title = "tar archive",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
