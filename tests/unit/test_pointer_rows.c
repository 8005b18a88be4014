/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of pointers: what each names, its alignment, and what a whole attempt makes of stale,
 * torn and dangling ones.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record/pointer.h"
#include "tests/unit/support/attempt.h"
#include "wire/cleanup.h"

static const struct ckpt_pointer_row *row_of(const char *file)
{
	const struct ckpt_pointer_row *row = ckpt_pointer_rows;

	while (row->file && strcmp(row->file, file) != 0)
		row++;
	assert_non_null(row->file);
	return row;
}

#define DEEPSPEED "latest"
#define MEGATRON "latest_checkpointed_iteration.txt"
#define LAST "last_checkpoint"

static void test_pointer_rows__load(void **state)
{
	static const struct {
		const char *file, *text, *name; /* NULL: torn */
	} rows[] = {
		{ DEEPSPEED, "global_step500", "global_step500" },
		{ DEEPSPEED, "global_step500\n", "global_step500" },
		{ DEEPSPEED, "  best \n", "best" },
		{ DEEPSPEED, "", NULL },
		{ DEEPSPEED, "\n", NULL },
		{ DEEPSPEED, "a\nb", NULL },
		{ DEEPSPEED, "a\x01", NULL },
		{ DEEPSPEED, "dir/", NULL },
		{ MEGATRON, "500", "iter_0000500" },
		{ MEGATRON, "500\n", "iter_0000500" },
		{ MEGATRON, "12345678", "iter_12345678" },
		{ MEGATRON, "0", "iter_0000000" },
		{ MEGATRON, "release", "release" },
		{ MEGATRON, "", NULL },
		{ MEGATRON, "5x", NULL },
		{ MEGATRON, "-5", NULL },
		{ MEGATRON, "iter_0000500", NULL },
		{ LAST, "model_0004999.pth", "model_0004999.pth" },
		{ LAST, "/old/place/epoch_12.pth", "epoch_12.pth" },
		{ LAST, "", NULL },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_pointer_row *row = row_of(rows[i].file);
		char name[CKPT_POINTER_NAME] = "untouched";
		int r;

		scratch_put(s->fd, rows[i].file, rows[i].text);
		r = row->load(NULL, s->fd, row, name, NULL);
		if (r != (rows[i].name ? 0 : CKPT_POINTER_TORN))
			fail_msg("%s '%s': %d %s", rows[i].file, rows[i].text, r, name);
		if (rows[i].name)
			assert_string_equal(name, rows[i].name);
	}
}

/* A directory, a large file or nothing of that name is no pointer. */
static void test_pointer_rows__what_is_none(void **state)
{
	const struct ckpt_pointer_row *row = row_of(DEEPSPEED);
	const struct ckpt_pointer_aim aim = { .target = "x", .backup_dirfd = -1 };
	struct scratch *s = *state;
	char name[CKPT_POINTER_NAME];

	assert_int_equal(row->load(NULL, s->fd, row, name, NULL), CKPT_POINTER_ABSENT);
	assert_int_equal(mkdirat(s->fd, DEEPSPEED, 0755), 0);
	assert_int_equal(row->load(NULL, s->fd, row, name, NULL), CKPT_POINTER_ABSENT);
	assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), CKPT_POINTER_ABSENT);
	assert_int_equal(unlinkat(s->fd, DEEPSPEED, AT_REMOVEDIR), 0);
	scratch_put(s->fd, DEEPSPEED, "x");
	scratch_resize(s->fd, DEEPSPEED, 5000);
	assert_int_equal(row->load(NULL, s->fd, row, name, NULL), CKPT_POINTER_ABSENT);
	scratch_resize(s->fd, DEEPSPEED, 14); /* NULs: allocated and never written */
	assert_int_equal(row->load(NULL, s->fd, row, name, NULL), CKPT_POINTER_TORN);
}

