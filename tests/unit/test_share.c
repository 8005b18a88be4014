/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/share.h and the parts of a check: every byte is read by exactly one share, whatever the
 * format; what all say together is what one alone would say; a part that is missing, torn, of
 * another run or of other files proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/crc_share.h"
#include "core/base/share.h"
#include "core/format/differing.h"
#include "core/integrity/part_file.h"
#include "tests/unit/support/judge.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/tf_build.h"
#include "tests/unit/support/torch_synthetic.h"

#define MIB UINT64_C(1048576)
#define NAME "model_3.pt"
#define RUN "41.0"

static void test_share__windows_tile_the_file(void **state)
{
	static const struct {
		uint64_t size, base;
		unsigned int count;
	} cases[] = {
		{ 16 * MIB, 0, 1 },
		{ 16 * MIB, 0, 3 },
		{ 100 * MIB + 7, 0, 4 },
		{ 100 * MIB + 7, 0, 65536 },
		{ 100 * MIB, 60 * MIB, 4 },
		{ 100 * MIB, 1, 7 },
		{ UINT64_C(1) << 62, 0, 65535 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_share share = { .count = cases[i].count };
		struct ckpt_ctx ctx = { .share = &share };
		struct ckpt_file file = { .name = (char *)"x", .base = cases[i].base, .ctx = &ctx };
		uint64_t begin, end, at = 0;

		file.id.size = cases[i].size;
		for (; share.index < share.count; share.index++) {
			if (!ckpt_share_window(&file, &begin, &end))
				continue;
			assert_int_equal(begin, at);
			assert_true(end > begin);
			assert_true(ckpt_share_takes(&file, begin));
			assert_true(end == UINT64_MAX || !ckpt_share_takes(&file, end));
			at = end;
		}
		assert_int_equal(at, UINT64_MAX);
	}
}

static void test_share__a_small_or_decoded_file_is_one_shares(void **state)
{
	const struct ckpt_file_source source = { .arg = NULL };
	struct ckpt_share share = { .count = 5 };
	struct ckpt_ctx ctx = { .share = &share };
	struct ckpt_file file = { .name = (char *)"x", .ctx = &ctx };
	uint64_t begin, end;

	(void)state;
	for (int decoded = 0; decoded < 2; decoded++) {
		int owners = 0;

		file.id.size = decoded ? 100 * MIB : 16 * MIB - 1;
		file.source = decoded ? &source : NULL;
		for (share.index = 0; share.index < 5; share.index++) {
			owners += ckpt_share_window(&file, &begin, &end);
			assert_int_equal(ckpt_share_window(&file, &begin, &end),
					 ckpt_share_takes_file(&share, "x"));
		}
		assert_int_equal(owners, 1);
	}
	ctx.share = NULL;
	assert_true(ckpt_share_window(&file, &begin, &end) && begin == 0 && end == UINT64_MAX);
}

static void test_share__parts_are_taken_once(void **state)
{
	(void)state;
	for (uint64_t total = 0; total < 40; total++)
		for (unsigned int count = 1; count < 12; count++)
			for (uint64_t n = 0; n < total; n++) {
				struct ckpt_share share = { .count = count };
				int taken = 0;

				for (; share.index < count; share.index++)
					taken += ckpt_share_takes_part(&share, n, total);
				assert_int_equal(taken, 1);
			}
	assert_true(ckpt_share_takes_part(NULL, 3, 4));
	assert_true(ckpt_share_takes_file(NULL, "x"));
}

/* Ranges of 1 MiB in a row over a file of 64. */
static int next_mib(void *arg, struct ckpt_crc_range *ret)
{
	uint64_t *at = arg;

	if (*at == 64)
		return 0;
	*ret = (struct ckpt_crc_range) { .off = *at * MIB + 7, .len = MIB, .tag = *at };
	++*at;
	return 1;
}

static void test_share__small_ranges_are_handed_out_once(void **state)
{
	int taken[64] = { 0 };
	struct ckpt_share share = { .count = 5 };
	struct ckpt_ctx ctx = { .share = &share };
	struct ckpt_file file = { .name = (char *)"x", .ctx = &ctx };

	(void)state;
	file.id.size = 64 * MIB + 7;
	for (; share.index < share.count; share.index++) {
		uint64_t at = 0;
		const struct ckpt_crc_job job = { .next = next_mib, .arg = &at };
		struct ckpt_crc_range range;
		struct ckpt_crc_share cs;
		int n = 0;

		assert_true(ckpt_crc_share_begin(&file, &job, &cs));
		while (ckpt_crc_share_next(&cs, &range) == 1) {
			assert_int_equal(range.len, MIB);
			taken[range.tag]++;
			n++;
		}
		assert_true(n == 12 || n == 13);
	}
	for (int i = 0; i < 64; i++)
		assert_int_equal(taken[i], 1);
	assert_null(share.pieces); /* none was cut */
}

static void put(const struct scratch *dir, bool flip, uint32_t floats)
{
	const struct torch_synthetic how = { .step = 4500, .flip = flip, .floats = floats };

	torch_synthetic_write(dir->fd, NAME, &how);
}

/* What all shares of a check read. */
struct shared {
	uint64_t bytes[8];
	struct ckpt_report parts[8], merged;
	int result; /* of the merge */
	char why[512];
};

static struct ckpt_parts parts_of(const struct scratch *dir, const char *name, unsigned int count)
{
	return (struct ckpt_parts) { dir->fd, name, count, RUN };
}

static void run_share(const struct scratch *dir, const char *name, struct ckpt_share *share,
		      struct ckpt_report *ret)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { .share = share };
	const struct ckpt_parts parts = parts_of(dir, name, share->count);
	struct ckpt_set *set = sealed_set(dir, &cat, name);
	struct ckpt_error err = { 0 };

	if (ckpt_part_make(&ctx, &parts, set, CKPT_LEVEL_FULL, &err) != 0)
		fail_msg("%s", err.text);
	*ret = *set->report;
	ckpt_share_done(share);
}

