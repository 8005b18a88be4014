/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-agent: reads a request from its environment (CKPT_REQUEST_*), works on the user's files as
 * the user, and answers with one decision on descriptor 3. Started by the hook (confined:
 * --no-exec) and by the plugin in the step; never by hand. Exit: 0 answered, 1 could not, 2 usage.
 *
 *   resolve   make the decision of an attempt; leave mark, decision and ledger entry
 *   claim     take the lease for a decision that the prolog made
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

static const char *from_environment(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

/* A sign of life on the job's stderr while a large checkpoint is read. */
static void tell_progress(void *arg, const char *name, uint64_t done, uint64_t total)
{
	struct ckpt_call *call = arg;
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

static int op_record(struct ckpt_call *call, struct ckpt_error *err)
{
	ckpt_call_release(call); /* also where the end cannot be recorded */
	return ckpt_record_end(&call->ctx, &call->req, &call->answer, err);
}

static int op_note(struct ckpt_call *call, struct ckpt_error *err)
{
	return ckpt_record_note(&call->ctx, &call->req, &call->answer, err);
}

static const struct op {
	const char *name;
	int (*run)(struct ckpt_call *call, struct ckpt_error *err);
} ops[] = {
	{ "resolve", ckpt_call_resolve },
	{ "claim", ckpt_call_claim },
	{ "settle", ckpt_call_settle },
	{ "record", op_record },
	{ "note", op_note },
};

static int read_request(struct ckpt_call *call, struct ckpt_error *err)
{
	int r;

	ckpt_request_init(&call->req);
	r = ckpt_fields_from_env(&ckpt_request_fields, &call->req, CKPT_REQUEST_ENV_PREFIX,
				 from_environment, NULL, err);
	if (r == 0)
		r = ckpt_request_check(&call->req, err);
	ckpt_call_start_clock(call);
	call->ctx.max_bytes = (uint64_t)call->req.max_bytes;
	call->ctx.no_recall = true;
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

static int usage(FILE *out, int code)
{
	fprintf(out, "ckpt-agent " CKPT_VERSION " is started by ckpt-resume's hook and plugin.\n"
		     "usage: ckpt-agent resolve|claim|settle|record|note [--no-exec]\n");
	return code;
}

int main(int argc, char **argv)
{
	bool confined = argc == 3 && strcmp(argv[2], "--no-exec") == 0;
	static struct ckpt_call call;
	struct ckpt_error err = { 0 };
	int r = -EINVAL;

	if (argc < 2 || (argc != 2 && !confined))
		return usage(stderr, 2);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0)
		return usage(stdout, 0);
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
	return usage(stderr, 2);
}
