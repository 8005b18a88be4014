/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract's JSON: exact keys of a verdict, a problem, a decision.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/integrity/verify.h"
#include "core/resolve/trail.h"
#include "tests/unit/support/attempt.h"

#define VERDICT                                                                                    \
	"path verdict evidence format layout role contents epoch step loss epoch_meaning keys "    \
	"size_bytes bytes_read seconds problem note framework"

static void expect_keys(const cJSON *o, const char *keys)
{
	char found[1024] = "";

	for (const cJSON *m = o->child; m; m = m->next) {
		size_t at = strlen(found);

		snprintf(found + at, sizeof(found) - at, "%s%s", at ? " " : "", m->string);
	}
	assert_string_equal(found, keys);
}

/* Member @key is the text @text; NULL: null. */
static void expect_text(const cJSON *o, const char *key, const char *text)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(o, key);

	if (!m ||
	    (text ? !cJSON_IsString(m) || strcmp(m->valuestring, text) != 0 : !cJSON_IsNull(m)))
		fail_msg("%s is not %s", key, text ? text : "null");
}

static void expect_number(const cJSON *o, const char *key, double value)
{
	const cJSON *m = cJSON_GetObjectItemCaseSensitive(o, key);

	if (!cJSON_IsNumber(m) || fabs(m->valuedouble - value) > 1e-9)
		fail_msg("%s is not %g", key, value);
}

static void test_resolve_json__a_valid_set(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;
	struct ckpt_set *set;
	char path[128];
	cJSON *o;

	attempt_put(dir, "ckpt-7.pt", 7, 70);
	a = attempt_selection_new(dir, NULL);
	set = attempt_set(a, "ckpt-7.pt");
	ckpt_set_verify(&a->ctx, set, CKPT_LEVEL_FULL);
	o = ckpt_set_json(set);
	expect_keys(o, VERDICT);
	snprintf(path, sizeof(path), "%s/ckpt-7.pt", dir->path);
	expect_text(o, "path", path);
	expect_text(o, "verdict", "valid");
	expect_text(o, "evidence", "checksum");
	expect_text(o, "format", "torch-zip");
	expect_text(o, "role", "numbered");
	expect_text(o, "contents", "full");
	expect_number(o, "epoch", 7);
	expect_number(o, "step", 70);
	expect_text(o, "loss", NULL);
	expect_text(o, "problem", NULL);
	expect_text(o, "note", NULL);
	expect_number(o, "size_bytes", (double)set->report->verdict.size_bytes);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "keys")), set->report->n_keys);
	assert_true(set->report->n_keys > 0);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_resolve_json__a_damaged_set(void **state)
{
	struct attempt_selection *a;
	struct ckpt_set *set;
	cJSON *o, *problem;

	attempt_put_flipped(*state, "ckpt-7.pt", 7, 70);
	a = attempt_selection_new(*state, NULL);
	set = attempt_set(a, "ckpt-7.pt");
	ckpt_set_verify(&a->ctx, set, CKPT_LEVEL_FULL);
	o = ckpt_set_json(set);
	expect_keys(o, VERDICT);
	expect_text(o, "verdict", "corrupt");
	expect_text(o, "evidence", NULL);
	problem = cJSON_GetObjectItem(o, "problem");
	expect_keys(problem, "code file offset member detail");
	expect_text(problem, "code", "checksum");
	expect_text(problem, "file", "ckpt-7.pt");
	cJSON_Delete(o);

	set->report->verdict.problem.offset = CKPT_NO_OFFSET;
	set->report->verdict.problem.member[0] = '\0';
	set->report->position = (struct ckpt_position) { .has_loss = true, .loss = NAN };
	o = ckpt_set_json(set);
	problem = cJSON_GetObjectItem(o, "problem");
	expect_text(problem, "offset", NULL);
	expect_text(problem, "member", NULL);
	expect_text(o, "loss", NULL); /* JSON has no NaN */
	expect_text(o, "epoch", NULL);
	expect_text(o, "epoch_meaning", NULL);
	set->report->verdict.problem.offset = 4096;
	cJSON_Delete(o);
	o = ckpt_set_json(set);
	expect_number(cJSON_GetObjectItem(o, "problem"), "offset", 4096);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_resolve_json__a_set_not_looked_at(void **state)
{
	struct attempt_selection *a;
	cJSON *o;

	attempt_put(*state, "ckpt-7.pt", 7, 70);
	a = attempt_selection_new(*state, NULL);
	o = ckpt_set_json(attempt_set(a, "ckpt-7.pt"));
	expect_keys(o, VERDICT);
	expect_text(o, "verdict", NULL);
	expect_text(o, "evidence", NULL);
	expect_text(o, "format", NULL);
	expect_text(o, "contents", NULL);
	expect_text(o, "size_bytes", NULL);
	expect_text(o, "seconds", NULL);
	expect_text(o, "problem", NULL);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "keys")), 0);
	cJSON_Delete(o);
	attempt_selection_free(a);
}

