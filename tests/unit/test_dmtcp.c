/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMTCP images and restart scripts, built here byte by byte from its source.
 */
#include "core/format/hpc/dmtcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

struct image {
	unsigned char *data;
	size_t n;
};

static void image_done(struct image *image)
{
	free(image->data);
}

#define _cleanup_image_ __attribute__((cleanup(image_done)))

/* Room for @n further bytes, zeroed. */
static unsigned char *grow(struct image *image, size_t n)
{
	unsigned char *at;

	image->data = realloc(image->data, image->n + n);
	assert_non_null(image->data);
	at = image->data + image->n;
	memset(at, 0, n);
	image->n += n;
	return at;
}

/* As in procmapsarea.h; the numbers are the machine's own. */
struct area {
	uint64_t addr, end, size, offset, prot, flags, major, minor, inode;
	int64_t file_size;
	uint64_t properties;
	char name[1024];
};

static void put_area(struct image *image, const struct area *area, size_t data)
{
	memcpy(grow(image, 4096), area, sizeof(*area));
	memset(grow(image, data), 0x5a, data);
}

/* Headers as version @signature writes them: twice the same page, or @pages of another kind. */
static void put_head(struct image *image, const char *signature, int pages)
{
	for (int i = 0; i < pages; i++) {
		unsigned char *page = grow(image, 4096);

		memset(page + 100, 0x11, 900);
		if (i == 0 || pages == 2)
			memcpy(page, signature, strlen(signature));
	}
}

static void build(struct image *image, const char *signature, int pages)
{
	free(image->data);
	*image = (struct image) { .n = 0 };
	put_head(image, signature, pages);
	/* memory of its own: a parent, pages, zero pages */
	put_area(image, &(struct area) { 0x400000, 0x406000, 0x6000, 0, 3, 0x22, .properties = 2 },
		 0);
	put_area(image, &(struct area) { 0x400000, 0x402000, 0x2000, 0, 3, 0x22, .properties = 4 },
		 0x2000);
	put_area(image, &(struct area) { 0x402000, 0x406000, 0x4000, 0, 3, 0x22, .properties = 5 },
		 0);
	/* a file's, of which less is stored than is mapped; one without a size of the file */
	put_area(image,
		 &(struct area) { 0x500000, 0x504000, 0x4000, 0, 5, 2, .file_size = 0x1234,
				  .name = "/lib/x.so" },
		 0x1234);
	put_area(image, &(struct area) { 0x600000, 0x601000, 0x1000, 0, 5, 2, .name = "/lib/y" },
		 0x1000);
	put_area(image, &(struct area) { .addr = 0, .end = 7, .size = UINT64_MAX }, 0);
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	bench_expect(ret, status, code);
	assert_int_equal(strncmp(ret->format->name, "dmtcp", 5), 0);
}

#define V4 "DMTCP_CHECKPOINT_IMAGE_v4.0\n"
#define V2 "DMTCP_CHECKPOINT_IMAGE_v2.0\n"

