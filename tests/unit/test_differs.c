/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/differs.h, core/format/differing.h, and what a comparison with a seal tells by
 * them: every range that differs, in order, however many there are. The files are all holes, read
 * through a medium with bad chunks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/integrity/differs.h"
#include "core/resolve/trail.h"
#include "tests/unit/support/sealed.h"

#define NAME "huge-500"
#define MIB UINT64_C(1048576)
#define CHUNK (64 * MIB)
#define CHUNKS 10 /* a file: the last one is a MiB less, and as many bytes more as its number */

static void test_differs__merges_what_touches(void **state)
{
	struct ckpt_digest digests[8];
	const struct ckpt_digest_file files[] = {
		{ "a", { .size = 35 }, digests },
		{ "b", { .size = 20 }, digests + 4 },
		{ "c", { .size = 12 }, digests + 6 },
	};
	const struct ckpt_digest_job job = { .files = files, .n = 3, .chunk = 10 };
	static const struct ckpt_digest_bad bad[] = { { 2, 0, 10 }, { 0, 30, 5 }, { 0, 20, 10 },
						      { 1, 0, 10 }, { 0, 0, 10 }, { 0, 20, 10 } };
	_cleanup_differs_ struct ckpt_differs differs = { 0 };
	size_t of[CKPT_DIFFERENCES_NAMED];
	struct ckpt_differing all;

	(void)state;
	assert_int_equal(ckpt_differs_init(&differs, &job), 0);
	ckpt_differs_tell(&differs, &all, of);
	assert_int_equal(all.ranges, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ckpt_differs_take(&differs, &bad[i]);
	ckpt_differs_tell(&differs, &all, of);
	assert_int_equal(all.ranges, 4);
	assert_int_equal(all.bytes, 10 + 15 + 10 + 10);
	assert_string_equal(all.named[0].file, "a");
	assert_int_equal(all.named[0].off, 0);
	assert_int_equal(all.named[0].len, 10);
	assert_int_equal(all.named[1].off, 20); /* to the end, not into the next file */
	assert_int_equal(all.named[1].len, 15);
	assert_string_equal(all.named[2].file, "b");
	assert_int_equal(all.named[2].len, 10);
	assert_string_equal(all.named[3].file, "c");
	assert_int_equal(of[0] * 1000 + of[1] * 100 + of[2] * 10 + of[3], 12); /* 0, 0, 1, 2 */
}

static void test_differs__whole_files(void **state)
{
	const struct ckpt_digest_file files[] = { { .name = "a", .id.size = 5 },
						  { .name = "b", .id.size = 0 },
						  { .name = "c", .id.size = 7 } };
	const struct ckpt_digest_job job = { .files = files, .n = 3 };
	static const struct ckpt_digest_bad bad[] = { { 1, 0, 0 }, { 2, 0, 7 } };
	_cleanup_differs_ struct ckpt_differs differs = { 0 };
	size_t of[CKPT_DIFFERENCES_NAMED];
	struct ckpt_differing all;
	char words[200];

	(void)state;
	assert_int_equal(ckpt_differs_init(&differs, &job), 0);
	ckpt_differs_take(&differs, &bad[1]);
	ckpt_differs_take(&differs, &bad[0]);
	ckpt_differs_tell(&differs, &all, of);
	assert_int_equal(all.ranges, 2);
	assert_int_equal(all.bytes, 7);
	assert_string_equal(ckpt_differing_words(words, sizeof(words), &all, 0),
			    "b; bytes 0 to 6 of c");
}

static void test_differs__words_and_joining(void **state)
{
	struct ckpt_differing all = { 0 }, more = { 0 };
	char words[400];

	(void)state;
	assert_string_equal(ckpt_differing_words(words, sizeof(words), &all, 0), "");
	ckpt_differing_add(&all, "a\n.pt", 0, 10);
	snprintf(all.named[0].member, sizeof(all.named[0].member), "w, b");
	assert_string_equal(ckpt_differing_words(words, sizeof(words), &all, 0),
			    "bytes 0 to 9 of a?.pt (w, b)");
	assert_string_equal(ckpt_differing_words(words, sizeof(words), &all, 1), "");
	ckpt_differing_add(&more, "a\n.pt", 10, 10); /* begins where the other share ended */
	for (uint64_t i = 0; i < 9; i++)
		ckpt_differing_add(&more, "b", i * 20, 10);
	more.cut = true;
	assert_int_equal(more.ranges, 10);
	assert_int_equal(more.n_named, CKPT_DIFFERENCES_NAMED);
	ckpt_differing_join(&all, &more);
	assert_int_equal(all.ranges, 10);
	assert_int_equal(all.bytes, 110);
	assert_int_equal(all.named[0].len, 20);
	assert_true(all.cut);
	assert_string_equal(ckpt_differing_words(words, sizeof(words), &all, 4),
			    "bytes 60 to 69 of b; bytes 80 to 89 of b; and 4 more ranges");
}

/* A medium with bad chunks, counted over all files. */
struct medium {
	const uint8_t *bad;
	_Atomic uint64_t bytes;
};

static ssize_t medium_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct medium *m = arg;
	uint64_t size = (uint64_t)lseek(fd, 0, SEEK_END), chunk;

	if (size < (CHUNKS - 1) * CHUNK)
		return pread(fd, buf, len, off);
	chunk = (size - (CHUNKS * CHUNK - MIB)) * CHUNKS + (uint64_t)off / CHUNK;
	m->bytes += len;
	memset(buf, 0, len);
	if (m->bad[chunk] && (uint64_t)off % CHUNK == 0)
		((char *)buf)[0] = 1;
	return (ssize_t)len;
}

