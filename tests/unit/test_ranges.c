/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads' common look through ranges: every byte is looked at once, in pieces that end with a
 * block of the file and divide no unit; results come once a range, and the verdict is the first.
 */
#include "core/base/ranges.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bulk.h"
#include "tests/unit/support/scratch.h"

#define MIB ((uint64_t)1024 * 1024)
#define BLOCK ((uint64_t)CKPT_BULK_BLOCK)
#define SIZE (23 * MIB + 777)
#define MOST 4096
#define THREADS 4

/* A job that notes all that is done with it. */
struct look {
	pthread_mutex_t lock;
	union ckpt_range range[MOST];
	uint64_t joined[MOST]; /* sum over the pieces of (behind + 1) */
	uint32_t ended[MOST];  /* times */
	uint64_t done[MOST];   /* of the range, when it ended */
	uint64_t looked[MOST]; /* bytes */
	uint64_t sum[MOST];    /* of the range's bytes, by what end() was given */
	int n, at, fail_at;    /* of the list; fail_at: -ENOMSG instead of that one */
	uint64_t reject, also; /* ranges; MOST = none */
	uint64_t unit, pieces; /* what is checked, and how many pieces of cut ranges there were */
	uint64_t base;	       /* of the view */
	bool divided, crossed; /* a read began inside a unit; a piece of a cut lay in two blocks */
};

static int next(void *arg, union ckpt_range *ret)
{
	struct look *look = arg;

	if (look->fail_at && look->at == look->fail_at)
		return -ENOMSG;
	if (look->at == look->n)
		return 0;
	*ret = look->range[look->at++];
	return 1;
}

static uint64_t byte_sum(const struct ckpt_range_bytes *bytes)
{
	const uint8_t *p = bytes->data;
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes->len; i++)
		sum += p[i];
	return sum;
}

/* The sum in nan, the bytes in inf. */
static void look_at(void *arg, const union ckpt_range *part, const struct ckpt_range_bytes *bytes,
		    union ckpt_range_found *found)
{
	struct look *look = arg;
	const union ckpt_range *range = &look->range[part->crc.tag];
	uint64_t begin = look->base + part->off;

	found->floats.nan += byte_sum(bytes);
	found->floats.inf += bytes->len;
	pthread_mutex_lock(&look->lock);
	look->looked[part->crc.tag] += bytes->len;
	if (part->len < range->len && begin / BLOCK != (begin + part->len - 1) / BLOCK)
		look->crossed = true;
	if ((bytes->off - range->off) % look->unit != 0)
		look->divided = true;
	pthread_mutex_unlock(&look->lock);
}

static void join(void *arg, union ckpt_range_found *whole, const union ckpt_range_found *part,
		 uint64_t behind)
{
	struct look *look = arg;

	look->pieces++;
	whole->floats.nan += part->floats.nan;
	whole->floats.inf += part->floats.inf;
	whole->floats.first += behind + part->floats.inf; /* where the piece begins, from the end */
}

static bool end(void *arg, const union ckpt_range *range, const union ckpt_range_found *found,
		uint64_t done)
{
	struct look *look = arg;
	uint64_t tag = range->crc.tag;

	assert_int_equal(range->off, look->range[tag].off); /* the range, not its piece */
	assert_int_equal(range->len, look->range[tag].len);
	assert_int_equal(found->floats.inf, done);
	look->ended[tag]++;
	look->done[tag] = done;
	look->sum[tag] = found->floats.nan;
	look->joined[tag] = found->floats.first;
	return done < range->len || (tag != look->reject && tag != look->also);
}

static void add(struct look *look, uint64_t off, uint64_t len)
{
	look->range[look->n].crc =
		(struct ckpt_crc_range) { .off = off, .len = len, .tag = (uint64_t)look->n };
	look->n++;
}

struct fixture {
	uint8_t *data;
	struct look look;
	struct ckpt_ctx ctx;
	struct ckpt_file file;
};

/* A large range, small ones with gaps, empty ones, one that is just a block, and another large one.
 */
static void fixture_init(struct fixture *f, const struct scratch *s, uint64_t first)
{
	uint64_t off = first + 13 * MIB + 5;

	*f = (struct fixture) { .file = CKPT_FILE_INIT,
				.look = { .lock = PTHREAD_MUTEX_INITIALIZER,
					  .reject = MOST,
					  .also = MOST,
					  .unit = 1 } };
	f->data = scratch_noise(SIZE, 11);
	add(&f->look, first, 13 * MIB + 5);
	for (uint64_t i = 0; i < 2000; i++) {
		add(&f->look, off, i % 300);
		off += i % 300 + 3;
	}
	off = (off + BLOCK - 1) / BLOCK * BLOCK;
	add(&f->look, off, BLOCK);
	add(&f->look, off + BLOCK, SIZE - off - BLOCK);
	scratch_write(s->fd, "f", f->data, SIZE);
	assert_int_equal(ckpt_file_open(&f->ctx, s->fd, "f", &f->file, NULL), 0);
}

