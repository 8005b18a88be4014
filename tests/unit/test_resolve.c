/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heart: which checkpoint, which mode, which epoch. Each case is a directory, a request and the
 * decision expected.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

#define FILES 8

/* A file of a case; text where it is no checkpoint. */
struct file {
	const char *name;
	struct torch_synthetic torch;
	const char *text;
};

struct expectation {
	const char *name; /* of the case */
	struct file files[FILES];
	const char *mode_option, *epoch, *metric, *glob;
	const char *mode, *tag, *start_epoch, *line; /* line: a part of it */
	int64_t refusal;
};

static void set_text(char *dst, size_t size, const char *text)
{
	if (text)
		snprintf(dst, size, "%s", text);
}

static void write_files(const struct scratch *dir, const struct file *files)
{
	for (int i = 0; i < FILES && files[i].name; i++) {
		if (files[i].text)
			scratch_put(dir->fd, files[i].name, files[i].text);
		else
			torch_synthetic_write(dir->fd, files[i].name, &files[i].torch);
	}
}

static void expect(const struct expectation *e, const struct ckpt_decision *d)
{
	if (strcmp(d->mode, e->mode) != 0 || strcmp(d->tag, e->tag ? e->tag : "") != 0 ||
	    (e->start_epoch && strcmp(d->start_epoch, e->start_epoch) != 0) ||
	    (e->line && !strstr(d->line, e->line)) || d->refusal != e->refusal)
		fail_msg("%s: %s %s, start epoch '%s', refusal %lld: %s (%s)", e->name, d->mode,
			 d->tag, d->start_epoch, (long long)d->refusal, d->line, d->warning);
}

static void run_case(const struct expectation *e)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_error err = { 0 };
	struct ckpt_request *req;
	void *state = NULL;
	struct scratch *dir;

	scratch_setup(&state);
	dir = state;
	write_files(dir, e->files);
	req = attempt_request(dir, 0);
	set_text(req->mode, sizeof(req->mode), e->mode_option);
	set_text(req->epoch, sizeof(req->epoch), e->epoch);
	set_text(req->metric, sizeof(req->metric), e->metric);
	set_text(req->glob, sizeof(req->glob), e->glob);
	if (ckpt_resolve(&ctx, req, &res, &err) != 0)
		fail_msg("%s: %s", e->name, err.text);
	expect(e, &res.decision);
	if (strcmp(res.decision.mode, "refused") != 0)
		assert_int_equal(ckpt_decision_check(&res.decision, &err), 0);
	free(req);
	scratch_teardown(&state);
}

#define AT(e, s)                                                                                   \
	{                                                                                          \
		.epoch = (e), .step = (s)                                                          \
	}