static void verify(const struct scratch *dir, struct medium *m, const struct ckpt_ctx *how,
		   struct ckpt_report *ret)
{
	const struct ckpt_seam seam = { .pread = medium_pread, .arg = m };
	struct ckpt_ctx ctx = { .seam = &seam, .tell_all = how->tell_all };

	ctx.threads = how->threads;
	ctx.max_bytes = how->max_bytes;
	ctx.share = how->share;
	sealed_verify(&ctx, dir, NAME, CKPT_LEVEL_FULL, ret);
	assert_int_equal(ret->verdict.status, CKPT_CORRUPT);
	assert_int_equal(ret->verdict.problem.code, CKPT_PROBLEM_DIGEST);
	assert_int_equal(ret->verdict.evidence, CKPT_EVIDENCE_NONE);
}

static void put_huge(const struct scratch *dir)
{
	const uint64_t sizes[] = { CHUNKS * CHUNK - MIB, CHUNKS * CHUNK - MIB + 1 };

	sealed_put_holes(dir, NAME, sizes, 2);
}

static void test_differs__a_seal_tells_all(void **state)
{
	static const uint8_t bad[2 * CHUNKS] = { [1] = 1, [2] = 1, [9] = 1, [10] = 1, [15] = 1 };
	const struct ckpt_ctx all = { .threads = 2, .tell_all = true };
	const struct scratch *dir = *state;
	struct medium m = { .bad = bad };
	struct ckpt_report report;
	const struct ckpt_differing *d = &report.differing;
	char words[CKPT_REPORT_WORDS];

	put_huge(dir);
	verify(dir, &m, &all, &report);
	assert_int_equal(d->ranges, 4);
	assert_int_equal(d->n_named, 4);
	assert_int_equal(d->bytes, 5 * CHUNK - MIB);
	assert_false(d->cut);
	assert_string_equal(d->named[0].file, "part-00");
	assert_int_equal(d->named[0].off, CHUNK);
	assert_int_equal(d->named[0].len, 2 * CHUNK);
	assert_int_equal(d->named[1].off, 9 * CHUNK);
	assert_int_equal(d->named[1].len, CHUNK - MIB);
	assert_string_equal(d->named[2].file, "part-01");
	assert_int_equal(d->named[2].off, 0);
	assert_int_equal(d->named[3].off, 5 * CHUNK);
	assert_true(m.bytes >= 2 * CHUNKS * CHUNK - 2 * MIB); /* the format may read it too */
	assert_string_equal(report.verdict.problem.file, "part-00");
	assert_int_equal(report.verdict.problem.offset, CHUNK);
	ckpt_report_words(words, sizeof(words), &report, NAME);
	if (!strstr(words, "bytes 67108864 to 201326591 differ from what was sealed on ") ||
	    !strstr(words, "; also bytes 603979776 to 670040063 of part-00; bytes 0 to 67108863 of "
			   "part-01; bytes 335544320 to 402653183 of part-01; 4 ranges, 334.5 MB "
			   "in all"))
		fail_msg("%s", words);
}

/* More than are named are counted. */
static void test_differs__a_seal_counts_the_rest(void **state)
{
	const struct ckpt_ctx all = { .threads = 2, .tell_all = true };
	const struct scratch *dir = *state;
	uint8_t bad[2 * CHUNKS];
	struct medium m = { .bad = bad };
	struct ckpt_report report;
	char words[CKPT_REPORT_WORDS];

	for (size_t i = 0; i < sizeof(bad); i++)
		bad[i] = i % 2;
	put_huge(dir);
	verify(dir, &m, &all, &report);
	assert_int_equal(report.differing.ranges, CHUNKS);
	assert_int_equal(report.differing.n_named, CKPT_DIFFERENCES_NAMED);
	assert_non_null(strstr(ckpt_report_words(words, sizeof(words), &report, NAME),
			       "; and 4 more ranges; 10 ranges, "));
}

/* A start looks for a reason to reject, not for all of them. */
static void test_differs__a_start_stops_at_the_first(void **state)
{
	static const uint8_t bad[2 * CHUNKS] = { [1] = 1, [5] = 1, [12] = 1 };
	const struct ckpt_ctx first = { .threads = 1 };
	const struct scratch *dir = *state;
	struct medium m = { .bad = bad };
	struct ckpt_report report;

	put_huge(dir);
	verify(dir, &m, &first, &report);
	assert_int_equal(report.differing.ranges, 1);
	assert_int_equal(report.differing.named[0].off, CHUNK);
	assert_true(report.differing.cut);
	assert_null(strstr(report.verdict.problem.detail, "not all"));
}

/* What was found before the budget ended is told, and that it is not all. */
static void test_differs__the_budget_is_said(void **state)
{
	static const uint8_t bad[2 * CHUNKS] = { [0] = 1, [2] = 1, [15] = 1 };
	const struct ckpt_ctx some = { .threads = 1, .tell_all = true, .max_bytes = 5 * CHUNK };
	const struct scratch *dir = *state;
	struct medium m = { .bad = bad };
	struct ckpt_report report;

	put_huge(dir);
	verify(dir, &m, &some, &report);
	assert_int_equal(report.differing.ranges, 2);
	assert_true(report.differing.cut);
	assert_non_null(strstr(report.verdict.problem.detail, "; not all was compared"));
	assert_true(m.bytes <= 6 * CHUNK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differs__merges_what_touches),
		cmocka_unit_test(test_differs__whole_files),
		cmocka_unit_test(test_differs__words_and_joining),
		scratch_test(test_differs__a_seal_tells_all),
		scratch_test(test_differs__a_seal_counts_the_rest),
		scratch_test(test_differs__a_start_stops_at_the_first),
		scratch_test(test_differs__the_budget_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
