/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of ranks' files: which of them are whole by their own names, by their elders' and by what
 * links lead to, after a scan and as a pin; and what a resume takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/integrity/verify.h"
#include "tests/unit/support/attempt.h"
#include "tests/unit/support/scratch.h"

/* A save: how its files are called, '#' standing for the rank, and the ranks that have one. */
struct save {
	const char *files, *ranks;
	const char *missing; /* in words; NULL: the set is whole */
	const char *first;   /* missing file */
};

static void rank_of(const char *files, int rank, char *ret, size_t size)
{
	const char *at = strchr(files, '#');

	snprintf(ret, size, "%.*s%d%s", (int)(at - files), files, rank, at + 1);
}

static void put_save(const struct scratch *s, const struct save *save)
{
	char name[128];

	for (const char *r = save->ranks; *r; r++) {
		rank_of(save->files, *r - '0', name, sizeof(name));
		attempt_put(s, name, -1, 1);
	}
}

static void check_report(const struct ckpt_report *report, const struct save *save)
{
	print_message("%s %s: %s\n", save->files, save->ranks, report->verdict.problem.detail);
	if (!save->missing) {
		assert_int_equal(report->verdict.status, CKPT_VALID);
		return;
	}
	assert_int_equal(report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(report->verdict.problem.code, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report->verdict.problem.file, save->first);
	assert_memory_equal(report->verdict.problem.detail, save->missing, strlen(save->missing));
}

/* Judges the save twice: as a scan finds it, and as a pin of a directory that nobody scanned. */
static void check_save(const struct scratch *s, struct ckpt_catalog *scanned,
		       const struct save *save)
{
	_cleanup_catalog_ struct ckpt_catalog pinned = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set;
	char name[128], path[512];

	rank_of(save->files, save->ranks[0] - '0', name, sizeof(name));
	set = ckpt_catalog_find(scanned, NULL, name);
	assert_non_null(set);
	check_report(ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE), save);
	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	assert_int_equal(ckpt_catalog_add_path(&ctx, &pinned, path, &set, NULL), 0);
	assert_string_equal(set->name, name);
	assert_int_equal(pinned.n_sets, 1);
	check_report(ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE), save);
}

#define SAVES 8

static void check_saves(const struct scratch *s, const struct save saves[SAVES])
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	size_t n = 0;

	while (n < SAVES && saves[n].files)
		put_save(s, &saves[n++]);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, s->path, 0, NULL, NULL), 0);
	assert_int_equal(cat.n_sets, n);
	for (size_t i = 0; i < n; i++)
		check_save(s, &cat, &saves[i]);
}

/* The last ranks' files are missed as well as those between. */
static void test_crews__last_ranks(void **state)
{
	static const struct save saves[SAVES] = {
		{ "ep1-ba100-rank#.pt", "012", NULL, NULL },
		{ "ep2-ba1000-rank#.pt", "012", NULL, NULL },
		{ "ep3-ba3000-rank#.pt", "0",
		  "the files of ranks 1-2 are missing, which the save "
		  "of ep2-ba1000-rank0.pt has",
		  "ep3-ba3000-rank1.pt" },
		{ "ep3-ba3001-rank#.pt", "01", "the file of rank 2 is missing, which",
		  "ep3-ba3001-rank2.pt" },
		{ "ep3-ba3002-rank#.pt", "02", "the file of rank 1 is missing",
		  "ep3-ba3002-rank1.pt" },
		{ "ckpt_step100_rank#.pt", "0123", NULL, NULL },
		{ "ckpt_step300_rank#.pt", "0", "the files of ranks 1-3 are missing",
		  "ckpt_step300_rank1.pt" },
		{ "ckpt_step400_rank#.pt", "13", "the file of rank 2 is missing",
		  "ckpt_step400_rank2.pt" },
	};

	check_saves(*state, saves);
}

/* A node's own directory has some ranks alone, and copies of others'; names may count from 1. */
static void test_crews__some_ranks(void **state)
{
	static const struct save saves[SAVES] = {
		{ "iter_0000100_#_local.pt", "04", NULL, NULL },
		{ "iter_0000200_#_local.pt", "0", "the file of rank 4 is missing, which",
		  "iter_0000200_4_local.pt" },
		{ "step_10.rank0#.pt", "45", NULL, NULL },
		{ "step_20.rank0#.pt", "45", NULL, NULL },
		{ "step_30.rank0#.pt", "5", "the file of rank 4 is missing, which",
		  "step_30.rank04.pt" },
		{ "checkpoint_1_50-shard#.pt", "123", NULL, NULL },
		{ "model_7_rank#.pt", "0", NULL, NULL },
		{ "model_8_rank#.pt", "0", NULL, NULL },
	};

	check_saves(*state, saves);
}