static const struct expectation cases[] = {
	{ .name = "empty directory", .mode = "fresh", .start_epoch = "0" },
	{ "data called after a checkpoint",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-1_samples.npy", { 0 }, "x" },
		     { "train_log_ckpt-2.pickle", AT(2, 20), NULL } },
	  .mode = "resume", .tag = "ckpt-1.pt" },
	{ "checkpoints called so",
	  .files = { { "ckpt-1.dat", AT(1, 10), NULL },
		     { "ckpt-2.dat", AT(2, 20), NULL },
		     { "weights_best.pt", AT(1, 10), NULL } },
	  .mode = "resume", .tag = "ckpt-2.dat" },
	{ .name = "newest by number, not by letter",
	  .files = { { "ckpt-999.pt", AT(1, 999), NULL }, { "ckpt-1000.pt", AT(2, 1000), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1000.pt" },
	{ .name = "a flipped bit falls back, and is named",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-2.pt", { .epoch = 2, .step = 20, .flip = true }, NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt",
	  .line = "1 newer rejected: ckpt-2.pt checksum" },
	{ .name = "a cut one falls back",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-2.pt", { .epoch = 2, .step = 20, .cut = true }, NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt",
	  .line = "ckpt-2.pt truncated" },
	{ .name = "an older damaged one is nobody's concern",
	  .files = { { "ckpt-1.pt", { .epoch = 1, .step = 10, .flip = true }, NULL },
		     { "ckpt-2.pt", AT(2, 20), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-2.pt" },
	{ .name = "content wins over names",
	  .files = { { "ckpt-1.pt", AT(9, 900), NULL }, { "ckpt-2.pt", AT(2, 200), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "all damaged: fresh, and said",
	  .files = { { "ckpt-1.pt", { .epoch = 1, .step = 10, .cut = true }, NULL } },
	  .mode = "fresh",
	  .line = "1 rejected: ckpt-1.pt truncated" },
	{ .name = "weights alone never before a full one",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "model_2.pt", { .epoch = 2, .step = 20, .weights_only = true }, NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "weights alone: finetune from epoch 0",
	  .files = { { "model_2.pt", { .epoch = 2, .step = 20, .weights_only = true }, NULL } },
	  .mode = "finetune",
	  .tag = "model_2.pt",
	  .start_epoch = "0" },
	{ .name = "garbage under a checkpoint's name is no candidate",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL }, { "ckpt-2.pt", { 0 }, "not a checkpoint" } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "epoch_info that belongs: epochs are completed ones",
	  .files = { { "ckpt-3.pt", AT(3, 30), NULL },
		     { "epoch_info.json", { 0 }, "{\"last_completed_epoch\": 3}" } },
	  .mode = "resume",
	  .tag = "ckpt-3.pt",
	  .start_epoch = "4" },
	{ .name = "epoch_info of the rejected newest shows it too",
	  .files = { { "ckpt-3.pt", AT(3, 30), NULL },
		     { "ckpt-4.pt", { .epoch = 4, .step = 40, .cut = true }, NULL },
		     { "epoch_info.json", { 0 }, "{\"last_completed_epoch\": 4}" } },
	  .mode = "resume",
	  .tag = "ckpt-3.pt",
	  .start_epoch = "4" },
	{ .name = "epoch_info one behind is ambiguous",
	  .files = { { "ckpt-4.pt", AT(4, 40), NULL },
		     { "epoch_info.json", { 0 }, "{\"last_completed_epoch\": 3}" } },
	  .mode = "resume",
	  .tag = "ckpt-4.pt",
	  .start_epoch = "" },
	{ .name = "a torn epoch_info decides nothing",
	  .files = { { "ckpt-4.pt", AT(4, 40), NULL },
		     { "epoch_info.json", { 0 }, "{\"last_completed_epoch\": " } },
	  .mode = "resume",
	  .tag = "ckpt-4.pt",
	  .start_epoch = "" },
	{ .name = "--ckpt-epoch=completed",
	  .epoch = "completed",
	  .files = { { "ckpt-4.pt", AT(4, 40), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-4.pt",
	  .start_epoch = "5" },
	{ .name = "--ckpt-epoch=next",
	  .epoch = "next",
	  .files = { { "ckpt-4.pt", AT(4, 40), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-4.pt",
	  .start_epoch = "4" },
	{ .name = "pinned step",
	  .mode_option = "step:10",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL }, { "ckpt-20.pt", AT(2, 20), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-10.pt" },
	{ .name = "pinned step inside, another in the name",
	  .mode_option = "step:500",
	  .files = { { "ckpt-1.pt", AT(1, 500), NULL }, { "ckpt-2.pt", AT(2, 600), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "pinned epoch",
	  .mode_option = "epoch:1",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL }, { "ckpt-20.pt", AT(2, 20), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-10.pt" },
	{ .name = "pinned name",
	  .mode_option = "name:ckpt-10.pt",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL }, { "ckpt-20.pt", AT(2, 20), NULL } },
	  .mode = "resume",
	  .tag = "ckpt-10.pt" },
	{ .name = "pinned and damaged is refused",
	  .mode_option = "step:20",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL },
		     { "ckpt-20.pt", { .epoch = 2, .step = 20, .flip = true }, NULL } },
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_PIN,
	  .line = "ckpt-20.pt" },
	{ .name = "pinned and torn is refused by its name",
	  .mode_option = "name:ckpt-20.pt",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL },
		     { "ckpt-20.pt", { .epoch = 2, .step = 20, .cut = true }, NULL } },
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_PIN,
	  .line = "truncated" },
	{ .name = "pinned and not there is refused",
	  .mode_option = "step:77",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL } },
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_PIN,
	  .line = "step 77" },
	{ .name = "pinned path that does not exist",
	  .mode_option = "/nonexistent/ckpt.pt",
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_PIN,
	  .line = "/nonexistent/ckpt.pt" },
	{ .name = "fresh ignores what is there",
	  .mode_option = "fresh",
	  .files = { { "ckpt-10.pt", AT(1, 10), NULL } },
	  .mode = "fresh",
	  .start_epoch = "0" },
	{ .name = "best: what is called best",
	  .mode_option = "best",
	  .files = { { "model_best.pt", AT(1, 10), NULL },
		     { "model_20.pt", AT(2, 20), NULL },
		     { "model_last.pt", AT(3, 30), NULL } },
	  .mode = "resume",
	  .tag = "model_best.pt" },
	{ .name = "best: damaged best, then last",
	  .mode_option = "best",
	  .files = { { "model_best.pt", { .epoch = 1, .step = 10, .flip = true }, NULL },
		     { "model_20.pt", AT(2, 20), NULL },
		     { "model_last.pt", AT(2, 15), NULL } },
	  .mode = "resume",
	  .tag = "model_last.pt" },
	{ .name = "best: best_epoch is trusted",
	  .mode_option = "best",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-2.pt", AT(2, 20), NULL },
		     { "epoch_info.json",
		       { 0 },
		       "{\"last_completed_epoch\": 2, \"best_epoch\": 1}" } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "no_restore of the run configuration",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-config.json", { 0 }, "{\"training\": {\"no_restore\": true}}" } },
	  .mode = "fresh",
	  .line = "training.no_restore in " },
	{ .name = "resume_from_checkpoint: false",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-config.json",
		       { 0 },
		       "{\"training\": {\"resume_from_checkpoint\": false}}" } },
	  .mode = "fresh",
	  .line = "training.resume_from_checkpoint: false in " },
	{ .name = "resume_from_checkpoint: true",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-config.json",
		       { 0 },
		       "{\"training\": {\"resume_from_checkpoint\": true}}" } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "required keys",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-2.pt", { .epoch = 2, .step = 20, .weights_only = true }, NULL },
		     { "ckpt-config.json",
		       { 0 },
		       "{\"validation\": {\"required_keys\": [\"model\", \"optimizer\"]}}" } },
	  .mode = "resume",
	  .tag = "ckpt-1.pt" },
	{ .name = "pretrained of the run configuration, from the run directory",
	  .files = { { "base.pt", AT(7, 70), NULL },
		     { "ckpt-config.json", { 0 }, "{\"model\": {\"pretrained\": \"base.pt\"}}" } },
	  .mode = "finetune",
	  .tag = "base.pt",
	  .start_epoch = "0" },
	{ .name = "pretrained by its name, where there is no progress",
	  .files = { { "pretrained_base.pt", AT(7, 70), NULL } },
	  .mode = "finetune",
	  .tag = "pretrained_base.pt",
	  .start_epoch = "0" },
	{ .name = "pretrained by its name, and damaged: fresh",
	  .files = { { "pretrained_base.pt", { .epoch = 7, .step = 70, .flip = true }, NULL } },
	  .mode = "fresh" },
	{ .name = "pretrained that is missing: fresh",
	  .files = { { "ckpt-config.json", { 0 }, "{\"model\": {\"pretrained\": \"base.pt\"}}" } },
	  .mode = "fresh" },
	{ .name = "all turned away by the configuration: said",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-config.json",
		       { 0 },
		       "{\"validation\": {\"required_keys\": [\"ema\"]}}" } },
	  .mode = "fresh",
	  .line = "1 whole ones turned away by validation.required_keys: 'ema'" },
	{ .name = "custom checkpoint missing is refused",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL },
		     { "ckpt-config.json",
		       { 0 },
		       "{\"model\": {\"custom_checkpoint\": \"other.pt\"}}" } },
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_PIN,
	  .line = "other.pt" },
	{ .name = "a torn run configuration is refused",
	  .files = { { "ckpt-1.pt", AT(1, 10), NULL }, { "ckpt-config.json", { 0 }, "{" } },
	  .mode = "refused",
	  .refusal = CKPT_REFUSE_OPTION },
	{ .name = "an unknown format by --ckpt-glob",
	  .glob = "state-*.dat",
	  .files = { { "state-1.dat", { 0 }, "something of my own" } },
	  .mode = "resume",
	  .tag = "state-1.dat",
	  .line = "opaque" },
};

