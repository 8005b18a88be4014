/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header gives version, step and time. The state vectors behind it are not parsed: their shape
 * depends on the version and nothing in them could be compared. The table of output files is found
 * from the end.
 */
#include "core/format/hpc/gromacs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/libcrypto.h"
#include "wire/text.h"

#define MAGIC_FIRST 171817
#define MAGIC_LAST 171819
#define TEXT_MAX 4096 /* of a string in the header: paths at most */
#define TAIL_MAX                                                                                   \
	(64 * 1024) /* where the table is looked for: some 200 bytes a file, and few files */
#define FILES_MAX 100
#define MD5_LEN 16
#define SUM_MAX (1 << 20) /* bytes before the offset that GROMACS sums up */

struct header {
	struct ckpt_check *check;
	uint64_t at;
	int r;
};

static uint64_t number(struct header *h, size_t n)
{
	uint8_t buf[8];

	if (h->r == 0)
		h->r = ckpt_check_read(h->check, h->at, buf, n, "its header");
	h->at += n;
	return h->r ? 0 : ckpt_bytes_be(buf, n);
}

/* A string is skipped; its start goes to @ret if wanted. */
static void text(struct header *h, char *ret, size_t size)
{
	uint64_t len = number(h, 4);
	size_t keep = len < size ? (size_t)len : size ? size - 1 : 0;

	if (h->r == 0 && len > TEXT_MAX)
		h->r = ckpt_check_reject(h->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, h->at - 4,
					 NULL, "a text of %llu bytes in its header",
					 (unsigned long long)len);
	if (h->r == 0 && keep)
		h->r = ckpt_check_read(h->check, h->at, ret, keep, "its header");
	if (size)
		ret[h->r ? 0 : keep] = '\0';
	h->at += (len + 3) / 4 * 4;
}

static int read_header(struct ckpt_check *check)
{
	struct header h = { .check = check, .at = 4 };
	struct ckpt_position *pos = &check->report->position;
	char version[32];
	uint64_t file_version, step;

	text(&h, version, sizeof(version));
	for (int i = 0; i < 5; i++) /* three unused, program, time */
		text(&h, NULL, 0);
	file_version = number(&h, 4);
	if (h.r == 0 && file_version > 1000)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, h.at - 4, NULL,
					 "its file version is %llu",
					 (unsigned long long)file_version);
	if (file_version >= 13)
		number(&h, 4);
	if (file_version >= 12)
		text(&h, NULL, 0);
	/* atoms, coupling groups, chains, lambdas, integrator */
	h.at += 4u * (2 + (file_version >= 10) + (file_version >= 11) + (file_version >= 14) + 1);
	h.at += file_version >= 3 ? 4 : 0; /* simulation part */
	step = number(&h, file_version >= 5 ? 8 : 4);
	if (h.r)
		return h.r;
	snprintf(check->report->framework, sizeof(check->report->framework), "GROMACS %s", version);
	ckpt_text_clean(check->report->framework);
	if (step > INT64_MAX)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, h.at - 8, NULL,
					 "its step is negative");
	pos->has_step = true;
	pos->step = (int64_t)step;
	pos->step_source = CKPT_FROM_CONTENT;
	check->report->contents = CKPT_CONTENTS_FULL;
	return 0;
}

static int gromacs_structure(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	int r;

	if (head->size % 4 != 0 || head->size < 8 ||
	    ckpt_bytes_be(head->tail + head->n_tail - 4, 4) != MAGIC_LAST)
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE,
			ckpt_bytes_zero(head->tail, head->n_tail) ? CKPT_PROBLEM_ZERO_TAIL
								  : CKPT_PROBLEM_TRUNCATED,
			head->size, NULL, "it does not end in the mark that GROMACS writes last");
	r = read_header(check);
	return r;
}

/* An output file as the table names it. */
struct output {
	char name[256];
	uint64_t offset, size; /* where it ended; bytes before that were summed */
	bool summed;
	uint8_t md5[MD5_LEN];
};

/* Whether @name, with @pad bytes behind it, is a file's and no numbers' bytes: those of the state
 * look like a table, too. */
static bool is_name(const char *name, const uint8_t *pad, size_t n_pad)
{
	char clean[256];

	snprintf(clean, sizeof(clean), "%s", name);
	ckpt_text_make_utf8(clean);
	return strcmp(clean, name) == 0 && !ckpt_text_has_control(name) &&
	       ckpt_bytes_zero(pad, n_pad);
}

