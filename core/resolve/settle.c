/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See settle.h.
 */
#include "core/resolve/settle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/quarantine.h"
#include "core/record/epoch_info.h"
#include "core/record/ledger.h"
#include "core/record/state.h"
#include "core/resolve/decide.h"
#include "core/resolve/events.h"
#include "core/resolve/trail.h"

/* One settling under way. */
struct settling {
	struct ckpt_ctx *ctx;
	const struct ckpt_request *req;
	struct ckpt_resolution *res;
};

/* Makes @path with its parents and opens it. Descriptor or an errno. */
static int make_path(const char *path, struct ckpt_error *err)
{
	char part[CKPT_PATH_MAX];

	for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		size_t len = slash ? (size_t)(slash - path) : strlen(path);

		if (len >= sizeof(part))
			return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(path));
		memcpy(part, path, len);
		part[len] = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST && !slash)
			return ckpt_fail(err, -errno, "cannot make the run directory %s: %s",
					 CKPT_QUOTE(part), strerror(errno));
		if (!slash)
			return ckpt_dir_open(AT_FDCWD, path, err);
	}
}

/* Opens the state directory of @root; makes both where this attempt begins the run. */
static int open_state(const struct settling *s, const char *root, struct ckpt_error *err)
{
	bool make =
		s->res->first && !s->req->in_hook && strcmp(s->res->decision.mode, "refused") != 0;
	_cleanup_close_ int dirfd = -1;

	dirfd = make ? make_path(root, err) : ckpt_dir_open(AT_FDCWD, root, err);
	if (dirfd < 0)
		return dirfd;
	return make ? ckpt_state_make(dirfd, err) : ckpt_state_open(dirfd, err);
}

/* Whether @id is the file that this attempt starts from, by whatever name. */
static bool is_base(const struct ckpt_resolution *res, const struct ckpt_identity *id)
{
	const struct ckpt_identity *base = res->chosen ? &res->chosen->report->identity : NULL;

	return base && base->ino == id->ino && base->size == id->size &&
	       base->mtime_ns == id->mtime_ns;
}

static int note_catalog(const struct ckpt_resolution *res, const struct ckpt_catalog *cat,
			struct ckpt_mark *mark)
{
	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_identity id;

		if (ckpt_set_identity(&cat->sets[i], &id) == 0 && !is_base(res, &id) &&
		    ckpt_mark_add(mark, cat->sets[i].name, &id) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What is there and is not where this run begins. */
static int note_foreign(const struct settling *s, struct ckpt_mark *mark)
{
	if (note_catalog(s->res, &s->res->former, mark) < 0 ||
	    note_catalog(s->res, &s->res->catalog, mark) < 0)
		return -ENOMEM;
	ckpt_mark_sort(mark);
	return 0;
}

static int fill_mark(const struct settling *s, struct ckpt_mark *mark)
{
	const struct ckpt_run_state *state = &s->res->state;
	const struct ckpt_decision *d = &s->res->decision;

	ckpt_text_copy(mark->run, sizeof(mark->run), d->run);
	ckpt_text_copy(mark->cluster, sizeof(mark->cluster), s->req->cluster);
	ckpt_text_copy(mark->base_mode, sizeof(mark->base_mode), d->mode);
	mark->job_id = s->req->job_id;
	mark->array_task = s->req->array_task;
	if (state->have_mark && !state->ours) {
		ckpt_text_copy(mark->continues, sizeof(mark->continues), state->mark.run);
		mark->continues_job = state->mark.job_id;
	}
	if (s->res->chosen) {
		struct ckpt_position position = ckpt_order_position(s->res->chosen);

		ckpt_mark_set_base(mark, d->tag, &position);
	}
	return note_foreign(s, mark);
}

/* Attempt 0's mark, in every run directory that takes it. */
static void leave_marks(struct settling *s)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	struct ckpt_error err = { 0 };
	int marked = 0;

	if (!s->res->first || s->req->in_hook || s->req->job_id == 0 ||
	    (!s->res->decision.run[0] && ckpt_run_id(s->res->decision.run) < 0) ||
	    fill_mark(s, &mark) < 0)
		return;
	for (int i = 0; i < s->res->roots.n; i++) {
		_cleanup_close_ int statefd = open_state(s, s->res->roots.dir[i], &err);

		if (statefd >= 0 && ckpt_mark_store(statefd, &mark, &err) == 0)
			marked++;
	}
	if (marked == 0)
		ckpt_resolution_warn(
			s->res,
			"no mark could be left in %s (%s): a later attempt will not start "
			"without it; --ckpt-state=DIR names another place",
			s->res->roots.dir[0], err.text);
}

/* decision-CLUSTER-JOB-ATTEMPT.json in every state directory; the first one is the job's
 * CKPT_DECISION. */
static void store_decision(struct settling *s)
{
	struct ckpt_decision *d = &s->res->decision;
	char name[160];

	if (s->req->job_id == 0)
		return;
	snprintf(name, sizeof(name), "decision-%s-%lld-%lld.json", s->req->cluster,
		 (long long)d->job_id, (long long)d->attempt);
	for (int i = 0; i < s->res->roots.n; i++) {
		const char *root = s->res->roots.dir[i];
		_cleanup_close_ int statefd = open_state(s, root, NULL);
		_cleanup_json_ cJSON *json = NULL;
		bool first = !d->decision_file[0];

		if (statefd < 0)
			continue;
		if (first)
			snprintf(d->decision_file, sizeof(d->decision_file), "%s/%s/%s", root,
				 CKPT_STATE_DIR, name);
		json = ckpt_resolution_json(s->res);
		if ((!json || ckpt_json_store(statefd, name, json, NULL) < 0) && first)
			d->decision_file[0] = '\0';
	}
}

static void append_event(struct settling *s, cJSON *event)
{
	_cleanup_json_ cJSON *owned = event;

	for (int i = 0; owned && i < s->res->roots.n; i++) {
		_cleanup_close_ int statefd = open_state(s, s->res->roots.dir[i], NULL);
		struct ckpt_error err = { 0 };

		if (statefd >= 0 && ckpt_ledger_append(statefd, owned, &err) < 0)
			ckpt_resolution_warn(s->res, "%s", err.text);
	}
}

/* Law 9 for epoch_info.json. */
static void align_epoch_info(struct settling *s, int dirfd, int statefd)
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
		append_event(s, ckpt_event_align(s->req, CKPT_EPOCH_INFO, d->tag));
	} else if (r < 0) {
		ckpt_resolution_warn(s->res, "epoch_info.json could not be aligned: %s", err.text);
	}
}