static void test_resolve__first_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		run_case(&cases[i]);
}

static void test_resolve__later_attempts_follow_auto(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 0, "step:10", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_make(dir, 1, "step:10", &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	attempt_make(dir, 2, "step:10", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
}

static void test_resolve__rollback_is_not_undone(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-5.pt", 5, 50);
	attempt_make(dir, 0, "epoch:1", &d);
	attempt_make(dir, 1, "epoch:1", &d);
	assert_string_equal(d.tag, "ckpt-1.pt"); /* ckpt-5 is another line of work */
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_make(dir, 2, "epoch:1", &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
	attempt_put(dir, "ckpt-5.pt", 5, 51); /* ours now: written again by this run */
	attempt_make(dir, 3, "epoch:1", &d);
	assert_string_equal(d.tag, "ckpt-5.pt");
}

/* The clock of the node that wrote the progress may be behind that of another. */
static void test_resolve__own_work_before_a_run_that_was_there(void **state)
{
	const struct timespec earlier[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	scratch_put(dir->fd, "version_0/x", "");
	scratch_put(dir->fd, "version_1/x", "");
	attempt_put(dir, "version_0/ckpt-2.pt", 2, 20);
	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-2.pt"); /* nothing of its own yet */
	attempt_put(dir, "version_1/ckpt-3.pt", 3, 30);
	assert_int_equal(utimensat(dir->fd, "version_1/ckpt-3.pt", earlier, 0), 0);
	attempt_make(dir, 2, "auto", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	attempt_put_flipped(dir, "version_1/ckpt-3.pt", 3, 30);
	attempt_make(dir, 3, "auto", &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
}

static void test_resolve__fresh_stays_fresh_until_own_progress(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-9.pt", 9, 90);
	attempt_make(dir, 0, "fresh", &d);
	assert_string_equal(d.mode, "fresh");
	attempt_make(dir, 1, "fresh", &d);
	assert_string_equal(d.mode, "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 2, "fresh", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
}

static void test_resolve__lost_mark_is_refused(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.mode, "fresh");
	assert_int_equal(renameat(dir->fd, ".ckpt-resume", dir->fd, "gone"), 0);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
	assert_int_equal(faccessat(dir->fd, ".ckpt-resume", F_OK, 0), -1); /* nothing made */
}

static void test_resolve__attempt_that_never_began(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 1, "auto",
		     &d); /* no mark, no ledger, no candidate, its own file system */
	assert_string_equal(d.mode, "fresh");
	assert_int_equal(faccessat(dir->fd, ".ckpt-resume/run.json", F_OK, 0), 0);
}

static void test_resolve__torn_mark_is_refused(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	scratch_put(dir->fd, ".ckpt-resume/run.json", "{\"run\":");
	attempt_make(dir, 1, "auto", &d);
	assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
}

static void test_resolve__fallback_aligns_epoch_info(void **state)
{
	struct scratch *dir = *state;
	struct torch_synthetic cut = { .epoch = 4, .step = 40, .cut = true };
	struct ckpt_decision d;
	char *text;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	torch_synthetic_write(dir->fd, "ckpt-4.pt", &cut);
	scratch_put(dir->fd, "epoch_info.json",
		    "{\"last_completed_epoch\": 4, \"best_epoch\": 2, \"mine\": \"kept\"}");
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_string_equal(d.start_epoch, "4");
	text = scratch_get(dir->fd, "epoch_info.json");
	assert_non_null(strstr(text, "\"last_completed_epoch\":\t3"));
	assert_non_null(strstr(text, "kept"));
	free(text);
	assert_int_equal(faccessat(dir->fd, "ckpt-4.pt", F_OK, 0), 0); /* incomplete: stays */
}

static void test_resolve__proved_corruption_goes_to_quarantine(void **state)
{
	struct torch_synthetic flipped = { .epoch = 4, .step = 40, .flip = true };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	torch_synthetic_write(dir->fd, "ckpt-4.pt", &flipped);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_int_equal(faccessat(dir->fd, "ckpt-4.pt.corrupted", F_OK, 0), 0);
	assert_int_equal(faccessat(dir->fd, "ckpt-4.pt", F_OK, 0), -1);
}

/* EIO while reading is no verdict and no fresh start. */
static ssize_t broken_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	(void)arg, (void)fd, (void)buf, (void)len, (void)off;
	errno = EIO;
	return -1;
}

static void test_resolve__unreadable_is_no_fresh_start(void **state)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_seam seam = { .pread = broken_pread };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &seam };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);

	attempt_put(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(ckpt_resolve(&ctx, req, &res, NULL), 0);
	assert_string_equal(res.decision.mode, "refused");
	assert_int_equal(res.decision.refusal, CKPT_REFUSE_UNKNOWN);
	free(req);
}

static void test_resolve__records_the_end(void **state)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_error err = { 0 };
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	req->in_hook = 1;
	snprintf(req->reason, sizeof(req->reason), "preempted");
	assert_int_equal(ckpt_record_end(&ctx, req, &d, &err), 0);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_int_equal(faccessat(dir->fd, "epoch_info.json", F_OK, 0), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.reason, "preempted");
	free(req);
}

static void test_resolve__many_checkpoints_cost_few_looks(void **state)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	size_t looked = 0;
	char name[64];

	for (int i = 1; i <= 200; i++) {
		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		attempt_put(dir, name, i, i * 10);
	}
	assert_int_equal(ckpt_resolve(&ctx, req, &res, NULL), 0);
	assert_string_equal(res.decision.tag, "ckpt-200.pt");
	for (size_t i = 0; i < res.catalog.n_sets; i++)
		looked += res.catalog.sets[i].report != NULL;
	assert_in_range(looked, 1, 20);
	free(req);
}

