/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/ahead.h: what is mapped, and that nothing is where it would not pay or not be right; a
 * file that is cut off under the mapping is harmless. Then ckpt_sha256_streams() and
 * ckpt_digest_run() with it: the same digests, and an answer instead of a signal.
 */
#include "core/base/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/pages.h"
#include "core/base/sha256_blocks.h"
#include "core/integrity/digest.h"
#include "tests/unit/support/scratch.h"

#define MIB ((uint64_t)1024 * 1024)
#define WINDOW ((uint64_t)CKPT_AHEAD_WINDOW)
#define EXT4 0xef53

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* What the kernel is said to answer, and what happens to the file once something is mapped. */
struct kernel {
	int cached, populated; /* as the seam's */
	uint32_t fs;
	int maps, asked;
	size_t longest;
	int cut_after; /* maps; 0 = never */
	int dirfd;
	uint64_t cut_to;
};

static int cached(void *arg, int fd, uint64_t off, uint64_t len)
{
	struct kernel *k = arg;

	(void)fd, (void)off;
	if (len == WINDOW)
		__atomic_add_fetch(&k->asked, 1, __ATOMIC_RELAXED);
	return k->cached;
}

static uint32_t fs_type(void *arg, int fd)
{
	const struct kernel *k = arg;

	(void)fd;
	return k->fs;
}

static int populate(void *arg, void *at, size_t len)
{
	struct kernel *k = arg;
	int maps = __atomic_add_fetch(&k->maps, 1, __ATOMIC_RELAXED); /* as of this thread's */

	k->longest = len > k->longest ? len : k->longest;
	if (k->populated != 0) {
		errno = k->populated;
		return -1;
	}
	madvise(at, len, MADV_POPULATE_READ); /* where the kernel has it */
	if (k->cut_after && maps == k->cut_after)
		scratch_resize(k->dirfd, "f", k->cut_to);
	return 0;
}

static struct ckpt_seam seam_of(struct kernel *k)
{
	return (struct ckpt_seam) {
		.cached = cached, .fs_type = fs_type, .populate = populate, .arg = k
	};
}

static void open_noise(const struct scratch *s, struct ckpt_ctx *ctx, uint64_t size,
		       struct ckpt_file *ret)
{
	uint8_t *data = scratch_noise(size, 5);

	scratch_write(s->fd, "f", data, size);
	free(data);
	assert_int_equal(ckpt_file_open(ctx, s->fd, "f", ret, NULL), 0);
}

static void test_ahead__what_is_mapped(void **state)
{
	static const struct {
		uint64_t off;	   /* that is asked for */
		uint64_t from, to; /* what then is there; nothing where they are the same */
	} cases[] = {
		{ 0, 0, WINDOW },
		{ 1, 0, WINDOW },
		{ 4095, 0, WINDOW },
		{ 4096, 4096, WINDOW + 4096 },
		{ WINDOW, WINDOW, WINDOW + MIB + 77 }, /* the end of the file */
		{ WINDOW + MIB + 76, WINDOW + MIB, WINDOW + MIB + 77 },
		{ WINDOW + MIB + 77, WINDOW + MIB,
		  WINDOW + MIB + 77 }, /* no byte of it, its page */
		{ WINDOW + 2 * MIB, 0, 0 },
		{ 100, 0, WINDOW },
	};
	struct kernel k = { .cached = CKPT_CACHED_ALL, .fs = EXT4 };
	const struct ckpt_seam seam = seam_of(&k);
	struct ckpt_ctx ctx = { .ahead = true, .seam = &seam };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_ahead_ struct ckpt_ahead ahead = { 0 };

	open_noise(*state, &ctx, WINDOW + MIB + 77, &file);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t from = cases[i].from, to = cases[i].to;
		const uint8_t *at;

		assert_int_equal(ckpt_ahead_map(&ahead, &file, cases[i].off), from < to);
		at = ckpt_ahead_at(&ahead, &file, from, to - from);
		assert_int_equal(at != NULL, from < to);
		assert_null(ckpt_ahead_at(&ahead, &file, from, to - from + 1));
		assert_null(ckpt_ahead_at(&ahead, &file, to, 1));
		if (from > 0)
			assert_null(ckpt_ahead_at(&ahead, &file, from - 1, 1));
		if (at)
			assert_ptr_equal(ckpt_ahead_at(&ahead, &file, to - 1, 1),
					 at + to - 1 - from);
	}
	assert_int_equal(k.longest, WINDOW);
	ckpt_ahead_done(&ahead);
	ckpt_ahead_done(&ahead);
	assert_null(ckpt_ahead_at(&ahead, &file, 100, 1));
}

