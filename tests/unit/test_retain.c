/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Retention: a run of sealed checkpoints, what is one too many of it, and what speaks for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/discard.h"
#include "core/integrity/quarantine.h"
#include "core/record/lease.h"
#include "core/resolve/choose.h"
#include "core/resolve/retain.h"
#include "tests/unit/support/attempt.h"
#include "tests/unit/support/leases.h"
#include "tests/unit/support/sealed.h"

#define STEPS 6

static const char *name_of(int i, char *buf, size_t size)
{
	snprintf(buf, size, "ckpt-%d.pt", i);
	return buf;
}

/* Attempt 0 begins in @s, and leaves ckpt-1.pt to ckpt-6.pt, sealed. */
static void put_run(const struct scratch *s)
{
	struct ckpt_decision decision;
	char name[32];

	attempt_make(s, 0, "auto", &decision);
	for (int i = 1; i <= STEPS; i++) {
		attempt_put(s, name_of(i, name, sizeof(name)), i, 10 * i);
		sealed_make(s, name);
	}
}

static int retain(const struct scratch *s, int64_t attempt, const char *keep,
		  struct ckpt_error *err)
{
	struct ckpt_request *req = attempt_request(s, attempt);
	struct ckpt_ctx ctx = { .threads = 1 };
	int r;

	ATTEMPT_SET(req->keep, keep);
	ATTEMPT_SET(req->verify, "structure");
	r = ckpt_retain(&ctx, req, err);
	free(req);
	return r;
}

/* Asserts that of ckpt-1.pt to ckpt-6.pt just those whose digits are in @left are there, with
 * their seals. */
static void assert_left(const struct scratch *s, const char *left)
{
	char name[32], seal[64];

	for (int i = 1; i <= STEPS; i++) {
		bool wanted = strchr(left, '0' + i) != NULL;

		name_of(i, name, sizeof(name));
		snprintf(seal, sizeof(seal), "%s.metadata.json", name);
		if (scratch_has(s->fd, name) != wanted)
			fail_msg("%s is %s", name, wanted ? "gone" : "there");
		if (!wanted && scratch_has(s->fd, seal))
			fail_msg("the seal of %s is there", name);
	}
	assert_false(scratch_has(s->fd, ".ckpt-resume/discarded"));
}

static void test_retain__newest_stay(void **state)
{
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };

	put_run(s);
	assert_int_equal(retain(s, 0, "", &err), 0);
	assert_int_equal(retain(s, 0, "7", &err), 0);
	assert_int_equal(retain(s, 0, "6", &err), 0);
	assert_left(s, "123456");
	assert_int_equal(retain(s, 0, "4", &err), 2);
	assert_left(s, "3456");
	assert_int_equal(retain(s, 0, "2", &err), 2);
	assert_left(s, "56");
	assert_int_equal(retain(s, 0, "2", &err), 0);
}

static char *ledger(const struct scratch *s)
{
	char *text = scratch_get(s->fd, ATTEMPT_STATE "ledger.jsonl");

	assert_non_null(text);
	return text;
}

static void test_retain__is_told_in_the_ledger(void **state)
{
	struct scratch *s = *state;
	char *text;

	put_run(s);
	assert_int_equal(retain(s, 0, "4", NULL), 2);
	text = ledger(s);
	assert_non_null(strstr(text, "\"pruned\""));
	assert_non_null(strstr(text, "[\"ckpt-1.pt\",\"ckpt-2.pt\"]"));
	free(text);
}

/* What is not sealed, or no longer what was sealed, neither goes nor stands for others. */
static void test_retain__only_sealed_ones(void **state)
{
	struct scratch *s = *state;

	put_run(s);
	assert_int_equal(unlinkat(s->fd, "ckpt-2.pt.metadata.json", 0), 0);
	assert_int_equal(unlinkat(s->fd, "ckpt-6.pt.metadata.json", 0), 0);
	attempt_put(s, "ckpt-1.pt", 1, 10); /* rewritten */
	assert_int_equal(retain(s, 0, "2", NULL), 1);
	assert_left(s, "12456");
}

static void test_retain__damaged_ones_stand_for_nothing(void **state)
{
	struct scratch *s = *state;

	put_run(s);
	scratch_resize(s->fd, "ckpt-5.pt", 100);
	scratch_resize(s->fd, "ckpt-6.pt", 100);
	assert_int_equal(retain(s, 0, "2", NULL), 2);
	assert_left(s, "3456");
}

