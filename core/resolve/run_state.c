/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See run_state.h. Of the ledger only a few facts count; they are gathered in one pass, so that a
 * ledger of years costs one read.
 */
#include "core/resolve/run_state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "core/record/done.h"
#include "core/record/ledger.h"
#include "core/record/state.h"

#define LIVE_MAX 64 /* jobs at a time in one directory that are told apart; the newest count */

struct gather {
	const struct ckpt_request *req;
	struct ckpt_run_state *state;
	bool ends; /* ends are recorded here at all, this job's or others': there are hooks */
	int64_t live[LIVE_MAX]; /* other jobs that began and were not seen to end, oldest first */
	int n_live;
	/* what the marks and ledgers say of runs that are done, root by root */
	struct ckpt_done done[CKPT_REQUEST_DIRS];
	char told[40]; /* the run that this root's ledger says is done; empty = none */
};

static bool is_this_job(const struct ckpt_request *req, const cJSON *entry)
{
	const char *cluster = ckpt_json_text(entry, "cluster");
	int64_t job = 0;

	return ckpt_json_int(entry, "job_id", &job) && job == req->job_id && cluster &&
	       strcmp(cluster, req->cluster) == 0;
}

static void take_text(char *dst, size_t size, const cJSON *entry, const char *key)
{
	const char *text = ckpt_json_text(entry, key);

	if (text)
		ckpt_text_copy(dst, size, text);
}

static void gather_end(struct gather *g, const cJSON *entry, int64_t attempt)
{
	g->state->ended |= attempt == g->req->attempt - 1;
	if (attempt == g->req->attempt - 1)
		take_text(g->state->cause, sizeof(g->state->cause), entry, "cause");
	take_text(g->state->recorded, sizeof(g->state->recorded), entry, "newest_valid");
	take_text(g->state->recorded_dir, sizeof(g->state->recorded_dir), entry, "newest_dir");
}

static void forget_live(struct gather *g, int64_t job)
{
	int n = 0;

	for (int i = 0; i < g->n_live; i++)
		if (g->live[i] != job)
			g->live[n++] = g->live[i];
	g->n_live = n;
}

static void note_live(struct gather *g, int64_t job)
{
	forget_live(g, job);
	if (g->n_live == LIVE_MAX)
		forget_live(g, g->live[0]);
	g->live[g->n_live++] = job;
}

static bool is_refusal(const cJSON *entry)
{
	const char *mode = ckpt_json_text(entry, "mode");

	return mode && strcmp(mode, "refused") == 0;
}

static void gather_other(struct gather *g, const cJSON *entry, const char *event)
{
	int64_t job = 0;

	if (is_refusal(entry))
		return; /* it never began */
	if (!ckpt_json_int(entry, "job_id", &job) || job == 0)
		return;
	if (strcmp(event, "decision") == 0)
		note_live(g, job);
	else if (strcmp(event, "end") == 0)
		forget_live(g, job);
}

/* The last word of one ledger about an end that was declared. */
static void gather_done(struct gather *g, const cJSON *entry, const char *event)
{
	const char *run = ckpt_json_text(entry, "run");

	if (!run)
		return;
	if (strcmp(event, "done") == 0)
		ckpt_text_copy(g->told, sizeof(g->told), run);
	else if (strcmp(event, "undone") == 0 && strcmp(g->told, run) == 0)
		g->told[0] = '\0';
}

static void note_error(struct ckpt_run_state *state, int r, const struct ckpt_error *err)
{
	if (state->error)
		return;
	state->error = r;
	ckpt_text_copy(state->error_text, sizeof(state->error_text), err->text);
}

/* The marker counts; where it is torn, what the ledger beside it says. */
static void load_done(struct ckpt_ctx *ctx, struct gather *g, int statefd, struct ckpt_done *ret)
{
	struct ckpt_error err = { 0 };
	int r = ckpt_done_load(ctx, statefd, ret, &err);

	if (r != CKPT_STATE_TORN && r >= 0)
		return;
	ckpt_text_copy(ret->run, sizeof(ret->run), g->told);
	if (r < 0)
		note_error(g->state, r, &err);
}

