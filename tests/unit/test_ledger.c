/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.jsonl: what comes back, what a crash or a stranger left in it, what is cut, a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/record/ledger.h"
#include "tests/unit/support/scratch.h"

/* Appends {"event":EVENT,"value":VALUE}. */
static int append(int fd, const char *event, int value)
{
	_cleanup_json_ cJSON *entry = cJSON_CreateObject();

	cJSON_AddStringToObject(entry, "event", event);
	cJSON_AddNumberToObject(entry, "value", value);
	return ckpt_ledger_append(fd, entry, NULL);
}

/* What a reading saw: events joined by ' ', the last value and number. */
struct seen {
	char events[512];
	int64_t value, n;
	int stop_after;
	int count;
	bool cut, has_trail;
};

static int note(void *arg, const cJSON *entry)
{
	struct seen *seen = arg;
	const char *event = ckpt_json_text(entry, "event");
	size_t len = strlen(seen->events);

	snprintf(seen->events + len, sizeof(seen->events) - len, "%s%s", len ? " " : "",
		 event ? event : "?");
	ckpt_json_int(entry, "value", &seen->value);
	seen->n = 0;
	ckpt_json_int(entry, "n", &seen->n);
	seen->cut = ckpt_json_bool(entry, "cut", false);
	seen->has_trail = cJSON_HasObjectItem(entry, "trail");
	return ++seen->count == seen->stop_after ? 42 : 0;
}

static void expect_events(int fd, const char *events, size_t torn)
{
	struct seen seen = { 0 };
	size_t n = 99;

	assert_int_equal(ckpt_ledger_read(fd, note, &seen, &n, NULL), 0);
	assert_string_equal(seen.events, events);
	assert_int_equal(n, torn);
}

static void test_ledger__absent_then_ordered_and_numbered(void **state)
{
	struct scratch *s = *state;
	struct seen seen = { 0 };

	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), CKPT_STATE_ABSENT);
	assert_int_equal(append(s->fd, "a", 1), 0);
	assert_int_equal(append(s->fd, "b", 2), 0);
	assert_int_equal(append(s->fd, "c", 3), 0);
	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), 0);
	assert_string_equal(seen.events, "a b c");
	assert_int_equal(seen.value, 3);
	assert_int_equal(seen.n, 3);
}

static void test_ledger__entry_keeps_the_callers_and_can_be_appended_again(void **state)
{
	struct scratch *s = *state;
	_cleanup_json_ cJSON *entry = cJSON_CreateObject();
	struct seen seen = { 0 };
	const char *at;

	cJSON_AddStringToObject(entry, "event", "x");
	assert_int_equal(ckpt_ledger_append(s->fd, entry, NULL), 0);
	assert_int_equal(ckpt_ledger_append(s->fd, entry, NULL), 0);
	at = ckpt_json_text(entry, "at");
	assert_non_null(at);
	assert_int_equal(strlen(at), strlen("2026-01-01T00:00:00Z"));
	assert_int_equal(cJSON_GetArraySize(entry), 3);
	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), 0);
	assert_int_equal(seen.n, 2);
}

static void test_ledger__callback_stops_the_reading(void **state)
{
	struct scratch *s = *state;
	struct seen seen = { .stop_after = 2 };

	for (int i = 0; i < 5; i++)
		assert_int_equal(append(s->fd, "e", i), 0);
	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), 42);
	assert_int_equal(seen.count, 2);
}

static void test_ledger__torn_last_line_is_not_delivered_and_healed(void **state)
{
	struct scratch *s = *state;
	char *whole;

	assert_int_equal(append(s->fd, "a", 1), 0);
	assert_int_equal(append(s->fd, "b", 2), 0);
	whole = scratch_get(s->fd, CKPT_LEDGER);
	for (size_t cut = 1; cut < 20; cut++) {
		scratch_write(s->fd, CKPT_LEDGER, whole, strlen(whole) - cut);
		expect_events(s->fd, "a", 1);
		assert_int_equal(append(s->fd, "c", 3), 0);
		expect_events(s->fd, cut == 1 ? "a b c" : "a c", cut == 1 ? 0 : 1);
	}
	free(whole);
}