static void put_sealed(const struct scratch *s, const char *name, int step)
{
	attempt_put(s, name, step / 10, step);
	sealed_make(s, name);
}

/* Speaks for ckpt-1.pt in one way or other. */
static void by_decision(const struct scratch *s)
{
	scratch_put(s->fd, ATTEMPT_STATE "decision-other-7-3.json",
		    "{\"path\":\"/somewhere/ckpt-1.pt\"}");
}

static void by_link(const struct scratch *s)
{
	assert_int_equal(symlinkat("./ckpt-1.pt", s->fd, "favourite"), 0);
}

/* Of a directory, people link a file: best_model.bin -> checkpoint-100/pytorch_model.bin. */
static void by_link_to_a_file_of_it(const struct scratch *s)
{
	assert_int_equal(symlinkat("../x/ckpt-1.pt//weights", s->fd, "favourite"), 0);
}

static void by_pointer(const struct scratch *s)
{
	scratch_put(s->fd, "last_checkpoint", "ckpt-1.pt");
}

static void by_epoch_info(const struct scratch *s)
{
	scratch_put(s->fd, "epoch_info.json",
		    "{\"last_completed_epoch\":6,\"checkpoint\":\"ckpt-1.pt\"}");
}

static void by_best_epoch(const struct scratch *s)
{
	scratch_put(s->fd, "epoch_info.json", "{\"last_completed_epoch\":6,\"best_epoch\":1}");
}

static void by_configuration(const struct scratch *s)
{
	scratch_put(s->fd, "ckpt-config.json",
		    "{\"training\":{\"resume_from_checkpoint\":\"old/ckpt-1.pt\"}}");
}

/* The state of a newer save that nobody has sealed yet. */
static void by_trainers_state(const struct scratch *s)
{
	scratch_put(s->fd, "checkpoint-900/trainer_state.json",
		    "{\"best_model_checkpoint\":\"out/ckpt-1.pt\"}");
	scratch_put(s->fd, "checkpoint-900/model.safetensors", "half");
}

static void test_retain__what_is_referred_to_stays(void **state)
{
	static const struct {
		void (*speak)(const struct scratch *s);
		const char *left;
	} ways[] = {
		{ by_decision, "156" },
		{ by_link, "156" },
		{ by_link_to_a_file_of_it, "156" },
		{ by_pointer, "156" },
		{ by_epoch_info, "156" },
		{ by_trainers_state, "156" },
		{ by_best_epoch, "1256" }, /* epoch 1 may be its own number, or the next one's */
		{ by_configuration, "156" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct scratch s;

		assert_int_equal(scratch_open(&s), 0);
		put_run(&s);
		ways[i].speak(&s);
		assert_int_equal(retain(&s, 0, "2", NULL), STEPS - (int)strlen(ways[i].left));
		assert_left(&s, ways[i].left);
		scratch_close(&s);
	}
}

/* Checkpoints lie in a folder of the run directory, what refers to them beside it. */
static void test_retain__what_the_run_directory_refers_to(void **state)
{
	struct scratch *s = *state, below;
	char name[32];

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	assert_int_equal(mkdirat(s->fd, "run1", 0777), 0);
	snprintf(below.path, sizeof(below.path), "%.50s/run1", s->path);
	below.fd = openat(s->fd, "run1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i <= STEPS; i++)
		put_sealed(&below, name_of(i, name, sizeof(name)), 10 * i);
	by_epoch_info(s);
	assert_int_equal(symlinkat("run1/ckpt-2.pt", s->fd, "favourite"), 0);
	assert_int_equal(retain(s, 0, "2", NULL), 2);
	assert_left(&below, "1256");
	close(below.fd);
}

static void test_retain__what_cannot_be_read_keeps_all(void **state)
{
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };

	put_run(s);
	scratch_put(s->fd, ATTEMPT_STATE "decision-other-7-3.json", "{\"path\":\"/some");
	assert_true(retain(s, 0, "2", &err) < 0);
	assert_non_null(strstr(err.text, "decision-other-7-3.json"));
	assert_left(s, "123456");
}

/* What a pointer names is not known where it cannot be read. */
static void test_retain__an_unreadable_pointer_keeps_all(void **state)
{
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };

	put_run(s);
	assert_int_equal(symlinkat("last_checkpoint", s->fd, "last_checkpoint"), 0);
	assert_true(retain(s, 0, "2", &err) < 0);
	assert_left(s, "123456");
	assert_int_equal(unlinkat(s->fd, "last_checkpoint", 0), 0);
	assert_int_equal(retain(s, 0, "2", NULL), 4);
}

