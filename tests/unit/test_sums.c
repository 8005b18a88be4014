/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists as coreutils write them, of all kinds: what they prove, and that a flipped bit shows.
 */
#include "core/integrity/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/sealed.h"
#include "wire/cleanup.h"

#define FILE_NAME "x_1.dump"

static void run(const struct scratch *dir, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", dir->path, command);
	assert_int_equal(system(line), 0);
}

static void put_noise(const struct scratch *dir, const char *name, size_t len)
{
	uint8_t *noise = scratch_noise(len, (uint32_t)len);

	scratch_write(dir->fd, name, noise, len);
	free(noise);
}

static const struct list_case {
	const char *command, *kind, *list; /* kind NULL: it says nothing */
	enum ckpt_evidence evidence;
} lists[] = {
	{ "md5sum " FILE_NAME " >MD5SUMS", "MD5", "MD5SUMS", CKPT_EVIDENCE_CHECKSUM },
	{ "md5sum -b ./" FILE_NAME " >md5sum.txt", "MD5", "md5sum.txt", CKPT_EVIDENCE_CHECKSUM },
	{ "sha1sum * >SHA1SUMS", "SHA-1", "SHA1SUMS", CKPT_EVIDENCE_CHECKSUM },
	{ "sha512sum " FILE_NAME " >SHA512SUMS", "SHA-512", "SHA512SUMS", CKPT_EVIDENCE_SEAL },
	{ "b2sum " FILE_NAME " >B2SUMS", "BLAKE2b", "B2SUMS", CKPT_EVIDENCE_SEAL },
	{ "sha256sum --tag " FILE_NAME " >SHA256SUMS", "SHA-256", "SHA256SUMS",
	  CKPT_EVIDENCE_SEAL },
	{ "sha384sum --tag " FILE_NAME " >CHECKSUMS", "SHA-384", "CHECKSUMS", CKPT_EVIDENCE_SEAL },
	{ "sha224sum --tag " FILE_NAME " >CHECKSUMS", "SHA-224", "CHECKSUMS", CKPT_EVIDENCE_SEAL },
	{ "b2sum --tag " FILE_NAME " >CHECKSUMS", "BLAKE2b", "CHECKSUMS", CKPT_EVIDENCE_SEAL },
	{ "md5sum --tag " FILE_NAME " >SHA256SUMS", "MD5", "SHA256SUMS", CKPT_EVIDENCE_CHECKSUM },
	{ "md5sum " FILE_NAME " >" FILE_NAME ".md5", "MD5", FILE_NAME ".md5",
	  CKPT_EVIDENCE_CHECKSUM },
	{ "sha1sum <" FILE_NAME " >" FILE_NAME ".sha1", "SHA-1", FILE_NAME ".sha1",
	  CKPT_EVIDENCE_CHECKSUM },
	{ "sha512sum " FILE_NAME " >" FILE_NAME ".sha512", "SHA-512", FILE_NAME ".sha512",
	  CKPT_EVIDENCE_SEAL },
	{ "b2sum " FILE_NAME " >" FILE_NAME ".b2", "BLAKE2b", FILE_NAME ".b2", CKPT_EVIDENCE_SEAL },
	/* the better one counts, wherever it stands */
	{ "sha256sum " FILE_NAME " >SHA256SUMS; md5sum " FILE_NAME " >" FILE_NAME ".md5", "SHA-256",
	  "SHA256SUMS", CKPT_EVIDENCE_SEAL },
	{ "md5sum " FILE_NAME " >MD5SUMS; sha512sum " FILE_NAME " >SHA512SUMS", "SHA-512",
	  "SHA512SUMS", CKPT_EVIDENCE_SEAL },
	/* of no kind that is known */
	{ "b2sum -l 256 " FILE_NAME " >B2SUMS", NULL, NULL, CKPT_EVIDENCE_OPAQUE },
	{ "b2sum -l 256 --tag " FILE_NAME " >CHECKSUMS", NULL, NULL, CKPT_EVIDENCE_OPAQUE },
	{ "cksum -a crc " FILE_NAME " >CHECKSUMS 2>&1 || :", NULL, NULL, CKPT_EVIDENCE_OPAQUE },
	{ "md5sum " FILE_NAME " >SHA1SUMS", NULL, NULL, CKPT_EVIDENCE_OPAQUE },
	{ "sha512sum " FILE_NAME " >CHECKSUMS", NULL, NULL, CKPT_EVIDENCE_OPAQUE },
};

