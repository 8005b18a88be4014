/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From trees of (mostly empty) files to sets: folding, runs, order, what is skipped and said, what
 * is ignored.
 */
#include "core/catalog/catalog.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/torch_synthetic.h"

/* Makes a path with its parents: a directory if it ends in '/', else an empty file. */
static void make(const struct scratch *s, const char *path)
{
	char part[600];

	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdirat(s->fd, part, 0755) < 0)
			assert_int_equal(errno, EEXIST);
	}
	if (path[strlen(path) - 1] != '/')
		scratch_put(s->fd, path, "");
}

/* make() of paths separated by blanks. */
static void make_all(const struct scratch *s, const char *paths)
{
	char one[600];
	int n;

	for (; sscanf(paths, " %599[^ ]%n", one, &n) == 1; paths += n)
		make(s, one);
}

static void set_age(const struct scratch *s, const char *path, long seconds)
{
	struct timespec t[2] = { { .tv_sec = 1700000000 + seconds },
				 { .tv_sec = 1700000000 + seconds } };

	assert_int_equal(utimensat(s->fd, path, t, 0), 0);
}

static void scan_with(const struct scratch *s, struct ckpt_catalog *cat,
		      const struct ckpt_catalog_options *options)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	int r = ckpt_catalog_scan(&ctx, cat, s->path, 0, options, &err);

	if (r)
		print_message("%s\n", err.text);
	assert_int_equal(r, 0);
}

/* What of @dir lies below the scratch directory: "" or "sub/". */
static const char *below(const struct scratch *s, const char *dir, char *buf, size_t size)
{
	size_t len = strlen(s->path);

	assert_memory_equal(dir, s->path, len);
	snprintf(buf, size, "%s%s", dir + len + (dir[len] == '/'), dir[len] ? "/" : "");
	return buf;
}

/* The catalog in words: "name name[member,member] ...", '|' between runs. */
static void describe(const struct scratch *s, const struct ckpt_catalog *cat, struct ckpt_str *out)
{
	char dir[600];

	for (size_t i = 0; i < cat->n_sets; i++) {
		const struct ckpt_set *set = &cat->sets[i];

		assert_in_range(set->run, 0, cat->n_runs - 1);
		assert_ptr_equal(set->dir, cat->runs[set->run].dir);
		ckpt_str_add(out, "%s%s%s",
			     !i					? ""
			     : cat->sets[i - 1].run == set->run ? " "
								: " | ",
			     below(s, set->dir, dir, sizeof(dir)), set->name);
		for (int m = 0; set->members[m] && strcmp(set->members[m], set->name) != 0; m++)
			ckpt_str_add(out, "%s%s%s", m ? "," : "[", set->members[m],
				     set->members[m + 1] ? "" : "]");
	}
}

/* Scans and compares with @expected. */
static void expect_with(const struct scratch *s, const struct ckpt_catalog_options *options,
			const char *expected)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_str_ struct ckpt_str got = { 0 };

	scan_with(s, &cat, options);
	describe(s, &cat, &got);
	assert_string_equal(got.s ? got.s : "", expected);
}

static void expect(const struct scratch *s, const char *expected)
{
	expect_with(s, NULL, expected);
}

static void test_catalog__numbers_order_as_numbers(void **state)
{
	make_all(*state, "model_999.pt model_1000.pt model_50.pt model_best.pt model_last.pt "
			 "model_99999999999999999999.pt train.pt config.json");
	expect(*state, "model_1000.pt model_999.pt model_50.pt model_99999999999999999999.pt "
		       "model_best.pt model_last.pt");
}

static void test_catalog__kinds(void **state)
{
	/* the same name as file and as directory is not the same thing */
	make_all(*state, "checkpoint-500/trainer_state.json checkpoint-1000/model.safetensors "
			 "checkpoint-1500 checkpoint_7 x-step-150-state/optimizer.bin model_5.pt/");
	expect(*state, "checkpoint-1000 checkpoint-500 checkpoint_7 x-step-150-state");
}

/* A number alone is a step directory only if Orbax's metadata lie in it; else a folder like any. */
static void test_catalog__bare_numbers(void **state)
{
	make_all(*state, "1000/_CHECKPOINT_METADATA 900/_CHECKPOINT_METADATA "
			 "3000/notes.txt 4000 1100.orbax-checkpoint-tmp-3/_CHECKPOINT_METADATA");
	expect(*state, "1000 900");
}

/* What only a layout's own writer leaves makes a directory one of it, whatever it is called. */
static void test_catalog__marked_directories(void **state)
{
	static const struct ckpt_catalog_options known = { .known_layouts_only = true };

	make_all(*state, "ep0-ba10/__0_0.distcp ep1-ba2/__0_0.distcp run_7/__0_0.distcp "
			 "step900.tmp/__0_0.distcp pretrained-dcp/__0_0.distcp ep0-ba20/notes.txt "
			 "tag/mp_rank_00_model_states.pt last_try/__0_0.distcp "
			 "release/mp_rank_00/model_optim_rng.pt "
			 "mine-epoch3/random_states_0.pkl notes/__1_0.txt");
	expect(*state, "ep1-ba2 ep0-ba10 last_try mine-epoch3 release");
	expect_with(*state, &known, "ep1-ba2 ep0-ba10 mine-epoch3 release");
}