/* Three saves in a row show that fewer ranks go on; two can be what one end left. More may come
 * whenever they like, and an elder that was cut short asks nothing of what came later. */
static void test_crews__fewer_ranks_go_on(void **state)
{
	static const struct save go_on[SAVES] = {
		{ "step_1_rank#.pt", "0123", NULL, NULL },
		{ "step_2_rank#.pt", "0123", NULL, NULL },
		{ "step_3_rank#.pt", "01", NULL, NULL },
		{ "step_4_rank#.pt", "01", NULL, NULL },
		{ "step_10_rank#.pt", "01", NULL, NULL },
		{ "step_11_rank#.pt", "0", "the file of rank 1 is missing", "step_11_rank1.pt" },
		{ "step_12_rank#.pt", "012", NULL, NULL },
	};
	static const struct save cut[SAVES] = {
		{ "step_1_rank#.pt", "0", NULL, NULL },
		{ "step_2_rank#.pt", "01", NULL, NULL },
		{ "step_3_rank#.pt", "0", "the file of rank 1 is missing", "step_3_rank1.pt" },
		{ "step_4_rank#.pt", "0", "the file of rank 1 is missing", "step_4_rank1.pt" },
		{ "step_5_rank#.pt", "01", NULL, NULL },
		{ "step_6_rank#.pt", "0", "the file of rank 1 is missing", "step_6_rank1.pt" },
	};
	struct scratch below = { 0 };

	check_saves(*state, go_on);
	assert_int_equal(scratch_open(&below), 0);
	check_saves(&below, cut);
	scratch_close(&below);
}

/* Files of one rank a node, numbers that tell of a matrix, and a known number counted from 1. */
static void test_crews__that_leave_ranks_out(void **state)
{
	static const struct save saves[SAVES] = {
		{ "ckpt_step1_rank#.pt", "048", NULL, NULL },
		{ "model_7_rank#.pt", "04", "the files of ranks 1-3 are missing",
		  "model_7_rank1.pt" },
		{ "step_1.rank#.pt", "15", NULL, NULL },
		{ "step_2.rank#.pt", "15", NULL, NULL },
		{ "checkpoint_9-shard-#-of-4.pt", "1234", NULL, NULL },
	};

	check_saves(*state, saves);
}

/* A name that tells how many there are needs no elder, and asks for no more than that. */
static void test_crews__told_by_the_name(void **state)
{
	static const struct save saves[SAVES] = {
		{ "checkpoint-1_rank-0000000#-of-00000004.pth", "0123", NULL, NULL },
		{ "checkpoint-2_rank-0000000#-of-00000002.pth", "01", NULL, NULL },
		{ "checkpoint-3_rank-0000000#-of-00000004.pth", "02",
		  "the files of ranks 1, 3 are missing",
		  "checkpoint-3_rank-00000001-of-00000004.pth" },
		{ "checkpoint-4_rank-0000000#-of-00000002.pth", "1",
		  "the file of rank 0 is missing", "checkpoint-4_rank-00000000-of-00000002.pth" },
	};

	check_saves(*state, saves);
}

/* Names may hold any numbers: the words stay short, and nothing counts from one to the next. */
static void test_crews__far_ranks(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_report *report;
	struct ckpt_ctx ctx = { 0 };
	char name[96];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "ep1-ba1-rank%d.pt", 2 * i + 1);
		attempt_put(s, name, -1, 1);
	}
	attempt_put(s, "ep1-ba1-rank9223372036854775807.pt", -1, 1);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, s->path, 0, NULL, NULL), 0);
	assert_int_equal(cat.n_sets, 1);
	report = ckpt_set_verify(&ctx, &cat.sets[0], CKPT_LEVEL_STRUCTURE);
	assert_string_equal(report->verdict.problem.file, "ep1-ba1-rank0.pt");
	assert_string_equal(report->verdict.problem.detail,
			    "the files of ranks 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, ... are "
			    "missing");
}

