/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts of one run after another, where something got lost or somebody else was there between
 * them: file systems, marks, other jobs, renamed files.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

/* Decides and settles attempt @number with run directories @dirs, relative to @dir. */
static void attempt_in(const struct scratch *dir, int64_t number, const char *dirs,
		       struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, number);

	ATTEMPT_SET(req->dirs, dirs);
	attempt_settle(req, ret);
	free(req);
}

/* A run directory that is a link into a file system that is not there. */
static void test_attempts__dangling_run_directory_is_no_fresh_start(void **state)
{
	static const char *const dirs[] = { "ck", "ck/sub" };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	assert_int_equal(symlinkat("gone/scratch", dir->fd, "ck"), 0);
	for (int64_t number = 0; number < 2; number++) {
		for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
			attempt_in(dir, number, dirs[i], &d);
			assert_string_equal(d.mode, "refused");
			assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
			assert_non_null(strstr(d.line, "mounted"));
		}
	}
	assert_int_equal(scratch_count(dir->fd), 1);
}

/* The place of --ckpt-state is lost in the same way. */
static void test_attempts__dangling_state_is_no_fresh_start(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;

	assert_int_equal(symlinkat("gone/scratch", dir->fd, "link"), 0);
	snprintf(req->state, sizeof(req->state), "%s/link", dir->path);
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	free(req);
}

/* A program keeps what was there under another name: it stays another line of work. */
static void test_attempts__a_renamed_foreign_one_stays_foreign(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "model_last.pt", 9, 900);
	attempt_put(dir, "ckpt-1.pt", 1, 100);
	attempt_make(dir, 0, "step:100", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(renameat(dir->fd, "model_last.pt", dir->fd, "model_last.pt.bak"), 0);
	attempt_put(dir, "model_last.pt", 2, 200);
	attempt_make(dir, 1, "step:100", &d);
	assert_string_equal(d.tag, "model_last.pt");
}

/* The run began at one last.ckpt of two: the other folder's is not it. */
static void test_attempts__the_base_is_a_file_and_not_a_name(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char pin[128];

	attempt_put(dir, "run_a/last.ckpt", 1, 100);
	attempt_put(dir, "run_b/last.ckpt", 9, 900);
	snprintf(pin, sizeof(pin), "%s/run_a/last.ckpt", dir->path);
	attempt_make(dir, 0, pin, &d);
	attempt_make(dir, 1, pin, &d);
	assert_string_equal(d.path, pin);
}

/* A base without any position cannot be compared, and is ours all the same, by each of its names.
 */
static void test_attempts__a_base_without_position_is_ours(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "model_last.pt", -1, -1);
	attempt_put(dir, "model_best.pt", 9, 900);
	assert_int_equal(linkat(dir->fd, "model_last.pt", dir->fd, "final.pt", 0), 0);
	attempt_make(dir, 0, "name:model_last.pt", &d);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "final.pt");
	assert_int_equal(unlinkat(dir->fd, "final.pt", 0), 0);
	attempt_make(dir, 2, "auto", &d);
	assert_string_equal(d.tag, "model_last.pt");
}

/* The age of @name in @dir, in seconds before now. */
static void aged(const struct scratch *dir, const char *name, long seconds)
{
	struct timespec times[2] = { { 0 } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec -= seconds;
	times[0] = times[1];
	assert_int_equal(utimensat(dir->fd, name, times, 0), 0);
}

/* A folder of exports is the newest run folder, and holds nothing to go on from. */
static void test_attempts__exported_weights_never_before_a_full_one(void **state)
{
	static const struct torch_synthetic weights = { .epoch = 2,
							.step = 20,
							.weights_only = true };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	aged(dir, "ckpt-1.pt", 100);
	assert_int_equal(mkdirat(dir->fd, "export", 0777), 0);
	torch_synthetic_write(dir->fd, "export/ckpt-2.pt", &weights);
	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.mode, "resume");
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(unlinkat(dir->fd, "ckpt-1.pt", 0), 0);
	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.mode, "finetune");
}

/* Run directories are searched as one: what was touched last in one is not ahead of the other. */
static void test_attempts__run_directories_are_searched_as_one(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char dirs[160];

	attempt_put(dir, "a/ckpt-5.pt", 5, 50);
	attempt_put(dir, "b/ckpt-9.pt", 9, 90);
	aged(dir, "b/ckpt-9.pt", 100);
	snprintf(dirs, sizeof(dirs), "%s/a:%s/b", dir->path, dir->path);
	attempt_in(dir, 0, dirs, &d);
	assert_string_equal(d.tag, "ckpt-9.pt");
}

#define FETCH "{\"model\": {\"fetch\": [\"true\"]}}"

