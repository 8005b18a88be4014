/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run left behind: marks and ledgers of several directories as one, and the attempt that
 * never came so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/record/ledger.h"
#include "core/resolve/run_state.h"
#include "tests/unit/support/attempt.h"

#define OTHER 99

/* Two run directories below a scratch directory, and the request of attempt 2. */
struct fixture {
	struct scratch dir;
	char a[128], b[128];
	struct ckpt_roots roots;
	struct ckpt_request *req;
	struct ckpt_run_state got;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (scratch_open(&f->dir) < 0)
		return -1;
	snprintf(f->a, sizeof(f->a), "%s/a", f->dir.path);
	snprintf(f->b, sizeof(f->b), "%s/b", f->dir.path);
	f->roots = (struct ckpt_roots) { .dir = { f->a, f->b }, .n = 2 };
	f->req = attempt_request(&f->dir, 2);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ckpt_run_state_done(&f->got);
	free(f->req);
	scratch_close(&f->dir);
	free(f);
	return 0;
}

static int state_of(const char *root)
{
	int dirfd, statefd;

	mkdir(root, 0777);
	dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	statefd = ckpt_state_make(dirfd, NULL);
	assert_true(statefd >= 0);
	close(dirfd);
	return statefd;
}

static void put_mark(const char *root, int64_t job, const char *cluster, const char *base)
{
	const struct ckpt_position nowhere = { 0 };
	struct ckpt_mark mark = { .job_id = job, .array_task = CKPT_REQUEST_NO_TASK };
	int statefd = state_of(root);

	assert_int_equal(ckpt_run_id(mark.run), 0);
	ATTEMPT_SET(mark.cluster, cluster);
	ckpt_mark_set_base(&mark, base, &nowhere);
	assert_int_equal(ckpt_mark_store(statefd, &mark, NULL), 0);
	ckpt_mark_done(&mark);
	close(statefd);
}

static void put_entry(const char *root, const char *json)
{
	_cleanup_json_ cJSON *entry = cJSON_Parse(json);
	int statefd = state_of(root);

	assert_non_null(entry);
	assert_int_equal(ckpt_ledger_append(statefd, entry, NULL), 0);
	close(statefd);
}

/* An entry of @job at @attempt; @more: further members, each ending in a comma. */
static void put_event(const char *root, const char *event, int64_t job, int64_t attempt,
		      const char *more)
{
	char json[512];

	snprintf(json, sizeof(json),
		 "{%s\"event\":\"%s\",\"cluster\":\"test\",\"job_id\":%lld,\"attempt\":%lld}", more,
		 event, (long long)job, (long long)attempt);
	put_entry(root, json);
}

static const struct ckpt_run_state *load(struct fixture *f)
{
	struct ckpt_ctx ctx = { 0 };

	ckpt_run_state_done(&f->got);
	memset(&f->got, 0xff, sizeof(f->got));
	ckpt_run_state_load(&ctx, f->req, &f->roots, &f->got);
	return &f->got;
}

static void test_run_state__nothing(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s = load(f);

	assert_false(s->have_mark || s->ours || s->have_ledger || s->seen);
	assert_int_equal(s->error, 0);
	mkdir(f->a, 0777); /* a directory without state is no error either */
	s = load(f);
	assert_int_equal(s->error, 0);
	assert_false(s->have_mark);
}

static void test_run_state__a_mark_in_any_directory(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s;

	put_mark(f->b, ATTEMPT_JOB, "test", "b.pt");
	s = load(f);
	assert_true(s->have_mark && s->ours);
	assert_string_equal(s->mark.base, "b.pt");
	assert_false(s->marked[0]);
	assert_true(s->marked[1]);
}

