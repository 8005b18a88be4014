/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See again.h.
 */
#include "core/resolve/again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/integrity/verify.h"
#include "core/record/ledger.h"
#include "core/resolve/decide.h"
#include "core/resolve/settle.h"

struct counting {
	const struct ckpt_request *req;
	int64_t next;
};

static int count_entry(void *arg, const cJSON *entry)
{
	struct counting *c = arg;
	const char *event = ckpt_json_text(entry, "event");
	const char *cluster = ckpt_json_text(entry, "cluster");
	const char *mode = ckpt_json_text(entry, "mode");
	int64_t job, attempt;

	if (!event || strcmp(event, "decision") != 0 || !cluster || !mode ||
	    strcmp(mode, "refused") == 0 || strcmp(cluster, c->req->cluster) != 0)
		return 0;
	if (ckpt_json_int(entry, "job_id", &job) && job == c->req->job_id &&
	    ckpt_json_int(entry, "attempt", &attempt) && attempt >= c->next)
		c->next = attempt + 1;
	return 0;
}

int ckpt_attempt_next(const struct ckpt_roots *roots, const struct ckpt_request *req, int64_t *ret,
		      struct ckpt_error *err)
{
	struct counting c = { .req = req };

	for (int i = 0; i < roots->n; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(roots->dir[i], err);
		int r = statefd < 0 ? statefd
				    : ckpt_ledger_read(statefd, count_entry, &c, NULL, err);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	*ret = c.next;
	return 0;
}

/* Sets the member of @row from the document. */
static int take_field(const struct ckpt_field *row, const cJSON *o, struct ckpt_decision *d,
		      struct ckpt_error *err)
{
	const char *text = ckpt_json_text(o, row->key);
	char number[24];
	int64_t n;

	if (row->type == CKPT_FIELD_INT && ckpt_json_int(o, row->key, &n))
		snprintf(number, sizeof(number), "%lld", (long long)n), text = number;
	return text && *text ? ckpt_field_set(row, d, text, err) : 0;
}

int ckpt_decision_load(struct ckpt_ctx *ctx, const char *path, struct ckpt_decision *ret,
		       struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	_cleanup_json_ cJSON *o = NULL;
	int r = d ? ckpt_json_load(ctx, AT_FDCWD, path, &o, err) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ckpt_decision_fields.n; i++)
		r = take_field(&ckpt_decision_fields.rows[i], o, d, err);
	if (r == 0)
		r = ckpt_decision_check(d, err);
	if (r == 0)
		*ret = *d;
	return r > 0 ? ckpt_fail(err, -EINVAL, "%s is no decision", CKPT_QUOTE(path)) : r;
}

int ckpt_decision_recorded(struct ckpt_ctx *ctx, const struct ckpt_roots *roots,
			   const struct ckpt_request *req, struct ckpt_decision *ret,
			   struct ckpt_error *err)
{
	char name[CKPT_SETTLE_NAME], path[CKPT_PATH_MAX + sizeof(name) + 16];
	int r = -ENOENT;

	ckpt_settle_name(req, name);
	for (int i = 0; i < roots->n && r == -ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", roots->dir[i], CKPT_STATE_DIR, name);
		r = ckpt_decision_load(ctx, path, ret, err);
	}
	return r;
}

/* Puts the attempt that it is for @req into a line that was made for the next one. */
static void renumber(struct ckpt_decision *d, int64_t attempt)
{
	static const char word[] = "attempt ";
	char line[sizeof(d->line)];
	const char *rest;

	d->attempt = attempt;
	if (!ckpt_text_starts(d->line, word, &rest))
		return;
	rest += strspn(rest, "0123456789");
	snprintf(line, sizeof(line), "%s%lld%.900s", word, (long long)attempt, rest);
	ckpt_text_copy(d->line, sizeof(d->line), line);
}

/* Nothing of the run's own is there: it starts where the attempt started, if that still stands. */
static void as_before(struct ckpt_ctx *ctx, const struct ckpt_decision *before,
		      struct ckpt_resolution *res)
{
	struct ckpt_error err = { .text = "it is not valid any more" };
	struct ckpt_decision *d = &res->decision;
	struct ckpt_set *set = NULL;
	int r = ckpt_catalog_add_path(ctx, &res->catalog, before->path, &set, &err);
	bool no_recall = ctx->no_recall;

	if (r == 0)
		ckpt_set_ask(set);			   /* whoever did: it was taken */
	ctx->no_recall = no_recall && !ctx->recall_chosen; /* this one, or none */
	if (r == 0 && ckpt_set_verify(ctx, set, CKPT_LEVEL_FULL)->verdict.status != CKPT_VALID)
		r = -EINVAL;
	ctx->no_recall = no_recall;
	if (r != 0) {
		ckpt_decide_refused(
			res, CKPT_REFUSE_UNKNOWN,
			"this attempt began with %s, which cannot be used now (%.200s), "
			"and has saved nothing since: nothing was started",
			CKPT_QUOTE(before->path), err.text);
		return;
	}
	*d = *before;
	snprintf(d->line, sizeof(d->line),
		 "attempt %lld (%s): nothing was saved since it began: again from %.700s",
		 (long long)d->attempt, d->reason, d->path);
	ckpt_text_clean(d->line);
	d->settle = 0;
	d->warning[0] = '\0';
	d->decision_file[0] = '\0';
	res->chosen = set;
}

int ckpt_resolve_again(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		       const struct ckpt_decision *before, struct ckpt_resolution *ret,
		       struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_request *next = malloc(sizeof(*next));
	int r;

	if (!next)
		return -ENOMEM;
	*next = *req;
	next->attempt++;
	next->repin = 0;
	/* inside an attempt budgets and an earlier end do not count, unless it began as done */
	next->status_known = strcmp(before->mode, "done") != 0;
	ckpt_text_copy(next->reason, sizeof(next->reason), before->reason);
	r = ckpt_resolve(ctx, next, ret, err);
	if (r < 0)
		return r;
	ret->first = false;
	ret->wants_fetch = false;
	renumber(&ret->decision, req->attempt);
	if (strcmp(ret->decision.mode, "fresh") == 0 && before->path[0])
		as_before(ctx, before, ret);
	return 0;
}
