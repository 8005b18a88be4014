/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/half_renamed.c: data under a temporary name, and what is none; names whose content
 * has to be of their own format.
 */
#include "core/catalog/catalog.h"
#include "core/integrity/half_renamed.h"
#include "core/integrity/verify.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_half_renamed__names(void **state)
{
	const struct scratch *s = *state;
	static const struct {
		const char *there; /* beside d/other.pt, and d/whole.pt with its own name */
		const char *found; /* or NULL */
	} cases[] = {
		{ "model.pt.tmp", "model.pt.tmp" },
		{ "model.safetensors.part", "model.safetensors.part" },
		{ "state.json.incomplete", "state.json.incomplete" },
		{ "a.bin.tempstate18446744073709551615", "a.bin.tempstate18446744073709551615" },
		{ "rank_0/optim.pt.tmp", "rank_0/optim.pt.tmp" },
		{ "whole.pt.tmp", NULL },
		{ "notes.tmp", NULL },
		{ "model.pt", NULL },
		{ "tmp", NULL },
		{ ".tmp", NULL },
		{ ".cache/model.pt.incomplete", NULL },
		{ "a/b/model.pt.tmp", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[128], name[8], found[256] = "";

		snprintf(name, sizeof(name), "d%zu", i);
		snprintf(path, sizeof(path), "%s/other.pt", name);
		scratch_put(s->fd, path, "x");
		snprintf(path, sizeof(path), "%s/whole.pt", name);
		scratch_put(s->fd, path, "x");
		snprintf(path, sizeof(path), "%s/%s", name, cases[i].there);
		scratch_put(s->fd, path, "x");
		if (ckpt_half_renamed(s->fd, name, found, sizeof(found)) !=
		    (cases[i].found != NULL))
			fail_msg("%s: found '%s'", cases[i].there, found);
		assert_string_equal(found, cases[i].found ? cases[i].found : "");
	}
	assert_false(ckpt_half_renamed(s->fd, "missing", (char[8]) { 0 }, 8));
}

/* The set @name of the scratch directory, found by its path. */
static const struct ckpt_report *judge(const struct scratch *s, struct ckpt_catalog *cat,
				       const char *name)
{
	static struct ckpt_ctx ctx;
	struct ckpt_error err;
	struct ckpt_set *set = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	assert_int_equal(ckpt_catalog_add_path(&ctx, cat, path, &set, &err), 0);
	return ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
}

static void test_half_renamed__a_directory_of_it_is_unfinished(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, again = { 0 };
	const struct ckpt_report *report;

	scratch_put(s->fd, "checkpoint-5/model.npy.none", "x");
	scratch_put(s->fd, "checkpoint-5/trainer_state.json", "{\"global_step\": 5}");
	scratch_write(s->fd, "checkpoint-5/model.safetensors", "\x08\0\0\0\0\0\0\0{}      ", 16);
	assert_int_equal(judge(s, &cat, "checkpoint-5")->verdict.status, CKPT_VALID);
	scratch_put(s->fd, "checkpoint-5/optimizer.pt.tmp", "x");
	report = judge(s, &again, "checkpoint-5");
	assert_int_equal(report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(report->verdict.problem.code, CKPT_PROBLEM_UNFINISHED_NAME);
	assert_string_equal(report->verdict.problem.file, "optimizer.pt.tmp");
}

static void test_half_renamed__endings_of_one_format(void **state)
{
	const struct scratch *s = *state;
	static const struct {
		const char *name;
		enum ckpt_status status;
	} cases[] = {
		{ "some.npz", CKPT_INCOMPLETE },      { "some.npy", CKPT_INCOMPLETE },
		{ "some.h5", CKPT_INCOMPLETE },	      { "some.keras", CKPT_INCOMPLETE },
		{ "state.cpt", CKPT_INCOMPLETE },     { "some.safetensors", CKPT_INCOMPLETE },
		{ "model.ckpt-10", CKPT_INCOMPLETE }, { "some.gz", CKPT_INCOMPLETE },
		{ "some.dat", CKPT_VALID },	      { "some.bin", CKPT_VALID },
		{ "model.ckpt-", CKPT_VALID },	      { "123", CKPT_VALID },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

		scratch_put(s->fd, cases[i].name, "bytes without the head of any format");
		if (judge(s, &cat, cases[i].name)->verdict.status != cases[i].status)
			fail_msg("%s", cases[i].name);
	}
}

/* NeMo's marker: empty, beside the checkpoint, under its name without the ending. */
static void test_half_renamed__marked_by_nemo(void **state)
{
	static const char *const names[] = { "m--step=7-last.ckpt", "m--step=7-last-EMA.ckpt",
					     "checkpoint-7" };
	static const char *const markers[] = { "m--step=7-last-unfinished",
					       "m--step=7-last-unfinished",
					       "checkpoint-7-unfinished" };
	static const struct torch_synthetic how = { .step = 7 };
	const struct scratch *s = *state;

	sealed_put_trainer(s, 1000);
	assert_int_equal(renameat(s->fd, "checkpoint-500", s->fd, "checkpoint-7"), 0);
	torch_synthetic_write(s->fd, names[0], &how);
	torch_synthetic_write(s->fd, names[1], &how);
	scratch_put(s->fd, "other-unfinished", "");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_catalog_ struct ckpt_catalog a = { 0 }, b = { 0 }, c = { 0 };
		const struct ckpt_report *report = judge(s, &a, names[i]);

		assert_int_equal(report->verdict.status, CKPT_VALID);
		scratch_put(s->fd, markers[i], "");
		report = judge(s, &b, names[i]);
		assert_int_equal(report->verdict.status, CKPT_INCOMPLETE);
		assert_int_equal(report->verdict.problem.code, CKPT_PROBLEM_UNFINISHED_NAME);
		assert_non_null(strstr(report->verdict.problem.detail, markers[i]));
		assert_int_equal(unlinkat(s->fd, markers[i], 0), 0);
		assert_int_equal(judge(s, &c, names[i])->verdict.status, CKPT_VALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_half_renamed__names),
		scratch_test(test_half_renamed__a_directory_of_it_is_unfinished),
		scratch_test(test_half_renamed__endings_of_one_format),
		scratch_test(test_half_renamed__marked_by_nemo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