static void test_resolve_json__a_path_without_a_set(void **state)
{
	static struct ckpt_report report;
	cJSON *o;

	(void)state;
	report.verdict.status = CKPT_MISSING;
	o = ckpt_path_json("/run/gone.pt", &report);
	expect_keys(o, VERDICT);
	expect_text(o, "path", "/run/gone.pt");
	expect_text(o, "verdict", "missing");
	expect_text(o, "role", NULL);
	expect_text(o, "layout", NULL);
	expect_text(o, "size_bytes", NULL);
	cJSON_Delete(o);
}

static void test_resolve_json__a_decision(void **state)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	cJSON *o, *trail, *rejected, *chosen;

	attempt_put(dir, "ckpt-7.pt", 7, 70);
	attempt_put_flipped(dir, "ckpt-8.pt", 8, 80);
	scratch_put(dir->fd, "ckpt-9.pt.tmp", "unfinished");
	attempt_resolve(req, &res);
	o = ckpt_resolution_json(&res);
	expect_keys(o, "mode path root tag start_epoch step resume_epoch evidence reason attempt "
		       "job_id dir dirs by_default decision_file run env_names line warning "
		       "refusal holder progress "
		       "faults repeats restarts wanted verify_ms lost_s rejected settle "
		       "run_dirs trail not_looked_at skipped");
	expect_text(o, "mode", "resume");
	expect_text(o, "tag", "ckpt-7.pt");
	expect_text(o, "start_epoch", "");
	expect_number(o, "job_id", ATTEMPT_JOB);
	expect_number(o, "settle", 1);
	expect_number(o, "not_looked_at", 0);
	assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "run_dirs"), 0)->valuestring,
			    dir->path);
	trail = cJSON_GetObjectItem(o, "trail");
	assert_int_equal(cJSON_GetArraySize(trail), 2);
	rejected = cJSON_GetArrayItem(trail, 0);
	expect_keys(rejected, "fate why newer checkpoint");
	expect_text(rejected, "fate", "rejected");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(rejected, "newer")));
	expect_keys(cJSON_GetObjectItem(rejected, "checkpoint"), VERDICT);
	chosen = cJSON_GetArrayItem(trail, 1);
	expect_keys(chosen, "fate why checkpoint");
	expect_text(chosen, "fate", "chosen");
	expect_keys(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "skipped"), 0), "name code why");
	expect_text(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "skipped"), 0), "code",
		    "unfinished-name");
	cJSON_Delete(o);
	free(req);
}

static void test_resolve_json__a_remark_has_no_checkpoint(void **state)
{
	static struct ckpt_resolution res;
	cJSON *o, *entry;

	(void)state;
	assert_int_equal(ckpt_trail_add(&res, NULL, CKPT_FATE_PASSED_OVER, "a remark"), 0);
	res.n_unseen = 5;
	o = ckpt_resolution_json(&res);
	entry = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "trail"), 0);
	expect_text(entry, "checkpoint", NULL);
	expect_text(entry, "why", "a remark");
	expect_number(o, "not_looked_at", 5);
	cJSON_Delete(o);
	free(res.trail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_resolve_json__a_valid_set),
		scratch_test(test_resolve_json__a_damaged_set),
		scratch_test(test_resolve_json__a_set_not_looked_at),
		cmocka_unit_test(test_resolve_json__a_path_without_a_set),
		scratch_test(test_resolve_json__a_decision),
		cmocka_unit_test(test_resolve_json__a_remark_has_no_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
