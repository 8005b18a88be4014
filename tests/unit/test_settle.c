/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows a decision on disk: marks, decision file, alignment, quarantine, and where nothing
 * may follow.
 */
#include <dirent.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

#define DECISION "decision-test-41-0.json"
#define NOBODY 65534

static size_t lines_with(int dirfd, const char *name, const char *part)
{
	char *text = scratch_get(dirfd, name);
	size_t n = 0;

	for (const char *at = text ? strstr(text, part) : NULL; at; at = strstr(at + 1, part))
		n++;
	free(text);
	return n;
}

/* A request with the directories "a" and "b" below @dir, of which "a" exists. */
static struct ckpt_request *two_directories(const struct scratch *dir, int64_t number)
{
	struct ckpt_request *req = attempt_request(dir, number);

	mkdirat(dir->fd, "a", 0777);
	assert_true(snprintf(req->dirs, sizeof(req->dirs), "%s/a:%s/b/c", dir->path, dir->path) <
		    (int)sizeof(req->dirs));
	return req;
}

static void test_settle__marks_in_every_directory(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;
	char path[256];

	attempt_settle(req, &d);
	assert_int_equal(strlen(d.run), 32);
	assert_int_equal(lines_with(dir->fd, "a/.ckpt-resume/run.json", d.run), 1);
	assert_int_equal(lines_with(dir->fd, "b/c/.ckpt-resume/run.json", d.run), 1);
	assert_true(scratch_has(dir->fd, "a/.ckpt-resume/" DECISION));
	assert_true(scratch_has(dir->fd, "b/c/.ckpt-resume/" DECISION));
	assert_int_equal(lines_with(dir->fd, "a/.ckpt-resume/ledger.jsonl", "\"decision\""), 1);
	assert_int_equal(lines_with(dir->fd, "b/c/.ckpt-resume/ledger.jsonl", "\"decision\""), 1);
	snprintf(path, sizeof(path), "%s/a/.ckpt-resume/" DECISION, dir->path);
	assert_string_equal(d.decision_file, path);
	assert_string_equal(d.warning, "");
	free(req);
}

static void test_settle__one_mark_of_two_is_enough(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;
	char path[256];

	scratch_put(dir->fd, "a/.ckpt-resume", "a file where the directory should be");
	attempt_settle(req, &d);
	assert_string_equal(d.warning, "");
	snprintf(path, sizeof(path), "%s/b/c/.ckpt-resume/" DECISION, dir->path);
	assert_string_equal(d.decision_file, path);
	assert_true(scratch_has(dir->fd, "b/c/.ckpt-resume/run.json"));
	free(req);
}

/* Not as root, whom permissions do not hold. */
static void test_settle__read_only_directory(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	bool root = geteuid() == 0;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	assert_int_equal(fchmod(dir->fd, 0555), 0);
	if (root)
		assert_int_equal(seteuid(NOBODY), 0);
	attempt_settle(req, &d);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(fchmod(dir->fd, 0755), 0);
	assert_string_equal(d.tag, "ckpt-1.pt"); /* the decision stands */
	assert_non_null(strstr(d.warning, "no mark could be left in "));
	assert_non_null(strstr(d.warning, "--ckpt-state=DIR"));
	assert_string_equal(d.decision_file, "");
	assert_int_equal(scratch_count(dir->fd), 1);
	free(req);
}

static void test_settle__state_elsewhere(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;
	char path[256];

	snprintf(req->state, sizeof(req->state), "%s/kept/here", dir->path);
	attempt_settle(req, &d);
	assert_true(scratch_has(dir->fd, "kept/here/.ckpt-resume/run.json"));
	assert_true(scratch_has(dir->fd, "kept/here/.ckpt-resume/ledger.jsonl"));
	snprintf(path, sizeof(path), "%s/kept/here/.ckpt-resume/" DECISION, dir->path);
	assert_string_equal(d.decision_file, path);
	assert_false(scratch_has(dir->fd, "a/.ckpt-resume"));
	assert_false(scratch_has(dir->fd, "b"));
	req->attempt = 1;
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "fresh"); /* the mark is found there */
	assert_true(scratch_has(dir->fd, "kept/here/.ckpt-resume/decision-test-41-1.json"));
	free(req);
}