static void test_retain__the_one_that_the_attempt_began_from(void **state)
{
	struct scratch *s = *state;
	struct ckpt_decision decision;
	char name[32];

	put_run(s);
	for (int i = 4; i <= STEPS; i++)
		assert_int_equal(renameat(s->fd, name_of(i, name, sizeof(name)), s->fd, "aside"),
				 0);
	attempt_make(s, 1, "auto", &decision);
	assert_string_equal(decision.tag, "ckpt-3.pt");
	for (int i = 4; i <= STEPS; i++) {
		attempt_put(s, name_of(i, name, sizeof(name)), i, 10 * i);
		sealed_make(s, name);
	}
	assert_int_equal(retain(s, 1, "2", NULL), 3);
	assert_left(s, "356");
}

/* What lay there before the run began is its user's. */
static void test_retain__foreign_ones(void **state)
{
	struct scratch *s = *state;
	struct ckpt_decision decision;
	char name[32];

	for (int i = 1; i <= STEPS; i++) {
		attempt_put(s, name_of(i, name, sizeof(name)), i, 10 * i);
		sealed_make(s, name);
		if (i == 3)
			attempt_make(s, 0, "fresh", &decision);
	}
	assert_int_equal(retain(s, 0, "2", NULL), 1);
	assert_left(s, "12356");
}

static void test_retain__other_jobs(void **state)
{
	struct scratch *s = *state;
	struct ckpt_request *other = attempt_request(s, 0);
	struct ckpt_decision decision;
	struct ckpt_error err = { 0 };

	put_run(s);
	other->job_id = ATTEMPT_JOB + 1;
	attempt_settle(other, &decision);
	free(other);
	assert_true(retain(s, 0, "2", &err) < 0);
	assert_left(s, "123456");
}

static void test_retain__series_are_counted_apart(void **state)
{
	struct scratch *s = *state;

	put_run(s);
	put_sealed(s, "model_1.pt", 10);
	put_sealed(s, "model_2.pt", 20);
	assert_int_equal(retain(s, 0, "2", NULL), 4);
	assert_left(s, "56");
	assert_true(scratch_has(s->fd, "model_1.pt"));
}

#define SAVES 5
#define RANKS 3

/* The files of @rank in save @save, of one way to name them or another. */
static const char *rank_file(bool short_form, int save, int rank, char *buf, size_t size)
{
	if (short_form)
		snprintf(buf, size, "step%d_r%d.pt", save, rank);
	else
		snprintf(buf, size, "ckpt-%d-rank%d.pt", save, rank);
	return buf;
}

/* Each rank's file is one of a set by name, or a checkpoint of its own: of the saves that stay all
 * are needed. */
static void test_retain__ranks_of_a_save_count_as_one(void **state)
{
	struct scratch *s = *state;
	char name[64];

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	for (int i = 0; i < 2 * SAVES * RANKS; i++) {
		rank_file(i % 2, i / 2 / RANKS + 1, i / 2 % RANKS, name, sizeof(name));
		attempt_put(s, name, (i / 2 / RANKS + 1) / 10, i / 2 / RANKS + 1);
	}
	for (int i = 0; i < 2 * SAVES * RANKS; i++)
		if (i % 2 || i / 2 % RANKS == 0)
			sealed_make(s, rank_file(i % 2, i / 2 / RANKS + 1, i / 2 % RANKS, name,
						 sizeof(name)));
	assert_int_equal(retain(s, 0, "2", NULL), (RANKS + 1) * (SAVES - 2));
	for (int i = 0; i < 2 * SAVES * RANKS; i++) {
		bool wanted = i / 2 / RANKS + 1 > SAVES - 2;

		rank_file(i % 2, i / 2 / RANKS + 1, i / 2 % RANKS, name, sizeof(name));
		if (scratch_has(s->fd, name) != wanted)
			fail_msg("%s is %s", name, wanted ? "gone" : "there");
	}
}

/* Where nothing but a number in the name orders them, that is what progress goes by. */
static void test_retain__numbers_alone(void **state)
{
	struct scratch *s = *state;
	char name[32];

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	for (int i = 1; i <= STEPS; i++) {
		attempt_put(s, name_of(i, name, sizeof(name)), -1, -1);
		sealed_make(s, name);
	}
	assert_int_equal(retain(s, 0, "2", NULL), STEPS - 2);
	assert_left(s, "56");
}

