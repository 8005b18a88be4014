/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See container.h.
 */
#include "core/format/archive/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/opaque.h"
#include "core/format/archive/unpack.h"
#include "wire/text.h"

/* Sixteen of them. */
#define SKIPPABLE 0x184d2a50u
#define SKIPPABLE_MASK 0xfffffff0u

static void note(struct ckpt_check *check, const char *text)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	snprintf(verdict->note, sizeof(verdict->note), "%s", text);
}

int ckpt_container_cut(struct ckpt_check *check, const char *what)
{
	const struct ckpt_head *head = &check->head;
	bool zeros =
		head->n_tail == sizeof(head->tail) && ckpt_bytes_zero(head->tail, head->n_tail);

	return ckpt_check_reject(check, CKPT_INCOMPLETE,
				 zeros ? CKPT_PROBLEM_ZERO_TAIL : CKPT_PROBLEM_TRUNCATED,
				 check->file->size, NULL, "the file ends inside %s", what);
}

int ckpt_container_skip(struct ckpt_check *check, uint64_t *at, uint64_t len, const char *what)
{
	if (len > check->file->size - *at)
		return ckpt_container_cut(check, what);
	*at += len;
	return 0;
}

int ckpt_container_take(struct ckpt_check *check, uint64_t *at, void *buf, size_t len,
			const char *what)
{
	uint64_t from = *at;
	int r = ckpt_container_skip(check, at, len, what);

	return r ? r : ckpt_check_read(check, from, buf, len, what);
}

bool ckpt_container_is_skippable(uint32_t magic)
{
	return (magic & SKIPPABLE_MASK) == SKIPPABLE;
}

int ckpt_container_skip_frame(struct ckpt_check *check, uint64_t *at)
{
	uint8_t size[4];
	int r = ckpt_container_take(check, at, size, sizeof(size), "a frame's header");

	return r ? r
		 : ckpt_container_skip(check, at, ckpt_bytes_le(size, sizeof(size)),
				       "a frame to skip");
}

int ckpt_container_trailing(struct ckpt_check *check, const char *codec, uint64_t off)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, off, NULL,
				 "%llu bytes follow the %s data and are none",
				 (unsigned long long)(check->file->size - off), codec);
}

int ckpt_container_bad(struct ckpt_check *check, uint64_t off, const char *what)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, NULL,
				 "the header of %s at byte %llu is damaged", what,
				 (unsigned long long)off);
}

int ckpt_container_end(struct ckpt_check *check, const char *name)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size,
				 NULL, "its last bytes are not those that end %s data", name);
}

/* Damage at @off; zeros up to the file's end are what was never written. */
static int damaged(struct ckpt_check *check, const char *name, uint64_t off)
{
	const struct ckpt_head *head = &check->head;

	if (head->n_tail == sizeof(head->tail) && ckpt_bytes_zero(head->tail, head->n_tail))
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, off, NULL,
			"the %s data end before byte %llu, zeros follow to the end", name,
			(unsigned long long)off);
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, off, NULL,
				 "the %s data do not decode to what their checksum says, found at "
				 "byte %llu",
				 name, (unsigned long long)off);
}

/* What the decoder's @r means for the file. 0 where only a weaker verdict follows. */
static int judge(struct ckpt_check *check, const struct ckpt_codec *codec, int r, uint64_t off)
{
	switch ((enum ckpt_decode_result)r) {
	case CKPT_DECODE_END:
		break;
	case CKPT_DECODE_SHORT:
		return ckpt_container_cut(check, "the compressed data");
	case CKPT_DECODE_BAD:
		return damaged(check, codec->name, off);
	case CKPT_DECODE_TRAILING:
		return ckpt_container_trailing(check, codec->name, off);
	case CKPT_DECODE_CANNOT:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, off, NULL,
					 "the %s data need %s", codec->name, codec->limits);
	}
	return 0;
}

void ckpt_container_adopt(struct ckpt_report *report, const struct ckpt_report *own)
{
	report->inner = own->inner ? own->inner : own->format;
	report->position = own->position;
	if (report->position.has_epoch && report->position.meaning == CKPT_EPOCH_UNKNOWN &&
	    own->format)
		report->position.meaning = own->format->epoch_meaning;
	report->contents = own->contents;
	report->world = own->world;
	report->tensors = own->tensors;
	report->n_keys = own->n_keys;
	report->keys_cut = own->keys_cut;
	memcpy(report->keys, own->keys, sizeof(report->keys));
	memcpy(report->framework, own->framework, sizeof(report->framework));
}