/* Work that was recorded in a directory which has lost its mark since: a lost mount. */
static void test_resolve__a_directory_that_lost_its_mark_and_work_is_refused(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	scratch_put(dir->fd, "a/x", "");
	scratch_put(dir->fd, "b/x", "");
	assert_true(snprintf(req->dirs, sizeof(req->dirs), "%s/a:%s/b", dir->path, dir->path) > 0);
	attempt_settle(req, &d);
	attempt_put(dir, "b/ckpt-3.pt", 3, 30);
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	assert_int_equal(renameat(dir->fd, "b", dir->fd, "unmounted"), 0);
	scratch_put(dir->fd, "b/x", "");
	req->attempt = 1;
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
	assert_int_equal(renameat(dir->fd, "unmounted", dir->fd, "b/x2"), 0);
	free(req);
}

/* The same checkpoint gone from a directory that has its mark: fresh, and said. */
static void test_resolve__recorded_work_that_is_gone_is_said(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	attempt_settle(req, &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	assert_int_equal(unlinkat(dir->fd, "ckpt-3.pt", 0), 0);
	req->attempt = 1;
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "fresh");
	assert_non_null(strstr(d.warning, "the valid checkpoint ckpt-3.pt, which is gone"));
	free(req);
}

static void test_resolve__fetch_is_wanted_in_the_step_alone(void **state)
{
	static const struct {
		const char *mode;
		bool hook, wanted;
	} rows[] = { { "auto", false, true }, { "auto", true, false }, { "fresh", false, false } };
	struct scratch *dir = *state;

	scratch_put(dir->fd, "ckpt-config.json", "{\"model\": {\"fetch\": [\"true\"]}}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		struct ckpt_request *req = attempt_request(dir, 0);

		ATTEMPT_SET(req->mode, rows[i].mode);
		req->in_hook = rows[i].hook;
		attempt_resolve(req, &res);
		assert_int_equal(res.wants_fetch, rows[i].wanted);
		free(req);
	}
}

