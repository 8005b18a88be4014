/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampled reads of a sealed checkpoint, and seals under a budget: what was read is said, and never
 * passed off as more. The files are all holes, so that their digests are known without reading.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

#define NAME "huge-500"
#define MIB UINT64_C(1048576)
#define CHUNK (64 * MIB)

/* A medium that remembers which chunks of the data were read, and has one bad byte. */
struct medium {
	uint64_t bad;	    /* chunk, counted over all files of 32 chunks; UINT64_MAX = none */
	uint8_t seen[1024]; /* by that count */
	uint64_t reads, bytes, allowed;
};

static uint64_t size_of_fd(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);

	assert_true(size >= 0);
	return (uint64_t)size;
}

/* Files are told apart by their sizes: file number i has i bytes more than 32 chunks less 1 MiB. */
static ssize_t medium_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct medium *m = arg;
	uint64_t size = size_of_fd(fd), chunk;

	if (size < 31 * CHUNK)
		return pread(fd, buf, len, off);
	chunk = (size - (32 * CHUNK - MIB)) * 32 + (uint64_t)off / CHUNK;
	assert_true(chunk < sizeof(m->seen));
	m->seen[chunk] = 1;
	m->bytes += len;
	memset(buf, 0, len);
	if (chunk == m->bad && (uint64_t)off % CHUNK == 0)
		((char *)buf)[0] = 1;
	return (ssize_t)len;
}

static void put_huge(const struct scratch *dir, size_t files)
{
	uint64_t sizes[16];

	for (size_t i = 0; i < files; i++)
		sizes[i] = 32 * CHUNK - MIB + i;
	sealed_put_holes(dir, NAME, sizes, files);
}

static int count(const struct medium *m, size_t begin, size_t end)
{
	int n = 0;

	for (size_t i = begin; i < end; i++)
		n += m->seen[i];
	return n;
}

static void sample(const struct scratch *dir, struct medium *m, uint64_t seed,
		   struct ckpt_report *ret)
{
	const struct ckpt_seam seam = { .pread = medium_pread, .arg = m };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1, .seed = seed };

	ctx.max_bytes = m->allowed;
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_SAMPLE, ret);
}

static void expect_note(const struct ckpt_report *report, const char *words)
{
	if (!strstr(report->verdict.note, words))
		fail_msg("'%s' is not in the note \"%s\"", words, report->verdict.note);
}

static void test_seal_sample__says_how_much_it_read(void **state)
{
	const struct scratch *dir = *state;
	struct medium m = { .bad = UINT64_MAX }, again = m, other = m;
	struct ckpt_report report;

	put_huge(dir, 4);
	sample(dir, &m, 7, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	expect_note(&report, "12 of 128 chunks re-read (seed 7)");
	assert_int_equal(count(&m, 0, sizeof(m.seen)), 12);
	for (size_t file = 0; file < 4; file++) /* a dozen over four files: three each */
		assert_int_equal(count(&m, file * 32, (file + 1) * 32), 3);
	assert_true(m.bytes >= 11 * CHUNK && m.bytes <= 12 * CHUNK);
	assert_true(report.verdict.bytes_read >= m.bytes);
	sample(dir, &again, 7, &report);
	assert_memory_equal(again.seen, m.seen, sizeof(m.seen));
	sample(dir, &other, 8, &report);
	assert_memory_not_equal(other.seen, m.seen, sizeof(m.seen));
}

static void test_seal_sample__finds_what_it_reads(void **state)
{
	const struct scratch *dir = *state;
	struct medium m = { .bad = UINT64_MAX }, bad = m;
	struct ckpt_report report;
	size_t at = 40;

	put_huge(dir, 2);
	sample(dir, &m, 3, &report);
	while (!m.seen[at])
		at++;
	bad.bad = at;
	sample(dir, &bad, 3, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_DIGEST);
	assert_string_equal(report.verdict.problem.file, "part-01");
	assert_int_equal(report.verdict.problem.offset, (at - 32) * CHUNK);
	while (m.seen[at])
		at++;
	bad.bad = at; /* and not what it does not */
	sample(dir, &bad, 3, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
}

static void test_seal_sample__a_few_chunks_are_all_read(void **state)
{
	const struct torch_synthetic how = { .epoch = 3, .step = 4500, .floats = 100000 };
	const struct scratch *dir = *state;
	struct ckpt_report report;

	torch_synthetic_write(dir->fd, "model_3.pt", &how);
	sealed_make(dir, "model_3.pt");
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_SAMPLE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	expect_note(&report, "1 of 1 chunks re-read (seed 0)");
	assert_int_equal(report.position.step, 4500);
}

static void test_seal_sample__without_a_seal_it_is_structure(void **state)
{
	const struct torch_synthetic how = { .epoch = 3, .step = 4500, .flip = true };
	const struct scratch *dir = *state;
	struct ckpt_report report;

	torch_synthetic_write(dir->fd, "model_3.pt", &how);
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_SAMPLE, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_string_equal(report.verdict.note, "no seal: structure only");
	scratch_put(dir->fd, "model_3.pt.metadata.json", "{\"seal\": {");
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_SAMPLE, &report);
	expect_note(&report, "seal ignored: the seal is torn");
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
}

/* A budget ends the reading; what was not read is said, and the evidence stays the weaker one. */
static void test_seal_sample__the_budget_is_kept_and_said(void **state)
{
	static const struct {
		enum ckpt_level level;
		const char *words;
	} cases[] = {
		{ CKPT_LEVEL_SAMPLE,
		  "content not read: budget (bytes); 3 of 128 chunks compared with the seal" },
		{ CKPT_LEVEL_FULL,
		  "content not read: budget (bytes); 3 of 128 chunks compared with the seal" },
	};
	const struct scratch *dir = *state;

	put_huge(dir, 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct medium m = { .bad = UINT64_MAX };
		const struct ckpt_seam seam = { .pread = medium_pread, .arg = &m };
		struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };
		struct ckpt_report report;

		ctx.max_bytes = 3 * CHUNK + 20 * MIB;
		sealed_verify(&ctx, dir, NAME, cases[i].level, &report);
		assert_int_equal(report.verdict.status, CKPT_VALID);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
		expect_note(&report, cases[i].words);
		assert_true(ctx.bytes_read <= 4 * CHUNK);
		assert_int_equal(count(&m, 0, sizeof(m.seen)), 4);
	}
}

