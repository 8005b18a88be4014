/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/sha256_relay.h: the digest is libcrypto's for any length and number of mates; the first
 * piece that fails decides; what is stopped says so.
 */
#include "core/base/sha256_relay.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"

#define MIB ((size_t)1024 * 1024)
#define SIZE (16 * MIB + 1000)

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* True from the so manieth question on. */
static bool countdown(void *arg)
{
	atomic_int *left = arg;

	return atomic_fetch_sub(left, 1) <= 0;
}

static int run(const struct ckpt_sha256_message *m, struct ckpt_sha256_relay relay, uint8_t *ret,
	       struct ckpt_error *err)
{
	int r;

	relay.buf = malloc(relay.size);
	relay.stop = relay.stop ? relay.stop : never;
	assert_non_null(relay.buf);
	r = ckpt_sha256_relay(&relay, m, ret, err);
	free(relay.buf);
	return r;
}

static void test_sha256_relay__any_length(void **state)
{
	static const size_t lens[] = { 0,	1,	  64,		4095,	 8192,
				       100000,	4 * MIB,  4 * MIB + 1,	5 * MIB, 8 * MIB - 1,
				       8 * MIB, 12 * MIB, 15 * MIB + 7, 16 * MIB };
	struct ckpt_ctx ctx = { .threads = 1 };
	const struct scratch *s = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint8_t *data = scratch_noise(SIZE, 5);

	scratch_write(s->fd, "f", data, SIZE);
	assert_int_equal(ckpt_file_open(&ctx, s->fd, "f", &file, NULL), 0);
	for (size_t i = 0; i < 4 * sizeof(lens) / sizeof(lens[0]); i++) {
		struct ckpt_sha256_message m = { &file, 7 * i, lens[i / 4] };
		struct ckpt_sha256_relay relay = { .mates = 1 + (int)(i & 1),
						   .size = i & 2 ? 512 * 1024 : 40000 };
		uint8_t got[CKPT_SHA256_SIZE], expected[CKPT_SHA256_SIZE];

		assert_int_equal(run(&m, relay, got, NULL), 0);
		EVP_Digest(data + m.off, m.len, expected, NULL, EVP_sha256(), NULL);
		assert_memory_equal(got, expected, sizeof(got));
	}
	free(data);
}

struct disk {
	off_t bad, slow; /* one piece cannot be read; another takes its time */
};

static ssize_t disk_read(void *arg, int fd, void *buf, size_t len, off_t off)
{
	const struct disk *disk = arg;

	if (off <= disk->slow && disk->slow < off + (off_t)len)
		usleep(20000);
	if (off <= disk->bad && disk->bad < off + (off_t)len) {
		errno = EIO;
		return -1;
	}
	return pread(fd, buf, len, off);
}

/* The earlier of two errors is the one that is told, whichever was seen first. */
static void test_sha256_relay__first_error(void **state)
{
	struct disk disk = { .bad = 6 * MIB, .slow = 6 * MIB };
	const struct ckpt_seam seam = { .pread = disk_read, .arg = &disk };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &seam };
	const struct scratch *s = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint8_t *data = scratch_noise(SIZE, 6), digest[CKPT_SHA256_SIZE];
	struct ckpt_error err;

	scratch_write(s->fd, "f", data, SIZE);
	assert_int_equal(ckpt_file_open(&ctx, s->fd, "f", &file, NULL), 0);
	for (int mates = 1; mates <= CKPT_SHA256_MATES; mates++) {
		struct ckpt_sha256_relay relay = { .mates = mates, .size = 512 * 1024 };
		struct ckpt_sha256_message m = { &file, 0, SIZE };

		memset(&err, 0, sizeof(err));
		assert_int_equal(run(&m, relay, digest, &err), -EIO);
		assert_non_null(strstr(err.text, " at byte "));
		m.off = 100; /* its end lies beyond the file's */
		disk.bad = -1;
		assert_int_equal(run(&m, relay, digest, &err), CKPT_FILE_SHORT);
		disk.bad = 6 * MIB;
		assert_int_equal(run(&m, relay, digest, &err), -EIO);
		ctx.max_bytes = ctx.bytes_read + 5 * MIB;
		assert_int_equal(run(&m, relay, digest, &err), -EDQUOT);
		ctx.max_bytes = 0;
	}
	free(data);
}

static void test_sha256_relay__stopped(void **state)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	const struct scratch *s = *state;
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint8_t *data = scratch_noise(SIZE, 6), digest[CKPT_SHA256_SIZE];
	struct ckpt_sha256_message m = { &file, 0, SIZE };

	scratch_write(s->fd, "f", data, SIZE);
	assert_int_equal(ckpt_file_open(&ctx, s->fd, "f", &file, NULL), 0);
	for (int turn = 0; turn < 40; turn++) {
		atomic_int left = turn / 2;
		struct ckpt_sha256_relay relay = {
			.mates = 1 + turn % 2, .size = 512 * 1024, .stop = countdown, .arg = &left
		};
		struct ckpt_error err = { 0 };

		ctx.bytes_read = 0;
		assert_int_equal(run(&m, relay, digest, &err), -ECANCELED);
		assert_int_equal(err.text[0], '\0');
		assert_true(ctx.bytes_read <= (uint64_t)(turn / 2) * 512 * 1024);
	}
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_sha256_relay__any_length),
		scratch_test(test_sha256_relay__first_error),
		scratch_test(test_sha256_relay__stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