static void test_resolve__repin(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 0, "step:10", &d);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	ATTEMPT_SET(req->mode, "step:10");
	req->repin = 1;
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	ATTEMPT_SET(req->mode, "fresh"); /* no pin: a restart of it all at each attempt */
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-2.pt");
	free(req);
}

static void test_resolve__a_live_job_is_told_of(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	attempt_settle(req, &d);
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	req->job_id = ATTEMPT_JOB + 1;
	attempt_settle(req, &d); /* the one before it has ended */
	assert_null(strstr(d.warning, "was not seen to end"));
	req->job_id = ATTEMPT_JOB + 2;
	attempt_settle(req, &d);
	assert_non_null(strstr(d.warning, "job 42 began in this run directory and was not seen"));
	free(req);
}

static void test_resolve__an_unreadable_pin_is_unknown(void **state)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &attempt_broken };
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);

	attempt_put_broken(dir, "ckpt-3.pt", 30);
	ATTEMPT_SET(req->mode, "name:ckpt-3.pt");
	assert_int_equal(ckpt_resolve(&ctx, req, &res, NULL), 0);
	assert_string_equal(res.decision.mode, "refused");
	assert_int_equal(res.decision.refusal, CKPT_REFUSE_UNKNOWN);
	free(req);
}

/* No --ckpt-dir: checkpoints/, then what is unmistakable in the work directory. */
static void test_resolve__the_default_directory(void **state)
{
	struct scratch *dir = *state;

	for (int i = 0; i < 3; i++) {
		static const char *const tags[] = { "", "ckpt-2.pt", "ckpt-1.pt" };
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		struct ckpt_request *req = attempt_request(dir, 0);

		if (i == 0) /* a name that other files have too */
			attempt_put(dir, "model_step_9.pt", 9, 90);
		else
			attempt_put(dir, i == 1 ? "ckpt-2.pt" : "checkpoints/ckpt-1.pt", i, i);
		req->dirs[0] = '\0';
		attempt_resolve(req, &res);
		assert_string_equal(res.decision.tag, tags[i]);
		free(req);
	}
}