static void run_merge(const struct scratch *dir, const char *name, unsigned int count,
		      struct shared *s)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_parts parts = parts_of(dir, name, count);
	struct ckpt_set *set = sealed_set(dir, &cat, name);
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };

	s->result = ckpt_part_merge(&ctx, &parts, set, &err);
	assert_int_equal(set->report_level, CKPT_LEVEL_FULL);
	snprintf(s->why, sizeof(s->why), "%.511s", err.text);
	s->merged = *set->report;
}

static void run_all(const struct scratch *dir, const char *name, unsigned int count,
		    struct shared *s)
{
	struct ckpt_share share = { .count = count };

	memset(s, 0, sizeof(*s));
	for (; share.index < count; share.index++) {
		share.way[0] = '\0';
		run_share(dir, name, &share, &s->parts[share.index]);
		s->bytes[share.index] = s->parts[share.index].verdict.bytes_read;
	}
	run_merge(dir, name, count, s);
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

/* Each of four reads a quarter, and what every one reads for the structure. */
static void expect_quarters(const struct shared *s, uint64_t size, uint64_t slack)
{
	uint64_t sum = 0;

	for (int i = 0; i < 4; i++) {
		if (s->bytes[i] < size / 4 - slack || s->bytes[i] > size / 4 + slack)
			fail_msg("share %d read %llu of %llu bytes", i,
				 (unsigned long long)s->bytes[i], (unsigned long long)size);
		sum += s->bytes[i];
	}
	assert_true(sum >= size && sum < size + 4 * slack);
}

static void test_share__a_torch_file_of_one_tensor(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 12000000);
	run_all(dir, NAME, 4, &s);
	assert_int_equal(s.result, 0);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
	assert_int_equal(s.merged.position.step, 4500);
	assert_int_equal(s.merged.verdict.size_bytes, s.parts[0].verdict.size_bytes);
	assert_int_equal(s.merged.verdict.bytes_read,
			 s.bytes[0] + s.bytes[1] + s.bytes[2] + s.bytes[3]);
	expect_quarters(&s, s.merged.verdict.size_bytes, 100000);
}

/* The tensor's CRC is over bytes of all shares: none of them can see the flip. */
static void test_share__damage_shows_in_the_whole(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, true, 12000000);
	run_all(dir, NAME, 4, &s);
	for (int i = 0; i < 4; i++)
		assert_int_equal(s.parts[i].verdict.status, CKPT_VALID);
	assert_int_equal(s.result, 0);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
	assert_string_equal(s.merged.verdict.problem.file, NAME);
	assert_true(s.merged.verdict.problem.offset != CKPT_NO_OFFSET);
	assert_string_equal(s.merged.verdict.problem.member, "data/0");
	put(dir, true, 1000); /* a small one is one share's */
	run_all(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
	assert_string_equal(s.merged.verdict.problem.member, "data/0");
}

static void test_share__one_share_is_the_whole(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, true, 6000000);
	run_all(dir, NAME, 1, &s);
	assert_int_equal(s.parts[0].verdict.status, CKPT_CORRUPT);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
}

static void test_share__a_seal_is_split_by_chunks(void **state)
{
	const struct scratch *dir = *state;
	uint64_t sizes[] = { 300 * MIB, 212 * MIB };
	struct shared s;

	sealed_put_holes(dir, "huge-500", sizes, 2);
	run_all(dir, "huge-500", 3, &s);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	for (int i = 0; i < 3; i++)
		assert_true(s.bytes[i] >= 2 * 64 * MIB && s.bytes[i] <= 4 * 64 * MIB);
	assert_true(s.merged.verdict.bytes_read >= 512 * MIB);
	scratch_patch(dir->fd, "huge-500/part-01", 100 * MIB, "x", 1);
	sealed_take_as_unchanged(dir, "huge-500", "part-01");
	run_all(dir, "huge-500", 3, &s);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_DIGEST);
	assert_string_equal(s.merged.verdict.problem.file, "part-01");
	assert_int_equal(s.parts[0].verdict.status, CKPT_VALID);
}

