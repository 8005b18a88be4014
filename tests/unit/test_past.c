/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ledger makes of a run's attempts: faults, progress, holds, and checkpoints that nobody
 * gets away from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/resolve/past.h"
#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct ckpt_past));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	ckpt_past_done(*state);
	free(*state);
	return 0;
}

/* Takes one entry: @more are its members besides event and attempt, each behind a comma. */
static void take(struct ckpt_past *past, const char *event, int64_t attempt, const char *more)
{
	char text[512];
	cJSON *entry;

	snprintf(text, sizeof(text), "{\"event\":\"%s\",\"attempt\":%lld%s}", event,
		 (long long)attempt, more);
	entry = cJSON_Parse(text);
	assert_non_null(entry);
	assert_int_equal(ckpt_past_take(past, entry), 0);
	cJSON_Delete(entry);
}

/* One attempt from checkpoint @from ("" = fresh) that left @left, and ended by @cause. */
static void attempt(struct ckpt_past *past, int64_t number, const char *words)
{
	char from[32] = "", left[32] = "", cause[32] = "", more[256];

	assert_true(sscanf(words, "%31s %31s %31s", from, left, cause) == 3);
	snprintf(more, sizeof(more), ",\"mode\":\"resume\",\"path\":\"/r/%s\",\"id\":\"%s\"", from,
		 from);
	take(past, "decision", number, strcmp(from, "-") == 0 ? ",\"mode\":\"fresh\"" : more);
	snprintf(more, sizeof(more),
		 ",\"cause\":\"%s\",\"batch_status\":256,\"newest_dir\":\"/r\","
		 "\"newest_valid\":\"%s\",\"id\":\"%s\"",
		 cause, left, left);
	if (strcmp(left, "-") == 0)
		snprintf(more, sizeof(more), ",\"cause\":\"%s\",\"batch_status\":256", cause);
	take(past, "end", number, more);
}

struct story {
	const char *what;
	const char *attempts[8]; /* FROM LEFT CAUSE; NULL: nothing of it is known; "": the end */
	int faults, repeats;
};

static const struct story stories[] = {
	{ "fresh and good", { "- a finished", "" }, 0, 0 },
	{ "one failed, and saved", { "- a exit-code", "" }, 0, 1 },
	{ "one failed from the start", { "- - exit-code", "" }, 1, 1 },
	{ "three in a row",
	  { "- a exit-code", "a a signal", "a a oom", "a a exit-code", "" },
	  3,
	  4 },
	{ "progress between", { "a a exit-code", "a b exit-code", "b b exit-code", "" }, 1, 2 },
	{ "preemption between", { "a a exit-code", "a a preempted", "a a exit-code", "" }, 2, 2 },
	{ "preempted with progress",
	  { "a a exit-code", "a b preempted", "b b exit-code", "" },
	  1,
	  1 },
	{ "no fault of its own", { "a a preempted", "a a time-limit", "a a node-fail", "" }, 0, 0 },
	{ "an attempt that nobody saw", { "a a exit-code", NULL, "a a exit-code", "" }, 2, 2 },
	{ "the same again and again",
	  { "a b exit-code", "a b exit-code", "a b exit-code", "a b exit-code", "a b exit-code",
	    "a b exit-code", "" },
	  0,
	  6 },
};

static void test_past__stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		const struct story *s = &stories[i];
		struct ckpt_past past = { .run = "" };
		int n = 0;

		for (int twice = 0; twice < 2; twice++) /* two directories, one ledger */
			for (n = 0; !s->attempts[n] || s->attempts[n][0]; n++)
				if (s->attempts[n])
					attempt(&past, n, s->attempts[n]);
		if (ckpt_past_faults(&past, n - 1) != s->faults ||
		    ckpt_past_repeats(&past, n - 1) != s->repeats)
			fail_msg("%s: %d faults, %d repeats", s->what,
				 (int)ckpt_past_faults(&past, n - 1),
				 (int)ckpt_past_repeats(&past, n - 1));
		assert_int_equal(ckpt_past_restarts(&past, n - 1), n - 1);
		ckpt_past_done(&past);
	}
}

