/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of a shape says of every name of it what the table says itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/catalog/name_memo.h"
#include "core/catalog/rows.h"

/* Names of every way through the table, and near misses. */
static const char *const names[] = {
	"checkpoint-500",
	"checkpoint_3",
	"step_1000",
	"epoch_7",
	"lora-step00000150-state",
	"at-000010-state",
	"at-0000105-state",
	"epoch=3-step=400.ckpt",
	"epoch=03-step=0400-v2.ckpt",
	"ep5_it2400.pt",
	"step_2400_epoch_10.pt",
	"epoch=3-step=400-val_loss=0.35.ckpt",
	"epoch=3-step=400-val_loss=1e-05.ckpt",
	"global_step500",
	"iter_0005000",
	"iter_0005000.pth",
	"chk00010",
	"1000",
	"checkpoint_17.pth",
	"best_model_200.pth",
	"ep3-ba100-rank0.pt",
	"latest-rank12.pt",
	"checkpoint12.pt",
	"checkpoint5.pt",
	"checkpoint_3_5000.pt",
	"model_0001999.pth",
	"model_1_of_12.pth",
	"sd15_run2_step_100.pt",
	"sd16_run2_step_100.pt",
	"rl_model_1000_steps.zip",
	"weights.05-0.42.h5",
	"weights.05-0.42.h4",
	"weights.05-0.42.hdf5",
	"05-0.42.h5",
	"cp-0004.ckpt.index",
	"model.ckpt-100.data-00000-of-00002",
	"model.ckpt-100.meta",
	"model-00001-of-00003.safetensors",
	"model-00001-of-00003.safetensors.index.json",
	"restart.5000",
	"restart.h5",
	"restart.h4",
	"checkpoint_5.pt.tmp",
	"checkpoint_5.pt.old",
	"checkpoint_5.pt.old.17",
	"checkpoint_5.pt.tempstate12345",
	"checkpoint-500.corrupted",
	"checkpoint-500.corrupted.2",
	"md_step5000.cpt",
	"md_prev.cpt",
	"optimizer_100.pt",
	"events.out.tfevents.1700000000.node01.123.0",
	"slurm-1234.out",
	"notes",
	"model_99999999999999999999.pth",
	"snapshot_iter_500",
	"UPPER_Step_20.PT",
	"UPPER_Step_20.H5",
	"5",
	"a5",
	".hidden5",
	"",
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* Changes digits of @name in a way that @seed tells. */
static void vary(const char *name, unsigned seed, char *ret)
{
	memcpy(ret, name, strlen(name) + 1);
	for (char *c = ret; *c; c++) {
		seed = seed * 1103515245 + 12345;
		if (isdigit((unsigned char)*c) && (seed >> 16) % 3)
			*c = (char)('0' + (seed >> 20) % 10);
	}
}

static void assert_same_name(const struct ckpt_name *a, const struct ckpt_name *b)
{
	assert_string_equal(a->layout, b->layout);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->position.has_step, b->position.has_step);
	assert_int_equal(a->position.step, b->position.step);
	assert_int_equal(a->position.step_source, b->position.step_source);
	assert_int_equal(a->position.step_vague, b->position.step_vague);
	assert_int_equal(a->position.has_epoch, b->position.has_epoch);
	assert_true(a->position.epoch == b->position.epoch);
	assert_int_equal(a->position.epoch_source, b->position.epoch_source);
	assert_int_equal(a->has_number, b->has_number);
	assert_int_equal(a->number, b->number);
	assert_string_equal(a->series, b->series);
	assert_int_equal(a->fold, b->fold);
	assert_int_equal(a->part, b->part);
	assert_int_equal(a->weak, b->weak);
	assert_int_equal(a->mistakable, b->mistakable);
	assert_int_equal(a->top_only, b->top_only);
	assert_ptr_equal(a->holds, b->holds);
	if (a->fold != CKPT_FOLD_NONE)
		assert_string_equal(a->stem, b->stem);
}

static void check(struct ckpt_name_memo *memo, const char *name, bool is_dir)
{
	struct ckpt_name want, got;
	const char *want_why = NULL, *got_why = NULL;
	int r;

	memset(&want, 0x5a, sizeof(want));
	memset(&got, 0xa5, sizeof(got));
	r = ckpt_name_parse(name, is_dir, &want, &want_why);
	if (ckpt_name_memo_parse(memo, name, is_dir, &got, &got_why) != r)
		fail_msg("%s: another answer than the table's", name);
	if (r == CKPT_NAME_UNFINISHED || r == CKPT_NAME_QUARANTINED)
		assert_string_equal(got_why, want_why);
	if (r == 0)
		assert_same_name(&got, &want);
}