/* A program that was begun again behind what it had: what it writes now is not the oldest. */
static void test_retain__what_was_written_last_stays(void **state)
{
	static const int written[STEPS] = { 40, 50, 60, 10, 20, 30 };
	struct scratch *s = *state;
	char name[32];

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	for (int i = 1; i <= STEPS; i++) {
		const struct timespec at = { .tv_sec = 1700000000 + written[i - 1] };

		attempt_put(s, name_of(i, name, sizeof(name)), i, 10 * i);
		assert_int_equal(utimensat(s->fd, name, (const struct timespec[]) { at, at }, 0),
				 0);
		sealed_make(s, name);
	}
	assert_int_equal(retain(s, 0, "2", NULL), 1);
	assert_left(s, "12356");
}

/* Top-k names: which end of a metric is better is not known, so both stay. */
static void test_retain__a_metric_in_the_name(void **state)
{
	static const struct {
		const char *name;
		bool stays;
	} files[] = {
		{ "epoch=1-val_loss=0.90-v=2.0.ckpt", true },
		{ "epoch=2-val_loss=0.20-v=2.0.ckpt", true },
		{ "epoch=3-val_loss=0.3-v=2.0.ckpt", false },
		{ "epoch=4-val_loss=0.40-v=2.0.ckpt", false },
		{ "epoch=5-val_loss=0.50-v=2.0.ckpt", true },
		{ "epoch=6-val_loss=0.60-v=2.0.ckpt", true },
	};
	struct scratch *s = *state;

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		put_sealed(s, files[i].name, 10 * (int)(i + 1));
	assert_int_equal(retain(s, 0, "2", NULL), 2);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (scratch_has(s->fd, files[i].name) != files[i].stays)
			fail_msg("%s", files[i].name);
}

/* Without hooks no end is ever recorded: who is at work is told by the lease. */
static void test_retain__another_jobs_lease(void **state)
{
	struct ckpt_lease other = { .cluster = "test", .job_id = 99, .host = "n9" };
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };
	int statefd;

	put_run(s);
	statefd = openat(s->fd, ".ckpt-resume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(leases_put(statefd, &other), 0);
	assert_int_equal(retain(s, 0, "2", &err), -EBUSY);
	assert_non_null(strstr(err.text, "job 99"));
	assert_left(s, "123456");
	assert_int_equal(ckpt_lease_release(statefd, &other, NULL), 0);
	close(statefd);
	assert_int_equal(retain(s, 0, "2", NULL), 4);
}

static void test_retain__only_numbered_ones(void **state)
{
	struct scratch *s = *state;

	attempt_make(s, 0, "auto", &(struct ckpt_decision) { 0 });
	put_sealed(s, "best_model_1.pth", 10);
	put_sealed(s, "best_model_2.pth", 20);
	put_sealed(s, "best_model_3.pth", 30);
	assert_int_equal(retain(s, 0, "2", NULL), 0);
	put_sealed(s, "model_1.pth", 10);
	put_sealed(s, "model_2.pth", 20);
	put_sealed(s, "model_3.pth", 30);
	assert_int_equal(retain(s, 0, "2", NULL), 1);
	assert_false(scratch_has(s->fd, "model_1.pth"));
}

/* What is kept of the run, by @keep and @metric, where ckpt-1.pt to ckpt-6.pt have @losses. */
static const char *kept(const struct scratch *s, const char *text, const char *metric, char *buf)
{
	static const double losses[STEPS] = { 0.9, 0.1, 0.5, 0.2, 0.7, 0.8 };
	struct attempt_selection *a = attempt_selection_new(s, NULL);
	_cleanup_retain_ struct ckpt_retain plan = { 0 };
	struct ckpt_keep keep;
	char name[32];

	ATTEMPT_SET(a->req->verify, "structure");
	ATTEMPT_SET(a->req->metric, metric);
	for (int i = 1; i <= STEPS; i++) {
		struct ckpt_set *set = attempt_set(a, name_of(i, name, sizeof(name)));

		ckpt_set_verify(&a->ctx, set, CKPT_LEVEL_STRUCTURE);
		set->report->position.has_loss = true;
		set->report->position.loss = losses[i - 1];
		ATTEMPT_SET(set->report->position.loss_key, "loss");
	}
	assert_null(ckpt_keep_parse(text, &keep));
	assert_int_equal(ckpt_retain_plan(&a->ctx, a->req, &keep, &a->res, &plan, NULL), 0);
	memcpy(buf, "123456", STEPS + 1);
	for (size_t i = 0; i < plan.n; i++)
		buf[plan.doomed[i]->name[5] - '1'] = '-';
	attempt_selection_free(a);
	return buf;
}