/* Attempt @n ended so, behind a checkpoint of content @n: one name for all. */
static void take_last(struct ckpt_past *past, int n, const char *how, const char *position)
{
	char more[200];

	snprintf(more, sizeof(more),
		 ",%s,\"newest_dir\":\"/r\",\"newest_valid\":\"last\",\"id\":\"%d\",%s", how, n,
		 position);
	take(past, "end", n, more);
}

/* Where it stood tells whether it is the same again. */
static void test_past__repeats_by_position(void **state)
{
	struct ckpt_past *past = *state;

	for (int n = 0; n < 6; n++) {
		char step[32];

		snprintf(step, sizeof(step), "\"step\":%d", n < 4 ? n : 3);
		take_last(past, n, "\"cause\":\"exit-code\",\"batch_status\":21760", step);
		assert_int_equal(ckpt_past_repeats(past, n), n < 4 ? 1 : n - 2);
		assert_int_equal(ckpt_past_faults(past, n), 0);
	}
	take(past, "end", 6, ",\"cause\":\"exit-code\",\"batch_status\":256,\"step\":3");
	assert_int_equal(ckpt_past_repeats(past, 6), 1);
	for (int n = 7; n < 11; n++) { /* of some programs the epoch is all that is known */
		char epoch[32];

		snprintf(epoch, sizeof(epoch), "\"epoch\":%d", n < 9 ? n : 8);
		take_last(past, n, "\"cause\":\"oom\",\"batch_status\":9", epoch);
		assert_int_equal(ckpt_past_repeats(past, n), n < 9 ? 1 : n - 7);
	}
	for (int n = 11; n < 15; n++) { /* each epoch ends with the same step of it */
		char both[48];

		snprintf(both, sizeof(both), "\"step\":499,\"epoch\":%d", n < 13 ? n : 12);
		take_last(past, n, "\"cause\":\"oom\",\"batch_status\":10", both);
		assert_int_equal(ckpt_past_repeats(past, n), n < 13 ? 1 : n - 11);
	}
}

static void test_past__a_hold_begins_anew(void **state)
{
	const struct ckpt_past_place a = { .path = "/r/a", .id = "a" };
	struct ckpt_past *past = *state;
	int64_t last = -1;

	for (int n = 0; n < 4; n++)
		attempt(past, n, "a a exit-code");
	assert_int_equal(ckpt_past_failed_from(past, &a, &last), 4);
	assert_int_equal(last, 3);
	take(past, "hold", 3, ",\"why\":\"budget\"");
	assert_int_equal(ckpt_past_faults(past, 3), 0);
	assert_int_equal(ckpt_past_failed_from(past, &a, NULL), 0);
	attempt(past, 4, "a a exit-code");
	attempt(past, 5, "a a exit-code");
	assert_int_equal(ckpt_past_faults(past, 5), 2);
	assert_int_equal(ckpt_past_restarts(past, 5), 1);
	assert_int_equal(ckpt_past_failed_from(past, &a, NULL), 2);
}

/* The refusal that announces a hold does as well, where no hook could hold the job. */
static void test_past__a_refusal_begins_anew(void **state)
{
	struct ckpt_past *past = *state;

	for (int n = 0; n < 3; n++)
		attempt(past, n, "a a exit-code");
	take(past, "decision", 3, ",\"mode\":\"refused\",\"refusal\":75");
	assert_int_equal(ckpt_past_faults(past, 3), 3);
	take(past, "decision", 3, ",\"mode\":\"refused\",\"refusal\":69");
	assert_int_equal(ckpt_past_faults(past, 3), 0);
	assert_int_equal(ckpt_past_restarts(past, 4), 0);
}