static void fixture_done(struct fixture *f)
{
	ckpt_file_done(&f->file);
	free(f->data);
	pthread_mutex_destroy(&f->look.lock);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static int run(struct fixture *f, const struct ckpt_file *file, int threads,
	       union ckpt_range *ret_bad, struct ckpt_error *err)
{
	const struct ckpt_ranges_job job = { .arg = &f->look,
					     .next = next,
					     .look = look_at,
					     .join = join,
					     .end = end,
					     .unit = (unsigned)f->look.unit,
					     .total = SIZE,
					     .purpose = "to test" };
	struct look *look = &f->look;

	look->at = 0;
	look->pieces = 0;
	look->base = file->base;
	memset(look->ended, 0, sizeof(look->ended));
	memset(look->looked, 0, sizeof(look->looked));
	f->ctx.threads = threads;
	f->ctx.bytes_read = 0;
	return ckpt_ranges_run(file, &job, ret_bad, err);
}

static uint64_t sum_of(const struct fixture *f, const union ckpt_range *range)
{
	const struct ckpt_range_bytes bytes = { .data = f->data + f->look.base + range->off,
						.len = (size_t)range->len };

	return byte_sum(&bytes);
}

/* That each range was looked at and told of once, with all of its bytes. */
static void assert_all(const struct fixture *f)
{
	const struct look *look = &f->look;

	for (int i = 0; i < look->n; i++) {
		assert_int_equal(look->looked[i], look->range[i].len);
		assert_int_equal(look->ended[i], 1);
		assert_int_equal(look->done[i], look->range[i].len);
		assert_int_equal(look->sum[i], sum_of(f, &look->range[i]));
	}
}

static void test_ranges__every_byte_once(void **state)
{
	_cleanup_fixture_ struct fixture f;
	union ckpt_range bad = { .crc = { .tag = 99 } };

	fixture_init(&f, *state, 0);
	for (int threads = 1; threads <= THREADS; threads++) {
		assert_int_equal(run(&f, &f.file, threads, &bad, NULL), 0);
		assert_all(&f);
		assert_int_equal(bad.crc.tag, 99);
	}
}

/* Of a view, too, whose blocks are those of the file around it. */
static void test_ranges__pieces_end_with_a_block(void **state)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	union ckpt_range bad;

	fixture_init(&f, *state, 4096);
	assert_int_equal(run(&f, &f.file, 2, &bad, NULL), 0);
	assert_all(&f);
	assert_false(f.look.crossed);
	/* 4096 to 13 MiB + 4101 is of seven blocks; what is just a block or in one is of none */
	assert_int_equal(f.look.pieces,
			 7 + 1 + (SIZE / BLOCK - f.look.range[2002].off / BLOCK + 1));
	f.look.n = 0;
	add(&f.look, 0, 6 * MIB);
	assert_int_equal(ckpt_file_view(&f.file, 1000, 6 * MIB, &view, NULL), 0);
	assert_int_equal(run(&f, &view, 2, &bad, NULL), 0);
	assert_all(&f);
	assert_false(f.look.crossed);
	assert_int_equal(f.look.pieces, 4);
}

/* How many bytes come behind each piece: where they begin, summed, as they would if cut by hand. */
static void test_ranges__behind(void **state)
{
	_cleanup_fixture_ struct fixture f;
	union ckpt_range bad;
	uint64_t len = 13 * MIB + 5, sum = len;

	fixture_init(&f, *state, 4096);
	assert_int_equal(run(&f, &f.file, 3, &bad, NULL), 0);
	for (uint64_t edge = BLOCK; edge < 4096 + len; edge += BLOCK)
		sum += 4096 + len - edge;
	assert_int_equal(f.look.joined[0], sum);
}

/* Wherever a range begins, no number of it is divided. */
static void test_ranges__units_stay_whole(void **state)
{
	static const uint64_t firsts[] = { 0, 1, 2, 7, BLOCK - 1, BLOCK - 8, BLOCK - 9 };

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		_cleanup_fixture_ struct fixture f;
		union ckpt_range bad;

		fixture_init(&f, *state, firsts[i]);
		f.look.unit = 8;
		assert_int_equal(run(&f, &f.file, 2, &bad, NULL), 0);
		assert_all(&f);
		assert_false(f.look.divided);
	}
}