static void test_retain__the_best_stay(void **state)
{
	struct scratch *s = *state;
	char buf[STEPS + 1];

	put_run(s);
	assert_string_equal(kept(s, "2", "", buf), "-2--56");
	assert_string_equal(kept(s, "2,best=2", "", buf), "-2-456");
	assert_string_equal(kept(s, "2,best=3", "loss:min", buf), "-23456");
	assert_string_equal(kept(s, "2", "loss:max", buf), "1---56");
	assert_string_equal(kept(s, "2,best=9", "accuracy:max", buf), "----56");
}

/* The discard of @name, as it was when it was verified; @change happens since. */
static int discard(const struct scratch *s, const char *name,
		   void (*change)(const struct scratch *s, const char *name))
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *set = sealed_set(s, &cat, name);
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	int statefd, r;

	ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE);
	if (change)
		change(s, name);
	mkdirat(s->fd, ".ckpt-resume", 0700);
	statefd = openat(s->fd, ".ckpt-resume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = ckpt_discard(s->fd, statefd, set, &err);
	close(statefd);
	return r;
}

static void rewrite(const struct scratch *s, const char *name)
{
	scratch_flip(s->fd, name, 0);
}

static int held = -1;

static void hold_open(const struct scratch *s, const char *name)
{
	held = openat(s->fd, name, O_WRONLY | O_CLOEXEC);
}

