/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/digest.h and plain.h: digests are those of the definition whatever the threads,
 * sizes and chunks, a difference is found where it is, and what changes underneath is never taken
 * for a difference.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/digest.h"
#include "core/integrity/plain.h"
#include "tests/unit/support/scratch.h"

#define LEAF ((size_t)CKPT_DIGEST_LEAF)
#define FILES 40

/* Some files, and room for their digests. */
struct job_bench {
	const struct scratch *dir;
	struct ckpt_digest_file files[FILES];
	char names[FILES][16];
	size_t n;
	struct ckpt_digest digests[FILES][16];
};

static void add(struct job_bench *bench, size_t size, uint32_t seed)
{
	struct ckpt_digest_file *f = &bench->files[bench->n];
	uint8_t *data = scratch_noise(size + 1, seed);

	snprintf(bench->names[bench->n], sizeof(bench->names[0]), "f%02zu", bench->n);
	f->name = bench->names[bench->n];
	f->digests = bench->digests[bench->n];
	scratch_write(bench->dir->fd, f->name, data, size);
	free(data);
	assert_int_equal(ckpt_identity_at(bench->dir->fd, f->name, true, &f->id), 0);
	bench->n++;
}

static struct ckpt_digest_job job_of(const struct job_bench *bench, struct ckpt_ctx *ctx,
				     uint64_t chunk)
{
	return (struct ckpt_digest_job) { .ctx = ctx,
					  .dirfd = bench->dir->fd,
					  .files = bench->files,
					  .n = bench->n,
					  .chunk = chunk };
}

static void sha256(const void *data, size_t len, struct ckpt_digest *ret)
{
	assert_int_equal(EVP_Digest(data, len, ret->b, NULL, EVP_sha256(), NULL), 1);
}

/* The definition, one thing after the other. Returns how many chunks. */
static size_t by_definition(const struct job_bench *bench, size_t file, size_t chunk,
			    struct ckpt_digest *ret)
{
	size_t size, n = 0;
	unsigned char *data = scratch_read(bench->dir->fd, bench->files[file].name, &size);

	for (size_t off = 0; off < size; off += chunk, n++) {
		size_t end = off + chunk < size ? off + chunk : size, leaves = 0;
		struct ckpt_digest leaf[64];

		for (size_t at = off; at < end; at += LEAF)
			sha256(data + at, end - at < LEAF ? end - at : LEAF, &leaf[leaves++]);
		sha256(leaf, leaves * sizeof(leaf[0]), &ret[n]);
	}
	free(data);
	return n;
}

static void test_digest__words(void **state)
{
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", true },
		{ "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  name", true },
		{ "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a", false },
		{ "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", false },
		{ "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a ", false },
		{ "", false },
	};
	char text[CKPT_DIGEST_HEX];
	struct ckpt_digest digest, parsed;

	(void)state;
	assert_int_equal(ckpt_digest_of("abc", 3, &digest), 0);
	assert_string_equal(ckpt_digest_text(text, &digest), abc);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&parsed, 0x5a, sizeof(parsed));
		assert_int_equal(ckpt_digest_parse(cases[i].text, &parsed), cases[i].good);
		if (cases[i].good)
			assert_memory_equal(&parsed, &digest, sizeof(digest));
		else
			assert_int_equal(parsed.b[0], 0x5a); /* untouched */
	}
	assert_int_equal(ckpt_digest_chunks(0, LEAF), 0);
	assert_int_equal(ckpt_digest_chunks(1, LEAF), 1);
	assert_int_equal(ckpt_digest_chunks(LEAF, LEAF), 1);
	assert_int_equal(ckpt_digest_chunks(LEAF + 1, LEAF), 2);
	assert_int_equal(ckpt_digest_chunks(LEAF + 1, 0), 1);
}

static void test_digest__is_the_definition(void **state)
{
	static const size_t sizes[] = {
		0,	  1,	    1000,	  LEAF - 1,	LEAF,
		LEAF + 1, 4 * LEAF, 4 * LEAF + 1, 8 * LEAF - 1, 13 * LEAF + 5,
		0,	  2 * LEAF
	};
	static const size_t chunks[] = { 1, 2, 5, 8, 64 };
	struct job_bench bench = { .dir = *state };
	struct ckpt_digest expected[16];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		add(&bench, sizes[i], (uint32_t)i + 1);
	for (size_t c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++) {
		struct ckpt_ctx ctx = { .threads = (int)c * 2 + 1 };
		struct ckpt_digest_job job = job_of(&bench, &ctx, chunks[c] * LEAF);
		struct ckpt_digest_bad bad;

		memset(bench.digests, 0, sizeof(bench.digests));
		assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
		for (size_t i = 0; i < bench.n; i++) {
			size_t n = by_definition(&bench, i, chunks[c] * LEAF, expected);

			assert_int_equal(n, ckpt_digest_chunks(sizes[i], job.chunk));
			assert_memory_equal(bench.digests[i], expected, n * sizeof(expected[0]));
		}
		job.compare = true;
		assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	}
}

