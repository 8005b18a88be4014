/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records up to the time step are read; those behind it depend on styles and packages. LAMMPS
 * checks the last mark itself since revision 1 of the format.
 */
#include "core/format/hpc/lammps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "wire/text.h"

#define MAGIC "LammpS RestartT"
#define MAGIC_LEN 16 /* with its NUL */
#define ENDIAN 1
#define TEXT_MAX 256	 /* of the version and of the units' name */
#define RECORDS_MAX 16	 /* the time step is the sixth */
#define PARTS_MAX 100000 /* files of a set; it has one a process at most */

/* Flags of records, from lmprestart.h. */
enum {
	VERSION = 0,
	SMALLINT = 1,
	TAGINT = 2,
	BIGINT = 3,
	UNITS = 4,
	NTIMESTEP = 5,
	IMAGEINT = 48,
	MULTIPROC = 44,
	MPIIO = 45,
	PROCSPERFILE = 46,
};

struct reader {
	struct ckpt_check *check;
	uint64_t at;
	bool swapped;
	unsigned bigint; /* bytes */
	int r;
};

static uint64_t number(struct reader *in, unsigned n)
{
	uint8_t buf[8];

	if (in->r == 0)
		in->r = ckpt_check_read(in->check, in->at, buf, n, "its header");
	in->at += n;
	if (in->r)
		return 0;
	return in->swapped ? ckpt_bytes_be(buf, n) : ckpt_bytes_le(buf, n);
}

static int bad(struct reader *in, const char *what, uint64_t value)
{
	return ckpt_check_reject(in->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, in->at, NULL,
				 "its header has %s %llu", what, (unsigned long long)value);
}

/* A text's length and bytes; the version is kept. */
static void text(struct reader *in, bool version)
{
	struct ckpt_report *report = in->check->report;
	uint64_t len = number(in, 4);
	char buf[TEXT_MAX + 1] = "";

	if (in->r == 0 && len > TEXT_MAX) {
		in->r = bad(in, "a text of length", len);
		return;
	}
	if (in->r == 0)
		in->r = ckpt_check_read(in->check, in->at, buf, len, "its header");
	in->at += len;
	if (in->r || !version)
		return;
	snprintf(report->framework, sizeof(report->framework), "LAMMPS %.50s", buf);
	ckpt_text_clean(report->framework);
}

static void take_step(struct reader *in)
{
	struct ckpt_position *pos = &in->check->report->position;
	uint64_t step = number(in, in->bigint);

	if (in->r == 0 && step >> (8 * in->bigint - 1)) {
		in->r = bad(in, "the time step", step);
		return;
	}
	pos->has_step = in->r == 0;
	pos->step = (int64_t)step;
	pos->step_source = CKPT_FROM_CONTENT;
}

/* Reads records to the time step. */
static int read_records(struct reader *in)
{
	for (int i = 0; i < RECORDS_MAX && in->r == 0; i++) {
		uint64_t flag = number(in, 4);

		switch (in->r ? (uint64_t)NTIMESTEP : flag) {
		case VERSION:
		case UNITS:
			text(in, flag == VERSION);
			break;
		case SMALLINT:
		case TAGINT:
		case IMAGEINT:
			number(in, 4);
			break;
		case BIGINT:
			in->bigint = (unsigned)number(in, 4);
			if (in->r == 0 && in->bigint != 4 && in->bigint != 8)
				return bad(in, "integers of width", in->bigint);
			break;
		case NTIMESTEP:
			if (in->r == 0)
				take_step(in);
			return in->r;
		default:
			return bad(in, "the unknown record", flag);
		}
	}
	return in->r ? in->r : bad(in, "no time step in records", RECORDS_MAX);
}

/* True if @head's file ends in the mark. */
static bool ends_whole(const struct ckpt_head *head)
{
	return head->n_tail >= MAGIC_LEN &&
	       memcmp(head->tail + head->n_tail - MAGIC_LEN, MAGIC, MAGIC_LEN) == 0;
}

static int cut(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	return ckpt_check_reject(check, CKPT_INCOMPLETE,
				 ckpt_bytes_zero(head->tail, head->n_tail) ? CKPT_PROBLEM_ZERO_TAIL
									   : CKPT_PROBLEM_TRUNCATED,
				 head->size, NULL,
				 "it does not end in the mark that LAMMPS writes last");
}

