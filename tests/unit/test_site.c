/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The site's configuration: every key, every way to get a line wrong, files that must not be
 * believed.
 */
#include "wire/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/request.h"

static char dir[64], conf[128];

static int set_up(void **state)
{
	(void)state;
	strncpy(dir, "/tmp/ckpt-test-site-XXXXXX", sizeof(dir) - 1);
	if (!mkdtemp(dir))
		return -1;
	snprintf(conf, sizeof(conf), "%s/c.conf", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(conf);
	return rmdir(dir);
}

static void write_conf(const char *text, size_t len)
{
	FILE *f = fopen(conf, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	assert_int_equal(chmod(conf, 0644), 0);
}

static int load(struct ckpt_site *site, const char *text, struct ckpt_error *err)
{
	write_conf(text, strlen(text));
	return ckpt_site_load(site, conf, err);
}

static void test_site__defaults(void **state)
{
	static struct ckpt_site site;

	(void)state;
	assert_int_equal(ckpt_site_load(&site, "/nonexistent/x.conf", NULL), 0);
	assert_string_equal(site.spool_dir, "/run/ckpt-resume");
	assert_string_equal(site.disable_file, "/etc/slurm/ckpt-resume.disable");
	assert_string_equal(site.agent, CKPT_AGENT_PATH);
	assert_string_equal(site.verify, "full");
	assert_string_equal(site.quarantine, "rename");
	assert_string_equal(site.reject_non_finite, "no");
	assert_string_equal(site.companion, "yes");
	assert_string_equal(site.share, "wait");
	assert_int_equal(site.share_wait_ms, 300000);
	assert_int_equal(site.prolog_budget_ms, 5000);
	assert_int_equal(site.step_budget_ms, 120000);
	assert_int_equal(site.prolog_resolve, CKPT_PROLOG_REQUEUE);
	assert_int_equal(load(&site, "# only\n\n   # this\n", NULL), 0);
	assert_int_equal(site.epilog_budget_ms, 5000);
}

static void test_site__all_keys(void **state)
{
	static const char text[] =
		"DisableFile=/d\n"
		"  SpoolDir = /s p  \r\n"
		"Agent=/a\nDefaultDir=ck/%j\nRunDirs=/x:/y\n"
		"Partitions=low,high\nVerify=structure\nQuarantine=mark\nRejectNonFinite=any\n"
		"Companion=no\nShare=requeue\nShareWait=90\n"
		"MetricsFile=/m/c.prom\n"
		"PrologBudget=2.5\nEpilogBudget=0.1\nStepBudget=2m\n"
		"MaxBytes=1.5G\nMaxRestarts=9\nSpoolAge=2d\n"
		"PrologResolve=always\nOnUndecided=hold";
	static struct ckpt_site site;
	struct ckpt_error err = { 0 };

	(void)state;
	assert_int_equal(load(&site, text, &err), 0);
	assert_string_equal(site.disable_file, "/d");
	assert_string_equal(site.spool_dir, "/s p");
	assert_string_equal(site.agent, "/a");
	assert_string_equal(site.default_dir, "ck/%j");
	assert_string_equal(site.run_dirs, "/x:/y");
	assert_string_equal(site.partitions, "low,high");
	assert_string_equal(site.verify, "structure");
	assert_string_equal(site.quarantine, "mark");
	assert_string_equal(site.reject_non_finite, "any");
	assert_string_equal(site.companion, "no");
	assert_string_equal(site.share, "requeue");
	assert_int_equal(site.share_wait_ms, 90000);
	assert_string_equal(site.metrics_file, "/m/c.prom");
	assert_int_equal(site.prolog_budget_ms, 2500);
	assert_int_equal(site.epilog_budget_ms, 100);
	assert_int_equal(site.step_budget_ms, 120000);
	assert_int_equal(site.max_bytes, 1610612736);
	assert_int_equal(site.max_restarts, 9);
	assert_int_equal(site.spool_age_s, 172800);
	assert_int_equal(site.prolog_resolve, CKPT_PROLOG_ALWAYS);
	assert_int_equal(site.on_undecided, CKPT_UNDECIDED_HOLD);
	for (const struct ckpt_site_key *k = ckpt_site_keys; k->name; k++)
		assert_non_null(strstr(text, k->name)); /* no key without a case here */
}

static void test_site__bad_lines(void **state)
{
	static const char *const cases[] = {
		"Nope=1",
		"verify=full",
		"Verify",
		"Verify=",
		"Verify=Full",
		"Quarantine=no",
		"RejectNonFinite=nan",
		"Companion=",
		"Companion=1",
		"Share=no",
		"Share=",
		"ShareWait=-1",
		"ShareWait=25h",
		"MetricsFile=m.prom",
		"PrologBudget=",
		"PrologBudget=0",
		"PrologBudget=-1",
		"PrologBudget=1.",
		"PrologBudget=.5",
		"PrologBudget=1.2345",
		"PrologBudget=1x",
		"PrologBudget=1ss",
		"PrologBudget=1e3",
		"PrologBudget=1 s",
		"PrologBudget=2h",
		"EpilogBudget=inf",
		"MaxBytes=1k",
		"MaxBytes=99999999T",
		"MaxBytes=9999999999999999999999",
		"MaxRestarts=1.5",
		"MaxRestarts=-1",
		"SpoolDir=run",
		"SpoolDir=",
		"RunDirs=/a:b",
		"RunDirs=/a::/b",
		"RunDirs=/a:",
		"Agent=/a\tb\x01",
		"PrologResolve=yes",
		"OnUndecided=drain",
		"=x",
		"Verify=full\nVerify=full",
		"# ok\n\nVerify full",
	};
	static struct ckpt_site site;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_error err = { 0 };
		int r = load(&site, cases[i], &err);

		if (r != -EINVAL)
			print_error("%s: %d\n", cases[i], r);
		assert_int_equal(r, -EINVAL);
		assert_non_null(strstr(err.text, "c.conf' line "));
		assert_string_equal(site.verify, "full"); /* the defaults again */
	}
	assert_int_equal(load(&site, "MaxBytes=5\n\n# x\nWrong=1\n", NULL), -EINVAL);
	assert_int_equal(site.max_bytes, 0);
}

static void test_site__line_number(void **state)
{
	static struct ckpt_site site;
	struct ckpt_error err = { 0 };

	(void)state;
	assert_int_equal(load(&site, "MaxBytes=5\n\n# x\nWrong=1\n", &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 4"));
	write_conf("Verify=full\0\nNope=1\n", 20);
	assert_int_equal(ckpt_site_load(&site, conf, &err), -EINVAL);
}

static void test_site__long_files(void **state)
{
	static char text[128 * 1024];
	static struct ckpt_site site;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(load(&site, text, NULL), -EINVAL); /* too large a file */
	text[30 * 1024] = '\0';
	assert_int_equal(load(&site, text, NULL), -EINVAL); /* too long a line */
	memcpy(text, "#", 1);
	assert_int_equal(load(&site, text, NULL), -EINVAL);
	memcpy(text, "RunDirs=/", 9);
	text[9 + 16383] = '\0';
	assert_int_equal(load(&site, text, NULL), -EINVAL); /* one byte too many for its member */
	text[9 + 16382] = '\0';
	assert_int_equal(load(&site, text, NULL), 0);
}

static void test_site__foreign_files(void **state)
{
	static struct ckpt_site site;
	char link_name[160];

	(void)state;
	write_conf("MaxRestarts=3\n", 14);
	assert_int_equal(chmod(conf, 0664), 0);
	assert_int_equal(ckpt_site_load(&site, conf, NULL), -EPERM);
	assert_int_equal(chmod(conf, 0646), 0);
	assert_int_equal(ckpt_site_load(&site, conf, NULL), -EPERM);
	assert_int_equal(chmod(conf, 0600), 0);
	assert_int_equal(ckpt_site_load(&site, conf, NULL), 0);
	assert_int_equal(site.max_restarts, 3);
	if (geteuid() == 0) {
		assert_int_equal(chown(conf, 12345, 0), 0);
		assert_int_equal(ckpt_site_load(&site, conf, NULL), -EPERM);
		assert_int_equal(site.max_restarts, 0);
		assert_int_equal(chown(conf, 0, 0), 0);
	}
	snprintf(link_name, sizeof(link_name), "%s/l", dir);
	assert_int_equal(symlink(conf, link_name), 0);
	assert_int_equal(ckpt_site_load(&site, link_name, NULL), -ELOOP);
	unlink(link_name);
	assert_int_equal(ckpt_site_load(&site, dir, NULL), -EPERM);
	assert_int_equal(mkfifo(link_name, 0600), 0);
	assert_int_equal(ckpt_site_load(&site, link_name, NULL), -EPERM); /* and does not hang */
	unlink(link_name);
}

static void test_site__path(void **state)
{
	char buf[CKPT_PATH_MAX];

	(void)state;
	assert_string_equal(ckpt_site_path("/arg", "/s/slurm.conf", buf), "/arg");
	assert_string_equal(ckpt_site_path(NULL, "/s/t/slurm.conf", buf), "/s/t/ckpt-resume.conf");
	assert_string_equal(ckpt_site_path(NULL, "/slurm.conf", buf), "/ckpt-resume.conf");
	assert_string_equal(ckpt_site_path(NULL, NULL, buf), CKPT_SITE_PATH);
	assert_string_equal(ckpt_site_path(NULL, "slurm.conf", buf), CKPT_SITE_PATH);
	assert_string_equal(ckpt_site_path(NULL, "", buf), CKPT_SITE_PATH);
}

static void test_site__switch(void **state)
{
	static struct ckpt_site site;

	(void)state;
	ckpt_site_defaults(&site);
	snprintf(site.disable_file, sizeof(site.disable_file), "%s/off", dir);
	assert_false(ckpt_site_disabled(&site));
	snprintf(site.disable_file, sizeof(site.disable_file), "%s", dir);
	assert_true(ckpt_site_disabled(&site));
}

static void test_site__partition(void **state)
{
	static struct ckpt_site site;

	(void)state;
	ckpt_site_defaults(&site);
	assert_true(ckpt_site_partition(&site, "any"));
	snprintf(site.partitions, sizeof(site.partitions), "low,gpu-a");
	assert_true(ckpt_site_partition(&site, "low"));
	assert_true(ckpt_site_partition(&site, "gpu-a"));
	assert_false(ckpt_site_partition(&site, "gpu"));
	assert_false(ckpt_site_partition(&site, "lowly"));
	assert_false(ckpt_site_partition(&site, ""));
}

static void test_site__companion_lies_beside_the_agent(void **state)
{
	static struct ckpt_site site;
	char buf[CKPT_PATH_MAX];

	(void)state;
	assert_int_equal(load(&site, "Agent=/opt/x/ckpt-agent\n", NULL), 0);
	assert_string_equal(ckpt_site_companion(&site, buf), "/opt/x/ckpt-companion");
	memset(site.agent, 'a', sizeof(site.agent) - 1);
	site.agent[0] = site.agent[sizeof(site.agent) - 3] = '/';
	assert_null(ckpt_site_companion(&site, buf));
}

static void test_site__into_request(void **state)
{
	static struct ckpt_site site;
	static struct ckpt_request req;

	(void)state;
	assert_int_equal(load(&site,
			      "RunDirs=/x\nDefaultDir=d\nMaxRestarts=4\nQuarantine=off\n"
			      "RejectNonFinite=yes\n",
			      NULL),
			 0);
	ckpt_request_init(&req);
	ckpt_site_into_request(&site, &req);
	assert_string_equal(req.verify, "full");
	assert_string_equal(req.run_dirs, "/x");
	assert_string_equal(req.default_dir, "d");
	assert_string_equal(req.quarantine, "off");
	assert_string_equal(req.reject_non_finite, "yes");
	assert_int_equal(req.max_restarts, 4);
	assert_string_equal(req.share, "wait");
	snprintf(req.verify, sizeof(req.verify), "structure");
	snprintf(req.share, sizeof(req.share), "yes");
	ckpt_site_into_request(&site, &req);
	assert_string_equal(req.verify, "structure"); /* the user's wins */
	assert_string_equal(req.share, "yes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_site__defaults),
		cmocka_unit_test(test_site__all_keys),
		cmocka_unit_test(test_site__bad_lines),
		cmocka_unit_test(test_site__line_number),
		cmocka_unit_test(test_site__long_files),
		cmocka_unit_test(test_site__foreign_files),
		cmocka_unit_test(test_site__path),
		cmocka_unit_test(test_site__switch),
		cmocka_unit_test(test_site__companion_lies_beside_the_agent),
		cmocka_unit_test(test_site__partition),
		cmocka_unit_test(test_site__into_request),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