/* Orbax before its steps had metadata of their own: by a tree under one of the usual names. */
static void test_catalog__orbax_before_metadata(void **state)
{
	make_all(*state, "900/default/_METADATA 1000/state/_METADATA ckpt_11/items/_METADATA "
			 "12/params/_METADATA 13/default/notes 14/other/_METADATA 15/_METADATA.txt "
			 "1100.orbax-checkpoint-tmp-3/default/_METADATA");
	expect(*state, "1000 900 12 ckpt_11");
}

/* The state may lie in a folder of the directory that has the number (NeMo 2, OLMo-core). */
static void test_catalog__marked_around(void **state)
{
	make_all(*state,
		 "m--loss=2.10-step=9/weights/metadata.json m--loss=2.00-step=10/weights/x "
		 "m--loss=2.00-step=10/weights/common.pt m--loss=2.00-step=10/context/model "
		 "step9/model_and_optim/__0_0.distcp step10/model_and_optim/.metadata "
		 "step11/weights/x step12/train/rank0.pt mine/weights/metadata.json");
	expect(*state, "m--loss=2.00-step=10 m--loss=2.10-step=9 step10 step9");
}

/* A run's folder stays one when a state was saved there, too. */
static void test_catalog__marked_run(void **state)
{
	make_all(*state, "a/random_states_0.pkl a/step_100/random_states_0.pkl a/step_200/x "
			 "b_last/random_states_0.pkl b_last/step_100.txt");
	expect(*state, "b_last | a/step_200 a/step_100");
}

/* What is saved in a directory each for model and optimizer is none by any one of them. */
static void test_catalog__marked_parts(void **state)
{
	make_all(*state,
		 "a/step1000/model/__0_0.distcp a/step1000/optim/__0_0.distcp "
		 "b/params/_CHECKPOINT_METADATA b/opt_state/_CHECKPOINT_METADATA "
		 "dataloader/__0_0.distcp replay_buffer/__0_0.distcp c/final_model/__0_0.distcp "
		 "optimism-step5/__0_0.distcp");
	expect(*state, "optimism-step5 | c/final_model");
}

static void test_catalog__bundles(void **state)
{
	make_all(*state, "checkpoint ckpt-9.index ckpt-9.data-00000-of-00001 ckpt-10.index "
			 "ckpt-10.data-00001-of-00002 ckpt-10.data-00000-of-00002 "
			 "model.ckpt-5.index model.ckpt-5.data-00000-of-00001 model.ckpt-5.meta "
			 "ckpt-11.data-00000-of-00001 ckpt-12.index faiss.index notes.meta "
			 "plain.index plain.data-00000-of-00001 "
			 "variables/variables.index variables/variables.data-00000-of-00001");
	expect(*state,
	       "ckpt-12[ckpt-12.index] ckpt-11[ckpt-11.data-00000-of-00001] "
	       "ckpt-10[ckpt-10.index,ckpt-10.data-00000-of-00002,ckpt-10.data-00001-of-00002] "
	       "ckpt-9[ckpt-9.index,ckpt-9.data-00000-of-00001] "
	       "model.ckpt-5[model.ckpt-5.index,model.ckpt-5.data-00000-of-00001,model.ckpt-5.meta]"
	       " "
	       "plain[plain.index,plain.data-00000-of-00001]");
}

static void test_catalog__shards(void **state)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *set;

	make_all(*state, "model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
			 "model.safetensors.index.json lost-00001-of-00002.safetensors "
			 "pytorch_model-00001-of-00001.bin tokenizer.json");
	scan_with(*state, &cat, NULL);
	assert_int_equal(cat.n_sets, 3);
	set = ckpt_catalog_find(&cat, NULL, "model.safetensors.index.json");
	assert_non_null(set);
	assert_int_equal(set->kind, CKPT_KIND_FILE);
	assert_string_equal(set->members[0], "model.safetensors.index.json");
	assert_string_equal(set->members[2], "model-00002-of-00002.safetensors");
	assert_null(set->members[3]);
	/* without its index the set bears the name of the missing index */
	set = ckpt_catalog_find(&cat, NULL, "lost.safetensors.index.json");
	assert_non_null(set);
	assert_string_equal(set->members[0], "lost-00001-of-00002.safetensors");
	assert_null(set->members[1]);
	assert_null(ckpt_catalog_find(&cat, NULL, "model-00001-of-00002.safetensors"));
	assert_null(ckpt_catalog_find(&cat, "/elsewhere", "model.safetensors.index.json"));
}

static void test_catalog__ranks(void **state)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

	make_all(*state,
		 "ep1-ba20-rank0.pt ep1-ba20-rank10.pt ep1-ba20-rank9.pt ep1-ba100-rank0.pt "
		 "latest-rank0.pt latest-rank1.pt");
	scan_with(*state, &cat, NULL);
	assert_int_equal(cat.n_sets, 3);
	assert_string_equal(cat.sets[0].name, "ep1-ba100-rank0.pt");
	assert_non_null(cat.sets[0].crew);
	assert_string_equal(cat.sets[1].name, "ep1-ba20-rank0.pt");
	assert_string_equal(cat.sets[1].members[1], "ep1-ba20-rank9.pt");
	assert_string_equal(cat.sets[1].members[2], "ep1-ba20-rank10.pt");
	assert_null(cat.sets[1].members[3]);
	assert_true(cat.sets[1].named.has_step && cat.sets[1].named.step == 20);
	assert_string_equal(cat.sets[2].name, "latest-rank0.pt");
}