static int backup_dir(const struct scratch *s)
{
	mkdirat(s->fd, "backup", 0700);
	return openat(s->fd, "backup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_pointer_rows__align_text(void **state)
{
	static const struct {
		const char *file, *before, *target, *after;
	} rows[] = {
		{ DEEPSPEED, "global_step500", "global_step400", "global_step400" },
		{ DEEPSPEED, "", "global_step400", "global_step400" },
		{ MEGATRON, "500", "iter_0000400", "400" },
		{ MEGATRON, "garbage \n", "iter_0000400", "400" },
		{ MEGATRON, "500", "iter_0000000", "0" },
		{ MEGATRON, "500", "release", "release" },
		{ LAST, "epoch_3.pth", "epoch_2.pth", "epoch_2.pth" },
		{ LAST, "/w/d/epoch_3.pth", "epoch_2.pth", "/w/d/epoch_2.pth" },
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_pointer_row *row = row_of(rows[i].file);
		_cleanup_close_ int backup = backup_dir(s);
		const struct ckpt_pointer_aim aim = { .target = rows[i].target,
						      .backup_dirfd = backup,
						      .attempt = (int64_t)i };
		char kept[64];

		scratch_put(s->fd, rows[i].file, rows[i].before);
		assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), 0);
		assert_true(scratch_holds(s->fd, rows[i].file, rows[i].after));
		snprintf(kept, sizeof(kept), "backup/%s.%zu", rows[i].file, i);
		assert_true(scratch_holds(s->fd, kept, rows[i].before));
		assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), CKPT_POINTER_SAME);
	}
}

static void expect_link(const struct scratch *s, const char *name, const char *target)
{
	char text[256];
	ssize_t n = readlinkat(s->fd, name, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, target);
}

static void test_pointer_rows__align_links(void **state)
{
	static const char *const ranks[] = { "ep1-ba1-rank0.pt", "ep1-ba1-rank1.pt", NULL };
	const struct ckpt_pointer_row *row = row_of("latest-rank#.pt");
	struct scratch *s = *state;
	_cleanup_close_ int backup = backup_dir(s);
	const struct ckpt_pointer_aim aim = {
		.target = ranks[0], .ranks = ranks, .backup_dirfd = backup, .attempt = 2
	};
	char name[CKPT_POINTER_NAME];

	assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), CKPT_POINTER_ABSENT);
	assert_int_equal(symlinkat("ep2-ba2-rank0.pt", s->fd, "latest-rank0.pt"), 0);
	assert_int_equal(symlinkat("ep2-ba2-rank1.pt", s->fd, "latest-rank1.pt"), 0);
	assert_int_equal(row->load(NULL, s->fd, row, name, NULL), 0);
	assert_string_equal(name, "ep2-ba2-rank0.pt");
	assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), 0);
	expect_link(s, "latest-rank0.pt", ranks[0]);
	expect_link(s, "latest-rank1.pt", ranks[1]);
	assert_true(scratch_holds(s->fd, "backup/latest-rank1.pt.2", "ep2-ba2-rank1.pt"));
	assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), CKPT_POINTER_SAME);
	assert_int_equal(scratch_count(s->fd), 3);
	assert_int_equal(unlinkat(s->fd, "latest-rank0.pt", 0), 0);
	scratch_put(s->fd, "latest-rank0.pt", "a copy"); /* stays: it is no pointer */
	assert_int_equal(row->align(NULL, s->fd, row, &aim, NULL), CKPT_POINTER_SAME);
	assert_true(scratch_holds(s->fd, "latest-rank0.pt", "a copy"));
}

