/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AMReX directories, written by a script that follows the C++: every format of multifabs, both byte
 * orders and sizes of reals, ghost cells, particles; and what may happen to them.
 */
#include "core/format/hpc/amrex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/format/hpc/amrex_fab.h"
#include "tests/unit/support/judge.h"

static void make(struct bench *bench, const char *arguments)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && rm -rf d && mkdir d && cd d && /usr/bin/python3 " CKPT_TEST_DATA
		 "/make_amrex.py %s",
		 bench->path, arguments);
	assert_int_equal(system(command), 0);
}

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "d/%s", name);
	bench_judge(bench, path, CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, ret);
	assert_non_null(ret->format);
	assert_string_equal(ret->format->name, "amrex");
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	judge(bench, name, ret);
	bench_expect(ret, status, code);
}

static void test_amrex__formats(void **state)
{
	static const char *const rows[] = {
		"chk00040",
		"chk00040 dims=1",
		"chk00040 dims=2 ghost=2",
		"chk00040 bytes=4 big",
		"chk00040 bytes=4 narrow",
		"chk00040 big ghost=1",
		"chk00040 format=2 ghost=1",
		"chk00040 format=3 ghost=1 big",
		"chk00040 format=3 bytes=4 narrow",
		"chk00040 format=4",
		"chk00040 plot ghost=1",
		"chk00040 plot dims=2 format=2 bytes=4",
		"chk00040 particles",
		"chk00040 particles bytes=4 dims=2",
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i]);
		expect(&bench, "chk00040", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, 40);
		assert_int_equal(report.position.step_source, CKPT_FROM_CONTENT);
		assert_int_equal(report.contents, strstr(rows[i], "plot") ? CKPT_CONTENTS_UNKNOWN
									  : CKPT_CONTENTS_FULL);
	}
	make(&bench, "chk00040 nan");
	expect(&bench, "chk00040", CKPT_VALID, CKPT_PROBLEM_NON_FINITE, &report);
}

/* A change of one file and the verdict then. */
struct damage {
	const char *made, *file;
	enum { REMOVE, CUT, GROW, FLIP, EMPTY, ZERO } how;
	size_t at; /* CUT: bytes that go; FLIP: the byte */
	enum ckpt_status status;
	enum ckpt_problem_code code;
};

static void zero(struct bench *bench, const char *path, size_t from)
{
	size_t len;
	unsigned char *data = bench_read(bench, path, &len);

	assert_non_null(data);
	assert_true(from < len);
	memset(data + from, 0, len - from);
	bench_write(bench, path, data, len);
	free(data);
}

static void do_damage(struct bench *bench, const struct damage *damage)
{
	char path[128];
	size_t len;

	snprintf(path, sizeof(path), "d/chk00040/%s", damage->file);
	free(bench_read(bench, path, &len));
	switch (damage->how) {
	case REMOVE:
		bench_remove(bench, path);
		return;
	case CUT:
		bench_resize(bench, path, len - damage->at);
		return;
	case GROW:
		bench_resize(bench, path, len + damage->at);
		return;
	case FLIP:
		bench_flip(bench, path, damage->at);
		return;
	case EMPTY:
		bench_resize(bench, path, 0);
		return;
	case ZERO:
		zero(bench, path, damage->at);
		return;
	}
}

#define H "Level_1/SD_0_New_MF_H"
#define D "Level_1/SD_0_New_MF_D_00001"
#define P "tracers/Level_0/DATA_00000"

