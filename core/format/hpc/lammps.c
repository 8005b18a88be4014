/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records up to the time step are read; those behind it depend on styles and packages. LAMMPS
 * checks the last mark itself since revision 1 of the format.
 */
#include "core/format/hpc/lammps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "wire/text.h"

#define MAGIC "LammpS RestartT"
#define MAGIC_LEN 16 /* with its NUL */
#define ENDIAN 1
#define TEXT_MAX 256	 /* of the version and of the units' name */
#define RECORDS_MAX 16	 /* the time step is the sixth */
#define NAME_SIZE 512	 /* of a set's file */
#define PARTS_MAX 100000 /* files of a set; it has one a process at most */
/* Bytes where the layout of a file written by MPI-IO is looked for: coefficients of some hundred
 * types and the sizes of 100,000 processes lie before its end. */
#define LAYOUT_MAX (1 << 20)

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

static bool begins_as_part(const struct ckpt_head *head)
{
	return head->n_head >= 4 && (ckpt_bytes_le(head->head, 4) == PROCSPERFILE ||
				     ckpt_bytes_be(head->head, 4) == PROCSPERFILE);
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
	if (begins_as_part(&sub->head))
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
		return ckpt_check_blame(check, name,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_SHARD_MISSING,
							  CKPT_NO_OFFSET, NULL,
							  "%s is missing from the set", name));
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

bool ckpt_lammps_part(const char *name, const char *what, char *buf, size_t size)
{
	const char *mark = strchr(name, '%');

	return mark && (size_t)snprintf(buf, size, "%.*s%s%s", (int)(mark - name), name, what,
					mark + 1) < size;
}

/* The files of the set @name (with its '%'). */
static int check_parts(struct ckpt_check *check, const char *name, uint64_t parts)
{
	char part[NAME_SIZE], no[24];
	int r = 0;

	for (uint64_t i = 0; i < parts && r == 0; i++) {
		snprintf(no, sizeof(no), "%llu", (unsigned long long)i);
		if (!ckpt_lammps_part(name, no, part, sizeof(part)))
			return ckpt_fail(check->err, -ENAMETOOLONG, "the name is too long");
		r = check_part(check, part);
	}
	return r;
}

/* The set that the file @base is the base of: '%' instead of its last "base". */
static bool name_set(const char *base, char *buf, size_t size)
{
	const char *at = NULL;

	for (const char *p = base; (p = strstr(p, "base")) != NULL; p++)
		at = p;
	return at && (size_t)snprintf(buf, size, "%.*s%%%s", (int)(at - base), base, at + 4) < size;
}

static int check_set(struct ckpt_check *check, uint64_t parts)
{
	char name[NAME_SIZE];

	if (parts > PARTS_MAX)
		return ckpt_check_reject(
			check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, check->head.size - MAGIC_LEN - 16,
			NULL, "it names %llu files of its set", (unsigned long long)parts);
	if (check->kind == CKPT_KIND_PREFIX)
		return parts ? check_parts(check, check->name, parts)
			     : ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
						 CKPT_NO_OFFSET, NULL, "it is no base of a set");
	if (!parts || name_set(check->file->name, name, sizeof(name)))
		return parts ? check_parts(check, name, parts) : 0;
	ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE,
		       "its name is not that of a set's base: the others were not found");
	return 0;
}

static uint64_t word(const struct reader *in, const uint8_t *p)
{
	return in->swapped ? ckpt_bytes_be(p, 4) : ckpt_bytes_le(p, 4);
}

/* Where the file ends by its layout at @p: no set, by MPI-IO, of each process how many numbers of
 * eight bytes follow, -1 (WriteRestart::file_layout). 0 where that is no layout, UINT64_MAX where
 * it does not end. */
static uint64_t layout_end(const struct reader *in, const uint8_t *begin, const uint8_t *p,
			   const uint8_t *end)
{
	uint64_t numbers = 0;

	if (end - p < 20 || word(in, p) != MULTIPROC || word(in, p + 4) != 0 ||
	    word(in, p + 8) != MPIIO || word(in, p + 12) != 1)
		return 0;
	for (p += 16; end - p >= 4 && word(in, p) <= INT32_MAX; p += 4)
		numbers += word(in, p);
	return end - p >= 4 && word(in, p) == UINT32_MAX ? (uint64_t)(p + 4 - begin) + 8 * numbers
							 : UINT64_MAX;
}

/*
 * A file that does not end in the mark: one written by MPI-IO has none, but a layout that tells its
 * length. Any other was cut.
 */
