/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision: rules between its fields, export to a job and back from a step's carriers.
 */
#include "wire/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "wire/frame.h"
#include "wire/text.h"

/* A job's environment as two columns. */
struct env {
	char names[64][64];
	char values[64][CKPT_PATH_MAX];
	int n, fail_at;
};

static int env_set(void *arg, const char *name, const char *value)
{
	struct env *e = arg;

	if (e->n == e->fail_at)
		return -ENOSPC;
	assert_in_range(e->n, 0, 63);
	assert_true(ckpt_text_copy(e->names[e->n], sizeof(e->names[0]), name));
	assert_true(ckpt_text_copy(e->values[e->n], sizeof(e->values[0]), value));
	e->n++;
	return 0;
}

static const char *env_get(void *arg, const char *name)
{
	struct env *e = arg;

	for (int i = 0; i < e->n; i++)
		if (strcmp(e->names[i], name) == 0)
			return e->values[i];
	return NULL;
}

static struct env *env_new(void)
{
	static struct env e;

	memset(&e, 0, sizeof(e));
	e.fail_at = -1;
	return &e;
}

static struct ckpt_decision resume_decision(void)
{
	return (struct ckpt_decision) { .mode = "resume",
					.path = "/r/ckpt-3",
					.root = "/r",
					.tag = "ckpt-3",
					.start_epoch = "4",
					.step = "4500",
					.resume_epoch = "3",
					.evidence = "checksum",
					.reason = "preempted",
					.attempt = 2,
					.job_id = 77,
					.dir = "/r",
					.decision_file = "/r/.ckpt-resume/decision-c-77-2.json",
					.run = "0123abcd",
					.env_names = "A,B",
					.line = "resuming" };
}

