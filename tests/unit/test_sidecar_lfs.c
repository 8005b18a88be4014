/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/sidecar_lfs.h: which texts are pointers, and that one beside a checkpoint is worth
 * what a NAME.sha256 is, its length included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/sidecar_lfs.h"
#include "tests/unit/support/sealed.h"

#define V "version https://git-lfs.github.com/spec/v1\n"
#define H "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SIZE 5000
#define D "checkpoint-500"

static void test_sidecar_lfs__form(void **state)
{
	static const struct {
		const char *text;
		bool is;
		uint64_t size;
	} cases[] = {
		{ V "oid sha256:" H "\nsize 3\n", true, 3 },
		{ V "oid sha256:" H "\nsize 0\n", true, 0 },
		{ V "oid sha256:" H "\nsize 9223372036854775807\n", true, INT64_MAX },
		{ V "oid sha256:" H "\nsize 9223372036854775808\n", false, 0 },
		{ V "oid sha256:" H "\nsize 03\n", false, 0 },
		{ V "oid sha256:" H "\nsize -3\n", false, 0 },
		{ V "oid sha256:" H "\nsize 3 \n", false, 0 },
		{ V "oid sha256:" H "\nsize 3\r\n", false, 0 },
		{ V "oid sha256:" H "\nsize 3", false, 0 },
		{ V "oid sha256:" H "\nsize 3\n\n", false, 0 },
		{ V "oid sha256:" H "\nsize 3\nx 1\n", false, 0 },
		{ V "oid sha256:" H "\nsize \n", false, 0 },
		{ V "oid sha256:" H "\n", false, 0 },
		{ V "oid sha256:" H "0\nsize 3\n", false, 0 },
		{ V "oid sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
		    "size 3\n",
		  false, 0 },
		{ V "oid sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
		    "size 3\n",
		  false, 0 },
		{ V "oid sha512:" H "\nsize 3\n", false, 0 },
		{ V "oid " H "\nsize 3\n", false, 0 },
		{ V "size 3\noid sha256:" H "\n", false, 0 },
		/* what an extension made of the file has that digest */
		{ V "ext-0-foo sha256:" H "\noid sha256:" H "\nsize 3\n", false, 0 },
		{ "\xef\xbb\xbf" V "oid sha256:" H "\nsize 3\n", false, 0 },
		{ "version https://git-lfs.github.com/spec/v2\noid sha256:" H "\nsize 3\n", false,
		  0 },
		{ V, false, 0 },
		{ "", false, 0 },
	};
	static const char nul[] = V "oid sha256:" H "\nsize 3\n"; /* its NUL is in it */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].text);
		char *exact = malloc(len + 1); /* no NUL behind it */
		struct ckpt_digest abc;
		struct ckpt_sum sum;
		uint64_t size = 0;
		bool is;

		memcpy(exact, cases[i].text, len);
		exact = realloc(exact, len ? len : 1);
		is = ckpt_lfs_read(exact, len, &sum, &size);
		if (is != cases[i].is || size != cases[i].size)
			fail_msg("'%s'", cases[i].text);
		assert_int_equal(ckpt_digest_of("abc", 3, &abc), 0);
		if (is && (sum.kind != CKPT_SUM_SHA256 || memcmp(sum.b, &abc, sizeof(abc)) != 0))
			fail_msg("another digest of '%s'", cases[i].text);
		free(exact);
	}
	assert_false(ckpt_lfs_read(nul, sizeof(nul), NULL, NULL));
}

/* A pointer has less than CKPT_LFS_MAX bytes, and is read in a place of as many. */
static void test_sidecar_lfs__long_text(void **state)
{
	char text[2 * CKPT_LFS_MAX];

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, V, sizeof(V) - 1);
	for (size_t len = CKPT_LFS_MAX - 1; len <= CKPT_LFS_MAX + 1; len++)
		assert_false(ckpt_lfs_read(text, len, NULL, NULL));
	assert_false(ckpt_lfs_read(text, sizeof(text), NULL, NULL));
}

/* A pointer to what @name holds, which says @more bytes, @begin in its version's place. */
static void put_pointer(const struct scratch *dir, const char *pointer, const char *name,
			const char *begin, bool wrong, int more)
{
	char text[256], hex[SEALED_HEX];
	struct stat st;

	assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
	sealed_hex(dir, name, wrong, hex);
	sprintf(text, "%soid sha256:%s\nsize %lld\n", begin, hex, (long long)st.st_size + more);
	scratch_put(dir->fd, pointer, text);
}