static void test_digest__plain_is_sha256(void **state)
{
	static const size_t sizes[] = { 0, 1, 300000, 3 * LEAF + 17 };
	struct job_bench bench = { .dir = *state };
	struct ckpt_ctx ctx = { .threads = 2 };
	struct ckpt_digest_bad bad;
	struct ckpt_digest_job job;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		add(&bench, sizes[i], (uint32_t)i + 1);
	job = job_of(&bench, &ctx, 0);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	for (size_t i = 0; i < bench.n; i++) {
		size_t size;
		unsigned char *data = scratch_read(bench.dir->fd, bench.files[i].name, &size);
		struct ckpt_digest expected;

		sha256(data, size, &expected);
		assert_memory_equal(&bench.digests[i][0], &expected, sizeof(expected));
		free(data);
	}
	job.compare = true;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	bench.digests[2][0].b[31] ^= 1;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_MISMATCH);
	assert_int_equal(bad.file, 2);
	assert_int_equal(bad.off, 0);
	assert_int_equal(bad.len, sizes[2]);
}

/* Every chunk of every file, one after the other, is the one that differs. */
/* Long files stay open while many short ones come and go beside them. */
static void test_digest__long_beside_short(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct ckpt_digest expected;

	for (size_t i = 0; i < FILES; i++)
		add(&bench, i % 13 == 0 ? 3 * LEAF : 100 * i, (uint32_t)i + 1);
	for (int threads = 1; threads <= 2; threads++) {
		struct ckpt_ctx ctx = { .threads = threads };
		struct ckpt_digest_job job = job_of(&bench, &ctx, 0);
		struct ckpt_digest_bad bad;

		assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
		for (size_t i = 0; i < bench.n; i++) {
			size_t size;
			unsigned char *data =
				scratch_read(bench.dir->fd, bench.files[i].name, &size);

			sha256(data, size, &expected);
			assert_memory_equal(bench.digests[i], &expected, sizeof(expected));
			free(data);
		}
	}
}

static void test_digest__finds_the_chunk(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct ckpt_ctx ctx = { .threads = 3 };
	struct ckpt_digest_bad bad;
	struct ckpt_digest_job job;

	add(&bench, 5 * LEAF + 3, 1);
	add(&bench, 0, 2);
	add(&bench, 2 * LEAF, 3);
	add(&bench, 100, 4);
	job = job_of(&bench, &ctx, 2 * LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	job.compare = true;
	for (size_t i = 0; i < bench.n; i++) {
		uint64_t size = bench.files[i].id.size;

		for (uint64_t c = 0; c < ckpt_digest_chunks(size, job.chunk); c++) {
			uint64_t off = c * job.chunk, left = size - off;

			bench.digests[i][c].b[c] ^= 0x80;
			memset(&bad, 0xff, sizeof(bad));
			assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_MISMATCH);
			assert_int_equal(bad.file, i);
			assert_int_equal(bad.off, off);
			assert_int_equal(bad.len, left < job.chunk ? left : job.chunk);
			bench.digests[i][c].b[c] ^= 0x80;
		}
	}
	ctx.threads = 1;
	bench.digests[2][0].b[0] ^= 1;
	bench.digests[0][1].b[0] ^= 1;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_MISMATCH);
	assert_int_equal(bad.file, 0);
	assert_int_equal(bad.off, job.chunk);
}

static void test_digest__another_file_is_changed(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct ckpt_ctx ctx = { .threads = 2 };
	struct ckpt_digest_bad bad;
	struct ckpt_digest_job job;
	int dirfd = bench.dir->fd;

	add(&bench, 1000, 1);
	add(&bench, 2 * LEAF, 2);
	job = job_of(&bench, &ctx, 2 * LEAF);
	bench.files[1].id.mtime_ns++;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_CHANGED);
	assert_int_equal(bad.file, 1);
	bench.files[1].id.mtime_ns--;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	scratch_resize(dirfd, "f01", LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_CHANGED);
	assert_int_equal(unlinkat(dirfd, "f01", 0), 0);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_CHANGED);
	assert_int_equal(bad.file, 1);
	assert_int_equal(mkdirat(dirfd, "f01", 0777), 0);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_CHANGED);
	assert_int_equal(bad.file, 1);
}

/* What happens at the @at'th read, and after it. */
struct act {
	const struct scratch *dir;
	_Atomic int calls;
	int at, error;
	bool cut, touch;
};

static ssize_t acting_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct act *act = arg;
	bool now = ++act->calls == act->at;

	if (now && act->error) {
		errno = act->error;
		return -1;
	}
	if (now && act->cut)
		scratch_resize(act->dir->fd, "f00", 1000);
	if (now && act->touch)
		scratch_patch(act->dir->fd, "f00", 5, "x", 1);
	return pread(fd, buf, len, off);
}

