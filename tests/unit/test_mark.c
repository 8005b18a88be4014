/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.json: round trip with hostile names, what counts as torn, foreign or ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record/mark.h"
#include "tests/unit/support/scratch.h"
#include "wire/cleanup.h"
#include "wire/text.h"

#define RUN "00112233445566778899aabbccddeeff"

static const char *const hostile[] = {
	"ckpt-1",
	"a:b:c",
	"12:34:56:x",
	" leading and trailing ",
	"new\nline",
	"tab\tcr\r",
	"\x01\x02\x1f\x7f",
	"quote\"back\\slash'",
	"\xff\xfe bad utf8",
	"\xc3(",
	"\xc2\x85 c1",
	"\\u0041\\n",
	"-",
	"%s%n",
};

#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static struct ckpt_mark some_mark(void)
{
	return (struct ckpt_mark) {
		.run = RUN,
		.job_id = 4294967294,
		.cluster = "alpha",
		.array_task = -1,
		.continues = "ffeeddccbbaa99887766554433221100",
		.continues_job = 77,
		.base = "ckpt-\"9\"",
		.base_mode = "resume",
	};
}

static void test_mark__round_trip_with_hostile_names(void **state)
{
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = some_mark(), back = { 0 };
	struct ckpt_identity id = { .ino = UINT64_MAX,
				    .size = UINT64_MAX - 1,
				    .mtime_ns = INT64_MIN + 1 };

	for (size_t i = 0; i < N_HOSTILE; i++)
		assert_int_equal(ckpt_mark_add(&mark, hostile[i], &id), 0);
	ckpt_mark_sort(&mark);
	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	assert_int_equal(scratch_count(s->fd), 1);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), 0);
	assert_string_equal(back.run, RUN);
	assert_int_equal(back.job_id, 4294967294);
	assert_string_equal(back.cluster, "alpha");
	assert_int_equal(back.array_task, -1);
	assert_string_equal(back.continues, "ffeeddccbbaa99887766554433221100");
	assert_int_equal(back.continues_job, 77);
	assert_string_equal(back.base, "ckpt-\"9\"");
	assert_string_equal(back.base_mode, "resume");
	assert_int_equal(back.n_foreign, N_HOSTILE);
	for (size_t i = 0; i < N_HOSTILE; i++)
		assert_true(ckpt_mark_is_foreign(&back, &id));
}

static void test_mark__empty_one_round_trips(void **state)
{
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = { .run = RUN, .array_task = 3 }, back = some_mark();
	struct ckpt_identity id = { 0 };

	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), 0);
	assert_int_equal(back.array_task, 3);
	assert_string_equal(back.base, "");
	assert_string_equal(back.continues, "");
	assert_int_equal(back.n_foreign, 0);
	assert_false(ckpt_mark_is_foreign(&back, &id));
}

static void test_mark__foreign_is_inode_size_and_mtime(void **state)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	const struct ckpt_identity id = {
		.ino = 5, .size = 100, .mtime_ns = 7, .ctime_ns = 8, .dev = 9
	};
	const struct {
		struct ckpt_identity id;
		bool foreign;
	} cases[] = {
		{ id, true },
		{ { .ino = 6, .size = 100, .mtime_ns = 7 }, false },
		{ { .ino = 4, .size = 100, .mtime_ns = 7 }, false },
		{ { .ino = 5, .size = 101, .mtime_ns = 7 }, false },
		{ { .ino = 5, .size = 100, .mtime_ns = 8 }, false },
		{ { .ino = 5, .size = 100, .mtime_ns = 7, .ctime_ns = 99, .dev = 1 }, true },
		{ { .ino = 9, .size = 1, .mtime_ns = -3 }, true },
	};

	(void)state;
	assert_int_equal(ckpt_mark_add(&mark, "a", &cases[6].id), 0);
	assert_int_equal(ckpt_mark_add(&mark, "z", &id), 0);
	assert_int_equal(ckpt_mark_add(&mark, "b", &id), 0);
	ckpt_mark_sort(&mark);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ckpt_mark_is_foreign(&mark, &cases[i].id), cases[i].foreign);
}

#define BODY                                                                                       \
	"\"job_id\":1,\"cluster\":\"c\",\"array_task\":-1,\"continues\":\"\",\"continues_job\":0," \
	"\"base\":\"\",\"base_mode\":\"fresh\",\"base_step\":\"\",\"base_epoch\":\"\""

