/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/torch/torch_args.h by files that PyTorch wrote, and what a seal keeps of them; by
 * pickles that it would not write, up to each limit and over it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/torch_args.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/real_dirs.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

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
		expect_number(o, "expert_model_parallel_size", 1);
		assert_int_equal(cJSON_GetArraySize(o), 4);
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

#define KNOWN 4096 /* strings that are remembered by their numbers */
#define INNER 128  /* dicts in the settings that are known to have been told of */

/* A pickle {"args": {...}}, and what is told of it. */
struct asked {
	FILE *to;
	char *bytes;
	size_t len;
	struct ckpt_torch_args_count count;
	char first[CKPT_TORCH_ARGS_NAME], last[CKPT_TORCH_ARGS_NAME];
	struct ckpt_pickle_value value; /* the last one's */
};

static void begin(struct asked *a)
{
	*a = (struct asked) { 0 };
	a->to = open_memstream(&a->bytes, &a->len);
	assert_non_null(a->to);
	fputs("\x80\x02}(", a->to);
}

static void begin_args(struct asked *a)
{
	torch_pickle_text(a->to, "args");
	fputs("}(", a->to);
}

/* Memoises a text as @number (opcode r), or takes it from there (opcode j). */
static void number(struct asked *a, char opcode, uint32_t number)
{
	const unsigned char raw[5] = { (unsigned char)opcode, number & 0xff, number >> 8 & 0xff,
				       number >> 16 & 0xff, number >> 24 };

	fwrite(raw, 1, sizeof(raw), a->to);
}

static void put_int(struct asked *a, const char *key)
{
	torch_pickle_text(a->to, key);
	fprintf(a->to, "K%c", 7);
}

static bool take(void *arg, const char *name, const struct ckpt_pickle_value *value)
{
	struct asked *a = arg;

	assert_true(strlen(name) < sizeof(a->last));
	assert_true(strlen(value->text) < sizeof(value->text));
	snprintf(a->last, sizeof(a->last), "%s", name);
	if (!*a->first)
		snprintf(a->first, sizeof(a->first), "%s", name);
	a->value = *value;
	return true;
}