static void test_dmtcp__images(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_image_ struct image image = { .n = 0 };
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	build(&image, V4, 2);
	bench_write(&bench, "a", image.data, image.n);
	expect(&bench, "a", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.framework, "DMTCP image 4.0");
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_int_equal(report.tensors, 5);
	for (size_t cut = 40; cut < image.n; cut += 509) {
		bench_write(&bench, "a", image.data, cut);
		expect(&bench, "a", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
	bench_write(&bench, "a", image.data, image.n - 1);
	expect(&bench, "a", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	bench_resize(&bench, "a", image.n + 1);
	bench_write(&bench, "a", image.data, image.n);
	bench_resize(&bench, "a", image.n + 1);
	expect(&bench, "a", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	build(&image, "DMTCP_CHECKPOINT_IMAGE_v7.0\n", 1);
	bench_write(&bench, "a", image.data, image.n);
	expect(&bench, "a", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

static void test_dmtcp__older(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_image_ struct image image = { .n = 0 };
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	build(&image, V2, 3);
	bench_write(&bench, "a", image.data, image.n);
	expect(&bench, "a", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.framework, "DMTCP image 2.0");
	for (size_t cut = 40; cut < image.n; cut += 1021) {
		bench_write(&bench, "a", image.data, cut);
		expect(&bench, "a", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
}

static void test_dmtcp__damage(void **state)
{
	static const struct {
		size_t at;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ 4096 + 500, CKPT_CORRUPT, CKPT_PROBLEM_HEADER }, /* the second header */
		{ 8192, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },	   /* an address */
		{ 8192 + 16, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },  /* a size */
		{ 12288 + 80, CKPT_CORRUPT, CKPT_PROBLEM_HEADER }, /* a bit: no data behind it */
		{ 16384 + 2000, CKPT_VALID, CKPT_PROBLEM_NONE },   /* memory */
	};
	_cleanup_bench_ struct bench bench;
	_cleanup_image_ struct image image = { .n = 0 };
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(&image, V4, 2);
		bench_write(&bench, "a", image.data, image.n);
		bench_flip(&bench, "a", rows[i].at);
		expect(&bench, "a", rows[i].status, rows[i].code, &report);
	}
	build(&image, V4, 2);
	memset(image.data + 3 * 4096, 0, image.n - 3 * 4096);
	bench_write(&bench, "a", image.data, image.n);
	expect(&bench, "a", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, &report);
}

#define SCRIPT                                                                                     \
	"#!/bin/bash\n\nset -m # turn on job control\n\n"                                          \
	"#This script launches all the restarts in the background.\n"                              \
	"#Suggestions for editing:\n\n"                                                            \
	"usage_str='USAGE: --ckptdir (default: use the ckpt_a.dmtcp given)'\n"

static void test_dmtcp__scripts(void **state)
{
	static const struct {
		const char *list;
		enum ckpt_status status;
		enum ckpt_problem_code code;
		const char *file;
	} rows[] = {
		{ "given_ckpt_files=\" ckpt_a.dmtcp ckpt_b.dmtcp\"\n", CKPT_VALID,
		  CKPT_PROBLEM_NONE, NULL },
		{ "worker_ckpts='\n :: n1 :bg: ckpt_a.dmtcp : ssh\n :: n2 :bg: ckpt_b.dmtcp "
		  ": ssh'\n",
		  CKPT_VALID, CKPT_PROBLEM_NONE, NULL },
		{ "given_ckpt_files=\" ckpt_a.dmtcp ckpt_c.dmtcp\"\n", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING, "ckpt_c.dmtcp" },
		{ "worker_ckpts='\n :: n1 :bg: ckpt_a.dmtcp\n :: n2 :bg: cut.dmtcp",
		  CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, "cut.dmtcp" },
		{ "worker_ckpts='\n :: n1 :bg: ckpt_a.dmtcp\n :: n2 :bg: ckpt_b.", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED, "s.sh" },
		{ "given_ckpt_files=\" ckpt_a.dmtcp ckpt_b.dmtcp", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED, "s.sh" },
		{ "given_ckpt_files=\"\"\n", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, "s.sh" },
		{ "", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, "s.sh" },
	};
	_cleanup_bench_ struct bench bench;
	_cleanup_image_ struct image image = { .n = 0 };
	struct ckpt_report report;
	char text[1024];

	(void)state;
	bench_init(&bench);
	build(&image, V4, 2);
	bench_write(&bench, "ckpt_a.dmtcp", image.data, image.n);
	bench_write(&bench, "ckpt_b.dmtcp", image.data, image.n);
	bench_write(&bench, "cut.dmtcp", image.data, image.n - 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), SCRIPT "%s", rows[i].list);
		bench_text(&bench, "s.sh", text);
		expect(&bench, "s.sh", rows[i].status, rows[i].code, &report);
		assert_string_equal(report.format->name, "dmtcp-script");
		if (rows[i].file)
			assert_string_equal(report.verdict.problem.file, rows[i].file);
		else
			assert_int_equal(report.verdict.size_bytes, strlen(text) + 2 * image.n);
	}
}

/* DMTCP packs by gzip unless told otherwise; the name stays. */
static void test_dmtcp__packed(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_image_ struct image image = { .n = 0 };
	struct ckpt_report report;
	char command[256];

	(void)state;
	bench_init(&bench);
	snprintf(command, sizeof(command), "cd %s && gzip -c a >ckpt_a.dmtcp", bench.path);
	for (int cut = 0; cut < 2; cut++) {
		build(&image, V4, 2);
		bench_write(&bench, "a", image.data, image.n - (cut ? 4096 : 0));
		assert_int_equal(system(command), 0);
		bench_text(&bench, "s.sh", SCRIPT "given_ckpt_files=\" ckpt_a.dmtcp\"\n");
		expect(&bench, "s.sh", cut ? CKPT_INCOMPLETE : CKPT_VALID,
		       cut ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_NONE, &report);
		if (!cut)
			assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		else
			assert_string_equal(report.verdict.problem.file, "ckpt_a.dmtcp");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dmtcp__images), cmocka_unit_test(test_dmtcp__older),
		cmocka_unit_test(test_dmtcp__damage), cmocka_unit_test(test_dmtcp__scripts),
		cmocka_unit_test(test_dmtcp__packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