static void put_shards(const struct scratch *dir, int flip)
{
	char name[64];

	scratch_put(dir->fd, "checkpoint-500/trainer_state.json",
		    "{\"epoch\": 2.5, \"global_step\": 500}");
	for (int i = 0; i < 12; i++) {
		const struct torch_synthetic how = {
			.epoch = -1, .step = -1, .floats = 200000, .flip = i == flip
		};

		snprintf(name, sizeof(name), "checkpoint-500/rng_state_%d.pth", i);
		torch_synthetic_write(dir->fd, name, &how);
	}
	torch_synthetic_write(
		dir->fd, "checkpoint-500/pytorch_model.bin",
		&(struct torch_synthetic) { .epoch = -1, .step = -1, .floats = 1000 });
}

static void test_share__a_directory_is_split_by_files(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;
	uint64_t most = 0;

	put_shards(dir, -1);
	run_all(dir, "checkpoint-500", 4, &s);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
	for (int i = 0; i < 4; i++)
		most = s.bytes[i] > most ? s.bytes[i] : most;
	assert_true(s.merged.verdict.bytes_read >= 12 * 800000);
	assert_true(most < 8 * 800000);
	put_shards(dir, 7);
	run_all(dir, "checkpoint-500", 4, &s);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
	assert_string_equal(s.merged.verdict.problem.file, "rng_state_7.pth");
}

/* A list of digests: the part that met damage before it came to the list counts as the others do,
 * whichever part that is. */
static void test_share__damage_before_a_list_is_damage(void **state)
{
	static const char list[] =
		"8b5dfbf9ae2a1ae1d6bbdbf2c3fdb2d8e9dd8a8e24c9f9b6c4b8f9a1d2c3e4f5  none.pt\n"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  "
		"empty.txt\n";
	const struct scratch *dir = *state;
	struct shared s;
	int before = 0;

	for (int flip = 0; flip < 12; flip++) {
		put_shards(dir, flip);
		scratch_put(dir->fd, "checkpoint-500/empty.txt", "");
		scratch_put(dir->fd, "checkpoint-500/SHA256SUMS", list);
		run_all(dir, "checkpoint-500", 4, &s);
		before += s.parts[0].verdict.status == CKPT_VALID;
		expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
	}
	assert_true(before > 0 && before < 12);
}

/* A file of two names is read under both, and its pieces are told twice. */
static void test_share__a_large_file_of_two_names(void **state)
{
	const struct scratch *dir = *state;
	struct torch_synthetic how = { .epoch = -1, .step = -1, .floats = 6000000 };
	struct shared s;

	for (int flip = 0; flip < 2; flip++) {
		put_shards(dir, -1);
		how.flip = flip;
		torch_synthetic_write(dir->fd, "checkpoint-500/rng_state_0.pth", &how);
		unlinkat(dir->fd, "checkpoint-500/rng_state_1.pth", 0);
		assert_int_equal(linkat(dir->fd, "checkpoint-500/rng_state_0.pth", dir->fd,
					"checkpoint-500/rng_state_1.pth", 0),
				 0);
		run_all(dir, "checkpoint-500", 4, &s);
		if (flip)
			expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
		else
			expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
		unlinkat(dir->fd, "checkpoint-500/rng_state_0.pth", 0);
	}
}

/* Each of six shards that an index names is read by somebody, and not all by one. */
static void test_share__an_index_is_split_by_shards(void **state)
{
	const struct scratch *dir = *state;
	char index[1024] = "", name[64];
	struct shared s;
	int n = 0;

	for (int i = 1; i <= 6; i++)
		n += snprintf(index + n, sizeof(index) - (size_t)n,
			      "%s\"t%d\": \"model-%05d-of-00006.bin\"",
			      i > 1 ? ", " : "{\"weight_map\": {", i, i);
	snprintf(index + n, sizeof(index) - (size_t)n, "}}");
	scratch_put(dir->fd, "model.bin.index.json", index);
	for (int flip = 0; flip <= 6; flip++) {
		for (int i = 1; i <= 6; i++) {
			snprintf(name, sizeof(name), "model-%05d-of-00006.bin", i);
			torch_synthetic_write(dir->fd, name,
					      &(struct torch_synthetic) { .epoch = -1,
									  .step = -1,
									  .floats = 200000,
									  .flip = i == flip });
		}
		run_all(dir, "model.bin.index.json", 3, &s);
		if (flip) {
			snprintf(name, sizeof(name), "model-%05d-of-00006.bin", flip);
			expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
			assert_string_equal(s.merged.verdict.problem.file, name);
			continue;
		}
		expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
		assert_true(s.merged.verdict.bytes_read >= 6 * 800000);
		for (int i = 0; i < 3; i++)
			assert_true(s.bytes[i] < 5 * 800000);
	}
}