/* Decides attempt @number as the agent does: with the fetch, which leaves @name (NULL: nothing). */
static void attempt_fetching(const struct scratch *dir, struct ckpt_request *req, const char *name,
			     struct ckpt_decision *ret)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };
	char path[128];

	attempt_resolve(req, &res);
	*ret = res.decision;
	if (res.wants_fetch) {
		if (mkdirat(dir->fd, "fetched", 0777) == 0 && name)
			attempt_put(dir, name, 3, 30);
		snprintf(path, sizeof(path), "%s/fetched", dir->path);
		assert_int_equal(ckpt_resolve_fetched(&ctx, req, &res, path, NULL), 0);
	}
	ckpt_settle(&ctx, req, &res);
	*ret = res.decision;
}

/* What was fetched is a start for fine-tuning, at this attempt and at the next. */
static void test_attempts__fetched_is_no_progress(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	ATTEMPT_SET(req->epoch, "completed");
	scratch_put(dir->fd, "ckpt-config.json", FETCH);
	attempt_put_flipped(dir, "ckpt-1.pt", 1, 10); /* the trail names it after the fetch too */
	for (req->attempt = 0; req->attempt < 2; req->attempt++) {
		attempt_fetching(dir, req, "fetched/ckpt-3.pt", &d);
		assert_string_equal(d.mode, "finetune");
		assert_string_equal(d.tag, "ckpt-3.pt");
		assert_string_equal(d.start_epoch, "0");
	}
	assert_true(scratch_has(dir->fd, "ckpt-1.pt.corrupted"));
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_fetching(dir, req, NULL, &d);
	assert_string_equal(d.mode, "resume");
	assert_string_equal(d.tag, "ckpt-1.pt");
	free(req);
}

/* A run that was asked to begin fresh begins fresh again, whatever could be had. */
static void test_attempts__fresh_fetches_nothing(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	ATTEMPT_SET(req->mode, "fresh");
	scratch_put(dir->fd, "ckpt-config.json", FETCH);
	attempt_put(dir, "ckpt-9.pt", 9, 90);
	attempt_put(dir, "pretrained_model.pt", 1, 1);
	for (req->attempt = 0; req->attempt < 2; req->attempt++) {
		attempt_fetching(dir, req, "fetched/ckpt-3.pt", &d);
		assert_string_equal(d.mode, "fresh");
	}
	assert_false(scratch_has(dir->fd, "fetched"));
	free(req);
}

/* A fetch after own checkpoints were passed over does not bring those back. */
static void test_attempts__a_fetch_looks_only_where_it_fetched(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-9.pt", 9, 90);
	ATTEMPT_SET(req->mode, "fresh");
	attempt_settle(req, &d);
	scratch_put(dir->fd, "ckpt-config.json", FETCH);
	ATTEMPT_SET(req->mode, "auto");
	req->attempt = 1;
	attempt_fetching(dir, req, NULL, &d);
	assert_string_equal(d.mode, "fresh");
	free(req);
}

/* Our own record of a checkpoint that was written over since says nothing of it. */
static void test_attempts__a_record_of_a_former_save_is_stale(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "last.ckpt", 3, 30);
	ATTEMPT_SET(req->epoch, "completed");
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.start_epoch, "4");
	attempt_put(dir, "last.ckpt", 7, 70);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "last.ckpt");
	assert_string_equal(d.start_epoch, "");
	free(req);
}

/* Pretrained weights lie where others use them too: nothing there follows our decision. */
static void test_attempts__nothing_is_aligned_outside_of_the_run(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char config[256];

	attempt_put(dir, "models/base-1.pt", 1, 1);
	scratch_put(dir->fd, "models/epoch_info.json", "{\"last_completed_epoch\": 9}");
	attempt_put_flipped(dir, "run/ckpt-5.pt", 5, 50);
	snprintf(config, sizeof(config), "{\"model\": {\"pretrained\": \"%s/models/base-1.pt\"}}",
		 dir->path);
	scratch_put(dir->fd, "run/ckpt-config.json", config);
	attempt_in(dir, 0, "run", &d);
	assert_string_equal(d.mode, "finetune");
	assert_false(scratch_has(dir->fd, "models/.ckpt-resume"));
	assert_true(
		scratch_holds(dir->fd, "models/epoch_info.json", "{\"last_completed_epoch\": 9}"));
}

/* Of two directories one loses its mount: older work in the other goes on and says so, none at all
 * is no fresh start. */
