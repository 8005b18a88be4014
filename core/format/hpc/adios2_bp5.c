/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See adios2.h: BP5. A map says which process writes to which data file; a step says where each
 * process's data begin and, of what was flushed before the step's end, how long it is. The length
 * of what was written last is told in FFS records that are not read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hpc/adios2.h"
#include "core/format/stream.h"
#include "wire/text.h"

#define INDEX "md.idx"
#define HEADER 64
#define AT_MINOR 38
#define MINOR 2		     /* m_BP5MinorVersion; readers refuse any other */
#define WRITERS_MAX 16777216 /* processes; the largest machines have fewer cores */

/* The index under way. */
struct index5 {
	struct ckpt_adios2 *bp;
	struct ckpt_stream in;
	uint32_t *subfile; /* of each process */
	uint64_t *need;	   /* bytes of each data file; UINT64_MAX: nobody writes to it */
	uint64_t n_writers, n_subfiles, cap_subfiles;
	uint64_t left; /* bytes of the record not yet taken */
	int r;
};

static void index5_done(struct index5 *x)
{
	ckpt_stream_done(&x->in);
	free(x->subfile);
	free(x->need);
}

static int torn(struct index5 *x)
{
	return ckpt_adios2_short(x->bp->check, INDEX, x->in.file->size,
				 ckpt_stream_offset(&x->in) + x->left);
}

static int bad(struct index5 *x, const char *what)
{
	return ckpt_check_blame(x->bp->check, INDEX,
				ckpt_check_reject(x->bp->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
						  ckpt_stream_offset(&x->in), NULL, "%s", what));
}

/* The record's next number; 0 with x->r set where it has no more. */
static uint64_t number(struct index5 *x)
{
	uint8_t buf[8];

	if (x->r == 0 && x->left < 8)
		x->r = bad(x, "a record is too short");
	if (x->r)
		return 0;
	x->r = ckpt_stream_take(&x->in, buf, 8, x->bp->check->err);
	if (x->r == CKPT_STREAM_END)
		x->r = torn(x);
	x->left -= 8;
	return x->r ? 0 : ckpt_adios2_number(x->bp, buf, 8);
}

/* Room for @n data files and @writers processes. */
static int make_room(struct index5 *x, uint64_t writers, uint64_t n)
{
	uint64_t *need;

	if (x->r || writers == 0 || writers != x->left / 8 || writers > WRITERS_MAX || n == 0 ||
	    n > WRITERS_MAX)
		return x->r ? x->r : bad(x, "a map of processes has no sense");
	free(x->subfile);
	x->subfile = calloc(writers, sizeof(*x->subfile));
	need = n > x->cap_subfiles ? reallocarray(x->need, n, sizeof(*need)) : x->need;
	if (need)
		x->need = need;
	if (!x->subfile || !need)
		return ckpt_fail(x->bp->check->err, -ENOMEM, "no memory for the map of %s",
				 CKPT_QUOTE(x->bp->check->name));
	for (; x->cap_subfiles < n; x->cap_subfiles++)
		need[x->cap_subfiles] = UINT64_MAX;
	x->n_writers = writers;
	x->n_subfiles = n;
	return 0;
}

static int read_map(struct index5 *x)
{
	uint64_t writers = number(x), n;

	number(x); /* aggregators */
	n = number(x);
	x->r = make_room(x, writers, n);
	for (uint64_t i = 0; x->r == 0 && i < x->n_writers; i++) {
		uint64_t file = number(x);

		if (x->r == 0 && file >= x->n_subfiles)
			x->r = bad(x, "a process writes to a data file that there is not");
		x->subfile[i] = (uint32_t)file;
	}
	return x->r;
}

static void take_need(struct index5 *x, uint64_t writer, uint64_t pos, uint64_t len)
{
	uint64_t *need = &x->need[x->subfile[writer]], end;

	if (x->r)
		return;
	if (__builtin_add_overflow(pos, len, &end) || end > INT64_MAX) {
		x->r = bad(x, "data lie beyond any file");
		return;
	}
	if (*need == UINT64_MAX || *need < end)
		*need = end;
}