/* Ends the settings and the pickle, and asks. */
static void finish(struct asked *a, struct bench *bench)
{
	_cleanup_free_ struct ckpt_report *report = calloc(1, sizeof(*report));
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_ctx ctx = { .threads = 1 };
	struct torch_pickled what = { .n = 0 };

	fputs("uu.", a->to);
	assert_int_equal(fclose(a->to), 0);
	what.pickle = a->bytes;
	what.len = a->len;
	torch_synthetic_put(bench->fd, "x_1.pt", &what);
	free(a->bytes);
	assert_non_null(report);
	bench_judge(bench, "x_1.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, report);
	bench_expect(report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(ckpt_file_open(&ctx, bench->fd, "x_1.pt", &file, NULL), 0);
	assert_int_equal(ckpt_torch_args(&file, report, take, a, &a->count), 0);
}

/* What is kept of a text ends in "..." where it may have been longer. */
static void test_torch_args__long_texts(void **state)
{
	static const struct {
		size_t len;
		bool cut;
	} cases[] = { { 61, false }, { 62, false }, { 63, true },   { 64, true },
		      { 255, true }, { 256, true }, { 60000, true } };
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	static char text[60001];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asked a;

		memset(text, 'x', sizeof(text));
		text[cases[i].len] = '\0';
		begin(&a);
		begin_args(&a);
		torch_pickle_text(a.to, "model");
		torch_pickle_text(a.to, text);
		finish(&a, &bench);
		assert_int_equal(a.count.told, 1);
		assert_int_equal(a.value.kind, CKPT_PICKLE_TEXT);
		assert_int_equal(strlen(a.value.text), cases[i].cut ? 63 : cases[i].len);
		assert_int_equal(strcmp(a.value.text + 59, "x...") == 0, cases[i].cut);
	}
}

/* A dict of the key @key, @len letters long, in the one before; the caller ends it by 'u'. */
static void begin_dict(struct asked *a, size_t len)
{
	char key[64];

	memset(key, 'k', len);
	key[len] = '\0';
	torch_pickle_text(a->to, key);
	fputs("}(", a->to);
}

/* "outer/inner/name" is told up to the longest that is kept, and counted beyond. */
static void test_torch_args__long_names(void **state)
{
	_cleanup_bench_ struct bench bench = { .fd = -1 };

	(void)state;
	bench_init(&bench);
	for (size_t len = CKPT_TORCH_ARGS_NAME - 3; len < CKPT_TORCH_ARGS_NAME + 3; len++) {
		bool fits = len < CKPT_TORCH_ARGS_NAME;
		char key[64] = "";
		struct asked a;

		memset(key, 'z', len - 60 - 1 - 50 - 1);
		begin(&a);
		begin_args(&a);
		begin_dict(&a, 60);
		begin_dict(&a, 50);
		put_int(&a, key);
		fputs("uu", a.to);
		finish(&a, &bench);
		assert_int_equal(a.count.told, fits);
		assert_int_equal(a.count.left_out, !fits);
		assert_int_equal(strlen(a.last), fits ? len : 0);
	}
}

/* Dicts in dicts are followed to the third; what is deeper counts as one that is left out. */
static void test_torch_args__deep_names(void **state)
{
	static const char *const names[] = { "x", "k/x", "k/k/x", "k/k/k/x", "", "" };
	_cleanup_bench_ struct bench bench = { .fd = -1 };

	(void)state;
	bench_init(&bench);
	for (size_t depth = 0; depth < sizeof(names) / sizeof(names[0]); depth++) {
		struct asked a;

		begin(&a);
		begin_args(&a);
		for (size_t i = 0; i < depth; i++)
			begin_dict(&a, 1);
		put_int(&a, "x");
		put_int(&a, "y");
		for (size_t i = 0; i < depth; i++)
			fputc('u', a.to);
		finish(&a, &bench);
		assert_string_equal(a.first, names[depth]);
		assert_int_equal(a.count.told, *names[depth] ? 2 : 0);
		assert_int_equal(a.count.left_out, !*names[depth]);
	}
}

/* Dicts beyond those that are remembered count as left out, what is in them is told. */
static void test_torch_args__many_dicts(void **state)
{
	_cleanup_bench_ struct bench bench = { .fd = -1 };

	(void)state;
	bench_init(&bench);
	for (unsigned n = INNER - 1; n < INNER + 4; n++) {
		char key[16];
		struct asked a;

		begin(&a);
		begin_args(&a);
		for (unsigned i = 0; i < n; i++) {
			snprintf(key, sizeof(key), "d%u", i);
			torch_pickle_text(a.to, key);
			fputs("}(", a.to);
			put_int(&a, "x");
			fputc('u', a.to);
		}
		finish(&a, &bench);
		assert_int_equal(a.count.told, n);
		assert_int_equal(a.count.left_out, n > INNER ? n - INNER : 0);
	}
}

/* A setting whose name is the memo's @number. */
static void put_earlier(struct asked *a, uint32_t at)
{
	number(a, 'j', at);
	fprintf(a->to, "K%c", 7);
}

/* Of more strings than are remembered the first ones are. */
static void test_torch_args__many_strings(void **state)
{
	static const unsigned asked[] = { 0, 1, KNOWN - 1, KNOWN, KNOWN + 1, 3 * KNOWN - 1 };
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	struct asked a;

	(void)state;
	bench_init(&bench);
	begin(&a);
	torch_pickle_text(a.to, "strings");
	fputs("](", a.to);
	for (unsigned i = 0; i < 3 * KNOWN; i++) {
		char key[16];

		snprintf(key, sizeof(key), "s%u", i);
		torch_pickle_text(a.to, key);
		number(&a, 'r', i * 7);
	}
	fputc('e', a.to);
	begin_args(&a);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		put_earlier(&a, asked[i] * 7);
	finish(&a, &bench);
	assert_int_equal(a.count.told, 3);
	assert_int_equal(a.count.left_out, 3);
	assert_string_equal(a.first, "s0");
	assert_string_equal(a.last, "s4095");
}

/* Which strings are worth remembering, and what a number that is used again stands for. */
static void test_torch_args__numbers_of_strings(void **state)
{
	static const struct {
		const char *first, *again; /* memoised as 5; none: a dict is */
		const char *name;	   /* NULL: it has none */
	} cases[] = {
		{ "lr", "seed", "seed" },
		{ "lr", "model.weight", "model.weight" },
		{ "model.weight", NULL, NULL },
		{ "", "lr", "lr" },
		{ "lr", "", NULL },
		{ "lr", NULL, NULL },
		{ NULL, "lr", "lr" },
		{ NULL, "model.weight", NULL },
		{ NULL, "1234567890123456789012345678901234567890123456789012345678901234", NULL },
		{ "123456789012345678901234567890123456789012345678901234567890123", "x", "x" },
		{ "x", "1234567890123456789012345678901234567890123456789012345678901234", NULL },
	};
	_cleanup_bench_ struct bench bench = { .fd = -1 };

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const texts[] = { cases[i].first, cases[i].again };
		struct asked a;

		begin(&a);
		for (int t = 0; t < 2; t++) {
			torch_pickle_text(a.to, t ? "b" : "a"); /* never memoised */
			if (texts[t])
				torch_pickle_text(a.to, texts[t]);
			else
				fputs("}", a.to);
			number(&a, 'r', 5);
		}
		begin_args(&a);
		put_earlier(&a, 5);
		finish(&a, &bench);
		assert_int_equal(a.count.told, cases[i].name != NULL);
		assert_int_equal(a.count.left_out, cases[i].name == NULL);
		assert_string_equal(a.last, cases[i].name ? cases[i].name : "");
	}
}

