/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/crc.c and crc_verify.c: known vectors, a bitwise reference, and verification by any
 * number of threads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/base/crc.h"
#include "tests/unit/support/scratch.h"

#define MIB ((size_t)1024 * 1024)
#define N_THREADS 3

static const int thread_counts[N_THREADS] = { 1, 2, 7 };

static uint32_t bitwise(uint32_t poly, const uint8_t *p, size_t len)
{
	uint32_t crc = ~UINT32_C(0);

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ poly : crc >> 1;
	}
	return ~crc;
}

static void test_crc__known_vectors(void **state)
{
	static const struct {
		const char *text;
		uint32_t crc32, crc32c;
	} cases[] = {
		{ "", 0, 0 },
		{ "a", 0xe8b7be43, 0xc1d04330 },
		{ "123456789", 0xcbf43926, 0xe3069283 },
		{ "little", 0x19e33d85, 0 }, /* as every zip of torch holds it */
		{ "3\n", 0x55679ed1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);

		assert_int_equal(ckpt_crc(CKPT_CRC32, 0, cases[i].text, len), cases[i].crc32);
		if (cases[i].crc32c || len == 0)
			assert_int_equal(ckpt_crc(CKPT_CRC32C, 0, cases[i].text, len),
					 cases[i].crc32c);
	}
}

static void test_crc__agrees_with_the_definition(void **state)
{
	_cleanup_free_ uint8_t *data = scratch_noise(5000, 7);

	(void)state;
	for (size_t len = 0; len < 5000; len += 1 + len / 3) {
		const uint8_t *p = data + len % 5; /* unaligned too */
		size_t n = len < 4990 ? len : 4990;

		assert_int_equal(ckpt_crc(CKPT_CRC32, 0, p, n), bitwise(0xedb88320, p, n));
		assert_int_equal(ckpt_crc(CKPT_CRC32C, 0, p, n), bitwise(0x82f63b78, p, n));
	}
}

static void test_crc__continues_and_combines(void **state)
{
	_cleanup_free_ uint8_t *data = scratch_noise(3000, 9);

	(void)state;
	for (int kind = CKPT_CRC32; kind <= CKPT_CRC32C; kind++) {
		uint32_t whole = ckpt_crc(kind, 0, data, 3000);

		for (size_t cut = 0; cut <= 3000; cut += 97) {
			uint32_t a = ckpt_crc(kind, 0, data, cut);
			uint32_t b = ckpt_crc(kind, 0, data + cut, 3000 - cut);

			assert_int_equal(ckpt_crc(kind, a, data + cut, 3000 - cut), whole);
			assert_int_equal(ckpt_crc_combine(kind, a, b, 3000 - cut), whole);
		}
	}
}

static void test_crc__combines_beyond_32_bits(void **state)
{
	(void)state;
	/* Twice the same length of zeros, against once the doubled one: 6 GiB without a file. */
	for (int kind = CKPT_CRC32; kind <= CKPT_CRC32C; kind++) {
		uint64_t n = UINT64_C(3) << 30;
		uint32_t zeros = 0, by_parts;
		uint8_t zero = 0;

		zeros = ckpt_crc(kind, 0, &zero, 1);
		for (uint64_t len = 1; len < UINT64_C(1) << 30; len *= 2)
			zeros = ckpt_crc_combine(kind, zeros, zeros, len);
		by_parts = ckpt_crc_combine(kind, zeros, zeros, UINT64_C(1) << 30);
		by_parts = ckpt_crc_combine(kind, by_parts, zeros, UINT64_C(1) << 30); /* 3 GiB */
		assert_int_equal(ckpt_crc_combine(kind, ckpt_crc_combine(kind, 0x1234, by_parts, n),
						  by_parts, n),
				 ckpt_crc_combine(kind, 0x1234,
						  ckpt_crc_combine(kind, by_parts, by_parts, n),
						  2 * n));
	}
}

/* Ranges one after the other, as an archive's directory lists them. */
struct list {
	struct ckpt_crc_range range[4096];
	int n, at, fail_at;
};

static int list_next(void *arg, struct ckpt_crc_range *ret)
{
	struct list *list = arg;

	if (list->fail_at && list->at == list->fail_at)
		return -ENOMSG;
	if (list->at == list->n)
		return 0;
	*ret = list->range[list->at++];
	return 1;
}