static void test_settle__decision_file_holds_the_decision(void **state)
{
	_cleanup_json_ cJSON *json = NULL;
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 0, "auto", &d);
	assert_int_equal(ckpt_json_load(&(struct ckpt_ctx) { 0 }, dir->fd, ATTEMPT_STATE DECISION,
					&json, NULL),
			 0);
	assert_string_equal(ckpt_json_text(json, "mode"), "resume");
	assert_string_equal(ckpt_json_text(json, "path"), d.path);
	assert_string_equal(ckpt_json_text(json, "run"), d.run);
	assert_string_equal(ckpt_json_text(json, "decision_file"), d.decision_file);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "trail")), 1);
}

/* What attempt 0 began at, and what it found, stands in the mark. */
static void test_settle__the_mark_notes_what_was_there(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_mark mark = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_decision d;
	int statefd;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put_cut(dir, "ckpt-3.pt", 3, 30);
	attempt_make(dir, 0, "step:10", &d);
	statefd = openat(dir->fd, ".ckpt-resume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(ckpt_mark_load(&ctx, statefd, &mark, NULL), 0);
	assert_string_equal(mark.run, d.run);
	assert_string_equal(mark.base, "ckpt-1.pt");
	assert_string_equal(mark.base_step, "10");
	assert_string_equal(mark.base_mode, "resume");
	assert_string_equal(mark.continues, "");
	assert_int_equal(mark.job_id, ATTEMPT_JOB);
	assert_int_equal(mark.n_foreign, 2);	    /* the base is this run's own */
	for (size_t i = 0; i < mark.n_foreign; i++) /* in the order of their inodes */
		assert_string_not_equal(mark.foreign[i].name, "ckpt-1.pt");
	ckpt_mark_done(&mark);
	close(statefd);
}

static void test_settle__a_new_job_takes_over_the_mark(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision first, second;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_settle(req, &first);
	req->job_id = ATTEMPT_JOB + 1;
	attempt_settle(req, &second);
	assert_string_not_equal(first.run, second.run);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "run.json", second.run), 1);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "run.json", first.run), 1);
	assert_non_null(strstr(second.line, "continues the run of job 41"));
	free(req);
}

/* A later attempt keeps the run and its mark. */
static void test_settle__later_attempts_leave_the_mark(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision first, second;
	char *before, *after;

	attempt_make(dir, 0, "auto", &first);
	before = scratch_get(dir->fd, ATTEMPT_STATE "run.json");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 1, "auto", &second);
	after = scratch_get(dir->fd, ATTEMPT_STATE "run.json");
	assert_string_equal(before, after);
	assert_string_equal(first.run, second.run);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"decision\""), 2);
	free(before);
	free(after);
}

static void test_settle__by_hand_leaves_no_mark_and_no_decision(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	req->job_id = 0;
	attempt_settle(req, &d);
	assert_false(scratch_has(dir->fd, ATTEMPT_STATE "run.json"));
	assert_false(scratch_has(dir->fd, ATTEMPT_STATE "decision-test-0-0.json"));
	free(req);
}

static void test_settle__a_hook_makes_nothing_new(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
	scratch_put(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 2}");
	req->in_hook = 1;
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(d.settle, 1); /* left to the step */
	assert_int_equal(scratch_count(dir->fd), 3);
	assert_true(scratch_has(dir->fd, "ckpt-2.pt"));
	assert_true(scratch_holds(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 2}"));
	free(req);
}

/* Where attempt 0 has made the state directory, a hook writes its decision there, and no more. */
static void test_settle__a_hook_at_a_later_attempt(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
	req->in_hook = 1;
	attempt_settle(req, &d);
	assert_true(scratch_has(dir->fd, ATTEMPT_STATE "decision-test-41-1.json"));
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"prolog\""), 1);
	assert_true(scratch_has(dir->fd, "ckpt-2.pt"));
	assert_false(scratch_has(dir->fd, "ckpt-2.pt.corrupted"));
	assert_int_equal(d.settle, 1);
	free(req);
}