/* The bytes are the file's, also of a view of it; another file's are never taken for them. */
static void test_ahead__the_right_bytes(void **state)
{
	struct kernel k = { .cached = CKPT_CACHED_ALL, .fs = EXT4 };
	const struct ckpt_seam seam = seam_of(&k);
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .ahead = true, .seam = &seam };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT, view = CKPT_FILE_INIT;
	_cleanup_file_ struct ckpt_file other = CKPT_FILE_INIT;
	_cleanup_ahead_ struct ckpt_ahead ahead = { 0 };
	uint8_t *data = scratch_noise(MIB, 5);

	open_noise(dir, &ctx, MIB, &file);
	scratch_write(dir->fd, "other", data, MIB);
	assert_int_equal(ckpt_file_open(&ctx, dir->fd, "other", &other, NULL), 0);
	assert_int_equal(ckpt_file_view(&file, 70001, 100000, &view, NULL), 0);
	assert_true(ckpt_ahead_map(&ahead, &view, 5));
	assert_memory_equal(ckpt_ahead_at(&ahead, &view, 5, 99995), data + 70006, 99995);
	assert_memory_equal(ckpt_ahead_at(&ahead, &file, 70006, 99995), data + 70006, 99995);
	assert_null(ckpt_ahead_at(&ahead, &view, 5, 99996));
	assert_null(ckpt_ahead_at(&ahead, &other, 70006, 1));
	free(data);
}

static ssize_t no_pread(void *arg, void *buf, size_t len, uint64_t off)
{
	(void)arg, (void)buf, (void)len, (void)off;
	return 0;
}

static void test_ahead__off(void **state)
{
	static const struct ckpt_file_source source = { .pread = no_pread };
	static const struct {
		bool allowed;
		int cached;
		uint32_t fs;
		int populated;
		const struct ckpt_file_source *source;
		int pages;
		bool maps;
	} cases[] = {
		{ true, CKPT_CACHED_ALL, EXT4, 0, NULL, CKPT_PAGES_ANY, true },
		{ true, CKPT_CACHED_ALL, 0x58465342, 0, NULL, CKPT_PAGES_ANY, true },
		{ false, CKPT_CACHED_ALL, EXT4, 0, NULL, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_SOME, EXT4, 0, NULL, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_NONE, EXT4, 0, NULL, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_UNKNOWN, EXT4, 0, NULL, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_ALL, 0x6969, 0, NULL, CKPT_PAGES_ANY, false },     /* NFS */
		{ true, CKPT_CACHED_ALL, 0x0bd00bd0, 0, NULL, CKPT_PAGES_ANY, false }, /* Lustre */
		{ true, CKPT_CACHED_ALL, 0, 0, NULL, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_ALL, EXT4, EINVAL, NULL, CKPT_PAGES_ANY,
		  false }, /* Linux 5.13 */
		{ true, CKPT_CACHED_ALL, EXT4, EFAULT, NULL, CKPT_PAGES_ANY, false }, /* cut off */
		{ true, CKPT_CACHED_ALL, EXT4, 0, &source, CKPT_PAGES_ANY, false },
		{ true, CKPT_CACHED_ALL, EXT4, 0, NULL, CKPT_PAGES_NONE, false },
		{ true, CKPT_CACHED_ALL, EXT4, 0, NULL, CKPT_PAGES_THOSE, false },
	};
	struct ckpt_ctx ctx = { .cache = CKPT_CACHE_FILL };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_ahead_ struct ckpt_ahead ahead = { 0 };

	open_noise(*state, &ctx, MIB, &file);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel k = { .cached = cases[i].cached,
				    .fs = cases[i].fs,
				    .populated = cases[i].populated };
		const struct ckpt_seam seam = seam_of(&k);
		struct ckpt_file as = file;

		ctx.seam = &seam;
		ctx.ahead = cases[i].allowed;
		as.source = cases[i].source;
		as.pages = cases[i].pages;
		assert_int_equal(ckpt_ahead_map(&ahead, &as, 0), cases[i].maps);
		assert_int_equal(ckpt_ahead_at(&ahead, &file, 0, 1) != NULL, cases[i].maps);
		assert_int_equal(k.maps, cases[i].maps || cases[i].populated);
		ctx.seam = NULL;
	}
}

