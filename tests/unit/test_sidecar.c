/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/sidecar.h: lists as sha256sum and others write them, and what they are worth
 * beside what the format itself says.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/sidecar.h"
#include "core/integrity/sidecar_list.h"
#include "tests/unit/support/sealed.h"
#include "tests/unit/support/torch_synthetic.h"

#define H "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_sidecar__lines(void **state)
{
	static const struct {
		const char *line, *name; /* NULL: it is none */
	} cases[] = {
		{ H "  name", "name" },
		{ H " *name", "name" },
		{ H "  name with  blanks ", "name with  blanks " },
		{ H "  d/n\r", "d/n" },
		{ H, "" },
		{ H "\r\n", "" },
		{ "\\" H "  a\\nb\\\\c\\r", "a\nb\\c\r" },
		{ H "  a\\nb", "a\\nb" }, /* no backslash in front: none is meant */
		{ "\\" H "  a\\xb", NULL },
		{ "\\" H "  a\\", NULL },
		{ H "name", NULL },
		{ H " name", "name" }, /* md5 -r */
		{ H " ", NULL },
		{ H " *", NULL },
		{ H "  ", NULL },
		{ "ba7816bf  name", NULL },
		{ "# comment", NULL },
		{ "", NULL },
		{ "\\", NULL },
		{ "SHA256 (name) = " H, "name" },
		{ "SHA256 (a) = (b) = " H "\r", "a) = (b" },
		{ "\\SHA256 (a\\nb) = " H, "a\nb" },
		{ "SHA256 () = " H, NULL },
		{ "SHA256 (name) = " H "0", NULL },
		{ "SHA256 (name) =" H, NULL },
		{ "SHA256(name)= " H, NULL },
		{ "SHA512 (name) = " H, NULL },
		{ "CRC (name) = " H, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_digest abc;
		struct ckpt_sum digest;
		size_t len = strlen(cases[i].line);
		char name[64], *exact = malloc(len + 1);
		bool read;

		memcpy(exact, cases[i].line, len); /* no NUL behind it */
		exact = realloc(exact, len ? len : 1);
		read = ckpt_sum_line(exact, len, CKPT_SUM_SHA256, &digest, name, sizeof(name));
		if (read != (cases[i].name != NULL) || (read && strcmp(name, cases[i].name) != 0))
			fail_msg("'%s'", cases[i].line);
		assert_int_equal(ckpt_digest_of("abc", 3, &abc), 0);
		if (read)
			assert_memory_equal(digest.b, &abc, sizeof(abc));
		free(exact);
	}
	assert_false(ckpt_sum_line(H "  0123456789", 76, CKPT_SUM_SHA256, &(struct ckpt_sum) { 0 },
				   (char[8]) { 0 }, 8)); /* too long for its place */
}

/* Writes the digest of what @name holds, of the flipped last digit if @wrong, with @shown as its
 * name, to @list. */
static void put_list(const struct scratch *dir, const char *list, const char *name,
		     const char *shown, bool wrong)
{
	char text[512], hex[SEALED_HEX];

	sealed_hex(dir, name, wrong, hex);
	sprintf(text, "%s%s%s\n", hex, *shown ? "  " : "", shown);
	scratch_put(dir->fd, list, text);
}

static void test_sidecar__what_a_list_is_worth(void **state)
{
	static const struct {
		const char *list, *shown;
		bool wrong, older;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		const char *note;
	} cases[] = {
		{ "SHA256SUMS", "x_1.dump", false, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "SHA256SUMS", "./x_1.dump", false, true, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "sha256sum.txt", "x_1.dump", false, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.sha256", "other", false, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.sha256", "", false, false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.sha256", "other", true, false, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "x_1.dump.sha256 has another digest than x_1.dump, beside another name" },
		{ "x_1.dump.sha256", "/a/x_1.dump", true, false, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  "" },
		{ "x_1.dump.sha256", "-", true, false, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "" },
		{ "SHA256SUMS", "x_1.dump", true, false, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "" },
		{ "x_1.dump.sha256", "", true, false, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "" },
		{ "SHA256SUMS", "x_1.dump", true, true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "SHA256SUMS has another digest for x_1.dump and is older" },
		{ "SHA256SUMS", "y_1.dump", true, false, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
		{ "SHA256SUMS", "", true, false, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
		{ "y_1.dump.sha256", "", true, false, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_report report;
		struct scratch dir;

		assert_int_equal(scratch_open(&dir), 0);
		scratch_put_noise(dir.fd, "x_1.dump", 5000);
		put_list(&dir, cases[i].list, "x_1.dump", cases[i].shown, cases[i].wrong);
		if (cases[i].older)
			scratch_make_older(dir.fd, cases[i].list);
		sealed_verify(NULL, &dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != cases[i].status ||
		    report.verdict.evidence != cases[i].evidence ||
		    !strstr(report.verdict.note, cases[i].note))
			fail_msg("case %zu: %s by %s (%s)", i,
				 ckpt_status_name(report.verdict.status),
				 ckpt_evidence_name(report.verdict.evidence), report.verdict.note);
		if (report.verdict.status == CKPT_CORRUPT)
			assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_DIGEST);
		scratch_close(&dir);
	}
}

/* What people's tools and editors make of a list: used where it is clear, else a remark. */
static void test_sidecar__other_forms(void **state)
{
	static const struct {
		const char *list, *before, *path; /* "%s" in it: the directory */
		bool wrong;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
		const char *note;
	} cases[] = {
		{ "x_1.dump.chksum", "", "x_1.dump", false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "x_1.dump.chksum", "", "x_1.dump", true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "" },
		{ "SHA256SUMS", "", "%s/x_1.dump", false, CKPT_VALID, CKPT_EVIDENCE_SEAL, "" },
		{ "SHA256SUMS", "", "%s/x_1.dump", true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE, "" },
		{ "SHA256SUMS", "", "/x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "SHA256SUMS is of another directory" },
		{ "SHA256SUMS", "", "/y_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE, "" },
		{ "SHA256SUMS", "\xef\xbb\xbf", "x_1.dump", false, CKPT_VALID, CKPT_EVIDENCE_SEAL,
		  "" },
		{ "SHA256SUMS", "\xef\xbb\xbf", "x_1.dump", true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE,
		  "" },
		{ "SHA256SUMS", "sum: ", "x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "SHA256SUMS was not understood" },
		{ "B2SUMS", "", "x_1.dump", false, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "B2SUMS was not understood" }, /* b2sum -l 256 */
		{ "x_1.dump.md5sum", "", "x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE,
		  "x_1.dump.md5sum was not understood" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_report report;
		struct scratch dir;
		char shown[200], text[512], *line;
		const char *rest = strstr(cases[i].path, "%s");

		assert_int_equal(scratch_open(&dir), 0);
		scratch_put_noise(dir.fd, "x_1.dump", 5000);
		snprintf(shown, sizeof(shown), "%s%s", rest ? dir.path : "",
			 rest ? rest + 2 : cases[i].path);
		put_list(&dir, "line", "x_1.dump", shown, cases[i].wrong);
		line = scratch_get(dir.fd, "line");
		snprintf(text, sizeof(text), "%s%s", cases[i].before, line);
		free(line);
		scratch_put(dir.fd, cases[i].list, text);
		sealed_verify(NULL, &dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != cases[i].status ||
		    report.verdict.evidence != cases[i].evidence ||
		    !strstr(report.verdict.note, cases[i].note) ||
		    (!cases[i].note[0] && strstr(report.verdict.note, "SUMS")))
			fail_msg("case %zu: %s by %s (%s)", i,
				 ckpt_status_name(report.verdict.status),
				 ckpt_evidence_name(report.verdict.evidence), report.verdict.note);
		scratch_close(&dir);
	}
}

/* A list of several files beside one of them, under its name. */
static void test_sidecar__lines_of_others_are_not_the_file_s(void **state)
{
	static const char *const shown[][2] = { { "x_1.dump", "other" }, { "other", "x_1.dump" } };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char text[512], *line;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	for (size_t i = 0; i < 2; i++)
		for (int damaged = 0; damaged < 2; damaged++) {
			text[0] = '\0';
			for (size_t k = 0; k < 2; k++) {
				put_list(dir, "line", "x_1.dump", shown[i][k], damaged || k != i);
				line = scratch_get(dir->fd, "line");
				strcat(text, line);
				free(line);
			}
			scratch_put(dir->fd, "x_1.dump.sha256", text);
			sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
			assert_int_equal(report.verdict.status,
					 damaged ? CKPT_CORRUPT : CKPT_VALID);
			assert_int_equal(report.verdict.evidence,
					 damaged ? CKPT_EVIDENCE_NONE : CKPT_EVIDENCE_SEAL);
		}
}

/* What has the digest that one list says is not damaged, whatever another says. */
static void test_sidecar__lists_that_disagree(void **state)
{
	static const struct {
		bool wrong, each_wrong;
		enum ckpt_status status;
	} cases[] = {
		{ false, false, CKPT_VALID },
		{ true, false, CKPT_VALID },
		{ false, true, CKPT_VALID },
		{ true, true, CKPT_CORRUPT },
	};
	static const struct {
		const char *list, *each;
	} lists[] = { { "SHA256SUMS", "x_1.dump.sha256" }, { "x_1.dump.sha256sum", "SHA256SUMS" } };
	const struct scratch *dir = *state;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t k = 0; k < 2; k++) {
			struct ckpt_report report;

			put_list(dir, lists[k].list, "x_1.dump", "x_1.dump", cases[i].wrong);
			put_list(dir, lists[k].each, "x_1.dump", "x_1.dump", cases[i].each_wrong);
			sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
			assert_int_equal(report.verdict.status, cases[i].status);
			if (cases[i].status == CKPT_VALID)
				assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
			assert_int_equal(unlinkat(dir->fd, lists[k].list, 0), 0);
			assert_int_equal(unlinkat(dir->fd, lists[k].each, 0), 0);
		}
}

/* Writes the digest of @name by @crypto, of another content if @wrong, as the list @list. */
static void put_digest(const struct scratch *dir, const char *list, const char *name,
		       const char *crypto, bool wrong)
{
	unsigned char digest[EVP_MAX_MD_SIZE], *data;
	char text[2 * EVP_MAX_MD_SIZE + 64], *at = text;
	unsigned int n;
	size_t size;

	data = scratch_read(dir->fd, name, &size);
	assert_int_equal(
		EVP_Digest(data, size - wrong, digest, &n, EVP_get_digestbyname(crypto), NULL), 1);
	free(data);
	for (unsigned int i = 0; i < n; i++)
		at += sprintf(at, "%02x", digest[i]);
	sprintf(at, "  %s\n", name);
	scratch_put(dir->fd, list, text);
}

/* Nor is it where the lists are of different kinds, or more than two. */
static void test_sidecar__lists_of_kinds_that_disagree(void **state)
{
	static const char *const kinds[][2] = {
		{ "x_1.dump.md5", "MD5" },
		{ "SHA256SUMS", "SHA256" },
		{ "SHA512SUMS", "SHA512" },
		{ "sha256sum.txt", "SHA256" },
	};
	static const enum ckpt_evidence by[] = { CKPT_EVIDENCE_CHECKSUM, CKPT_EVIDENCE_SEAL,
						 CKPT_EVIDENCE_SEAL, CKPT_EVIDENCE_SEAL };
	const struct scratch *dir = *state;
	struct ckpt_report report;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	for (size_t right = 0; right <= 4; right++) {
		for (size_t i = 0; i < 4; i++)
			put_digest(dir, kinds[i][0], "x_1.dump", kinds[i][1], i != right);
		sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != (right < 4 ? CKPT_VALID : CKPT_CORRUPT))
			fail_msg("list %zu is right: %s (%s)", right,
				 ckpt_status_name(report.verdict.status),
				 report.verdict.problem.detail);
		assert_int_equal(report.verdict.evidence,
				 right < 4 ? by[right] : CKPT_EVIDENCE_NONE);
		if (right < 3) /* the fourth is looked at first */
			assert_non_null(strstr(report.verdict.note, "than another list"));
	}
}

/* An older list is no proof, but hides none. */
static void test_sidecar__an_older_list_hides_no_damage(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	put_list(dir, "SHA256SUMS", "x_1.dump", "x_1.dump", true);
	put_list(dir, "x_1.dump.sha256", "x_1.dump", "x_1.dump", true);
	scratch_make_older(dir->fd, "x_1.dump.sha256");
	sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
}

/* What the format lacks is no reservation any more; what a seal lacks still is. */
static void test_sidecar__what_is_noted_beside(void **state)
{
	static const char torn[] = "{\"seal\": {", empty[] = "\x02\0\0\0\0\0\0\0{}";
	_cleanup_close_ int fd = -1;
	const struct scratch *dir = *state;
	struct ckpt_report report;

	fd = openat(dir->fd, "x.safetensors", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, empty, sizeof(empty) - 1), sizeof(empty) - 1);
	sealed_verify(NULL, dir, "x.safetensors", CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.verdict.note, "safetensors stores no checksum");
	put_list(dir, "SHA256SUMS", "x.safetensors", "x.safetensors", false);
	sealed_verify(NULL, dir, "x.safetensors", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	assert_string_equal(report.verdict.note, "");
	scratch_put(dir->fd, "x.safetensors.metadata.json", torn);
	sealed_verify(NULL, dir, "x.safetensors", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	assert_non_null(strstr(report.verdict.note, "seal ignored: the seal is torn"));
	assert_null(strstr(report.verdict.note, "no checksum"));
}

/* Checksums of its own say more than a list of somebody's. */
static void test_sidecar__outweighs_no_checksum(void **state)
{
	const struct scratch *dir = *state;
	const struct torch_synthetic how = { .epoch = 3, .step = 7, .floats = 1000 };
	struct ckpt_report report;

	torch_synthetic_write(dir->fd, "model_3.pt", &how);
	put_list(dir, "SHA256SUMS", "model_3.pt", "model_3.pt", true);
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_non_null(strstr(report.verdict.note, "whose own checksums hold"));
	put_list(dir, "SHA256SUMS", "model_3.pt", "model_3.pt", false);
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	sealed_verify(NULL, dir, "model_3.pt", CKPT_LEVEL_STRUCTURE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
}

#define D "checkpoint-500"

/* Appends the line of the file @name in the directory checkpoint to @text. */
/* A list that was made of what is damaged already proves nothing whole. */
static void test_sidecar__mends_no_damage(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report alone, listed;

	torch_synthetic_write(dir->fd, "m.pt", &(struct torch_synthetic) { .floats = 9 });
	scratch_resize(dir->fd, "m.pt", 300);
	sealed_verify(NULL, dir, "m.pt", CKPT_LEVEL_FULL, &alone);
	assert_int_not_equal(alone.verdict.status, CKPT_VALID);
	for (int wrong = 0; wrong < 2; wrong++) {
		put_list(dir, "m.pt.sha256", "m.pt", "m.pt", wrong);
		sealed_verify(NULL, dir, "m.pt", CKPT_LEVEL_FULL, &listed);
		assert_int_equal(listed.verdict.status, alone.verdict.status);
		assert_int_equal(listed.verdict.evidence, CKPT_EVIDENCE_NONE);
		assert_int_equal(listed.verdict.problem.code, alone.verdict.problem.code);
	}
}

static void add_line(const struct scratch *dir, char *text, const char *prefix, const char *name)
{
	char path[300], *list;

	snprintf(path, sizeof(path), D "/%s", name);
	put_list(dir, "line", path, name, false);
	list = scratch_get(dir->fd, "line");
	sprintf(text + strlen(text), "%.66s%s%s", list, prefix, list + 66);
	free(list);
}

static void test_sidecar__a_directory_needs_all(void **state)
{
	static const char *const names[] = { "optimizer.pt", "pytorch_model.bin",
					     "trainer_state.json", "notes/more/readme.txt" };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char text[2048] = "";

	sealed_put_trainer(dir, 1000);
	for (int i = 0; i < 3; i++)
		add_line(dir, text, "", names[i]);
	scratch_put(dir->fd, D "/SHA256SUMS", text);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM); /* one is not listed */
	add_line(dir, text, "", names[3]);
	scratch_put(dir->fd, D "/SHA256SUMS", "");
	add_line(dir, text, "", "SHA256SUMS"); /* as the shell leaves it for sha256sum * */
	scratch_put(dir->fd, D "/SHA256SUMS", text);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);

	assert_int_equal(unlinkat(dir->fd, D "/SHA256SUMS", 0), 0);
	text[0] = '\0';
	for (int i = 0; i < 4; i++)
		add_line(dir, text, D "/", names[i]);
	scratch_put(dir->fd, "SHA256SUMS", text); /* beside, with the directory in its names */
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
}

/* A list's name does not make data a list: they need a digest as well. */
static void test_sidecar__data_by_the_name_of_a_list(void **state)
{
	static const char *const names[] = { "optimizer.pt", "pytorch_model.bin",
					     "trainer_state.json", "notes/more/readme.txt",
					     "adam" };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char text[2048] = "";

	sealed_put_trainer(dir, 1000);
	scratch_put_noise(dir->fd, D "/adam", 500);
	for (int i = 0; i < 5; i++)
		add_line(dir, text, "", names[i]);
	scratch_put(dir->fd, D "/SHA256SUMS", text);
	put_digest(dir, D "/adam.b2", D "/adam", "BLAKE2b512", false);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	scratch_put_noise(dir->fd, D "/adam.b2", 900);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
}

/* Checksums of one member say nothing of another. */
static void test_sidecar__each_member_for_itself(void **state)
{
	static const struct {
		const char *wrong[2];
		enum ckpt_status status;
		const char *says;
	} cases[] = {
		{ { "optimizer.pt", "" },
		  CKPT_VALID,
		  "for optimizer.pt, whose own checksums hold" },
		{ { "trainer_state.json", "" }, CKPT_CORRUPT, "" },
		{ { "optimizer.pt", "trainer_state.json" }, CKPT_CORRUPT, "" },
		{ { "pytorch_model.bin", "notes/more/readme.txt" }, CKPT_CORRUPT, "" },
	};
	static const char *const names[] = { "optimizer.pt", "pytorch_model.bin",
					     "trainer_state.json", "notes/more/readme.txt" };
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048] = "", *at;

		for (int k = 0; k < 4; k++) {
			at = text + strlen(text);
			add_line(dir, text, "", names[k]);
			for (int w = 0; w < 2; w++)
				if (strcmp(names[k], cases[i].wrong[w]) == 0)
					*at = *at == '0' ? '1' : '0';
		}
		scratch_put(dir->fd, D "/SHA256SUMS", text);
		sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != cases[i].status ||
		    !strstr(report.verdict.note, cases[i].says))
			fail_msg("case %zu: %s (%s)", i, ckpt_status_name(report.verdict.status),
				 report.verdict.note);
	}
}

/* Nor does another length that a pointer of Git LFS has for one. */
static void test_sidecar__a_length_hides_no_damage(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	scratch_put(dir->fd, D "/optimizer.pt.pointer",
		    "version https://git-lfs.github.com/spec/v1\noid sha256:" H "\nsize 5\n");
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_non_null(strstr(report.verdict.note, "optimizer.pt, whose own checksums hold"));
	put_list(dir, D "/trainer_state.json.sha256", D "/trainer_state.json", "", true);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_string_equal(report.verdict.problem.file, "trainer_state.json");
}

/* Without a checksum of its own. */
static void put_safetensors(const struct scratch *dir, const char *name)
{
	static const char tensor[] =
		"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}01234567";
	uint8_t bytes[8 + sizeof(tensor)] = { sizeof(tensor) - 1 - 8 };

	memcpy(bytes + 8, tensor, sizeof(tensor) - 1);
	scratch_write(dir->fd, name, bytes, 8 + sizeof(tensor) - 1);
}

/* One file was rewritten since the list was made; another is damaged, its time as it was. */
static void test_sidecar__a_newer_file_hides_no_damage(void **state)
{
	static const char *const names[] = { D "/model.safetensors", D "/notes.txt",
					     D "/trainer_state.json" };
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char text[512], *line;

	for (size_t newer = 0; newer < 3; newer++) {
		text[0] = '\0';
		scratch_put(dir->fd, names[2], "{\"epoch\": 2.5, \"global_step\": 500}");
		scratch_put(dir->fd, names[1], "words");
		put_safetensors(dir, names[0]);
		for (size_t i = 0; i < 3; i++) {
			if (i != newer)
				scratch_make_older(dir->fd, names[i]);
			put_list(dir, "line", names[i], names[i] + sizeof(D), true);
			line = scratch_get(dir->fd, "line");
			strcat(text, line);
			free(line);
		}
		scratch_put(dir->fd, D "/SHA256SUMS", text);
		scratch_make_older(dir->fd, D "/SHA256SUMS");
		sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	}
}

static void test_sidecar__what_the_budget_cut_off_is_said(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .max_bytes = 9000 };
	struct ckpt_report report;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	put_list(dir, "SHA256SUMS", "x_1.dump", "x_1.dump", true);
	sealed_verify(&ctx, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT); /* enough to see that */
	ctx = (struct ckpt_ctx) { .max_bytes = 600 };	       /* for head, tail and the list */
	sealed_verify(&ctx, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	assert_non_null(strstr(report.verdict.note, "was not compared with x_1.dump: budget"));
}

static ssize_t failing_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	if (off < 8192 || len < 8192) /* the list, and the head that the format looks at */
		return pread(fd, buf, len < 4096 ? len : 4096, off);
	errno = *(int *)arg;
	return -1;
}

/* Data that cannot be read are no checkpoint that could be read, whatever its structure. */
static void test_sidecar__an_error_is_no_answer(void **state)
{
	static const char *const lists[] = { "x_1.dump.sha256", "x_1.dump.md5" };
	const struct scratch *dir = *state;
	int error = EIO;
	const struct ckpt_seam seam = { .pread = failing_pread, .arg = &error };
	struct ckpt_report report;

	scratch_put_noise(dir->fd, "x_1.dump", 3000000);
	for (size_t i = 0; i < 2; i++) {
		struct ckpt_ctx ctx = { .seam = &seam };

		put_digest(dir, lists[i], "x_1.dump", i ? "MD5" : "SHA256", false);
		sealed_verify(&ctx, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, CKPT_UNREADABLE);
		assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_IO);
		assert_string_equal(report.verdict.problem.file, "x_1.dump");
		assert_int_equal(unlinkat(dir->fd, lists[i], 0), 0);
	}
}

/* A manifest as HTCondor writes it: lines, then the digest of them with the manifest's own name. */
static void put_manifest(const struct scratch *dir, const char *name, const char *lines,
			 const char *own)
{
	char text[4096], *at = text;
	unsigned char digest[32];

	assert_int_equal(EVP_Digest(lines, strlen(lines), digest, NULL, EVP_sha256(), NULL), 1);
	at += sprintf(at, "%s", lines);
	for (int i = 0; i < 32; i++)
		at += sprintf(at, "%02x", digest[i]);
	sprintf(at, " *%s\n", own);
	scratch_put(dir->fd, name, text);
}

/* "DIGEST *SHOWN" of what @name holds, on the heap. */
static char *manifest_line(const struct scratch *dir, const char *name, const char *shown,
			   bool wrong)
{
	char *line;

	put_list(dir, "line", name, "x", wrong);
	line = scratch_get(dir->fd, "line");
	assert_non_null(line);
	line = realloc(line, 512);
	sprintf(line + 64, " *%s\n", shown);
	assert_int_equal(unlinkat(dir->fd, "line", 0), 0);
	return line;
}

static void test_sidecar__manifests_of_htcondor(void **state)
{
#define M "_condor_checkpoint_MANIFEST."
	static const struct {
		const char *name, *own, *shown;
		bool wrong;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
	} cases[] = {
		{ M "0003", M "0003", "x_1.dump", false, CKPT_VALID, CKPT_EVIDENCE_SEAL },
		{ M "0003", "/scratch/dir_7/" M "0003", "./x_1.dump", false, CKPT_VALID,
		  CKPT_EVIDENCE_SEAL },
		{ M "0003", M "0003", "x_1.dump", true, CKPT_CORRUPT, CKPT_EVIDENCE_NONE },
		{ "MANIFEST.0001", "MANIFEST.0001", "x_1.dump", false, CKPT_VALID,
		  CKPT_EVIDENCE_SEAL },
		{ M "0003", M "0002", "x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
		{ M "0003", M "0003", "y_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
		{ M "z", M "z", "x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
		{ M "-1", M "-1", "x_1.dump", true, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_report report;
		struct scratch dir;
		char *line;

		assert_int_equal(scratch_open(&dir), 0);
		scratch_put_noise(dir.fd, "x_1.dump", 5000);
		line = manifest_line(&dir, "x_1.dump", cases[i].shown, cases[i].wrong);
		put_manifest(&dir, cases[i].name, line, cases[i].own);
		free(line);
		sealed_verify(NULL, &dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != cases[i].status ||
		    report.verdict.evidence != cases[i].evidence)
			fail_msg("case %zu: %s by %s", i, ckpt_status_name(report.verdict.status),
				 ckpt_evidence_name(report.verdict.evidence));
		scratch_close(&dir);
	}
}

/* The newest manifest counts; one that was torn or edited is passed over for the one before. */
static void test_sidecar__the_newest_whole_manifest_counts(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;
	char *good, *bad, *text;

	scratch_put_noise(dir->fd, "x_1.dump", 5000);
	good = manifest_line(dir, "x_1.dump", "x_1.dump", false);
	bad = manifest_line(dir, "x_1.dump", "x_1.dump", true);
	put_manifest(dir, M "0009", bad, M "0009");
	put_manifest(dir, M "0010", good, M "0010");
	sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	put_manifest(dir, M "0011", bad, M "0011");
	text = scratch_get(dir->fd, M "0011");
	text[3] = text[3] == 'a' ? 'b' : 'a';
	scratch_put(dir->fd, M "0011", text);
	sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_SEAL);
	free(text);
	put_manifest(dir, M "0012", bad, M "0012");
	sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_non_null(strstr(report.verdict.problem.detail, M "0012"));
	free(good);
	free(bad);
}

/* Of a directory's files: in the directory itself, or beside it with the directory in its names. */
static void test_sidecar__manifest_of_a_directory(void **state)
{
	static const char *const names[] = { "optimizer.pt", "pytorch_model.bin",
					     "trainer_state.json", "notes/more/readme.txt" };
	static const struct {
		const char *at, *prefix;
	} cases[] = { { D "/" M "0004", "" }, { M "0004", D "/" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_report report;
		struct scratch dir;
		char text[2048] = "";

		assert_int_equal(scratch_open(&dir), 0);
		sealed_put_trainer(&dir, 1000);
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			add_line(&dir, text, cases[i].prefix, names[k]);
		assert_int_equal(unlinkat(dir.fd, "line", 0), 0);
		put_manifest(&dir, cases[i].at, text, M "0004");
		sealed_verify(NULL, &dir, D, CKPT_LEVEL_FULL, &report);
		if (report.verdict.evidence != CKPT_EVIDENCE_SEAL)
			fail_msg("case %zu: by %s", i, ckpt_evidence_name(report.verdict.evidence));
		scratch_close(&dir);
	}
}

/* Nobody has looked at the names in the folders of a directory beforehand. */
static void test_sidecar__beside_a_file_in_a_folder(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	sealed_put_trainer(dir, 1000);
	put_list(dir, D "/notes/more/readme.txt.sha256", D "/notes/more/readme.txt", "", true);
	sealed_verify(NULL, dir, D, CKPT_LEVEL_FULL, &report);
	assert_non_null(
		strstr(report.verdict.problem.detail, "not the one in notes/more/readme.txt"));
}

/* 32 bytes, and nothing else, are a digest. */
static void test_sidecar__raw_digests(void **state)
{
	static const struct {
		size_t len;
		uint8_t flip;
		enum ckpt_status status;
		enum ckpt_evidence evidence;
	} cases[] = {
		{ 32, 0, CKPT_VALID, CKPT_EVIDENCE_SEAL },
		{ 32, 1, CKPT_CORRUPT, CKPT_EVIDENCE_NONE },
		{ 31, 1, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
		{ 33, 1, CKPT_VALID, CKPT_EVIDENCE_OPAQUE },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t digest[33] = { 0 };
		struct ckpt_report report;
		unsigned char *data;
		size_t size;

		scratch_put_noise(dir->fd, "x_1.dump", 5000);
		data = scratch_read(dir->fd, "x_1.dump", &size);
		assert_int_equal(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL), 1);
		free(data);
		digest[5] ^= cases[i].flip;
		scratch_write(dir->fd, "x_1.dump.chksum", digest, cases[i].len);
		sealed_verify(NULL, dir, "x_1.dump", CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, cases[i].status);
		assert_int_equal(report.verdict.evidence, cases[i].evidence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sidecar__lines),
		cmocka_unit_test(test_sidecar__what_a_list_is_worth),
		cmocka_unit_test(test_sidecar__other_forms),
		scratch_test(test_sidecar__lines_of_others_are_not_the_file_s),
		scratch_test(test_sidecar__lists_that_disagree),
		scratch_test(test_sidecar__lists_of_kinds_that_disagree),
		scratch_test(test_sidecar__an_older_list_hides_no_damage),
		scratch_test(test_sidecar__a_newer_file_hides_no_damage),
		scratch_test(test_sidecar__what_is_noted_beside),
		scratch_test(test_sidecar__outweighs_no_checksum),
		scratch_test(test_sidecar__mends_no_damage),
		scratch_test(test_sidecar__a_directory_needs_all),
		scratch_test(test_sidecar__data_by_the_name_of_a_list),
		scratch_test(test_sidecar__each_member_for_itself),
		scratch_test(test_sidecar__a_length_hides_no_damage),
		scratch_test(test_sidecar__what_the_budget_cut_off_is_said),
		scratch_test(test_sidecar__an_error_is_no_answer),
		cmocka_unit_test(test_sidecar__manifests_of_htcondor),
		scratch_test(test_sidecar__the_newest_whole_manifest_counts),
		cmocka_unit_test(test_sidecar__manifest_of_a_directory),
		scratch_test(test_sidecar__beside_a_file_in_a_folder),
		scratch_test(test_sidecar__raw_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
