/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRIU images, written by a script from CRIU's own descriptions of them: dumps, pre-dumps that they
 * rest on, other page sizes; and what may happen to them.
 */
#include "core/format/hpc/criu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

static void make(struct bench *bench, const char *options)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && rm -rf d && mkdir d && /usr/bin/python3 " CKPT_TEST_DATA
		 "/make_criu.py d/c %s",
		 bench->path, options);
	assert_int_equal(system(command), 0);
}

static void expect(struct bench *bench, enum ckpt_status status, enum ckpt_problem_code code,
		   struct ckpt_report *ret)
{
	bench_judge(bench, "d/c", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, ret);
	assert_non_null(ret->format);
	assert_string_equal(ret->format->name, "criu");
	bench_expect(ret, status, code);
}

static void test_criu__good(void **state)
{
	static const char *const rows[] = { "", "many", "old", "parent", "parent old", "pages64k" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i]);
		expect(&bench, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_string_equal(report.verdict.note, "");
	}
	bench_remove(&bench, "d/c/stats-dump");
	expect(&bench, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_non_null(strstr(report.verdict.note, "stats-dump"));
}

/* A change of one file and the verdict then. */
struct damage {
	const char *made, *file;
	enum { REMOVE, CUT, GROW, FLIP, ZERO } how;
	size_t at; /* CUT, GROW: bytes; FLIP: the byte */
	enum ckpt_status status;
	enum ckpt_problem_code code;
};

static void do_damage(struct bench *bench, const struct damage *damage)
{
	_cleanup_free_ unsigned char *data = NULL;
	char path[128];
	size_t len;

	snprintf(path, sizeof(path), "d/%s", damage->file);
	if (damage->how == REMOVE) {
		bench_remove(bench, path);
		return;
	}
	data = bench_read(bench, path, &len);
	assert_non_null(data);
	if (damage->how == FLIP)
		bench_flip(bench, path, damage->at);
	else if (damage->how == ZERO)
		bench_write(bench, path, memset(data, 0, len), len);
	else
		bench_resize(bench, path, damage->how == CUT ? len - damage->at : len + damage->at);
}

static const struct damage damages[] = {
	{ "", "c/inventory.img", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", "c/inventory.img", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/inventory.img", ZERO, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL },
	{ "", "c/inventory.img", FLIP, 1, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "", "c/pstree.img", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", "c/pstree.img", CUT, 2, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/core-4711.img", CUT, 100, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/core-4711.img", FLIP, 4, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "", "c/core-4711.img", FLIP, 8, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/core-4711.img", FLIP, 100, CKPT_VALID, CKPT_PROBLEM_NONE },
	{ "", "c/core-4711.img", GROW, 3, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/files.img", CUT, 3, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/pages-1.img", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", "c/pages-1.img", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/pages-1.img", CUT, 4096, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/pages-1.img", GROW, 4096, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES },
	{ "many", "c/pages-1.img", CUT, 4096, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "old", "c/pages-1.img", CUT, 4096, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/pagemap-4711.img", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", "c/pagemap-4711.img", FLIP, 8, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "parent", "c/parent", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "parent old", "c/parent", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "parent", "pre/pages-1.img", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "parent", "pre/inventory.img", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "pre", "c/pages-1.img", GROW, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
};

static void test_criu__damage(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		make(&bench, damages[i].made);
		do_damage(&bench, &damages[i]);
		expect(&bench, damages[i].status, damages[i].code, &report);
		if (damages[i].code == CKPT_PROBLEM_TRUNCATED)
			assert_string_equal(report.verdict.problem.file,
					    strrchr(damages[i].file, '/') + 1);
	}
}

/* A failed dump leaves its log; a parent that is its own parent ends. */
static void test_criu__odd(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char command[256];

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "d/c/dump.log", "Error (criu/cr-dump.c): Dumping FAILED.\n");
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, &report);
	assert_string_equal(report.verdict.problem.member, "inventory.img");
	make(&bench, "parent");
	snprintf(command, sizeof(command), "cd %s/d/c && ln -sfn . parent", bench.path);
	assert_int_equal(system(command), 0);
	expect(&bench, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, &report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_criu__good),
		cmocka_unit_test(test_criu__damage),
		cmocka_unit_test(test_criu__odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
