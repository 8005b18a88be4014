/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What slurmd says of a job, ckpt-jobinfo's line, and which requests need the job's array and name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hooks/ask.h"
#include "hooks/job.h"
#include "hooks/worker.h"
#include "wire/text.h"

static const char *const good[][2] = {
	{ "SLURM_JOB_ID", "12" },	   { "SLURM_JOB_UID", "1001" },
	{ "SLURM_JOB_GID", "100" },	   { "SLURM_JOB_USER", "ann" },
	{ "SLURM_JOB_WORK_DIR", "/home" }, { "SLURM_CLUSTER_NAME", "c" },
	{ "SLURMD_NODENAME", "n1" },	   { "SLURM_JOB_RESTART_COUNT", "2" },
	{ "SLURM_NODELIST", "n[1-2]" },	   { "SLURM_JOB_NUM_NODES", "2" },
};

static void set_good(void)
{
	clearenv();
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		setenv(good[i][0], good[i][1], 1);
}

static void test_hook_job__good(void **state)
{
	struct ckpt_hook_job job;
	struct ckpt_error err;

	(void)state;
	set_good();
	assert_int_equal(ckpt_hook_job_read(&job, &err), 0);
	assert_int_equal(job.id, 12);
	assert_int_equal(job.uid, 1001);
	assert_int_equal(job.gid, 100);
	assert_int_equal(job.attempt, 2);
	assert_int_equal(job.num_nodes, 2);
	assert_string_equal(job.partition, "");
	assert_string_equal(job.exit_code, "");
	assert_true(ckpt_hook_job_is_batch_host(&job));
	job.node = "n2";
	assert_false(ckpt_hook_job_is_batch_host(&job));
}

/* Newer releases name it differently. */
static void test_hook_job__other_nodelist(void **state)
{
	struct ckpt_hook_job job;
	struct ckpt_error err;

	(void)state;
	set_good();
	unsetenv("SLURM_NODELIST");
	setenv("SLURM_JOB_NODELIST", "n1", 1);
	assert_int_equal(ckpt_hook_job_read(&job, &err), 0);
	assert_true(ckpt_hook_job_is_batch_host(&job));
}

/* Each component of a heterogeneous job has a first node; the script is on the first one's. */
static void test_hook_job__components(void **state)
{
	struct ckpt_hook_job job;
	struct ckpt_error err;
	char id[24];

	(void)state;
	set_good();
	assert_int_equal(ckpt_hook_job_read(&job, &err), 0);
	assert_int_equal(job.leader, 0);
	for (int64_t before = 0; before < 2; before++) {
		snprintf(id, sizeof(id), "%lld", (long long)(job.id - before));
		setenv("SLURM_HET_JOB_ID", id, 1);
		assert_int_equal(ckpt_hook_job_read(&job, &err), 0);
		assert_int_equal(job.leader, job.id - before);
		assert_int_equal(ckpt_hook_job_is_batch_host(&job), before == 0);
	}
	setenv("SLURM_HET_JOB_ID", "x", 1);
	assert_int_equal(ckpt_hook_job_read(&job, &err), 0);
	assert_true(ckpt_hook_job_is_batch_host(&job));
	unsetenv("SLURM_HET_JOB_ID");
}