static void test_past__failed_from(void **state)
{
	const struct ckpt_past_place a = { .path = "/r/a", .id = "a" },
				     again = { .path = "/r/a", .id = "new" },
				     b = { .path = "/r/b", .id = "b" },
				     bare = { .path = "/r/a", .id = "" };
	struct ckpt_past *past = *state;

	attempt(past, 0, "- a exit-code");
	attempt(past, 1, "a a exit-code");
	attempt(past, 2, "a a preempted");
	attempt(past, 3, "a b signal");
	attempt(past, 4, "b b signal");
	attempt(past, 5, "a a oom");
	assert_int_equal(ckpt_past_failed_from(past, &a, NULL), 2);
	assert_int_equal(ckpt_past_failed_from(past, &bare, NULL), 2);
	assert_int_equal(ckpt_past_failed_from(past, &again, NULL), 0); /* written anew */
	assert_int_equal(ckpt_past_failed_from(past, &b, NULL), 1);
}

static void test_past__a_stall_is_a_fault(void **state)
{
	struct ckpt_past *past = *state;

	attempt(past, 0, "a a requeued");
	assert_int_equal(ckpt_past_faults(past, 0), 0);
	take(past, "requeue", 0, ",\"why\":\"stall\"");
	assert_int_equal(ckpt_past_faults(past, 0), 1);
	take(past, "requeue", 0, ",\"why\":\"refused\"");
	assert_int_equal(ckpt_past_faults(past, 0), 0);
}

/* No fault: it poisons nothing. But three of them that bring nothing new are enough. */
static void test_past__requeued_at_the_limit(void **state)
{
	const struct ckpt_past_place a = { .path = "/r/a", .id = "a" };
	struct ckpt_past *past = *state;

	for (int n = 0; n < 3; n++) {
		attempt(past, n, "a a time-limit");
		assert_int_equal(ckpt_past_faults(past, n), n); /* by somebody else */
		take(past, "requeue", n, ",\"why\":\"time-limit\"");
		assert_int_equal(ckpt_past_faults(past, n), n + 1);
	}
	assert_int_equal(ckpt_past_failed_from(past, &a, NULL), 0);
	assert_int_equal(ckpt_past_repeats(past, 2), 0);
	attempt(past, 3, "a a preempted");
	assert_int_equal(ckpt_past_faults(past, 3), 3);
	attempt(past, 4, "a b time-limit");
	take(past, "requeue", 4, ",\"why\":\"time-limit\"");
	assert_int_equal(ckpt_past_faults(past, 4), 0);
	attempt(past, 5, "b b time-limit");
	take(past, "requeue", 5, ",\"why\":\"time-limit\"");
	take(past, "requeue", 5, ",\"why\":\"refused\"");
	assert_int_equal(ckpt_past_faults(past, 5), 0);
}

/* In whichever order the two are told; one that slurmctld refused is over as it ended. */
static void test_past__requeued_is_not_finished(void **state)
{
	struct ckpt_past *past = *state;

	take(past, "requeue", 0, ",\"why\":\"stall\"");
	take(past, "end", 0, ",\"cause\":\"finished\",\"finished\":1");
	assert_false(ckpt_past_find(past, 0)->finished);
	take(past, "end", 1, ",\"cause\":\"finished\",\"finished\":1");
	assert_true(ckpt_past_find(past, 1)->finished);
	take(past, "requeue", 1, ",\"why\":\"stall\"");
	assert_false(ckpt_past_find(past, 1)->finished);
	take(past, "requeue", 2, ",\"why\":\"stall\"");
	take(past, "requeue", 2, ",\"why\":\"refused\"");
	take(past, "end", 2, ",\"cause\":\"finished\",\"finished\":1");
	assert_true(ckpt_past_find(past, 2)->finished);
}

