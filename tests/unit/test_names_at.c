/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of what lies in a range, in the formats that know them, and in the words about a seal that
 * does not match.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/integrity/damage_names.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/tf_build.h"
#include "tests/unit/support/torch_synthetic.h"

static void test_names_at__words(void **state)
{
	static const struct ckpt_extent extent = { "x", 100, 50 };
	struct ckpt_names names = { .n = 0 };
	char buf[256], long_name[300];

	(void)state;
	ckpt_names_words(&names, buf, sizeof(buf));
	assert_string_equal(buf, "");
	ckpt_names_offer(&names, &extent, 0, 100, "before");
	ckpt_names_offer(&names, &extent, 150, 200, "behind");
	ckpt_names_offer(&names, &extent, 120, 120, "empty");
	ckpt_names_offer(&names, &extent, 0, 101, "a");
	ckpt_names_offer(&names, &extent, 149, 151, "b");
	ckpt_names_offer(&names, &extent, 0, UINT64_MAX, "c");
	ckpt_names_words(&names, buf, sizeof(buf));
	assert_string_equal(buf, "a, b, c");
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ckpt_names_offer(&names, &extent, 100, 150, long_name);
	ckpt_names_offer(&names, &extent, 100, 150, "d");
	ckpt_names_words(&names, buf, sizeof(buf));
	assert_string_equal(buf, "a, b, c and 2 more");
	names = (struct ckpt_names) { .n = 0 };
	ckpt_names_offer(&names, &extent, 100, 150, long_name);
	ckpt_names_words(&names, buf, sizeof(buf));
	assert_string_equal(buf, "1 of its parts");
}

static void put_safetensors(const struct scratch *dir, const char *name)
{
	static const char header[] =
		"{\"a.weight\":{\"dtype\":\"U8\",\"shape\":[1000],\"data_offsets\":[0,1000]},"
		"\"b.weight\":{\"dtype\":\"U8\",\"shape\":[500],\"data_offsets\":[1000,1500]},"
		"\"c\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1500,1500]}}";
	uint8_t file[8 + sizeof(header) - 1 + 1500] = { sizeof(header) - 1 };

	memcpy(file + 8, header, sizeof(header) - 1);
	scratch_write(dir->fd, name, file, sizeof(file));
}

static const char *names_of(const struct scratch *dir, const char *name,
			    const struct ckpt_extent *extent)
{
	static char buf[256];
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };

	ckpt_damage_names(&ctx, sealed_set(dir, &cat, name), extent, buf, sizeof(buf));
	return buf;
}