static void test_hook_job__refused(void **state)
{
	static const struct {
		const char *name, *value; /* NULL: unset */
		int verdict;
	} rows[] = {
		{ "SLURM_JOB_UID", "0", CKPT_HOOK_JOB_ROOT },
		{ "SLURM_JOB_UID", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_UID", "-1", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_UID", "00", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_UID", "4294967295", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_GID", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_GID", "4294967295", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_ID", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_ID", "0", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_RESTART_COUNT", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_RESTART_COUNT", "", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_WORK_DIR", "(null)", CKPT_HOOK_JOB_BARE },
		{ "SLURM_JOB_WORK_DIR", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURM_CLUSTER_NAME", NULL, CKPT_HOOK_JOB_BARE },
		{ "SLURMD_NODENAME", "a/b", CKPT_HOOK_JOB_BARE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_hook_job job = { .id = 77 };
		struct ckpt_error err = { 0 };

		set_good();
		if (rows[i].value)
			setenv(rows[i].name, rows[i].value, 1);
		else
			unsetenv(rows[i].name);
		assert_int_equal(ckpt_hook_job_read(&job, &err), rows[i].verdict);
		assert_int_equal(job.id, 77);
		assert_true(err.text[0]);
	}
}

static void test_hook_job__first_node(void **state)
{
	static const char *const rows[][2] = {
		{ "n1", "n1" },
		{ "n1,n2", "n1" },
		{ "n[3-5,8],m1", "n3" },
		{ "n[003-5]", "n003" },
		{ "n[7]", "n7" },
		{ "[1-2]", "1" },
		{ "r[1-2]c[4,6]-x,z", "r1c4-x" },
		{ "login-1.site", "login-1.site" },
		{ "", "" },
		{ ",n1", "" },
		{ "n[", "" },
		{ "n[]", "" },
		{ "n[1", "" },
		{ "n[1x]", "" },
		{ "n[a-b]", "" },
		{ "../n1", "" },
		{ "n 1", "" },
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool found = ckpt_hook_first_node(rows[i][0], buf, sizeof(buf));

		assert_string_equal(buf, rows[i][1]);
		assert_int_equal(found, rows[i][1][0] != '\0');
	}
	assert_true(ckpt_hook_first_node("a23456789012345", buf, sizeof(buf)));
	assert_false(ckpt_hook_first_node("a234567890123456", buf, sizeof(buf)));
	assert_false(ckpt_hook_first_node("a234[567890123456]", buf, sizeof(buf)));
}

static void test_hook_job__needs_identity(void **state)
{
	static const struct {
		const char *dirs, *state, *config;
		bool needs;
	} rows[] = {
		{ "", "", "", true },	      { "/a", "", "", false },
		{ "/a/%j", "", "", false },   { "/a/%u", "", "", false },
		{ "/a/%%a", "", "", false },  { "/a/%%%a", "", "", true },
		{ "/a/%a", "", "", true },    { "/a/%A", "", "", true },
		{ "/a:/b/%x", "", "", true }, { "/a", "/s/%a", "", true },
		{ "/a", "", "/c/%x", true },  { "/a%", "", "", false },
	};
	static struct ckpt_request req;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ckpt_request_init(&req);
		ckpt_text_copy(req.dirs, sizeof(req.dirs), rows[i].dirs);
		ckpt_text_copy(req.state, sizeof(req.state), rows[i].state);
		ckpt_text_copy(req.config, sizeof(req.config), rows[i].config);
		if (ckpt_hook_needs_identity(&req) != rows[i].needs)
			fail_msg("row %zu: '%s'", i, rows[i].dirs);
	}
}

static void test_hook_job__jobinfo_line(void **state)
{
	static const struct {
		const char *line;
		bool good;
	} rows[] = {
		{ "job=1 state=pending completing=1 restart=2 preempt=3 array_job=4 array_task=5 "
		  "name=a-b end=1\n",
		  true },
		{ "job=1 state=other end=1\n", true },
		{ "job=1 state=pending\n", false },
		{ "job=1 end=1\n", false },
		{ "job=1 state=pending end=1", false },
		{ "job=1 state=pending end=1\n\n", false },
		{ "job=1 state=pending end=1\njob=2\n", false },
		{ "job=1 state=pending end=0\n", false },
		{ "job=1 state=pending evil=1 end=1\n", false },
		{ "job=1 job=1 state=pending end=1\n", false },
		{ "job=1 state=pen/ding end=1\n", false },
		{ "job=1 state=pending name=../a end=1\n", false },
		{ "job=-1 state=pending end=1\n", false },
		{ "job=1  state=pending end=1\n", false },
		{ "", false },
		{ "\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_jobinfo info = { .job = 99 };
		struct ckpt_error err;
		char line[256];
		int r;

		ckpt_text_copy(line, sizeof(line), rows[i].line);
		r = ckpt_ask_parse(line, &info, &err);
		if ((r == 0) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].line);
		assert_int_equal(info.job, rows[i].good ? 1 : 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hook_job__good),
		cmocka_unit_test(test_hook_job__other_nodelist),
		cmocka_unit_test(test_hook_job__refused),
		cmocka_unit_test(test_hook_job__components),
		cmocka_unit_test(test_hook_job__first_node),
		cmocka_unit_test(test_hook_job__needs_identity),
		cmocka_unit_test(test_hook_job__jobinfo_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
