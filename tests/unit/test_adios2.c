/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADIOS: BP3 files that ADIOS 1 wrote here, where it is installed; BP4 and BP5 directories written
 * by a script that follows ADIOS2's writers; and what may happen to them.
 */
#include "core/format/hpc/adios2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

static int run(struct bench *bench, const char *arguments)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && rm -rf out.bp && /usr/bin/python3 " CKPT_TEST_DATA "/make_adios.py %s",
		 bench->path, arguments);
	return system(command);
}

static void make(struct bench *bench, const char *arguments)
{
	assert_int_equal(run(bench, arguments), 0);
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	struct stat st;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", bench->path, name);
	assert_int_equal(stat(path, &st), 0);
	bench_judge(bench, name, S_ISDIR(st.st_mode) ? CKPT_KIND_DIRECTORY : CKPT_KIND_FILE,
		    CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, S_ISDIR(st.st_mode) ? "adios2" : "adios-bp3");
	bench_expect(ret, status, code);
}

static void test_adios2__good(void **state)
{
	static const char *const rows[] = { "bp4", "bp4 big", "bp5", "bp5 big", "bp5 flush" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i]);
		expect(&bench, "out.bp", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, 3);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_string_equal(report.framework, "ADIOS 2.9.1");
	}
}

/* A change of one file, and the verdict then. */
struct damage {
	const char *made, *file;
	enum { REMOVE, CUT, GROW, FLIP, ZERO } how;
	size_t at; /* CUT: bytes that go; FLIP: the byte; ZERO: from there on */
	enum ckpt_status status;
	enum ckpt_problem_code code;
};

static void do_damage(struct bench *bench, const struct damage *damage)
{
	_cleanup_free_ unsigned char *data = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "out.bp/%s", damage->file);
	data = bench_read(bench, path, &len);
	assert_non_null(data);
	switch (damage->how) {
	case REMOVE:
		bench_remove(bench, path);
		return;
	case CUT:
		assert_true(damage->at <= len);
		bench_resize(bench, path, len - damage->at);
		return;
	case GROW:
		bench_resize(bench, path, len + damage->at);
		return;
	case FLIP:
		bench_flip(bench, path, damage->at);
		return;
	case ZERO:
		memset(data + damage->at, 0, len - damage->at);
		bench_write(bench, path, data, len);
		return;
	}
}