static void test_ranges__first_rejected(void **state)
{
	_cleanup_fixture_ struct fixture f;
	union ckpt_range bad;

	fixture_init(&f, *state, 0);
	f.look.reject = 700;
	f.look.also = 701;
	assert_int_equal(run(&f, &f.file, 1, &bad, NULL), CKPT_RANGES_REJECTED);
	assert_int_equal(bad.crc.tag, 700);
	assert_int_equal(f.look.ended[2002], 0); /* and stops soon */
	for (int threads = 2; threads <= THREADS; threads++) {
		assert_int_equal(run(&f, &f.file, threads, &bad, NULL), CKPT_RANGES_REJECTED);
		assert_in_range(bad.crc.tag, 700, 701);
	}
	f.look.reject = 0; /* of pieces */
	assert_int_equal(run(&f, &f.file, 1, &bad, NULL), CKPT_RANGES_REJECTED);
	assert_int_equal(bad.crc.tag, 0);
	assert_int_equal(bad.len, 13 * MIB + 5);
}

static void test_ranges__beyond_the_file(void **state)
{
	static const struct {
		uint64_t from_end, len;
	} cases[] = { { 0, 1 }, { 5, 6 }, { 0, UINT64_MAX }, { 10, UINT64_MAX - 5 } };
	_cleanup_fixture_ struct fixture f;
	union ckpt_range bad;

	fixture_init(&f, *state, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.look.range[1500].off = SIZE - cases[i].from_end;
		f.look.range[1500].len = cases[i].len;
		assert_int_equal(run(&f, &f.file, 1 + (int)i, &bad, NULL), CKPT_RANGES_SHORT);
		assert_int_equal(bad.crc.tag, 1500);
	}
	scratch_resize(((const struct scratch *)*state)->fd, "f", 9 * MIB); /* it shrank */
	assert_int_equal(run(&f, &f.file, 2, &bad, NULL), CKPT_RANGES_SHORT);
	assert_int_equal(bad.crc.tag, 0);
	assert_int_equal(bad.len, 13 * MIB + 5);
}

/* What was looked at of a large range before the end of the budget is told, once. */
static void test_ranges__cut_off(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_error err = { 0 };
	union ckpt_range bad;

	fixture_init(&f, *state, 0);
	f.ctx.max_bytes = 5 * MIB;
	assert_int_equal(run(&f, &f.file, 1, &bad, &err), -EDQUOT);
	assert_int_equal(err.code, -EDQUOT);
	assert_int_equal(f.look.ended[0], 1);
	assert_int_equal(f.look.done[0], 2 * BLOCK);
	assert_int_equal(f.look.ended[1], 0);
	f.ctx.max_bytes = 0;
	f.ctx.deadline_ns = 1;
	for (int threads = 1; threads <= THREADS; threads++) {
		assert_int_equal(run(&f, &f.file, threads, &bad, &err), -ETIMEDOUT);
		assert_int_equal(f.ctx.bytes_read, 0);
	}
	f.ctx.deadline_ns = 0;
	f.look.fail_at = 1000;
	assert_int_equal(run(&f, &f.file, 2, &bad, &err), -ENOMSG);
	assert_non_null(strstr(err.text, "'f'"));
}

struct shown {
	uint64_t calls, last;
};

static void show(void *arg, const char *name, uint64_t done, uint64_t total)
{
	struct shown *shown = arg;

	assert_string_equal(name, "f");
	assert_int_equal(total, SIZE);
	assert_true(done >= shown->last);
	shown->calls++;
	shown->last = done;
}

static void test_ranges__progress(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct shown shown = { 0 };
	union ckpt_range bad;

	fixture_init(&f, *state, 0);
	f.ctx.progress = show;
	f.ctx.progress_arg = &shown;
	assert_int_equal(run(&f, &f.file, 3, &bad, NULL), 0);
	assert_true(shown.calls > 3);
	assert_int_equal(shown.last, f.ctx.bytes_read); /* all of it, in the end */
}

/* Bytes that one thread at a time may read. */
struct one {
	pthread_t thread;
	int others;
	const uint8_t *data;
};

static ssize_t one_pread(void *arg, void *buf, size_t len, uint64_t off)
{
	struct one *one = arg;

	one->others += !pthread_equal(pthread_self(), one->thread);
	memcpy(buf, one->data + off, len);
	return (ssize_t)len;
}

static void test_ranges__source_has_one_thread(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct one one = { .thread = pthread_self() };
	const struct ckpt_file_source source = { .pread = one_pread, .arg = &one };
	union ckpt_range bad;

	fixture_init(&f, *state, 0);
	one.data = f.data;
	f.file.source = &source;
	assert_int_equal(run(&f, &f.file, THREADS, &bad, NULL), 0);
	assert_all(&f);
	assert_int_equal(one.others, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_ranges__every_byte_once),
		scratch_test(test_ranges__pieces_end_with_a_block),
		scratch_test(test_ranges__behind),
		scratch_test(test_ranges__units_stay_whole),
		scratch_test(test_ranges__first_rejected),
		scratch_test(test_ranges__beyond_the_file),
		scratch_test(test_ranges__cut_off),
		scratch_test(test_ranges__progress),
		scratch_test(test_ranges__source_has_one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