/* Composer's links are set rank by rank: those of a rank that died lead to the save before. */
static void test_crews__links_of_two_saves(void **state)
{
	static const struct save saves[] = { { "ep1-ba1-rank#.pt", "01", NULL, NULL },
					     { "ep1-ba2-rank#.pt", "01", NULL, NULL } };
	const struct scratch *s = *state;
	struct ckpt_ctx ctx = { 0 };

	put_save(s, &saves[0]);
	put_save(s, &saves[1]);
	assert_int_equal(symlinkat("ep1-ba2-rank0.pt", s->fd, "latest-rank0.pt"), 0);
	for (int whole = 0; whole < 2; whole++) {
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		const struct ckpt_verdict *v;

		assert_int_equal(symlinkat(whole ? "./ep1-ba2-rank1.pt" : "ep1-ba1-rank1.pt", s->fd,
					   "latest-rank1.pt"),
				 0);
		assert_int_equal(ckpt_catalog_scan(&ctx, &cat, s->path, 0, NULL, NULL), 0);
		v = &ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, "latest-rank0.pt"),
				     CKPT_LEVEL_STRUCTURE)
			     ->verdict;
		assert_int_equal(v->status, whole ? CKPT_VALID : CKPT_INCOMPLETE);
		assert_int_equal(v->problem.code,
				 whole ? CKPT_PROBLEM_NONE : CKPT_PROBLEM_MIXED_SAVES);
		assert_string_equal(v->problem.file, whole ? "" : "latest-rank1.pt");
		unlinkat(s->fd, "latest-rank1.pt", 0);
	}
}

/* The newest save that all ranks hold is what a job goes on from. */
static void test_crews__resume(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_resolution res = { 0 };
	struct ckpt_request *req = attempt_request(s, 0);
	char name[64];

	for (int i = 0; i < 8; i++) {
		rank_of(i < 4 ? "ckpt_step100_rank#.pt" : "ckpt_step200_rank#.pt", i % 4, name,
			sizeof(name));
		attempt_put(s, name, 1, i < 4 ? 100 : 200);
	}
	attempt_put(s, "ckpt_step300_rank0.pt", 1, 300);
	attempt_resolve(req, &res);
	assert_string_equal(res.chosen->name, "ckpt_step200_rank0.pt");
	assert_string_equal(res.decision.step, "200");
	assert_non_null(strstr(attempt_trail(&res, "ckpt_step300_rank0.pt")->why, "ranks 1-3"));
	ckpt_resolution_done(&res);
	free(req);
}

/* A remark on one rank's file is one on the set, and does not outlast a verdict on another's. */
static void test_crews__a_remark_on_one_rank(void **state)
{
	static const struct save save = { "ep1-ba100-rank#.pt", "012", NULL, NULL };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct scratch *s = *state;
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set;
	char junk[500], path[512];
	size_t size;

	put_save(s, &save);
	free(scratch_read(s->fd, "ep1-ba100-rank1.pt", &size));
	memset(junk, 'x', sizeof(junk));
	scratch_resize(s->fd, "ep1-ba100-rank1.pt", size + sizeof(junk));
	scratch_patch(s->fd, "ep1-ba100-rank1.pt", size, junk, sizeof(junk));
	snprintf(path, sizeof(path), "%s/ep1-ba100-rank0.pt", s->path);
	assert_int_equal(ckpt_catalog_add_path(&ctx, &cat, path, &set, NULL), 0);
	ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE);
	assert_int_equal(set->report->verdict.status, CKPT_VALID);
	assert_int_equal(set->report->verdict.problem.code, CKPT_PROBLEM_TRAILING);
	assert_string_equal(set->report->verdict.problem.file, "ep1-ba100-rank1.pt");
	assert_int_equal(set->report->verdict.problem.offset, size);
	attempt_put_cut(s, "ep1-ba100-rank2.pt", -1, 1);
	ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	assert_int_equal(set->report->verdict.status, CKPT_INCOMPLETE);
	assert_string_equal(set->report->verdict.problem.file, "ep1-ba100-rank2.pt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_crews__last_ranks),
		scratch_test(test_crews__some_ranks),
		scratch_test(test_crews__fewer_ranks_go_on),
		scratch_test(test_crews__that_leave_ranks_out),
		scratch_test(test_crews__told_by_the_name),
		scratch_test(test_crews__far_ranks),
		scratch_test(test_crews__links_of_two_saves),
		scratch_test(test_crews__resume),
		scratch_test(test_crews__a_remark_on_one_rank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