static void test_settle__refused_creates_nothing(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;

	ATTEMPT_SET(req->mode, "step:77");
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(scratch_count(dir->fd), 1);
	assert_false(scratch_has(dir->fd, "a/.ckpt-resume"));
	assert_string_equal(d.decision_file, "");
	assert_string_equal(d.run, "");
	free(req);
}

/* A refusal renames nothing either: the pinned one is damaged, proved. */
static void test_settle__refused_moves_nothing(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 0, "name:ckpt-2.pt", &d);
	assert_string_equal(d.mode, "refused");
	assert_true(scratch_has(dir->fd, "ckpt-2.pt"));
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"refused\""), 1);
}

/* A fallback of attempt 1 behind a cut ckpt-4.pt, with an epoch_info.json that is ahead. */
static void fall_back(const struct scratch *dir)
{
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	attempt_put_cut(dir, "ckpt-4.pt", 4, 40);
	scratch_put(dir->fd, "epoch_info.json",
		    "{\"last_completed_epoch\": 4, \"best_epoch\": 4, \"mine\": \"kept\"}");
}

static void test_settle__alignment(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char *text;

	fall_back(dir);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_int_equal(d.settle, 0);
	text = scratch_get(dir->fd, "epoch_info.json");
	assert_non_null(strstr(text, "\"last_completed_epoch\":\t3"));
	assert_non_null(strstr(text, "kept"));
	assert_null(strstr(text, "best_epoch"));
	free(text);
	assert_non_null(strstr(d.warning, "epoch_info.json now says last_completed_epoch 3"));
	assert_true(scratch_has(dir->fd, ATTEMPT_STATE "epoch_info.json.1"));
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"align\""), 1);
}

static void test_settle__alignment_is_idempotent(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char *before, *after;

	fall_back(dir);
	attempt_make(dir, 1, "auto", &d);
	before = scratch_get(dir->fd, "epoch_info.json");
	for (int i = 1; i <= 3; i++) {
		attempt_make(dir, i, "auto", &d);
		assert_string_equal(d.tag, "ckpt-3.pt");
		assert_string_equal(d.start_epoch, "4");
		assert_null(strstr(d.warning, "now says"));
	}
	after = scratch_get(dir->fd, "epoch_info.json");
	assert_string_equal(before, after);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"align\""), 1);
	assert_false(scratch_has(dir->fd, ATTEMPT_STATE "epoch_info.json.2"));
	free(before);
	free(after);
}

static void test_settle__no_alignment_where_the_user_says_so(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;
	char *text;

	fall_back(dir);
	ATTEMPT_SET(req->align, "no");
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	text = scratch_get(dir->fd, "epoch_info.json");
	assert_non_null(strstr(text, "\"last_completed_epoch\": 4"));
	free(text);
	free(req);
}

/* Whose epochs are not known is left alone, and that is said. */
static void test_settle__unknown_epochs_align_nothing(void **state)
{
	const char *text = "{\"last_completed_epoch\": 9}";
	struct scratch *dir = *state;
	struct ckpt_decision d;

	fall_back(dir);
	scratch_put(dir->fd, "epoch_info.json", text);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_string_equal(d.start_epoch, "");
	assert_non_null(strstr(d.warning, "epoch_info.json is left as it is"));
	assert_true(scratch_holds(dir->fd, "epoch_info.json", text));
}

static const struct {
	const char *quarantine;
	bool moved;
} quarantine_rows[] = { { "rename", true }, { "mark", false }, { "off", false } };

static void test_settle__quarantine(void **state)
{
	struct scratch *dir = *state;

	for (int i = 0; i < 3; i++) {
		struct ckpt_request *req = attempt_request(dir, 0);
		struct ckpt_decision d;

		attempt_put(dir, "ckpt-1.pt", 1, 10);
		attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
		attempt_put_cut(dir, "ckpt-3.pt", 3, 30);
		ATTEMPT_SET(req->quarantine, quarantine_rows[i].quarantine);
		attempt_settle(req, &d);
		assert_int_equal(scratch_has(dir->fd, "ckpt-2.pt.corrupted"),
				 quarantine_rows[i].moved);
		assert_int_equal(scratch_has(dir->fd, "ckpt-2.pt"), !quarantine_rows[i].moved);
		assert_int_equal(strstr(d.warning, "ckpt-2.pt is in quarantine") != NULL,
				 quarantine_rows[i].moved);
		assert_true(scratch_has(dir->fd, "ckpt-3.pt")); /* its writer may be alive */
		assert_true(scratch_has(dir->fd, "ckpt-1.pt"));
		if (quarantine_rows[i].moved)
			assert_int_equal(unlinkat(dir->fd, "ckpt-2.pt.corrupted", 0), 0);
		free(req);
	}
}