/* The smallest and the largest that the memo's opcodes can name. */
static void test_torch_args__extreme_numbers(void **state)
{
	static const uint32_t numbers[] = { 0, 1, UINT32_MAX - 1, UINT32_MAX };
	_cleanup_bench_ struct bench bench = { .fd = -1 };
	struct asked a;

	(void)state;
	bench_init(&bench);
	begin(&a);
	for (int i = 0; i < 4; i++) {
		const char key[] = { 'a', (char)('0' + i), '\0' };

		torch_pickle_text(a.to, key);
		number(&a, 'r', numbers[i]);
		fputc('N', a.to);
	}
	begin_args(&a);
	for (int i = 0; i < 4; i++)
		put_earlier(&a, numbers[i]);
	put_earlier(&a, 2); /* none was put there */
	finish(&a, &bench);
	assert_int_equal(a.count.told, 4);
	assert_int_equal(a.count.left_out, 1);
	assert_string_equal(a.first, "a0");
	assert_string_equal(a.last, "a3");
}

/* A text that was taken off the stack again is not what is memoised next at its place. */
static void test_torch_args__a_text_without_number(void **state)
{
	static const char *const instead[] = { "}", "K\7", "N" };
	_cleanup_bench_ struct bench bench = { .fd = -1 };

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i <= sizeof(instead) / sizeof(instead[0]); i++) {
		bool other = i < sizeof(instead) / sizeof(instead[0]);
		struct asked a;

		begin(&a);
		torch_pickle_text(a.to, "k");
		if (!other)
			torch_pickle_text(a.to, "below");
		torch_pickle_text(a.to, "lr");
		fputc('0', a.to);
		if (other)
			fputs(instead[i], a.to);
		number(&a, 'r', 5);
		begin_args(&a);
		put_earlier(&a, 5);
		finish(&a, &bench);
		assert_int_equal(a.count.told, 0);
		assert_int_equal(a.count.left_out, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_args__kept_in_the_seal),
		cmocka_unit_test(test_torch_args__all_or_counted),
		cmocka_unit_test(test_torch_args__of_a_directory),
		cmocka_unit_test(test_torch_args__of_other_directories),
		cmocka_unit_test(test_torch_args__long_texts),
		cmocka_unit_test(test_torch_args__long_names),
		cmocka_unit_test(test_torch_args__deep_names),
		cmocka_unit_test(test_torch_args__many_dicts),
		cmocka_unit_test(test_torch_args__many_strings),
		cmocka_unit_test(test_torch_args__numbers_of_strings),
		cmocka_unit_test(test_torch_args__extreme_numbers),
		cmocka_unit_test(test_torch_args__a_text_without_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
