/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request: option rules, and that no trusted row can be reached from a job's environment.
 */
#include "wire/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static const char *lookup(void *arg, const char *name)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (strcmp(pairs[0], name) == 0)
			return pairs[1];
	return NULL;
}

static void test_request__init(void **state)
{
	struct ckpt_request req;

	(void)state;
	memset(&req, 0xff, sizeof(req));
	ckpt_request_init(&req);
	assert_string_equal(req.mode, "auto");
	assert_int_equal(req.array_task, CKPT_REQUEST_NO_TASK);
	assert_int_equal(req.job_id, 0);
	assert_string_equal(req.dirs, "");
	assert_int_equal(ckpt_request_check(&req, NULL), 0);
}

static void test_request__rules(void **state)
{
	static const struct {
		const char *key, *value;
		int result;
	} cases[] = {
		{ "mode", "auto", 0 },
		{ "mode", "best", 0 },
		{ "mode", "fresh", 0 },
		{ "mode", "step:0", 0 },
		{ "mode", "epoch:12", 0 },
		{ "mode", "name:model_3.pt", 0 },
		{ "mode", "/abs/x y", 0 },
		{ "mode", "", -EINVAL },
		{ "mode", "Auto", -EINVAL },
		{ "mode", "step:", -EINVAL },
		{ "mode", "step:-1", -EINVAL },
		{ "mode", "step:5x", -EINVAL },
		{ "mode", "stp:5", -EINVAL },
		{ "mode", "epoch:007", -EINVAL },
		{ "mode", "name:", -EINVAL },
		{ "mode", "name:..", -EINVAL },
		{ "mode", "name:a/b", -EINVAL },
		{ "mode", "rel/path", -EINVAL },
		{ "dirs", "a", 0 },
		{ "dirs", "/a:b:%j/%A_%a-%x-%u%%", 0 },
		{ "dirs", "1:2:3:4:5:6:7:8", 0 },
		{ "dirs", "1:2:3:4:5:6:7:8:9", -EINVAL },
		{ "dirs", ":", -EINVAL },
		{ "dirs", ":a", -EINVAL },
		{ "dirs", "a:", -EINVAL },
		{ "dirs", "a::b", -EINVAL },
		{ "dirs", "a%", -EINVAL },
		{ "dirs", "%N", -EINVAL },
		{ "dirs", "%%%q", -EINVAL },
		{ "env_names", "RESUME", 0 },
		{ "env_names", "A,_b2", 0 },
		{ "env_names", "A,", -EINVAL },
		{ "env_names", ",A", -EINVAL },
		{ "env_names", "A,,B", -EINVAL },
		{ "env_names", "2A", -EINVAL },
		{ "env_names", "A B", -EINVAL },
		{ "env_names", "A=B", -EINVAL },
		{ "env_names", "PATH", -EINVAL },
		{ "env_names", "OK,LD_PRELOAD", -EINVAL },
		{ "env_names", "SLURM_JOB_ID", -EINVAL },
		{ "env_names", "CKPT_DIR", -EINVAL },
		{ "env_names", "IFS", -EINVAL },
		{ "env_names", "BASH_ENV", -EINVAL },
		{ "env_names", "ENV", -EINVAL },
		{ "env_names", "ENVIRONMENT", 0 },
		{ "verify", "full", 0 },
		{ "verify", "", 0 },
		{ "verify", "fast", -EINVAL },
		{ "metric", "eval/loss:min", 0 },
		{ "metric", "a:b:max", 0 },
		{ "metric", "loss", -EINVAL },
		{ "metric", ":min", -EINVAL },
		{ "metric", "loss:low", -EINVAL },
		{ "requeue", "preempt,exit:3", 0 },
		{ "requeue", "often", -EINVAL },
		{ "keep", "3,best=1", 0 },
		{ "keep", "1", -EINVAL },
		{ "share", "requeue", 0 },
		{ "share", "no", -EINVAL },
		{ "state", "st/%j", 0 },
		{ "state", "st/%N", -EINVAL },
		{ "epoch", "next", 0 },
		{ "epoch", "last", -EINVAL },
		{ "align", "no", 0 },
		{ "align", "maybe", -EINVAL },
		{ "stall", "auto", 0 },
		{ "stall", "2h", 0 },
		{ "stall", "never", -EINVAL },
		{ "before_limit", "1-0", 0 },
		{ "before_limit", "auto", -EINVAL },
		{ "before_limit", "0", -EINVAL },
		{ "before_limit", "29s", -EINVAL },
		{ "before_limit", "30s", 0 },
		{ "signal", "USR1", 0 },
		{ "signal", "SIGHUP", 0 },
		{ "signal", "12", 0 },
		{ "signal", "64", 0 },
		{ "signal", "65", -EINVAL },
		{ "signal", "0", -EINVAL },
		{ "signal", "KILL", -EINVAL },
		{ "signal", "19", -EINVAL },
		{ "signal", "SIGSIGUSR1", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_error err = { 0 };
		struct ckpt_request req;
		int r;

		ckpt_request_init(&req);
		assert_int_equal(ckpt_field_set(ckpt_field_find(&ckpt_request_fields, cases[i].key),
						&req, cases[i].value, &err),
				 0);
		r = ckpt_request_check(&req, &err);
		if (r != cases[i].result)
			print_error("%s=%s: %d\n", cases[i].key, cases[i].value, r);
		assert_int_equal(r, cases[i].result);
		if (r < 0) {
			assert_non_null(strstr(err.text, "--ckpt-"));
			assert_non_null(strstr(err.text, "allowed: "));
		}
	}
}

/* 0 would hold a job before its first restart, or mean none at all: whoever gives it is asked. */
static void test_request__max_restarts(void **state)
{
	const struct ckpt_field *row = ckpt_field_find(&ckpt_request_fields, "own_max_restarts");
	const char *none[] = { "S_OWN_MAX_RESTARTS", "0", NULL };
	struct ckpt_error err = { 0 };
	struct ckpt_request req;

	(void)state;
	ckpt_request_init(&req);
	assert_int_equal(req.own_max_restarts, 0);
	assert_int_equal(ckpt_field_set(row, &req, "0", &err), -EINVAL);
	assert_non_null(strstr(err.text, "from 1 to"));
	assert_int_equal(ckpt_field_set(row, &req, "1", &err), 0);
	assert_int_equal(req.own_max_restarts, 1);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, none, NULL), -EINVAL);
	/* the site's own 0 is "no cap" */
	row = ckpt_field_find(&ckpt_request_fields, "max_restarts");
	assert_int_equal(ckpt_field_set(row, &req, "0", &err), 0);
}

