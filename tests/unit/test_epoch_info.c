/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch_info.json: reading programs' own files, our record, alignment after a fallback.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/record/epoch_info.h"
#include "tests/unit/support/scratch.h"

static const struct ckpt_epoch_record record = {
	.position = { .has_step = true, .step = 4500 },
	.has_last = true,
	.last_completed_epoch = 2,
	.checkpoint = "ckpt-3",
	.reason = "preempted",
	.job_id = 1234,
	.attempt = 1,
};

static int backup_dir(const struct scratch *s)
{
	int fd;

	mkdirat(s->fd, "backup", 0700);
	fd = openat(s->fd, "backup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static cJSON *parsed(int fd)
{
	char *text = scratch_get(fd, CKPT_EPOCH_INFO);
	cJSON *json = cJSON_Parse(text);

	assert_non_null(json);
	free(text);
	return json;
}

static void expect_int(const cJSON *json, const char *key, int64_t expected)
{
	int64_t value = -99;

	assert_true(ckpt_json_int(json, key, &value));
	assert_int_equal(value, expected);
}

static bool contains(int fd, const char *name, const char *needle)
{
	char *text = scratch_get(fd, name);
	bool found = text && strstr(text, needle);

	if (!found)
		print_message("no %s in %s\n", needle, text);
	free(text);
	return found;
}

static void test_epoch_info__reads_what_programs_write(void **state)
{
	static const struct {
		const char *text;
		bool has_last, has_best, has_score;
		int64_t last, best;
		double score;
	} cases[] = {
		{ "{\"last_completed_epoch\": 3, \"best_epoch\": 2, \"best_score\": 0.25}", true,
		  true, true, 3, 2, 0.25 },
		{ "{\"last_completed_epoch\": 3.0}", true, false, false, 3, 0, 0 },
		{ "{\"last_completed_epoch\": 3.5}", false, false, false, 0, 0, 0 },
		{ "{\"last_completed_epoch\": \"3\"}", false, false, false, 0, 0, 0 },
		{ "{\"last_completed_epoch\": null, \"best_epoch\": true}", false, false, false, 0,
		  0, 0 },
		{ "{\"last_completed_epoch\": -1}", true, false, false, -1, 0, 0 },
		{ "{\"last_completed_epoch\": 1e300}", false, false, false, 0, 0, 0 },
		{ "{\"last_completed_epoch\": 7, \"best_score\": Infinity}", true, false, false, 7,
		  0, 0 },
		{ "{\"last_completed_epoch\": 7, \"best_score\": NaN}", true, false, false, 7, 0,
		  0 },
		{ "{\"last_completed_epoch\": 7, \"best_score\": -Infinity}", true, false, false, 7,
		  0, 0 },
		{ "{\"nested\": {\"last_completed_epoch\": 9}}", false, false, false, 0, 0, 0 },
		{ "  {}\n", false, false, false, 0, 0, 0 },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_epoch_info info = { 0 };

		scratch_put(s->fd, CKPT_EPOCH_INFO, cases[i].text);
		print_message("%s\n", cases[i].text);
		assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
		assert_int_equal(info.has_last, cases[i].has_last);
		assert_int_equal(info.has_best_epoch, cases[i].has_best);
		assert_int_equal(info.has_best_score, cases[i].has_score);
		assert_int_equal(info.last_completed_epoch, cases[i].last);
		assert_int_equal(info.best_epoch, cases[i].best);
		assert_true(info.best_score == cases[i].score);
	}
}

static void test_epoch_info__absent_and_torn(void **state)
{
	static const char *const torn[] = { "",	    " ",   "{",	    "{\"last_completed_epoch\": 3",
					    "[]",   "3",   "{} {}", "{\"a\":}",
					    "\xff", "null" };
	struct scratch *s = *state;
	struct ckpt_epoch_info info = { .last_completed_epoch = 77 };
	int fd;

	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), CKPT_EPOCH_INFO_ABSENT);
	for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
		struct ckpt_error err = { 0 };

		scratch_put(s->fd, CKPT_EPOCH_INFO, torn[i]);
		assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, &err),
				 CKPT_EPOCH_INFO_TORN);
		assert_non_null(strstr(err.text, CKPT_EPOCH_INFO));
	}
	scratch_write(s->fd, CKPT_EPOCH_INFO, "{\0}", 3);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), CKPT_EPOCH_INFO_TORN);
	fd = openat(s->fd, CKPT_EPOCH_INFO, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, CKPT_JSON_MAX + 1), 0);
	close(fd);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), CKPT_EPOCH_INFO_TORN);
	unlinkat(s->fd, CKPT_EPOCH_INFO, 0);
	assert_int_equal(mkfifoat(s->fd, CKPT_EPOCH_INFO, 0600), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), CKPT_EPOCH_INFO_TORN);
	assert_int_equal(info.last_completed_epoch, 77);
}