/* A base file and what has a number in its place; numbers alone prove nothing. */
static void test_catalog__parts(void **state)
{
	static const struct ckpt_catalog_options known = { .known_layouts_only = true };

	make_all(*state, "lj.base.restart.100 lj.0.restart.100 lj.1.restart.100 lj.10.restart.100 "
			 "lj.01.restart.100 lj.x.restart.100 lj.0.restart.50 lj.1.restart.50/ "
			 "restart.base.7 restart.0.7 restart.0.8 restart.100.base restart.100.0 "
			 "lone.base.restart.5 poly.base.1 poly.0.1 bert.base.2 .restart.base.9 "
			 ".restart.0.9 end.base.rst end.0.rst end.0.rst.metadata.json");
	expect(*state, "end.%.rst[end.base.rst,end.0.rst] "
		       "lj.%.restart.100[lj.base.restart.100,lj.0.restart.100,lj.1.restart.100,"
		       "lj.10.restart.100] "
		       "lj.0.restart.50 lj.01.restart.100 "
		       "lj.x.restart.100 lone.base.restart.5 poly.%.1[poly.base.1,poly.0.1] "
		       "restart.100.%[restart.100.base,restart.100.0] "
		       "restart.%.7[restart.base.7,restart.0.7]");
	expect_with(*state, &known,
		    "end.%.rst[end.base.rst,end.0.rst] "
		    "lj.%.restart.100[lj.base.restart.100,lj.0.restart.100,lj.1.restart.100,"
		    "lj.10.restart.100] "
		    "lj.0.restart.50 lj.01.restart.100 "
		    "lj.x.restart.100 lone.base.restart.5 "
		    "restart.100.%[restart.100.base,restart.100.0] "
		    "restart.%.7[restart.base.7,restart.0.7]");
}

static void test_catalog__runs(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

	make_all(s, "run/training/a/checkpoint_100.pth run/training/a/best_model_90.pth "
		    "run/training/b/checkpoint_50.pth run/training/b/config.json "
		    "run/training/empty/config.json "
		    "lightning_logs/version_0/checkpoints/epoch=1-step=20.ckpt "
		    "lightning_logs/version_0/checkpoints/deeper/still/model_1.pt "
		    ".ckpt-resume/corrupted/checkpoint-5/x .hidden/model_1.pt "
		    "wandb/model_1.pt pretrained/model_1.pt");
	set_age(s, "run/training/a/checkpoint_100.pth", 100);
	set_age(s, "run/training/a/best_model_90.pth", 90);
	set_age(s, "run/training/b/checkpoint_50.pth", 200);
	set_age(s, "lightning_logs/version_0/checkpoints/epoch=1-step=20.ckpt", 50);
	expect(s, "run/training/b/checkpoint_50.pth | run/training/a/best_model_90.pth "
		  "run/training/a/checkpoint_100.pth | "
		  "lightning_logs/version_0/checkpoints/epoch=1-step=20.ckpt");
	/* the requested directory is a run like the others */
	make(s, "model_5.pt");
	set_age(s, "model_5.pt", 150);
	scan_with(s, &cat, NULL);
	assert_int_equal(cat.n_runs, 4);
	assert_string_equal(cat.runs[1].dir, s->path);
	assert_true(cat.runs[0].mtime_ns == INT64_C(1700000200) * 1000000000);
}

static void test_catalog__runs_of_equal_age_by_name(void **state)
{
	make_all(*state, "c/model_1.pt a/model_1.pt b/model_1.pt");
	set_age(*state, "a/model_1.pt", 7);
	set_age(*state, "b/model_1.pt", 7);
	set_age(*state, "c/model_1.pt", 7);
	expect(*state, "a/model_1.pt | b/model_1.pt | c/model_1.pt");
}

/* The newest member need not be the highest number: an import keeps its old date. */
static void test_catalog__age_of_a_run_by_several_members(void **state)
{
	make_all(*state, "a/model_3.pt a/model_2.pt a/model_1.pt b/model_9.pt b/best.pt");
	set_age(*state, "a/model_3.pt", 1);
	set_age(*state, "a/model_2.pt", 500);
	set_age(*state, "a/model_1.pt", 2);
	set_age(*state, "b/model_9.pt", 100);
	set_age(*state, "b/best.pt", 400);
	expect(*state, "a/model_3.pt a/model_2.pt a/model_1.pt | b/best.pt b/model_9.pt");
}

static void test_catalog__links(void **state)
{
	const struct scratch *s = *state;

	make_all(s, "real/model_1.pt checkpoint-5/a");
	assert_int_equal(symlinkat("..", s->fd, "real/up"), 0);
	assert_int_equal(symlinkat("real", s->fd, "again"), 0);
	assert_int_equal(symlinkat("real/model_1.pt", s->fd, "last.ckpt"), 0);
	assert_int_equal(symlinkat("gone.pt", s->fd, "model_best.pt"), 0);
	assert_int_equal(symlinkat("checkpoint-5", s->fd, "checkpoint-last"), 0);
	assert_int_equal(symlinkat("loop", s->fd, "loop"), 0);
	set_age(s, "checkpoint-5", 200000000);
	{
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

		scan_with(s, &cat, NULL);
		/* real or again, whichever came first, and never both */
		assert_int_equal(cat.n_runs, 2);
		assert_int_equal(cat.n_sets, 5);
		assert_non_null(ckpt_catalog_find(&cat, s->path, "last.ckpt"));
		assert_non_null(ckpt_catalog_find(&cat, s->path, "model_best.pt"));
		assert_int_equal(ckpt_catalog_find(&cat, s->path, "checkpoint-last")->kind,
				 CKPT_KIND_DIRECTORY);
	}
}