/*
 * Zeros at the end of what no row knows are no sign of a writer that died, where they were packed
 * with the rest.
 */
static bool is_meant(const struct ckpt_report *own)
{
	return own->format == &ckpt_format_opaque &&
	       own->verdict.problem.code == CKPT_PROBLEM_ZERO_TAIL;
}

/* The verdict on the inside becomes the file's; offsets in it are of what was unpacked. */
static int take_verdict(struct ckpt_check *check, const struct ckpt_report *own, int r)
{
	const struct ckpt_problem *problem = &own->verdict.problem;
	char at[64] = "";

	if (problem->offset != CKPT_NO_OFFSET)
		snprintf(at, sizeof(at), " (byte %llu of what it unpacks to)",
			 (unsigned long long)problem->offset);
	if (is_meant(own))
		return 0;
	if (r > 0)
		return ckpt_check_reject(check, own->verdict.status, problem->code, CKPT_NO_OFFSET,
					 problem->member, "inside: %s%s", problem->detail, at);
	if (problem->code != CKPT_PROBLEM_NONE)
		ckpt_check_remark(check, problem->code, CKPT_NO_OFFSET, "inside: %s%s",
				  problem->detail, at);
	if (own->verdict.evidence > check->report->verdict.evidence) {
		check->report->verdict.evidence = own->verdict.evidence;
		note(check, own->verdict.note);
	} else if (own->verdict.evidence < CKPT_EVIDENCE_STRUCTURE && own->verdict.note[0]) {
		note(check, own->verdict.note);
	}
	return 0;
}

/* Judges what @file unpacks to by its own row. */
static int judge_inside(struct ckpt_check *check, struct ckpt_file *file, struct ckpt_report *own)
{
	struct ckpt_check sub = { .ctx = file->ctx,
				  .kind = CKPT_KIND_FILE,
				  .dirfd = check->dirfd,
				  .name = check->name,
				  .file = file,
				  .depth = check->depth + 1,
				  .report = own,
				  .err = check->err };
	int r = ckpt_check_run(&sub, check->level);

	check->ctx->bytes_read += file->ctx->bytes_read; /* of files beside it */
	if (r == -EDQUOT || r == -ETIMEDOUT) {
		note(check, "not all of what it unpacks to was looked at: budget");
		return 0;
	}
	if (r < 0)
		return r;
	r = take_verdict(check, own, r);
	ckpt_container_adopt(check->report, own);
	return r;
}

static int look_inside(struct ckpt_check *check, struct ckpt_unpack *u)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	struct ckpt_ctx ctx = { .seam = check->ctx->seam,
				.deadline_ns = check->ctx->deadline_ns,
				.threads = 1,
				.no_recall = check->ctx->no_recall };
	int r;

	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	if (check->depth >= CKPT_CONTAINER_DEPTH) {
		note(check, "archives in archives: the innermost were not looked into");
		return 0;
	}
	r = ckpt_unpack_open(u, &ctx, &file, check->err);
	return r ? r : judge_inside(check, &file, own);
}

int ckpt_container_content(struct ckpt_check *check, const struct ckpt_container *c)
{
	_cleanup_unpack_ struct ckpt_unpack u = { 0 };
	int r = ckpt_unpack_init(&u, c->codec, check->file, check->err);

	if (r == -EDQUOT && u.exhausted) {
		check->report->verdict.evidence = CKPT_EVIDENCE_STRUCTURE;
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "it unpacks to more than %u times its size: not read to its end",
			       (unsigned)c->codec->ratio);
		return 0;
	}
	if (r)
		return r < 0 ? r : judge(check, c->codec, r, ckpt_decoder_offset(&u.decoder));
	check->report->verdict.evidence = c->proves;
	note(check, c->note ? c->note : "");
	if (u.decoder.pad_at < check->file->size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, u.decoder.pad_at,
				  "zeros follow the %s data", c->codec->name);
	return look_inside(check, &u);
}
