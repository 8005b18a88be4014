/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/sidecar_hub.h: what the hub and git-annex leave is evidence where it matches, and
 * raises no alarm where the file may have been written since.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/support/sealed.h"

#define NAME "model_1.safetensors"
#define HEADER "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
#define METADATA ".cache/huggingface/download/" NAME ".metadata"

/* A safetensors file of two floats, of which @last is the last byte. */
static void put(const struct scratch *dir, const char *name, char last)
{
	char data[8 + sizeof(HEADER) - 1 + 8] = { (char)(sizeof(HEADER) - 1) };

	memcpy(data + 8, HEADER, sizeof(HEADER) - 1);
	data[sizeof(data) - 1] = last;
	scratch_write(dir->fd, name, data, sizeof(data));
}

/* The digest @type of @name, as Git takes it if @git, in hexadecimal digits. */
static const char *hex_of(const struct scratch *dir, const char *name, const EVP_MD *type, bool git,
			  char *ret)
{
	unsigned char *data, digest[64], all[4096];
	unsigned int n;
	size_t size, before = 0;

	data = scratch_read(dir->fd, name, &size);
	if (git)
		before = (size_t)snprintf((char *)all, 64, "blob %zu", size) + 1;
	assert_true(before + size < sizeof(all));
	memcpy(all + before, data, size);
	assert_int_equal(EVP_Digest(all, before + size, digest, &n, type, NULL), 1);
	for (unsigned int i = 0; i < n; i++)
		sprintf(ret + 2 * i, "%02x", digest[i]);
	free(data);
	return ret;
}