/* An array's tasks have a directory each, and search nobody else's; nor does another job theirs. */
static void test_resolve__the_default_directory_of_tasks(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *task = attempt_request(dir, 0), *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-2.pt", 2, 20);
	task->dirs[0] = req->dirs[0] = '\0';
	task->array_job = task->job_id = 700;
	for (task->array_task = 1; task->array_task <= 2; task->array_task++, task->job_id++) {
		attempt_settle(task, &d);
		assert_string_equal(d.mode, "fresh");
		assert_int_equal(d.by_default, 0);
		attempt_put(dir, "checkpoints/700_1/ckpt-9.pt", 9, 90);
	}
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-2.pt"); /* of the work directory; not the task's */
	assert_int_equal(d.by_default, 1);
	task->array_task = 1;
	task->job_id = 700;
	task->attempt = 1;
	attempt_settle(task, &d);
	assert_string_equal(d.tag, "ckpt-9.pt");
	free(task);
	free(req);
}

/* A default directory of each job's own: it is another's that lies beside it. */
static void test_resolve__the_default_directory_with_letters(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_put(dir, "checkpoints/11/ckpt-1.pt", 1, 10);
	req->dirs[0] = '\0';
	ATTEMPT_SET(req->default_dir, "checkpoints/%j");
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "fresh");
	free(req);
}