static void test_epoch_info__write_makes_our_record(void **state)
{
	struct scratch *s = *state;
	struct ckpt_epoch_info info;
	_cleanup_json_ cJSON *json = NULL;

	assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &record, NULL), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(info.last_completed_epoch, 2);
	assert_int_equal(info.step, 4500);
	assert_string_equal(info.checkpoint, "ckpt-3");
	assert_string_equal(info.recorded_by, CKPT_RECORDED_BY);
	json = parsed(s->fd);
	expect_int(json, "job_id", 1234);
	expect_int(json, "attempt", 1);
	assert_string_equal(ckpt_json_text(json, "reason"), "preempted");
	assert_int_equal(strlen(ckpt_json_text(json, "timestamp")),
			 strlen("2026-01-01T00:00:00+00:00"));
	assert_int_equal(scratch_count(s->fd), 1);
}

static void test_epoch_info__write_renews_ours_and_keeps_the_rest(void **state)
{
	struct scratch *s = *state;
	struct ckpt_epoch_record next = { .attempt = 2, .job_id = 1234, .checkpoint = "x" };
	_cleanup_json_ cJSON *json = NULL;

	scratch_put(s->fd, CKPT_EPOCH_INFO,
		    "{\"best_score\":0.125,\"mine\":[1,2],\"last_completed_epoch\":9,\"step\":1,"
		    "\"recorded_by\":\"ckpt-resume\"}");
	assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &next, NULL), 0);
	json = parsed(s->fd);
	assert_false(cJSON_HasObjectItem(json, "last_completed_epoch")); /* not known any more */
	assert_false(cJSON_HasObjectItem(json, "step"));
	assert_true(cJSON_HasObjectItem(json, "mine"));
	assert_true(cJSON_HasObjectItem(json, "best_score"));
	assert_string_equal(ckpt_json_text(json, "checkpoint"), "x");
}

static void test_epoch_info__write_leaves_the_programs_own_alone(void **state)
{
	static const char *const own[] = { "{}", "{\"last_completed_epoch\":9}",
					   "{\"recorded_by\":\"somebody\"}",
					   "{\"recorded_by\":1}" };
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		scratch_put(s->fd, CKPT_EPOCH_INFO, own[i]);
		assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &record, NULL),
				 CKPT_EPOCH_INFO_FOREIGN);
		assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO, own[i]));
	}
	assert_int_equal(scratch_count(s->fd), 1);
}

static void test_epoch_info__write_keeps_torn_ones_aside(void **state)
{
	struct scratch *s = *state;
	struct ckpt_epoch_info info;

	scratch_put(s->fd, CKPT_EPOCH_INFO, "{\"last_comp");
	assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &record, NULL), 0);
	assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO ".torn", "{\"last_comp"));
	scratch_put(s->fd, CKPT_EPOCH_INFO, "second");
	assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &record, NULL), 0);
	assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO ".torn", "{\"last_comp"));
	assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO ".torn.1", "second"));
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	unlinkat(s->fd, CKPT_EPOCH_INFO, 0);
	assert_int_equal(mkdirat(s->fd, CKPT_EPOCH_INFO, 0755), 0);
	assert_int_equal(ckpt_epoch_info_write(NULL, s->fd, &record, NULL), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(scratch_count(s->fd), 4);
}

