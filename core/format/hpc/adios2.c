/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See adios2.h. The header of md.idx is BP5IndexTableHeader in BP5Engine.h and MakeHeader() in
 * BP4Serializer.cpp: a tag, the byte order, the version, and a flag that says that a writer is at
 * work, or was when it died.
 */
#include "core/format/hpc/adios2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/stream.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define INDEX "md.idx"
#define TAG "ADIOS-BP v"
#define HEADER 64
#define AT_ENDIAN 36
#define AT_VERSION 37
#define AT_ACTIVE_4 38
#define AT_ACTIVE_5 39
#define ROW 64		 /* of a BP4 index */
#define DATA_MAX 1000000 /* data files; one an aggregator */

uint64_t ckpt_adios2_number(const struct ckpt_adios2 *bp, const void *p, size_t n)
{
	return bp->big ? ckpt_bytes_be(p, n) : ckpt_bytes_le(p, n);
}

int ckpt_adios2_open(struct ckpt_check *check, const char *name, struct ckpt_file *ret)
{
	int r = ckpt_file_open(check->ctx, check->dirfd, name, ret, check->err);

	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL, "it is missing");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	else if (r == 0)
		check->report->verdict.size_bytes += ret->size;
	return r > 0 ? ckpt_check_blame(check, name, r) : r;
}

int ckpt_adios2_short(struct ckpt_check *check, const char *file, uint64_t size, uint64_t need)
{
	return ckpt_check_blame(check, file,
				ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
						  size, NULL, "it has %llu bytes, %llu are needed",
						  (unsigned long long)size,
						  (unsigned long long)need));
}

void ckpt_adios2_position(struct ckpt_report *report, const char *name, uint64_t steps)
{
	if (steps == 0 || steps > INT64_MAX || strpbrk(name, "0123456789"))
		return;
	report->position.has_step = true;
	report->position.step = (int64_t)steps;
	report->position.step_source = CKPT_FROM_CONTENT;
}

static int bad(struct ckpt_check *check, const char *file, uint64_t at, const char *what)
{
	return ckpt_check_blame(
		check, file,
		ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL, "%s", what));
}

/* A row of BP4's index: step, rank, three places in md.0 and their end, time
 * (BP4Writer.cpp, PopulateMetadataIndexFileContent). */
static int check_row(struct ckpt_adios2 *bp, const uint8_t row[ROW], uint64_t at)
{
	uint64_t v[4];

	for (int i = 0; i < 4; i++) {
		v[i] = ckpt_adios2_number(bp, row + 16 + 8 * i, 8);
		if (i && v[i] < v[i - 1])
			return bad(bp->check, INDEX, at, "a step's places in md.0 have no order");
	}
	if (v[3] > bp->md_end)
		bp->md_end = v[3];
	bp->steps++;
	return 0;
}

static int read_rows(struct ckpt_adios2 *bp, const struct ckpt_file *index)
{
	_cleanup_stream_ struct ckpt_stream in = { .file = index };
	struct ckpt_check *check = bp->check;
	uint64_t rest = (index->size - HEADER) % ROW;
	uint8_t row[ROW];
	int r;

	if (rest)
		return ckpt_adios2_short(check, INDEX, index->size, index->size - rest + ROW);
	r = ckpt_stream_init(&in, index, HEADER, index->size, check->err);
	while (r == 0 && (r = ckpt_stream_take(&in, row, ROW, check->err)) == 0)
		r = check_row(bp, row, ckpt_stream_offset(&in) - ROW);
	return r == CKPT_STREAM_END && check->report->verdict.status == CKPT_VALID ? 0 : r;
}

/*
 * A BP4 data file is a header and process groups: "[PGI", their length without that mark, the data,
 * "PGI]" (BP4Serializer.cpp; files of versions before these marks are not walked).
 */
static int walk_groups(struct ckpt_adios2 *bp, const char *name, const struct ckpt_file *file)
{
	struct ckpt_check *check = bp->check;
	uint64_t at = HEADER, next;
	uint8_t buf[16];
	int r;

	while (at + 12 <= file->size) {
		r = ckpt_file_read(file, at - 4, buf, sizeof(buf), check->err);
		if (r)
			return r < 0 ? r : -EAGAIN;
		if (at == HEADER && memcmp(buf + 4, "[PGI", 4) != 0)
			return 0;
		if (memcmp(buf + 4, "[PGI", 4) != 0 || (at > HEADER && memcmp(buf, "PGI]", 4) != 0))
			return bad(check, name, at, "no process group begins here");
		if (__builtin_add_overflow(at + 4, ckpt_adios2_number(bp, buf + 8, 8), &next) ||
		    next > file->size)
			return ckpt_adios2_short(check, name, file->size, next);
		if (next < at + 16)
			return bad(check, name, at, "a process group has no length");
		at = next;
	}
	if (at > HEADER && at != file->size)
		return ckpt_adios2_short(check, name, file->size, at + 12);
	return 0;
}