static void list_add(struct list *list, const uint8_t *data, uint64_t off, uint64_t len)
{
	list->range[list->n] = (struct ckpt_crc_range) {
		.off = off,
		.len = len,
		.expected = ckpt_crc(CKPT_CRC32C, 0, data + off, len),
		.tag = (uint64_t)list->n,
	};
	list->n++;
}

/* A file with one range of several pieces, many small ones, empty ones, and a second large one. */
struct fixture {
	uint8_t *data;
	size_t size;
	struct list list;
	struct ckpt_file file;
	struct ckpt_ctx ctx;
};

static void fixture_init(struct fixture *f, const struct scratch *dir)
{
	uint64_t off = 0;

	*f = (struct fixture) { .size = 23 * MIB + 777, .file = CKPT_FILE_INIT };
	f->data = scratch_noise(f->size, 42);
	list_add(&f->list, f->data, 0, 13 * MIB + 5);
	off = 13 * MIB + 5;
	for (uint64_t i = 0; i < 2000; i++) {
		list_add(&f->list, f->data, off, i % 300);
		off += i % 300 + 3; /* gaps are nobody's */
	}
	list_add(&f->list, f->data, off, 4 * MIB); /* a piece, to the byte */
	off += 4 * MIB;
	list_add(&f->list, f->data, off, f->size - off);
	scratch_write(dir->fd, "data", f->data, f->size);
	assert_int_equal(ckpt_file_open(&f->ctx, dir->fd, "data", &f->file, NULL), 0);
}

static void fixture_done(struct fixture *f)
{
	ckpt_file_done(&f->file);
	free(f->data);
}

#define _cleanup_fixture_ _cleanup_(fixture_done)

static int run(struct fixture *f, int threads, struct ckpt_crc_range *bad, struct ckpt_error *err)
{
	struct ckpt_crc_job job = { CKPT_CRC32C, list_next, &f->list, f->size };

	f->list.at = 0;
	f->ctx.threads = threads;
	f->ctx.bytes_read = 0;
	return ckpt_crc_verify(&f->file, &job, bad, err);
}

static void test_crc__verifies_all_ranges(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { .tag = 99 };
	uint64_t sum = 0;

	fixture_init(&f, *state);
	for (int i = 0; i < f.list.n; i++)
		sum += f.list.range[i].len;
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), 0);
		assert_int_equal(f.list.at, f.list.n);
		assert_int_equal(f.ctx.bytes_read, sum); /* each byte once */
		assert_int_equal(bad.tag, 99);
	}
}

static void test_crc__finds_one_bit_in_any_range(void **state)
{
	_cleanup_fixture_ struct fixture f;
	static const int where[] = { 0, 299, 1000, 2000, 2001, 2002 };

	fixture_init(&f, *state);
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		struct ckpt_crc_range *range = &f.list.range[where[i]];
		uint64_t offsets[] = { range->off, range->off + range->len / 2,
				       range->off + range->len - 1 };

		for (int at = 0; at < 3; at++) {
			struct ckpt_crc_range bad = { 0 };
			uint8_t flipped;

			if (range->len == 0)
				continue;
			flipped = f.data[offsets[at]] ^ 0x10;
			scratch_patch(((const struct scratch *)*state)->fd, "data", offsets[at],
				      &flipped, 1);
			assert_int_equal(run(&f, thread_counts[at], &bad, NULL), CKPT_CRC_MISMATCH);
			assert_int_equal(bad.tag, where[i]);
			assert_int_equal(bad.len, range->len); /* the range, not its piece */
			scratch_patch(((const struct scratch *)*state)->fd, "data", offsets[at],
				      &f.data[offsets[at]], 1);
		}
	}
}

static void test_crc__empty_range_must_have_crc_zero(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { 0 };

	fixture_init(&f, *state);
	assert_int_equal(f.list.range[1].len, 0);
	f.list.range[1].expected = 1;
	assert_int_equal(run(&f, 2, &bad, NULL), CKPT_CRC_MISMATCH);
	assert_int_equal(bad.tag, 1);
}