static const char *why_skipped(const struct ckpt_catalog *cat, const char *name)
{
	for (size_t i = 0; i < ckpt_catalog_skipped(cat); i++) {
		if (!strcmp(cat->skipped[i].name, name))
			return cat->skipped[i].why;
	}
	return NULL;
}

static void test_catalog__skipped_and_said(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

	make_all(s, "model_5.pt.tmp tmp-checkpoint-9/x model_4.pt.corrupted notes.tmp model_3.pt");
	assert_int_equal(mkfifoat(s->fd, "model_6.pt", 0644), 0);
	make(s, "model_7\n.pt");
	make(s, "epoch_8-\x1b[31m.pt");
	make(s, "epoch_9-\xff\xfe.pt");
	make(s, "a\nb/model_1.pt");
	scan_with(s, &cat, NULL);
	assert_int_equal(cat.n_sets, 2);
	assert_non_null(ckpt_catalog_find(&cat, NULL, "model_3.pt"));
	assert_non_null(ckpt_catalog_find(&cat, NULL, "epoch_9-\xff\xfe.pt"));
	assert_string_equal(why_skipped(&cat, "model_4.pt.corrupted"), "quarantined");
	assert_non_null(strstr(why_skipped(&cat, "model_5.pt.tmp"), "not finished"));
	assert_non_null(why_skipped(&cat, "tmp-checkpoint-9"));
	assert_non_null(strstr(why_skipped(&cat, "model_6.pt"), "neither"));
	assert_non_null(strstr(why_skipped(&cat, "epoch_8-\x1b[31m.pt"), "control"));
	assert_null(why_skipped(&cat, "notes.tmp"));
	assert_non_null(strstr(why_skipped(&cat, "model_7\n.pt"), "control"));
	assert_int_equal(cat.n_skipped, 7); /* and the folder */
}

static void test_catalog__many_skipped(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	char name[64];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "model_%d.pt.tmp", i);
		make(s, name);
	}
	scan_with(s, &cat, NULL);
	assert_int_equal(cat.n_skipped, 300);
	assert_int_equal(ckpt_catalog_skipped(&cat), 256);
	assert_non_null(cat.skipped[255].name);
}

static void test_catalog__superseded(void **state)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *old;

	make_all(*state, "state.cpt state_prev.cpt model_last.pt model_last.pt.bak old.txt.bak");
	scan_with(*state, &cat, NULL);
	assert_int_equal(cat.n_sets, 4);
	old = ckpt_catalog_find(&cat, NULL, "state_prev.cpt");
	assert_non_null(old);
	assert_int_equal(old->role, CKPT_ROLE_SUPERSEDED);
	assert_int_equal(ckpt_catalog_find(&cat, NULL, "model_last.pt.bak")->role,
			 CKPT_ROLE_SUPERSEDED);
}

static void test_catalog__glob(void **state)
{
	static const struct ckpt_catalog_options options = { .glob = "foo_*.dat:*.sav::model_*" };

	make_all(*state, "foo_9.dat foo_10.dat x.sav/a y.txt model_5.pt model_6.pt.tmp .sav "
			 "sub/foo_1.dat");
	set_age(*state, "sub/foo_1.dat", 1);
	expect(*state, "model_5.pt");
	expect_with(*state, &options, "foo_10.dat foo_9.dat model_5.pt x.sav | sub/foo_1.dat");
	{
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

		scan_with(*state, &cat, &options);
		assert_int_equal(ckpt_catalog_find(&cat, NULL, "foo_9.dat")->role, CKPT_ROLE_NAMED);
		assert_int_equal(ckpt_catalog_find(&cat, NULL, "model_5.pt")->role,
				 CKPT_ROLE_NUMBERED);
	}
}

/* A work directory searched by default: nothing that a data set could be called. */
static void test_catalog__known_layouts_only(void **state)
{
	static const struct ckpt_catalog_options options = { .known_layouts_only = true };

	make_all(*state, "checkpoint-5/x last.pt model_3.pt epoch_3-x.pt model.safetensors "
			 "epoch=1-step=2.ckpt data/checkpoint-7/x "
			 "lightning_logs/version_1/checkpoints/epoch=1-step=2.ckpt "
			 "gpt-June-01-2024_10+30AM-abc1234/checkpoint_9.pth");
	set_age(*state, "checkpoint-5", 30);
	set_age(*state, "epoch=1-step=2.ckpt", 30);
	set_age(*state, "lightning_logs/version_1/checkpoints/epoch=1-step=2.ckpt", 20);
	set_age(*state, "gpt-June-01-2024_10+30AM-abc1234/checkpoint_9.pth", 10);
	expect_with(*state, &options,
		    "checkpoint-5 epoch=1-step=2.ckpt | "
		    "lightning_logs/version_1/checkpoints/epoch=1-step=2.ckpt | "
		    "gpt-June-01-2024_10+30AM-abc1234/checkpoint_9.pth");
}

/* Final weights count where the user pointed at, not in every folder below. */
static void test_catalog__weights_of_subfolders(void **state)
{
	make_all(*state, "model.safetensors tokenizer_model/model.safetensors embed/model.pt");
	expect(*state, "model.safetensors");
}