static bool is_side_by_side(void)
{
	const struct ckpt_sha256_ways ways = ckpt_sha256_ways();

	return ckpt_sha256_pays_from(&ways) <= CKPT_SHA256_LANES;
}

/* Fetching what is not there any more, from before the file's end to behind the mapping's. */
static void test_ahead__cut_off_is_harmless(void **state)
{
	static uint8_t zeros[CKPT_SHA256_LANES][4 * CKPT_SHA256_BLOCK];
	struct kernel k = { .cached = CKPT_CACHED_ALL, .fs = EXT4 };
	const struct ckpt_seam seam = seam_of(&k);
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .ahead = true, .seam = &seam };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_ahead_ struct ckpt_ahead ahead = { 0 };
	const uint8_t *data[CKPT_SHA256_LANES];
	struct ckpt_sha256_state sha;

	open_noise(dir, &ctx, MIB, &file);
	assert_true(ckpt_ahead_map(&ahead, &file, 0));
	scratch_resize(dir->fd, "f", 10000);
	sha.ways = ckpt_sha256_ways();
	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		data[i] = zeros[i];
	for (uint64_t at = 0; at < MIB; at += 1024)
		assert_int_equal(
			ckpt_sha256_blocks(&sha, data, 4, ckpt_ahead_at(&ahead, &file, at, 1)), 0);
	assert_int_equal(unlinkat(dir->fd, "f", 0), 0);
	assert_int_equal(ckpt_sha256_blocks(&sha, data, 4, ckpt_ahead_at(&ahead, &file, 0, 1)), 0);
}

/* One file's digests of leaves by @ctx; compared with @digests, or filled in. */
static int digest(struct ckpt_ctx *ctx, int dirfd, struct ckpt_digest *digests, bool compare)
{
	struct ckpt_digest_file f = { .name = "f", .digests = digests };
	const struct ckpt_digest_job job = { .ctx = ctx,
					     .dirfd = dirfd,
					     .files = &f,
					     .n = 1,
					     .chunk = CKPT_DIGEST_CHUNK,
					     .compare = compare };
	struct ckpt_digest_bad bad;

	assert_int_equal(ckpt_identity_at(dirfd, "f", true, &f.id), 0);
	return ckpt_digest_run(&job, &bad, NULL);
}