static void test_crc__first_of_several_with_one_thread(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { 0 };

	fixture_init(&f, *state);
	f.list.range[700].expected ^= 1;
	f.list.range[701].expected ^= 1;
	f.list.range[2002].expected ^= 1;
	assert_int_equal(run(&f, 1, &bad, NULL), CKPT_CRC_MISMATCH);
	assert_int_equal(bad.tag, 700);
	assert_true(f.list.at < f.list.n); /* and stops soon */
}

static void test_crc__stops_after_a_mismatch(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { 0 };

	fixture_init(&f, *state);
	f.list.range[0] = (struct ckpt_crc_range) { .off = 0, .len = 10, .expected = 1 };
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), CKPT_CRC_MISMATCH);
		assert_true(f.ctx.bytes_read < 16 * MIB);
	}
}

static void test_crc__range_beyond_the_file(void **state)
{
	_cleanup_fixture_ struct fixture f;
	static const struct {
		uint64_t off_from_end, len;
	} cases[] = { { 0, 1 }, { 5, 6 }, { 0, UINT64_MAX }, { 10, UINT64_MAX - 5 } };

	fixture_init(&f, *state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_crc_range bad = { 0 };

		f.list.range[1500].off = f.size - cases[i].off_from_end;
		f.list.range[1500].len = cases[i].len;
		assert_int_equal(run(&f, thread_counts[i % 3], &bad, NULL), CKPT_CRC_SHORT);
		assert_int_equal(bad.tag, 1500);
	}
	f.list.range[1500].off = UINT64_MAX;
	f.list.range[1500].len = 2;
	assert_int_equal(run(&f, 2, &f.list.range[0], NULL), CKPT_CRC_SHORT);
}

static void test_crc__file_that_shrank(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { 0 };

	fixture_init(&f, dir);
	scratch_write(dir->fd, "data", f.data, 9 * MIB); /* truncated in place */
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), CKPT_CRC_SHORT);
		assert_int_equal(bad.tag, 0);
		assert_int_equal(bad.len, f.list.range[0].len);
	}
}

struct fault {
	atomic_int calls;
	int at, error;
	atomic_bool own_thread, unblocked;
	pthread_t main;
};

static ssize_t faulty_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct fault *fault = arg;
	sigset_t blocked;

	if (!pthread_equal(pthread_self(), fault->main)) {
		pthread_sigmask(SIG_SETMASK, NULL, &blocked);
		fault->own_thread = true;
		if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGCHLD))
			fault->unblocked = true;
	}
	if (++fault->calls == fault->at) {
		errno = fault->error;
		return -1;
	}
	return pread(fd, buf, len, off);
}

static void test_crc__hands_up_errors(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad = { .tag = 99 };

	fixture_init(&f, *state);
	for (int i = 0; i < N_THREADS; i++) {
		struct fault fault = { .at = 20, .error = EIO, .main = pthread_self() };
		struct ckpt_seam seam = { .pread = faulty_pread, .arg = &fault };
		struct ckpt_error err = { 0 };

		f.ctx.seam = &seam;
		assert_int_equal(run(&f, thread_counts[i], &bad, &err), -EIO);
		assert_int_equal(err.code, -EIO);
		assert_non_null(strstr(err.text, "'data'"));
		assert_int_equal(bad.tag, 99);
	}
	f.ctx.seam = NULL;
}

static void test_crc__threads_take_no_signals(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct fault fault = { .main = pthread_self() };
	struct ckpt_seam seam = { .pread = faulty_pread, .arg = &fault };
	struct ckpt_crc_range bad;
	sigset_t now;

	fixture_init(&f, *state);
	f.ctx.seam = &seam;
	for (int i = 0; i < 100 && !fault.own_thread; i++)
		assert_int_equal(run(&f, 7, &bad, NULL), 0);
	assert_true(fault.own_thread);
	assert_false(fault.unblocked);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	assert_false(sigismember(&now, SIGTERM)); /* the caller's mask is what it was */
	fault.own_thread = false;
	assert_int_equal(run(&f, 1, &bad, NULL), 0);
	assert_false(fault.own_thread);
}

static void test_crc__keeps_budgets(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad;

	fixture_init(&f, *state);
	for (int i = 0; i < N_THREADS; i++) {
		f.ctx.max_bytes = 8 * MIB;
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), -EDQUOT);
		assert_true(f.ctx.bytes_read <= 8 * MIB + 7 * 256 * 1024);
		f.ctx.max_bytes = 0;
		f.ctx.deadline_ns = 1;
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), -ETIMEDOUT);
		assert_int_equal(f.ctx.bytes_read, 0);
		f.ctx.deadline_ns = 0;
	}
}