static void test_catalog__folders_are_bounded(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	char name[64];

	for (int i = 0; i < 1030; i++) {
		snprintf(name, sizeof(name), "r%04d/model_1.pt", i);
		make(s, name);
		snprintf(name, sizeof(name), "r%04d", i);
		set_age(s, name, i);
	}
	scan_with(s, &cat, NULL);
	assert_int_equal(cat.n_runs, 1023); /* and the requested directory */
	assert_int_equal(cat.n_skipped, 1);
	for (size_t i = 0; i < cat.n_runs; i++)
		assert_null(strstr(cat.runs[i].dir, "/r0006"));
}

static void test_catalog__failures(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	char path[128];

	make(s, "file");
	snprintf(path, sizeof(path), "%s/missing", s->path);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, path, 0, NULL, &err), -ENOENT);
	assert_true(err.text[0]);
	snprintf(path, sizeof(path), "%s/file", s->path);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, path, 0, NULL, &err), -ENOTDIR);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, "relative", 0, NULL, &err), -EINVAL);
	ctx.deadline_ns = 1;
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, s->path, 0, NULL, &err), -ETIMEDOUT);
	assert_int_equal(cat.n_sets, 0);
}

static void test_catalog__closed_folder(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };

	if (!geteuid()) {
		print_message("skipped: root may enter every folder\n");
		skip();
	}
	make_all(s, "model_1.pt closed/model_2.pt");
	assert_int_equal(fchmodat(s->fd, "closed", 0, 0), 0);
	scan_with(s, &cat, NULL);
	assert_int_equal(fchmodat(s->fd, "closed", 0755, 0), 0);
	assert_int_equal(cat.n_sets, 1);
	assert_int_equal(cat.n_skipped, 1);
	assert_int_equal(cat.skipped[0].code, CKPT_PROBLEM_IO);
}

static void test_catalog__several_requests(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	char a[128], b[128];

	make_all(s, "a/model_1.pt b/model_2.pt");
	set_age(s, "a/model_1.pt", 1);
	set_age(s, "b/model_2.pt", 2);
	snprintf(a, sizeof(a), "%s/a/", s->path);
	snprintf(b, sizeof(b), "%s/b", s->path);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, a, 0, NULL, NULL), 0);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, b, 1, NULL, NULL), 0);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, a, 2, NULL, NULL), 0);
	assert_int_equal(cat.n_runs, 2);
	assert_int_equal(cat.n_sets, 2);
	assert_string_equal(cat.runs[0].dir, b);
	assert_int_equal(cat.runs[0].request, 1);
	assert_string_equal(cat.sets[0].name, "model_2.pt");
	assert_int_equal(cat.sets[1].run, 1);
	assert_non_null(ckpt_catalog_find(&cat, cat.runs[1].dir, "model_1.pt"));
}

static struct ckpt_set *pin(const struct scratch *s, struct ckpt_catalog *cat, const char *name,
			    int expected)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_set *set = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	print_message("%s\n", name);
	assert_int_equal(ckpt_catalog_add_path(&ctx, cat, path, &set, &err), expected);
	assert_true((set != NULL) == !expected);
	assert_true(!expected || err.text[0]);
	return set;
}

static void test_catalog__pins(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *set;

	make_all(s, "any.thing folder/x ckpt-3.index ckpt-3.data-00000-of-00001 faiss.index "
		    "model-00001-of-00001.safetensors model.safetensors.index.json model_5.pt.tmp "
		    "ep1-ba1-rank0.pt ep1-ba1-rank1.pt ckpt-4.data-00000-of-00001");
	set = pin(s, &cat, "any.thing", 0);
	assert_int_equal(set->role, CKPT_ROLE_NAMED);
	assert_int_equal(set->run, -1);
	assert_string_equal(set->dir, s->path);
	assert_ptr_equal(pin(s, &cat, "any.thing", 0), set);
	assert_int_equal(pin(s, &cat, "folder///", 0)->kind, CKPT_KIND_DIRECTORY);
	set = pin(s, &cat, "ckpt-3", 0);
	assert_int_equal(set->kind, CKPT_KIND_PREFIX);
	assert_string_equal(set->members[1], "ckpt-3.data-00000-of-00001");
	assert_null(set->members[2]);
	assert_ptr_equal(pin(s, &cat, "ckpt-3.index", 0), set);
	assert_ptr_equal(pin(s, &cat, "ckpt-3.data-00000-of-00001", 0), set);
	assert_int_equal(pin(s, &cat, "ckpt-4", 0)->kind, CKPT_KIND_PREFIX);
	assert_int_equal(pin(s, &cat, "faiss.index", 0)->kind, CKPT_KIND_FILE);
	set = pin(s, &cat, "model-00001-of-00001.safetensors", 0);
	assert_string_equal(set->name, "model.safetensors.index.json");
	assert_ptr_equal(pin(s, &cat, "model.safetensors.index.json", 0), set);
	set = pin(s, &cat, "ep1-ba1-rank1.pt", 0);
	assert_string_equal(set->name, "ep1-ba1-rank0.pt");
	assert_ptr_equal(pin(s, &cat, "ep1-ba1-rank0.pt", 0), set);
	assert_string_equal(pin(s, &cat, "model_5.pt.tmp", 0)->name, "model_5.pt.tmp");
	pin(s, &cat, "ckpt-5", -ENOENT);
	pin(s, &cat, "missing/ckpt-5", -ENOENT);
	pin(s, &cat, "any.thing/x", -ENOTDIR);
	pin(s, &cat, "an\ny", -EINVAL);
}