/* data.0 and so on, as many as there are without a gap. */
static int check_data(struct ckpt_adios2 *bp)
{
	char name[32];
	int r = 0;

	for (int i = 0; r == 0 && i < DATA_MAX; i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;

		snprintf(name, sizeof(name), "data.%d", i);
		if (i && ckpt_dir_lacks(bp->check->dirfd, name))
			return 0;
		r = ckpt_adios2_open(bp->check, name, &file);
		if (r == 0 && file.size == 0 && bp->md_end)
			r = ckpt_adios2_short(bp->check, name, 0, HEADER);
		if (r == 0)
			r = walk_groups(bp, name, &file);
	}
	return r;
}

static int check_metadata(struct ckpt_adios2 *bp)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r = ckpt_adios2_open(bp->check, "md.0", &file);

	if (r == 0 && file.size < bp->md_end)
		r = ckpt_adios2_short(bp->check, "md.0", file.size, bp->md_end);
	return r;
}

static int check_version(struct ckpt_adios2 *bp, const struct ckpt_file *index, const uint8_t *head)
{
	int r;

	switch (head[AT_VERSION]) {
	case 4:
		r = read_rows(bp, index);
		return r ? r : check_data(bp);
	case 5:
		return ckpt_adios2_bp5(bp, index);
	default:
		return ckpt_check_blame(bp->check, INDEX,
					ckpt_check_reject(bp->check, CKPT_UNREADABLE,
							  CKPT_PROBLEM_HEADER, AT_VERSION, NULL,
							  "version %d is not known",
							  head[AT_VERSION]));
	}
}

/* A writer is at work, or died. */
static int check_active(struct ckpt_check *check, const uint8_t *head)
{
	if (head[head[AT_VERSION] == 4 ? AT_ACTIVE_4 : AT_ACTIVE_5] != 1)
		return 0;
	return ckpt_check_blame(check, INDEX,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_WRITER_ACTIVE, AT_ACTIVE_4, NULL,
						  "its writer did not close it"));
}

static int check_head(struct ckpt_check *check, const struct ckpt_file *index, uint8_t *head)
{
	int r = ckpt_file_read(index, 0, head, HEADER, check->err);

	if (r > 0)
		return ckpt_adios2_short(check, INDEX, index->size, HEADER);
	if (r)
		return r;
	if (ckpt_bytes_zero(head, HEADER))
		return ckpt_check_blame(check, INDEX,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_ZERO_TAIL, 0, NULL,
							  "nothing but zeros"));
	if (memcmp(head, TAG, strlen(TAG)) != 0 || head[AT_ENDIAN] > 1)
		return bad(check, INDEX, 0, "it does not begin as an index of ADIOS does");
	snprintf(check->report->framework, sizeof(check->report->framework), "ADIOS %.*s",
		 (int)strcspn((const char *)head + strlen(TAG), " "), head + strlen(TAG));
	ckpt_text_clean(check->report->framework);
	return 0;
}

static int adios2_structure(struct ckpt_check *check)
{
	_cleanup_file_ struct ckpt_file index = CKPT_FILE_INIT;
	struct ckpt_adios2 bp = { .check = check };
	uint8_t head[HEADER + 1] = { 0 };
	int r = ckpt_adios2_open(check, INDEX, &index);

	if (r == 0)
		r = check_head(check, &index, head);
	if (r)
		return r;
	r = check_active(check, head);
	bp.big = head[AT_ENDIAN];
	if (r == 0)
		r = check_version(&bp, &index, head);
	if (r == 0)
		r = check_metadata(&bp);
	if (r == 0 && bp.steps == 0 && check->report->verdict.evidence > CKPT_EVIDENCE_OPAQUE)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, HEADER, NULL,
				      "no step was written");
	if (r == 0)
		ckpt_adios2_position(check->report, ckpt_train_dir_name(check), bp.steps);
	check->report->contents = CKPT_CONTENTS_FULL;
	return r;
}

static bool adios2_sniff(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, INDEX) ||
	       ckpt_text_ends(ckpt_train_dir_name(check), ".bp") ||
	       (ckpt_dir_has(check->dirfd, "md.0") && ckpt_dir_has(check->dirfd, "data.0"));
}

const struct ckpt_format ckpt_format_adios2 = {
	.name = "adios2",
	.title = "ADIOS2 BP4 or BP5",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = adios2_sniff,
	.structure = adios2_structure,
};