static void test_mark__what_is_torn(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[]}", 0 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY
		  ",\"candidates\":[\"1:2:-3:n\"],\"x\":1}",
		  0 },
		{ "", 1 },
		{ "{", 1 },
		{ "[]", 1 },
		{ "null", 1 },
		{ "{}", 1 },
		{ "{\"version\":2,\"run\":\"" RUN "\"," BODY ",\"candidates\":[]}", 1 },
		{ "{\"version\":\"1\",\"run\":\"" RUN "\"," BODY ",\"candidates\":[]}", 1 },
		{ "{\"version\":1,\"run\":\"0011\"," BODY ",\"candidates\":[]}", 1 },
		{ "{\"version\":1,\"run\":\"../../../../../../../../../../etc\"," BODY
		  ",\"candidates\":[]}",
		  1 },
		{ "{\"version\":1," BODY ",\"candidates\":[]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY "}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":{}}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[1]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\"\"]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\"1:2\"]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\"1:2:3:\"]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\"1:2:3:a/b\"]}",
		  1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\":2:3:n\"]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[\"-1:2:3:n\"]}", 1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY
		  ",\"candidates\":[\"18446744073709551616:2:3:n\"]}",
		  1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY
		  ",\"candidates\":[\"1:2:9223372036854775808:n\"]}",
		  1 },
		{ "{\"version\":1,\"run\":\"" RUN "\"," BODY ",\"candidates\":[]} trailing", 1 },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_mark_ struct ckpt_mark mark = { 0 };
		struct ckpt_error err = { 0 };
		int r;

		scratch_put(s->fd, CKPT_MARK, cases[i].text);
		r = ckpt_mark_load(NULL, s->fd, &mark, &err);
		if (r != (cases[i].expected ? CKPT_STATE_TORN : 0))
			print_message("%s: %d %s\n", cases[i].text, r, err.text);
		assert_int_equal(r, cases[i].expected ? CKPT_STATE_TORN : 0);
		assert_true(!cases[i].expected || strstr(err.text, CKPT_MARK));
	}
}

static void test_mark__every_missing_member_is_torn(void **state)
{
	static const char *const keys[] = {
		"version",	 "run",	 "job_id",    "cluster",   "array_task", "continues",
		"continues_job", "base", "base_mode", "base_step", "base_epoch", "candidates"
	};
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = some_mark(), back = { 0 };
	_cleanup_free_ char *whole = NULL;

	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	whole = scratch_get(s->fd, CKPT_MARK);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		_cleanup_free_ char *text = strdup(whole);
		char quoted[40], *at;

		snprintf(quoted, sizeof(quoted), "\"%s\"", keys[i]);
		at = strstr(text, quoted);
		assert_non_null(at);
		at[1] = 'X';
		scratch_put(s->fd, CKPT_MARK, text);
		assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), CKPT_STATE_TORN);
	}
}

static void test_mark__every_cut_is_torn(void **state)
{
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = some_mark(), back = { 0 };
	_cleanup_free_ char *whole = NULL;
	struct ckpt_identity id = { .ino = 1 };
	const char *last;

	assert_int_equal(ckpt_mark_add(&mark, "ckpt-1", &id), 0);
	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	whole = scratch_get(s->fd, CKPT_MARK);
	last = strrchr(whole, '}');
	for (size_t len = 0; len < (size_t)(last - whole); len++) {
		scratch_write(s->fd, CKPT_MARK, whole, len);
		assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), CKPT_STATE_TORN);
	}
}

static void test_mark__absent_and_impossible_files(void **state)
{
	struct scratch *s = *state;
	struct ckpt_mark mark = { 0 };
	int fd;

	assert_int_equal(ckpt_mark_load(NULL, s->fd, &mark, NULL), CKPT_STATE_ABSENT);
	assert_int_equal(mkdirat(s->fd, CKPT_MARK, 0755), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &mark, NULL), CKPT_STATE_TORN);
	assert_int_equal(unlinkat(s->fd, CKPT_MARK, AT_REMOVEDIR), 0);
	assert_int_equal(mkfifoat(s->fd, CKPT_MARK, 0644), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &mark, NULL), CKPT_STATE_TORN);
	assert_int_equal(unlinkat(s->fd, CKPT_MARK, 0), 0);
	fd = openat(s->fd, CKPT_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, CKPT_MARK_MAX + 1), 0);
	close(fd);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &mark, NULL), CKPT_STATE_TORN);
	assert_int_equal(symlinkat(CKPT_MARK, s->fd, "loop"), 0);
	assert_int_equal(unlinkat(s->fd, CKPT_MARK, 0), 0);
	assert_int_equal(renameat(s->fd, "loop", s->fd, CKPT_MARK), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &mark, NULL), -ELOOP);
}