/* A SavedModel's bundle is no candidate, but what its user names is judged as what it is. */
static void test_catalog__pins_of_bundles(void **state)
{
	static const char *const names[] = { "sm/variables/variables",
					     "sm/variables/variables.index",
					     "sm/variables/variables.data-00000-of-00001" };
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *set, *first = NULL;

	make_all(s, "sm/variables/variables.index sm/variables/variables.data-00000-of-00001 "
		    "sm/saved_model.pb alone/variables.index any.index any.data-00000-of-00001 "
		    "faiss.index notes.meta any.indexed");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		set = pin(s, &cat, names[i], 0);
		first = first ? first : set;
		assert_ptr_equal(set, first);
		assert_int_equal(set->kind, CKPT_KIND_PREFIX);
		assert_string_equal(set->name, "variables");
		assert_string_equal(set->members[0], "variables.index");
		assert_string_equal(set->members[1], "variables.data-00000-of-00001");
		assert_null(set->members[2]);
	}
	set = pin(s, &cat, "alone/variables.index", 0);
	assert_int_equal(set->kind, CKPT_KIND_PREFIX);
	assert_null(set->members[1]);
	set = pin(s, &cat, "any.index", 0);
	assert_string_equal(set->name, "any");
	assert_ptr_equal(pin(s, &cat, "any", 0), set);
	assert_int_equal(pin(s, &cat, "faiss.index", 0)->kind, CKPT_KIND_FILE);
	assert_int_equal(pin(s, &cat, "notes.meta", 0)->kind, CKPT_KIND_FILE);
	assert_int_equal(pin(s, &cat, "any.indexed", 0)->kind, CKPT_KIND_FILE);
	pin(s, &cat, "alone/variable", -ENOENT);
	pin(s, &cat, "sm/variables/variables.inde", -ENOENT);
}

static void test_catalog__pins_of_parts(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_identity id, base;
	struct ckpt_set *set;

	make_all(s, "any.base any.0 any.1 restart.base.4 restart.0.4 lost.base.restart.4 50%.pt");
	set = pin(s, &cat, "any.%", 0);
	assert_int_equal(set->kind, CKPT_KIND_PREFIX);
	assert_string_equal(set->name, "any.%");
	assert_string_equal(set->members[0], "any.base");
	assert_string_equal(set->members[2], "any.1");
	assert_null(set->members[3]);
	assert_ptr_equal(pin(s, &cat, "any.%", 0), set);
	assert_int_equal(ckpt_set_identity(set, &id), 0);
	assert_int_equal(ckpt_identity_at(s->fd, "any.base", true, &base), 0);
	assert_true(ckpt_identity_same(&id, &base));
	set = pin(s, &cat, "restart.base.4", 0);
	assert_string_equal(set->name, "restart.%.4");
	assert_ptr_equal(pin(s, &cat, "restart.%.4", 0), set);
	assert_int_equal(set->named.step, 4);
	set = pin(s, &cat, "lost.%.restart.4", 0);
	assert_string_equal(set->members[0], "lost.base.restart.4");
	assert_null(set->members[1]);
	assert_int_equal(pin(s, &cat, "lost.base.restart.4", 0)->kind, CKPT_KIND_FILE);
	assert_int_equal(pin(s, &cat, "50%.pt", 0)->kind, CKPT_KIND_FILE);
	pin(s, &cat, "none.%", -ENOENT);
}

static void test_catalog__pins_find_what_a_scan_found(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *first;
	char name[64];

	make_all(s, "model_5.pt sub/model_6.pt");
	scan_with(s, &cat, NULL);
	first = cat.sets;
	assert_ptr_equal(pin(s, &cat, "model_5.pt", 0),
			 ckpt_catalog_find(&cat, s->path, "model_5.pt"));
	assert_int_equal(cat.n_sets, 2);
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		make(s, name);
		assert_int_not_equal(pin(s, &cat, name, 0)->run, -1);
	}
	assert_ptr_equal(cat.sets, first);
}

static void test_catalog__identity_and_size(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_identity id;
	struct stat st;
	uint64_t size;

	make_all(s, "ckpt-3.data-00000-of-00001 checkpoint-5/sub/deep/ "
		    "lost-00001-of-00002.safetensors");
	scratch_put(s->fd, "ckpt-3.index", "12345");
	scratch_put(s->fd, "ckpt-3.data-00000-of-00001", "1234567");
	scratch_put(s->fd, "checkpoint-5/a", "123");
	scratch_put(s->fd, "checkpoint-5/sub/b", "1234");
	scratch_put(s->fd, "checkpoint-5/sub/deep/c", "12345");
	assert_int_equal(symlinkat("..", s->fd, "checkpoint-5/sub/up"), 0);
	scan_with(s, &cat, NULL);
	assert_int_equal(ckpt_set_size(ckpt_catalog_find(&cat, NULL, "ckpt-3"), &size), 0);
	assert_int_equal(size, 12);
	assert_int_equal(ckpt_set_size(ckpt_catalog_find(&cat, NULL, "checkpoint-5"), &size), 0);
	assert_int_equal(size, 12);
	assert_int_equal(ckpt_set_identity(ckpt_catalog_find(&cat, NULL, "ckpt-3"), &id), 0);
	assert_int_equal(fstatat(s->fd, "ckpt-3.index", &st, 0), 0);
	assert_true(id.ino == st.st_ino && id.size == 5);
	assert_int_equal(ckpt_set_identity(ckpt_catalog_find(&cat, NULL, "checkpoint-5"), &id), 0);
	assert_int_equal(ckpt_set_identity(
				 ckpt_catalog_find(&cat, NULL, "lost.safetensors.index.json"), &id),
			 -ENOENT);
}