static int gather_entry(void *arg, const cJSON *entry)
{
	const char *event = ckpt_json_text(entry, "event");
	struct gather *g = arg;
	int64_t attempt = -1;

	if (!event)
		return 0;
	gather_done(g, entry, event);
	g->ends |= strcmp(event, "end") == 0;
	if (!is_this_job(g->req, entry)) {
		gather_other(g, entry, event);
		ckpt_past_take_rejected(&g->state->past, entry);
		return 0;
	}
	if (!ckpt_json_int(entry, "attempt", &attempt) || attempt >= g->req->attempt)
		return 0;
	g->state->seen |= !is_refusal(entry); /* such an attempt never began */
	ckpt_past_take(&g->state->past, entry);
	ckpt_past_take_rejected(&g->state->past, entry);
	if (strcmp(event, "end") == 0)
		gather_end(g, entry, attempt);
	return 0;
}

/* The mark of this job wins over a foreign one; among equals the first root's. */
static void take_mark(struct ckpt_run_state *state, const struct ckpt_request *req,
		      struct ckpt_mark *mark)
{
	bool ours = mark->job_id == req->job_id && strcmp(mark->cluster, req->cluster) == 0;

	if (state->have_mark && (state->ours || !ours)) {
		ckpt_mark_done(mark);
		return;
	}
	ckpt_mark_done(&state->mark);
	state->mark = *mark;
	state->have_mark = true;
	state->ours = ours;
	if (ours)
		ckpt_text_copy(state->past.run, sizeof(state->past.run), mark->run);
}

static void load_root(struct ckpt_ctx *ctx, struct gather *g, const char *root, bool *ret_marked,
		      struct ckpt_done *ret_done)
{
	struct ckpt_error err = { 0 };
	_cleanup_close_ int statefd = ckpt_state_open_in(root, &err);
	struct ckpt_mark mark = { 0 };
	int r;

	if (statefd < 0) {
		if (statefd != -ENOENT)
			note_error(g->state, statefd, &err);
		return;
	}
	r = ckpt_mark_load(ctx, statefd, &mark, &err);
	if (r == 0) {
		*ret_marked = true;
		take_mark(g->state, g->req, &mark);
	} else if (r != CKPT_STATE_ABSENT) {
		note_error(g->state, r, &err);
	}
	g->told[0] = '\0';
	r = ckpt_ledger_read(statefd, gather_entry, g, NULL, &err);
	if (r == 0)
		g->state->have_ledger = true;
	else if (r < 0)
		note_error(g->state, r, &err);
	load_done(ctx, g, statefd, ret_done);
}

/* Any root's word is enough: not all of them may have been there when it was said. */
static void take_done(const struct gather *g, struct ckpt_run_state *state)
{
	state->done_in = -1;
	for (int i = 0; state->ours && i < CKPT_REQUEST_DIRS; i++) {
		if (strcmp(g->done[i].run, state->mark.run) != 0)
			continue;
		state->done = true;
		if (g->done[i].attempt > state->done_in)
			state->done_in = g->done[i].attempt;
	}
}

void ckpt_run_state_load(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			 const struct ckpt_roots *roots, struct ckpt_run_state *ret)
{
	struct gather g = { .req = req, .state = ret };

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < roots->n; i++)
		load_root(ctx, &g, roots->dir[i], &ret->marked[i], &g.done[i]);
	take_done(&g, ret);
	if (g.ends && g.n_live > 0)
		ret->live_job = g.live[g.n_live - 1];
}

/* stat of @path or of its nearest existing ancestor; -ENXIO where that is a dangling link. */
static int stat_ancestor(const char *path, struct stat *st)
{
	char buf[CKPT_PATH_MAX];

	if (!ckpt_text_copy(buf, sizeof(buf), path))
		return -ENAMETOOLONG;
	for (;;) {
		char *slash;

		if (stat(buf, st) == 0)
			return 0;
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		if (lstat(buf, st) == 0) /* a link into what is not there now */
			return -ENXIO;
		slash = strrchr(buf, '/');
		if (!slash)
			return -ENOENT;
		slash[slash == buf ? 1 : 0] = '\0';
	}
}

bool ckpt_run_state_dangles(const char *path)
{
	struct stat st;

	return stat_ancestor(path, &st) == -ENXIO;
}

bool ckpt_run_state_never_began(const struct ckpt_roots *roots, const char *work_dir)
{
	struct stat work, top, st;

	if (stat(work_dir, &work) < 0 || stat("/", &top) < 0)
		return false;
	for (int i = 0; i < roots->n; i++) {
		if (stat_ancestor(roots->dir[i], &st) < 0)
			return false;
		if (st.st_dev != work.st_dev && st.st_dev == top.st_dev)
			return false;
	}
	return true;
}

void ckpt_run_state_done(struct ckpt_run_state *state)
{
	ckpt_mark_done(&state->mark);
	ckpt_past_done(&state->past);
}