/* The end is told of the same place as the start: what the work directory holds then. */
static void test_resolve__the_default_directory_at_the_end(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d, end;

	req->dirs[0] = '\0';
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "fresh");
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	ATTEMPT_SET(req->dirs, d.dirs);
	req->expanded = d.by_default ? CKPT_REQUEST_BY_DEFAULT : CKPT_REQUEST_EXPANDED;
	req->in_hook = req->status_known = 1;
	req->batch_status = 15;
	ATTEMPT_SET(req->reason, "preempted");
	assert_int_equal(ckpt_record_end(&ctx, req, &end, NULL), 0);
	assert_string_equal(end.tag, "ckpt-2.pt");
	assert_int_equal(end.progress, 1);
	free(req);
}

/* Another job has marked the directory since: the ledger still knows this one. */
static void test_resolve__a_mark_taken_over_by_another_job(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_make(dir, 0, "step:10", &d);
	req->job_id = ATTEMPT_JOB + 1;
	attempt_settle(req, &d);
	attempt_make(dir, 1, "step:10", &d);
	assert_string_equal(d.tag, "ckpt-2.pt"); /* a later attempt: auto */
	req->job_id = ATTEMPT_JOB + 2;
	req->attempt = 1; /* its attempt 0 never came so far */
	ATTEMPT_SET(req->mode, "step:10");
	attempt_settle(req, &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	free(req);
}

/* What the run configuration pins: a name, relative to the run directory, absolute. */
static void test_resolve__pins_of_the_run_configuration(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put(dir, "old/ckpt-7.pt", 1, 11);
	for (int i = 0; i < 3; i++) {
		static const char *const steps[] = { "10", "11", "11" };
		const char *before = i == 2 ? dir->path : i == 1 ? "." : "";
		struct ckpt_request *req = attempt_request(dir, 0);
		struct ckpt_decision d;
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"training\": {\"resume_from_checkpoint\": \"%s%s\"}}", before,
			 i ? "/old/ckpt-7.pt" : "ckpt-1.pt");
		scratch_put(dir->fd, "ckpt-config.json", text);
		attempt_settle(req, &d);
		assert_string_equal(d.step, steps[i]);
		free(req);
	}
}

/* Later on, a configuration that takes nothing must not cost what was reached. */
static void test_resolve__turned_away_later_is_refused(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	scratch_put(dir->fd, "ckpt-config.json",
		    "{\"validation\": {\"min_size_bytes\": 1000000000}}");
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_OPTION);
	assert_non_null(strstr(d.line, "min_size_bytes"));
}

/* ckpt-1 is whole, ckpt-2 holds -Inf, ckpt-3 NaN: which is taken under the site's policy. */
static void test_resolve__reject_non_finite(void **state)
{
	static const struct {
		const char *policy, *verify, *tag;
	} rows[] = {
		{ "", "full", "ckpt-3.pt" },	     { "no", "full", "ckpt-3.pt" },
		{ "yes", "full", "ckpt-2.pt" },	     { "any", "full", "ckpt-1.pt" },
		{ "yes", "structure", "ckpt-2.pt" },
	};
	struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ struct ckpt_request *req = attempt_request(dir, 0);
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		const struct torch_synthetic how[] = {
			{ .epoch = 1, .step = 10, .nan = false, .inf = false, .floats = 64 },
			{ .epoch = 2, .step = 20, .inf = true },
			{ .epoch = 3, .step = 30, .nan = true },
		};

		torch_synthetic_write(dir->fd, "ckpt-1.pt", &how[0]);
		torch_synthetic_write(dir->fd, "ckpt-2.pt", &how[1]);
		torch_synthetic_write(dir->fd, "ckpt-3.pt", &how[2]);
		ATTEMPT_SET(req->reject_non_finite, rows[i].policy);
		ATTEMPT_SET(req->verify, rows[i].verify);
		attempt_resolve(req, &res);
		assert_string_equal(res.decision.tag, rows[i].tag);
		if (strcmp(rows[i].tag, "ckpt-3.pt") == 0)
			continue;
		assert_int_equal(attempt_trail(&res, "ckpt-3.pt")->fate, CKPT_FATE_REJECTED);
		assert_non_null(strstr(attempt_trail(&res, "ckpt-3.pt")->why, "1 NaN in 1 of 1"));
		assert_non_null(strstr(res.decision.line, "ckpt-3.pt non-finite"));
	}
}