static const struct damage damages[] = {
	{ "", "Header", REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", "Header", EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
	{ "", "Header", CUT, 60, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "plot", "Header", CUT, 20, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", H, REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", H, EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", H, CUT, 10, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", H, ZERO, 200, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL },
	{ "", H, FLIP, 0, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "", D, REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "", D, CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", D, EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "", D, GROW, 5, CKPT_VALID, CKPT_PROBLEM_TRAILING },
	{ "", D, ZERO, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL },
	{ "", D, ZERO, 500, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL },
	{ "", D, ZERO, 1900, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	{ "", D, FLIP, 0, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	{ "format=2", D, CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "format=2", H, CUT, 3, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "format=3", D, ZERO, 0, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	{ "format=3 ghost=1", D, ZERO, 700, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	{ "particles", P, REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	{ "particles", P, CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	{ "particles", P, GROW, 1, CKPT_VALID, CKPT_PROBLEM_TRAILING },
	{ "particles", "tracers/Header", CUT, 30, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
};

static void test_amrex__damage(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char arguments[128];
	const char *slash;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		snprintf(arguments, sizeof(arguments), "chk00040 %s", damages[i].made);
		make(&bench, arguments);
		do_damage(&bench, &damages[i]);
		expect(&bench, "chk00040", damages[i].status, damages[i].code, &report);
		slash = damages[i].how == GROW ? NULL : strrchr(damages[i].file, '/');
		if (slash)
			assert_string_equal(report.verdict.problem.file, damages[i].file);
	}
}

/* Every cut of a header is an unfinished text. */
static void test_amrex__cuts(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "chk00040 dims=1 format=3");
	data = bench_read(&bench, "d/chk00040/" H, &len);
	for (size_t cut = 0; cut < len - 1; cut += 3) {
		bench_write(&bench, "d/chk00040/" H, data, cut);
		judge(&bench, "chk00040", &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	}
}

/* Data of another save, data that two boxes share, and a name that leads out. */
static void test_amrex__mixed(void **state)
{
	static const struct {
		const char *made, *from, *to;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "chk00040", "((0,0,0) (3,3,3)", "((1,0,0) (3,3,3)", CKPT_CORRUPT,
		  CKPT_PROBLEM_CHECKSUM },
		{ "chk00040", "((0,0,0) (3,3,3)", "((9,0,0) (9,3,3)", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MIXED_SAVES },
		{ "chk00040", "D_00001 0", "D_00000 0", CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES },
		{ "chk00040", "D_00001 0", "D_00001 9", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "chk00040", "SD_0_New_MF_D_00001 0", "../Level_0/SD_0_New 0", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "chk00040", "D_00001 0", "D_00001 -", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "chk00040 format=2", "D_00001 1536", "D_00001 0000", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ unsigned char *data = NULL;
		char *at;
		size_t len;

		make(&bench, rows[i].made);
		data = bench_read(&bench, "d/chk00040/" H, &len);
		at = memmem(data, len, rows[i].from, strlen(rows[i].from));
		assert_non_null(at);
		memcpy(at, rows[i].to, strlen(rows[i].to));
		bench_write(&bench, "d/chk00040/" H, data, len);
		expect(&bench, "chk00040", rows[i].status, rows[i].code, &report);
	}
}

/* What a structure check sees: sizes, but no value. */
static void test_amrex__levels(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "chk00040");
	zero(&bench, "d/chk00040/" D, 500);
	bench_judge(&bench, "d/chk00040", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	make(&bench, "chk00040");
	bench_flip(&bench, "d/chk00040/" D, 159);
	bench_judge(&bench, "d/chk00040", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* A header that is the code's own, a directory with nothing but a name, one that is another's. */
static void test_amrex__names(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "restart");
	expect(&bench, "restart", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	bench_text(&bench, "d/restart/Header", "Checkpoint version: 1\n1\n7\n");
	expect(&bench, "restart", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_false(report.position.has_step);
	bench_text(&bench, "d/restart/Header", "something else\n");
	bench_judge(&bench, "d/restart", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	assert_null(report.format);
	bench_text(&bench, "d/chk00050/Header", "Checkpoint version: 1\n");
	expect(&bench, "chk00050", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, &report);
	assert_string_equal(report.verdict.problem.member, "Level_0");
}

/* Judges with Level_0 locked, as somebody without root's rights. */
static void judge_locked(struct bench *bench, struct ckpt_report *ret)
{
	bool root = geteuid() == 0;

	assert_int_equal(fchmod(bench->fd, 0755), 0);
	assert_int_equal(fchmodat(bench->fd, "d/chk00040/Level_0", 0, 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	bench_judge(bench, "d/chk00040", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, ret);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(fchmodat(bench->fd, "d/chk00040/Level_0", 0755, 0), 0);
}

/* A folder that cannot be opened may hold anything; a loose link holds nothing. */
static void test_amrex__folder_unreadable(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "chk00040 format=2 particles");
	assert_int_equal(symlinkat("nowhere", bench.fd, "d/chk00040/old_H"), 0);
	assert_int_equal(symlinkat("nowhere", bench.fd, "d/chk00040/old"), 0);
	assert_int_equal(symlinkat("loop", bench.fd, "d/chk00040/loop"), 0);
	expect(&bench, "chk00040", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	judge_locked(&bench, &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amrex__formats),
		cmocka_unit_test(test_amrex__damage),
		cmocka_unit_test(test_amrex__cuts),
		cmocka_unit_test(test_amrex__mixed),
		cmocka_unit_test(test_amrex__levels),
		cmocka_unit_test(test_amrex__names),
		cmocka_unit_test(test_amrex__folder_unreadable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