static int read_step(struct index5 *x)
{
	uint64_t pos = number(x), size = number(x), flushes = number(x), end = 0;

	if (x->r == 0 && (!x->n_writers || flushes > WRITERS_MAX ||
			  x->left != x->n_writers * (2 * flushes + 1) * 8))
		x->r = bad(x, "a step has another length than its processes make");
	if (x->r == 0 && (__builtin_add_overflow(pos, size, &end) || end > INT64_MAX))
		x->r = bad(x, "metadata lie beyond any file");
	for (uint64_t i = 0; x->r == 0 && i < x->n_writers; i++) {
		for (uint64_t k = 0; x->r == 0 && k < flushes; k++) {
			uint64_t at = number(x);

			take_need(x, i, at, number(x));
		}
		take_need(x, i, number(x), 0);
	}
	if (x->r)
		return x->r;
	x->bp->steps++;
	if (end > x->bp->md_end)
		x->bp->md_end = end;
	return 0;
}

/* One record: type, length, numbers. */
static int read_record(struct index5 *x, bool *ret_end)
{
	uint64_t at = ckpt_stream_offset(&x->in), room = x->in.file->size - at;
	uint8_t head[9];
	int r = room ? ckpt_stream_take(&x->in, head, sizeof(head), x->bp->check->err) : 0;

	*ret_end = room == 0;
	x->left = 0;
	if (room == 0 || r < 0)
		return r;
	if (r == CKPT_STREAM_END)
		return ckpt_adios2_short(x->bp->check, INDEX, x->in.file->size, at + sizeof(head));
	x->left = ckpt_adios2_number(x->bp, head + 1, 8);
	if (head[0] != 's' && head[0] != 'w')
		return bad(x, "no record begins here");
	if (x->left > room - sizeof(head))
		return x->left > INT64_MAX ? bad(x, "a record has no length") : torn(x);
	return head[0] == 's' ? read_step(x) : read_map(x);
}

static int check_data(struct index5 *x)
{
	char name[32];
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < x->cap_subfiles; i++) {
		_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;

		if (x->need[i] == UINT64_MAX)
			continue;
		snprintf(name, sizeof(name), "data.%llu", (unsigned long long)i);
		r = ckpt_adios2_open(x->bp->check, name, &file);
		if (r == 0 && file.size < x->need[i])
			r = ckpt_adios2_short(x->bp->check, name, file.size, x->need[i]);
	}
	return r;
}

/* mmd.0: two lengths, and as many bytes, over and over. */
static int check_formats(struct ckpt_adios2 *bp)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint64_t at = 0, end;
	uint8_t buf[16];
	int r = ckpt_adios2_open(bp->check, "mmd.0", &file);

	while (r == 0 && at < file.size) {
		r = ckpt_file_read(&file, at, buf, sizeof(buf), bp->check->err);
		if (r > 0)
			return ckpt_adios2_short(bp->check, "mmd.0", file.size, at + 16);
		if (r == 0 &&
		    (__builtin_add_overflow(at + 16, ckpt_adios2_number(bp, buf, 8), &end) ||
		     __builtin_add_overflow(end, ckpt_adios2_number(bp, buf + 8, 8), &end) ||
		     end > file.size))
			return ckpt_adios2_short(bp->check, "mmd.0", file.size, end);
		at = end;
	}
	return r;
}

/* *@ret: the minor version is the one that is known; another one's records are left alone. */
static int knows_minor(struct ckpt_adios2 *bp, const struct ckpt_file *index, bool *ret)
{
	uint8_t minor = 0;
	int r = ckpt_file_read(index, AT_MINOR, &minor, 1, bp->check->err);

	*ret = minor == MINOR;
	if (r || *ret)
		return r <= 0 ? r : -EAGAIN;
	ckpt_check_cap(bp->check, CKPT_EVIDENCE_OPAQUE, "the records of BP 5.%d are not known",
		       minor);
	return 0;
}

int ckpt_adios2_bp5(struct ckpt_adios2 *bp, const struct ckpt_file *index)
{
	_cleanup_(index5_done) struct index5 x = { .bp = bp };
	bool end = false, known = false;
	int r = check_formats(bp);

	if (r == 0)
		r = knows_minor(bp, index, &known);
	if (r || !known)
		return r;
	r = ckpt_stream_init(&x.in, index, HEADER, index->size, bp->check->err);
	while (r == 0 && !end) {
		r = read_record(&x, &end);
		if (r == 0 && x.left)
			r = bad(&x, "a record is too long");
	}
	if (r == 0)
		r = check_data(&x);
	if (r == 0)
		snprintf(bp->check->report->verdict.note, sizeof(bp->check->report->verdict.note),
			 "BP5 stores no checksum; how long each process's last data are is not "
			 "compared");
	return r;
}
