/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orbax's own test checkpoints: those it calls critically altered fail, all others pass; and each
 * of them damaged further.
 */
#include "core/format/jax/orbax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define SAMPLES CKPT_SAMPLES "/orbax/v0_checkpoints"
#define ITEM "present/pytree_checkpointable_has_metadata"

/* Copies all samples into the bench; the test is skipped where there are none. */
static void put(struct bench *bench)
{
	char command[512];

	bench_init(bench);
	snprintf(command, sizeof(command), "cp -r " SAMPLES "/. %s/ 2>/dev/null", bench->path);
	if (system(command) == 0)
		return;
	print_message("skipped: no samples of Orbax\n");
	bench_done(bench);
	skip();
}

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	real_dirs_judge(bench, name, "orbax", ret);
}

static void test_orbax__samples(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_status status;
	} rows[] = {
		{ "checkpoint_metadata_missing/pytree_checkpointable_has_metadata", CKPT_VALID },
		{ "checkpoint_metadata_missing/pytree_checkpointable_missing_metadata",
		  CKPT_VALID },
		{ "checkpoint_metadata_present/pytree_checkpointable_has_metadata", CKPT_VALID },
		{ "checkpoint_metadata_present/pytree_checkpointable_missing_metadata",
		  CKPT_VALID },
		{ "critical_metadata_alterations/missing_pytree_data_dir_d", CKPT_INCOMPLETE },
		{ "critical_metadata_alterations/missing_pytree_data_file_manifest.ocdbt",
		  CKPT_INCOMPLETE },
#define GOOD(name) { "non_critical_metadata_alterations/missing_" name, CKPT_VALID }
		GOOD("commit_timestamp_nsecs_metadata"),
		GOOD("custom_metadata_metadata"),
		GOOD("init_timestamp_nsecs_metadata"),
		GOOD("item_handlers_metadata"),
		GOOD("metrics_metadata"),
		GOOD("performance_metrics_metadata"),
		GOOD("pytree_data_dir_array_metadatas"),
		GOOD("pytree_data_file__sharding"),
	};
	static const char *const forms[] = { "composite_checkpoint", "direct_checkpoint" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[256];

	(void)state;
	put(&bench);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", forms[i % 2], rows[i / 2].name);
		judge(&bench, path, &report);
		if (report.verdict.status != rows[i / 2].status)
			print_error("%s:\n", path);
		bench_expect(&report, rows[i / 2].status,
			     rows[i / 2].status ? CKPT_PROBLEM_MEMBER_MISSING : CKPT_PROBLEM_NONE);
		/* beside the tree, whose values lie in its nodes, the first form has plain JSON */
		if (!rows[i / 2].status)
			assert_int_equal(report.verdict.evidence,
					 i % 2 ? CKPT_EVIDENCE_CHECKSUM : CKPT_EVIDENCE_STRUCTURE);
	}
}

#define COMPOSITE "composite_checkpoint/checkpoint_metadata_" ITEM
#define DIRECT "direct_checkpoint/checkpoint_metadata_" ITEM