/* A clock that goes by the bytes that were read. */
static int64_t reading_now(void *arg)
{
	return (int64_t)((const struct medium *)arg)->bytes + 1;
}

static void test_seal_sample__a_deadline_is_kept_and_said(void **state)
{
	const struct scratch *dir = *state;
	struct medium m = { .bad = UINT64_MAX };
	const struct ckpt_seam seam = { .now_ns = reading_now, .pread = medium_pread, .arg = &m };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 };
	struct ckpt_report report;

	put_huge(dir, 1);
	ctx.deadline_ns = 2 * CHUNK + 20 * MIB;
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	expect_note(&report, "content not read: budget (time); 2 of 32 chunks compared");
	assert_true(m.bytes < 3 * CHUNK);
}

/* Damage found before the budget ended is an answer. */
static void test_seal_sample__damage_outweighs_the_budget(void **state)
{
	const struct scratch *dir = *state;
	struct medium m = { .bad = 0, .allowed = 3 * CHUNK };
	const struct ckpt_seam seam = { .pread = medium_pread, .arg = &m };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1, .max_bytes = 3 * CHUNK };
	struct ckpt_report report;

	put_huge(dir, 1);
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_string_equal(report.verdict.note, "");
}

/* 10 TB in ten files: known unchanged from the seal alone. */
static void test_seal_sample__ten_terabytes_unread(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_identity seal;
	struct ckpt_report report;
	uint64_t sizes[10];

	for (size_t i = 0; i < 10; i++)
		sizes[i] = UINT64_C(1) << 40;
	sealed_put_holes(dir, NAME, sizes, 10);
	assert_int_equal(ckpt_identity_at(dir->fd, NAME ".metadata.json", true, &seal), 0);
	sealed_verify(NULL, dir, NAME, CKPT_LEVEL_STRUCTURE, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL_UNCHANGED);
	assert_int_equal(report.verdict.size_bytes, UINT64_C(10) << 40);
	assert_int_equal(report.verdict.bytes_read, seal.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_seal_sample__says_how_much_it_read),
		scratch_test(test_seal_sample__finds_what_it_reads),
		scratch_test(test_seal_sample__a_few_chunks_are_all_read),
		scratch_test(test_seal_sample__without_a_seal_it_is_structure),
		scratch_test(test_seal_sample__the_budget_is_kept_and_said),
		scratch_test(test_seal_sample__a_deadline_is_kept_and_said),
		scratch_test(test_seal_sample__damage_outweighs_the_budget),
		scratch_test(test_seal_sample__ten_terabytes_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