/* Without hooks nobody records an end; the companion's word for a checkpoint is progress too. */
static void test_past__progress_that_the_companion_saw(void **state)
{
	static const struct {
		const char *more;
		int faults;
	} rows[] = {
		{ "\"name\":\"b\",\"verdict\":\"valid\",\"id\":\"b\"", 0 },
		{ "\"name\":\"a\",\"verdict\":\"valid\",\"id\":\"new\"", 0 }, /* written anew */
		{ "\"name\":\"a\",\"verdict\":\"valid\",\"id\":\"a\"", 1 },
		{ "\"name\":\"b\",\"verdict\":\"corrupt\",\"id\":\"b\"", 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_past *past = *state;
		char more[128];

		ckpt_past_done(past);
		snprintf(more, sizeof(more), ",\"dir\":\"/r\",%s", rows[i].more);
		take(past, "decision", 0, ",\"mode\":\"resume\",\"path\":\"/r/a\",\"id\":\"a\"");
		take(past, "checkpoint", 0, more);
		take(past, "checkpoint", 0,
		     ",\"dir\":\"/r\",\"name\":\"a\",\"verdict\":\"valid\",\"id\":\"a\"");
		take(past, "requeue", 0, ",\"why\":\"time-limit\"");
		assert_int_equal(ckpt_past_faults(past, 0), rows[i].faults);
		/* what the end says counts more: that checkpoint may be gone */
		take(past, "end", 0,
		     ",\"cause\":\"time-limit\",\"newest_dir\":\"/r\",\"newest_valid\":\"a\","
		     "\"id\":\"a\"");
		assert_int_equal(ckpt_past_faults(past, 0), 1);
	}
}

/* Attempt @n: its companion saw it save checkpoint @saved (0 = none), and then it stalled or, where
 * @status is not 0, ended by that; nobody told what it left. */
static void take_untold(struct ckpt_past *past, int n, int saved, int status)
{
	char more[160];

	take(past, "decision", n, ",\"mode\":\"resume\",\"path\":\"/r/0\",\"id\":\"0\"");
	snprintf(more, sizeof(more),
		 ",\"dir\":\"/r\",\"name\":\"%d\",\"verdict\":\"valid\",\"id\":\"%d\"", saved,
		 saved);
	take(past, "checkpoint", n, more);
	snprintf(more, sizeof(more), ",\"cause\":\"exit-code\",\"batch_status\":%d", status);
	if (status)
		take(past, "end", n, more);
	else
		take(past, "requeue", n, ",\"why\":\"stall\"");
}

/* Where nobody tells what an attempt left, one that saved something is at another point than those
 * before it: with no hooks, and where an end could not find out what there is. */
static void test_past__repeats_that_nobody_told(void **state)
{
	static const struct {
		const char *what;
		int saved[6], repeats;
	} rows[] = {
		{ "nothing saved", { 0, 0, 0, 0, 0, 0 }, 6 },
		{ "one after the other", { 1, 2, 3, 4, 5, 6 }, 1 },
		{ "the last one got on", { 0, 0, 0, 0, 0, 1 }, 1 },
		{ "stuck behind the third", { 1, 2, 3, 0, 0, 0 }, 4 },
		{ "the first one got on", { 1, 0, 0, 0, 0, 0 }, 6 },
		{ "one between got on", { 0, 0, 1, 0, 0, 0 }, 4 },
	};
	struct ckpt_past *past = *state;

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const int *saved = rows[i / 2].saved, status = i % 2 ? 256 : 0;

		ckpt_past_done(past);
		for (int twice = 0; twice < 2; twice++) /* two directories, one ledger */
			for (int n = 0; n < 6; n++)
				take_untold(past, n, saved[n], status);
		if (ckpt_past_repeats(past, 5) != rows[i / 2].repeats)
			fail_msg("%s, status %d: %d repeats", rows[i / 2].what, status,
				 (int)ckpt_past_repeats(past, 5));
	}
	/* an end that names one stands above the companion's word */
	ckpt_past_done(past);
	for (int n = 0; n < 3; n++) {
		take_untold(past, n, n + 1, 256);
		take(past, "end", n,
		     ",\"cause\":\"exit-code\",\"batch_status\":256,\"newest_dir\":\"/r\","
		     "\"newest_valid\":\"0\",\"id\":\"0\"");
	}
	assert_int_equal(ckpt_past_repeats(past, 2), 3);
}

/* A script that starts its program in a loop decides anew each time, also by what this attempt
 * saved: what it began from is what its first decision says. */