static void test_decision__check(void **state)
{
	static const struct {
		const char *key, *value;
		int result;
	} cases[] = {
		{ "mode", "resume", 0 },
		{ "mode", "finetune", 0 },
		{ "path", "/r/ckpt-4", -EINVAL },
		{ "path", "/r/sub/ckpt-3", -EINVAL },
		{ "path", "/rr/ckpt-3", -EINVAL },
		{ "path", "", -EINVAL },
		{ "root", "", -EINVAL },
		{ "root", "/", -EINVAL },
		{ "tag", "", -EINVAL },
		{ "evidence", "", -EINVAL },
		{ "mode", "fresh", -EINVAL },	/* with a path */
		{ "mode", "refused", -EINVAL }, /* without a code */
		{ "mode", "done", 0 },
		{ "refusal", "75", -EINVAL }, /* but not refused */
		{ "start_epoch", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_decision d = resume_decision();
		struct ckpt_error err = { 0 };
		int r;

		assert_int_equal(
			ckpt_field_set(ckpt_field_find(&ckpt_decision_fields, cases[i].key), &d,
				       cases[i].value, &err),
			0);
		r = ckpt_decision_check(&d, &err);
		if (r != cases[i].result)
			print_error("%s=%s: %d\n", cases[i].key, cases[i].value, r);
		assert_int_equal(r, cases[i].result);
	}
}

static void test_decision__check_others(void **state)
{
	struct ckpt_decision fresh = { .mode = "fresh" };
	struct ckpt_decision refused = { .mode = "refused", .line = "no", .refusal = 65 };
	struct ckpt_decision top = {
		.mode = "resume", .path = "/a", .root = "/", .tag = "a", .evidence = "seal"
	};
	struct ckpt_decision nameless = {
		.mode = "resume", .path = "/a/", .root = "/a", .evidence = "seal"
	};
	struct ckpt_decision nowhere = { .mode = "finetune" };
	struct ckpt_decision none = { 0 };

	(void)state;
	assert_int_equal(ckpt_decision_check(&nameless, NULL), -EINVAL);
	assert_int_equal(ckpt_decision_check(&nowhere, NULL), -EINVAL);
	assert_int_equal(ckpt_decision_check(&fresh, NULL), 0);
	assert_int_equal(ckpt_decision_check(&refused, NULL), 0);
	assert_int_equal(ckpt_decision_check(&top, NULL), 0);
	assert_int_equal(ckpt_decision_check(&none, NULL), -EINVAL);
	refused.refusal = 1;
	assert_int_equal(ckpt_decision_check(&refused, NULL), -EINVAL);
	refused.refusal = 75;
	refused.line[0] = '\0';
	assert_int_equal(ckpt_decision_check(&refused, NULL), -EINVAL);
}

static void test_decision__fields(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{ "mode", "Resume" },	   { "mode", "" },	     { "path", "r/a" },
		{ "path", "/r/a\nb" },	   { "step", "-1" },	     { "step", "1e3" },
		{ "start_epoch", "four" }, { "evidence", "a b" },    { "env_names", "LD_PRELOAD" },
		{ "env_names", "A;B" },	   { "refusal", "256" },     { "settle", "2" },
		{ "attempt", "-1" },	   { "line", "a\x1b[31mb" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ckpt_decision d = { 0 };

		assert_int_equal(ckpt_field_set(ckpt_field_find(&ckpt_decision_fields, bad[i].key),
						&d, bad[i].value, NULL),
				 -EINVAL);
	}
}

static void test_decision__export(void **state)
{
	const struct ckpt_decision d = resume_decision();
	struct env *e = env_new();

	(void)state;
	assert_int_equal(ckpt_decision_export(&d, 0, env_set, e), 0);
	assert_int_equal(e->n, 14 + 2);
	for (const char *const *name = ckpt_decision_names; *name; name++)
		assert_non_null(env_get(e, *name));
	assert_string_equal(env_get(e, "CKPT_HEARTBEAT"), "/r/.ckpt-resume/heartbeat");
	assert_string_equal(env_get(e, "CKPT_RESUME_MODE"), "resume");
	assert_string_equal(env_get(e, "CKPT_RESUME_PATH"), "/r/ckpt-3");
	assert_string_equal(env_get(e, "CKPT_RESUME_ROOT"), "/r");
	assert_string_equal(env_get(e, "CKPT_RESUME_TAG"), "ckpt-3");
	assert_string_equal(env_get(e, "CKPT_START_EPOCH"), "4");
	assert_string_equal(env_get(e, "CKPT_RESUME_STEP"), "4500");
	assert_string_equal(env_get(e, "CKPT_RESUME_EPOCH"), "3");
	assert_string_equal(env_get(e, "CKPT_RESUME_EVIDENCE"), "checksum");
	assert_string_equal(env_get(e, "CKPT_RESUME_REASON"), "preempted");
	assert_string_equal(env_get(e, "CKPT_ATTEMPT"), "2");
	assert_string_equal(env_get(e, "CKPT_JOB"), "77");
	assert_string_equal(env_get(e, "CKPT_DIR"), "/r");
	assert_string_equal(env_get(e, "CKPT_DECISION"), d.decision_file);
	assert_string_equal(env_get(e, "A"), "/r/ckpt-3");
	assert_string_equal(env_get(e, "B"), "/r/ckpt-3");
}

/* A fresh start still sets every variable, so that `set -u` scripts live. */
static void test_decision__export_fresh(void **state)
{
	const struct ckpt_decision d = { .mode = "fresh", .env_names = "A" };
	struct env *e = env_new();

	(void)state;
	assert_int_equal(ckpt_decision_export(&d, 0, env_set, e), 0);
	assert_string_equal(env_get(e, "CKPT_RESUME_PATH"), "");
	assert_string_equal(env_get(e, "CKPT_START_EPOCH"), "");
	assert_string_equal(env_get(e, "A"), "");
}

static void test_decision__export_stops(void **state)
{
	const struct ckpt_decision d = resume_decision();
	struct env *e = env_new();
	int all;

	(void)state;
	assert_int_equal(ckpt_decision_export(&d, 1, env_set, e), 0);
	all = e->n;
	for (int i = 0; i < all; i++) { /* further names, carriers and the heartbeat too */
		e = env_new();
		e->fail_at = i;
		assert_int_equal(ckpt_decision_export(&d, 1, env_set, e), -ENOSPC);
		assert_int_equal(e->n, i);
	}
}

static void test_decision__carriers(void **state)
{
	const struct ckpt_decision d = resume_decision();
	struct ckpt_decision back = { 0 };
	struct env *e = env_new();
	int n_carriers = 0;

	(void)state;
	assert_int_equal(ckpt_decision_from_carriers(&back, env_get, e, NULL), -ENOENT);
	assert_int_equal(ckpt_decision_export(&d, 1, env_set, e), 0);
	for (int i = 0; i < e->n; i++)
		n_carriers += ckpt_text_starts(e->names[i], "SLURM_SPANK_CKPT_D_", NULL);
	assert_int_equal(n_carriers, 14);
	assert_int_equal(ckpt_decision_from_carriers(&back, env_get, e, NULL), 0);
	assert_string_equal(back.path, d.path);
	assert_string_equal(back.env_names, d.env_names);
	assert_int_equal(back.job_id, 77);
	assert_string_equal(back.line, "");
}

static void test_decision__carriers_forged(void **state)
{
	struct ckpt_decision back = { .mode = "fresh" };
	struct env *e = env_new();

	(void)state;
	env_set(e, "SLURM_SPANK_CKPT_D_RESUME_MODE", "resume");
	assert_int_equal(ckpt_decision_from_carriers(&back, env_get, e, NULL), -EINVAL);
	env_set(e, "SLURM_SPANK_CKPT_D_ENV_NAMES", "LD_PRELOAD");
	assert_int_equal(ckpt_decision_from_carriers(&back, env_get, e, NULL), -EINVAL);
	e = env_new(); /* a field that is wrong by itself, in a decision that is right without it */
	env_set(e, "SLURM_SPANK_CKPT_D_RESUME_MODE", "done");
	env_set(e, "SLURM_SPANK_CKPT_D_ENV_NAMES", "LD_PRELOAD");
	assert_int_equal(ckpt_decision_from_carriers(&back, env_get, e, NULL), -EINVAL);
	assert_string_equal(back.mode, "fresh"); /* untouched */
}

/* The fullest decision fits a frame. */
static void test_decision__largest_fits(void **state)
{
	static struct ckpt_decision d;
	static char wire[CKPT_FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ckpt_decision_fields.n; i++) {
		const struct ckpt_field *row = &ckpt_decision_fields.rows[i];

		if (row->type != CKPT_FIELD_INT)
			memset((char *)&d + row->offset, 'a', row->size - 1);
	}
	assert_true(ckpt_fields_encode(&ckpt_decision_fields, &d, wire, sizeof(wire)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decision__check),
		cmocka_unit_test(test_decision__check_others),
		cmocka_unit_test(test_decision__fields),
		cmocka_unit_test(test_decision__export),
		cmocka_unit_test(test_decision__export_fresh),
		cmocka_unit_test(test_decision__export_stops),
		cmocka_unit_test(test_decision__carriers),
		cmocka_unit_test(test_decision__carriers_forged),
		cmocka_unit_test(test_decision__largest_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