#define OWN                                                                                        \
	"{\n  \"seed\": 12345678901234567891,\n  \"last_completed_epoch\": 5,\n"                   \
	"  \"best_epoch\": 1,\n  \"best_score\": Infinity,\n"                                      \
	"  \"history\": [0.1, 0.30000000000000004,\n    {\"a,b\": \"}\\\"]\"}],\n"                 \
	"  \"k\\u0065y \\n\": 1.0,\n  \"step\": 7000,\n  \"checkpoint\": \"out/ckpt-5\",\n"        \
	"  \"timestamp\": \"2024-01-01\"\n}\n"

static void test_epoch_info__align_changes_no_other_byte(void **state)
{
	static const char *const kept[] = {
		"12345678901234567891",
		"Infinity",
		"[0.1, 0.30000000000000004,\n    {\"a,b\": \"}\\\"]\"}]",
		"1.0",
		"\"2024-01-01\"",
	};
	struct scratch *s = *state;
	int backup = backup_dir(s);
	struct ckpt_epoch_info info;
	_cleanup_free_ char *text = NULL;

	scratch_put(s->fd, CKPT_EPOCH_INFO, OWN);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_true(contains(s->fd, CKPT_EPOCH_INFO, kept[i]));
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(info.last_completed_epoch, 2);
	assert_int_equal(info.best_epoch, 1);
	assert_int_equal(info.step, 4500);
	assert_string_equal(info.checkpoint, "out/ckpt-3");
	assert_string_equal(info.recorded_by, "");
	text = scratch_get(s->fd, CKPT_EPOCH_INFO);
	assert_true(strstr(text, "seed") < strstr(text, "last_completed_epoch"));
	assert_true(strstr(text, "last_completed_epoch") < strstr(text, "best_epoch"));
	assert_true(strstr(text, "history") < strstr(text, "step"));
	assert_true(scratch_holds(backup, CKPT_EPOCH_INFO ".1", OWN));
	close(backup);
}

static void test_epoch_info__align_twice_keeps_the_first_backup(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s);

	scratch_put(s->fd, CKPT_EPOCH_INFO, OWN);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL),
			 CKPT_EPOCH_INFO_SAME);
	assert_int_equal(scratch_count(backup), 1);
	scratch_put(s->fd, CKPT_EPOCH_INFO, OWN); /* killed between backup and replacement */
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	assert_int_equal(scratch_count(backup), 1);
	scratch_put(s->fd, CKPT_EPOCH_INFO, "{\"last_completed_epoch\": 8}");
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	assert_true(scratch_holds(backup, CKPT_EPOCH_INFO ".1", OWN));
	assert_true(scratch_holds(backup, CKPT_EPOCH_INFO ".1.1", "{\"last_completed_epoch\": 8}"));
	close(backup);
}

static void test_epoch_info__align_same_and_absent_write_nothing(void **state)
{
	static const char same[] = "{\"step\":4500.0,\"last_completed_epoch\":2.0,\"checkpoint\":"
				   "\"ckpt-3\"}";
	struct scratch *s = *state;
	int backup = backup_dir(s);

	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL),
			 CKPT_EPOCH_INFO_ABSENT);
	scratch_put(s->fd, CKPT_EPOCH_INFO, same);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL),
			 CKPT_EPOCH_INFO_SAME);
	assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO, same));
	assert_int_equal(scratch_count(backup), 0);
	close(backup);
}

static void test_epoch_info__align_drops_a_best_that_lies_ahead(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s);

	for (int best = 0; best < 5; best++) {
		_cleanup_json_ cJSON *json = NULL;
		char text[128];

		snprintf(text, sizeof(text),
			 "{\"last_completed_epoch\":4,\"best_epoch\":%d,\"best_score\":1}", best);
		scratch_put(s->fd, CKPT_EPOCH_INFO, text);
		assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
		json = parsed(s->fd);
		assert_int_equal(cJSON_HasObjectItem(json, "best_epoch"), best <= 2);
		assert_int_equal(cJSON_HasObjectItem(json, "best_score"), best <= 2);
	}
	close(backup);
}