static void test_pointer_rows__applies(void **state)
{
	static const char *const ranks[] = { "ep1-ba1-rank0.pt", NULL };
	static const char *const self[] = { "latest-rank0.pt", NULL };
	static const struct {
		struct ckpt_pointer_subject subject;
		const char *files; /* of the rows that apply, blank after each */
	} rows[] = {
		{ { CKPT_KIND_PREFIX, "ckpt-1", "tf-bundle", NULL }, "checkpoint " },
		{ { CKPT_KIND_DIRECTORY, "global_step5", "deepspeed", NULL }, "latest " },
		{ { CKPT_KIND_DIRECTORY, "global_step5_universal", "deepspeed", NULL },
		  "latest_universal " },
		{ { CKPT_KIND_DIRECTORY, "global_step5_universal", "dcp", NULL }, "" },
		{ { CKPT_KIND_DIRECTORY, "iter_0000005", "megatron", NULL }, MEGATRON " " },
		{ { CKPT_KIND_DIRECTORY, "other", "megatron", NULL }, "" },
		{ { CKPT_KIND_DIRECTORY, "checkpoint-5", "hf-trainer", NULL }, "" },
		{ { CKPT_KIND_DIRECTORY, "global_step5", NULL, NULL }, "" },
		{ { CKPT_KIND_DIRECTORY, "e=1.ckpt", "dcp", NULL }, "last.ckpt " },
		{ { CKPT_KIND_DIRECTORY, "e=1.ckpt", "deepspeed", NULL }, "latest last.ckpt " },
		{ { CKPT_KIND_DIRECTORY, "iter_5.pth", "deepspeed", NULL },
		  "latest last_checkpoint " },
		{ { CKPT_KIND_FILE, "epoch_1.pth", "torch-zip", NULL }, "last_checkpoint " },
		{ { CKPT_KIND_FILE, "e=1.ckpt", "torch-zip", NULL }, "last.ckpt " },
		{ { CKPT_KIND_FILE, "last.ckpt", "torch-zip", NULL }, "" },
		{ { CKPT_KIND_FILE, ranks[0], "torch-zip", ranks }, "latest-rank#.pt " },
		{ { CKPT_KIND_FILE, self[0], "torch-zip", self }, "" },
		{ { CKPT_KIND_FILE, "model.pt", "torch-zip", NULL }, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char got[256] = "";

		for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; row->file; row++)
			if (ckpt_pointer_applies(row, &rows[i].subject))
				snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ",
					 row->file);
		assert_string_equal(got, rows[i].files);
	}
}

static void put(const struct scratch *dir, const char *name, long step, bool cut)
{
	const struct torch_synthetic torch = { .epoch = step / 10, .step = step, .cut = cut };

	scratch_put(dir->fd, name, ""); /* makes its directories */
	torch_synthetic_write(dir->fd, name, &torch);
}

/* A fallback behind an unfinished save takes the framework's pointer along; so does one that says
 * nothing. */