static void test_attempts__one_of_two_directories_lost(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_in(dir, 0, "a:b", &d);
	attempt_put(dir, "a/ckpt-1.pt", 1, 10);
	attempt_put(dir, "b/ckpt-9.pt", 9, 90);
	attempt_in(dir, 1, "a:b", &d);
	assert_string_equal(d.tag, "ckpt-9.pt");
	assert_null(strstr(d.warning, "no mark"));
	assert_int_equal(renameat(dir->fd, "b", dir->fd, "away"), 0);
	attempt_in(dir, 2, "a:b", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_non_null(strstr(d.warning, "/b holds no mark of this run"));
	assert_int_equal(unlinkat(dir->fd, "a/ckpt-1.pt", 0), 0);
	attempt_in(dir, 2, "a:b", &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
	assert_int_equal(renameat(dir->fd, "away", dir->fd, "b"), 0);
	attempt_in(dir, 3, "a:b", &d);
	assert_string_equal(d.tag, "ckpt-9.pt");
}

/* A node's own directory of another node is missed by nobody where nothing was saved. */
static void test_attempts__a_known_end_without_work_may_begin_fresh(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	ATTEMPT_SET(req->dirs, "a:b");
	attempt_settle(req, &d);
	ATTEMPT_SET(req->reason, "preempted");
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	assert_int_equal(renameat(dir->fd, "b", dir->fd, "away"), 0);
	attempt_in(dir, 1, "a:b", &d);
	assert_string_equal(d.mode, "fresh");
	free(req);
}

/* The newest checkpoint of the last attempt has gone since: the older one is no silent answer. */
static void test_attempts__a_gone_checkpoint_is_missed(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	attempt_settle(req, &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	ATTEMPT_SET(req->reason, "preempted");
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_null(strstr(d.warning, "gone"));
	assert_int_equal(unlinkat(dir->fd, "ckpt-2.pt", 0), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_non_null(strstr(d.warning, "ckpt-2.pt, which is gone"));
	free(req);
}

/* Another job began here since: its checkpoints may be what is taken. */
static void test_attempts__another_jobs_mark_is_said(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_settle(req, &d);
	req->job_id = 200;
	attempt_settle(req, &d);
	attempt_put(dir, "ckpt-7.pt", 7, 70);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-7.pt");
	assert_non_null(strstr(d.warning, "job 200"));
	free(req);
}

/* Checkpoints that are links into a lost file system could not be read; one whose neighbour was
 * removed is missing. */
static void test_attempts__links_into_a_lost_mount_are_no_fresh_start(void **state)
{
	static const char *const names[] = { "last.ckpt", "checkpoint-500" };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(symlinkat("../lost/run/it", dir->fd, names[i]), 0);
		attempt_make(dir, 1, "auto", &d);
		assert_string_equal(d.mode, "refused");
		assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
		assert_int_equal(unlinkat(dir->fd, names[i], 0), 0);
		assert_int_equal(symlinkat("removed.ckpt", dir->fd, names[i]), 0);
		attempt_make(dir, 1, "auto", &d);
		assert_string_equal(d.mode, "fresh");
		assert_int_equal(unlinkat(dir->fd, names[i], 0), 0);
	}
}

static int64_t ticking(void *arg)
{
	return ++*(int64_t *)arg;
}

/* Wherever the budget ends: an older answer than there might be says so. */
static void test_attempts__a_budget_that_hides_a_newer_one_is_said(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	int hidden = 0;

	ATTEMPT_SET(req->verify, "structure");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "model_last.pt", 9, 90);
	for (int64_t deadline = 1; deadline < 300; deadline++) {
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		int64_t now = 0;
		struct ckpt_seam seam = { .now_ns = ticking, .arg = &now };
		struct ckpt_ctx ctx = { .threads = 1, .seam = &seam, .deadline_ns = deadline };

		assert_int_equal(ckpt_resolve(&ctx, req, &res, NULL), 0);
		if (strcmp(res.decision.tag, "ckpt-1.pt") != 0)
			continue;
		hidden++;
		assert_non_null(strstr(res.decision.warning, "budget"));
	}
	assert_true(hidden > 0);
	free(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_attempts__dangling_run_directory_is_no_fresh_start),
		scratch_test(test_attempts__dangling_state_is_no_fresh_start),
		scratch_test(test_attempts__a_renamed_foreign_one_stays_foreign),
		scratch_test(test_attempts__the_base_is_a_file_and_not_a_name),
		scratch_test(test_attempts__a_base_without_position_is_ours),
		scratch_test(test_attempts__exported_weights_never_before_a_full_one),
		scratch_test(test_attempts__run_directories_are_searched_as_one),
		scratch_test(test_attempts__fetched_is_no_progress),
		scratch_test(test_attempts__fresh_fetches_nothing),
		scratch_test(test_attempts__a_fetch_looks_only_where_it_fetched),
		scratch_test(test_attempts__a_record_of_a_former_save_is_stale),
		scratch_test(test_attempts__nothing_is_aligned_outside_of_the_run),
		scratch_test(test_attempts__one_of_two_directories_lost),
		scratch_test(test_attempts__a_known_end_without_work_may_begin_fresh),
		scratch_test(test_attempts__a_gone_checkpoint_is_missed),
		scratch_test(test_attempts__another_jobs_mark_is_said),
		scratch_test(test_attempts__links_into_a_lost_mount_are_no_fresh_start),
		scratch_test(test_attempts__a_budget_that_hides_a_newer_one_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
