/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verification against a seal: what is unchanged is known without reading, what differs is found
 * where it is, and a seal that is not of these files rejects nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/share.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

#define NAME "model_3.pt"
#define SEAL NAME ".metadata.json"
#define MIB 1048576

static void put(const struct scratch *dir, const char *name, long step, uint32_t floats)
{
	const struct torch_synthetic how = { .epoch = 3, .step = step, .floats = floats };

	torch_synthetic_write(dir->fd, name, &how);
}

static uint64_t size_of(const struct scratch *dir, const char *name)
{
	struct ckpt_identity id;

	assert_int_equal(ckpt_identity_at(dir->fd, name, true, &id), 0);
	return id.size;
}

static void expect(const struct ckpt_report *report, enum ckpt_status status,
		   enum ckpt_evidence evidence, enum ckpt_problem_code code)
{
	const struct ckpt_verdict *v = &report->verdict;

	if (v->status != status || v->evidence != evidence || v->problem.code != code)
		fail_msg("%s by %s, %s \"%s\" (%s)", ckpt_status_name(v->status),
			 ckpt_evidence_name(v->evidence), ckpt_problem_name(v->problem.code),
			 v->problem.detail, v->note);
}

static void expect_note(const struct ckpt_report *report, const char *words)
{
	if (!strstr(report->verdict.note, words))
		fail_msg("'%s' is not in the note \"%s\"", words, report->verdict.note);
}

/* How a file comes to be a copy of itself. */
struct copying {
	int64_t flip;	/* a byte to damage on the way; negative: none */
	int64_t resize; /* to that size; negative: not */
	bool keep_time; /* as `cp -a` does */
};

/* Puts a copy in the place of @name: another inode, later times unless they are kept. */
static void replace_by_copy(const struct scratch *dir, const char *name, const struct copying *how)
{
	struct timespec times[2];
	unsigned char *data;
	struct stat st;
	size_t size;

	assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
	data = scratch_read(dir->fd, name, &size);
	scratch_write(dir->fd, "copy", data, size);
	free(data);
	if (how->flip >= 0)
		scratch_flip(dir->fd, "copy", (uint64_t)how->flip);
	if (how->resize >= 0)
		scratch_resize(dir->fd, "copy", (uint64_t)how->resize);
	times[0] = times[1] = st.st_mtim;
	if (how->keep_time)
		assert_int_equal(utimensat(dir->fd, "copy", times, 0), 0);
	assert_int_equal(renameat(dir->fd, "copy", dir->fd, name), 0);
}

static void test_verify_seal__unchanged_is_known_unread(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report by_format, report;

	put(dir, NAME, 4500, 1000000);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &by_format);
	expect(&by_format, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	sealed_make(dir, NAME);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.bytes_read, size_of(dir, SEAL));
	assert_int_equal(report.verdict.size_bytes, size_of(dir, NAME));
	assert_ptr_equal(report.format, by_format.format);
	assert_true(report.position.has_step && report.position.step == 4500);
	assert_int_equal(report.position.meaning, by_format.position.meaning);
	assert_int_equal(report.contents, by_format.contents);
	assert_int_equal(report.n_keys, by_format.n_keys);
	assert_true(ckpt_identity_same(&report.identity, &by_format.identity));
}

static void test_verify_seal__full_reads_every_byte(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000000);
	sealed_make(dir, NAME);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.bytes_read, size_of(dir, SEAL) + size_of(dir, NAME));
	assert_true(report.position.has_step && report.position.step == 4500);
	assert_string_equal(report.verdict.note, "");
}

/* A medium that flips a bit at @off of the large file, whoever reads. */
struct rot {
	off_t off;
	int error;
	uint64_t file_size;
};

static ssize_t rotten_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct rot *rot = arg;
	ssize_t n = pread(fd, buf, len, off);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if ((uint64_t)st.st_size != rot->file_size || n < 0 || off > rot->off ||
	    rot->off >= off + n)
		return n;
	if (rot->error) {
		errno = rot->error;
		return -1;
	}
	((unsigned char *)buf)[rot->off - off] ^= 4;
	return n;
}