static void test_pointer_rows__attempts(void **state)
{
	static const struct {
		const char *format, *newer, *older; /* names with the file in them */
		const char *tag, *file, *before, *after;
	} rows[] = {
		{ "stale latest", "global_step40/mp_rank_00_model_states.pt",
		  "global_step30/mp_rank_00_model_states.pt", "global_step30", DEEPSPEED,
		  "global_step40", "global_step30" },
		{ "half-written latest", "global_step40/mp_rank_00_model_states.pt",
		  "global_step30/mp_rank_00_model_states.pt", "global_step30", DEEPSPEED, "",
		  "global_step30" },
		{ "stale tracker", "iter_0000040/mp_rank_00/model_optim_rng.pt",
		  "iter_0000030/mp_rank_00/model_optim_rng.pt", "iter_0000030", MEGATRON, "40",
		  "30" },
		{ "detectron2", "model_0000039.pth", "model_0000029.pth", "model_0000029.pth", LAST,
		  "model_0000039.pth", "model_0000029.pth" },
		{ "mmengine", "epoch_4.pth", "epoch_3.pth", "epoch_3.pth", LAST, "/w/epoch_4.pth",
		  "/w/epoch_3.pth" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch dir;
		struct ckpt_decision d;

		assert_int_equal(scratch_open(&dir), 0);
		attempt_make(&dir, 0, "auto", &d);
		put(&dir, rows[i].older, 30, false);
		put(&dir, rows[i].newer, 40, true);
		scratch_put(dir.fd, rows[i].file, rows[i].before);
		attempt_make(&dir, 1, "auto", &d);
		if (strcmp(d.tag, rows[i].tag) != 0)
			fail_msg("%s: %s", rows[i].format, d.line);
		if (!scratch_holds(dir.fd, rows[i].file, rows[i].after))
			fail_msg("%s: not aligned: %s", rows[i].format, d.warning);
		put(&dir, rows[i].newer, 40, false); /* the undamaged twin */
		attempt_make(&dir, 2, "auto", &d);
		if (strcmp(d.tag, rows[i].tag) == 0)
			fail_msg("%s: %s", rows[i].format, d.line);
		assert_false(scratch_holds(dir.fd, rows[i].file, rows[i].after));
		scratch_close(&dir);
	}
}

/* What DeepSpeed's converter made has a pointer of its own; the other stays as it is. */
static void test_pointer_rows__universal(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_decision d;

	put(dir, "global_step40/mp_rank_00_model_states.pt", 40, false);
	put(dir, "global_step30_universal/mp_rank_00_model_states.pt", 30, false);
	put(dir, "global_step30_universal/zero/optimizer_state.pt", 30, false);
	put(dir, "global_step30_universal/zero/w/fp32.pt", 30, false);
	scratch_put(dir->fd, DEEPSPEED, "global_step20");
	scratch_put(dir->fd, "latest_universal", "global_step10_universal");
	attempt_make(dir, 0, "name:global_step30_universal", &d);
	if (strcmp(d.tag, "global_step30_universal") != 0)
		fail_msg("%s", d.line);
	assert_true(scratch_holds(dir->fd, "latest_universal", "global_step30_universal"));
	assert_true(scratch_holds(dir->fd, DEEPSPEED, "global_step20"));
}

static void test_pointer_rows__latest_leaves_universal(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	put(dir, "global_step40/mp_rank_00_model_states.pt", 40, false);
	put(dir, "global_step30_universal/mp_rank_00_model_states.pt", 30, false);
	scratch_put(dir->fd, DEEPSPEED, "global_step20");
	scratch_put(dir->fd, "latest_universal", "global_step30_universal");
	attempt_make(dir, 1, "auto", &d);
	if (strcmp(d.tag, "global_step40") != 0)
		fail_msg("%s", d.line);
	assert_true(scratch_holds(dir->fd, DEEPSPEED, "global_step40"));
	assert_true(scratch_holds(dir->fd, "latest_universal", "global_step30_universal"));
}

/* Nothing was rejected, but DeepSpeed would find an empty `latest` and begin anew. */
static void test_pointer_rows__torn_without_a_fallback(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	put(dir, "global_step30/mp_rank_00_model_states.pt", 30, false);
	scratch_put(dir->fd, DEEPSPEED, "");
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "global_step30");
	assert_non_null(strstr(d.warning, "names nothing"));
	assert_true(scratch_holds(dir->fd, DEEPSPEED, "global_step30"));
}

/* Lightning's link to a checkpoint that is put in quarantine must not go with it. */
static void test_pointer_rows__link_to_a_corrupt_one(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "epoch=3-step=30.ckpt", 3, 30);
	attempt_put_flipped(dir, "epoch=4-step=40.ckpt", 4, 40);
	assert_int_equal(symlinkat("epoch=4-step=40.ckpt", dir->fd, "last.ckpt"), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "epoch=3-step=30.ckpt");
	assert_true(scratch_has(dir->fd, "epoch=4-step=40.ckpt.corrupted"));
	assert_false(scratch_has(dir->fd, "last.ckpt.corrupted"));
	expect_link(dir, "last.ckpt", "epoch=3-step=30.ckpt");
}