/* One file of a set, in @sub's report. */
static int judge_part(struct ckpt_check *sub)
{
	int r = ckpt_check_probe(sub);

	if (r)
		return r;
	if (!ends_whole(&sub->head))
		return cut(sub);
	if (ckpt_bytes_le(sub->head.head, 4) == PROCSPERFILE ||
	    ckpt_bytes_be(sub->head.head, 4) == PROCSPERFILE)
		return 0;
	return ckpt_check_reject(sub, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
				 "it does not begin as a part of a set does");
}

static int check_part(struct ckpt_check *check, const char *name)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *check;
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	if (r == -ENOENT)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
					 CKPT_NO_OFFSET, name, "a file of the set is missing");
	if (r)
		return r < 0 ? r
			     : ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
						 CKPT_NO_OFFSET, name, "not a regular file");
	check->report->verdict.size_bytes += file.size;
	sub.file = &file;
	return judge_part(&sub);
}

/* Files in the set: said in the last records of the base file, before its end and the mark. */
static uint64_t parts_of(const struct ckpt_check *check, bool swapped)
{
	const uint8_t *p = check->head.tail + check->head.n_tail - MAGIC_LEN - 20;
	uint64_t word[5];

	if (check->head.n_tail < MAGIC_LEN + 20)
		return 0;
	for (int i = 0; i < 5; i++)
		word[i] = swapped ? ckpt_bytes_be(p + 4 * i, 4) : ckpt_bytes_le(p + 4 * i, 4);
	return word[0] == MULTIPROC && word[2] == MPIIO && word[4] == UINT32_MAX ? word[1] : 0;
}

/* The set's files: the name with each number instead of its last "base". */
static int check_set(struct ckpt_check *check, uint64_t parts)
{
	const char *name = check->file->name, *base = NULL;
	char part[512];
	int r = 0;

	for (const char *p = name; (p = strstr(p, "base")) != NULL; p++)
		base = p;
	if (parts > PARTS_MAX)
		return ckpt_check_reject(
			check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, check->head.size - MAGIC_LEN - 16,
			NULL, "it names %llu files of its set", (unsigned long long)parts);
	if (!base && parts) {
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
			       "its name is not that of a set's base: the others were not found");
		return 0;
	}
	for (uint64_t i = 0; i < parts && r == 0; i++) {
		snprintf(part, sizeof(part), "%.*s%llu%s", (int)(base - name), name,
			 (unsigned long long)i, base + 4);
		r = check_part(check, part);
	}
	return r;
}

static int lammps_structure(struct ckpt_check *check)
{
	struct reader in = { .check = check, .at = MAGIC_LEN, .bigint = 8 };
	uint64_t endian, revision;
	int r;

	endian = number(&in, 4);
	in.swapped = endian != ENDIAN;
	if (in.r == 0 && in.swapped && endian != (uint64_t)ENDIAN << 24)
		return bad(&in, "the byte order", endian);
	revision = number(&in, 4);
	if (in.r)
		return in.r;
	check->report->contents = CKPT_CONTENTS_FULL;
	if (revision >= 1 && !ends_whole(&check->head))
		return cut(check);
	r = read_records(&in);
	return r ? r : check_set(check, parts_of(check, in.swapped));
}

static int lammps_content(struct ckpt_check *check)
{
	struct ckpt_verdict *verdict = &check->report->verdict;

	if (!verdict->note[0])
		snprintf(verdict->note, sizeof(verdict->note), "LAMMPS stores no checksum");
	return 0;
}

static bool lammps_sniff(const struct ckpt_check *check)
{
	size_t n = check->head.n_head < MAGIC_LEN ? check->head.n_head : MAGIC_LEN;

	/* a part of the magic is a file cut there */
	return n > 3 && memcmp(check->head.head, MAGIC, n) == 0;
}

const struct ckpt_format ckpt_format_lammps = {
	.name = "lammps",
	.title = "LAMMPS restart file",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = lammps_sniff,
	.structure = lammps_structure,
	.content = lammps_content,
};
