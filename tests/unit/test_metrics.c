/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The site's counters: added up, read back, begun anew, never in another's reach.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks/metrics.h"
#include "tests/unit/support/scratch.h"

#define FILE_NAME "m.prom"

static int count(const struct scratch *dir, const char *cause, const char *rejected)
{
	const struct ckpt_metrics_end end = { .mode = "resume",
					      .cause = cause,
					      .rejected = { rejected },
					      .verify_ms = 1250,
					      .lost_s = 40 };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir->path, FILE_NAME);
	return ckpt_metrics_count(path, &end, NULL);
}

static void expect(const struct scratch *dir, const char *line, bool there)
{
	char *text = scratch_get(dir->fd, FILE_NAME);

	assert_non_null(text);
	if ((strstr(text, line) != NULL) != there)
		fail_msg("%s is %s in:\n%s", line, there ? "not" : "", text);
	free(text);
}

static void test_metrics__add_up(void **state)
{
	const struct scratch *dir = *state;

	assert_int_equal(count(dir, "preempted", "torch-zip/truncated,npz/checksum"), 0);
	assert_int_equal(count(dir, "preempted", "torch-zip/truncated"), 0);
	assert_int_equal(count(dir, "finished", ""), 0);
	expect(dir, "\nckpt_resume_attempts_total{mode=\"resume\"} 3\n", true);
	expect(dir, "\nckpt_resume_ends_total{cause=\"preempted\"} 2\n", true);
	expect(dir, "\nckpt_resume_ends_total{cause=\"finished\"} 1\n", true);
	expect(dir, "\nckpt_resume_lost_seconds_total{cause=\"preempted\"} 80\n", true);
	expect(dir, "_checkpoints_total{format=\"torch-zip\",problem=\"truncated\"} 2\n", true);
	expect(dir, "_checkpoints_total{format=\"npz\",problem=\"checksum\"} 1\n", true);
	expect(dir, "\nckpt_resume_verification_seconds_total 3.750\n", true);
	expect(dir, "# TYPE ckpt_resume_ends_total counter\n", true);
	assert_false(scratch_has(dir->fd, FILE_NAME ".new"));
}

/* What its start rejected, and what its end. */
static void test_metrics__start_and_end(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_metrics_end end = { .mode = "resume",
					      .cause = "oom",
					      .rejected = { "npz/checksum",
							    "torch-zip/truncated,npz/checksum" } };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir->path, FILE_NAME);
	assert_int_equal(ckpt_metrics_count(path, &end, NULL), 0);
	expect(dir, "{format=\"npz\",problem=\"checksum\"} 2\n", true);
	expect(dir, "{format=\"torch-zip\",problem=\"truncated\"} 1\n", true);
}

/* An agent is the user's process: no text of his reaches the file. */
static void test_metrics__no_user_text(void **state)
{
	static const char *const rows[] = { "a\"} 1/x",
					    "UPPER/truncated",
					    "x",
					    "/x",
					    "x/",
					    "a b/c",
					    "abcdefghijklmnopqrstuvwxyzabcdefghijkl/x",
					    ",,/,/" };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(count(dir, "unknown", rows[i]), 0);
		expect(dir, "_checkpoints_total{", false);
	}
	expect(dir, "\nckpt_resume_ends_total{cause=\"unknown\"} 8\n", true);
}

static void test_metrics__series_are_bounded(void **state)
{
	const struct scratch *dir = *state;
	char name[32], *text;
	size_t lines = 0;

	for (int i = 0; i < CKPT_METRICS_SERIES + 40; i += 4) {
		char list[160];

		snprintf(list, sizeof(list), "f-%d/x,f-%d/x,f-%d/x,f-%d/x", i, i + 1, i + 2, i + 3);
		assert_int_equal(count(dir, "signal", list), 0);
	}
	text = scratch_get(dir->fd, FILE_NAME);
	for (const char *p = text; (p = strstr(p, "{format=")); p++)
		lines++;
	free(text);
	assert_int_equal(lines, CKPT_METRICS_SERIES - 4);
	snprintf(name, sizeof(name), "{cause=\"signal\"} %d\n", (CKPT_METRICS_SERIES + 40) / 4);
	expect(dir, name, true);
}