/* One that was cut short goes once the attempt that wrote it is known to be over everywhere. */
static void test_settle__cut_short_goes_when_its_writer_is_gone(void **state)
{
	static const struct {
		const char *ledger; /* after attempt 0; NULL: as it is */
		bool moved;
	} rows[] = {
		{ "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":0,"
		  "\"cause\":\"preempted\"}\n",
		  true },
		{ "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":0,"
		  "\"cause\":\"node-fail\"}\n",
		  false },
		{ "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":0,"
		  "\"cause\":\"unknown\"}\n",
		  false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch dir;
		struct ckpt_decision d;

		assert_int_equal(scratch_open(&dir), 0);
		attempt_make(&dir, 0, "auto", &d);
		attempt_put(&dir, "ckpt-1.pt", 1, 10);
		attempt_put_cut(&dir, "ckpt-2.pt", 2, 20);
		if (rows[i].ledger)
			scratch_put(dir.fd, ATTEMPT_STATE "ledger.jsonl", rows[i].ledger);
		attempt_make(&dir, 1, "auto", &d);
		assert_string_equal(d.tag, "ckpt-1.pt");
		if (scratch_has(dir.fd, "ckpt-2.pt.corrupted") != rows[i].moved)
			fail_msg("row %zu: %s", i, d.warning);
		assert_int_equal(scratch_has(dir.fd, "ckpt-2.pt"), !rows[i].moved);
		scratch_close(&dir);
	}
}

/* What outlived its attempt (linuxproc does not track every process) may still be writing. */
static void test_settle__a_live_writer_keeps_its_file(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_decision d;
	int fd;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put_cut(dir, "ckpt-2.pt", 2, 20);
	attempt_put_flipped(dir, "ckpt-3.pt", 3, 30);
	scratch_put(dir->fd, ATTEMPT_STATE "ledger.jsonl",
		    "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":0,"
		    "\"cause\":\"preempted\"}\n");
	fd = openat(dir->fd, "ckpt-2.pt", O_WRONLY);
	assert_true(fd >= 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_true(scratch_has(dir->fd, "ckpt-2.pt"));
	assert_true(scratch_has(dir->fd, "ckpt-3.pt.corrupted"));
	assert_non_null(strstr(d.warning, "'ckpt-2.pt' stays where it is: process "));
	close(fd);
	scratch_put(dir->fd, ATTEMPT_STATE "ledger.jsonl",
		    "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":1,"
		    "\"cause\":\"preempted\"}\n");
	attempt_make(dir, 2, "auto", &d);
	assert_true(scratch_has(dir->fd, "ckpt-2.pt.corrupted"));
}

/* The whole checkpoints that were not chosen stay, and so does one outside the run directories. */
static void test_settle__only_what_is_proved_and_inside_moves(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;

	attempt_put_flipped(dir, "ckpt-9.pt", 9, 90);
	attempt_put(dir, "a/ckpt-1.pt", 1, 10);
	attempt_put(dir, "a/ckpt-2.pt", 2, 20);
	scratch_put(dir->fd, "a/ckpt-config.json",
		    "{\"model\": {\"pretrained\": \"../ckpt-9.pt\"}}");
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
	assert_true(scratch_has(dir->fd, "a/ckpt-1.pt"));
	assert_true(scratch_has(dir->fd, "ckpt-9.pt"));
	snprintf(req->mode, sizeof(req->mode), "%s/ckpt-9.pt", dir->path);
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	assert_true(scratch_has(dir->fd, "ckpt-9.pt"));
	free(req);
}

/* A save of transformers' Trainer, which writes trainer_state.json near its end. */
static void put_trainer(const struct scratch *dir, int number, bool finished)
{
	const struct torch_synthetic data = { .epoch = -1, .step = -1, .floats = 64 };
	static const char *const files[] = { "pytorch_model.bin", "optimizer.pt", "scheduler.pt" };
	char name[64], state[64];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "checkpoint-%d/%s", number, files[i]);
		scratch_put(dir->fd, name, "");
		torch_synthetic_write(dir->fd, name, &data);
	}
	snprintf(name, sizeof(name), "checkpoint-%d/trainer_state.json", number);
	snprintf(state, sizeof(state), "{\"global_step\": %d, \"epoch\": 1.0}", number);
	if (finished)
		scratch_put(dir->fd, name, state);
}