static void align_pointer(struct settling *s, int dirfd, int statefd,
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
		append_event(s, ckpt_event_align(s->req, row->file, d->tag));
	} else if (r < 0) {
		ckpt_resolution_warn(s->res, "the pointer file `%s` could not be aligned: %s",
				     row->file, err.text);
	}
}

static void align(struct settling *s)
{
	const struct ckpt_set *chosen = s->res->chosen;
	_cleanup_close_ int dirfd = -1, statefd = -1;

	if (!chosen || strcmp(s->req->align, "no") == 0)
		return;
	if (strcmp(s->res->decision.mode, "resume") != 0)
		return; /* a start for fine-tuning may be anybody's */
	dirfd = ckpt_dir_open(AT_FDCWD, chosen->dir, NULL);
	statefd = dirfd < 0 ? -1 : ckpt_state_make(dirfd, NULL);
	if (statefd < 0)
		return;
	align_epoch_info(s, dirfd, statefd);
	for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; row->file; row++)
		align_pointer(s, dirfd, statefd, row);
}

/* Whether @set lies in or below a requested directory. */
static bool in_request(const struct ckpt_resolution *res, const struct ckpt_set *set)
{
	for (int i = 0; set->run >= 0 && i < res->n_run_dirs; i++) {
		size_t len = strlen(res->run_dirs[i]);

		if (strncmp(set->dir, res->run_dirs[i], len) == 0 &&
		    (set->dir[len] == '\0' || set->dir[len] == '/'))
			return true;
	}
	return false;
}

static void quarantine_one(struct settling *s, const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int statefd = dirfd < 0 ? -1 : ckpt_state_make(dirfd, NULL);
	struct ckpt_error err = { 0 };
	int r;

	if (statefd < 0)
		return;
	r = ckpt_quarantine(s->ctx, dirfd, statefd, set, &err);
	if (r == 0)
		ckpt_resolution_warn(s->res, "%s is in quarantine (`ckptctl release` undoes it)",
				     set->name);
	else if (r < 0)
		ckpt_resolution_warn(s->res, "%s could not be put in quarantine: %s", set->name,
				     err.text);
}

/* Law 7: proved corruption alone, by a second read, inside the run directories. */
static void quarantine(struct settling *s)
{
	if (strcmp(s->req->quarantine, "off") == 0 || strcmp(s->req->quarantine, "mark") == 0)
		return; /* the ledger's decision entry is the mark */
	for (size_t i = 0; i < s->res->n_trail; i++) {
		const struct ckpt_trail_entry *e = &s->res->trail[i];

		if (e->fate == CKPT_FATE_REJECTED && e->set && e->set->report &&
		    e->set->report->verdict.status == CKPT_CORRUPT && in_request(s->res, e->set))
			quarantine_one(s, e->set);
	}
}

/* Pointers may only follow the decision that the job was given. */
static bool is_as_decided(const struct ckpt_request *req, struct ckpt_resolution *res)
{
	if (!req->decided[0] || strcmp(req->decided, res->decision.path) == 0)
		return true;
	ckpt_resolution_warn(
		res,
		"the checkpoints have changed since the prolog decided: epoch_info.json and "
		"pointer files are left as they are, and may name another than %s",
		CKPT_QUOTE(req->decided));
	return false;
}

void ckpt_settle_pointers(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			  struct ckpt_resolution *res)
{
	struct settling s = { .ctx = ctx, .req = req, .res = res };

	if (!is_as_decided(req, res))
		return;
	if (req->in_hook || strcmp(res->decision.mode, "refused") == 0)
		return;
	/* pointers first: none dangles if this is interrupted in between */
	if (res->decision.settle)
		align(&s);
	quarantine(&s);
	res->decision.settle = 0;
}

void ckpt_settle(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *res)
{
	struct settling s = { .ctx = ctx, .req = req, .res = res };

	if (strcmp(res->decision.mode, "refused") != 0)
		leave_marks(&s);
	ckpt_settle_pointers(ctx, req, res);
	store_decision(&s);
	append_event(&s, ckpt_event_decision(req, res));
}