static void test_ledger__foreign_lines_are_counted_and_stepped_over(void **state)
{
	static const char garbage[] = "{\"event\":\"a\"}\n"
				      "\n"
				      "not json\n"
				      "[1]\n"
				      "\"text\"\n"
				      "{\"event\":\"n\0l\"}\n"
				      "\xff\xfe\x80\n"
				      "{\"event\":\"b\"}garbage\n"
				      "{\"event\":\"c\"} \r\n"
				      "{\"event\":\"d\"";
	struct scratch *s = *state;

	scratch_write(s->fd, CKPT_LEDGER, garbage, sizeof(garbage) - 1);
	expect_events(s->fd, "a c", 7);
	assert_int_equal(append(s->fd, "z", 0), 0);
	expect_events(s->fd, "a c z", 7);
}

static void test_ledger__a_line_of_10_mb_is_one_torn_line(void **state)
{
	struct scratch *s = *state;
	size_t len = 10 * 1024 * 1024;
	char *big = malloc(len);

	assert_non_null(big);
	memset(big, 'x', len);
	memcpy(big, "{\"event\":\"a\"}\n", 14);
	big[len - 1] = '\n';
	scratch_write(s->fd, CKPT_LEDGER, big, len);
	expect_events(s->fd, "a", 1);
	assert_int_equal(append(s->fd, "b", 0), 0);
	expect_events(s->fd, "a b", 1);
	memset(big, 0, len);
	scratch_write(s->fd, CKPT_LEDGER, big, len);
	expect_events(s->fd, "", 1);
	assert_int_equal(append(s->fd, "b", 0), 0);
	expect_events(s->fd, "b", 1);
	free(big);
}

/* An entry whose printed line has a member "PAD" of @len bytes, or a "trail" of as many. */
static cJSON *padded(const char *key, size_t len)
{
	cJSON *entry = cJSON_CreateObject();
	char *pad = calloc(1, len + 1);

	memset(pad, 'p', len);
	cJSON_AddStringToObject(entry, "event", "end");
	cJSON_AddNumberToObject(entry, "attempt", 7);
	cJSON_AddNumberToObject(entry, "job_id", 1234);
	cJSON_AddStringToObject(entry, key, pad);
	free(pad);
	return entry;
}

static void test_ledger__long_lines_lose_the_trail_first(void **state)
{
	static const struct {
		const char *key;
		size_t len;
		bool cut, has_trail;
	} cases[] = {
		{ "trail", 100, false, true },	  { "trail", 7900, false, true },
		{ "trail", 8192, true, false },	  { "trail", 100000, true, false },
		{ "pad", 8192, true, false },	  { "pad", 1000000, true, false },
		{ "event", 100000, true, false },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ cJSON *entry = padded(cases[i].key, cases[i].len);
		struct seen seen = { 0 };
		struct stat st;

		assert_int_equal(ckpt_ledger_append(s->fd, entry, NULL), 0);
		assert_int_equal(fstatat(s->fd, CKPT_LEDGER, &st, 0), 0);
		assert_in_range(st.st_size, 1, CKPT_LEDGER_LINE);
		assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), 0);
		assert_int_equal(seen.count, 1);
		assert_string_equal(seen.events, "end");
		assert_int_equal(seen.cut, cases[i].cut);
		assert_int_equal(seen.has_trail, cases[i].has_trail);
		assert_int_equal(unlinkat(s->fd, CKPT_LEDGER, 0), 0);
	}
}

/* What run_state.c and past.c go by, in an entry of the event @event. */
static cJSON *full_entry(const char *event, const char *dir)
{
	static const char *const texts[][2] = {
		{ "cluster", "test" },
		{ "run", "0123456789abcdef0123456789abcdef" },
		{ "id", "123456-7890123-1700000000123456789" },
	};
	bool end = strcmp(event, "end") == 0;
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "event", event);
	cJSON_AddNumberToObject(o, "job_id", 1234);
	cJSON_AddNumberToObject(o, "attempt", 7);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cJSON_AddStringToObject(o, texts[i][0], texts[i][1]);
	cJSON_AddStringToObject(o, end ? "cause" : "mode", end ? "finished" : "resume");
	cJSON_AddNumberToObject(o, end ? "finished" : "hooks", 1);
	cJSON_AddNumberToObject(o, end ? "batch_status" : "refusal", end ? 0 : 75);
	cJSON_AddStringToObject(o, end ? "newest_dir" : "path", dir);
	if (end)
		cJSON_AddStringToObject(o, "newest_valid", "ckpt-2.pt");
	cJSON_AddNumberToObject(o, "step", 20);
	cJSON_AddNumberToObject(o, "epoch", 2);
	return o;
}