static void make_link(const struct scratch *s, const char *name)
{
	assert_int_equal(renameat(s->fd, name, s->fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", s->fd, name), 0);
}

static void test_discard__only_what_was_judged(void **state)
{
	struct scratch *s = *state;

	put_run(s);
	assert_int_equal(discard(s, "ckpt-1.pt", rewrite), CKPT_DISCARD_REFUSED);
	assert_int_equal(discard(s, "ckpt-2.pt", hold_open), CKPT_DISCARD_REFUSED);
	close(held);
	assert_int_equal(discard(s, "ckpt-3.pt", make_link), CKPT_DISCARD_REFUSED);
	assert_left(s, "123456");
	assert_int_equal(discard(s, "ckpt-4.pt", NULL), 0);
	assert_left(s, "12356");
}

static void test_discard__a_directory(void **state)
{
	struct scratch *s = *state;

	sealed_put_trainer(s, 8);
	scratch_put(s->fd, "beside", "1");
	assert_int_equal(symlinkat("../beside", s->fd, "checkpoint-500/link"), 0);
	sealed_make(s, "checkpoint-500");
	assert_int_equal(discard(s, "checkpoint-500", NULL), 0);
	assert_false(scratch_has(s->fd, "checkpoint-500"));
	assert_false(scratch_has(s->fd, "checkpoint-500.metadata.json"));
	assert_false(scratch_has(s->fd, ".ckpt-resume/discarded"));
	assert_true(scratch_has(s->fd, "beside"));
}

/* A BP3 file of no variables, whose data lie in a folder beside it. */
static void put_bp3(const struct scratch *s)
{
	unsigned char data[96] = { 0 }, *footer = data + 40;

	memcpy(footer, "ADIOS-BP v1.13.1", 16);
	footer[36] = 16;
	footer[44] = 28;
	footer[55] = 3;
	scratch_write(s->fd, "run-1.bp.dir/run-1.bp.0", data, sizeof(data));
	footer[54] = 3;
	scratch_write(s->fd, "run-1.bp", data, sizeof(data));
	sealed_make(s, "run-1.bp");
}

static void test_discard__data_in_a_folder_beside(void **state)
{
	struct scratch *s = *state;

	put_bp3(s);
	assert_int_equal(discard(s, "run-1.bp", NULL), 0);
	assert_int_equal(scratch_count(s->fd), 1); /* the state */
	assert_false(scratch_has(s->fd, ".ckpt-resume/discarded"));
}

static void put_notes(const struct scratch *s, const char *name)
{
	(void)name;
	scratch_put(s->fd, "run-1.bp.dir/notes", "somebody's");
}

static void make_folder_a_link(const struct scratch *s, const char *name)
{
	(void)name;
	assert_int_equal(renameat(s->fd, "run-1.bp.dir", s->fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", s->fd, "run-1.bp.dir"), 0);
}

/* A folder with files of others, or one that lies elsewhere, is not ours to remove. */
static void test_discard__a_folder_beside_of_others(void **state)
{
	struct scratch *s = *state;

	put_bp3(s);
	assert_int_equal(discard(s, "run-1.bp", put_notes), CKPT_DISCARD_REFUSED);
	assert_int_equal(unlinkat(s->fd, "run-1.bp.dir/notes", 0), 0);
	assert_int_equal(discard(s, "run-1.bp", make_folder_a_link), CKPT_DISCARD_REFUSED);
	assert_true(scratch_has(s->fd, "run-1.bp"));
	assert_true(scratch_has(s->fd, "run-1.bp.metadata.json"));
	assert_true(scratch_has(s->fd, "elsewhere/run-1.bp.0"));
}

/* The ledger of a discard of ckpt-1.pt that was killed: @moved of its two moves were done. */
static void put_killed(const struct scratch *s, int moved)
{
	static const char begin[] =
		"{\"event\":\"quarantine-begin\",\"id\":\"0123\",\"set\":\"ckpt-1.pt\",\"members\":"
		"[[\"ckpt-1.pt.metadata.json\",\"discarded/0123-0\"],"
		"[\"ckpt-1.pt\",\"discarded/0123-1\"]]}\n";

	scratch_put(s->fd, ATTEMPT_STATE "ledger.jsonl", begin);
	scratch_put(s->fd, ATTEMPT_STATE "discarded/left", "over");
	if (moved > 0)
		assert_int_equal(renameat(s->fd, "ckpt-1.pt.metadata.json", s->fd,
					  ATTEMPT_STATE "discarded/0123-0"),
				 0);
	if (moved > 1)
		assert_int_equal(
			renameat(s->fd, "ckpt-1.pt", s->fd, ATTEMPT_STATE "discarded/0123-1"), 0);
}

static int release(const struct scratch *s, const char *name)
{
	int statefd = openat(s->fd, ".ckpt-resume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = ckpt_release(NULL, s->fd, statefd, name, NULL);

	close(statefd);
	return r;
}

/* Killed on the way it is whole again; killed behind it, it is gone. */
static void test_discard__killed_half_way(void **state)
{
	static const bool there[] = { true, true, false };

	(void)state;
	for (int moved = 0; moved <= 2; moved++) {
		struct scratch s;

		assert_int_equal(scratch_open(&s), 0);
		put_run(&s);
		put_killed(&s, moved);
		assert_int_equal(discard(&s, "ckpt-6.pt", NULL), 0);
		assert_left(&s, there[moved] ? "12345" : "2345");
		assert_int_equal(scratch_has(s.fd, "ckpt-1.pt.metadata.json"), there[moved]);
		assert_int_equal(release(&s, "ckpt-1.pt"), CKPT_QUARANTINE_NOTHING);
		scratch_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_retain__newest_stay),
		scratch_test(test_retain__is_told_in_the_ledger),
		scratch_test(test_retain__only_sealed_ones),
		scratch_test(test_retain__damaged_ones_stand_for_nothing),
		cmocka_unit_test(test_retain__what_is_referred_to_stays),
		scratch_test(test_retain__what_the_run_directory_refers_to),
		scratch_test(test_retain__what_cannot_be_read_keeps_all),
		scratch_test(test_retain__an_unreadable_pointer_keeps_all),
		scratch_test(test_retain__the_one_that_the_attempt_began_from),
		scratch_test(test_retain__foreign_ones),
		scratch_test(test_retain__other_jobs),
		scratch_test(test_retain__series_are_counted_apart),
		scratch_test(test_retain__ranks_of_a_save_count_as_one),
		scratch_test(test_retain__numbers_alone),
		scratch_test(test_retain__what_was_written_last_stays),
		scratch_test(test_retain__a_metric_in_the_name),
		scratch_test(test_retain__another_jobs_lease),
		scratch_test(test_retain__only_numbered_ones),
		scratch_test(test_retain__the_best_stay),
		scratch_test(test_discard__only_what_was_judged),
		scratch_test(test_discard__a_directory),
		scratch_test(test_discard__data_in_a_folder_beside),
		scratch_test(test_discard__a_folder_beside_of_others),
		cmocka_unit_test(test_discard__killed_half_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
