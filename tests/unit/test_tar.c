/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Archives by GNU tar in its formats and by Python, of checkpoints; and PyTorch's own first ones.
 */
#include "core/format/archive/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/torch_synthetic.h"

#define OLD CKPT_SAMPLES "/pytorch/burn_reader/test_data/"

static void run(const struct bench *bench, const char *command)
{
	char line[768];

	snprintf(line, sizeof(line), "cd %s && { %s; }", bench->path, command);
	if (system(line) != 0)
		fail_msg("cannot run: %s", line);
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	bench_expect(ret, status, code);
}

/* A directory of a checkpoint, with what lies beside it. */
static void make_directory(struct bench *bench, bool flip)
{
	const struct torch_synthetic model = { .weights_only = true, .floats = 3000 }, state = {
		.step = 500, .epoch = 2, .floats = 9000, .flip = flip
	};

	torch_synthetic_write(bench->fd, "checkpoint-500/pytorch_model.bin", &model);
	torch_synthetic_write(bench->fd, "checkpoint-500/trainer.pt", &state);
}

static void test_tar__of_a_directory(void **state)
{
	static const char *const formats[] = { "gnu", "posix", "ustar", "oldgnu", "v7" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char command[256];

	(void)state;
	bench_init(&bench);
	make_directory(&bench, false);
	for (int i = 0; i < 5; i++) {
		snprintf(command, sizeof(command), "tar --format=%s -cf x.tar checkpoint-500",
			 formats[i]);
		run(&bench, command);
		expect(&bench, "x.tar", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.format->name, "tar");
		assert_string_equal(report.inner->name, "torch-zip");
		assert_int_equal(report.position.step, 500);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		bench_judge(&bench, "x.tar", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(report.position.step, 500);
	}
	bench_text(&bench, "checkpoint-500/notes", "hello");
	run(&bench, "tar -cf x.tar checkpoint-500; gzip -c x.tar > x.tar.gz;"
		    "cp x.tar.gz y.gz; tar -cf y.tar y.gz; tar -cf z.tar checkpoint-500/notes");
	expect(&bench, "x.tar", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	expect(&bench, "x.tar.gz", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_string_equal(report.inner->name, "torch-zip");
	expect(&bench, "y.tar", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_int_equal(report.position.step, 500);
	expect(&bench, "z.tar", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

static void test_tar__damage(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, end;

	(void)state;
	bench_init(&bench);
	make_directory(&bench, true);
	run(&bench, "tar -cf x.tar checkpoint-500");
	expect(&bench, "x.tar", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "checkpoint-500/trainer.pt");
	make_directory(&bench, false);
	run(&bench, "tar -cf x.tar checkpoint-500");
	data = bench_read(&bench, "x.tar", &len);
	for (end = len; data[end - 1] == 0; end--)
		;
	end = (end + 511) / 512 * 512;
	for (size_t cut = 1024; cut <= end; cut += 512 - (cut % 1024 ? 11 : 0)) {
		bench_write(&bench, "cut", data, cut);
		bench_judge(&bench, "cut", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != CKPT_INCOMPLETE)
			fail_msg("cut at %zu of %zu: %s", cut, end, report.verdict.problem.detail);
		assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_TRUNCATED);
	}
	for (size_t at = 0; at < 512; at += 7) { /* of the first header; its fill is summed too */
		data[at] ^= 4;
		bench_write(&bench, "flip", data, len);
		data[at] ^= 4;
		bench_judge(&bench, "flip", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		if (at < 257 || at > 262)
			bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	}
	bench_write(&bench, "x.tar", data, len);
	bench_resize(&bench, "x.tar", len + 2000000);
	expect(&bench, "x.tar", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, &report);
	run(&bench, "tar -cf x.tar checkpoint-500; cat x.tar checkpoint-500/trainer.pt > y.tar");
	expect(&bench, "y.tar", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	run(&bench, "cat x.tar x.tar > y.tar"); /* tar reads the first */
	expect(&bench, "y.tar", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	run(&bench, "head -c 3M /dev/urandom > big; tar -cf b.tar big; cat x.tar b.tar > y.tar");
	expect(&bench, "y.tar", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
}

/* Names longer than a header, sparse files, numbers in base 256. */
static void test_tar__long_and_sparse(void **state)
{
	static const struct torch_synthetic how = { .step = 7 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	torch_synthetic_write(bench.fd, "ckpt.pt", &how);
	run(&bench, "d=$(printf 'very-long-directory-%.0s' 1 2 3 4 5 6 7 8); mkdir -p $d/$d;"
		    "cp ckpt.pt $d/$d; truncate -s 3M $d/hole; printf x >> $d/hole;"
		    "for f in gnu posix; do tar -S --format=$f -cf $f.tar $d; done;"
		    "tar --format=gnu --owner=:4000000000 -cf owner.tar $d");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "gnu.tar", "posix.tar", "owner.tar" };

		expect(&bench, names[i], CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.inner->name, "torch-zip");
		assert_int_equal(report.position.step, 7);
	}
}

/* A header's own sum may be in base 256 as well, though it has eight bytes alone. */
static void test_tar__sum_in_base_256(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	unsigned int sum = 8 * ' ';
	size_t len;

	(void)state;
	bench_init(&bench);
	make_directory(&bench, false);
	run(&bench, "tar -cf x.tar checkpoint-500");
	data = bench_read(&bench, "x.tar", &len);
	for (int i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? 0 : data[i];
	memcpy(data + 148, "\x80\0\0\0\0\0", 6);
	data[154] = (unsigned char)(sum >> 8);
	data[155] = (unsigned char)sum;
	bench_write(&bench, "x.tar", data, len);
	expect(&bench, "x.tar", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	data[149] = 1; /* far over any sum */
	bench_write(&bench, "x.tar", data, len);
	expect(&bench, "x.tar", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
}

/* torch.save() of the first versions. */
static void test_tar__of_torch(void **state)
{
	static const char *const names[] = { "tar_2d_tensor.tar",   "tar_float32.tar",
					     "tar_float64.tar",	    "tar_int64.tar",
					     "tar_multi_dtype.tar", "tar_weight_bias.tar" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	if (!bench_copy(&bench, OLD "tar_weight_bias.tar", "x"))
		skip();
	for (int i = 0; i < 6; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s%s", OLD, names[i]);
		assert_true(bench_copy(&bench, path, "x"));
		expect(&bench, "x", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.format->name, "torch-tar");
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_true(report.tensors > 0);
	}
	assert_int_equal(report.tensors, 2);
	/* the first storage's number of elements, at 0xa2c: one more than there are */
	bench_flip(&bench, "x", 0xa2c);
	expect(&bench, "x", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
	run(&bench, "mkdir t && cd t && tar xf ../x && tar cf ../y sys_info storages");
	expect(&bench, "y", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, &report);
	assert_string_equal(report.verdict.problem.member, "pickle");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tar__of_a_directory),
		cmocka_unit_test(test_tar__damage),
		cmocka_unit_test(test_tar__long_and_sparse),
		cmocka_unit_test(test_tar__sum_in_base_256),
		cmocka_unit_test(test_tar__of_torch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