static void test_digest__what_happens_meanwhile(void **state)
{
	struct job_bench bench = { .dir = *state };
	static const struct {
		struct act act;
		int expected;
	} cases[] = {
		{ { .at = 3, .error = EIO }, -EIO },
		{ { .at = 1, .error = ESTALE }, -ESTALE },
		{ { .at = 9, .error = EINTR }, 0 },
		{ { .at = 4, .cut = true }, CKPT_DIGEST_CHANGED },
		{ { .at = 4, .touch = true }, CKPT_DIGEST_CHANGED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct act act = cases[i].act;
		const struct ckpt_seam seam = { .pread = acting_pread, .arg = &act };
		struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 + (int)i % 2 };
		struct ckpt_digest_job job;
		struct ckpt_digest_bad bad;
		struct ckpt_error err = { 0 };

		bench.n = 0;
		add(&bench, 6 * LEAF, 1);
		act.dir = bench.dir;
		usleep(20000); /* a write has to show in the times */
		job = job_of(&bench, &ctx, 2 * LEAF);
		assert_int_equal(ckpt_digest_run(&job, &bad, &err), cases[i].expected);
		assert_true((err.text[0] != '\0') == (cases[i].expected < 0));
	}
}

/* What a writer changes while it is compared is no damage. */
static void test_digest__changed_outweighs_a_difference(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct act act = { .dir = *state, .at = 1, .touch = true };
	const struct ckpt_seam seam = { .pread = acting_pread, .arg = &act };
	struct ckpt_ctx ctx = { .seam = &seam, .threads = 1 }, plain = { 0 };
	struct ckpt_digest_job job;
	struct ckpt_digest_bad bad;

	add(&bench, 4 * LEAF, 1);
	scratch_patch(bench.dir->fd, "f00", 5, "y", 1);
	assert_int_equal(ckpt_identity_at(bench.dir->fd, "f00", true, &bench.files[0].id), 0);
	job = job_of(&bench, &plain, 2 * LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	usleep(20000);
	job.ctx = &ctx;
	job.compare = true;
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), CKPT_DIGEST_CHANGED);
}

static void test_digest__keeps_the_budget(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct ckpt_ctx bytes = { .max_bytes = LEAF, .threads = 2 };
	struct ckpt_ctx late = { .deadline_ns = 1 };
	struct ckpt_digest_bad bad;
	struct ckpt_digest_job job;

	add(&bench, 12 * LEAF, 1);
	job = job_of(&bench, &bytes, 2 * LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), -EDQUOT);
	assert_true(bytes.bytes_read <= 2 * LEAF);
	job = job_of(&bench, &late, 2 * LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), -ETIMEDOUT);
	assert_int_equal(late.bytes_read, 0);
}

struct seen {
	uint64_t done, total;
	int calls;
};

static void see(void *arg, const char *name, uint64_t done, uint64_t total)
{
	struct seen *seen = arg;

	assert_string_equal(name, "f00");
	assert_true(done >= seen->done && done <= total);
	*seen = (struct seen) { done, total, seen->calls + 1 };
}

static void test_digest__shows_its_progress(void **state)
{
	struct job_bench bench = { .dir = *state };
	struct seen seen = { 0 };
	struct ckpt_ctx ctx = { .threads = 2, .progress = see, .progress_arg = &seen };
	struct ckpt_digest_bad bad;
	struct ckpt_digest_job job;

	add(&bench, 12 * LEAF, 1);
	job = job_of(&bench, &ctx, 64 * LEAF);
	assert_int_equal(ckpt_digest_run(&job, &bad, NULL), 0);
	assert_int_equal(seen.total, 12 * LEAF);
	assert_true(seen.calls >= 3);
}

static void test_digest__lines_of_sha256sum(void **state)
{
	static const struct {
		const char *path, *line;
	} cases[] = {
		{ "a", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a" },
		{ "d/b c",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  d/b c" },
		{ "x\ny\\",
		  "\\ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  x\\ny\\\\" },
	};
	struct ckpt_digest digest;

	(void)state;
	assert_int_equal(ckpt_digest_of("abc", 3, &digest), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = ckpt_plain_line(&digest, cases[i].path);

		assert_string_equal(line, cases[i].line);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest__words),
		scratch_test(test_digest__is_the_definition),
		scratch_test(test_digest__plain_is_sha256),
		scratch_test(test_digest__long_beside_short),
		scratch_test(test_digest__finds_the_chunk),
		scratch_test(test_digest__another_file_is_changed),
		scratch_test(test_digest__what_happens_meanwhile),
		scratch_test(test_digest__changed_outweighs_a_difference),
		scratch_test(test_digest__keeps_the_budget),
		scratch_test(test_digest__shows_its_progress),
		cmocka_unit_test(test_digest__lines_of_sha256sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
