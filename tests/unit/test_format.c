/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/format.c, verdict.c and opaque.c: the table, the words, rejections, members, and
 * files of no known format.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/format/format.h"
#include "core/format/opaque.h"
#include "core/format/train/folder.h"
#include "tests/unit/support/scratch.h"

/* A check of one file in the scratch directory. */
struct desk {
	struct ckpt_ctx ctx;
	struct ckpt_file file;
	struct ckpt_report report;
	struct ckpt_error err;
	struct ckpt_check check;
};

static void desk_init(struct desk *desk, const struct scratch *dir, const char *name)
{
	*desk = (struct desk) { .file = CKPT_FILE_INIT };
	desk->check = (struct ckpt_check) { .ctx = &desk->ctx,
					    .kind = CKPT_KIND_FILE,
					    .dirfd = dir->fd,
					    .name = name,
					    .file = &desk->file,
					    .report = &desk->report,
					    .err = &desk->err };
	assert_int_equal(ckpt_file_open(&desk->ctx, dir->fd, name, &desk->file, NULL), 0);
}

static void desk_done(struct desk *desk)
{
	ckpt_file_done(&desk->file);
}
#define _cleanup_desk_ _cleanup_(desk_done)

static void test_format__table_is_sound(void **state)
{
	size_t n = 0;

	(void)state;
	for (; ckpt_formats[n]->name; n++) {
		const struct ckpt_format *row = ckpt_formats[n];

		assert_non_null(row->title);
		assert_non_null(row->sniff);
		assert_non_null(row->structure);
		assert_true(row->full == CKPT_EVIDENCE_CHECKSUM ||
			    row->full == CKPT_EVIDENCE_STRUCTURE || row == &ckpt_format_folder ||
			    row == &ckpt_format_opaque);
		assert_ptr_equal(ckpt_format_named(row->name), row); /* names are unique */
	}
	assert_ptr_equal(ckpt_formats[n - 1], &ckpt_format_opaque);
	assert_null(ckpt_format_named("no-such-format"));
}

static void test_format__words_of_the_contract(void **state)
{
	static const char *const problems[CKPT_PROBLEM_COUNT] = {
		"none",		 "empty",      "truncated",	"trailing",	  "zero-tail",
		"sparse-hole",	 "header",     "directory",	"member-missing", "member-extra",
		"checksum",	 "digest",     "shard-missing", "shard-mismatch", "mixed-saves",
		"pointer-stale", "non-finite", "nesting-limit", "lfs-pointer",	  "unfinished-name",
		"writer-active", "io",
	};

	(void)state;
	for (int i = 0; i < CKPT_PROBLEM_COUNT; i++)
		assert_string_equal(ckpt_problem_name(i), problems[i]);
	assert_string_equal(ckpt_status_name(CKPT_VALID), "valid");
	assert_string_equal(ckpt_status_name(CKPT_INCOMPLETE), "incomplete");
	assert_string_equal(ckpt_status_name(CKPT_CORRUPT), "corrupt");
	assert_string_equal(ckpt_status_name(CKPT_UNREADABLE), "unreadable");
	assert_string_equal(ckpt_status_name(CKPT_MISSING), "missing");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_SEAL), "seal");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_CHECKSUM), "checksum");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_SEAL_UNCHANGED), "seal-unchanged");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_STRUCTURE), "structure");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_OPAQUE), "opaque");
	assert_string_equal(ckpt_evidence_name(CKPT_EVIDENCE_NONE), "none");
	assert_string_equal(ckpt_meaning_name(CKPT_EPOCH_COMPLETED), "completed");
	assert_string_equal(ckpt_meaning_name(CKPT_EPOCH_SAVE_COUNTER), "save-counter");
	assert_string_equal(ckpt_source_name(CKPT_FROM_CONTENT), "content");
	assert_string_equal(ckpt_contents_name(CKPT_CONTENTS_WEIGHTS), "weights");
	assert_string_equal(ckpt_contents_name(CKPT_CONTENTS_FULL), "full");
}

static void test_format__words_of_nonsense(void **state)
{
	(void)state;
	assert_string_equal(ckpt_status_name((enum ckpt_status)99), "unknown");
	assert_string_equal(ckpt_problem_name(CKPT_PROBLEM_COUNT), "unknown");
	assert_string_equal(ckpt_evidence_name((enum ckpt_evidence) - 1), "unknown");
	assert_string_equal(ckpt_meaning_name((enum ckpt_meaning)99), "unknown");
	assert_string_equal(ckpt_source_name((enum ckpt_source)99), "unknown");
	assert_string_equal(ckpt_contents_name((enum ckpt_contents)99), "unknown");
}