/* What resume_from_checkpoint=True starts from: get_last_checkpoint() of trainer_utils.py takes the
 * directory with the highest number whose name is ^checkpoint-([0-9]+)$. */
static long trainers_newest(const struct scratch *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir->path);
	struct dirent *entry;
	long newest = -1;
	regmatch_t m[2];
	struct stat st;
	regex_t re;

	assert_non_null(d);
	assert_int_equal(regcomp(&re, "^checkpoint-([0-9]+)$", REG_EXTENDED), 0);
	while ((entry = readdir(d)))
		if (regexec(&re, entry->d_name, 2, m, 0) == 0 &&
		    fstatat(dir->fd, entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode) &&
		    strtol(entry->d_name + m[1].rm_so, NULL, 10) > newest)
			newest = strtol(entry->d_name + m[1].rm_so, NULL, 10);
	regfree(&re);
	return newest;
}

enum { UNFINISHED, CUT, FLIPPED };

/* Attempt 1 behind one that ended of @cause, with a newest save that is no good. */
static void fall_back_behind(const struct scratch *dir, int how, const char *cause,
			     const char *quarantine, struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, 1);
	char ledger[256];

	attempt_make(dir, 0, "auto", ret);
	put_trainer(dir, 100, true);
	put_trainer(dir, 200, true);
	put_trainer(dir, 1000, how != UNFINISHED);
	if (how == CUT)
		scratch_resize(dir->fd, "checkpoint-1000/optimizer.pt", 300);
	if (how == FLIPPED)
		attempt_put_flipped(dir, "checkpoint-1000/optimizer.pt", -1, -1);
	snprintf(ledger, sizeof(ledger),
		 "{\"event\":\"end\",\"cluster\":\"test\",\"job_id\":41,\"attempt\":0,"
		 "\"cause\":\"%s\"}\n",
		 cause);
	scratch_put(dir->fd, ATTEMPT_STATE "ledger.jsonl", ledger);
	ATTEMPT_SET(req->quarantine, quarantine);
	attempt_settle(req, ret);
	free(req);
}

/*
 * Law 9 for a program that looks at numbers alone: what is rejected ahead of the decision is moved
 * where law 7 lets it be, and named with what to do where it does not.
 */
static void test_settle__trainers_newest(void **state)
{
	static const char words[] =
		"checkpoint-1000 stays where it is, and what takes the highest number, as "
		"transformers' resume_from_checkpoint=True does, would start from it: use "
		"$CKPT_RESUME_PATH there, or move checkpoint-1000 out of the directory";
	static const struct {
		int how;
		const char *cause, *quarantine;
		bool moved;
	} rows[] = {
		{ UNFINISHED, "preempted", "rename", false }, /* parts may be on other nodes */
		{ CUT, "preempted", "rename", true },
		{ CUT, "node-fail", "rename", false }, /* perhaps still written */
		{ FLIPPED, "preempted", "rename", true },
		{ FLIPPED, "preempted", "mark", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch dir;
		struct ckpt_decision d;

		assert_int_equal(scratch_open(&dir), 0);
		fall_back_behind(&dir, rows[i].how, rows[i].cause, rows[i].quarantine, &d);
		assert_string_equal(d.tag, "checkpoint-200");
		if ((strstr(d.warning, words) == NULL) != rows[i].moved)
			fail_msg("row %zu: %s", i, d.warning);
		assert_int_equal(trainers_newest(&dir), rows[i].moved ? 200 : 1000);
		scratch_close(&dir);
	}
}

/* op settle: the hook's decision comes out again, and only pointers and names follow. */
static void test_settle__pointers_alone(void **state)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);

	fall_back(dir);
	attempt_put_flipped(dir, "ckpt-5.pt", 5, 50);
	scratch_put(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 5}");
	attempt_resolve(req, &res);
	req->in_hook = 1;
	ckpt_settle_pointers(&ctx, req, &res);
	assert_true(scratch_has(dir->fd, "ckpt-5.pt"));
	assert_int_equal(res.decision.settle, 1);
	req->in_hook = 0;
	ckpt_settle_pointers(&ctx, req, &res);
	assert_true(scratch_has(dir->fd, "ckpt-5.pt.corrupted"));
	assert_int_equal(res.decision.settle, 0);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"align\""), 1);
	assert_int_equal(lines_with(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"decision\""), 1);
	assert_false(scratch_has(dir->fd, ATTEMPT_STATE "decision-test-41-1.json"));
	free(req);
}