/* 150 MiB without blocks but for a page: a file of three chunks that costs nothing. */
static void put_large(const struct scratch *dir)
{
	static const char page[4096] = "data";

	scratch_sparse(dir->fd, "big_1.dump", 150 * MIB);
	scratch_patch(dir->fd, "big_1.dump", 0, page, sizeof(page));
	scratch_patch(dir->fd, "big_1.dump", 150 * MIB - 4096, "end", 3);
	scratch_patch(dir->fd, "big_1.dump", 150 * MIB - 4, "end", 4);
	scratch_patch(dir->fd, "big_1.dump", 150 * MIB - 1, "!", 1);
}

static void test_verify_seal__names_the_range(void **state)
{
	static const struct {
		off_t off;
		uint64_t begin;
		const char *words;
	} cases[] = {
		{ 0, 0, "bytes 0 to 67108863 differ" },
		{ 64 * MIB - 1, 0, "bytes 0 to 67108863 differ" },
		{ 64 * MIB, 64 * MIB, "bytes 67108864 to 134217727 differ" },
		{ 150 * MIB - 1, 128 * MIB, "bytes 134217728 to 157286399 differ" },
	};
	const struct scratch *dir = *state;

	put_large(dir);
	sealed_make(dir, "big_1.dump");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rot rot = { .off = cases[i].off, .file_size = 150 * MIB };
		const struct ckpt_seam seam = { .pread = rotten_pread, .arg = &rot };
		struct ckpt_ctx ctx = { .seam = &seam, .threads = 2 };
		struct ckpt_report report;

		sealed_verify(&ctx, dir, "big_1.dump", CKPT_LEVEL_FULL, &report);
		expect(&report, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST);
		assert_int_equal(report.verdict.problem.offset, cases[i].begin);
		assert_string_equal(report.verdict.problem.file, "big_1.dump");
		assert_non_null(strstr(report.verdict.problem.detail, cases[i].words));
	}
}

static void test_verify_seal__the_format_names_what_lies_there(void **state)
{
	const struct scratch *dir = *state;
	struct rot rot = { .off = 300000 };
	const struct ckpt_seam seam = { .pread = rotten_pread, .arg = &rot };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_report report;

	put(dir, NAME, 4500, 100000);
	sealed_make(dir, NAME);
	rot.file_size = size_of(dir, NAME);
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST);
	assert_non_null(strstr(report.verdict.problem.member, "data/0"));
}

static void test_verify_seal__an_error_is_no_answer(void **state)
{
	const struct scratch *dir = *state;
	struct rot rot = { .off = 300000, .error = EIO };
	const struct ckpt_seam seam = { .pread = rotten_pread, .arg = &rot };
	struct ckpt_ctx ctx = { .seam = &seam };
	struct ckpt_report report;

	put(dir, NAME, 4500, 100000);
	sealed_make(dir, NAME);
	rot.file_size = size_of(dir, NAME);
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_IO);

	sealed_put_trainer(dir, 100000);
	sealed_make(dir, "checkpoint-500");
	rot.file_size = size_of(dir, "checkpoint-500/optimizer.pt"); /* not the first of all */
	sealed_verify(&ctx, dir, "checkpoint-500", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_IO);
	assert_null(strstr(report.verdict.problem.file, "readme.txt"));
}

static void test_verify_seal__what_the_budget_cut_off_is_said(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .max_bytes = 200000 };
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000000);
	sealed_make(dir, NAME);
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_PROBLEM_NONE);
	expect_note(&report, "content not read: budget (bytes)");

	/* Of a copy nothing is known unread. */
	replace_by_copy(dir, NAME, &(struct copying) { -1, -1, true });
	ctx = (struct ckpt_ctx) { .max_bytes = 200000 };
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
}

static void test_verify_seal__a_rewritten_file_is_judged_alone(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000);
	sealed_make(dir, NAME);
	put(dir, NAME, 4600, 1000); /* same size, same inode, later */
	for (int level = CKPT_LEVEL_STRUCTURE; level <= CKPT_LEVEL_FULL; level++) {
		sealed_verify(NULL, dir, NAME, (enum ckpt_level)level, &report);
		expect(&report, CKPT_VALID,
		       level == CKPT_LEVEL_FULL ? CKPT_EVIDENCE_CHECKSUM : CKPT_EVIDENCE_STRUCTURE,
		       CKPT_PROBLEM_NONE);
		expect_note(&report, "seal ignored: " NAME " was rewritten");
		assert_int_equal(report.position.step, 4600);
	}
	scratch_flip(dir->fd, NAME, 2000);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
}

