/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/torch/torch_args.h by files that PyTorch wrote, and what a seal keeps of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/torch_args.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/real_dirs.h"
#include "tests/unit/support/sealed.h"

static const char script[] =
	"import argparse, collections, pathlib, torch\n"
	"w = torch.ones(4)\n"
	"args = argparse.Namespace(lr=0.001, epochs=30, seed=7, amp=True, model='vit_b',\n"
	"    unheard_of=5, batch_size=[1, 2], dropout=float('nan'), dataset='a\\nb', none=None,\n"
	"    name='x', flag=False, path=pathlib.Path('/p'), long='y' * 99,\n"
	"    sub=argparse.Namespace(q=1, z='zz'), d={'a': 1, 'b': {'c': 2, 'e': 3}}, one={'k': "
	"5})\n"
	"opt = {'state': {}, 'param_groups': [{'lr': 0.5, 'weight_decay': 0.25}]}\n"
	"torch.save({'args': args, 'model': {'w': w}, 'optimizer': opt, 'epoch': 3}, 'a_1.pt')\n"
	"torch.save({'hyper_parameters': {'hidden_size': 64, 'lr': 1}, 'state_dict': {'w': w}},"
	" 'b_1.pt')\n"
	"torch.save({'model': {'w': w}, 'optimizer': opt}, 'c_1.pt')\n"
	"torch.save({'optimizer': opt, 'args': {'lr': 1.5, 'weight_decay': 2}}, 'd_1.pt')\n"
	"many = collections.OrderedDict(('a%d' % i, i) for i in range(2000))\n"
	"torch.save({'args': many, 'config': {'x': {'y': 2}}}, 'e_1.pt', pickle_protocol=4)\n"
	"torch.save({'args': {'lr': 3}, 'cfg': {'lr': 4, 5: 6}, 'model': {'args': {'no': 1}}},"
	" 'f_1.pt', pickle_protocol=0)\n";

/* The config that the seal of @name holds; the caller deletes it. @left_out: how many it is said to
 * lack. */
static cJSON *config_of(struct bench *bench, const char *name, double left_out)
{
	double said = 0;
	struct scratch dir = { .fd = bench->fd };
	cJSON *o = NULL, *config;
	char *text;

	snprintf(dir.path, sizeof(dir.path), "%s", bench->path);
	sealed_make(&dir, name);
	text = sealed_text(&dir, name);
	assert_int_equal(ckpt_json_parse(text, strlen(text), &o, NULL), 0);
	free(text);
	ckpt_json_number(o, "config_left_out", &said);
	assert_float_equal(said, left_out, 0);
	config = cJSON_DetachItemFromObject(o, "config");
	cJSON_Delete(o);
	assert_non_null(config);
	return config;
}

static void expect_number(const cJSON *o, const char *key, double expected)
{
	double number;

	if (!ckpt_json_number(o, key, &number) || number != expected)
		fail_msg("%s is not %g", key, expected);
}

static void test_torch_args__kept_in_the_seal(void **state)
{
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	cJSON *o;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, script)) {
		print_message("no PyTorch here\n");
		skip();
	}
	o = config_of(&bench, "a_1.pt", 3);
	expect_number(o, "lr", 0.001); /* not the optimizer's */
	expect_number(o, "epochs", 30);
	expect_number(o, "seed", 7);
	expect_number(o, "unheard_of", 5);
	expect_number(o, "sub/q", 1);
	expect_number(o, "d/a", 1);
	expect_number(o, "d/b/e", 3);
	expect_number(o, "one/k", 5);
	assert_string_equal(ckpt_json_text(o, "sub/z"), "zz");
	assert_string_equal(ckpt_json_text(o, "name"), "x");
	assert_true(cJSON_IsFalse(cJSON_GetObjectItem(o, "flag")));
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(o, "none")));
	assert_int_equal(strlen(ckpt_json_text(o, "long")), 63);
	assert_string_equal(ckpt_json_text(o, "long") + 60, "...");
	assert_false(cJSON_HasObjectItem(o, "weight_decay")); /* the optimizer's alone */
	assert_false(cJSON_HasObjectItem(o, "path"));
	assert_true(ckpt_json_bool(o, "amp", false));
	assert_string_equal(ckpt_json_text(o, "model"), "vit_b");
	assert_null(strchr(ckpt_json_text(o, "dataset"), '\n'));
	assert_false(cJSON_HasObjectItem(o, "batch_size"));
	assert_false(cJSON_HasObjectItem(o, "dropout"));
	cJSON_Delete(o);
	o = config_of(&bench, "b_1.pt", 0);
	expect_number(o, "hidden_size", 64);
	expect_number(o, "lr", 1);
	cJSON_Delete(o);
	o = config_of(&bench, "c_1.pt", 0); /* an optimizer is no configuration */
	assert_true(cJSON_IsNull(o));
	cJSON_Delete(o);
	bench_text(&bench, "config.json", "{\"lr\": 9}"); /* a file outweighs */
	bench_remove(&bench, "a_1.pt.metadata.json");
	o = config_of(&bench, "a_1.pt", 0);
	expect_number(o, "lr", 9);
	assert_false(cJSON_HasObjectItem(o, "epochs"));
	cJSON_Delete(o);
}