static void test_sidecar_lfs__what_a_pointer_is_worth(void **state)
{
	static const struct {
		const char *pointer, *begin;
		bool wrong, older;
		int more;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		const char *words; /* of the note, or of the problem */
	} cases[] = {
		{ "x_1.dump.lfs", V, false, false, 0, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.pointer", V, false, false, 0, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.lfs-pointer", V, false, true, 0, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.lfs", V, true, false, 0, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  "its SHA-256 is not the one in x_1.dump.lfs" },
		{ "x_1.dump.lfs", V, true, false, 7, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  "it has 5000 bytes, where x_1.dump.lfs says 5007" },
		{ "x_1.dump.lfs", V, false, false, -7, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  "it has 5000 bytes, where x_1.dump.lfs says 4993" },
		{ "x_1.dump.lfs", V, true, true, 0, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "x_1.dump.lfs has another digest for x_1.dump and is older" },
		{ "x_1.dump.lfs", V, true, true, 7, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "x_1.dump.lfs has another digest for x_1.dump and is older" },
		{ "y_1.dump.lfs", V, true, false, 0, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
		{ "x_1.dump.lfs", V "ext-0-a sha256:" H "\n", true, false, 0, CKPT_VALID,
		  CKPT_EVIDENCE_OPAQUE, "x_1.dump.lfs was not understood" },
		{ "x_1.dump.pointer", "", false, false, 0, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ckpt_verdict *v;
		struct ckpt_report report;
		struct scratch dir;
		bool silent = !*cases[i].words;

		assert_int_equal(scratch_open(&dir), 0);
		scratch_put_noise(dir.fd, "x_1.dump", SIZE);
		put_pointer(&dir, cases[i].pointer, "x_1.dump", cases[i].begin, cases[i].wrong,
			    cases[i].more);
		if (cases[i].older)
			scratch_make_older(dir.fd, cases[i].pointer);
		sealed_verify(NULL, &dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		v = &report.verdict;
		if (v->status != cases[i].status || v->evidence != cases[i].evidence ||
		    (!strstr(v->note, cases[i].words) &&
		     !strstr(v->problem.detail, cases[i].words)) ||
		    (silent && strstr(v->note, cases[i].pointer)))
			fail_msg("case %zu: %s by %s (%s; %s)", i, ckpt_status_name(v->status),
				 ckpt_evidence_name(v->evidence), v->note, v->problem.detail);
		if (v->status == CKPT_CORRUPT)
			assert_int_equal(v->problem.code, CKPT_PROBLEM_DIGEST);
		scratch_close(&dir);
	}
}

/* A length is told without the data. */
static void test_sidecar_lfs__a_length_needs_no_budget(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .max_bytes = 600 }; /* head, tail and the pointer */
	struct ckpt_report report;

	scratch_put_noise(dir->fd, "x_1.dump", SIZE);
	put_pointer(dir, "x_1.dump.lfs", "x_1.dump", V, true, 1);
	sealed_verify(&ctx, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	put_pointer(dir, "x_1.dump.lfs", "x_1.dump", V, true, 0);
	ctx = (struct ckpt_ctx) { .max_bytes = 600 };
	sealed_verify(&ctx, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_non_null(strstr(report.verdict.note, "was not compared with x_1.dump: budget"));
}

/* One of two that disagree is right: no damage is proved, and that is said. */
static void test_sidecar_lfs__another_list_disagrees(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	for (int more = 0; more < 2; more++) {
		scratch_put_noise(dir->fd, "x_1.dump", SIZE);
		put_pointer(dir, "x_1.dump.lfs", "x_1.dump", V, false, 0);
		put_pointer(dir, "x_1.dump.lfs-pointer", "x_1.dump", V, true, more);
		sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, CKPT_VALID);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
		assert_non_null(strstr(report.verdict.note,
				       "has another digest for x_1.dump than another list"));
	}
}

/* In a directory all files must have one, pointers aside; what is none is a file as any other. */
static void test_sidecar_lfs__in_a_directory(void **state)
{
	static const char *const names[] = { "optimizer.pt", "pytorch_model.bin",
					     "trainer_state.json", "notes/more/readme.txt" };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char path[64], pointer[80];

	sealed_put_trainer(dir, 1000);
	for (size_t i = 0; i < 4; i++) {
		sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		snprintf(path, sizeof(path), D "/%s", names[i]);
		snprintf(pointer, sizeof(pointer), "%s.lfs", path);
		put_pointer(dir, pointer, path, V, false, 0);
	}
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	scratch_put(dir->fd, D "/optimizer.pt.pointer", "of somebody's own making");
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sidecar_lfs__form),
		cmocka_unit_test(test_sidecar_lfs__long_text),
		cmocka_unit_test(test_sidecar_lfs__what_a_pointer_is_worth),
		scratch_test(test_sidecar_lfs__a_length_needs_no_budget),
		scratch_test(test_sidecar_lfs__another_list_disagrees),
		scratch_test(test_sidecar_lfs__in_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