static void test_orbax__damage(void **state)
{
	static const struct {
		const char *name;
		struct real_dirs_damage damage;
	} rows[] = {
#define M "manifest.ocdbt"
#define P "ocdbt.process_0/" M
#define META CKPT_ORBAX_METADATA
#define I CKPT_INCOMPLETE
		{ DIRECT, { M, REAL_DIRS_FLIP, 30, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM } },
		{ DIRECT, { M, REAL_DIRS_FLIP, 113, CKPT_CORRUPT, CKPT_PROBLEM_HEADER } },
		{ DIRECT, { M, REAL_DIRS_CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		{ DIRECT, { M, REAL_DIRS_GROW, 1, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING } },
		{ DIRECT, { M, REAL_DIRS_EMPTY, 0, I, CKPT_PROBLEM_EMPTY } },
		{ DIRECT, { M, REAL_DIRS_CUT, 110, I, CKPT_PROBLEM_TRUNCATED } },
		{ DIRECT, { P, REAL_DIRS_FLIP, 9, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM } },
		{ DIRECT, { P, REAL_DIRS_REMOVE, 0, I, CKPT_PROBLEM_MEMBER_MISSING } },
		{ DIRECT, { META, REAL_DIRS_CUT, 3, I, CKPT_PROBLEM_TRUNCATED } },
		{ DIRECT, { "_METADATA", REAL_DIRS_CUT, 3, I, CKPT_PROBLEM_TRUNCATED } },
		{ COMPOSITE,
		  { "state/" M, REAL_DIRS_FLIP, 30, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM } },
		{ COMPOSITE, { "state/" M, REAL_DIRS_REMOVE, 0, I, CKPT_PROBLEM_MEMBER_MISSING } },
		{ COMPOSITE, { "state/" P, REAL_DIRS_CUT, 9, I, CKPT_PROBLEM_TRUNCATED } },
		{ COMPOSITE, { "metadata/metadata", REAL_DIRS_CUT, 2, I, CKPT_PROBLEM_TRUNCATED } },
		{ COMPOSITE, { "state/_METADATA", REAL_DIRS_EMPTY, 0, I, CKPT_PROBLEM_TRUNCATED } },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		real_dirs_damage(&bench, rows[i].name, "orbax", &rows[i].damage);
}

/* Data files: empty ones, and a node that begins one. */
static void test_orbax__data_files(void **state)
{
	static const char good[] =
		"for d in glob.glob(P + '/d/*') + glob.glob(P + '/ocdbt.process_0/d/*'):\n"
		"    b = open(d, 'rb').read()\n";
	static const struct {
		const char *change;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "    open(d, 'wb').write(b)\n", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "    open(d, 'wb').close()\n", CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
		{ "    if b[:2] == b'\\x0c\\xdb': b = b[:20] + bytes([b[20] ^ 1]) + b[21:]\n"
		  "    open(d, 'wb').write(b)\n",
		  CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ "    if b[:2] == b'\\x0c\\xdb': b = b[:30]\n"
		  "    open(d, 'wb').write(b)\n",
		  CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char script[1024];

		put(&bench);
		snprintf(script, sizeof(script), "import glob\nP = '" DIRECT "'\n%s%s", good,
			 rows[i].change);
		assert_true(bench_python(&bench, script));
		judge(&bench, DIRECT, &report);
		bench_expect(&report, rows[i].status, rows[i].code);
	}
}

static void test_orbax__metadata(void **state)
{
	static const struct {
		const char *text;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "{\"item_handlers\": {\"state\": \"PyTree\"}, \"metrics\": {\"loss\": 0.5}}",
		  CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "{\"item_handlers\": {\"state\": null}, \"commit_timestamp_nsecs\": 5}",
		  CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "{\"item_handlers\": {\"state\": \"x\"}, \"commit_timestamp_nsecs\": null}",
		  CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
		{ "{\"item_handlers\": {\"state\": \"x\", \"gone\": \"y\"}}", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "{\"item_handlers\": {\"../x\": \"y\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"item_handlers\": {\"\": \"y\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"item_handlers\"", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_text(&bench, COMPOSITE "/" CKPT_ORBAX_METADATA, rows[i].text);
		judge(&bench, COMPOSITE, &report);
		if (report.verdict.status != rows[i].status)
			print_error("%s\n", rows[i].text);
		bench_expect(&report, rows[i].status, rows[i].code);
		if (i == 0)
			assert_true(report.position.has_loss && report.position.loss == 0.5);
	}
}

/* JSON items have one file of any name: the manager's metrics bear their own. */
static void test_orbax__json_items(void **state)
{
	static const char *const handlers =
		"{\"item_handlers\": {\"state\": \"a.PyTreeCheckpointHandler\", "
		"\"metrics\": \"a.JsonCheckpointHandler\"}, \"commit_timestamp_nsecs\": 5}";
	static const struct {
		const char *file, *text;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "metrics/metrics", "{\"loss\": 0.5}", CKPT_PROBLEM_NONE },
		{ "metrics/mine.json", "{}", CKPT_PROBLEM_NONE },
		{ "metrics/metrics", "{\"loss\": ", CKPT_PROBLEM_TRUNCATED },
		{ "metrics/metrics", "", CKPT_PROBLEM_TRUNCATED },
		{ "metrics/commit_success.txt", "committed", CKPT_PROBLEM_MEMBER_MISSING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char path[256];

		put(&bench);
		bench_text(&bench, COMPOSITE "/" CKPT_ORBAX_METADATA, handlers);
		snprintf(path, sizeof(path), COMPOSITE "/%s", rows[i].file);
		bench_text(&bench, path, rows[i].text);
		if (i % 2 == 0)
			bench_text(&bench, COMPOSITE "/metrics/commit_success.txt", "committed");
		judge(&bench, COMPOSITE, &report);
		bench_expect(&report, rows[i].code ? CKPT_INCOMPLETE : CKPT_VALID, rows[i].code);
	}
}

/* {"step": 5, "w": "PLACEHOLDER://w"}, in flax's form */
static const char aggregate[] = "\x82\xa4step\x05\xa1w\xafPLACEHOLDER://w";

/* Until 0.5 a file of small values and of the tree's names lay beside the arrays: it is not they.
 */
static void test_orbax__aggregate_beside_store(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	bench_write(&bench, DIRECT "/checkpoint", aggregate, sizeof(aggregate) - 1);
	judge(&bench, DIRECT, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_remove(&bench, DIRECT "/" M);
	judge(&bench, DIRECT, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, M);
}

static void test_orbax__aggregate_beside_folders(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_generate(&bench, "make_orbax.py"))
		skip();
	bench_write(&bench, "dir-raw/checkpoint", aggregate, sizeof(aggregate) - 1);
	judge(&bench, "dir-raw", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_true(report.position.has_step && report.position.step == 5);
	bench_remove(&bench, "dir-raw/a/1.0");
	judge(&bench, "dir-raw", &report);
	assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	bench_remove(&bench, "dir-raw/_METADATA");
	bench_resize(&bench, "dir-raw/a/0.0", 5);
	judge(&bench, "dir-raw", &report);
	assert_int_not_equal(report.verdict.status, CKPT_VALID);
	/* all of it in the one file */
	bench_write(&bench, "one/checkpoint", aggregate, sizeof(aggregate) - 1);
	judge(&bench, "one", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* Metadata alone, every item lost. */
static void test_orbax__nothing_in_it(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "7/" CKPT_ORBAX_METADATA, "{\"metrics\": {}}");
	judge(&bench, "7", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	bench_text(&bench, "7/" CKPT_ORBAX_METADATA, "{\"item_handlers\": \"x\"}");
	judge(&bench, "7", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "manifest.ocdbt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orbax__samples),
		cmocka_unit_test(test_orbax__damage),
		cmocka_unit_test(test_orbax__data_files),
		cmocka_unit_test(test_orbax__metadata),
		cmocka_unit_test(test_orbax__json_items),
		cmocka_unit_test(test_orbax__aggregate_beside_store),
		cmocka_unit_test(test_orbax__aggregate_beside_folders),
		cmocka_unit_test(test_orbax__nothing_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