static void test_format__evidence_is_ordered(void **state)
{
	(void)state;
	assert_true(CKPT_EVIDENCE_SEAL > CKPT_EVIDENCE_CHECKSUM);
	assert_true(CKPT_EVIDENCE_CHECKSUM > CKPT_EVIDENCE_SEAL_UNCHANGED);
	assert_true(CKPT_EVIDENCE_SEAL_UNCHANGED > CKPT_EVIDENCE_STRUCTURE);
	assert_true(CKPT_EVIDENCE_STRUCTURE > CKPT_EVIDENCE_OPAQUE);
}

static void test_format__keys_are_kept_once_cut_and_clean(void **state)
{
	struct ckpt_report report = { 0 };
	char name[200];

	(void)state;
	ckpt_report_add_key(&report, "model", 5);
	ckpt_report_add_key(&report, "modelling", 5);
	ckpt_report_add_key(&report, "a\0b\nc", 5);
	assert_int_equal(report.n_keys, 2);
	assert_true(ckpt_report_has_key(&report, "model"));
	assert_true(ckpt_report_has_key(&report, "a?b?c"));
	assert_false(ckpt_report_has_key(&report, "mode"));
	memset(name, 'k', sizeof(name));
	ckpt_report_add_key(&report, name, sizeof(name));
	assert_int_equal(strlen(report.keys[2]), 63);
	for (int i = 3; i < CKPT_REPORT_KEYS; i++)
		ckpt_report_add_key(&report, name, (size_t)i);
	assert_int_equal(report.n_keys, CKPT_REPORT_KEYS - 1); /* 63 k were there already */
	ckpt_report_add_key(&report, "the last", 8);
	ckpt_report_add_key(&report, "model", 5);
	assert_int_equal(report.n_keys, CKPT_REPORT_KEYS);
	assert_false(report.keys_cut);
	ckpt_report_add_key(&report, "one more", 8);
	assert_true(report.keys_cut);
	assert_int_equal(report.n_keys, CKPT_REPORT_KEYS);
}

static void test_format__first_rejection_wins(void **state)
{
	_cleanup_desk_ struct desk desk;
	const struct ckpt_problem *problem = &desk.report.verdict.problem;

	scratch_put(((struct scratch *)*state)->fd, "file\n", "data");
	desk_init(&desk, *state, "file\n");
	ckpt_check_remark(&desk.check, CKPT_PROBLEM_TRAILING, 4, "%d bytes behind it", 9);
	assert_int_equal(problem->code, CKPT_PROBLEM_TRAILING);
	ckpt_check_remark(&desk.check, CKPT_PROBLEM_HEADER, 5, "another");
	assert_int_equal(problem->code, CKPT_PROBLEM_TRAILING); /* the first remark stays */
	assert_int_equal(desk.report.verdict.status, CKPT_VALID);

	assert_int_equal(ckpt_check_reject(&desk.check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, 7,
					   "data/\0330", "no %s", "good\n"),
			 CKPT_CORRUPT);
	assert_int_equal(ckpt_check_reject(&desk.check, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, 8,
					   NULL, "later"),
			 CKPT_CORRUPT);
	ckpt_check_remark(&desk.check, CKPT_PROBLEM_TRAILING, 4, "too late");
	assert_int_equal(desk.report.verdict.status, CKPT_CORRUPT);
	assert_int_equal(problem->code, CKPT_PROBLEM_CHECKSUM);
	assert_int_equal(problem->offset, 7);
	assert_string_equal(problem->file, "file?");
	assert_string_equal(problem->member, "data/?0");
	assert_string_equal(problem->detail, "no good?");
}

static void test_format__long_texts_are_cut(void **state)
{
	_cleanup_desk_ struct desk desk;
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	scratch_put(((struct scratch *)*state)->fd, "file", "data");
	desk_init(&desk, *state, "file");
	ckpt_check_reject(&desk.check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, text, "%s", text);
	assert_int_equal(strlen(desk.report.verdict.problem.member), 255);
	assert_int_equal(strlen(desk.report.verdict.problem.detail), 383);
}