/* A parser takes the last of equal keys: that one is read, and no other is left behind it. */
static void test_epoch_info__of_a_key_twice_the_last_counts(void **state)
{
	struct scratch *s = *state;
	struct ckpt_epoch_info info;
	int backup = backup_dir(s);
	cJSON *json;

	scratch_put(
		s->fd, CKPT_EPOCH_INFO,
		"{\"best_epoch\": 1, \"last_completed_epoch\": 1, \"seed\": 7, \"best_epoch\": 9, "
		"\"best_score\": 0.5, \"last_completed_epoch\": 8, \"best_score\": 0.25}");
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(info.last_completed_epoch, 8);
	assert_int_equal(info.best_epoch, 9);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	json = parsed(s->fd);
	expect_int(json, "last_completed_epoch", 2);
	expect_int(json, "seed", 7);
	assert_null(cJSON_GetObjectItem(json, "best_epoch"));
	assert_null(cJSON_GetObjectItem(json, "best_score"));
	cJSON_Delete(json);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL),
			 CKPT_EPOCH_INFO_SAME);
	close(backup);
}

static void test_epoch_info__align_without_a_known_epoch_leaves_it(void **state)
{
	struct scratch *s = *state;
	const struct ckpt_epoch_record unknown = { .checkpoint = "ckpt-3", .attempt = 4 };
	int backup = backup_dir(s);
	struct ckpt_epoch_info info;

	scratch_put(s->fd, CKPT_EPOCH_INFO, OWN);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &unknown, NULL), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(info.last_completed_epoch, 5);
	assert_int_equal(info.step, 7000);
	assert_string_equal(info.checkpoint, "out/ckpt-3");
	assert_true(scratch_holds(backup, CKPT_EPOCH_INFO ".4", OWN));
	close(backup);
}

static void test_epoch_info__align_replaces_a_torn_one_and_keeps_it(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s), fd;
	struct ckpt_epoch_info info;

	scratch_put(s->fd, CKPT_EPOCH_INFO, "{\"last_completed_epoch\": 5");
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(info.last_completed_epoch, 2);
	assert_true(scratch_holds(backup, CKPT_EPOCH_INFO ".1", "{\"last_completed_epoch\": 5"));
	fd = openat(s->fd, CKPT_EPOCH_INFO, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, CKPT_JSON_MAX + 1), 0);
	close(fd);
	assert_int_equal(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL), 0);
	assert_int_equal(ckpt_epoch_info_load(NULL, s->fd, &info, NULL), 0);
	assert_int_equal(faccessat(s->fd, CKPT_EPOCH_INFO ".torn", F_OK, 0), 0);
	close(backup);
}

static void test_epoch_info__without_a_backup_nothing_changes(void **state)
{
	struct scratch *s = *state;
	int backup = backup_dir(s);

	scratch_put(s->fd, CKPT_EPOCH_INFO, OWN);
	assert_int_equal(unlinkat(s->fd, "backup", AT_REMOVEDIR), 0);
	assert_true(ckpt_epoch_info_align(NULL, s->fd, backup, &record, NULL) < 0);
	assert_true(scratch_holds(s->fd, CKPT_EPOCH_INFO, OWN));
	assert_int_equal(scratch_count(s->fd), 1);
	close(backup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_epoch_info__reads_what_programs_write),
		scratch_test(test_epoch_info__absent_and_torn),
		scratch_test(test_epoch_info__write_makes_our_record),
		scratch_test(test_epoch_info__write_renews_ours_and_keeps_the_rest),
		scratch_test(test_epoch_info__write_leaves_the_programs_own_alone),
		scratch_test(test_epoch_info__write_keeps_torn_ones_aside),
		scratch_test(test_epoch_info__align_changes_no_other_byte),
		scratch_test(test_epoch_info__align_twice_keeps_the_first_backup),
		scratch_test(test_epoch_info__align_same_and_absent_write_nothing),
		scratch_test(test_epoch_info__align_drops_a_best_that_lies_ahead),
		scratch_test(test_epoch_info__of_a_key_twice_the_last_counts),
		scratch_test(test_epoch_info__align_without_a_known_epoch_leaves_it),
		scratch_test(test_epoch_info__align_replaces_a_torn_one_and_keeps_it),
		scratch_test(test_epoch_info__without_a_backup_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