static void test_catalog__verify(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	const struct torch_synthetic rank = { .epoch = 1, .step = 1 };
	const struct ckpt_report *report;
	struct ckpt_set *set;
	struct stat st;

	scratch_put(s->fd, "lj.restart.7", "no known format, but not empty");
	make_all(s, "model_1.pt lost-00001-of-00002.safetensors");
	torch_synthetic_write(s->fd, "ep1-ba1-rank0.pt", &rank);
	torch_synthetic_write(s->fd, "ep1-ba1-rank1.pt", &rank);
	torch_synthetic_write(s->fd, "ep1-ba2-rank0.pt", &rank);
	torch_synthetic_write(s->fd, "ep1-ba2-rank2.pt", &rank);
	torch_synthetic_write(s->fd, "ep1-ba3-rank0.pt", &rank);
	make(s, "ep1-ba3-rank1.pt");
	scan_with(s, &cat, NULL);
	set = ckpt_catalog_find(&cat, NULL, "lj.restart.7");
	report = ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	assert_int_equal(report->verdict.status, CKPT_VALID);
	assert_ptr_equal(report, set->report);
	scratch_put(s->fd, "lj.restart.7", ""); /* not read again */
	assert_int_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE)->verdict.status,
			 CKPT_VALID);
	set = ckpt_catalog_find(&cat, NULL, "model_1.pt");
	assert_int_not_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_STRUCTURE)->verdict.status,
			     CKPT_VALID);
	scratch_put(s->fd, "model_1.pt", "filled meanwhile"); /* a deeper level is */
	report = ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	assert_int_equal(report->verdict.problem.code, CKPT_PROBLEM_HEADER);
	set = ckpt_catalog_find(&cat, NULL, "lost.safetensors.index.json");
	report = ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	assert_true(report->verdict.status == CKPT_MISSING ||
		    report->verdict.status == CKPT_INCOMPLETE);
	report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, "ep1-ba1-rank0.pt"),
				 CKPT_LEVEL_FULL);
	assert_int_equal(report->verdict.status, CKPT_VALID);
	assert_int_equal(fstatat(s->fd, "ep1-ba1-rank0.pt", &st, 0), 0);
	assert_int_equal(report->verdict.size_bytes, 2 * st.st_size);
	report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, "ep1-ba2-rank0.pt"),
				 CKPT_LEVEL_FULL);
	assert_int_equal(report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(report->verdict.problem.code, CKPT_PROBLEM_SHARD_MISSING);
	report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, "ep1-ba3-rank0.pt"),
				 CKPT_LEVEL_FULL);
	assert_int_not_equal(report->verdict.status, CKPT_VALID);
	assert_string_equal(report->verdict.problem.file, "ep1-ba3-rank1.pt");
}

/* What was not looked at behind the first that is wrong is of its size, too. */
static void test_catalog__size_of_a_rejected_one(void **state)
{
	static const char torn[] = "{\"global_step\": 500,";
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	const struct ckpt_report *report;

	scratch_put(s->fd, "checkpoint-500/trainer_state.json", torn);
	scratch_put(s->fd, "checkpoint-500/model.safetensors", "data of a model");
	scratch_put(s->fd, "checkpoint-500/global_step500/rank.pt", "a rank");
	scan_with(s, &cat, NULL);
	report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, "checkpoint-500"),
				 CKPT_LEVEL_STRUCTURE);
	assert_int_equal(report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(report->verdict.size_bytes, strlen(torn) + 15 + 6);
}

/* An archive with a good end counts, whatever it holds; not one whose checkpoint has lost its head.
 */
static void test_catalog__archives(void **state)
{
	static const struct {
		const char *name, *command;
		bool valid;
	} rows[] = {
		{ "ckpt-1.tar", "tar -S --format=gnu -cf ckpt-1.tar hole.pt", true },
		{ "ckpt-2.tar", "tar -S --format=posix -cf ckpt-2.tar hole.pt", true },
		{ "ckpt-3.tar", "tar -cf ckpt-3.tar train.py", true },
		{ "ckpt-4.tar", "tar -cf ckpt-4.tar train.py headless.pt", false },
		{ "ckpt-5.tar", "printf 'no archive at all' > ckpt-5.tar", false },
		{ "ckpt-6.tar", "tar -c train.py | gzip > ckpt-6.tar", true },
	};
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_report *report;
	struct ckpt_ctx ctx = { 0 };
	char line[PATH_MAX + 256];

	scratch_put(s->fd, "train.py", "import torch");
	scratch_put(s->fd, "headless.pt", "no zip");
	scratch_put(s->fd, "hole.pt", "PK");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), "cd %s && truncate -s 1M hole.pt && %s", s->path,
			 rows[i].command);
		assert_int_equal(system(line), 0);
	}
	scan_with(s, &cat, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, rows[i].name),
					 CKPT_LEVEL_FULL);
		if (report->verdict.status != (rows[i].valid ? CKPT_VALID : CKPT_INCOMPLETE))
			fail_msg("%s: %s", rows[i].name, report->verdict.problem.detail);
	}
}

#define BUNDLE CKPT_SAMPLES "/tensorflow/rust/regression-model/variables/variables"