/* A tar of @size bytes that holds the file @name (of USTAR: name, mode, size, sum, type). */
static void put_tar(const struct scratch *dir, const char *tar, const char *name)
{
	static const char zeros[1024];
	unsigned char header[512] = { 0 };
	unsigned int sum = 8 * ' ';
	size_t len;
	unsigned char *bytes = scratch_read(dir->fd, name, &len);
	_cleanup_close_ int fd = openat(dir->fd, tar, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	snprintf((char *)header, 100, "%s", name);
	memcpy(header + 100, "0000600", 8);
	snprintf((char *)header + 124, 12, "%011zo", len);
	memcpy(header + 257, "ustar\00000", 8);
	header[156] = '0';
	for (size_t i = 0; i < sizeof(header); i++)
		sum += header[i];
	snprintf((char *)header + 148, 8, "%06o", sum);
	assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
	assert_int_equal(write(fd, bytes, len), len);
	assert_true(write(fd, zeros, 512 - len % 512) > 0);
	assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	free(bytes);
}

/* A large file that is no more than one's to read is read whole by that one. */
static void test_share__a_container_is_one_shares(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;
	int readers = 0;

	for (int flip = 0; flip < 2; flip++) {
		put(dir, flip, 6000000);
		put_tar(dir, "saved_3.tar", NAME);
		run_all(dir, "saved_3.tar", 4, &s);
		assert_int_equal(s.result, 0);
		assert_true(s.merged.verdict.bytes_read > 24000000);
		for (int i = 0; i < 4; i++)
			readers += s.bytes[i] > 1000000;
		assert_int_equal(s.merged.verdict.status, flip ? CKPT_CORRUPT : CKPT_VALID);
	}
	assert_int_equal(readers, 2); /* one each time */
}

/* Pieces of two files that lie at the same offsets of theirs. */
static void test_share__two_large_files_of_a_directory(void **state)
{
	static const char *const names[] = { "pytorch_model.bin", "optimizer.pt" };
	const struct scratch *dir = *state;
	struct shared s;

	for (int flip = 0; flip < 2; flip++) {
		scratch_put(dir->fd, "checkpoint-500/trainer_state.json",
			    "{\"epoch\": 2.5, \"global_step\": 500}");
		for (int i = 0; i < 2; i++) {
			const struct torch_synthetic how = {
				.epoch = -1, .step = -1, .floats = 6000000, .flip = flip && i == 1
			};
			char name[64];

			snprintf(name, sizeof(name), "checkpoint-500/%s", names[i]);
			torch_synthetic_write(dir->fd, name, &how);
		}
		run_all(dir, "checkpoint-500", 4, &s);
		assert_int_equal(s.result, 0);
		if (flip) {
			expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
			assert_string_equal(s.merged.verdict.problem.file, names[1]);
		} else {
			expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
			expect_quarters(&s, s.merged.verdict.size_bytes, 200000);
		}
	}
}

static void test_share__what_is_missing_is_not_found_out(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 6000000);
	run_all(dir, NAME, 4, &s);
	assert_int_equal(unlinkat(dir->fd, NAME ".part-2-of-4.json", 0), 0);
	run_merge(dir, NAME, 4, &s);
	assert_int_equal(s.result, CKPT_PART_MISSING);
	expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_IO);
	assert_string_equal(s.why, "part 2 of 4 is missing");
	scratch_put(dir->fd, NAME ".part-2-of-4.json", "{\"part_version\": 1, \"in");
	run_merge(dir, NAME, 4, &s);
	assert_int_equal(s.result, CKPT_PART_MISSING);
	assert_string_equal(s.why, "part 2 of 4 is torn");
}

static void edit(const struct scratch *dir, const char *name, const char *from, const char *to)
{
	char *text = scratch_get(dir->fd, name), *at = strstr(text, from);

	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	scratch_put(dir->fd, name, text);
	free(text);
}

static void test_share__parts_of_different_kinds_do_not_add_up(void **state)
{
	static const struct {
		const char *from, *to;
		int result;
		enum ckpt_problem_code code;
	} cases[] = {
		{ "\"" RUN "\"", "\"40.0\"", CKPT_PART_MISSING, CKPT_PROBLEM_IO },
		{ "\"torch-zip\"", "\"torch-zap\"", 0, CKPT_PROBLEM_IO },
		{ "\"index\":\t1", "\"index\":\t2", CKPT_PART_MISSING, CKPT_PROBLEM_IO },
		{ "\"count\":\t4", "\"count\":\t5", CKPT_PART_MISSING, CKPT_PROBLEM_IO },
		{ "\"valid\"", "\"vatid\"", CKPT_PART_MISSING, CKPT_PROBLEM_IO },
		{ "\"part_version\":\t1", "\"part_version\":\t2", CKPT_PART_MISSING,
		  CKPT_PROBLEM_IO },
	};
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 6000000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_all(dir, NAME, 4, &s);
		assert_int_equal(s.merged.verdict.status, CKPT_VALID);
		edit(dir, NAME ".part-1-of-4.json", cases[i].from, cases[i].to);
		run_merge(dir, NAME, 4, &s);
		if (s.result != cases[i].result)
			fail_msg("case %zu: %d", i, s.result);
		expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, cases[i].code);
	}
}