static void test_past__progress_of_a_loop(void **state)
{
	struct ckpt_past *past = *state;

	for (int i = 0; i < 3; i++) {
		take(past, "decision", i, ",\"mode\":\"resume\",\"path\":\"/r/a\",\"id\":\"a\"");
		take(past, "decision", i, ",\"mode\":\"resume\",\"path\":\"/r/b\",\"id\":\"b\"");
		take(past, "requeue", i, ",\"why\":\"time-limit\"");
		take(past, "end", i,
		     ",\"cause\":\"time-limit\",\"newest_dir\":\"/r\",\"newest_valid\":\"b\","
		     "\"id\":\"b\"");
	}
	assert_int_equal(ckpt_past_faults(past, 2), 0);
	/* an end that could not find out what there is leaves the companion's word */
	take(past, "decision", 3, ",\"mode\":\"resume\",\"path\":\"/r/b\",\"id\":\"b\"");
	take(past, "checkpoint", 3,
	     ",\"dir\":\"/r\",\"name\":\"c\",\"verdict\":\"valid\",\"id\":\"c\"");
	take(past, "requeue", 3, ",\"why\":\"time-limit\"");
	take(past, "end", 3, ",\"cause\":\"time-limit\"");
	assert_int_equal(ckpt_past_faults(past, 3), 0);
}

static void test_past__only_this_run(void **state)
{
	struct ckpt_past *past = *state;

	ATTEMPT_SET(past->run, "mine");
	take(past, "end", 0, ",\"run\":\"theirs\",\"cause\":\"exit-code\"");
	assert_null(ckpt_past_find(past, 0));
	take(past, "end", 0, ",\"run\":\"mine\",\"cause\":\"exit-code\",\"finished\":1");
	assert_true(ckpt_past_find(past, 0)->finished);
	take(past, "checkpoint", 1, ",\"run\":\"mine\"");
	assert_null(ckpt_past_find(past, 1));
	take(past, "decision", 1, ",\"mode\":\"done\",\"run\":\"mine\"");
	assert_int_equal(ckpt_past_last_run(past, 9)->attempt, 0);
	assert_null(ckpt_past_last_run(past, 0));
}

/* A start whose prolog failed is told by its end alone: it is no run that anybody requeued. */
static void test_past__a_start_that_never_began(void **state)
{
	struct ckpt_past *past = *state;

	take(past, "decision", 0, ",\"mode\":\"fresh\"");
	take(past, "end", 0, ",\"cause\":\"preempted\"");
	take(past, "end", 1, ",\"cause\":\"requeued\"");
	assert_string_equal(ckpt_past_find(past, 1)->cause, "requeued");
	assert_int_equal(ckpt_past_last_run(past, 2)->attempt, 0);
}

/* However many attempts there were, the last ones are known, and nothing else is taken for them. */
static void test_past__many_attempts(void **state)
{
	struct ckpt_past *past = *state;
	const int many = 3 * CKPT_PAST_ATTEMPTS + 5;

	for (int n = 0; n < many; n++)
		attempt(past, n, "a a exit-code");
	assert_int_equal(ckpt_past_faults(past, many - 1), CKPT_PAST_ATTEMPTS);
	assert_int_equal(ckpt_past_restarts(past, many - 1), many - 1);
	assert_null(ckpt_past_find(past, many - 1 - CKPT_PAST_ATTEMPTS));
	assert_null(ckpt_past_find(past, many));
	assert_null(ckpt_past_find(past, -1));
	take(past, "end", -5, "");
	take(past, "end", 3, ",\"cause\":\"preempted\"");
	assert_int_equal(ckpt_past_faults(past, many - 1), CKPT_PAST_ATTEMPTS);
}

/* A small ledger of one run in the scratch directory @dir, and the decision of its next attempt. */
static void next_of(const struct scratch *dir, int64_t number, struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, number);

	attempt_settle(req, ret);
	free(req);
}

/* The end of attempt @number by @cause. */
static void end_of(const struct scratch *dir, int64_t number, const char *cause, int64_t status,
		   struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, number);
	struct ckpt_ctx ctx = { .threads = 1 };

	ATTEMPT_SET(req->reason, cause);
	req->in_hook = 1;
	req->status_known = 1;
	req->batch_status = status;
	req->finished = strcmp(cause, "finished") == 0;
	memset(ret, 0, sizeof(*ret));
	assert_int_equal(ckpt_record_end(&ctx, req, ret, NULL), 0);
	free(req);
}