static const struct damage damages[] = {
	{ "bp4 active", "md.0", GROW, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_WRITER_ACTIVE },
	{ "bp5 active", "md.0", GROW, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_WRITER_ACTIVE },
	{ "bp4", "md.idx", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp4", "md.idx", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp4", "md.idx", CUT, 192, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
	{ "bp4", "md.idx", CUT, 193, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp4", "md.idx", ZERO, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL },
	{ "bp4", "md.idx", FLIP, 3, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp4", "md.idx", FLIP, 87, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp4", "md.0", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp4", "md.0", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp4", "data.0", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp4", "data.1", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp4", "data.1", CUT, 20, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp4", "data.1", FLIP, 200, CKPT_VALID, CKPT_PROBLEM_NONE },
	{ "bp4", "data.1", FLIP, 130, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp4", "data.1", ZERO, 300, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp5", "md.idx", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5", "md.idx", FLIP, 64, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp5", "md.idx", FLIP, 66, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5", "md.idx", ZERO, 64, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "bp5", "md.0", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5", "mmd.0", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp5", "mmd.0", CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5", "mmd.0", CUT, 30, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5", "data.0", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp5", "data.1", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "bp5", "data.1", CUT, 33, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "bp5 flush", "data.1", CUT, 33, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
};

static void test_adios2__damage(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		make(&bench, damages[i].made);
		do_damage(&bench, &damages[i]);
		expect(&bench, "out.bp", damages[i].status, damages[i].code, &report);
		if (damages[i].status != CKPT_VALID && damages[i].how != GROW &&
		    damages[i].code != CKPT_PROBLEM_EMPTY)
			assert_string_equal(report.verdict.problem.file, damages[i].file);
	}
}

/* Every cut of an index between two records, and inside them. */
static void test_adios2__cuts(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, valid = 0;

	(void)state;
	bench_init(&bench);
	make(&bench, "bp5");
	data = bench_read(&bench, "out.bp/md.idx", &len);
	for (size_t cut = 0; cut <= len; cut++) {
		bench_write(&bench, "out.bp/md.idx", data, cut);
		bench_judge(&bench, "out.bp", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
		valid += report.verdict.status == CKPT_VALID;
		assert_true(report.verdict.status == CKPT_VALID ||
			    report.verdict.status == CKPT_INCOMPLETE);
	}
	assert_int_equal(valid, 3); /* behind each step */
}

/* A name with a number says more than the count of steps; minor versions that are not known. */
static void test_adios2__names(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char command[256];

	(void)state;
	bench_init(&bench);
	make(&bench, "bp5");
	snprintf(command, sizeof(command), "cd %s && cp -r out.bp run-500.bp && mkdir e.bp",
		 bench.path);
	assert_int_equal(system(command), 0);
	expect(&bench, "run-500.bp", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_false(report.position.has_step);
	expect(&bench, "e.bp", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, &report);
	bench_flip(&bench, "out.bp/md.idx", 38);
	expect(&bench, "out.bp", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

static void test_adios2__real(void **state)
{
	static const char data_file[] = "run.bp.dir/run.bp.0";
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	if (run(&bench, "real") != 0) {
		print_message("ADIOS 1 (python3-adios) is not here\n");
		skip();
	}
	expect(&bench, "run.bp", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 3);
	expect(&bench, data_file, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	data = bench_read(&bench, data_file, &len);
	bench_write(&bench, data_file, data, len - 1);
	expect(&bench, "run.bp", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	assert_string_equal(report.verdict.problem.file, data_file);
	bench_write(&bench, data_file, data, 15);
	expect(&bench, "run.bp", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	data[len - 56 + 28] ^= 8; /* where the first index begins */
	bench_write(&bench, data_file, data, len);
	expect(&bench, "run.bp", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	assert_string_equal(report.verdict.problem.file, data_file);
	bench_remove(&bench, data_file);
	expect(&bench, "run.bp", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
}

/* What is left of a BP3 file is told by how it begins, and a file of another kind by that too. */
static void test_adios2__bp3_without_footer(void **state)
{
	static const struct {
		const char *name, *head;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "out.bp", "\6\5\0\0\0\0\0\0n\7\0restart", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "out.bp.12", "\0\0\0\0\0\0\5\6y\0\7restart", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "beside.bp", "\3\0\0\0\0\0\0\0\x60\0\0\0\0\0\0\0 \0", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "gene.bp", "base pairs of a gene", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "gene.bp", "\6\5\0\0\0\0\0\0n\7\0\1\2\3start", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "out.12", "\6\5\0\0\0\0\0\0n\7\0restart", CKPT_VALID, CKPT_PROBLEM_NONE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	unsigned char data[300];

	(void)state;
	bench_init(&bench);
	bench_write(&bench, "beside.bp.dir/beside.bp.0", "", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(data, 'x', sizeof(data));
		memcpy(data, rows[i].head, 18);
		bench_write(&bench, rows[i].name, data, sizeof(data));
		bench_judge(&bench, rows[i].name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		bench_expect(&report, rows[i].status, rows[i].code);
		assert_string_equal(report.format->name,
				    rows[i].status == CKPT_VALID ? "opaque" : "adios-bp3");
	}
	memset(data + 100, 0, sizeof(data) - 100);
	memcpy(data, rows[0].head, 18);
	bench_write(&bench, "out.bp", data, sizeof(data));
	expect(&bench, "out.bp", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, &report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adios2__good),
		cmocka_unit_test(test_adios2__damage),
		cmocka_unit_test(test_adios2__cuts),
		cmocka_unit_test(test_adios2__names),
		cmocka_unit_test(test_adios2__bp3_without_footer),
		cmocka_unit_test(test_adios2__real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