/* Each shape again and again, so that nearly all answers are remembered ones. */
static void test_name_memo__one_shape_after_the_other(void **state)
{
	char name[CKPT_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < 2 * N_NAMES; i++) {
		struct ckpt_name_memo memo = { 0 };

		for (unsigned seed = 0; seed < 300; seed++) {
			vary(names[i / 2], seed, name);
			check(&memo, name, i % 2);
		}
	}
}

/* All shapes in turns, files and directories: entries are replaced. */
static void test_name_memo__shapes_in_turns(void **state)
{
	struct ckpt_name_memo memo = { 0 };
	char name[CKPT_NAME_SIZE];

	(void)state;
	for (unsigned seed = 0; seed < 40000; seed++) {
		vary(names[seed * 7 % (seed < 20000 ? N_NAMES : 10)], seed, name);
		check(&memo, name, seed / 3 % 2);
	}
}

static void test_name_memo__remembers(void **state)
{
	struct ckpt_name_memo memo = { 0 };
	struct ckpt_name got;
	const char *why;

	(void)state;
	assert_int_equal(ckpt_name_memo_parse(&memo, "model_17.pth", false, &got, &why), 0);
	memo.entries[0].parsed.layout = "marked";
	assert_int_equal(ckpt_name_memo_parse(&memo, "model_42.pth", false, &got, &why), 0);
	assert_string_equal(got.layout, "marked");
	assert_int_equal(got.position.step, 42);
	assert_int_equal(ckpt_name_memo_parse(&memo, "model_117.pth", false, &got, &why), 0);
	assert_string_equal(got.layout, "model_N");
}

/* A file and a directory of one name are two things. */
static void test_name_memo__files_and_directories(void **state)
{
	struct ckpt_name_memo memo = { 0 };

	(void)state;
	for (int i = 0; i < 6; i++) {
		check(&memo, "checkpoint_17", i % 2);
		check(&memo, "checkpoint_18", i % 2);
	}
}

/* A name of the greatest length, and one that is too long for any entry. */
static void test_name_memo__long_names(void **state)
{
	struct ckpt_name_memo memo = { 0 };
	char name[CKPT_NAME_SIZE + 8];

	(void)state;
	for (size_t len = CKPT_NAME_SIZE - 3; len < sizeof(name) - 1; len++) {
		memset(name, '7', len);
		memcpy(name, "model_", 6);
		memcpy(name + len - 3, ".pt", 4);
		check(&memo, name, false);
		check(&memo, name, false);
	}
}

/* True if the digit at @p can be told from others only behind a letter and at its run's end. */
static bool stands_alone(const char *text, const char *p)
{
	if (p == text || !isalpha((unsigned char)p[-1]))
		return false;
	for (p++; *p == ')' || *p == '>'; p++)
		;
	return *p == '\0' || *p == '|' || *p == '.' || *p == '_' || *p == '-';
}

static void check_literals(const char *text)
{
	int depth = 0;

	for (const char *p = text; p && *p; p++) {
		depth += (*p == '{') - (*p == '}');
		if (depth == 0 && isdigit((unsigned char)*p) && !stands_alone(text, p))
			fail_msg("%s: a digit that shapes do not keep", text);
	}
}

/* What shapes rest upon: the tables know no digits but those that a shape keeps. */
static void test_name_memo__literal_digits_of_the_tables(void **state)
{
	(void)state;
	for (const struct ckpt_name_row *row = ckpt_name_rows; row->pattern; row++)
		check_literals(row->pattern);
	for (const struct ckpt_name_ext *ext = ckpt_name_exts; ext->ext; ext++)
		check_literals(ext->ext);
	for (const struct ckpt_name_mark *m = ckpt_name_unfinished; m->mark; m++) {
		check_literals(m->mark);
		check_literals(m->tail);
	}
	for (const struct ckpt_name_mark *m = ckpt_name_superseded; m->mark; m++) {
		check_literals(m->mark);
		check_literals(m->tail);
	}
	for (const struct ckpt_name_mark *m = ckpt_name_staging; m->mark; m++)
		check_literals(m->mark);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_memo__one_shape_after_the_other),
		cmocka_unit_test(test_name_memo__shapes_in_turns),
		cmocka_unit_test(test_name_memo__remembers),
		cmocka_unit_test(test_name_memo__files_and_directories),
		cmocka_unit_test(test_name_memo__long_names),
		cmocka_unit_test(test_name_memo__literal_digits_of_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