/* Nothing but poison: no fresh start over it, and nothing is moved. */
static void test_resolve__only_poisoned_is_refused(void **state)
{
	const struct torch_synthetic how = { .epoch = 1, .step = 10, .nan = true };
	struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = NULL;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	torch_synthetic_write(dir->fd, "ckpt-1.pt", &how);
	req = attempt_request(dir, 1);
	ATTEMPT_SET(req->reject_non_finite, "yes");
	ATTEMPT_SET(req->quarantine, "rename");
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_OPTION);
	assert_non_null(strstr(d.line, "RejectNonFinite=yes"));
	assert_true(scratch_has(dir->fd, "ckpt-1.pt"));
}

/* A job that was refused never began, and is not waited for. */
static void test_resolve__a_refused_job_is_not_live(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "step:99", &d);
	assert_string_equal(d.mode, "refused");
	mkdirat(dir->fd, ".ckpt-resume", 0700);
	scratch_put(
		dir->fd, ".ckpt-resume/ledger.jsonl",
		"{\"event\":\"end\",\"job_id\":5,\"cluster\":\"test\",\"attempt\":0}\n"
		"{\"event\":\"decision\",\"mode\":\"refused\",\"job_id\":7,\"cluster\":\"test\","
		"\"attempt\":0}\n");
	attempt_make(dir, 0, "auto", &d);
	assert_null(strstr(d.warning, "was not seen to end"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve__first_start),
		scratch_test(test_resolve__turned_away_later_is_refused),
		scratch_test(test_resolve__reject_non_finite),
		scratch_test(test_resolve__only_poisoned_is_refused),
		scratch_test(test_resolve__a_refused_job_is_not_live),
		scratch_test(test_resolve__later_attempts_follow_auto),
		scratch_test(test_resolve__rollback_is_not_undone),
		scratch_test(test_resolve__own_work_before_a_run_that_was_there),
		scratch_test(test_resolve__fresh_stays_fresh_until_own_progress),
		scratch_test(test_resolve__lost_mark_is_refused),
		scratch_test(test_resolve__attempt_that_never_began),
		scratch_test(test_resolve__torn_mark_is_refused),
		scratch_test(test_resolve__fallback_aligns_epoch_info),
		scratch_test(test_resolve__proved_corruption_goes_to_quarantine),
		scratch_test(test_resolve__unreadable_is_no_fresh_start),
		scratch_test(test_resolve__records_the_end),
		scratch_test(test_resolve__many_checkpoints_cost_few_looks),
		scratch_test(test_resolve__a_directory_that_lost_its_mark_and_work_is_refused),
		scratch_test(test_resolve__recorded_work_that_is_gone_is_said),
		scratch_test(test_resolve__fetch_is_wanted_in_the_step_alone),
		scratch_test(test_resolve__repin),
		scratch_test(test_resolve__a_live_job_is_told_of),
		scratch_test(test_resolve__an_unreadable_pin_is_unknown),
		scratch_test(test_resolve__the_default_directory),
		scratch_test(test_resolve__the_default_directory_of_tasks),
		scratch_test(test_resolve__the_default_directory_with_letters),
		scratch_test(test_resolve__the_default_directory_at_the_end),
		scratch_test(test_resolve__a_mark_taken_over_by_another_job),
		scratch_test(test_resolve__pins_of_the_run_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