static void test_mark__100000_candidates(void **state)
{
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = some_mark(), back = { 0 };
	char name[256];

	for (int i = 0; i < 100000; i++) {
		struct ckpt_identity id = { .ino = (uint64_t)i,
					    .size = 1,
					    .mtime_ns = 1700000000000000000 };

		snprintf(name, sizeof(name), "model_%d_%0200d.pt", i, 0);
		assert_int_equal(ckpt_mark_add(&mark, name, &id), 0);
	}
	ckpt_mark_sort(&mark);
	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), 0);
	assert_int_equal(back.n_foreign, 100000);
	assert_true(ckpt_mark_is_foreign(
		&back, &(struct ckpt_identity) {
			       .ino = 99999, .size = 1, .mtime_ns = 1700000000000000000 }));
}

static void test_mark__too_many_are_not_stored(void **state)
{
	struct scratch *s = *state;
	_cleanup_mark_ struct ckpt_mark mark = some_mark();
	struct ckpt_identity id = { 0 };
	char name[256];

	memset(name, 1, 250); /* six bytes each as an escape */
	name[250] = '\0';
	for (int i = 0; i < 25000; i++)
		assert_int_equal(ckpt_mark_add(&mark, name, &id), 0);
	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), -EFBIG);
	assert_int_equal(scratch_count(s->fd), 0);
}

static void test_mark__one_name_in_several_folders(void **state)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	struct ckpt_identity id = { .size = 1, .mtime_ns = 2 };

	(void)state;
	for (id.ino = 1; id.ino <= 5; id.ino++) {
		assert_int_equal(ckpt_mark_add(&mark, "ckpt-1", &id), 0);
		assert_int_equal(ckpt_mark_add(&mark, "ckpt-2", &id), 0);
	}
	ckpt_mark_sort(&mark);
	for (id.ino = 1; id.ino <= 5; id.ino++) {
		assert_true(ckpt_mark_is_foreign(&mark, &id));
	}
	assert_false(ckpt_mark_is_foreign(&mark, &id));
}

static void test_mark__base_keeps_its_position(void **state)
{
	struct scratch *s = *state;
	struct ckpt_mark mark = { .run = RUN }, back;
	const struct ckpt_position position = {
		.has_step = true,
		.step = INT64_MAX,
		.has_epoch = true,
		.epoch = 2.25,
	};

	ckpt_mark_set_base(&mark, "ckpt-9", &position);
	assert_int_equal(ckpt_mark_store(s->fd, &mark, NULL), 0);
	assert_int_equal(ckpt_mark_load(NULL, s->fd, &back, NULL), 0);
	assert_string_equal(back.base, "ckpt-9");
	assert_string_equal(back.base_step, "9223372036854775807");
	assert_string_equal(back.base_epoch, "2.25");
}

/* The base is level with itself, whatever part of an epoch it ends in. */
static void test_mark__base_keeps_all_digits(void **state)
{
	static const double epochs[] = { 4.0 / 3, 0.1 + 0.2, 1e-300 / 3, 1e22 / 3, 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++) {
		const struct ckpt_position position = { .has_epoch = true, .epoch = epochs[i] };
		struct ckpt_mark mark = { .run = RUN };

		ckpt_mark_set_base(&mark, "ckpt-9", &position);
		assert_true(ckpt_mark_base(&mark).has_epoch);
		assert_true(ckpt_mark_base(&mark).epoch == epochs[i]);
	}
}

static void test_mark__run_ids_differ(void **state)
{
	char a[40], b[40];

	(void)state;
	assert_int_equal(ckpt_run_id(a), 0);
	assert_int_equal(ckpt_run_id(b), 0);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_mark__round_trip_with_hostile_names),
		scratch_test(test_mark__empty_one_round_trips),
		scratch_test(test_mark__foreign_is_inode_size_and_mtime),
		scratch_test(test_mark__what_is_torn),
		scratch_test(test_mark__every_missing_member_is_torn),
		scratch_test(test_mark__every_cut_is_torn),
		scratch_test(test_mark__absent_and_impossible_files),
		scratch_test(test_mark__100000_candidates),
		scratch_test(test_mark__too_many_are_not_stored),
		scratch_test(test_mark__one_name_in_several_folders),
		scratch_test(test_mark__base_keeps_its_position),
		scratch_test(test_mark__base_keeps_all_digits),
		scratch_test(test_mark__run_ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