static bool same_file(const struct scratch *dir, const char *a, const char *b)
{
	struct stat x, y;

	assert_int_equal(fstatat(dir->fd, a, &x, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstatat(dir->fd, b, &y, AT_SYMLINK_NOFOLLOW), 0);
	return x.st_ino == y.st_ino;
}

/*
 * Lightning's last.ckpt that is a copy, and damaged: without one, ckpt_path="last" begins anew. A
 * copy again, of its own: the program may write it in place.
 */
static void test_pointer_rows__damaged_copy(void **state)
{
	_cleanup_free_ char *text = NULL, *copy = NULL;
	struct scratch *dir = *state;
	struct ckpt_decision d;
	size_t n, m;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "epoch=3-step=30.ckpt", 3, 30);
	attempt_put_flipped(dir, "last.ckpt", 4, 40);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "epoch=3-step=30.ckpt");
	assert_true(scratch_has(dir->fd, "last.ckpt.corrupted"));
	assert_non_null(strstr(d.warning, "last.ckpt is a copy of epoch=3-step=30.ckpt now"));
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, d.tag, 1 << 20, &text, &n, NULL), 0);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "last.ckpt", 1 << 20, &copy, &m, NULL), 0);
	assert_int_equal(n, m);
	assert_memory_equal(text, copy, n);
	assert_false(same_file(dir, d.tag, "last.ckpt"));
}

/* Where the user does not want it, nothing appears; nor where last.ckpt was never there. */
static void test_pointer_rows__no_copy_unasked(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "epoch=3-step=30.ckpt", 3, 30);
	attempt_put_flipped(dir, "last.ckpt", 4, 40);
	ATTEMPT_SET(req->align, "no");
	attempt_settle(req, &d);
	assert_true(scratch_has(dir->fd, "last.ckpt.corrupted"));
	assert_false(scratch_has(dir->fd, "last.ckpt"));
	attempt_put_flipped(dir, "epoch=5-step=50.ckpt", 5, 50);
	attempt_make(dir, 2, "auto", &d);
	assert_string_equal(d.tag, "epoch=3-step=30.ckpt");
	assert_false(scratch_has(dir->fd, "last.ckpt"));
	free(req);
}

/* Both ranks' links of Composer. */
static void test_pointer_rows__links_of_ranks(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ep3-ba30-rank0.pt", 3, 30);
	attempt_put(dir, "ep3-ba30-rank1.pt", 3, 30);
	attempt_put(dir, "ep4-ba40-rank0.pt", 4, 40);
	attempt_put_cut(dir, "ep4-ba40-rank1.pt", 4, 40);
	assert_int_equal(symlinkat("ep4-ba40-rank0.pt", dir->fd, "latest-rank0.pt"), 0);
	assert_int_equal(symlinkat("ep4-ba40-rank1.pt", dir->fd, "latest-rank1.pt"), 0);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "ep3-ba30-rank0.pt");
	expect_link(dir, "latest-rank0.pt", "ep3-ba30-rank0.pt");
	expect_link(dir, "latest-rank1.pt", "ep3-ba30-rank1.pt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_pointer_rows__load),
		scratch_test(test_pointer_rows__what_is_none),
		scratch_test(test_pointer_rows__align_text),
		scratch_test(test_pointer_rows__align_links),
		scratch_test(test_pointer_rows__applies),
		scratch_test(test_pointer_rows__universal),
		scratch_test(test_pointer_rows__latest_leaves_universal),
		scratch_test(test_pointer_rows__attempts),
		scratch_test(test_pointer_rows__torn_without_a_fallback),
		scratch_test(test_pointer_rows__link_to_a_corrupt_one),
		scratch_test(test_pointer_rows__damaged_copy),
		scratch_test(test_pointer_rows__no_copy_unasked),
		scratch_test(test_pointer_rows__links_of_ranks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