static void test_format__read_turns_short_into_truncated(void **state)
{
	_cleanup_desk_ struct desk desk;
	char buf[8];

	scratch_put(((struct scratch *)*state)->fd, "file", "data");
	desk_init(&desk, *state, "file");
	assert_int_equal(ckpt_check_read(&desk.check, 0, buf, 4, "all"), 0);
	assert_int_equal(ckpt_check_read(&desk.check, 2, buf, 4, "the header"), CKPT_INCOMPLETE);
	assert_int_equal(desk.report.verdict.problem.code, CKPT_PROBLEM_TRUNCATED);
	assert_int_equal(desk.report.verdict.problem.offset, 2);
	assert_non_null(strstr(desk.report.verdict.problem.detail, "the header"));
}

static void test_format__probe_takes_both_ends(void **state)
{
	static const struct {
		size_t size;
		uint32_t n_head, n_tail;
	} cases[] = { { 0, 0, 0 },	{ 1, 1, 1 },	  { 63, 63, 63 },
		      { 100, 100, 64 }, { 512, 512, 64 }, { 70000, 512, 64 } };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ uint8_t *data = scratch_noise(cases[i].size, 3);
		const struct ckpt_head *head;
		_cleanup_desk_ struct desk desk;

		scratch_write(dir->fd, "file", data, cases[i].size);
		desk_init(&desk, dir, "file");
		head = &desk.check.head;
		assert_int_equal(ckpt_check_probe(&desk.check), 0);
		assert_int_equal(head->size, cases[i].size);
		assert_int_equal(head->n_head, cases[i].n_head);
		assert_int_equal(head->n_tail, cases[i].n_tail);
		assert_memory_equal(head->head, data, head->n_head);
		assert_memory_equal(head->tail, data + cases[i].size - head->n_tail, head->n_tail);
	}
}

#define OID "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
#define LFS "version https://git-lfs.github.com/spec/v1\n"

