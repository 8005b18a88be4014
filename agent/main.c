/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-agent: reads a request from its environment (CKPT_REQUEST_*), works on the user's files as
 * the user, and answers with one decision on descriptor 3. Started by the hook (confined:
 * --no-exec) and by the plugin in the step; never by hand. Exit: 0 answered, 1 could not, 2 usage.
 *
 *   resolve   make the decision of an attempt; leave mark, decision and ledger entry
 *   settle    align pointers and quarantine for a decision that the prolog made
 *   record    the end of an attempt
 *   note      what is about to be done with the job, for the ledger
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "core/base/text.h"
#include "core/resolve/settle.h"
#include "core/resolve/trail.h"
#include "wire/frame.h"
#include "wire/launch.h"

#define PROGRESS_NS (10 * 1000000000LL) /* between two progress lines on the job's stderr */

/* One call of the agent. */
struct call {
	struct ckpt_request req;
	struct ckpt_ctx ctx;
	struct ckpt_decision answer;
	int64_t started_ns, told_ns;
};

static const char *from_environment(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

/* A sign of life on the job's stderr while a large checkpoint is read. */
static void tell_progress(void *arg, const char *name, uint64_t done, uint64_t total)
{
	struct call *call = arg;
	int64_t now = ckpt_frame_now_ns();
	char a[32], b[32];

	if (now - call->told_ns < PROGRESS_NS)
		return;
	call->told_ns = now;
	ckpt_text_size(a, sizeof(a), done);
	ckpt_text_size(b, sizeof(b), total);
	fprintf(stderr, "ckpt-resume: checking %s: %s of %s, %llds\n", name, a, b,
		(long long)((now - call->started_ns) / 1000000000LL));
}

static int fetch_and_go_on(struct call *call, struct ckpt_resolution *res, struct ckpt_error *err)
{
	char dir[CKPT_PATH_MAX];
	int r = ckpt_fetch(&res->config, res->run_dirs[0], dir, err);

	if (r == CKPT_FETCH_FAILED) {
		ckpt_resolution_warn(res, "%s", err->text);
		return 0;
	}
	return r < 0 ? r : ckpt_resolve_fetched(&call->ctx, &call->req, res, dir, err);
}

/* A hook hands on nothing but a proved resume; anything else is the step's to decide. */
static int hook_may_hand_on(const struct ckpt_resolution *res, struct ckpt_error *err)
{
	if (strcmp(res->decision.mode, "resume") != 0)
		return ckpt_fail(err, -EAGAIN, "left to the step: %s", res->decision.line);
	if (res->unproved)
		return ckpt_fail(err, -EAGAIN, "left to the step: the budget cut the check off");
	if (res->unreadable)
		return ckpt_fail(err, -EAGAIN,
				 "left to the step: %zu checkpoints could not be read",
				 res->unreadable);
	return 0;
}

static int op_resolve(struct call *call, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	int r = ckpt_resolve(&call->ctx, &call->req, &res, err);

	if (r == 0 && res.wants_fetch)
		r = fetch_and_go_on(call, &res, err);
	if (r == 0 && call->req.in_hook)
		r = hook_may_hand_on(&res, err);
	if (r < 0)
		return r;
	ckpt_settle(&call->ctx, &call->req, &res);
	call->answer = res.decision;
	return 0;
}

/* The prolog has decided; this only makes pointers and names follow, if the same comes out again.
 */
static int op_settle(struct call *call, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	int r = ckpt_resolve(&call->ctx, &call->req, &res, err);

	if (r < 0)
		return r;
	ckpt_settle_pointers(&call->ctx, &call->req, &res);
	call->answer = res.decision;
	return 0;
}

static int op_record(struct call *call, struct ckpt_error *err)
{
	return ckpt_record_end(&call->ctx, &call->req, &call->answer, err);
}

static int op_note(struct call *call, struct ckpt_error *err)
{
	return ckpt_record_note(&call->ctx, &call->req, &call->answer, err);
}

static const struct op {
	const char *name;
	int (*run)(struct call *call, struct ckpt_error *err);
} ops[] = {
	{ "resolve", op_resolve },
	{ "settle", op_settle },
	{ "record", op_record },
	{ "note", op_note },
};

static int read_request(struct call *call, struct ckpt_error *err)
{
	int r;

	ckpt_request_init(&call->req);
	r = ckpt_fields_from_env(&ckpt_request_fields, &call->req, CKPT_REQUEST_ENV_PREFIX,
				 from_environment, NULL, err);
	if (r == 0)
		r = ckpt_request_check(&call->req, err);
	call->started_ns = call->told_ns = ckpt_frame_now_ns();
	if (call->req.budget_ms > 0)
		call->ctx.deadline_ns = call->started_ns + call->req.budget_ms * 1000000;
	call->ctx.max_bytes = (uint64_t)call->req.max_bytes;
	call->ctx.no_recall = call->req.in_hook;
	if (!call->req.in_hook) {
		call->ctx.progress = tell_progress;
		call->ctx.progress_arg = call;
	}
	return r;
}

static int answer(const struct ckpt_decision *d, struct ckpt_error *err)
{
	static char payload[CKPT_FRAME_MAX];
	long len = ckpt_fields_encode(&ckpt_decision_fields, d, payload, sizeof(payload));
	int r = len < 0 ? (int)len : ckpt_frame_write(CKPT_LAUNCH_ANSWER_FD, payload, (size_t)len);

	return r < 0 ? ckpt_fail(err, r, "cannot answer: %s", strerror(-r)) : 0;
}

static int usage(void)
{
	fprintf(stderr, "ckpt-agent is started by ckpt-resume's hook and plugin.\n"
			"usage: ckpt-agent resolve|settle|record|note [--no-exec]\n");
	return 2;
}

int main(int argc, char **argv)
{
	bool confined = argc == 3 && strcmp(argv[2], "--no-exec") == 0;
	static struct call call;
	struct ckpt_error err = { 0 };
	int r = -EINVAL;

	if (argc < 2 || (argc != 2 && !confined))
		return usage();
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (strcmp(argv[1], ops[i].name) != 0)
			continue;
		r = confined ? ckpt_confine(&err) : 0;
		if (r == 0)
			r = read_request(&call, &err);
		if (r == 0)
			r = ops[i].run(&call, &err);
		if (r == 0)
			r = answer(&call.answer, &err);
		if (r < 0)
			fprintf(stderr, "ckpt-resume: %s\n", err.text);
		return r < 0 ? 1 : 0;
	}
	return usage();
}