static void test_crc__hands_up_the_callers_error(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad;

	fixture_init(&f, *state);
	f.list.fail_at = 1000;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), -ENOMSG);
}

static void test_crc__nothing_to_verify(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct ckpt_crc_range bad;

	fixture_init(&f, *state);
	f.list.n = 0;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(run(&f, thread_counts[i], &bad, NULL), 0);
}

static void test_crc__verifies_inside_a_view(void **state)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_file_ struct ckpt_file view = CKPT_FILE_INIT;
	struct ckpt_crc_job job = { CKPT_CRC32C, list_next, &f.list, 0 };
	struct ckpt_crc_range bad;

	fixture_init(&f, *state);
	assert_int_equal(ckpt_file_view(&f.file, 1000, 6 * MIB, &view, NULL), 0);
	f.list.n = 0;
	list_add(&f.list, f.data + 1000, 0, 6 * MIB);
	assert_int_equal(ckpt_crc_verify(&view, &job, &bad, NULL), 0);
	f.list.at = 0;
	f.list.range[0].len++;
	assert_int_equal(ckpt_crc_verify(&view, &job, &bad, NULL), CKPT_CRC_SHORT);
}

struct shown {
	uint64_t last, total, calls;
	const char *name;
};

static void show(void *arg, const char *name, uint64_t done, uint64_t total)
{
	struct shown *shown = arg;

	assert_true(done >= shown->last);
	*shown = (struct shown) { done, total, shown->calls + 1, name };
}

static void test_crc__shows_progress(void **state)
{
	_cleanup_fixture_ struct fixture f;
	struct shown shown = { 0 };
	struct ckpt_crc_range bad;

	fixture_init(&f, *state);
	f.ctx.progress = show;
	f.ctx.progress_arg = &shown;
	assert_int_equal(run(&f, 2, &bad, NULL), 0);
	assert_true(shown.calls > 3);
	assert_int_equal(shown.last, f.ctx.bytes_read);
	assert_int_equal(shown.total, f.size);
	assert_string_equal(shown.name, "data");
}

static int one_huge(void *arg, struct ckpt_crc_range *ret)
{
	bool *given = arg;

	if (*given)
		return 0;
	*given = true;
	*ret = (struct ckpt_crc_range) { .len = UINT64_C(1) << 62, .expected = 1 };
	return 1;
}

static void test_crc__huge_range_costs_no_memory(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_ctx ctx = { .max_bytes = MIB, .threads = 1 };
	struct ckpt_crc_range bad;
	bool given = false;
	struct ckpt_crc_job job = { CKPT_CRC32, one_huge, &given, 0 };

	scratch_sparse(dir->fd, "huge", UINT64_C(1) << 42); /* 4 TiB */
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "huge", &file, NULL), 0);
	file.size = UINT64_C(1) << 62; /* more than a file system here could show */
	assert_int_equal(ckpt_crc_verify(&file, &job, &bad, NULL), -EDQUOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc__known_vectors),
		cmocka_unit_test(test_crc__agrees_with_the_definition),
		cmocka_unit_test(test_crc__continues_and_combines),
		cmocka_unit_test(test_crc__combines_beyond_32_bits),
		scratch_test(test_crc__verifies_all_ranges),
		scratch_test(test_crc__finds_one_bit_in_any_range),
		scratch_test(test_crc__empty_range_must_have_crc_zero),
		scratch_test(test_crc__first_of_several_with_one_thread),
		scratch_test(test_crc__stops_after_a_mismatch),
		scratch_test(test_crc__range_beyond_the_file),
		scratch_test(test_crc__file_that_shrank),
		scratch_test(test_crc__hands_up_errors),
		scratch_test(test_crc__threads_take_no_signals),
		scratch_test(test_crc__keeps_budgets),
		scratch_test(test_crc__hands_up_the_callers_error),
		scratch_test(test_crc__nothing_to_verify),
		scratch_test(test_crc__verifies_inside_a_view),
		scratch_test(test_crc__shows_progress),
		scratch_test(test_crc__huge_range_costs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