static void test_format__judges_files_of_no_format(void **state)
{
	static const struct {
		const char *text;
		int expected;
		enum ckpt_problem_code code;
		const char *word;
	} cases[] = {
		{ "anything", 0, CKPT_PROBLEM_NONE, "" },
		{ "", CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, "empty" },
		{ LFS "oid sha256:" OID "\nsize 12345\n", CKPT_INCOMPLETE, CKPT_PROBLEM_LFS_POINTER,
		  "a Git LFS pointer to 12.3 KB, not the data (12345 bytes, sha256 " OID
		  "): run `git lfs pull`" },
		{ LFS "ext-0-foo sha256:0\r\noid sha256:" OID "\r\nsize 7\r\n", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_LFS_POINTER, "to 7 B, not the data (7 bytes" },
		{ LFS, 0, CKPT_PROBLEM_NONE, "" },
		{ LFS "size 12345\n", 0, CKPT_PROBLEM_NONE, "" },
		{ LFS "oid sha256:" OID "\n", 0, CKPT_PROBLEM_NONE, "" },
		{ " " LFS "oid sha256:" OID "\nsize 12345\n", 0, CKPT_PROBLEM_NONE, "" },
		{ "version https://git-lfs.github.com/spec/v", 0, CKPT_PROBLEM_NONE, "" },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_desk_ struct desk desk;

		scratch_put(dir->fd, "file", cases[i].text);
		desk_init(&desk, dir, "file");
		if (ckpt_check_run(&desk.check, CKPT_LEVEL_FULL) != cases[i].expected)
			fail_msg("%s", cases[i].text);
		assert_int_equal(desk.report.verdict.problem.code, cases[i].code);
		assert_non_null(strstr(desk.report.verdict.problem.detail, cases[i].word));
		assert_int_equal(desk.report.verdict.size_bytes, strlen(cases[i].text));
		if (cases[i].expected == 0)
			assert_int_equal(desk.report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	}
}

static void test_format__long_text_is_no_lfs_pointer(void **state)
{
	const struct scratch *dir = *state;
	static const char lfs[] = LFS "oid sha256:" OID "\nsize 12345\n";
	static char text[1025];
	_cleanup_desk_ struct desk large, small;

	memset(text, 'x', 1024);
	memcpy(text, lfs, sizeof(lfs) - 1);
	scratch_put(dir->fd, "large", text);
	text[1023] = '\0';
	scratch_put(dir->fd, "small", text);
	desk_init(&large, dir, "large");
	desk_init(&small, dir, "small");
	assert_int_equal(ckpt_check_run(&large.check, CKPT_LEVEL_FULL), 0);
	assert_int_equal(ckpt_check_run(&small.check, CKPT_LEVEL_FULL), CKPT_INCOMPLETE);
}

static void test_format__opaque_end_of_zeros(void **state)
{
	static const struct {
		size_t size, zeros;
		int expected;
	} cases[] = {
		{ 1, 1, CKPT_INCOMPLETE },
		{ 1, 0, 0 },
		{ 4096, 4096, CKPT_INCOMPLETE },
		{ 4096, 4095, CKPT_INCOMPLETE },
		{ 4096, 2049, CKPT_INCOMPLETE },
		{ 4096, 2048, 0 },
		{ 1000, 512, CKPT_INCOMPLETE },
		{ 600, 511, 0 },
		{ 8190, 4095, 0 },
		{ 8191, 4096, CKPT_INCOMPLETE },
		{ 9000, 9000, CKPT_INCOMPLETE },
		{ 9000, 4096, CKPT_INCOMPLETE },
		{ 9000, 4095, 0 },
		{ 9000, 64, 0 },
		{ 9000, 63, 0 },
		{ 9000, 0, 0 },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ uint8_t *data = malloc(cases[i].size);
		_cleanup_desk_ struct desk desk;

		memset(data, 'd', cases[i].size);
		memset(data + cases[i].size - cases[i].zeros, 0, cases[i].zeros);
		scratch_write(dir->fd, "file", data, cases[i].size);
		desk_init(&desk, dir, "file");
		assert_int_equal(ckpt_check_run(&desk.check, CKPT_LEVEL_STRUCTURE),
				 cases[i].expected);
		assert_ptr_equal(desk.report.format, &ckpt_format_opaque);
		if (cases[i].expected)
			assert_int_equal(desk.report.verdict.problem.code, CKPT_PROBLEM_ZERO_TAIL);
		assert_true(desk.ctx.bytes_read <= 512 + 64 + 4096);
	}
}

static void test_format__huge_hole_is_read_at_its_ends(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_desk_ struct desk desk;

	scratch_sparse(dir->fd, "huge", UINT64_C(1) << 42);
	desk_init(&desk, dir, "huge");
	assert_int_equal(ckpt_check_run(&desk.check, CKPT_LEVEL_FULL), CKPT_INCOMPLETE);
	assert_int_equal(desk.report.verdict.problem.offset, (UINT64_C(1) << 42) - 4096);
	assert_true(desk.ctx.bytes_read < 10000);
}

static void test_format__cap_lowers_only(void **state)
{
	_cleanup_desk_ struct desk desk;
	struct ckpt_verdict *verdict = &desk.report.verdict;

	scratch_put(((struct scratch *)*state)->fd, "file", "data");
	desk_init(&desk, *state, "file");
	verdict->evidence = CKPT_EVIDENCE_STRUCTURE;
	ckpt_check_cap(&desk.check, CKPT_EVIDENCE_CHECKSUM, "not this");
	assert_int_equal(verdict->evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_string_equal(verdict->note, "");
	ckpt_check_cap(&desk.check, CKPT_EVIDENCE_OPAQUE, "no checksums in %s\n", "it");
	assert_int_equal(verdict->evidence, CKPT_EVIDENCE_OPAQUE);
	assert_string_equal(verdict->note, "no checksums in it?");
}

/* What the made-up row below does when it is asked. */
static struct {
	int structure, content;
	enum ckpt_evidence cap;
	uint64_t size;
	enum ckpt_evidence seen[2];
} act;

static int act_structure(struct ckpt_check *check)
{
	act.seen[0] = check->report->verdict.evidence;
	if (check->kind != CKPT_KIND_FILE)
		check->report->verdict.size_bytes += 100;
	return act.structure;
}

static int act_content(struct ckpt_check *check)
{
	act.seen[1] = check->report->verdict.evidence;
	check->report->verdict.size_bytes += act.size;
	if (act.cap)
		ckpt_check_cap(check, act.cap, "no checksums stored");
	return act.content;
}

static const struct ckpt_format act_row = {
	.name = "act",
	.title = "made up",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.structure = act_structure,
	.content = act_content,
};

static void test_format__evidence_is_what_was_proved(void **state)
{
	static const struct {
		enum ckpt_level level;
		int structure, content;
		enum ckpt_evidence cap;
		int expected;
		enum ckpt_evidence evidence;
		const char *note;
	} cases[] = {
		{ CKPT_LEVEL_STRUCTURE, 0, -EIO, 0, 0, CKPT_EVIDENCE_STRUCTURE, "" },
		{ CKPT_LEVEL_FULL, 0, 0, 0, 0, CKPT_EVIDENCE_CHECKSUM, "" },
		{ CKPT_LEVEL_FULL, 0, 0, CKPT_EVIDENCE_STRUCTURE, 0, CKPT_EVIDENCE_STRUCTURE,
		  "no checksums stored" },
		{ CKPT_LEVEL_FULL, 0, -ETIMEDOUT, 0, 0, CKPT_EVIDENCE_STRUCTURE,
		  "content not read: budget (time)" },
		{ CKPT_LEVEL_FULL, 0, -EDQUOT, 0, 0, CKPT_EVIDENCE_STRUCTURE,
		  "content not read: budget (bytes)" },
		{ CKPT_LEVEL_FULL, 0, -ETIMEDOUT, CKPT_EVIDENCE_OPAQUE, 0, CKPT_EVIDENCE_OPAQUE,
		  "content not read: budget (time)" },
		{ CKPT_LEVEL_FULL, -ETIMEDOUT, 0, 0, -ETIMEDOUT, CKPT_EVIDENCE_STRUCTURE, "" },
		{ CKPT_LEVEL_FULL, 0, -EIO, 0, -EIO, CKPT_EVIDENCE_CHECKSUM, "" },
		{ CKPT_LEVEL_FULL, 0, CKPT_CORRUPT, 0, CKPT_CORRUPT, CKPT_EVIDENCE_CHECKSUM, "" },
	};
	const struct scratch *dir = *state;

	scratch_put(dir->fd, "file", "data");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_desk_ struct desk desk;

		act.structure = cases[i].structure;
		act.content = cases[i].content;
		act.cap = cases[i].cap;
		act.size = 0;
		desk_init(&desk, dir, "file");
		assert_int_equal(ckpt_check_as(&desk.check, &act_row, cases[i].level),
				 cases[i].expected);
		assert_ptr_equal(desk.report.format, &act_row);
		assert_int_equal(act.seen[0], CKPT_EVIDENCE_STRUCTURE);
		if (cases[i].expected <= 0 && cases[i].expected != -EIO)
			assert_int_equal(desk.report.verdict.evidence, cases[i].evidence);
		assert_string_equal(desk.report.verdict.note, cases[i].note);
	}
	assert_int_equal(act.seen[1], CKPT_EVIDENCE_CHECKSUM);
}

/* A set's check in the scratch directory, as a directory's row makes it. */
static struct ckpt_check set_check(struct desk *desk, const struct scratch *dir)
{
	*desk = (struct desk) { .file = CKPT_FILE_INIT };
	desk->report.verdict.evidence = CKPT_EVIDENCE_CHECKSUM;
	return (struct ckpt_check) { .ctx = &desk->ctx,
				     .kind = CKPT_KIND_DIRECTORY,
				     .dirfd = dir->fd,
				     .name = "set",
				     .report = &desk->report,
				     .err = &desk->err };
}

static int member(struct ckpt_check *check, const char *name, struct ckpt_report *ret)
{
	return ckpt_check_member(check, name, CKPT_LEVEL_FULL, CKPT_PROBLEM_SHARD_MISSING, ret);
}

static void test_format__members_fold(void **state)
{
	const struct scratch *dir = *state;
	struct desk desk;
	struct ckpt_check check = set_check(&desk, dir);
	const struct ckpt_verdict *verdict = &desk.report.verdict;
	struct ckpt_report own;

	scratch_put(dir->fd, "a", "12345");
	scratch_put(dir->fd, "b", "123");
	scratch_put(dir->fd, "empty", "");
	assert_int_equal(member(&check, "a", NULL), 0);
	assert_int_equal(verdict->evidence, CKPT_EVIDENCE_OPAQUE); /* the weakest member's */
	assert_int_equal(member(&check, "b", &own), 0);
	assert_int_equal(verdict->size_bytes, 8);
	assert_int_equal(own.verdict.size_bytes, 3);
	assert_int_equal(own.identity.size, 3);
	assert_ptr_equal(own.format, &ckpt_format_opaque);
	assert_int_equal(member(&check, "empty", &own), CKPT_INCOMPLETE);
	assert_int_equal(verdict->problem.code, CKPT_PROBLEM_EMPTY);
	assert_string_equal(verdict->problem.file, "empty");
	assert_int_equal(member(&check, "gone", NULL), CKPT_INCOMPLETE);
	assert_int_equal(verdict->problem.code, CKPT_PROBLEM_EMPTY); /* the first stays */
	assert_int_equal(member(&check, "a", NULL), 0);
	assert_int_equal(verdict->status, CKPT_INCOMPLETE);
}

static void test_format__sizes_of_a_set_count_once(void **state)
{
	static const struct {
		uint64_t content, total;
	} cases[] = { { 0, 100 }, { 60, 100 }, { 100, 100 }, { 150, 150 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct desk desk;
		struct ckpt_check check = set_check(&desk, *state);

		memset(&act, 0, sizeof(act));
		act.size = cases[i].content;
		assert_int_equal(ckpt_check_as(&check, &act_row, CKPT_LEVEL_FULL), 0);
		assert_int_equal(desk.report.verdict.size_bytes, cases[i].total);
	}
}

static int structure_with_opaque_member(struct ckpt_check *check)
{
	return ckpt_check_member(check, "a", CKPT_LEVEL_FULL, CKPT_PROBLEM_SHARD_MISSING, NULL);
}

static void test_format__opaque_member_stays_the_weakest(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_format row = act_row;
	struct desk desk;
	struct ckpt_check check = set_check(&desk, dir);

	memset(&act, 0, sizeof(act));
	row.structure = structure_with_opaque_member;
	scratch_put(dir->fd, "a", "opaque");
	assert_int_equal(ckpt_check_as(&check, &row, CKPT_LEVEL_FULL), 0);
	assert_int_equal(desk.report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

static void test_format__unknown_set(void **state)
{
	struct desk desk;
	struct ckpt_check check = set_check(&desk, *state);

	assert_int_equal(ckpt_check_run(&check, CKPT_LEVEL_FULL), CKPT_UNREADABLE);
	assert_int_equal(desk.report.verdict.problem.code, CKPT_PROBLEM_HEADER);
	assert_string_equal(desk.report.verdict.problem.file, "set");
	assert_null(desk.report.format);
}

static void test_format__members_that_are_none(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		const char *name;
		int expected;
		enum ckpt_problem_code code;
	} cases[] = {
		{ "gone", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ "dangling", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ "fifo", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER },
		{ "zero", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER },
		{ "loop", -ELOOP, CKPT_PROBLEM_NONE },
	};

	assert_int_equal(symlinkat("nowhere", dir->fd, "dangling"), 0);
	assert_int_equal(symlinkat("/dev/zero", dir->fd, "zero"), 0);
	assert_int_equal(symlinkat("loop", dir->fd, "loop"), 0);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0666), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct desk desk;
		struct ckpt_check check = set_check(&desk, dir);

		assert_int_equal(member(&check, cases[i].name, NULL), cases[i].expected);
		assert_int_equal(desk.report.verdict.problem.code, cases[i].code);
		assert_true(!cases[i].code ||
			    strcmp(desk.report.verdict.problem.file, cases[i].name) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format__table_is_sound),
		cmocka_unit_test(test_format__words_of_the_contract),
		cmocka_unit_test(test_format__words_of_nonsense),
		cmocka_unit_test(test_format__evidence_is_ordered),
		cmocka_unit_test(test_format__keys_are_kept_once_cut_and_clean),
		scratch_test(test_format__first_rejection_wins),
		scratch_test(test_format__long_texts_are_cut),
		scratch_test(test_format__read_turns_short_into_truncated),
		scratch_test(test_format__probe_takes_both_ends),
		scratch_test(test_format__judges_files_of_no_format),
		scratch_test(test_format__long_text_is_no_lfs_pointer),
		scratch_test(test_format__opaque_end_of_zeros),
		scratch_test(test_format__huge_hole_is_read_at_its_ends),
		scratch_test(test_format__cap_lowers_only),
		scratch_test(test_format__evidence_is_what_was_proved),
		scratch_test(test_format__sizes_of_a_set_count_once),
		scratch_test(test_format__opaque_member_stays_the_weakest),
		scratch_test(test_format__unknown_set),
		scratch_test(test_format__members_fold),
		scratch_test(test_format__members_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
