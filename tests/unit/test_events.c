/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ledger entries: which keys each event has, and when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/resolve/events.h"
#include "core/resolve/trail.h"
#include "tests/unit/support/attempt.h"

/* A decided selection with one rejected checkpoint. */
static struct attempt_selection *decided(const struct scratch *dir)
{
	struct attempt_selection *a = attempt_selection_new(dir, NULL);

	ATTEMPT_SET(a->req->node, "n1");
	ATTEMPT_SET(a->req->reason, "preempted");
	a->req->attempt = 3;
	ATTEMPT_SET(a->res.decision.mode, "resume");
	ATTEMPT_SET(a->res.decision.reason, "preempted");
	ATTEMPT_SET(a->res.decision.path, "/run/ckpt-1.pt");
	ATTEMPT_SET(a->res.decision.line, "in words");
	ATTEMPT_SET(a->res.decision.run, "0123");
	ATTEMPT_SET(a->res.decision.evidence, "checksum");
	return a;
}

/* Fails unless the keys of @o are those of @keys, in order, separated by blanks. */
static void expect_keys(const cJSON *o, const char *keys)
{
	char found[512] = "";

	for (const cJSON *m = o->child; m; m = m->next) {
		size_t at = strlen(found);

		snprintf(found + at, sizeof(found) - at, "%s%s", at ? " " : "", m->string);
	}
	assert_string_equal(found, keys);
}

static void expect_who(const cJSON *o, const char *event)
{
	int64_t number = 0;

	assert_string_equal(ckpt_json_text(o, "event"), event);
	assert_true(ckpt_json_int(o, "job_id", &number));
	assert_int_equal(number, ATTEMPT_JOB);
	assert_true(ckpt_json_int(o, "attempt", &number));
	assert_int_equal(number, 3);
	assert_string_equal(ckpt_json_text(o, "cluster"), "test");
	assert_string_equal(ckpt_json_text(o, "node"), "n1");
}

#define WHO "event job_id cluster attempt node "

static void test_events__decision(void **state)
{
	struct attempt_selection *a;
	cJSON *o;

	attempt_put(*state, "ckpt-1.pt", 1, 10);
	a = decided(*state);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), 0);
	o = ckpt_event_decision(a->req, &a->res);
	expect_keys(o, WHO "where mode reason path line run evidence rejected");
	expect_who(o, "decision");
	assert_string_equal(ckpt_json_text(o, "where"), "step");
	assert_string_equal(ckpt_json_text(o, "mode"), "resume");
	assert_string_equal(ckpt_json_text(o, "reason"), "preempted");
	assert_string_equal(ckpt_json_text(o, "path"), "/run/ckpt-1.pt");
	assert_string_equal(ckpt_json_text(o, "line"), "in words");
	assert_string_equal(ckpt_json_text(o, "run"), "0123");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "rejected")), 0);
	cJSON_Delete(o);

	a->req->in_hook = 1;
	a->res.chosen = attempt_set(a, "ckpt-1.pt");
	o = ckpt_event_decision(a->req, &a->res);
	expect_keys(o, WHO "where hooks mode reason path line run evidence id step epoch rejected");
	assert_string_equal(ckpt_json_text(o, "where"), "prolog");
	assert_int_equal(cJSON_GetObjectItem(o, "step")->valueint, 10);
	assert_int_equal(cJSON_GetObjectItem(o, "epoch")->valueint, 1);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_events__rejected(void **state)
{
	struct attempt_selection *a;
	cJSON *o, *list, *first;

	attempt_put_flipped(*state, "ckpt-1.pt", 1, 10);
	a = decided(*state);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), CKPT_SELECT_NONE);
	ckpt_trail_add(&a->res, NULL, CKPT_FATE_REJECTED, "a remark");
	ckpt_trail_add(&a->res, attempt_set(a, "ckpt-1.pt"), CKPT_FATE_PASSED_OVER, "by a rule");
	o = ckpt_event_decision(a->req, &a->res);
	list = cJSON_GetObjectItem(o, "rejected");
	assert_int_equal(cJSON_GetArraySize(list), 1);
	first = cJSON_GetArrayItem(list, 0);
	expect_keys(first, "name verdict problem id why");
	assert_string_equal(ckpt_json_text(first, "verdict"), "corrupt");
	assert_string_equal(ckpt_json_text(first, "problem"), "checksum");
	assert_string_equal(ckpt_json_text(first, "name"), "ckpt-1.pt");
	assert_non_null(strstr(ckpt_json_text(first, "why"), "corrupt (checksum)"));
	cJSON_Delete(o);
	for (int i = 0; i < 40; i++)
		ckpt_trail_add(&a->res, attempt_set(a, "ckpt-1.pt"), CKPT_FATE_REJECTED, "again");
	o = ckpt_event_decision(a->req, &a->res);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "rejected")), 16);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_events__align(void **state)
{
	struct attempt_selection *a = decided(*state);
	cJSON *o = ckpt_event_align(a->req, "epoch_info.json", "ckpt-1.pt");

	expect_keys(o, WHO "file to");
	expect_who(o, "align");
	assert_string_equal(ckpt_json_text(o, "file"), "epoch_info.json");
	assert_string_equal(ckpt_json_text(o, "to"), "ckpt-1.pt");
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_events__end(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;
	cJSON *o;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	a = decided(dir);
	o = ckpt_event_end(a->req, &a->res);
	expect_keys(o, WHO "cause run evidence rejected");
	expect_who(o, "end");
	assert_string_equal(ckpt_json_text(o, "cause"), "preempted");
	cJSON_Delete(o);

	a->req->status_known = 1;
	a->req->batch_status = 15;
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), 0);
	a->res.chosen = attempt_set(a, "ckpt-1.pt");
	o = ckpt_event_end(a->req, &a->res);
	expect_keys(o, WHO "cause batch_status newest_valid newest_dir run evidence id step epoch "
			   "rejected");
	assert_int_equal(cJSON_GetObjectItem(o, "batch_status")->valueint, 15);
	assert_string_equal(ckpt_json_text(o, "newest_valid"), "ckpt-1.pt");
	assert_string_equal(ckpt_json_text(o, "newest_dir"), dir->path);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_events__decision),
		scratch_test(test_events__rejected),
		scratch_test(test_events__align),
		scratch_test(test_events__end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