/* A real bundle and real torch files through scan, verification and order. */
static void test_catalog__real_files(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *list[4], *set;
	struct ckpt_ctx ctx = { 0 };

	(void)state;
	bench_init(&bench);
	if (!bench_copy(&bench, BUNDLE ".index", "ckpt-7.index") ||
	    !bench_python(&bench, "import torch\n"
				  "for n in (9, 10, 11):\n"
				  "  torch.save({'model': {'w': torch.ones(50)}, 'step': n * 10,\n"
				  "    'optimizer': {'m': torch.ones(9)}}, 'ckpt-%d.pt' % n)\n")) {
		print_message("skipped: no samples or no torch\n");
		skip();
	}
	assert_true(
		bench_copy(&bench, BUNDLE ".data-00000-of-00001", "ckpt-7.data-00000-of-00001"));
	assert_true(bench_copy(&bench, BUNDLE ".index", "ckpt-8.index"));
	bench_resize(&bench, "ckpt-11.pt", 700);
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, bench.path, 0, NULL, NULL), 0);
	assert_int_equal(cat.n_sets, 5);
	set = ckpt_catalog_find(&cat, NULL, "ckpt-8");
	assert_int_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL)->verdict.status,
			 CKPT_INCOMPLETE);
	set = ckpt_catalog_find(&cat, NULL, "ckpt-7");
	assert_int_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL)->verdict.status, CKPT_VALID);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "ckpt-9.pt", "ckpt-10.pt", "ckpt-11.pt" };
		const struct ckpt_report *report;

		list[i] = ckpt_catalog_find(&cat, NULL, names[i]);
		report = ckpt_set_verify(&ctx, list[i], CKPT_LEVEL_FULL);
		assert_true((report->verdict.status == CKPT_VALID) == (i < 2));
	}
	assert_int_equal(ckpt_order_sort(list, 2), 0);
	assert_string_equal(list[0]->name, "ckpt-10.pt");
	assert_int_equal(ckpt_order_position(list[0]).step, 100);
}

static void test_catalog__hundred_thousand(void **state)
{
	const struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct rusage before, after;
	clock_t begin;
	char name[64];
	double ms;

	for (int i = 0; i < 100000; i++) {
		if (i % 4)
			snprintf(name, sizeof(name), "model_%d.pt", i);
		else
			snprintf(name, sizeof(name), "sample_%d.png", i);
		assert_int_equal(mknodat(s->fd, name, S_IFREG | 0644, 0), 0);
	}
	getrusage(RUSAGE_SELF, &before);
	begin = clock();
	scan_with(s, &cat, NULL);
	ms = (double)(clock() - begin) * 1000 / CLOCKS_PER_SEC;
	getrusage(RUSAGE_SELF, &after);
	print_message("100,000 entries: %.0f ms, %ld KiB\n", ms,
		      after.ru_maxrss - before.ru_maxrss);
	assert_int_equal(cat.n_entries, 100000);
	assert_int_equal(cat.n_sets, 75000);
	assert_string_equal(cat.sets[0].name, "model_99999.pt");
	assert_string_equal(cat.sets[1].name, "model_99998.pt");
	assert_string_equal(cat.sets[74999].name, "model_1.pt");
#ifdef __OPTIMIZE__
	assert_true(ms < 1500);
#endif
	assert_true(after.ru_maxrss - before.ru_maxrss < 256 * 1024);
}

static void test_catalog__roles(void **state)
{
	(void)state;
	assert_string_equal(ckpt_role_name(CKPT_ROLE_NUMBERED), "numbered");
	assert_string_equal(ckpt_role_name(CKPT_ROLE_PRETRAINED), "pretrained");
	assert_string_equal(ckpt_role_name((enum ckpt_role)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_catalog__numbers_order_as_numbers),
		scratch_test(test_catalog__kinds),
		scratch_test(test_catalog__bare_numbers),
		scratch_test(test_catalog__marked_directories),
		scratch_test(test_catalog__orbax_before_metadata),
		scratch_test(test_catalog__marked_around),
		scratch_test(test_catalog__marked_run),
		scratch_test(test_catalog__marked_parts),
		scratch_test(test_catalog__bundles),
		scratch_test(test_catalog__shards),
		scratch_test(test_catalog__ranks),
		scratch_test(test_catalog__parts),
		scratch_test(test_catalog__pins_of_parts),
		scratch_test(test_catalog__pins_of_bundles),
		scratch_test(test_catalog__runs),
		scratch_test(test_catalog__runs_of_equal_age_by_name),
		scratch_test(test_catalog__age_of_a_run_by_several_members),
		scratch_test(test_catalog__links),
		scratch_test(test_catalog__skipped_and_said),
		scratch_test(test_catalog__many_skipped),
		scratch_test(test_catalog__superseded),
		scratch_test(test_catalog__glob),
		scratch_test(test_catalog__known_layouts_only),
		scratch_test(test_catalog__weights_of_subfolders),
		scratch_test(test_catalog__folders_are_bounded),
		scratch_test(test_catalog__failures),
		scratch_test(test_catalog__closed_folder),
		scratch_test(test_catalog__several_requests),
		scratch_test(test_catalog__pins),
		scratch_test(test_catalog__pins_find_what_a_scan_found),
		scratch_test(test_catalog__identity_and_size),
		scratch_test(test_catalog__verify),
		scratch_test(test_catalog__size_of_a_rejected_one),
		scratch_test(test_catalog__archives),
		cmocka_unit_test(test_catalog__real_files),
		scratch_test(test_catalog__hundred_thousand),
		cmocka_unit_test(test_catalog__roles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
