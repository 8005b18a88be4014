/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/sha256_streams.h: each message ends once, with its own digest, whatever the lanes and
 * lengths; an error is that message's alone; what is stopped says so.
 */
#include "core/base/sha256_streams.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"

#define MANY 60

struct expected {
	uint64_t off, len;
	int result, ended;
	bool right;
	char text[80];
};

/* A source over ranges of one file. */
struct bench {
	struct ckpt_file file;
	uint8_t *data;
	struct expected m[MANY];
	int n, taken, under_way, most;
	int stop_after; /* messages ended; 0 = never */
	int ended, lanes;
	bool ahead;
	int of_lane[CKPT_SHA256_LANES];
	uint64_t told[CKPT_SHA256_LANES]; /* of the lane's message, as it was read */
};

static bool next(void *arg, int lane, struct ckpt_sha256_message *ret)
{
	struct bench *b = arg;

	if (b->taken == b->n)
		return false;
	b->of_lane[lane] = b->taken++;
	b->told[lane] = 0;
	b->most = ++b->under_way > b->most ? b->under_way : b->most;
	*ret = (struct ckpt_sha256_message) { &b->file, b->m[b->of_lane[lane]].off,
					      b->m[b->of_lane[lane]].len };
	return true;
}

static void bytes(void *arg, int lane, const uint8_t *data, size_t len)
{
	struct bench *b = arg;
	const struct expected *m = &b->m[b->of_lane[lane]];

	assert_true(len <= m->len - b->told[lane]);
	assert_memory_equal(data, b->data + m->off + b->told[lane], len);
	b->told[lane] += len;
}

static void done(void *arg, int lane, int result, const uint8_t *digest,
		 const struct ckpt_error *err)
{
	struct bench *b = arg;
	struct expected *m = &b->m[b->of_lane[lane]];
	uint8_t expected[CKPT_SHA256_SIZE];

	m->result = result;
	m->ended++;
	b->ended++;
	b->under_way--;
	snprintf(m->text, sizeof(m->text), "%.79s", err->text);
	if (result != 0)
		return;
	if (b->told[lane] > 0 || b->lanes > 1)
		assert_int_equal(b->told[lane], m->len);
	assert_int_equal(EVP_Digest(b->data + m->off, m->len, expected, NULL, EVP_sha256(), NULL),
			 1);
	m->right = memcmp(digest, expected, sizeof(expected)) == 0;
}

static bool stops(void *arg)
{
	const struct bench *b = arg;

	return b->stop_after && b->ended >= b->stop_after;
}

static int run(struct bench *b, int lanes)
{
	const struct ckpt_sha256_source source = { next, done, bytes, stops, b, b->ahead };
	const struct ckpt_sha256_plan plan = { .threads = 1, .lanes = lanes, .mates = 1 };

	b->lanes = lanes;
	b->taken = b->ended = b->under_way = b->most = 0;
	for (int i = 0; i < b->n; i++)
		b->m[i].ended = b->m[i].right = 0;
	return ckpt_sha256_streams(&source, &plan);
}

static void open_bench(struct bench *b, const struct scratch *s, struct ckpt_ctx *ctx, size_t size)
{
	*b = (struct bench) { .file = CKPT_FILE_INIT, .data = scratch_noise(size, 3) };
	scratch_write(s->fd, "f", b->data, size);
	assert_int_equal(ckpt_file_open(ctx, s->fd, "f", &b->file, NULL), 0);
}

static void close_bench(struct bench *b)
{
	ckpt_file_done(&b->file);
	free(b->data);
}

static void want(struct bench *b, uint64_t off, uint64_t len)
{
	b->m[b->n++] = (struct expected) { .off = off, .len = len };
}

static void assert_all_right(const struct bench *b, int lanes)
{
	assert_int_equal(b->ended, b->n);
	assert_int_equal(b->under_way, 0);
	assert_true(b->most <= lanes);
	for (int i = 0; i < b->n; i++) {
		assert_int_equal(b->m[i].ended, 1);
		assert_int_equal(b->m[i].result, 0);
		assert_true(b->m[i].right);
	}
}

static void test_sha256_streams__any_lengths(void **state)
{
	static const size_t lens[] = { 0,     1,     63,    64,	    65,	    4095,   4096,  32767,
				       32768, 32769, 65536, 100000, 262144, 262145, 700000 };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct bench b;

	open_bench(&b, *state, &ctx, 900000);
	for (int i = 0; i < MANY; i++)
		want(&b, (uint64_t)i * 31, lens[(i * 7) % 15]);
	for (int lanes = 1; lanes <= CKPT_SHA256_LANES; lanes++) {
		assert_int_equal(run(&b, lanes), 0);
		assert_all_right(&b, lanes);
		assert_int_equal(b.most, lanes);
	}
	b.n = 3; /* fewer than lanes */
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	assert_all_right(&b, 3);
	b.n = 0;
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	close_bench(&b);
}

static ssize_t counting(void *arg, int fd, void *buf, size_t len, off_t off)
{
	int *reads = arg;

	(*reads)++;
	return pread(fd, buf, len, off);
}