static void test_metrics__torn_begins_anew(void **state)
{
	static const char *const rows[] = {
		"ckpt_resume_ends_total{cause=\"finished\"} 5\n",
		"ckpt_resume_ends_total{cause=\"finished\"} 5\n# en",
		"ckpt_resume_ends_total{cause=\"finished\"} -5\n# end\n",
		"ckpt_resume_ends_total{cause=\"fin\\\"ished\"} 5\n# end\n",
		"ckpt_resume_ends_total{cause=\"finished\"} 5.5\n# end\n",
		"ckpt_resume_ends_total{cause=\"finished\"} 99999999999999999999\n# end\n",
		"ckpt_resume_ends_total{cause=\"finished\"} 5\nother 1\n# end\n",
		"ckpt_resume_ends_total{cause=\"finished\"} 5\n# end\nmore\n",
		"",
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scratch_put(dir->fd, FILE_NAME, rows[i]);
		assert_int_equal(count(dir, "finished", ""), 0);
		expect(dir, "{cause=\"finished\"} 1\n", true);
	}
	scratch_put(dir->fd, FILE_NAME, "ckpt_resume_ends_total{cause=\"finished\"} 5\n# end\n");
	assert_int_equal(count(dir, "finished", ""), 0);
	expect(dir, "{cause=\"finished\"} 6\n", true);
}

static void test_metrics__directory_of_others(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_metrics_end end = { .mode = "", .cause = "oom" };

	assert_int_equal(fchmod(dir->fd, 0777), 0);
	assert_int_equal(count(dir, "oom", ""), -EPERM);
	assert_int_equal(fchmod(dir->fd, 0775), 0);
	assert_int_equal(count(dir, "oom", ""), -EPERM);
	assert_int_equal(fchmod(dir->fd, 0755), 0);
	assert_false(scratch_has(dir->fd, FILE_NAME));
	assert_int_equal(ckpt_metrics_count("m.prom", &end, NULL), -EINVAL);
	assert_int_equal(ckpt_metrics_count("/no/such/dir/m.prom", &end, NULL), -ENOENT);
	/* links are neither read nor written through */
	scratch_put(dir->fd, "victim", "ckpt_resume_ends_total{cause=\"oom\"} 5\n# end\n");
	assert_int_equal(symlinkat("victim", dir->fd, FILE_NAME), 0);
	assert_int_equal(count(dir, "oom", ""), 0);
	expect(dir, "{cause=\"oom\"} 1\n", true);
	assert_true(scratch_holds(dir->fd, "victim",
				  "ckpt_resume_ends_total{cause=\"oom\"} 5\n# end\n"));
}

#define PROCESSES 8
#define EACH 10

static void test_metrics__two_at_once(void **state)
{
	const struct scratch *dir = *state;
	int held, ended, good = 0;
	char line[64];

	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			int failed = 0;

			for (int k = 0; k < EACH; k++)
				failed += count(dir, "requeued", "") < 0;
			_exit(failed);
		}
	for (int i = 0; i < PROCESSES; i++) {
		assert_true(wait(&ended) > 0);
		assert_true(WIFEXITED(ended));
		good += EACH - WEXITSTATUS(ended);
	}
	assert_true(good >= EACH);
	snprintf(line, sizeof(line), "{cause=\"requeued\"} %d\n", good);
	expect(dir, line, true);
	held = openat(dir->fd, FILE_NAME ".lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_EX), 0);
	assert_int_equal(count(dir, "requeued", ""), -ETIMEDOUT);
	close(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_metrics__add_up),
		scratch_test(test_metrics__start_and_end),
		scratch_test(test_metrics__no_user_text),
		scratch_test(test_metrics__series_are_bounded),
		scratch_test(test_metrics__torn_begins_anew),
		scratch_test(test_metrics__directory_of_others),
		scratch_test(test_metrics__two_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