static void test_past__poison_is_passed_over(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	end_of(dir, 0, "preempted", 15, &d);
	assert_int_equal(d.progress, 1);
	for (int n = 1; n < 3; n++) {
		next_of(dir, n, &d);
		assert_string_equal(d.tag, "ckpt-2.pt");
		end_of(dir, n, "exit-code", 256, &d);
		assert_int_equal(d.progress, 0);
		assert_int_equal(d.faults, n);
	}
	next_of(dir, 3, &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_non_null(strstr(d.warning, "ckpt-2.pt is passed over: poisoned: 2 attempts failed"));
	end_of(dir, 3, "preempted", 15, &d);
	assert_int_equal(d.progress, 0); /* the poisoned one is no new one */
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	next_of(dir, 4, &d);
	assert_string_equal(d.tag, "ckpt-2.pt"); /* written anew */
}

static void test_past__poison_never_leads_to_fresh(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	end_of(dir, 0, "preempted", 15, &d);
	for (int n = 1; n < 3; n++) {
		next_of(dir, n, &d);
		end_of(dir, n, "signal", 11, &d);
	}
	next_of(dir, 3, &d);
	assert_string_equal(d.mode, "resume");
	assert_string_equal(d.tag, "ckpt-1.pt");
}

static void test_past__budget_refuses_once(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	end_of(dir, 0, "preempted", 15, &d);
	for (int n = 1; n < 4; n++) {
		next_of(dir, n, &d);
		assert_string_equal(d.mode, "resume");
		end_of(dir, n, "oom", 9, &d);
	}
	next_of(dir, 4, &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_BUDGET);
	assert_non_null(strstr(d.line, "3 attempts in a row ended"));
	next_of(dir, 5, &d);
	assert_string_equal(d.mode, "resume");
}

static void test_past__max_restarts(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	for (int n = 0; n < 4; n++) {
		struct ckpt_request *req = attempt_request(dir, n);

		req->own_max_restarts = 2;
		attempt_settle(req, &d);
		assert_string_equal(d.mode, n < 3 ? "fresh" : "refused");
		free(req);
		if (n < 3)
			end_of(dir, n, "preempted", 15, &d);
	}
	assert_non_null(strstr(d.line, "--ckpt-max-restarts=2 is used up"));
}

/* Of the site's cap the prolog speaks, where slurmd runs it: no record is needed for it. */
static void test_past__site_max_restarts(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	for (int n = 2; n < 4; n++) {
		struct ckpt_request *req = attempt_request(dir, n);

		req->max_restarts = 2;
		attempt_settle(req, &d);
		assert_string_equal(d.mode, n < 3 ? "resume" : "refused");
		free(req);
	}
	assert_int_equal(d.refusal, CKPT_REFUSE_OPTION);
	assert_non_null(strstr(d.line, "attempt 3: MaxRestarts=2 reached"));
}

/* What the next attempt would start from is told, whether or not it may start. */
static void test_past__recorded_beyond_the_budget(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_request *req;
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	end_of(dir, 0, "preempted", 15, &d);
	next_of(dir, 1, &d);
	req = attempt_request(dir, 1);
	req->own_max_restarts = 1;
	req->in_hook = 1;
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	assert_string_equal(d.mode, "resume");
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(d.restarts, 1);
	free(req);
}

static void test_past__finished_and_started_again(void **state)
{
	static const struct {
		const char *cause, *mode;
	} rows[] = { { "", "resume" }, { "requeued", "resume" }, { "node-fail", "done" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch *dir = *state;
		struct ckpt_decision d;

		scratch_close(dir);
		assert_int_equal(scratch_open(dir), 0);
		next_of(dir, 0, &d);
		attempt_put(dir, "ckpt-1.pt", 1, 10);
		end_of(dir, 0, "finished", 0, &d);
		if (rows[i].cause[0])
			end_of(dir, 0, rows[i].cause, 0, &d);
		next_of(dir, 1, &d);
		if (strcmp(d.mode, rows[i].mode) != 0)
			fail_msg("finished, then '%s': %s", rows[i].cause, d.mode);
		next_of(dir, 0, &d); /* a new job with that number */
		assert_string_not_equal(d.mode, "done");
	}
}

/* What we requeued for is the next attempt's reason, whatever Slurm made of it. */
static void test_past__reasons(void **state)
{
	static const char *const rows[][2] = { { "stall", "stalled" },
					       { "time-limit", "time-limit" },
					       { "preempt", "preempted" },
					       { "exit", "exit-code" } };
	struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	next_of(dir, 0, &d);
	for (int64_t i = 0; i < 4; i++) {
		struct ckpt_request *req = attempt_request(dir, i);

		ATTEMPT_SET(req->note, "requeue");
		ATTEMPT_SET(req->note_why, rows[i][0]);
		ATTEMPT_SET(req->note_by, "companion");
		assert_int_equal(ckpt_record_note(&ctx, req, &d, NULL), 0);
		free(req);
		end_of(dir, i, "requeued", 15, &d);
		next_of(dir, i + 1, &d);
		assert_string_equal(d.reason, rows[i][1]);
	}
}

/* How attempt 0 began and ended, and what attempt 1 makes of it. */
static void test_past__no_end_is_the_nodes(void **state)
{
	static const struct {
		const char *what, *end, *reason;
		int hooks, in_hook;
		bool noted;
	} rows[] = {
		{ "no hooks: nobody would have told", "", "unknown", 0, 0, false },
		{ "a prolog, decided by the step", "", "node-fail", 1, 0, false },
		{ "a prolog that decided", "", "node-fail", 0, 1, false },
		{ "requeued by us, and then lost", "", "stalled", 1, 0, true },
		{ "its epilog told", "preempted", "preempted", 1, 0, false },
		{ "its epilog did not know", "unknown", "unknown", 1, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch *dir = *state;
		struct ckpt_ctx ctx = { .threads = 1 };
		struct ckpt_request *req;
		struct ckpt_decision d;

		scratch_close(dir);
		assert_int_equal(scratch_open(dir), 0);
		next_of(dir, 0, &d); /* the mark, which no prolog makes */
		req = attempt_request(dir, 1);
		req->hooks = rows[i].hooks;
		req->in_hook = rows[i].in_hook;
		attempt_settle(req, &d);
		ATTEMPT_SET(req->note, "requeue");
		ATTEMPT_SET(req->note_why, "stall");
		ATTEMPT_SET(req->note_by, "companion");
		if (rows[i].noted)
			assert_int_equal(ckpt_record_note(&ctx, req, &d, NULL), 0);
		free(req);
		if (rows[i].end[0])
			end_of(dir, 1, rows[i].end, 15, &d);
		next_of(dir, 2, &d);
		if (strcmp(d.reason, rows[i].reason) != 0)
			fail_msg("%s: %s, expected %s", rows[i].what, d.reason, rows[i].reason);
	}
}

#define pure_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pure_test(test_past__stories),
		pure_test(test_past__repeats_by_position),
		pure_test(test_past__a_hold_begins_anew),
		pure_test(test_past__a_refusal_begins_anew),
		pure_test(test_past__failed_from),
		pure_test(test_past__a_stall_is_a_fault),
		pure_test(test_past__requeued_at_the_limit),
		pure_test(test_past__requeued_is_not_finished),
		pure_test(test_past__progress_that_the_companion_saw),
		pure_test(test_past__repeats_that_nobody_told),
		pure_test(test_past__progress_of_a_loop),
		pure_test(test_past__only_this_run),
		pure_test(test_past__a_start_that_never_began),
		pure_test(test_past__many_attempts),
		scratch_test(test_past__poison_is_passed_over),
		scratch_test(test_past__poison_never_leads_to_fresh),
		scratch_test(test_past__budget_refuses_once),
		scratch_test(test_past__max_restarts),
		scratch_test(test_past__site_max_restarts),
		scratch_test(test_past__recorded_beyond_the_budget),
		scratch_test(test_past__finished_and_started_again),
		scratch_test(test_past__reasons),
		scratch_test(test_past__no_end_is_the_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