static void test_share__pieces_have_to_tile(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;
	char *text, *pieces;

	put(dir, false, 6000000);
	run_all(dir, NAME, 4, &s);
	text = scratch_get(dir->fd, NAME ".part-1-of-4.json");
	pieces = strstr(text, "\"pieces\":\t");
	assert_non_null(pieces);
	strcpy(pieces + strlen("\"pieces\":\t"), "[]}");
	scratch_put(dir->fd, NAME ".part-1-of-4.json", text);
	free(text);
	run_merge(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_IO);
	assert_non_null(strstr(s.merged.verdict.problem.detail, "do not fit together"));
}

/* Eight numbers that fit each other and their types; anything else is a torn part. */
static void test_share__numbers_of_a_piece(void **state)
{
	static const struct {
		const char *piece;
		int result;
	} cases[] = {
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18\",\"7\",\"8\"", 0 },
		{ "\"1\",\"1\",\"10\",\"20\",\"10\",\"20\",\"7\",\"4294967295\"", 0 },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18\",\"7\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18\",\"7\",\"8\",\"9\"", CKPT_PART_MISSING },
		{ "\"1\",\"2\",\"10\",\"20\",\"12\",\"18\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18\",\"4294967296\",\"8\"",
		  CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18\",\"7\",\"4294967296\"",
		  CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"9\",\"18\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"19\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"0\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18446744073709551615\",\"7\",\"8\"",
		  CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"-1\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "\"1\",\"0\",\"10\",\"20\",\"12\",\"18x\",\"7\",\"8\"", CKPT_PART_MISSING },
		{ "1,0,10,20,12,18,7,8", CKPT_PART_MISSING },
	};
	const struct scratch *dir = *state;
	const struct ckpt_parts parts = parts_of(dir, NAME, 1);
	const struct ckpt_part part = { .share = { .count = 1 } };
	struct ckpt_ctx ctx = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_part_ struct ckpt_part back = { .share = { .index = 0 } };
		char text[8192], *whole, *at;
		int r;

		assert_int_equal(ckpt_part_store(&parts, &part, NULL), 0);
		whole = scratch_get(dir->fd, NAME ".part-0-of-1.json");
		at = strstr(whole, "\"pieces\":\t[]");
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s\"pieces\": [[%s]]}", (int)(at - whole), whole,
			 cases[i].piece);
		free(whole);
		scratch_put(dir->fd, NAME ".part-0-of-1.json", text);
		r = ckpt_part_load(&ctx, &parts, 0, &back, NULL);
		if (r != cases[i].result)
			fail_msg("%s: %d", cases[i].piece, r);
	}
}

/* Saved again between two shares, or after them: the parts are of no one checkpoint. */
static void test_share__other_files_are_an_active_writer(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_share share = { .index = 3, .count = 4 };
	struct ckpt_report report;
	struct shared s;

	put(dir, false, 6000000);
	run_all(dir, NAME, 4, &s);
	put(dir, false, 6000000);
	run_merge(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_WRITER_ACTIVE);
	for (int i = 0; i < 2; i++) { /* the last one alone read what is there now, or the first */
		share.index = i ? 3 : 0;
		run_share(dir, NAME, &share, &report);
		run_merge(dir, NAME, 4, &s);
		expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_WRITER_ACTIVE);
		assert_int_equal(unlinkat(dir->fd,
					  i ? NAME ".part-3-of-4.json" : NAME ".part-0-of-4.json",
					  0),
				 0);
		put(dir, false, 6000000);
		run_all(dir, NAME, 4, &s);
		put(dir, false, 6000000);
	}
}

/* What a part says about files that are no longer there is no answer, damage neither; what the one
 * part says that read those of now is. */