/* As without; and in whole windows, which no other thread's leaves lie between. */
static void test_ahead__same_digests(void **state)
{
	static const uint64_t sizes[] = { 36 * MIB, 69 * MIB + 12345, 64 * MIB + 1 };
	static const struct {
		int threads;
		bool allowed;
		uint64_t window; /* bytes of each but the last; 0 = none */
	} cases[] = { { 1, false, 0 }, { 1, true, WINDOW }, { 2, true, WINDOW }, { 4, true, 0 } };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct ckpt_digest digests[2];
		uint8_t *data = scratch_noise(sizes[i], 9);

		scratch_write(dir->fd, "f", data, sizes[i]);
		free(data);
		for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
			struct kernel k = { .cached = CKPT_CACHED_ALL, .fs = EXT4 };
			const struct ckpt_seam seam = seam_of(&k);
			struct ckpt_ctx ctx = { .threads = cases[c].threads,
						.ahead = cases[c].allowed,
						.seam = &seam };
			uint64_t window = cases[c].window;

			assert_int_equal(digest(&ctx, dir->fd, digests, c > 0), 0);
			if (!is_side_by_side())
				continue;
			assert_int_equal(k.longest, window);
			assert_true(window ? k.maps >= 2 &&
						     (uint64_t)k.maps <= sizes[i] / window + 1
					   : k.maps == 0);
		}
	}
}

/* What is not all in memory is read as ever, and nobody asks again at each leaf. */
static void test_ahead__cold_is_as_ever(void **state)
{
	struct kernel warm = { .cached = CKPT_CACHED_ALL, .fs = EXT4 };
	struct kernel cold = { .cached = CKPT_CACHED_SOME, .fs = EXT4 };
	const struct ckpt_seam seams[] = { seam_of(&warm), seam_of(&cold) };
	struct ckpt_ctx ctx = { .threads = 2, .ahead = true, .seam = &seams[0] };
	const struct scratch *dir = *state;
	struct ckpt_digest digests[1];
	uint8_t *data = scratch_noise(40 * MIB, 9);

	scratch_write(dir->fd, "f", data, 40 * MIB);
	free(data);
	assert_int_equal(digest(&ctx, dir->fd, digests, false), 0);
	ctx.seam = &seams[1];
	assert_int_equal(digest(&ctx, dir->fd, digests, true), 0);
	assert_int_equal(cold.maps, 0);
	assert_true(cold.asked <= 6);
}

static void test_ahead__changes_meanwhile(void **state)
{
	static const struct {
		int after; /* windows */
		uint64_t to;
	} cases[] = {
		{ 1, 0 },
		{ 1, 4097 },
		{ 1, 20 * MIB },
		{ 2, 20 * MIB + 5 },
		{ 2, 40 * MIB - 1 },
		{ 1, 41 * MIB },
		{ 2, 200 * MIB },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel k = { .cached = CKPT_CACHED_ALL,
				    .fs = EXT4,
				    .cut_after = cases[i].after,
				    .cut_to = cases[i].to,
				    .dirfd = dir->fd };
		const struct ckpt_seam seam = seam_of(&k);
		struct ckpt_ctx ctx = { .threads = 2, .ahead = true, .seam = &seam };
		struct ckpt_digest digests[1];
		uint8_t *data = scratch_noise(40 * MIB, 9);

		scratch_write(dir->fd, "f", data, 40 * MIB);
		free(data);
		if (is_side_by_side())
			assert_int_equal(digest(&ctx, dir->fd, digests, false),
					 CKPT_DIGEST_CHANGED);
	}
}

/* What /proc/cpuinfo calls AMD's CPUs gain nothing. */
static void test_ahead__pays_by_cpu(void **state)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
	char line[4096];
	bool amd = false;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		amd |= strstr(line, "AuthenticAMD") != NULL;
#ifdef __x86_64__
	assert_int_equal(ckpt_ahead_pays(), !amd);
#else
	assert_false(ckpt_ahead_pays() || amd);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_ahead__pays_by_cpu),
		scratch_test(test_ahead__what_is_mapped),
		scratch_test(test_ahead__the_right_bytes),
		scratch_test(test_ahead__off),
		scratch_test(test_ahead__cut_off_is_harmless),
		scratch_test(test_ahead__same_digests),
		scratch_test(test_ahead__cold_is_as_ever),
		scratch_test(test_ahead__changes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