/* One entry at *@p; false if none can be there. */
static bool entry(const uint8_t **p, const uint8_t *end, struct output *ret)
{
	const uint8_t *at = *p;
	uint64_t len;

	if (end - at < 4)
		return false;
	len = ckpt_bytes_be(at, 4);
	at += 4;
	if (len < 1 || len >= sizeof(ret->name) ||
	    (uint64_t)(end - at) < (len + 3) / 4 * 4 + 12 + 4 * MD5_LEN || memchr(at, 0, len))
		return false;
	memcpy(ret->name, at, len);
	ret->name[len] = '\0';
	if (!is_name(ret->name, at + len, (4 - len % 4) % 4))
		return false;
	at += (len + 3) / 4 * 4;
	ret->offset = ckpt_bytes_be(at, 8);
	ret->size = ckpt_bytes_be(at + 8, 4);
	ret->summed = ret->size != UINT32_MAX && ret->size > 0;
	at += 12;
	for (int i = 0; i < MD5_LEN; i++, at += 4) {
		if (ckpt_bytes_be(at, 4) > 255)
			return false;
		ret->md5[i] = at[3];
	}
	*p = at;
	return ret->offset <= INT64_MAX &&
	       (!ret->summed || (ret->size <= SUM_MAX && ret->size <= ret->offset));
}

/* The entries of the table at @p: their number, or 0 where there is none. */
static unsigned table(const uint8_t *p, const uint8_t *end)
{
	struct output out;
	unsigned n = (unsigned)ckpt_bytes_be(p, 4);

	if (n < 1 || n > FILES_MAX)
		return 0;
	p += 4;
	for (unsigned i = 0; i < n; i++)
		if (!entry(&p, end, &out))
			return 0;
	return n;
}

/* MD5 of the bytes before the offset. 0 same, 1 not, or an errno. */
static int compare(struct ckpt_check *check, const struct ckpt_file *file, const struct output *out)
{
	_cleanup_free_ uint8_t *buf = malloc(out->size + 1);
	uint8_t md5[EVP_MAX_MD_SIZE];
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	int r;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(out->name));
	r = ckpt_file_read(file, out->offset - out->size, buf, out->size, check->err);
	if (r)
		return r;
	if (!lib || !lib->EVP_Digest(buf, out->size, md5, NULL, lib->EVP_md5(), NULL)) {
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE, "MD5 is not available here");
		return 0;
	}
	return memcmp(md5, out->md5, MD5_LEN) != 0;
}

/* Output files lie beside the checkpoint; those elsewhere are not looked for. */
static int check_output(struct ckpt_check *check, const struct output *out)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r;

	if (strchr(out->name, '/'))
		return 0;
	r = ckpt_file_open(check->ctx, check->dirfd, out->name, &file, check->err);
	if (r == -ENOENT) {
		ckpt_check_remark(
			check, CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET,
			"its output file %s is not here: mdrun goes on with -noappend only",
			CKPT_QUOTE(out->name));
		return 0;
	}
	if (r)
		return r < 0 ? r : 0;
	if (file.size < out->offset)
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, CKPT_NO_OFFSET, out->name,
			"the output file had %llu bytes when this was saved, now it "
			"has %llu: mdrun refuses to append to it",
			(unsigned long long)out->offset, (unsigned long long)file.size);
	r = out->summed ? compare(check, &file, out) : 0;
	if (r <= 0)
		return r;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_DIGEST, CKPT_NO_OFFSET,
				 out->name,
				 "the output file is not the one that this was saved with (MD5): "
				 "mdrun refuses to append to it");
}

static int check_outputs(struct ckpt_check *check, const uint8_t *tail, size_t len)
{
	const uint8_t *p = tail, *end = tail + len - 4;
	struct output out;
	unsigned n = 0;
	int r = 0;

	for (; p + 8 < end && n == 0; p += 4)
		n = table(p, end);
	for (unsigned i = 0; i < n && r == 0 && entry(&p, end, &out); i++)
		r = check_output(check, &out);
	return r;
}

static int gromacs_content(struct ckpt_check *check)
{
	size_t len = check->head.size < TAIL_MAX ? (size_t)check->head.size / 4 * 4 : TAIL_MAX;
	_cleanup_free_ uint8_t *tail = malloc(len + 4);
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r;

	if (!tail)
		return ckpt_fail(check->err, -ENOMEM, "no memory for the end of %s",
				 CKPT_QUOTE(check->file->name));
	if (len < 8)
		return 0;
	r = ckpt_check_read(check, check->file->size - len, tail, len, "its end");
	r = r ? r : check_outputs(check, tail, len);
	if (r == 0 && !verdict->note[0])
		snprintf(verdict->note, sizeof(verdict->note),
			 "GROMACS stores no checksum of the checkpoint itself");
	return r;
}

static bool gromacs_sniff(const struct ckpt_check *check)
{
	return check->head.n_head >= 4 && ckpt_bytes_be(check->head.head, 4) == MAGIC_FIRST;
}

const struct ckpt_format ckpt_format_gromacs = {
	.name = "gromacs",
	.title = "GROMACS checkpoint (.cpt)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = gromacs_sniff,
	.structure = gromacs_structure,
	.content = gromacs_content,
};