static void test_run_state__ours_before_foreign_then_the_first(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s;

	put_mark(f->a, OTHER, "test", "a.pt");
	put_mark(f->b, ATTEMPT_JOB, "test", "b.pt");
	s = load(f);
	assert_true(s->ours);
	assert_string_equal(s->mark.base, "b.pt");
	assert_true(s->marked[0] && s->marked[1]);
	put_mark(f->a, ATTEMPT_JOB, "test", "a.pt");
	assert_string_equal(load(f)->mark.base, "a.pt");
	put_mark(f->a, OTHER, "test", "a.pt");
	put_mark(f->b, OTHER + 1, "test", "b.pt");
	s = load(f);
	assert_true(s->have_mark);
	assert_false(s->ours);
	assert_string_equal(s->mark.base, "a.pt");
	put_mark(f->a, ATTEMPT_JOB, "test", "a.pt");
	s = load(f);
	assert_true(s->ours);
	assert_string_equal(s->mark.base, "a.pt");
}

static void test_run_state__another_clusters_job_is_another(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s;

	put_mark(f->a, ATTEMPT_JOB, "other", "a.pt");
	put_entry(f->a, "{\"event\":\"end\",\"cluster\":\"other\",\"job_id\":41,\"attempt\":1,"
			"\"cause\":\"preempted\"}");
	s = load(f);
	assert_true(s->have_mark);
	assert_false(s->ours || s->seen);
	assert_string_equal(s->cause, "");
}

static void test_run_state__torn_mark_is_an_error(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s;

	put_mark(f->a, ATTEMPT_JOB, "test", "a.pt");
	scratch_put(f->dir.fd, "b/.ckpt-resume/run.json", "{\"run\":");
	s = load(f);
	assert_true(s->ours); /* the whole one counts all the same */
	assert_int_equal(s->error, CKPT_STATE_TORN);
	assert_string_not_equal(s->error_text, "");
	assert_false(s->marked[1]);
}

/* Law 6: a state that cannot be opened is not an absent one. The first error is told. */
static void test_run_state__unreadable_state_is_an_error(void **state)
{
	struct fixture *f = *state;

	scratch_put(f->dir.fd, "a/.ckpt-resume", "a file where the directory should be");
	assert_int_equal(load(f)->error, -ENOTDIR);
	assert_non_null(strstr(f->got.error_text, ".ckpt-resume"));
	scratch_put(f->dir.fd, "b/.ckpt-resume/run.json", "{");
	assert_int_equal(load(f)->error, -ENOTDIR);
}

static void test_run_state__a_root_that_is_a_file_is_an_error(void **state)
{
	struct fixture *f = *state;

	scratch_put(f->dir.fd, "a", "");
	assert_int_equal(load(f)->error, -ENOTDIR);
}

static void test_run_state__ledgers_are_one(void **state)
{
	struct fixture *f = *state;
	const struct ckpt_run_state *s;

	put_event(f->a, "end", ATTEMPT_JOB, 1, "\"cause\":\"preempted\",");
	put_event(f->b, "end", ATTEMPT_JOB, 0,
		  "\"cause\":\"node-fail\",\"newest_valid\":\"ckpt-4.pt\",\"newest_dir\":\"/d\",");
	s = load(f);
	assert_true(s->have_ledger && s->seen);
	assert_false(s->have_mark);
	assert_string_equal(s->cause, "preempted"); /* of the attempt before this one alone */
	assert_string_equal(s->recorded, "ckpt-4.pt");
	assert_string_equal(s->recorded_dir, "/d");
}

static void test_run_state__the_last_word_counts(void **state)
{
	struct fixture *f = *state;

	put_event(f->a, "end", ATTEMPT_JOB, 0,
		  "\"newest_valid\":\"ckpt-1.pt\",\"newest_dir\":\"/one\",");
	put_event(f->a, "end", ATTEMPT_JOB, 1,
		  "\"newest_valid\":\"ckpt-2.pt\",\"newest_dir\":\"/two\",");
	load(f);
	assert_string_equal(f->got.recorded, "ckpt-2.pt");
	assert_string_equal(f->got.recorded_dir, "/two");
}