/* Another time over the bytes that were sealed: `touch`, or a tool that copies no times. */
static void test_verify_seal__a_touched_file_is_what_was_sealed(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx by_hand = { .strict = true }, start = { 0 };
	struct ckpt_ctx little = { .max_bytes = 200000, .strict = true };
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000000);
	sealed_make(dir, NAME);
	assert_int_equal(utimensat(dir->fd, NAME, NULL, 0), 0);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	expect_note(&report, "seal ignored: " NAME " was rewritten");
	sealed_verify(&little, dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	sealed_verify(&by_hand, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	assert_string_equal(report.verdict.note, "");

	/* a job's start reads nothing twice */
	sealed_verify(&start, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
	assert_true(start.bytes_read < report.verdict.size_bytes + 100000);

	/* a share's bytes prove nothing of the others */
	sealed_verify(&(struct ckpt_ctx) { .share = &(struct ckpt_share) { .index = 1, .count = 2 },
					   .strict = true },
		      dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
}

static void test_verify_seal__torn_or_edited_is_said(void **state)
{
	static const struct {
		const char *text, *note;
	} cases[] = {
		{ "{\"seal\": {", "seal ignored: the seal is torn" },
		{ "{\"seal\": {}}", "seal ignored: the seal was edited" },
		{ "", "seal ignored: the seal is torn" },
	};
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scratch_put(dir->fd, SEAL, cases[i].text);
		sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
		expect(&report, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
		expect_note(&report, cases[i].note);
	}
	scratch_put(dir->fd, SEAL, "{\"checkpoint_name\": \"somebody else's\"}");
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
	assert_string_equal(report.verdict.note, "");
}

/* The same save elsewhere: nothing is believed unread, and its bytes have to be those sealed. */
static void test_verify_seal__a_copy_has_to_be_read(void **state)
{
	static const struct {
		struct copying how;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		enum ckpt_problem_code code;
		const char *note;
	} cases[] = {
		{ { -1, -1, true }, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE, "" },
		{ { 5000, -1, true }, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST, "" },
		{ { -1, 9999, true },
		  CKPT_INCOMPLETE,
		  CKPT_EVIDENCE_NONE,
		  CKPT_PROBLEM_TRUNCATED,
		  "" },
		{ { -1, 10001, true },
		  CKPT_CORRUPT,
		  CKPT_EVIDENCE_NONE,
		  CKPT_PROBLEM_TRAILING,
		  "" },
		{ { -1, -1, false },
		  CKPT_VALID,
		  CKPT_EVIDENCE_OPAQUE,
		  CKPT_PROBLEM_NONE,
		  "rewritten" },
		{ { 5000, -1, false },
		  CKPT_VALID,
		  CKPT_EVIDENCE_OPAQUE,
		  CKPT_PROBLEM_NONE,
		  "rewritten" },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *noise = scratch_noise(10000, 1);
		struct ckpt_report report;

		scratch_write(dir->fd, "any_1.dump", noise, 10000);
		free(noise);
		sealed_make(dir, "any_1.dump");
		replace_by_copy(dir, "any_1.dump", &cases[i].how);
		sealed_verify(NULL, dir, "any_1.dump", CKPT_LEVEL_FULL, &report);
		expect(&report, cases[i].status, cases[i].evidence, cases[i].code);
		expect_note(&report, cases[i].note);
		sealed_verify(NULL, dir, "any_1.dump", CKPT_LEVEL_STRUCTURE, &report);
		assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	}
}

/* Tools that set whole seconds, or one time for everything, copy nothing. */
static void test_verify_seal__whole_seconds_prove_no_copy(void **state)
{
	static const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	const struct scratch *dir = *state;
	const struct copying how = { 5000, -1, true };
	struct ckpt_report report;
	uint8_t *noise = scratch_noise(10000, 1);

	scratch_write(dir->fd, "any_1.dump", noise, 10000);
	free(noise);
	assert_int_equal(utimensat(dir->fd, "any_1.dump", times, 0), 0);
	sealed_make(dir, "any_1.dump");
	replace_by_copy(dir, "any_1.dump", &how);
	sealed_verify(NULL, dir, "any_1.dump", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, CKPT_PROBLEM_NONE);
	expect_note(&report, "rewritten");
}

static void test_verify_seal__a_renamed_file_keeps_its_seal(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, NAME, 4500, 1000);
	sealed_make(dir, NAME);
	assert_int_equal(renameat(dir->fd, NAME, dir->fd, "best.pt"), 0);
	assert_int_equal(renameat(dir->fd, SEAL, dir->fd, "best.pt.metadata.json"), 0);
	sealed_verify(NULL, dir, "best.pt", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	assert_int_equal(fchmodat(dir->fd, "best.pt", 0600, 0), 0);
	sealed_verify(NULL, dir, "best.pt", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	expect_note(&report, "seal not used: the change time of best.pt is another (renamed, ");
}

/* Where only the identity is another, the note says which part of it, and no more than is known. */
static void test_verify_seal__note_says_what_changed(void **state)
{
	static const struct copying whole = { -1, -1, true };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	put(dir, NAME, 4500, 1000);
	sealed_make(dir, NAME);
	assert_int_equal(fstatat(dir->fd, NAME, &st, 0), 0);
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(dir->fd, NAME, times, 0), 0); /* as after a write in place */
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	assert_string_equal(report.verdict.note,
			    "seal not used: the change time of " NAME " is another (renamed, "
			    "linked, other permissions, or its time was set back)");
	replace_by_copy(dir, NAME, &whole);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	assert_string_equal(report.verdict.note,
			    "seal not used: the inode of " NAME " is another (it was copied)");
}

#define D "checkpoint-500"

static void remove_file(const struct scratch *dir)
{
	assert_int_equal(unlinkat(dir->fd, D "/optimizer.pt", 0), 0);
}

static void remove_deep(const struct scratch *dir)
{
	assert_int_equal(unlinkat(dir->fd, D "/notes/more/readme.txt", 0), 0);
}

/* Gone under its name, and another there instead: as a half rename leaves it. */
static void rename_deep(const struct scratch *dir)
{
	assert_int_equal(renameat(dir->fd, D "/notes/more/readme.txt", dir->fd,
				  D "/notes/more/readme.txt.tmp"),
			 0);
}

static void add_file(const struct scratch *dir)
{
	scratch_put(dir->fd, D "/notes/new.txt", "new");
}

static void rewrite_deep(const struct scratch *dir)
{
	scratch_put(dir->fd, D "/notes/more/readme.txt", "other");
}

static void replace_and_remove(const struct scratch *dir)
{
	remove_file(dir);
	rewrite_deep(dir);
}

static void touch_nothing(const struct scratch *dir)
{
	(void)dir;
}

static void add_ours(const struct scratch *dir)
{
	scratch_put(dir->fd, D "/.ckpt-resume/ledger.jsonl", "{}");
	scratch_put(dir->fd, D "/.nfs0001", "deleted");
	scratch_put(dir->fd, D "/.DS_Store", "looked at");
	scratch_put(dir->fd, D "/._pytorch_model.bin", "its other half");
	scratch_put(dir->fd, D "/.config.json.swp", "open in an editor");
	scratch_put(dir->fd, D "/config.json~", "edited");
	scratch_put(dir->fd, D "/.ipynb_checkpoints/config.json", "opened");
}

static void damage_copy(const struct scratch *dir)
{
	const struct copying how = { 900, -1, true };

	replace_by_copy(dir, D "/pytorch_model.bin", &how);
}

static void test_verify_seal__a_directory_counts_whole(void **state)
{
	static const struct {
		void (*act)(const struct scratch *dir);
		enum ckpt_status status;
		enum ckpt_evidence unread, read;
		const char *words; /* in the detail or the note */
	} cases[] = {
		{ touch_nothing, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_EVIDENCE_SEAL, "" },
		{ add_ours, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_EVIDENCE_SEAL, "" },
		{ remove_file, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_EVIDENCE_NONE,
		  "it is missing; the seal" },
		{ remove_deep, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_EVIDENCE_NONE,
		  "it is missing; the seal" },
		{ rename_deep, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_EVIDENCE_NONE,
		  "it is missing; the seal" },
		{ add_file, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM,
		  "notes/new.txt was added" },
		{ rewrite_deep, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM,
		  "notes/more/readme.txt was rewritten" },
		{ replace_and_remove, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM,
		  "notes/more/readme.txt was rewritten" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int level = CKPT_LEVEL_STRUCTURE; level <= CKPT_LEVEL_FULL; level++) {
			struct ckpt_report report;
			struct scratch dir;
			char words[1024];

			assert_int_equal(scratch_open(&dir), 0);
			sealed_put_trainer(&dir, 1000);
			sealed_make(&dir, D);
			cases[i].act(&dir);
			sealed_verify(NULL, &dir, D, (enum ckpt_level)level, &report);
			snprintf(words, sizeof(words), "%s %s", report.verdict.problem.detail,
				 report.verdict.note);
			if (report.verdict.status != cases[i].status ||
			    report.verdict.evidence !=
				    (level == CKPT_LEVEL_FULL ? cases[i].read : cases[i].unread) ||
			    !strstr(words, cases[i].words))
				fail_msg("case %zu, level %d: %s by %s, %s", i, level,
					 ckpt_status_name(report.verdict.status),
					 ckpt_evidence_name(report.verdict.evidence), words);
			scratch_close(&dir);
		}
	}
}

static void test_verify_seal__names_the_file_of_a_directory(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	sealed_make(dir, D);
	damage_copy(dir);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST);
	assert_string_equal(report.verdict.problem.file, "pytorch_model.bin");
	assert_true(report.position.has_step && report.position.step == 500);
}

/* A set of ranks: its members lie beside each other, and the seal beside them. */
static void test_verify_seal__a_set_of_ranks(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put(dir, "ep1-ba1-rank0.pt", 4500, 1000);
	put(dir, "ep1-ba1-rank1.pt", 4500, 1000);
	sealed_make(dir, "ep1-ba1-rank0.pt");
	sealed_verify(NULL, dir, "ep1-ba1-rank0.pt", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_PROBLEM_NONE);
	sealed_verify(NULL, dir, "ep1-ba1-rank1.pt", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	assert_int_equal(unlinkat(dir->fd, "ep1-ba1-rank1.pt", 0), 0);
	sealed_verify(NULL, dir, "ep1-ba1-rank0.pt", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "ep1-ba1-rank1.pt");
}

/* A BP3 file of no variables, whose data lie beside it or in itself. */
static void put_bp3(const struct scratch *dir, const char *name, bool beside)
{
	/* three empty indices: a count of 8 or 4 bytes, a length of 8 */
	unsigned char data[16 + 12 + 12 + 56] = { 0 }, *footer = data + 40;

	memcpy(footer, "ADIOS-BP v1.13.1", 16);
	footer[36] = 16; /* where the second and third begin */
	footer[44] = 28;
	footer[54] = beside ? 3 : 0;
	footer[55] = 3;
	scratch_write(dir->fd, name, data, sizeof(data));
}

static void test_verify_seal__data_in_a_folder_beside(void **state)
{
	static const struct copying damaged = { .flip = 3, .resize = -1, .keep_time = true };
	const struct scratch *dir = *state;
	struct ckpt_report report;

	put_bp3(dir, "run.bp", true);
	put_bp3(dir, "run.bp.dir/run.bp.0", false);
	put_bp3(dir, "run.bp.dir/run.bp.1", false);
	scratch_put(dir->fd, "run.bp.dir/notes", "nobody's");
	sealed_make(dir, "run.bp");
	sealed_verify(NULL, dir, "run.bp", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL_UNCHANGED, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.size_bytes, 3 * 96);
	sealed_verify(NULL, dir, "run.bp", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	replace_by_copy(dir, "run.bp.dir/run.bp.1", &damaged);
	sealed_verify(NULL, dir, "run.bp", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST);
	assert_string_equal(report.verdict.problem.file, "run.bp.dir/run.bp.1");
	assert_int_equal(unlinkat(dir->fd, "run.bp.dir/run.bp.1", 0), 0);
	sealed_verify(NULL, dir, "run.bp", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "run.bp.dir/run.bp.1");
	put_bp3(dir, "run.bp.dir/run.bp.1", false);
	sealed_make(dir, "run.bp");
	put_bp3(dir, "run.bp.dir/run.bp.2", false);
	sealed_verify(NULL, dir, "run.bp", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	expect_note(&report, "run.bp.dir/run.bp.2 was added");
}

static void test_verify_seal__missing_is_missing(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set;

	put(dir, NAME, 4500, 1000);
	sealed_make(dir, NAME);
	set = sealed_set(dir, &cat, NAME);
	assert_int_equal(unlinkat(dir->fd, NAME, 0), 0);
	assert_int_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL)->verdict.status, CKPT_MISSING);
}

/* What cannot be listed as a whole is not compared with its seal, which is said. */
static void test_verify_seal__unbounded_is_said(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	sealed_make(dir, "checkpoint-500");
	assert_int_equal(symlinkat("notes", dir->fd, "checkpoint-500/linked"), 0);
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
	expect_note(&report, "seal not used: 'linked' in it is a link to a directory");
}

/* A file that is a link: where its file system is gone it is out of reach, not gone. */
static void test_verify_seal__out_of_reach_is_not_missing(void **state)
{
	static const char at[] = "checkpoint-500/notes/more/linked.bin";
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	scratch_put(dir->fd, "mnt/blob", "weights");
	scratch_put(dir->fd, "checkpoint-500/notes/more/own.bin", "weights");
	assert_int_equal(symlinkat("../../../mnt/blob", dir->fd, at), 0);
	sealed_make(dir, "checkpoint-500");
	assert_int_equal(unlinkat(dir->fd, "mnt/blob", 0), 0);
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_int_equal(unlinkat(dir->fd, "mnt", AT_REMOVEDIR), 0);
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_STRUCTURE, &report);
	expect(&report, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_IO);
	assert_string_equal(report.verdict.problem.file, "notes/more/linked.bin");
}

/* No name of a seal is a candidate, whatever the user's own pattern takes. */
static void test_verify_seal__is_no_checkpoint(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_catalog_options all = { .glob = "*" };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };

	put(dir, NAME, 4500, 64);
	sealed_make(dir, NAME);
	scratch_put(dir->fd, "anything", "data");
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, dir->path, 0, &all, NULL), 0);
	assert_int_equal(cat.n_sets, 2);
	assert_null(ckpt_catalog_find(&cat, NULL, SEAL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_verify_seal__unchanged_is_known_unread),
		scratch_test(test_verify_seal__full_reads_every_byte),
		scratch_test(test_verify_seal__names_the_range),
		scratch_test(test_verify_seal__the_format_names_what_lies_there),
		scratch_test(test_verify_seal__an_error_is_no_answer),
		scratch_test(test_verify_seal__what_the_budget_cut_off_is_said),
		scratch_test(test_verify_seal__a_rewritten_file_is_judged_alone),
		scratch_test(test_verify_seal__a_touched_file_is_what_was_sealed),
		scratch_test(test_verify_seal__torn_or_edited_is_said),
		scratch_test(test_verify_seal__a_copy_has_to_be_read),
		scratch_test(test_verify_seal__whole_seconds_prove_no_copy),
		scratch_test(test_verify_seal__a_renamed_file_keeps_its_seal),
		scratch_test(test_verify_seal__note_says_what_changed),
		cmocka_unit_test(test_verify_seal__a_directory_counts_whole),
		scratch_test(test_verify_seal__names_the_file_of_a_directory),
		scratch_test(test_verify_seal__a_set_of_ranks),
		scratch_test(test_verify_seal__data_in_a_folder_beside),
		scratch_test(test_verify_seal__missing_is_missing),
		scratch_test(test_verify_seal__unbounded_is_said),
		scratch_test(test_verify_seal__out_of_reach_is_not_missing),
		scratch_test(test_verify_seal__is_no_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