static void test_names_at__safetensors(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_identity id;
	uint64_t data;

	put_safetensors(dir, "model_1.safetensors");
	assert_int_equal(ckpt_identity_at(dir->fd, "model_1.safetensors", true, &id), 0);
	data = id.size - 1500;
	const struct {
		uint64_t off, len;
		const char *names;
	} cases[] = {
		{ 0, 8, "the header" },
		{ data, 1, "a.weight" },
		{ data + 999, 1, "a.weight" },
		{ data + 999, 2, "a.weight, b.weight" },
		{ data + 1000, 500, "b.weight" },
		{ 0, id.size, "the header, a.weight, b.weight" },
		{ id.size, 100, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ckpt_extent extent = { "model_1.safetensors", cases[i].off,
						    cases[i].len };

		assert_string_equal(names_of(dir, "model_1.safetensors", &extent), cases[i].names);
	}
}

static void test_names_at__torch_and_directories(void **state)
{
	const struct scratch *dir = *state;
	const struct torch_synthetic how = { .epoch = 1, .step = 2, .floats = 1000 };
	const struct ckpt_extent in_file = { "model_3.pt", 1000, 1 };
	const struct ckpt_extent in_folder = { "pytorch_model.bin", 2000, 1 };

	torch_synthetic_write(dir->fd, "model_3.pt", &how);
	assert_string_equal(names_of(dir, "model_3.pt", &in_file), "data/0");
	sealed_put_trainer(dir, 1000);
	assert_string_equal(names_of(dir, "checkpoint-500", &in_folder), "data/0");
	scratch_resize(dir->fd, "model_3.pt", 3000); /* no directory: nothing is known */
	assert_string_equal(names_of(dir, "model_3.pt", &in_file), "");
}

static void test_names_at__bundle(void **state)
{
	static const float data[8] = { 1 };
	static const struct tf_tensor tensors[] = {
		{ .name = "a", .dtype = 1, .rank = 1, .dim = 4, .data = data, .len = 16 },
		{ .name = "b", .dtype = 1, .rank = 1, .dim = 8, .data = data, .len = 32 },
		{ .name = "c",
		  .dtype = 1,
		  .rank = 1,
		  .dim = 4,
		  .shard = 1,
		  .data = data,
		  .len = 16 },
	};
	const struct scratch *dir = *state;
	struct bench bench = { .fd = dir->fd };
	const struct ckpt_extent cases[] = {
		{ "ckpt-5.data-00000-of-00002", 0, 16 },
		{ "ckpt-5.data-00000-of-00002", 15, 2 },
		{ "ckpt-5.data-00001-of-00002", 0, 100 },
		{ "ckpt-5.index", 0, 100 },
	};
	static const char *const names[] = { "a", "a, b", "c", "" };

	tf_bundle_write(&bench, "ckpt-5", tensors, 3, 2, 0);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(names_of(dir, "ckpt-5", &cases[i]), names[i]);
}

/* The writer's own tensors, by the place where their bytes were found. */
static void check_oracle(const struct scratch *dir, const char *kind, unsigned least)
{
	_cleanup_free_ char *text = NULL;
	char command[512], checkpoint[64], file[128], name[128];
	unsigned long long off, len;
	unsigned n = 0;
	int used;

	snprintf(command, sizeof(command), "cd %s && /usr/bin/python3 %s/make_names.py %s",
		 dir->path, CKPT_TEST_DATA, kind);
	if (system(command) != 0) {
		print_message("no writer of %s here\n", kind);
		skip();
	}
	text = scratch_get(dir->fd, "oracle");
	for (const char *p = text; sscanf(p, "%63[^\t]\t%127[^\t]\t%llu\t%llu\t%127[^\n]\n%n",
					  checkpoint, file, &off, &len, name, &used) == 5;
	     p += used, n++) {
		const struct ckpt_extent first = { file, off, 1 },
					 last = { file, off + len - 1, 1 };

		assert_string_equal(names_of(dir, checkpoint, &first), name);
		assert_string_equal(names_of(dir, checkpoint, &last), name);
	}
	assert_true(n >= least);
}

static void test_names_at__hdf5(void **state)
{
	const struct ckpt_extent all = { "model_1.latest.h5", 0, 1 << 20 };
	const struct scratch *dir = *state;
	struct ckpt_identity id;

	check_oracle(dir, "h5py", 12);
	assert_string_equal(names_of(dir, "model_1.latest.h5", &all),
			    "layers/chunked, layers/grows, layers/dense/vars/0, "
			    "layers/dense/vars/1, its metadata");
	/* the root group's header is lost: the walk ends there, and no other place is blamed */
	assert_int_equal(ckpt_identity_at(dir->fd, "model_1.latest.h5", true, &id), 0);
	scratch_flip(dir->fd, "model_1.latest.h5", 56);
	assert_string_equal(names_of(dir, "model_1.latest.h5", &all), "its metadata");
	assert_string_equal(names_of(dir, "model_1.latest.h5",
				     &(struct ckpt_extent) { "model_1.latest.h5", id.size - 8, 8 }),
			    "");
}

static void test_names_at__torch(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_extent all = { "epoch_3.pt", 0, 1 << 20 };

	check_oracle(dir, "torch", 6);
	assert_non_null(strstr(names_of(dir, "epoch_3.pt", &all), "data.pkl, "));
}

static void test_names_at__dcp(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_extent all = { "__0_0.distcp", 0, 1 << 30 };
	const struct ckpt_extent index = { ".metadata", 0, 1 << 30 };

	check_oracle(dir, "dcp", 400);
	assert_non_null(strstr(names_of(dir, "step-100", &all), " more"));
	assert_int_equal(strtoul(strstr(names_of(dir, "step-100", &all), " and ") + 5, NULL, 10),
			 200 - 13);
	assert_string_equal(names_of(dir, "step-100", &index), "");
	scratch_resize(dir->fd, "step-100/.metadata", 3000); /* torn: nothing is known */
	assert_string_equal(names_of(dir, "step-100", &all), "");
}

static void test_names_at__orbax(void **state)
{
	const struct scratch *dir = *state;
	const char *own = "default/ocdbt.process_0/d/11111111111111111111111111111111";
	const struct ckpt_extent all = { own, 0, 1 << 20 };
	const struct ckpt_extent node = { "d/22222222222222222222222222222222", 0, 1 << 20 };

	check_oracle(dir, "orbax", 9);
	assert_string_equal(names_of(dir, "steps", &all), "big");
	assert_string_equal(names_of(dir, "three", &node), "");
	scratch_flip(dir->fd, "three/d/22222222222222222222222222222222", 40);
	assert_string_equal(names_of(dir, "three", &node), "the tree");
}

/* The format has no checksum: without the seal nobody would know, and without names nobody where.
 */
static void test_names_at__in_the_verdict(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;
	struct ckpt_identity id;

	put_safetensors(dir, "model_1.safetensors");
	sealed_make(dir, "model_1.safetensors");
	assert_int_equal(ckpt_identity_at(dir->fd, "model_1.safetensors", true, &id), 0);
	scratch_flip(dir->fd, "model_1.safetensors", id.size - 3);
	sealed_take_as_unchanged(dir, "model_1.safetensors", "model_1.safetensors");
	sealed_verify(NULL, dir, "model_1.safetensors", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_DIGEST);
	assert_string_equal(report.verdict.problem.member, "the header, a.weight, b.weight");
}

/* A record that its own checksum rejects: torch.load() knows no "data/1". */
static void test_names_at__in_the_words_on_a_torch_record(void **state)
{
	static const struct {
		const char *member, *words;
	} rows[] = { { "data/0", "(model/layer/w)" }, { "data/1", "(model/layer/b)" } };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t size, at;

	(void)state;
	if (!bench_put(&bench,
		       "import torch\n"
		       "m = {'layer': {'w': torch.full((9,), 7.), 'b': torch.full((9,), 5.)}, "
		       "'k': 1}\n"
		       "torch.save({'model': m, 'epoch': 1}, 'whole.pt')\n"))
		skip();
	for (size_t i = 0; i < 2; i++) {
		static const unsigned char bytes[2][8] = {
			{ 0, 0, 0xe0, 0x40, 0, 0, 0xe0, 0x40 },
			{ 0, 0, 0xa0, 0x40, 0, 0, 0xa0, 0x40 },
		};
		_cleanup_free_ unsigned char *data = NULL;

		assert_true(bench_copy(&bench, "whole.pt", "damaged.pt"));
		data = bench_read(&bench, "damaged.pt", &size);
		at = (size_t)((unsigned char *)memmem(data, size, bytes[i], 8) - data);
		bench_flip(&bench, "damaged.pt", at);
		bench_judge(&bench, "damaged.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
		assert_non_null(strstr(report.verdict.problem.detail, rows[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_at__words),
		scratch_test(test_names_at__safetensors),
		scratch_test(test_names_at__torch_and_directories),
		scratch_test(test_names_at__bundle),
		scratch_test(test_names_at__hdf5),
		scratch_test(test_names_at__torch),
		scratch_test(test_names_at__dcp),
		scratch_test(test_names_at__orbax),
		scratch_test(test_names_at__in_the_verdict),
		cmocka_unit_test(test_names_at__in_the_words_on_a_torch_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