/* Names that the pickle has had before, more settings than are kept, two places, an old protocol.
 */
static void test_torch_args__all_or_counted(void **state)
{
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	cJSON *o;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, script)) {
		print_message("no PyTorch here\n");
		skip();
	}
	o = config_of(&bench, "d_1.pt", 0);
	expect_number(o, "lr", 1.5);
	expect_number(o, "weight_decay", 2);
	cJSON_Delete(o);
	o = config_of(&bench, "e_1.pt", 2000 - CKPT_TORCH_ARGS_MAX + 1);
	assert_int_equal(cJSON_GetArraySize(o), CKPT_TORCH_ARGS_MAX);
	assert_string_equal(o->child->next->string, "a1"); /* in order */
	cJSON_Delete(o);
	assert_true(bench_copy(&bench, "c_1.pt", "e_1.pt")); /* saved anew: nothing to count */
	o = config_of(&bench, "e_1.pt", 0);
	assert_true(cJSON_IsNull(o));
	cJSON_Delete(o);
	o = config_of(&bench, "f_1.pt", 1);
	expect_number(o, "lr", 3);
	expect_number(o, "5", 6);
	assert_int_equal(cJSON_GetArraySize(o), 2);
	cJSON_Delete(o);
}

/* Megatron's directories: the first rank's arguments, or those kept in common.pt. */
static void test_torch_args__of_a_directory(void **state)
{
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	cJSON *o;

	(void)state;
	if (!real_dirs_put(&bench, "make_megatron.py"))
		skip();
	for (int i = 1; i <= 2; i++) {
		o = config_of(&bench, i == 1 ? "iter_0000100" : "iter_0000200", 0);
		expect_number(o, "tensor_model_parallel_size", 2);
		expect_number(o, "pipeline_model_parallel_size", i);
		expect_number(o, "lr", 1e-4);
		assert_int_equal(cJSON_GetArraySize(o), 3);
		cJSON_Delete(o);
	}
	o = config_of(&bench, "iter_0000300", 0);
	expect_number(o, "lr", 1);
	cJSON_Delete(o);
	bench_text(&bench, "iter_0000300/config.json", "{\"lr\": 9}"); /* a file outweighs */
	bench_remove(&bench, "iter_0000300.metadata.json");
	o = config_of(&bench, "iter_0000300", 0);
	expect_number(o, "lr", 9);
	cJSON_Delete(o);
}

/* DeepSpeed's engine keeps its configuration, beside what its client puts there; the experts' files
 * hold none. Lightning's sharded form has a file of its own. */
static void test_torch_args__of_other_directories(void **state)
{
	static const char sharded[] =
		"import argparse, os, shutil, torch\n"
		"shutil.copytree('iter_0000300', 'epoch=1.ckpt')\n"
		"for f in 'common.pt', 'metadata.json': os.remove('epoch=1.ckpt/' + f)\n"
		"torch.save({'epoch': 1, 'global_step': 5, 'pytorch-lightning_version': '2.1',\n"
		"    'hyper_parameters': {'hidden': 64}}, 'epoch=1.ckpt/meta.pt')\n";
	static const char client[] =
		"import argparse, torch\n"
		"name = 'global_step820/mp_rank_00_model_states.pt'\n"
		"state = torch.load(name)\n"
		"torch.save(dict(state, args=argparse.Namespace(layers=12)), name)\n";
	_cleanup_bench_ struct bench bench = { .fd = -1 }, other = { .fd = -1 };
	cJSON *o;

	(void)state;
	if (!real_dirs_put(&bench, "make_megatron.py") ||
	    !real_dirs_put(&other, "make_deepspeed.py"))
		skip();
	assert_true(bench_python(&bench, sharded) && bench_python(&other, client));
	o = config_of(&bench, "epoch=1.ckpt", 0);
	expect_number(o, "hidden", 64);
	cJSON_Delete(o);
	o = config_of(&other, "global_step500", 0);
	expect_number(o, "train_batch_size", 8);
	cJSON_Delete(o);
	o = config_of(&other, "global_step830", 0);
	expect_number(o, "zero_optimization/mics_shard_size", 2);
	cJSON_Delete(o);
	o = config_of(&other, "global_step820", 0);
	expect_number(o, "train_batch_size", 8);
	expect_number(o, "layers", 12);
	cJSON_Delete(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_args__kept_in_the_seal),
		cmocka_unit_test(test_torch_args__all_or_counted),
		cmocka_unit_test(test_torch_args__of_a_directory),
		cmocka_unit_test(test_torch_args__of_other_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
