/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See settling.h.
 */
#include <fcntl.h>
#include <string.h>

#include "core/base/copy.h"
#include "core/base/file.h"
#include "core/catalog/order.h"
#include "core/record/epoch_info.h"
#include "core/record/pointer.h"
#include "core/record/state.h"
#include "core/resolve/decide.h"
#include "core/resolve/events.h"
#include "core/resolve/settling.h"
#include "core/resolve/trail.h"

/* Law 9 for epoch_info.json. */
static void align_epoch_info(struct ckpt_settling *s, int dirfd, int statefd)
{
	const struct ckpt_decision *d = &s->res->decision;
	struct ckpt_epoch_record record = {
		.position = ckpt_order_position(s->res->chosen),
		.has_last = s->res->epochs.has_completed,
		.last_completed_epoch = s->res->epochs.completed,
		.checkpoint = d->tag,
		.reason = d->reason,
		.job_id = d->job_id,
		.attempt = d->attempt,
	};
	struct ckpt_error err = { 0 };
	int r;

	if (!record.has_last) {
		if (ckpt_dir_has(dirfd, CKPT_EPOCH_INFO))
			ckpt_resolution_warn(s->res,
					     "epoch_info.json is left as it is: the epoch that %s "
					     "completed is not known",
					     d->tag);
		return;
	}
	r = ckpt_epoch_info_align(s->ctx, dirfd, statefd, &record, &err);
	if (r == 0) {
		ckpt_resolution_warn(
			s->res, "epoch_info.json now says last_completed_epoch %lld, as %s does",
			(long long)record.last_completed_epoch, d->tag);
		ckpt_settling_append(s, ckpt_event_align(s->req, CKPT_EPOCH_INFO, d->tag));
	} else if (r < 0) {
		ckpt_resolution_warn(s->res, "epoch_info.json could not be aligned: %s", err.text);
	}
}

static void align_pointer(struct ckpt_settling *s, int dirfd, int statefd,
			  const struct ckpt_pointer_row *row)
{
	const struct ckpt_decision *d = &s->res->decision;
	const struct ckpt_pointer_subject subject = ckpt_decide_subject(s->res->chosen);
	const struct ckpt_pointer_aim aim = {
		.target = d->tag,
		.ranks = subject.ranks,
		.backup_dirfd = statefd,
		.attempt = d->attempt,
	};
	struct ckpt_error err = { 0 };
	int r;

	if (!ckpt_pointer_applies(row, &subject))
		return;
	r = row->align(s->ctx, dirfd, row, &aim, &err);
	if (r == 0) {
		ckpt_resolution_warn(s->res, "the pointer file `%s` now names %s", row->file,
				     d->tag);
		ckpt_settling_append(s, ckpt_event_align(s->req, row->file, d->tag));
	} else if (r < 0) {
		ckpt_resolution_warn(s->res, "the pointer file `%s` could not be aligned: %s",
				     row->file, err.text);
	}
}

/* Whether there is anything to align: what a start for fine-tuning takes may be anybody's. */
static bool is_wanted(const struct ckpt_settling *s)
{
	return s->res->chosen && strcmp(s->req->align, "no") != 0 &&
	       strcmp(s->res->decision.mode, "resume") == 0;
}

void ckpt_align(struct ckpt_settling *s)
{
	_cleanup_close_ int dirfd = -1, statefd = -1;

	if (!is_wanted(s))
		return;
	dirfd = ckpt_dir_open(AT_FDCWD, s->res->chosen->dir, NULL);
	statefd = dirfd < 0 ? -1 : ckpt_state_make(dirfd, NULL);
	if (statefd < 0)
		return;
	align_epoch_info(s, dirfd, statefd);
	for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; row->file; row++)
		align_pointer(s, dirfd, statefd, row);
}

/* Whether a checkpoint @name beside the chosen one was rejected in this decision. */
static bool was_rejected(const struct ckpt_resolution *res, const char *name)
{
	for (size_t i = 0; i < res->n_trail; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];

		if (e->fate == CKPT_FATE_REJECTED && e->set && strcmp(e->set->name, name) == 0 &&
		    strcmp(e->set->dir, res->chosen->dir) == 0)
			return true;
	}
	return false;
}

static void align_copy(struct ckpt_settling *s, int dirfd, const char *file)
{
	const char *tag = s->res->decision.tag;
	struct ckpt_error err = { 0 };

	if (ckpt_file_copy(s->ctx, dirfd, tag, file, &err) < 0) {
		ckpt_resolution_warn(s->res,
				     "a program that looks for %s finds none and may begin anew: "
				     "%s",
				     file, err.text);
		return;
	}
	ckpt_resolution_warn(s->res, "%s is a copy of %s now", file, tag);
	ckpt_settling_append(s, ckpt_event_align(s->req, file, tag));
}

void ckpt_align_copies(struct ckpt_settling *s)
{
	_cleanup_close_ int dirfd = -1;
	struct ckpt_pointer_subject subject;

	if (!is_wanted(s))
		return;
	dirfd = ckpt_dir_open(AT_FDCWD, s->res->chosen->dir, NULL);
	subject = ckpt_decide_subject(s->res->chosen);
	for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; dirfd >= 0 && row->file; row++)
		if (row->copied && ckpt_pointer_applies(row, &subject) &&
		    was_rejected(s->res, row->file) && !ckpt_dir_has(dirfd, row->file))
			align_copy(s, dirfd, row->file);
}