static void test_share__damage_that_was_mended_is_none(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_share share = { .count = 4 };
	struct ckpt_report report;
	struct shared s;
	int owner = 0;

	for (int renewed = 0; renewed < 5; renewed++) { /* 4: none */
		put(dir, true, 1000);
		run_all(dir, NAME, 4, &s);
		expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
		for (int i = 0; i < 4; i++)
			owner = s.parts[i].verdict.status == CKPT_CORRUPT ? i : owner;
		put(dir, false, 1000);
		share.index = (unsigned int)renewed;
		if (renewed < 4)
			run_share(dir, NAME, &share, &report);
		run_merge(dir, NAME, 4, &s);
		expect(&s.merged, CKPT_UNREADABLE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_WRITER_ACTIVE);
		assert_non_null(strstr(s.merged.verdict.problem.detail, "since its parts"));
	}
	put(dir, true, 1000);
	share.index = (unsigned int)owner;
	run_share(dir, NAME, &share, &report);
	run_merge(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
}

/* Pieces of a tensor before and after: a CRC over both is nobody's. The part that could not be
 * read keeps its own word. */
static void test_share__pieces_of_two_saves_are_not_joined(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_parts parts = parts_of(dir, NAME, 4);
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_report report;
	struct shared s;

	for (unsigned int old = 0; old < 4; old++) {
		_cleanup_part_ struct ckpt_part part = { .share = { .count = 4 } };
		struct ckpt_share share = { .count = 4 };

		put(dir, true, 6000000);
		run_all(dir, NAME, 4, &s);
		put(dir, false, 6000000);
		for (; share.index < 4; share.index++)
			if (share.index != old)
				run_share(dir, NAME, &share, &report);
		part.share.index = old ? 0 : 1;
		assert_int_equal(ckpt_part_load(&ctx, &parts, part.share.index, &part, NULL), 0);
		part.verdict.status = CKPT_UNREADABLE;
		assert_int_equal(ckpt_part_store(&parts, &part, NULL), 0);
		run_merge(dir, NAME, 4, &s);
		assert_int_equal(s.merged.verdict.status, CKPT_UNREADABLE);
	}
}

/* What one part of four says: @index, and its verdict. */
struct said {
	unsigned int index;
	struct ckpt_verdict verdict;
};

static void say(const struct scratch *dir, const struct said *said)
{
	const struct ckpt_parts parts = parts_of(dir, NAME, 4);
	_cleanup_part_ struct ckpt_part part = { .share = { .count = 4 } };
	struct ckpt_ctx ctx = { 0 };

	assert_int_equal(ckpt_part_load(&ctx, &parts, said->index, &part, NULL), 0);
	part.share.index = said->index;
	part.verdict = said->verdict;
	assert_int_equal(ckpt_part_store(&parts, &part, NULL), 0);
}

#define SAID(what, how, problem_code, at)                                                          \
	.status = CKPT_##what, .evidence = CKPT_EVIDENCE_##how,                                    \
	.problem = { .code = CKPT_PROBLEM_##problem_code, .offset = (at) }

/* The worst word of all counts, with its own reason; of equals the first. */
static void test_share__the_worst_word_counts(void **state)
{
	static const struct {
		struct said said[2];
		struct ckpt_verdict all;
	} cases[] = {
		{ { { 1, { SAID(VALID, CHECKSUM, NON_FINITE, 10) } },
		    { 2, { SAID(VALID, CHECKSUM, NON_FINITE, 20) } } },
		  { SAID(VALID, CHECKSUM, NON_FINITE, 10) } },
		{ { { 1, { SAID(VALID, CHECKSUM, NON_FINITE, 10) } },
		    { 3, { SAID(CORRUPT, NONE, CHECKSUM, 20) } } },
		  { SAID(CORRUPT, NONE, CHECKSUM, 20) } },
		{ { { 1, { SAID(UNREADABLE, NONE, IO, 10) } },
		    { 3, { SAID(INCOMPLETE, NONE, TRUNCATED, 20) } } },
		  { SAID(UNREADABLE, NONE, IO, 10) } },
		{ { { 1, { SAID(INCOMPLETE, NONE, TRUNCATED, 10) } },
		    { 2, { SAID(INCOMPLETE, NONE, ZERO_TAIL, 20) } } },
		  { SAID(INCOMPLETE, NONE, TRUNCATED, 10) } },
		{ { { 1, { SAID(VALID, STRUCTURE, NONE, 0), .note = "less" } },
		    { 2, { SAID(VALID, CHECKSUM, NONE, 0), .note = "more" } } },
		  { SAID(VALID, STRUCTURE, NONE, 0), .note = "less" } },
		{ { { 1, { SAID(VALID, CHECKSUM, NONE, 0), .note = "more" } },
		    { 2, { SAID(VALID, STRUCTURE, NONE, 0), .note = "less" } } },
		  { SAID(VALID, STRUCTURE, NONE, 0), .note = "less" } },
		{ { { 1, { SAID(VALID, CHECKSUM, NONE, 0), .note = "first" } },
		    { 2, { SAID(VALID, CHECKSUM, NONE, 0), .note = "second" } } },
		  { SAID(VALID, CHECKSUM, NONE, 0), .note = "first" } },
	};
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ckpt_verdict *all = &cases[i].all;

		run_all(dir, NAME, 4, &s);
		assert_string_equal(s.merged.verdict.note, "");
		for (int k = 0; k < 2; k++)
			say(dir, &cases[i].said[k]);
		run_merge(dir, NAME, 4, &s);
		assert_int_equal(s.result, 0);
		expect(&s.merged, all->status, all->evidence, all->problem.code);
		if (all->problem.code != CKPT_PROBLEM_NONE)
			assert_int_equal(s.merged.verdict.problem.offset, all->problem.offset);
		assert_string_equal(s.merged.verdict.note, all->note);
	}
}

/* Where all bytes are those that were sealed, what the structure says of them is of no account, as
 * in a check by one; where nobody compared them it is. */
static void test_share__sealed_bytes_outweigh_their_structure(void **state)
{
	static const char torn[] = "PK\3\4 torn";
	const struct scratch *dir = *state;
	struct said said = { .verdict = { SAID(VALID, SEAL, NONE, 0) } };
	struct shared s;

	scratch_put(dir->fd, NAME, torn);
	run_all(dir, NAME, 4, &s);
	assert_int_not_equal(s.merged.verdict.status, CKPT_VALID);
	for (; said.index < 4; said.index++)
		say(dir, &said);
	run_merge(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	said = (struct said) { 2, { SAID(VALID, CHECKSUM, NONE, 0) } };
	say(dir, &said);
	run_merge(dir, NAME, 4, &s);
	assert_int_not_equal(s.merged.verdict.status, CKPT_VALID);
}

/* NeMo's marker says that it is being written or removed, whatever the parts compared before. */
static void test_share__a_mark_outweighs_the_parts(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 1000);
	sealed_make(dir, NAME);
	run_all(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_SEAL, CKPT_PROBLEM_NONE);
	scratch_put(dir->fd, NAME "-unfinished", "");
	run_merge(dir, NAME, 4, &s);
	expect(&s.merged, CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_UNFINISHED_NAME);
}

/* Who does not say which run is asked for gets one, not a mixture. */
static void test_share__parts_are_of_one_run(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_parts parts = { dir->fd, NAME, 4, "" };
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct shared s;
	struct ckpt_set *set;

	put(dir, false, 1000);
	run_all(dir, NAME, 4, &s);
	set = sealed_set(dir, &cat, NAME);
	assert_int_equal(ckpt_part_merge(&ctx, &parts, set, NULL), 0);
	assert_int_equal(set->report->verdict.status, CKPT_VALID);
	edit(dir, NAME ".part-2-of-4.json", "\"" RUN "\"", "\"40.0\"");
	assert_int_equal(ckpt_part_merge(&ctx, &parts, set, NULL), CKPT_PART_MISSING);
	assert_int_equal(set->report->verdict.status, CKPT_UNREADABLE);
}

/* Whichever share had which piece: in the file they stand in one order. */
static void test_share__pieces_in_any_order(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put(dir, false, 6000000);
	run_all(dir, NAME, 4, &s);
	edit(dir, NAME ".part-1-of-4.json", "\"index\":\t1", "\"index\":\t2");
	edit(dir, NAME ".part-2-of-4.json", "\"index\":\t2", "\"index\":\t1");
	assert_int_equal(renameat2(dir->fd, NAME ".part-1-of-4.json", dir->fd,
				   NAME ".part-2-of-4.json", RENAME_EXCHANGE),
			 0);
	run_merge(dir, NAME, 4, &s);
	assert_int_equal(s.result, 0);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
}

/* A part whose ranges are fewer than it names is torn; one that is right comes back as it was. */
static void test_share__ranges_of_a_part_agree(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_parts parts = parts_of(dir, NAME, 1);
	struct ckpt_part part = { .share = { .count = 1 }, .differing.cut = true };
	_cleanup_part_ struct ckpt_part back = { .share = { .index = 0 } };
	struct ckpt_ctx ctx = { 0 };

	for (uint64_t i = 0; i < 9; i++)
		ckpt_differing_add(&part.differing, "a", UINT64_MAX - 100 + 10 * i, 5);
	assert_int_equal(ckpt_part_store(&parts, &part, NULL), 0);
	assert_int_equal(ckpt_part_load(&ctx, &parts, 0, &back, NULL), 0);
	assert_memory_equal(&back.differing, &part.differing, sizeof(back.differing));
	part.differing.ranges = CKPT_DIFFERENCES_NAMED - 1;
	assert_int_equal(ckpt_part_store(&parts, &part, NULL), 0);
	assert_int_equal(ckpt_part_load(&ctx, &parts, 0, &back, NULL), CKPT_PART_MISSING);
}

/* Who did not get a file that says nothing until it is unpacked lowers nothing. */
static void test_share__a_packed_file_is_what_its_reader_says(void **state)
{
	/* Python: gzip.compress(pickle.dumps({"epoch": 3, "global_step": 8}, 2), mtime=0) */
	static const uint8_t packed[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02,
					  0x03, 0x6b, 0x60, 0xaa, 0x2d, 0x64, 0xd0, 0x88, 0x60,
					  0x65, 0x60, 0x60, 0x48, 0x2d, 0xc8, 0x4f, 0xce, 0x28,
					  0x64, 0xf4, 0x66, 0x8e, 0xe0, 0x06, 0xf2, 0xd2, 0x73,
					  0xf2, 0x93, 0x12, 0x73, 0xe2, 0x8b, 0x4b, 0x52, 0x0b,
					  0x0a, 0x99, 0xbc, 0x39, 0x4a, 0xf5, 0x00, 0x8f, 0x64,
					  0x8b, 0xd8, 0x2a, 0x00, 0x00, 0x00 };
	const struct scratch *dir = *state;
	struct shared s;

	for (int flip = 0; flip < 2; flip++) {
		uint8_t bytes[sizeof(packed)];

		memcpy(bytes, packed, sizeof(packed));
		bytes[sizeof(packed) - 8] ^= (uint8_t)flip; /* its CRC */
		scratch_write(dir->fd, "ckpt-8.pt.gz", bytes, sizeof(bytes));
		run_all(dir, "ckpt-8.pt.gz", 3, &s);
		if (flip) {
			expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
			continue;
		}
		expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, CKPT_PROBLEM_NONE);
		assert_string_equal(s.merged.verdict.note, "");
	}
}