static void expect(const struct scratch *dir, const struct list_case *c)
{
	struct ckpt_report report;
	struct ckpt_verdict *v = &report.verdict;
	char words[128];

	sealed_verify(NULL, dir, FILE_NAME, CKPT_LEVEL_FULL, &report);
	if (v->status != CKPT_VALID || v->evidence != c->evidence)
		fail_msg("%s: %s by %s (%s)", c->command, ckpt_status_name(v->status),
			 ckpt_evidence_name(v->evidence), v->note);
	if (c->evidence == CKPT_EVIDENCE_CHECKSUM) {
		snprintf(words, sizeof(words), "by %s in %s: proof against accidents", c->kind,
			 c->list);
		assert_non_null(strstr(v->note, words));
	}
	scratch_flip(dir->fd, FILE_NAME, 4000000);
	run(dir, "touch -d 2001-01-01 " FILE_NAME); /* or the lists were older */
	sealed_verify(NULL, dir, FILE_NAME, CKPT_LEVEL_FULL, &report);
	assert_int_equal(v->status, c->kind ? CKPT_CORRUPT : CKPT_VALID);
	if (!c->kind)
		return;
	assert_int_equal(v->problem.code, CKPT_PROBLEM_DIGEST);
	snprintf(words, sizeof(words), "its %s is not the one in %s", c->kind, c->list);
	assert_string_equal(v->problem.detail, words);
}

static void test_sums__lists_of_coreutils(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct scratch dir;

		assert_int_equal(scratch_open(&dir), 0);
		put_noise(&dir, FILE_NAME, 5000000);
		run(&dir, lists[i].command);
		expect(&dir, &lists[i]);
		scratch_close(&dir);
	}
}

/* Lists inside a directory know each other as they were; they are no part of what is compared. */
static void test_sums__lists_in_a_directory(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	run(dir, "cd checkpoint-500 && find * -type f -exec sha512sum {} + >SHA512SUMS && "
		 "find * -type f -exec md5sum {} + >MD5SUMS && "
		 "find * -type f -exec sha512sum {} + >SHA512SUMS && echo more >>MD5SUMS");
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	run(dir, "cd checkpoint-500 && echo x >added.txt");
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM); /* in no list */
	run(dir, "cd checkpoint-500 && rm added.txt");
	run(dir, "cd checkpoint-500 && sed -i s/500/501/ trainer_state.json && "
		 "touch -d 2001-01-01 trainer_state.json && sed -i 's/^/x/' MD5SUMS");
	sealed_verify(NULL, dir, "checkpoint-500", CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
}

static ssize_t pread_slow(void *arg, int fd, void *buf, size_t len, off_t off)
{
	(void)arg, (void)fd, (void)buf, (void)len, (void)off;
	errno = EIO;
	return -1;
}

/* One of many by several threads; what changed, is gone, or cannot be read. */
static void test_sums__many_files(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_seam seam = { .pread = pread_slow };
	struct ckpt_ctx ctx = { .threads = 4 };
	struct ckpt_identity ids[40];
	struct ckpt_sum_file files[40];
	struct ckpt_sum sums[40];
	char names[40][16], line[256], own[64];
	size_t bad = 99;

	for (size_t i = 0; i < 40; i++) {
		_cleanup_free_ char *text = NULL;

		snprintf(names[i], sizeof(names[i]), "part-%02zu", i);
		put_noise(dir, names[i], 1000 * i);
		snprintf(line, sizeof(line), "%s %s >line", i % 2 ? "md5sum" : "b2sum", names[i]);
		run(dir, line);
		text = scratch_get(dir->fd, "line");
		assert_true(ckpt_sum_line(text, strlen(text),
					  i % 2 ? CKPT_SUM_MD5 : CKPT_SUM_BLAKE2B, &sums[i], own,
					  sizeof(own)));
		assert_string_equal(own, names[i]);
		assert_int_equal(ckpt_identity_at(dir->fd, names[i], true, &ids[i]), 0);
		files[i] = (struct ckpt_sum_file) { names[i], &ids[i], &sums[i] };
	}
	const struct ckpt_sums_job job = { &ctx, dir->fd, files, 40 };

	assert_int_equal(ckpt_sums_run(&job, &bad), 0);
	sums[37].b[15] ^= 1;
	assert_int_equal(ckpt_sums_run(&job, &bad), CKPT_SUMS_MISMATCH);
	assert_int_equal(bad, 37);
	sums[37].b[15] ^= 1;
	scratch_put(dir->fd, "part-20", "other");
	assert_int_equal(ckpt_sums_run(&job, &bad), CKPT_SUMS_CHANGED);
	assert_int_equal(bad, 20);
	ctx = (struct ckpt_ctx) { .threads = 4, .seam = &seam };
	assert_int_equal(
		ckpt_sums_run(&(struct ckpt_sums_job) { &ctx, dir->fd, files + 1, 10 }, &bad),
		-EIO);
	ctx = (struct ckpt_ctx) { .threads = 4, .max_bytes = 5000 };
	assert_int_equal(
		ckpt_sums_run(&(struct ckpt_sums_job) { &ctx, dir->fd, files + 1, 10 }, &bad),
		-EDQUOT);
	assert_int_equal(ckpt_sums_run(&(struct ckpt_sums_job) { &ctx, dir->fd, files, 0 }, &bad),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums__lists_of_coreutils),
		scratch_test(test_sums__lists_in_a_directory),
		scratch_test(test_sums__many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
