/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stage: skipped when it is recorded as complete and its outputs still verify, run otherwise. A
 * stage has to be safe to run again, so whatever is in doubt runs, and says why; what cannot be
 * read at all starts nothing. While the command runs, a lock of the stage's own says so, also over
 * NFS; it goes with this process.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/child.h"
#include "cli/stage.h"
#include "core/base/text.h"
#include "core/integrity/outputs.h"
#include "core/record/lock.h"

static void say(const struct ckpt_cli_stage *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct ckpt_cli_stage *s, const char *fmt, ...)
{
	char text[CKPT_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ckpt_text_clean(text);
	fprintf(stderr, "ckptctl: stage %s: %s\n", s->name, text);
}

/* "attempt 1 of job 12 on n1 (pid 77)" into @buf. */
static const char *holder(const struct ckpt_stage *r, char *buf, size_t size)
{
	if (r->job_id)
		snprintf(buf, size, "attempt %lld of job %lld on %s (pid %lld)",
			 (long long)r->attempt, (long long)r->job_id, r->host, (long long)r->pid);
	else
		snprintf(buf, size, "%s (pid %lld), %s", r->host, (long long)r->pid, r->at);
	return buf;
}

static int put(void *arg, struct ckpt_stages *stages)
{
	return ckpt_stages_put(stages, arg);
}

/* Records @record; trouble is said and no more: the command matters more. */
static bool record(const struct ckpt_cli_stage *s, struct ckpt_stage *record)
{
	struct ckpt_error err = { .text = "no memory" };
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_stages_edit(&ctx, s->statefd, put, record, &err);

	if (r == 0)
		return true;
	say(s, "it cannot be recorded (%s): a later attempt will run it again", err.text);
	return false;
}

/* Runs --check. True where there is none. */
static bool passes_check(const struct ckpt_cli_stage *s)
{
	char sh[] = "/bin/sh", c[] = "-c", *argv[] = { sh, c, (char *)s->check, NULL };
	struct ckpt_cli_child child;

	return !s->check || (ckpt_cli_child_run(argv, &child) == 0 && child.code == 0);
}

/* Why outputs that were recorded are not those that are asked for now, or NULL. */
static const char *other_outputs(const struct ckpt_cli_stage *s, const struct ckpt_stage *r)
{
	if (s->asked.n_outputs != r->n_outputs)
		return "other outputs were recorded than those named now";
	for (size_t i = 0; i < r->n_outputs; i++)
		if (strcmp(s->asked.outputs[i].path, r->outputs[i].path) != 0)
			return "other outputs were recorded than those named now";
	return NULL;
}

/* An output of which only its being there was recorded says nothing of its content. */
static const char *unread_output(const struct ckpt_cli_stage *s, const struct ckpt_stage *r)
{
	for (size_t i = 0; i < r->n_outputs && !s->check; i++)
		if (r->outputs[i].unread)
			return r->outputs[i].given;
	return NULL;
}

/* Whether a complete stage still stands. 0 it does; 1 with @err it does not; or an errno. */
static int verify(const struct ckpt_cli_stage *s, const struct ckpt_stage *r,
		  struct ckpt_error *err)
{
	const char *why = other_outputs(s, r);
	struct ckpt_ctx ctx = { 0 };
	int e = 0;

	if (why)
		return ckpt_fail(err, 1, "%s", why);
	why = unread_output(s, r);
	if (why)
		return ckpt_fail(err, 1,
				 "%s is too large a tree, or holds links to folders: it was not "
				 "recorded file by file (--check=COMMAND can tell)",
				 CKPT_QUOTE(why));
	ckpt_cli_progress(&ctx);
	for (size_t i = 0; i < r->n_outputs && e == 0; i++)
		e = ckpt_output_verify(&ctx, &r->outputs[i], err);
	ckpt_cli_progress_end(&ctx);
	if (e != 0)
		return e < 0 ? e : 1;
	return passes_check(s) ? 0 : ckpt_fail(err, 1, "its check fails: %s", CKPT_QUOTE(s->check));
}

static void say_skipped(const struct ckpt_cli_stage *s, const struct ckpt_stage *r)
{
	char who[512], size[32], age[32];
	uint64_t bytes = 0;

	for (size_t i = 0; i < r->n_outputs; i++)
		bytes += (uint64_t)r->outputs[i].bytes;
	say(s, "complete since %s, took %s; %zu output%s verified (%s)%s: skipped",
	    holder(r, who, sizeof(who)), ckpt_text_age(age, sizeof(age), r->seconds), r->n_outputs,
	    r->n_outputs == 1 ? "" : "s", ckpt_text_size(size, sizeof(size), bytes),
	    s->check ? ", its check passed" : "");
}

/* What is to become of a stage that is recorded: 0 it runs, 1 it is skipped, 3 neither. */
static int judge(const struct ckpt_cli_stage *s, const struct ckpt_stage *r)
{
	struct ckpt_error err = { 0 };
	char who[512];
	int e;

	if (r->state == CKPT_STAGE_COMPLETE) {
		e = verify(s, r, &err);
		if (e == 0)
			return say_skipped(s, r), 1;
		if (e < 0) {
			say(s, "complete, but its outputs cannot be read: %s; nothing was started",
			    err.text);
			return CKPT_EXIT_UNKNOWN;
		}
		say(s, "was complete (%s), but %s: it runs again", holder(r, who, sizeof(who)),
		    err.text);
	} else if (r->state == CKPT_STAGE_RUNNING) {
		say(s, "%s began it and was not seen to end: it runs again",
		    holder(r, who, sizeof(who)));
	} else {
		say(s, "%s with exit code %lld in %s: it runs again",
		    ckpt_stage_state_name(r->state), (long long)r->exit_code,
		    holder(r, who, sizeof(who)));
	}
	return 0;
}

/* Looks the stage up. As judge(). */
static int look_up(const struct ckpt_cli_stage *s)
{
	_cleanup_stages_ struct ckpt_stages stages = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	const struct ckpt_stage *r;
	int e = ckpt_stages_load(&ctx, s->statefd, &stages, &err);

	if (e < 0) {
		say(s, "which stages are complete cannot be found out: %s; nothing was started",
		    err.text);
		return CKPT_EXIT_UNKNOWN;
	}
	if (e == CKPT_STATE_TORN)
		say(s,
		    "%s and its copy are not whole (kept as *.torn): which stages were complete "
		    "is not known, it runs (again)",
		    CKPT_STAGES);
	else if (stages.torn || stages.copy_torn)
		say(s, "%s is not whole; its copy is, and counts",
		    stages.torn ? CKPT_STAGES : CKPT_STAGES_COPY);
	r = ckpt_stages_find(&stages, s->name);
	return r ? judge(s, r) : 0;
}

static void begin(const struct ckpt_cli_stage *s, struct ckpt_stage *r)
{
	time_t now = time(NULL);
	struct tm tm;

	memset(r, 0, sizeof(*r));
	ckpt_text_copy(r->name, sizeof(r->name), s->name);
	r->state = CKPT_STAGE_RUNNING;
	r->job_id = s->job->job_id;
	r->attempt = s->job->attempt;
	r->pid = getpid();
	if (gethostname(r->host, sizeof(r->host) - 1) < 0)
		r->host[0] = '\0';
	if (gmtime_r(&now, &tm))
		strftime(r->at, sizeof(r->at), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Measures the outputs of a command that ended well, into @r. False, and said, if one is not there.
 */
static bool take_outputs(const struct ckpt_cli_stage *s, struct ckpt_stage *r)
{
	struct ckpt_error err = { .text = "no memory" };
	struct ckpt_ctx ctx = { 0 };
	int e = 0;

	ckpt_cli_progress(&ctx);
	for (size_t i = 0; i < s->asked.n_outputs && e == 0; i++) {
		struct ckpt_stage_output output = s->asked.outputs[i];

		e = ckpt_output_measure(&ctx, &output, true, &err);
		if (e == 0)
			e = ckpt_stage_add_output(r, &output);
		if (e == 0 && output.unread)
			say(s,
			    "%s is too large a tree to be read, or holds links to folders: a later "
			    "attempt runs the stage again unless --check=COMMAND proves it",
			    CKPT_QUOTE(output.given));
	}
	ckpt_cli_progress_end(&ctx);
	if (e != 0)
		say(s, "its command succeeded, but %s: not complete", err.text);
	return e == 0;
}

/* What the stage has come to. The exit code. */
static int conclude(const struct ckpt_cli_stage *s, const struct ckpt_cli_child *child,
		    struct ckpt_stage *r)
{
	r->exit_code = child->code;
	r->state = CKPT_STAGE_FAILED;
	if (child->signal || child->passed) {
		r->state = CKPT_STAGE_INTERRUPTED;
		if (child->code == 0)
			say(s,
			    "signal %d came while it ran: its exit code 0 is not taken for "
			    "complete",
			    child->passed);
	} else if (child->code == 0 && take_outputs(s, r)) {
		if (passes_check(s))
			r->state = CKPT_STAGE_COMPLETE;
		else
			say(s, "its command succeeded, but its check fails: %s: not complete",
			    CKPT_QUOTE(s->check));
	}
	if (child->code == 0 && r->state == CKPT_STAGE_FAILED)
		return r->exit_code = CKPT_EXIT_NO;
	return child->code;
}

static int run(const struct ckpt_cli_stage *s)
{
	_cleanup_stage_ struct ckpt_stage r;
	struct ckpt_cli_child child;
	struct timespec from, to;
	int code, e;

	begin(s, &r);
	record(s, &r);
	clock_gettime(CLOCK_MONOTONIC, &from);
	e = ckpt_cli_child_run(s->command, &child);
	if (e < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "cannot start a process: %s", strerror(-e));
	clock_gettime(CLOCK_MONOTONIC, &to);
	r.seconds = to.tv_sec - from.tv_sec;
	code = conclude(s, &child, &r);
	record(s, &r);
	return child.signal ? ckpt_cli_child_exit(&child) : code;
}

static void say_held(const struct ckpt_cli_stage *s)
{
	_cleanup_stages_ struct ckpt_stages stages = { 0 };
	const struct ckpt_stage *r = NULL;
	struct ckpt_ctx ctx = { 0 };
	char who[512] = "somebody";

	if (ckpt_stages_load(&ctx, s->statefd, &stages, NULL) == 0)
		r = ckpt_stages_find(&stages, s->name);
	if (r)
		holder(r, who, sizeof(who));
	if (s->wait)
		say(s, "%s runs it: waiting", who);
	else
		say(s,
		    "%s runs it now: nothing was started (--wait waits; if that one is gone for "
		    "good, `ckptctl stage reset %s`)",
		    who, s->name);
}

/* The stage's own lock. Descriptor; -1: this file system has none; or an exit code negated. */
static int take_lock(const struct ckpt_cli_stage *s)
{
	char name[CKPT_STAGE_NAME + 16];
	struct ckpt_error err = { 0 };
	int fd;

	snprintf(name, sizeof(name), "stage-%s.lock", s->name);
	fd = ckpt_state_lock_named(s->statefd, name, 0, &err);
	if (fd == -EAGAIN) {
		say_held(s);
		if (!s->wait)
			return -CKPT_EXIT_UNKNOWN;
		fd = ckpt_state_lock_named(s->statefd, name, INT_MAX, &err);
	}
	if (fd >= 0)
		return fd;
	say(s, "%s: another run of it at the same time would not be seen", err.text);
	return -1;
}

int ckpt_cli_stage_run(struct ckpt_cli_stage *s)
{
	int lock = take_lock(s), r;
	_cleanup_close_ int held = lock;

	if (lock < -1)
		return -lock;
	r = look_up(s);
	if (r != 0)
		return r == 1 ? CKPT_EXIT_YES : r;
	return run(s);
}