/* Equal lengths keep their step: a file is read in pieces as long as the buffer allows. */
static void test_sha256_streams__reads_are_long(void **state)
{
	int reads = 0;
	const struct ckpt_seam seam = { .pread = counting, .arg = &reads };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &seam };
	struct bench b;

	open_bench(&b, *state, &ctx, 1100000);
	want(&b, 0, 64);
	want(&b, 0, 100);
	for (int i = 2; i < 34; i++)
		want(&b, (uint64_t)i * 64, 1048576);
	ctx.bytes_read = 0;
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	assert_all_right(&b, CKPT_SHA256_LANES);
	assert_int_equal(ctx.bytes_read, 164 + (uint64_t)32 * 1048576); /* nothing twice */
	assert_true(reads < 32 * 32 * 5 / 4);				/* pieces of 32 KiB */
	b.n = reads = 0;
	for (int i = 0; i < MANY; i++)
		want(&b, (uint64_t)i, 100 + (uint64_t)(i * 37 % 61) * 100);
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	assert_all_right(&b, CKPT_SHA256_LANES);
	assert_int_equal(reads, MANY); /* short ones at once */
	close_bench(&b);
}

static void test_sha256_streams__stopped(void **state)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	int cancelled = 0;
	struct bench b;

	open_bench(&b, *state, &ctx, 400000);
	for (int i = 0; i < MANY; i++)
		want(&b, 0, i == 5 ? 64 : 400000);
	b.stop_after = 1;
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	assert_int_equal(b.under_way, 0);
	for (int i = 0; i < b.n; i++) {
		assert_int_equal(b.m[i].ended, i < b.taken);
		cancelled += b.m[i].result == -ECANCELED;
	}
	assert_int_equal(b.taken, CKPT_SHA256_LANES + 1); /* and not all of them */
	assert_int_equal(cancelled, CKPT_SHA256_LANES);
	assert_true(b.m[5].right);
	close_bench(&b);
}

/* What lies beyond the file, and a disk that does not answer, end that message alone. */
static ssize_t breaks_at(void *arg, int fd, void *buf, size_t len, off_t off)
{
	const off_t *bad = arg;

	if (off <= *bad && *bad < off + (off_t)len) {
		errno = EIO;
		return -1;
	}
	return pread(fd, buf, len, off);
}

static void test_sha256_streams__errors(void **state)
{
	off_t bad = 250000;
	const struct ckpt_seam seam = { .pread = breaks_at, .arg = &bad };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &seam };
	struct bench b;

	open_bench(&b, *state, &ctx, 400000);
	for (int i = 0; i < 20; i++)
		want(&b, (uint64_t)i * 20000, 20000);
	b.m[3].off = 399999;
	assert_int_equal(run(&b, CKPT_SHA256_LANES), 0);
	for (int i = 0; i < b.n; i++) {
		bool good = i != 3 && i != 12;

		assert_int_equal(b.m[i].ended, 1);
		assert_int_equal(b.m[i].right, good);
	}
	assert_int_equal(b.m[3].result, CKPT_FILE_SHORT);
	assert_int_equal(b.m[12].result, -EIO);
	assert_non_null(strstr(b.m[12].text, " at byte "));
	close_bench(&b);
}

static void test_sha256_streams__budget(void **state)
{
	struct ckpt_ctx ctx = { .threads = 1, .max_bytes = 100000 };
	struct bench b;

	open_bench(&b, *state, &ctx, 400000);
	want(&b, 0, 50000);
	want(&b, 0, 400000);
	assert_int_equal(run(&b, 1), 0);
	assert_true(b.m[0].right);
	assert_int_equal(b.m[1].result, 0); /* begun before the allowance was used up: one read */
	ctx.bytes_read = 100000;
	assert_int_equal(run(&b, 1), 0);
	assert_int_equal(b.m[0].result, -EDQUOT);
	close_bench(&b);
}

/* Side by side only where each thread has enough of them, and never too many files at once; a mate
 * only for threads that would have nothing else to do. */
static void test_sha256_streams__plan(void **state)
{
	const struct ckpt_sha256_ways ways = ckpt_sha256_ways();
	const int from = ckpt_sha256_pays_from(&ways);
	const struct {
		uint64_t messages;
		int threads;
		struct ckpt_sha256_plan plan;
	} cases[] = {
		{ 0, 1, { 1, 1, 1 } },
		{ 0, 2, { 1, 1, 2 } },
		{ 1, 1, { 1, 1, 1 } },
		{ 1, 2, { 1, 1, 2 } },
		{ 2, 2, { 2, 1, 1 } },
		{ 2, 3, { 2, 1, 1 } },
		{ 2, 4, { 2, 1, 2 } },
		{ 4, 2, { 2, 1, 1 } },
		{ 20, 2, { 2, from <= 10 ? 10 : 1, 1 } },
		{ 32, 2, { 2, from <= 16 ? 16 : 1, 1 } },
		{ 1000, 2, { 2, from <= 16 ? 16 : 1, 1 } },
		{ UINT64_MAX, 1, { 1, from <= 16 ? 16 : 1, 1 } },
		{ UINT64_MAX, 32, { 32, from <= 16 ? 16 : 1, 1 } },
		{ UINT64_MAX, 64, { 64, from <= 8 ? 8 : 1, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_sha256_plan plan =
			ckpt_sha256_plan(cases[i].messages, cases[i].threads);

		assert_memory_equal(&plan, &cases[i].plan, sizeof(plan));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_sha256_streams__any_lengths),
		scratch_test(test_sha256_streams__reads_are_long),
		scratch_test(test_sha256_streams__stopped),
		scratch_test(test_sha256_streams__errors),
		scratch_test(test_sha256_streams__budget),
		cmocka_unit_test(test_sha256_streams__plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