static void put_metadata(const struct scratch *dir, const char *name, const char *etag, double when)
{
	char text[300];

	snprintf(text, sizeof(text), "11c5a3d5811f50298f278a704980280950aedb10\n%s\n%.6f\n", etag,
		 when);
	scratch_put(dir->fd, name, text);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void expect(const struct scratch *dir, const char *name, enum ckpt_status status,
		   enum ckpt_evidence evidence, const char *note)
{
	struct ckpt_report report;

	sealed_verify(NULL, dir, name, CKPT_LEVEL_FULL, &report);
	if (report.verdict.status != status || report.verdict.evidence != evidence ||
	    !strstr(report.verdict.note, note) ||
	    (!*note && strstr(report.verdict.note, "digest for")))
		fail_msg("%s %s: %s; %s", ckpt_status_name(report.verdict.status),
			 ckpt_evidence_name(report.verdict.evidence), report.verdict.note,
			 report.verdict.problem.detail);
}

/* The ETag and when it was noted, against the file as it is. */
static void test_sidecar_hub__metadata(void **state)
{
	static const struct {
		bool git;	/* Git's name, not the SHA-256 */
		bool changed;	/* the file's last byte, since */
		double age;	/* of the metadata, in seconds */
		bool old_mtime; /* the file's time of writing was set back */
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		const char *note;
	} cases[] = {
		{ false, false, 0, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ true, false, 0, false, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, "" },
		/* no proof of damage: it may have been copied beside another file of that name */
		{ false, true, 0, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  "which proves no damage" },
		{ false, true, 0.5, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  "which proves no damage" },
		{ false, false, 0.5, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		/* trained on since: another file, as the hub's own program takes it */
		{ false, true, 100, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, "" },
		{ false, false, 100, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, "" },
		/* put in its place with the times of another, or copied */
		{ false, true, 100, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  "has another digest for " NAME ", which proves no damage" },
		{ false, false, 100, true, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		/* what a mirror calls a file may be anything */
		{ true, true, 0, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  "which proves no damage" },
	};
	static const struct timespec times[2] = { { 1000, 5 }, { 1000, 5 } };
	const struct scratch *dir = *state;
	char hex[130];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(dir, NAME, cases[i].changed ? 2 : 1);
		hex_of(dir, NAME, cases[i].git ? EVP_sha1() : EVP_sha256(), cases[i].git, hex);
		put(dir, NAME, 1);
		if (cases[i].old_mtime)
			assert_int_equal(utimensat(dir->fd, NAME, times, 0), 0);
		put_metadata(dir, METADATA, hex, now() - cases[i].age);
		expect(dir, NAME, cases[i].status, cases[i].evidence, cases[i].note);
	}
}

/* A list that proves damage is not outdone by metadata that cannot. */
static void test_sidecar_hub__beside_a_list(void **state)
{
	static const struct timespec long_ago[2] = { { 1000, 5 }, { 1000, 5 } };
	const struct scratch *dir = *state;
	char hex[130], line[200];

	put(dir, NAME, 1);
	hex_of(dir, NAME, EVP_sha256(), false, hex);
	snprintf(line, sizeof(line), "%s  %s\n", hex, NAME);
	scratch_put(dir->fd, "SHA256SUMS", line);
	put_metadata(dir, METADATA, hex, now());
	expect(dir, NAME, CKPT_VALID, CKPT_EVIDENCE_SEAL, "");
	put(dir, NAME, 2);
	scratch_put(dir->fd, "SHA256SUMS", line);
	put_metadata(dir, METADATA, hex, now());
	expect(dir, NAME, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "");

	/* one of before the file was written, of a weaker kind, proves no more than they */
	unlinkat(dir->fd, "SHA256SUMS", 0);
	scratch_put(dir->fd, "MD5SUMS", "00112233445566778899aabbccddeeff  " NAME "\n");
	assert_int_equal(utimensat(dir->fd, "MD5SUMS", long_ago, 0), 0);
	put_metadata(dir, METADATA, hex_of(dir, NAME, EVP_sha256(), false, hex), now());
	expect(dir, NAME, CKPT_VALID, CKPT_EVIDENCE_SEAL, "");
}

/* Metadata that is torn, or of another kind, says nothing. */
static void test_sidecar_hub__other_metadata(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"11c5\nabcd\n1712656091.1\n",
		"11c5\n" /* SHA-256, and a digit more */
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0\n99999999999\n",
		"11c5\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
		"11c5\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nnan\n",
		"11c5\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n1e300\n",
		"11c5\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n9e9 x\n",
		/* more nanoseconds than an int64_t has */
		"11c5\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n9.3e9\n",
	};
	const struct scratch *dir = *state;

	put(dir, NAME, 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		scratch_put(dir->fd, METADATA, texts[i]);
		expect(dir, NAME, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, "");
	}
}

/* A directory that was downloaded, and one that is a folder of it: the hub's own files need none.
 */
static void test_sidecar_hub__directories(void **state)
{
	static const char *const below[] = { "checkpoint-5/.cache/huggingface/download/",
					     ".cache/huggingface/download/checkpoint-5/" };
	static const char *const files[] = { "model.safetensors", "trainer_state.json" };
	const struct scratch *dir = *state;
	char name[200], hex[130];

	for (size_t k = 0; k < 2; k++) {
		put(dir, "checkpoint-5/model.safetensors", 1);
		scratch_put(dir->fd, "checkpoint-5/trainer_state.json",
			    "{\"epoch\": 1, \"global_step\": 5, \"log_history\": []}");
		for (size_t i = 0; i < 2; i++) {
			expect(dir, "checkpoint-5", CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, "");
			snprintf(name, sizeof(name), "checkpoint-5/%s", files[i]);
			hex_of(dir, name, i ? EVP_sha1() : EVP_sha256(), i, hex);
			snprintf(name, sizeof(name), "%s%s.metadata", below[k], files[i]);
			put_metadata(dir, name, hex, now());
		}
		scratch_put(dir->fd, "checkpoint-5/.cache/huggingface/.gitignore", "*");
		expect(dir, "checkpoint-5", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, "");
		for (size_t i = 0; i < 2; i++) {
			snprintf(name, sizeof(name), "%s%s.metadata", below[k], files[i]);
			assert_int_equal(unlinkat(dir->fd, name, 0), 0);
		}
	}
}

/* Names of what a link leads to. %s: the digest of its kind; of @wrong another byte. */
static void test_sidecar_hub__links(void **state)
{
	static const struct {
		const char *target;
		int kind; /* 0 SHA-256, 1 Git, 2 MD5 */
		bool wrong;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		bool later; /* written after the link was made */
	} cases[] = {
		{ "blobs/%s", 0, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, true },
		{ "blobs/%s", 0, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, true },
		{ "store/%s", 0, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, false },
		{ "store/%s", 0, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, false },
		{ "blobs/%s", 0, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, false },
		{ "blobs/%s", 0, true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, false },
		{ "blobs/%s", 1, false, CKPT_VALID, CKPT_EVIDENCE_CHECKSUM, false },
		{ "blobs/%s", 1, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, false },
		{ "store/%s", 1, false, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE, false },
		{ ".git/annex/objects/a/SHA256E-s71--%s.safetensors", 0, false, CKPT_VALID,
		  CKPT_EVIDENCE_SEAL, false },
		{ ".git/annex/objects/a/SHA256-s71--%s", 0, true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  false },
		{ ".git/annex/objects/a/MD5E-s71--%s.x", 2, false, CKPT_VALID,
		  CKPT_EVIDENCE_CHECKSUM, false },
		{ ".git/annex/objects/a/MD5E-s71--%s.x", 2, true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  false },
		{ ".git/annex/objects/a/SHA256E-s71--%s.x", 2, true, CKPT_VALID,
		  CKPT_EVIDENCE_STRUCTURE, false },
		{ ".git/annex/objects/a/WORM-s71--%s", 0, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  false },
		{ ".git/annex/objects/a/URL--%s", 0, true, CKPT_VALID, CKPT_EVIDENCE_STRUCTURE,
		  false },
	};
	static const struct timespec long_ago[2] = { { 1000, 5 }, { 1000, 5 } };
	const struct scratch *dir = *state;
	char target[300], hex[130];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const EVP_MD *types[] = { EVP_sha256(), EVP_sha1(), EVP_md5() };
		struct ckpt_report report;

		put(dir, "x", cases[i].wrong ? 2 : 1);
		hex_of(dir, "x", types[cases[i].kind], cases[i].kind == 1, hex);
		snprintf(target, sizeof(target), "%.*s%s%s", (int)strcspn(cases[i].target, "%"),
			 cases[i].target, hex, strchr(cases[i].target, '%') + 2);
		put(dir, target, 1);
		unlinkat(dir->fd, NAME, 0);
		assert_int_equal(symlinkat(target, dir->fd, NAME), 0);
		if (cases[i].later)
			assert_int_equal(utimensat(dir->fd, NAME, long_ago, AT_SYMLINK_NOFOLLOW),
					 0);
		sealed_verify(NULL, dir, NAME, CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != cases[i].status ||
		    report.verdict.evidence != cases[i].evidence)
			fail_msg("%s: %s %s %s", target, ckpt_status_name(report.verdict.status),
				 report.verdict.problem.detail, report.verdict.note);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_sidecar_hub__metadata),
		scratch_test(test_sidecar_hub__beside_a_list),
		scratch_test(test_sidecar_hub__other_metadata),
		scratch_test(test_sidecar_hub__directories),
		scratch_test(test_sidecar_hub__links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
