/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/torch/torch_args.h by files that PyTorch wrote, and what a seal keeps of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/torch_args.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/sealed.h"

static const char script[] =
	"import argparse, torch\n"
	"w = torch.ones(4)\n"
	"args = argparse.Namespace(lr=0.001, epochs=30, seed=7, amp=True, model='vit_b',\n"
	"    unheard_of=5, batch_size=[1, 2], dropout=float('nan'), dataset='a\\nb')\n"
	"opt = {'state': {}, 'param_groups': [{'lr': 0.5, 'weight_decay': 0.25}]}\n"
	"torch.save({'args': args, 'model': {'w': w}, 'optimizer': opt, 'epoch': 3}, 'a_1.pt')\n"
	"torch.save({'hyper_parameters': {'hidden_size': 64, 'lr': 1}, 'state_dict': {'w': w}},"
	" 'b_1.pt')\n"
	"torch.save({'model': {'w': w}, 'optimizer': opt}, 'c_1.pt')\n";

/* The config that the seal of @name holds; the caller deletes it. */
static cJSON *config_of(struct bench *bench, const char *name)
{
	struct scratch dir = { .fd = bench->fd };
	cJSON *o = NULL, *config;
	char *text;

	snprintf(dir.path, sizeof(dir.path), "%s", bench->path);
	sealed_make(&dir, name);
	text = sealed_text(&dir, name);
	assert_int_equal(ckpt_json_parse(text, strlen(text), &o, NULL), 0);
	free(text);
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
	o = config_of(&bench, "a_1.pt");
	expect_number(o, "lr", 0.001); /* not the optimizer's */
	expect_number(o, "epochs", 30);
	expect_number(o, "seed", 7);
	expect_number(o, "weight_decay", 0.25);
	assert_true(ckpt_json_bool(o, "amp", false));
	assert_string_equal(ckpt_json_text(o, "model"), "vit_b");
	assert_null(strchr(ckpt_json_text(o, "dataset"), '\n'));
	assert_false(cJSON_HasObjectItem(o, "unheard_of"));
	assert_false(cJSON_HasObjectItem(o, "batch_size"));
	assert_false(cJSON_HasObjectItem(o, "dropout"));
	cJSON_Delete(o);
	o = config_of(&bench, "b_1.pt");
	expect_number(o, "hidden_size", 64);
	expect_number(o, "lr", 1);
	cJSON_Delete(o);
	o = config_of(&bench, "c_1.pt"); /* an optimizer is no configuration */
	assert_true(cJSON_IsNull(o));
	cJSON_Delete(o);
	bench_text(&bench, "config.json", "{\"lr\": 9}"); /* a file outweighs */
	bench_remove(&bench, "a_1.pt.metadata.json");
	o = config_of(&bench, "a_1.pt");
	expect_number(o, "lr", 9);
	assert_false(cJSON_HasObjectItem(o, "epochs"));
	cJSON_Delete(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_args__kept_in_the_seal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