static void test_request__options_from_env(void **state)
{
	const char *env[] = { "S_RESUME", "step:5",  "S_DIR",	   "a:b", "S_REPIN",	"1",
			      "S_JOB_ID", "7",	     "S_IN_HOOK",  "1",	  "S_RUN_DIRS", "/",
			      "S_USER",	  "mallory", "S_WORK_DIR", "/x",  NULL };
	const char *none[] = { "S_DIR", "a", NULL };
	const char *bad[] = { "S_RESUME", "auto", "S_DIR", "a::b", NULL };
	const char *empty[] = { "S_RESUME", "", NULL };
	const char *control[] = { "S_RESUME", "/a\nb", NULL };
	struct ckpt_request req;

	(void)state;
	ckpt_request_init(&req);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, env, NULL), 0);
	assert_string_equal(req.mode, "step:5");
	assert_string_equal(req.dirs, "a:b");
	assert_int_equal(req.repin, 1);
	assert_int_equal(req.job_id, 0); /* rows of the trusted caller stay out of reach */
	assert_int_equal(req.in_hook, 0);
	assert_string_equal(req.run_dirs, "");
	assert_string_equal(req.user, "");
	assert_string_equal(req.work_dir, "");
	ckpt_request_init(&req);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, none, NULL), -ENOENT);
	assert_string_equal(req.mode, "auto");
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, empty, NULL), -ENOENT);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, bad, NULL), -EINVAL);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, control, NULL), -EINVAL);
}

static void test_request__signal(void **state)
{
	struct ckpt_request req;

	(void)state;
	ckpt_request_init(&req);
	assert_int_equal(ckpt_request_signal(&req, SIGTERM), SIGTERM);
	snprintf(req.signal, sizeof(req.signal), "SIGUSR2");
	assert_int_equal(ckpt_request_signal(&req, SIGTERM), SIGUSR2);
	snprintf(req.signal, sizeof(req.signal), "40");
	assert_int_equal(ckpt_request_signal(&req, SIGTERM), 40);
}

static void test_request__overlong_option(void **state)
{
	static char path[CKPT_PATH_MAX + 1];
	const char *env[] = { "S_RESUME", path, NULL };
	struct ckpt_request req;

	(void)state;
	memset(path, '/', CKPT_PATH_MAX);
	ckpt_request_init(&req);
	assert_int_equal(ckpt_request_options_from_env(&req, "S_", lookup, env, NULL), -E2BIG);
}

/* Every member travels: the largest values of all rows survive the wire form. */
static void test_request__round_trip(void **state)
{
	static struct ckpt_request req, back;
	static char wire[256 * 1024];
	long len;

	(void)state;
	for (size_t i = 0; i < ckpt_request_fields.n; i++) {
		const struct ckpt_field *row = &ckpt_request_fields.rows[i];
		char *member = (char *)&req + row->offset;
		int64_t max = row->max;

		assert_non_null(row->env);
		assert_non_null(row->help);
		if (row->type == CKPT_FIELD_INT) {
			assert_int_equal(row->size, sizeof(int64_t));
			memcpy(member, &max, sizeof(max));
		} else {
			memset(member, 'a', row->size - 1);
			*member = row->type == CKPT_FIELD_PATH ? '/' : 'a';
		}
	}
	len = ckpt_fields_encode(&ckpt_request_fields, &req, wire, sizeof(wire));
	assert_true(len > 0);
	assert_int_equal(ckpt_fields_decode(&ckpt_request_fields, &back, wire, (size_t)len, NULL),
			 0);
	assert_memory_equal(&req, &back, sizeof(req));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request__signal),
		cmocka_unit_test(test_request__init),
		cmocka_unit_test(test_request__rules),
		cmocka_unit_test(test_request__max_restarts),
		cmocka_unit_test(test_request__options_from_env),
		cmocka_unit_test(test_request__overlong_option),
		cmocka_unit_test(test_request__round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