/* 20 rejected, of names of 240 bytes, in the directory @dir. */
static void add_rejected(cJSON *o, const char *dir)
{
	cJSON *list = cJSON_AddArrayToObject(o, "rejected");
	char name[241], why[1100];

	memset(name, 'n', 240);
	name[240] = '\0';
	snprintf(why, sizeof(why), "%s/%s: truncated", dir, name);
	for (int i = 0; i < 20; i++) {
		cJSON *entry = cJSON_CreateObject();

		cJSON_AddStringToObject(entry, "name", name);
		cJSON_AddStringToObject(entry, "why", why);
		cJSON_AddItemToArray(list, entry);
	}
}

static int keep(void *arg, const cJSON *entry)
{
	*(cJSON **)arg = cJSON_Duplicate(entry, true);
	return 0;
}

/* Appends @entry and reads back what became of it, in *@ret. */
static void write_and_read(int fd, cJSON *entry, cJSON **ret)
{
	struct stat st;

	*ret = NULL;
	assert_int_equal(ckpt_ledger_append(fd, entry, NULL), 0);
	assert_int_equal(fstatat(fd, CKPT_LEDGER, &st, 0), 0);
	assert_in_range(st.st_size, 1, CKPT_LEDGER_LINE);
	assert_int_equal(ckpt_ledger_read(fd, keep, ret, NULL, NULL), 0);
	assert_non_null(*ret);
	assert_int_equal(unlinkat(fd, CKPT_LEDGER, 0), 0);
}

/* Every member of @whole but those of @lost, which ends in NULL, is as it was in @got. */
static void expect_all_but(const char *what, const cJSON *whole, const cJSON *got,
			   const char *const lost[])
{
	const cJSON *item;

	assert_true(ckpt_json_bool(got, "cut", false));
	cJSON_ArrayForEach (item, whole) {
		const cJSON *kept = cJSON_GetObjectItemCaseSensitive(got, item->string);
		bool is_lost = false;

		for (size_t i = 0; lost[i]; i++)
			is_lost |= strcmp(lost[i], item->string) == 0;
		if (is_lost ? kept != NULL : !cJSON_Compare(item, kept, true))
			fail_msg("%s: %s", what, item->string);
	}
}

/* However much was rejected, what the next attempt goes by is kept whole. */
static void test_ledger__a_cut_line_keeps_what_readers_go_by(void **state)
{
	static const struct {
		const char *what, *event;
		size_t dir, line; /* their bytes */
		const char *lost[5];
	} rows[] = {
		{ "decision", "decision", 750, 300, { "rejected" } },
		{ "end", "end", 750, 300, { "rejected" } },
		{ "long words", "decision", 750, 8000, { "rejected", "line" } },
		{ "an end of long words", "end", 750, 8000, { "rejected", "line" } },
		{ "a long path", "decision", 8100, 300, { "rejected", "line", "path" } },
		{ "a long directory",
		  "end",
		  8100,
		  300,
		  { "rejected", "line", "newest_dir", "newest_valid" } },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_json_ cJSON *whole = NULL, *got = NULL;
		char *dir = calloc(1, rows[i].dir + 1), *line = calloc(1, rows[i].line + 1);

		memset(dir, 'd', rows[i].dir);
		memset(line, 'l', rows[i].line);
		whole = full_entry(rows[i].event, dir);
		cJSON_AddStringToObject(whole, "line", line);
		dir[750] = '\0';
		add_rejected(whole, dir);
		write_and_read(s->fd, whole, &got);
		expect_all_but(rows[i].what, whole, got, rows[i].lost);
		assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(got, "n_rejected")), 20);
		free(dir);
		free(line);
	}
}

static void test_ledger__every_length_around_the_cap_is_one_line(void **state)
{
	struct scratch *s = *state;

	for (size_t len = 8040; len < 8110; len++) {
		_cleanup_json_ cJSON *entry = padded("pad", len);
		struct stat st;

		scratch_put(s->fd, CKPT_LEDGER, "torn"); /* so that a newline comes first */
		assert_int_equal(ckpt_ledger_append(s->fd, entry, NULL), 0);
		assert_int_equal(fstatat(s->fd, CKPT_LEDGER, &st, 0), 0);
		assert_in_range(st.st_size, 1, CKPT_LEDGER_LINE + 4);
		expect_events(s->fd, "end", 1);
	}
}