/* Pointers follow what the job was given, or nothing. */
static void test_settle__only_what_was_decided(void **state)
{
	struct scratch *dir = *state;
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_request *req;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	attempt_put_cut(dir, "ckpt-4.pt", 4, 40);
	scratch_put(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 4}");
	req = attempt_request(dir, 1);
	snprintf(req->decided, sizeof(req->decided), "%s/ckpt-2.pt", dir->path);
	attempt_resolve(req, &res);
	ckpt_settle_pointers(&ctx, req, &res);
	assert_non_null(strstr(res.decision.warning, "changed since the prolog decided"));
	assert_true(scratch_holds(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 4}"));
	snprintf(req->decided, sizeof(req->decided), "%s/ckpt-3.pt", dir->path);
	ckpt_settle_pointers(&ctx, req, &res);
	assert_false(scratch_holds(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 4}"));
	free(req);
}

/* A later directory that takes no decision file does not hide the one that an earlier one has. */
static void test_settle__decision_file_of_the_first_that_takes_it(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = two_directories(dir, 0);
	struct ckpt_decision d;
	char path[256];

	mkdirat(dir->fd, "b", 0777);
	mkdirat(dir->fd, "b/c", 0777);
	mkdirat(dir->fd, "b/c/.ckpt-resume", 0777);
	mkdirat(dir->fd, "b/c/.ckpt-resume/" DECISION, 0777); /* no file can be put there */
	attempt_settle(req, &d);
	snprintf(path, sizeof(path), "%s/a/.ckpt-resume/" DECISION, dir->path);
	assert_string_equal(d.decision_file, path);
	free(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_settle__marks_in_every_directory),
		scratch_test(test_settle__one_mark_of_two_is_enough),
		scratch_test(test_settle__read_only_directory),
		scratch_test(test_settle__state_elsewhere),
		scratch_test(test_settle__decision_file_holds_the_decision),
		scratch_test(test_settle__the_mark_notes_what_was_there),
		scratch_test(test_settle__a_new_job_takes_over_the_mark),
		scratch_test(test_settle__later_attempts_leave_the_mark),
		scratch_test(test_settle__by_hand_leaves_no_mark_and_no_decision),
		scratch_test(test_settle__a_hook_makes_nothing_new),
		scratch_test(test_settle__a_hook_at_a_later_attempt),
		scratch_test(test_settle__refused_creates_nothing),
		scratch_test(test_settle__refused_moves_nothing),
		scratch_test(test_settle__alignment),
		scratch_test(test_settle__alignment_is_idempotent),
		scratch_test(test_settle__no_alignment_where_the_user_says_so),
		scratch_test(test_settle__unknown_epochs_align_nothing),
		scratch_test(test_settle__quarantine),
		scratch_test(test_settle__cut_short_goes_when_its_writer_is_gone),
		scratch_test(test_settle__a_live_writer_keeps_its_file),
		scratch_test(test_settle__only_what_is_proved_and_inside_moves),
		scratch_test(test_settle__trainers_newest),
		scratch_test(test_settle__pointers_alone),
		scratch_test(test_settle__only_what_was_decided),
		scratch_test(test_settle__decision_file_of_the_first_that_takes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