/* Damage that one part found is an answer, whatever another says or does not say. */
static void test_share__damage_outweighs_a_missing_part(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	put_shards(dir, 7);
	run_all(dir, "checkpoint-500", 4, &s);
	for (int i = 0; i < 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "checkpoint-500.part-%d-of-4.json", i);
		if (s.parts[i].verdict.status == CKPT_VALID)
			assert_int_equal(unlinkat(dir->fd, name, 0), 0);
	}
	run_merge(dir, "checkpoint-500", 4, &s);
	expect(&s.merged, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, CKPT_PROBLEM_CHECKSUM);
}

static void test_share__a_budget_lowers_the_whole(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_share share = { .index = 1, .count = 2 };
	struct ckpt_ctx ctx = { .share = &share, .max_bytes = 500000 };
	const struct ckpt_parts parts = parts_of(dir, NAME, 2);
	struct shared s;

	put(dir, false, 6000000);
	run_all(dir, NAME, 2, &s);
	assert_int_equal(s.merged.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_int_equal(
		ckpt_part_make(&ctx, &parts, sealed_set(dir, &cat, NAME), CKPT_LEVEL_FULL, NULL),
		0);
	ckpt_share_done(&share);
	run_merge(dir, NAME, 2, &s);
	expect(&s.merged, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, CKPT_PROBLEM_NONE);
	assert_non_null(strstr(s.merged.verdict.note, "budget"));
}

static void test_share__the_newest_parts_count(void **state)
{
	const struct scratch *dir = *state;
	struct shared s;

	assert_int_equal(ckpt_part_count(dir->fd, NAME), 0);
	put(dir, false, 1000);
	run_all(dir, NAME, 4, &s);
	usleep(20000);
	run_all(dir, NAME, 2, &s);
	scratch_put(dir->fd, NAME ".part-1-of-7.json.old", "");
	scratch_put(dir->fd, NAME ".part-x-of-7.json", "");
	assert_int_equal(ckpt_part_count(dir->fd, NAME), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share__windows_tile_the_file),
		cmocka_unit_test(test_share__a_small_or_decoded_file_is_one_shares),
		cmocka_unit_test(test_share__parts_are_taken_once),
		cmocka_unit_test(test_share__small_ranges_are_handed_out_once),
		scratch_test(test_share__a_torch_file_of_one_tensor),
		scratch_test(test_share__damage_shows_in_the_whole),
		scratch_test(test_share__one_share_is_the_whole),
		scratch_test(test_share__a_seal_is_split_by_chunks),
		scratch_test(test_share__a_directory_is_split_by_files),
		scratch_test(test_share__damage_before_a_list_is_damage),
		scratch_test(test_share__a_large_file_of_two_names),
		scratch_test(test_share__an_index_is_split_by_shards),
		scratch_test(test_share__a_container_is_one_shares),
		scratch_test(test_share__two_large_files_of_a_directory),
		scratch_test(test_share__what_is_missing_is_not_found_out),
		scratch_test(test_share__parts_of_different_kinds_do_not_add_up),
		scratch_test(test_share__pieces_have_to_tile),
		scratch_test(test_share__numbers_of_a_piece),
		scratch_test(test_share__other_files_are_an_active_writer),
		scratch_test(test_share__damage_that_was_mended_is_none),
		scratch_test(test_share__pieces_of_two_saves_are_not_joined),
		scratch_test(test_share__the_worst_word_counts),
		scratch_test(test_share__sealed_bytes_outweigh_their_structure),
		scratch_test(test_share__a_mark_outweighs_the_parts),
		scratch_test(test_share__parts_are_of_one_run),
		scratch_test(test_share__pieces_in_any_order),
		scratch_test(test_share__ranges_of_a_part_agree),
		scratch_test(test_share__a_packed_file_is_what_its_reader_says),
		scratch_test(test_share__damage_outweighs_a_missing_part),
		scratch_test(test_share__a_budget_lowers_the_whole),
		scratch_test(test_share__the_newest_parts_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