static int check_unmarked(struct reader *in)
{
	struct ckpt_check *check = in->check;
	uint64_t size = check->file->size, need = 0;
	size_t len = size < LAYOUT_MAX ? (size_t)size : LAYOUT_MAX;
	_cleanup_free_ uint8_t *buf = malloc(len + 1);
	int r;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(check->file->name));
	r = ckpt_check_read(check, 0, buf, len, "its header");
	for (size_t at = in->at; r == 0 && need == 0 && at < len; at++)
		need = layout_end(in, buf, buf + at, buf + len);
	if (r)
		return r;
	if (need == 0 || need > size)
		return cut(check);
	if (need < size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, need,
				  "%llu bytes behind the last process' atoms",
				  (unsigned long long)(size - need));
	return 0;
}

/* A single file, or the base of a set with the others. */
static int check_base(struct ckpt_check *check)
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
	r = revision >= 1 && !ends_whole(&check->head) ? check_unmarked(&in) : 0;
	if (r)
		return r;
	r = read_records(&in);
	return r ? r : check_set(check, parts_of(check, in.swapped));
}

static bool begins_right(const struct ckpt_head *head)
{
	size_t n = head->n_head < MAGIC_LEN ? head->n_head : MAGIC_LEN;

	/* a part of the magic is a file cut there */
	return n > 3 && memcmp(head->head, MAGIC, n) == 0;
}

/* One process' file of a set: nothing by itself, and LAMMPS does not read it so. */
static bool is_part(const struct ckpt_head *head)
{
	return ends_whole(head) && !begins_right(head) && begins_as_part(head);
}

static int lammps_structure(struct ckpt_check *check)
{
	if (begins_right(&check->head))
		return check_base(check);
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, 0, NULL,
				 "it is one process' part of a set: the name with %% in the place "
				 "of its number is the checkpoint");
}

static int check_open_base(struct ckpt_check *sub)
{
	int r = ckpt_check_probe(sub), same;

	sub->report->verdict.size_bytes = sub->file->size;
	if (r)
		return r;
	if (sub->file->size == 0)
		return ckpt_check_reject(sub, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, 0, NULL,
					 "the file is empty");
	if (!begins_right(&sub->head))
		return ckpt_check_reject(sub, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, 0, NULL,
					 "it does not begin as a restart file of LAMMPS");
	r = check_base(sub);
	same = ckpt_file_unchanged(sub->file);
	if (same < 0)
		return ckpt_fail(sub->err, same, "cannot look up %s: %s",
				 CKPT_QUOTE(sub->file->name), strerror(-same));
	if (same > 0)
		return r;
	sub->report->verdict.status = CKPT_VALID; /* what was read may be half old, half new */
	return ckpt_check_reject(sub, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE, CKPT_NO_OFFSET,
				 NULL, "the file changed while it was read");
}

static int set_structure(struct ckpt_check *check)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_check sub = *check;
	char base[NAME_SIZE];
	int r;

	if (!ckpt_lammps_part(check->name, "base", base, sizeof(base)))
		return ckpt_fail(check->err, -ENAMETOOLONG, "the name is too long");
	r = ckpt_file_open(check->ctx, check->dirfd, base, &file, check->err);
	if (r == -ENOENT)
		return ckpt_check_blame(check, base,
					ckpt_check_reject(check, CKPT_INCOMPLETE,
							  CKPT_PROBLEM_SHARD_MISSING,
							  CKPT_NO_OFFSET, NULL,
							  "the base file of the set is missing"));
	if (r)
		return r < 0 ? r
			     : ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
						 CKPT_NO_OFFSET, base, "not a regular file");
	sub.file = &file;
	return check_open_base(&sub);
}

static bool lammps_sniff(const struct ckpt_check *check)
{
	return begins_right(&check->head) || is_part(&check->head);
}

/* A bundle of TensorFlow may have a '%' in its name too. */
static bool set_sniff(const struct ckpt_check *check)
{
	char base[NAME_SIZE], index[NAME_SIZE];
	struct ckpt_identity id;

	return ckpt_lammps_part(check->name, "base", base, sizeof(base)) &&
	       (size_t)snprintf(index, sizeof(index), "%s.index", check->name) < sizeof(index) &&
	       (ckpt_identity_at(check->dirfd, base, true, &id) == 0 ||
		ckpt_identity_at(check->dirfd, index, true, &id) != 0);
}

const struct ckpt_format ckpt_format_lammps = {
	.name = "lammps",
	.title = "LAMMPS restart file",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = lammps_sniff,
	.structure = lammps_structure,
	.bare = "LAMMPS stores no checksum",
};

const struct ckpt_format ckpt_format_lammps_set = {
	.name = "lammps-set",
	.title = "LAMMPS restart files of several processes",
	.kind = CKPT_KIND_PREFIX,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = set_sniff,
	.structure = set_structure,
	.bare = "LAMMPS stores no checksum",
};