/* What this attempt or a later one (an earlier life of the same job id) wrote is no past. */
static void test_run_state__own_and_later_attempts_are_no_past(void **state)
{
	struct fixture *f = *state;

	put_event(f->a, "decision", ATTEMPT_JOB, 2, "");
	put_event(f->a, "end", ATTEMPT_JOB, 3, "\"cause\":\"stalled\",\"newest_valid\":\"x.pt\",");
	load(f);
	assert_true(f->got.have_ledger);
	assert_false(f->got.seen);
	assert_string_equal(f->got.cause, "");
	assert_string_equal(f->got.recorded, "");
	put_event(f->a, "decision", ATTEMPT_JOB, 1, "");
	assert_true(load(f)->seen);
}

static void test_run_state__entries_that_say_nothing(void **state)
{
	struct fixture *f = *state;

	put_entry(f->a, "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41}");
	put_entry(f->a, "{\"event\":7,\"cluster\":\"test\",\"job_id\":41,\"attempt\":1}");
	put_entry(f->a, "{\"cluster\":\"test\",\"job_id\":41,\"attempt\":1,\"cause\":\"x\"}");
	put_entry(f->a, "{\"event\":\"end\",\"job_id\":41,\"attempt\":1,\"cause\":\"x\"}");
	put_entry(f->a, "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":\"41\",\"attempt\":1}");
	load(f);
	assert_true(f->got.have_ledger);
	assert_false(f->got.seen);
	assert_string_equal(f->got.cause, "");
	assert_int_equal(f->got.live_job, 0);
}

static void test_run_state__live_job(void **state)
{
	struct fixture *f = *state;

	put_event(f->a, "decision", OTHER, 0, "");
	assert_int_equal(load(f)->live_job, 0); /* no end of any job is recorded here */
	assert_false(f->got.seen);
	put_event(f->b, "end", OTHER + 1, 0, ""); /* another's end: ends are recorded */
	assert_int_equal(load(f)->live_job, OTHER);
	put_event(f->a, "align", OTHER, 0, "");
	assert_int_equal(load(f)->live_job, OTHER);
	put_event(f->a, "end", OTHER, 0, "");
	assert_int_equal(load(f)->live_job, 0);
	put_event(f->a, "decision", ATTEMPT_JOB, 0, ""); /* this job itself */
	assert_int_equal(load(f)->live_job, 0);
	put_event(f->a, "decision", 0, 0, ""); /* by hand */
	assert_int_equal(load(f)->live_job, 0);
}

/* The end of one of several says nothing of the others; this job's own says that ends are told. */
static void test_run_state__live_jobs(void **state)
{
	struct fixture *f = *state;

	put_event(f->a, "decision", OTHER, 0, "");
	put_event(f->a, "end", ATTEMPT_JOB, 0, "");
	assert_int_equal(load(f)->live_job, OTHER);
	put_event(f->a, "decision", OTHER + 1, 0, "");
	put_event(f->a, "decision", OTHER + 1, 0, "");
	assert_int_equal(load(f)->live_job, OTHER + 1);
	put_event(f->a, "end", OTHER + 1, 0, "");
	assert_int_equal(load(f)->live_job, OTHER);
	for (int i = 2; i < 200; i++)
		put_event(f->a, "decision", OTHER + i, 0, "");
	assert_int_equal(load(f)->live_job, OTHER + 199);
	put_event(f->a, "end", OTHER + 199, 0, "");
	assert_int_equal(load(f)->live_job, OTHER + 198);
}

static void test_run_state__torn_ledger_lines_are_stepped_over(void **state)
{
	struct fixture *f = *state;

	scratch_put(f->dir.fd, "a/.ckpt-resume/ledger.jsonl",
		    "{\"event\":\"en\n\x01\x02garbage\n"
		    "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":1,"
		    "\"cause\":\"time-limit\"}\n{\"event\":\"end\",\"cluster\":\"test\","
		    "\"job_id\":41,\"attempt\":1,\"cause\":\"half");
	load(f);
	assert_int_equal(f->got.error, 0);
	assert_string_equal(f->got.cause, "time-limit");
}

