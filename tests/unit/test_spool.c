/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool: what was written is read, what another could have written is not believed.
 */
#include "wire/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static struct ckpt_spool_key key_of(int64_t job_id)
{
	return (struct ckpt_spool_key) { root, "c1", "n1", job_id };
}

static int set_up(void **state)
{
	(void)state;
	strncpy(root, "/tmp/ckpt-test-spool-XXXXXX", sizeof(root) - 1);
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static char *in_job(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/c1/n1/7/%s", root, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_job(name), "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(in_job(name), 0600), 0);
}

static const struct ckpt_decision decision = { .mode = "resume",
					       .path = "/r/c",
					       .root = "/r",
					       .tag = "c",
					       .evidence = "seal",
					       .attempt = 2,
					       .job_id = 7,
					       .line = "l" };

static void test_spool__round_trip(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	static struct ckpt_decision d;
	struct ckpt_spool_state s;
	struct stat st;

	(void)state;
	assert_int_equal(ckpt_spool_read(&key, &s, &d, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_put_decision(&key, &decision, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_put_started(&key, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, &d, NULL), 0);
	assert_int_equal(s.attempt, 2);
	assert_true(s.this_boot);
	assert_false(s.has_decision || s.has_status || s.refused);
	assert_int_equal(ckpt_spool_put_decision(&key, &decision, NULL), 0);
	assert_int_equal(ckpt_spool_put_status(&key, 2, 15, true, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, &d, NULL), 0);
	assert_true(s.has_decision && s.has_status && s.refused);
	assert_int_equal(s.batch_status, 15);
	assert_string_equal(d.path, "/r/c");
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_true(s.has_decision);
	assert_int_equal(stat(in_job("."), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(in_job("decision"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ckpt_spool_remove(&key, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, &d, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_remove(&key, NULL), 0);
}

/* A new attempt knows nothing of the one before. */
static void test_spool__begin_empties(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(ckpt_spool_put_decision(&key, &decision, NULL), 0);
	assert_int_equal(ckpt_spool_put_started(&key, NULL), 0);
	assert_int_equal(ckpt_spool_put_status(&key, 2, 0, false, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_true(s.started);
	assert_int_equal(ckpt_spool_begin(&key, 3, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_int_equal(s.attempt, 3);
	assert_false(s.has_decision || s.has_status || s.started);
	ckpt_spool_remove(&key, NULL);
}

static void test_spool__status_alone(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	assert_int_equal(ckpt_spool_put_status(&key, 4, 256, false, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_int_equal(s.attempt, 4);
	assert_int_equal(s.batch_status, 256);
	assert_true(s.has_status);
	/* the status of another attempt begins a new spool */
	assert_int_equal(ckpt_spool_put_status(&key, 5, 9, false, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_int_equal(s.attempt, 5);
	ckpt_spool_remove(&key, NULL);
}

static void test_spool__foreign_decision(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_decision cases[3] = { decision, decision, decision };
	struct ckpt_spool_state s;

	(void)state;
	cases[0].attempt = 1;
	cases[1].job_id = 8;
	cases[2].path[0] = '\0'; /* contradicts itself */
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ckpt_spool_put_decision(&key, &cases[i], NULL), 0);
		assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
		assert_false(s.has_decision);
	}
	ckpt_spool_remove(&key, NULL);
}

static void test_spool__other_boot(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(ckpt_spool_put_decision(&key, &decision, NULL), 0);
	write_file("attempt", "attempt=2\nboot=00000000-0000-0000-0000-000000000000\n");
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_false(s.this_boot || s.has_decision || s.has_status);
	/* and a status of this boot does not revive it */
	assert_int_equal(ckpt_spool_put_status(&key, 2, 0, false, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_true(s.this_boot && s.has_status);
	assert_false(s.has_decision);
	ckpt_spool_remove(&key, NULL);
}

static void test_spool__torn_files(void **state)
{
	static const char *const texts[] = { "attempt=2", "garbage\n", "attempt=2\nattempt=2\n",
					     "attempt=x\n", "status=70000000000\n" };
	static char large[CKPT_PATH_MAX * 20];
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
		write_file("status", texts[i]);
		assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
		write_file("attempt", texts[i]);
		assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
	}
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	write_file("decision", large);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
	ckpt_spool_remove(&key, NULL);
}

static void test_spool__foreign_files(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(chmod(in_job("attempt"), 0622), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
	assert_int_equal(unlink(in_job("attempt")), 0);
	write_file("copy", "attempt=2\nboot=x\n"); /* a good one, but behind a link */
	assert_int_equal(symlink("copy", in_job("attempt")), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
	assert_int_equal(unlink(in_job("copy")), 0);
	assert_int_equal(unlink(in_job("attempt")), 0);
	assert_int_equal(mkfifo(in_job("attempt"), 0600), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG); /* no hang */
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), 0);
	assert_int_equal(chmod(in_job("."), 0770), 0);
	assert_int_equal(ckpt_spool_read(&key, &s, NULL, NULL), -EBADMSG);
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), -EBADMSG);
	assert_int_equal(chmod(in_job("."), 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(in_job("."), 12345, 0), 0);
		assert_int_equal(ckpt_spool_put_status(&key, 2, 0, false, NULL), -EBADMSG);
		assert_int_equal(chown(in_job("."), 0, 0), 0);
	}
	assert_int_equal(ckpt_spool_remove(&key, NULL), 0);
}

/* A link in the place of a temporary or of a directory is never written through. */
static void test_spool__links(void **state)
{
	const struct ckpt_spool_key key = key_of(7);
	char target[96], job[128];
	struct stat st;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", root);
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), 0);
	assert_int_equal(symlink(target, in_job("decision.new")), 0);
	assert_int_equal(symlink(target, in_job("decision")), 0);
	assert_int_equal(ckpt_spool_put_decision(&key, &decision, NULL), 0);
	assert_int_equal(lstat(target, &st), -1);
	assert_int_equal(lstat(in_job("decision"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(ckpt_spool_remove(&key, NULL), 0);
	assert_int_equal(mkdir(target, 0700), 0);
	snprintf(job, sizeof(job), "%s/c1/n1/7", root);
	assert_int_equal(symlink(target, job), 0);
	assert_int_equal(ckpt_spool_begin(&key, 2, NULL), -EBADMSG);
	assert_int_equal(unlink(job), 0);
	assert_int_equal(rmdir(target), 0); /* nothing came to lie there */
}

static void test_spool__bad_names(void **state)
{
	static const struct ckpt_spool_key keys[] = {
		{ root, "..", "n1", 7 }, { root, "c1", "../n1", 7 }, { root, "", "n1", 7 },
		{ root, "c1", "", 7 },	 { root, "c1", "n1", 0 },    { root, "c1", "n1", -1 },
		{ root, "a/b", "n", 7 }, { root, "c\n", "n", 7 },
	};
	struct ckpt_spool_state s;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_int_equal(ckpt_spool_begin(&keys[i], 1, NULL), -EINVAL);
		assert_int_equal(ckpt_spool_read(&keys[i], &s, NULL, NULL), -EINVAL);
	}
}

/* Several slurmd of one host and several clusters do not meet. */
static void test_spool__nodes_apart(void **state)
{
	struct ckpt_spool_key a = key_of(7), b = key_of(7), c = key_of(7);
	struct ckpt_spool_state s;

	(void)state;
	b.node = "n2";
	c.cluster = "c2";
	assert_int_equal(ckpt_spool_begin(&a, 1, NULL), 0);
	assert_int_equal(ckpt_spool_read(&b, &s, NULL, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_read(&c, &s, NULL, NULL), -ENOENT);
	ckpt_spool_remove(&a, NULL);
}

static void test_spool__sweep(void **state)
{
	const struct ckpt_spool_key mine = key_of(7), old = key_of(8), young = key_of(9);
	const struct timespec past[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct ckpt_spool_state s;
	char path[128], other[128];

	(void)state;
	assert_int_equal(ckpt_spool_begin(&mine, 1, NULL), 0);
	assert_int_equal(ckpt_spool_begin(&old, 1, NULL), 0);
	assert_int_equal(ckpt_spool_begin(&young, 1, NULL), 0);
	snprintf(other, sizeof(other), "%s/c1/n1/notes", root);
	assert_int_equal(mkdir(other, 0700), 0);
	for (int job = 7; job <= 8; job++) {
		snprintf(path, sizeof(path), "%s/c1/n1/%d", root, job);
		assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
	}
	assert_int_equal(utimensat(AT_FDCWD, other, past, 0), 0);
	ckpt_spool_sweep(&mine, 3600);
	assert_int_equal(ckpt_spool_read(&mine, &s, NULL, NULL), 0);
	assert_int_equal(ckpt_spool_read(&old, &s, NULL, NULL), -ENOENT);
	assert_int_equal(ckpt_spool_read(&young, &s, NULL, NULL), 0);
	assert_int_equal(rmdir(other), 0); /* what is no job's is left alone */
	ckpt_spool_remove(&mine, NULL);
	ckpt_spool_remove(&young, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spool__round_trip),
		cmocka_unit_test(test_spool__begin_empties),
		cmocka_unit_test(test_spool__status_alone),
		cmocka_unit_test(test_spool__foreign_decision),
		cmocka_unit_test(test_spool__other_boot),
		cmocka_unit_test(test_spool__torn_files),
		cmocka_unit_test(test_spool__foreign_files),
		cmocka_unit_test(test_spool__links),
		cmocka_unit_test(test_spool__bad_names),
		cmocka_unit_test(test_spool__nodes_apart),
		cmocka_unit_test(test_spool__sweep),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