static void test_ledger__number_goes_on_behind_strangers(void **state)
{
	struct scratch *s = *state;
	struct seen seen = { 0 };

	scratch_put(s->fd, CKPT_LEDGER, "{\"event\":\"a\",\"n\":41}\ngarbage\n{\"n\":\"x\"}\n");
	assert_int_equal(append(s->fd, "b", 0), 0);
	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), 0);
	assert_int_equal(seen.n, 42);
}

static void test_ledger__no_regular_file_is_an_error(void **state)
{
	struct scratch *s = *state;
	struct seen seen = { 0 };

	assert_int_equal(mkfifoat(s->fd, CKPT_LEDGER, 0600), 0);
	assert_int_equal(append(s->fd, "a", 0), -ENOTSUP);
	assert_int_equal(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL), -ENOTSUP);
	assert_int_equal(unlinkat(s->fd, CKPT_LEDGER, 0), 0);
	assert_int_equal(mkdirat(s->fd, CKPT_LEDGER, 0700), 0);
	assert_int_equal(append(s->fd, "a", 0), -EISDIR);
	assert_true(ckpt_ledger_read(s->fd, note, &seen, NULL, NULL) < 0);
	assert_int_equal(unlinkat(s->fd, CKPT_LEDGER, AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("elsewhere", s->fd, CKPT_LEDGER), 0);
	assert_int_equal(append(s->fd, "a", 0), -ELOOP);
	assert_null(scratch_get(s->fd, "elsewhere"));
}

static void test_ledger__read_only_directory_is_an_error(void **state)
{
	struct scratch *s = *state;
	int r;

	if (geteuid() != 0) {
		print_message("needs root to become somebody else\n");
		skip();
	}
	assert_int_equal(fchmod(s->fd, 0555), 0);
	assert_int_equal(seteuid(65534), 0);
	r = append(s->fd, "a", 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -EACCES);
	assert_int_equal(scratch_count(s->fd), 0);
}

/* A file system that is full: the entry is reported as not written and the ledger survives. */
static void test_ledger__full_disk_is_an_error_and_heals(void **state)
{
	struct scratch *s = *state;
	int fd, filler, r = 0, before = 0;
	struct seen seen = { 0 };
	size_t torn;

	if (mount("tmpfs", s->path, "tmpfs", 0, "size=64k") < 0) {
		print_message("cannot mount a tmpfs: %s\n", strerror(errno));
		skip();
	}
	fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 100000 && r == 0; i++, before += r == 0)
		r = append(fd, "some event of an attempt", i);
	assert_int_equal(r, -ENOSPC);
	assert_true(before > 100);
	filler = openat(fd, CKPT_LEDGER, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ckpt_ledger_read(fd, note, &seen, &torn, NULL), 0);
	assert_int_equal(seen.count, before);
	assert_int_equal(seen.value, before - 1);
	close(filler);
	assert_int_equal(mount("tmpfs", s->path, "tmpfs", MS_REMOUNT, "size=256k"), 0);
	assert_int_equal(append(fd, "again", -5), 0);
	seen = (struct seen) { 0 };
	assert_int_equal(ckpt_ledger_read(fd, note, &seen, &torn, NULL), 0);
	assert_int_equal(seen.count, before + 1);
	assert_int_equal(seen.value, -5);
	close(fd);
	assert_int_equal(umount(s->path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_ledger__absent_then_ordered_and_numbered),
		scratch_test(test_ledger__entry_keeps_the_callers_and_can_be_appended_again),
		scratch_test(test_ledger__callback_stops_the_reading),
		scratch_test(test_ledger__torn_last_line_is_not_delivered_and_healed),
		scratch_test(test_ledger__foreign_lines_are_counted_and_stepped_over),
		scratch_test(test_ledger__a_line_of_10_mb_is_one_torn_line),
		scratch_test(test_ledger__long_lines_lose_the_trail_first),
		scratch_test(test_ledger__a_cut_line_keeps_what_readers_go_by),
		scratch_test(test_ledger__every_length_around_the_cap_is_one_line),
		scratch_test(test_ledger__number_goes_on_behind_strangers),
		scratch_test(test_ledger__no_regular_file_is_an_error),
		scratch_test(test_ledger__read_only_directory_is_an_error),
		scratch_test(test_ledger__full_disk_is_an_error_and_heals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