/* A cause longer than the field is none: a cut word is a wrong word. */
static void test_run_state__overlong_words_are_dropped(void **state)
{
	struct fixture *f = *state;

	put_event(f->a, "end", ATTEMPT_JOB, 1,
		  "\"cause\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",");
	assert_string_equal(load(f)->cause, "");
	assert_true(f->got.seen);
}

static bool never_began(const char *one, const char *two, const char *work)
{
	const struct ckpt_roots roots = { .dir = { one, two }, .n = two ? 2 : 1 };

	return ckpt_run_state_never_began(&roots, work);
}

static void test_run_state__never_began_on_the_work_directorys_file_system(void **state)
{
	struct fixture *f = *state;
	char deep[256];

	assert_true(never_began(f->a, f->b, f->dir.path));
	snprintf(deep, sizeof(deep), "%s/x/y/z", f->a);
	assert_true(never_began(deep, NULL, f->dir.path));
	scratch_put(f->dir.fd, "file", "");
	snprintf(deep, sizeof(deep), "%s/file/below", f->dir.path);
	assert_true(never_began(deep, NULL, f->dir.path));
	assert_true(never_began("/", NULL, "/"));
	assert_false(never_began(f->a, NULL, "/nonexistent-work-directory"));
	snprintf(deep, sizeof(deep), "%s/loop", f->dir.path);
	assert_int_equal(symlinkat("loop", f->dir.fd, "loop"), 0);
	assert_false(never_began(deep, NULL, f->dir.path));
	assert_false(never_began("relative", NULL, f->dir.path));
}

/* A directory on a file system that is mounted there, and not the root file system. */
static const char *mounted(void)
{
	static const char *const places[] = { "/dev/shm", "/run", "/proc", NULL };
	struct stat top, st;

	assert_int_equal(stat("/", &top), 0);
	for (int i = 0; places[i]; i++)
		if (stat(places[i], &st) == 0 && st.st_dev != top.st_dev)
			return places[i];
	print_message("skipped: no second file system is mounted here\n");
	skip();
	return NULL;
}

static void test_run_state__never_began_and_mounts(void **state)
{
	const char *other = mounted();
	char below[128];

	(void)state;
	snprintf(below, sizeof(below), "%s/ckpt-none/run", other);
	assert_true(never_began(below, NULL, "/"));   /* a mounted one of its own */
	assert_true(never_began(below, NULL, other)); /* the work directory's */
	/* the nearest ancestor is the root's: something should be mounted there */
	assert_false(never_began("/ckpt-none/run", NULL, other));
	assert_false(never_began(below, "/ckpt-none/run", other)); /* one of two is enough */
	assert_false(never_began("/ckpt-none/run", below, other));
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_run_state__nothing),
		fixture_test(test_run_state__a_mark_in_any_directory),
		fixture_test(test_run_state__ours_before_foreign_then_the_first),
		fixture_test(test_run_state__another_clusters_job_is_another),
		fixture_test(test_run_state__torn_mark_is_an_error),
		fixture_test(test_run_state__unreadable_state_is_an_error),
		fixture_test(test_run_state__a_root_that_is_a_file_is_an_error),
		fixture_test(test_run_state__ledgers_are_one),
		fixture_test(test_run_state__the_last_word_counts),
		fixture_test(test_run_state__own_and_later_attempts_are_no_past),
		fixture_test(test_run_state__entries_that_say_nothing),
		fixture_test(test_run_state__live_job),
		fixture_test(test_run_state__live_jobs),
		fixture_test(test_run_state__torn_ledger_lines_are_stepped_over),
		fixture_test(test_run_state__overlong_words_are_dropped),
		fixture_test(test_run_state__never_began_on_the_work_directorys_file_system),
		cmocka_unit_test(test_run_state__never_began_and_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
