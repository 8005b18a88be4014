/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See part.h.
 */
#include "core/integrity/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/crc.h"
#include "core/catalog/pool.h"
#include "core/format/differing.h"
#include "core/integrity/damage_names.h"
#include "core/integrity/files.h"
#include "core/integrity/part_file.h"
#include "core/integrity/verify.h"
#include "wire/text.h"

static void reject(struct ckpt_verdict *v, enum ckpt_status status, enum ckpt_problem_code code)
{
	v->status = status;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->note[0] = '\0';
	v->problem = (struct ckpt_problem) { .code = code, .offset = CKPT_NO_OFFSET };
}

#define DETAIL(v, ...) snprintf((v)->problem.detail, sizeof((v)->problem.detail), __VA_ARGS__)

static void reject_changed(struct ckpt_verdict *v, const char *name, const char *when)
{
	reject(v, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE);
	snprintf(v->problem.file, sizeof(v->problem.file), "%.255s", name);
	ckpt_text_clean(v->problem.file);
	DETAIL(v, "it changed %s", when);
}

int ckpt_part_make(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, struct ckpt_set *set,
		   enum ckpt_level level, struct ckpt_error *err)
{
	struct ckpt_part part = { .share = { .index = 0 } };
	char before[CKPT_DIGEST_HEX] = "";
	const struct ckpt_report *report;
	int r = ckpt_part_files(set, before, err);

	if (r < 0)
		return r;
	report = ckpt_set_verify(ctx, set, level);
	r = ckpt_part_files(set, part.files, err);
	if (r < 0 || !set->report)
		return r < 0 ? r : -ENOMEM;
	if (strcmp(before, part.files) != 0)
		reject_changed(&set->report->verdict, set->name, "while this part was read");
	snprintf(part.run, sizeof(part.run), "%.63s", parts->run);
	if (report->format)
		snprintf(part.format, sizeof(part.format), "%s", report->format->name);
	part.verdict = report->verdict;
	part.differing = report->differing;
	part.share = *ctx->share; /* its pieces stay the context's */
	return ckpt_part_store(parts, &part, err);
}

/* The parts so far. */
struct merging {
	struct ckpt_ctx *ctx;
	const struct ckpt_parts *parts;
	const struct ckpt_set *set;
	struct ckpt_verdict all;
	struct ckpt_differing differing;
	char now[CKPT_DIGEST_HEX]; /* the files as they are */
	struct ckpt_part first;	   /* run, way and format that all must have; no pieces */
	bool has_way;		   /* first's is of a part that got as far */
	unsigned int n;		   /* parts that are there */
	struct ckpt_error missing;
	struct ckpt_share_piece *pieces;
	size_t n_pieces, cap;
};

static int severity(enum ckpt_status status)
{
	static const int of[] = {
		[CKPT_VALID] = 0,      [CKPT_MISSING] = 1, [CKPT_INCOMPLETE] = 2,
		[CKPT_UNREADABLE] = 3, [CKPT_CORRUPT] = 4,
	};

	return of[status];
}

static void fold(struct ckpt_verdict *all, const struct ckpt_verdict *one)
{
	if (severity(one->status) > severity(all->status) ||
	    (one->status == CKPT_VALID && all->problem.code == CKPT_PROBLEM_NONE &&
	     all->status == CKPT_VALID))
		all->problem = one->problem;
	if (severity(one->status) > severity(all->status))
		all->status = one->status;
	if (one->evidence < all->evidence || !all->note[0])
		memcpy(all->note, one->note, sizeof(all->note));
	if (one->evidence < all->evidence)
		all->evidence = one->evidence;
}

/* What the format itself said holds for the same files, whatever the others went on to compare. */
static bool ended_early(const struct ckpt_part *part)
{
	return part->verdict.status != CKPT_VALID && !part->share.way[0];
}

/* Whether what @part was compared with is what the others were, as far as they told. */
static bool same_way(struct merging *m, const struct ckpt_part *part)
{
	if (ended_early(part))
		return true;
	if (!m->has_way)
		memcpy(m->first.share.way, part->share.way, sizeof(m->first.share.way));
	m->has_way = true;
	return strcmp(part->share.way, m->first.share.way) == 0;
}

/*
 * A part of other files than are there now, or with another yardstick, says nothing about them,
 * damage least of all. True if it counts.
 */
static bool compare_part(struct merging *m, const struct ckpt_part *part, struct ckpt_verdict *one)
{
	if (m->n == 0)
		m->first = *part;
	m->first.share.pieces = NULL;
	if (!m->now[0] || strcmp(part->files, m->now) != 0) {
		reject_changed(one, m->set->name, "since its parts were read");
	} else if (!same_way(m, part) || strcmp(part->format, m->first.format) != 0) {
		reject(one, CKPT_UNREADABLE, CKPT_PROBLEM_IO);
		DETAIL(one, "part %u was compared with something else than part 0",
		       part->share.index);
	} else {
		return true;
	}
	return false;
}

static int keep_pieces(struct merging *m, const struct ckpt_part *part)
{
	for (const struct ckpt_share_piece *p = part->share.pieces; p; p = p->next) {
		if (ckpt_array_grow(&m->pieces, m->n_pieces, &m->cap, sizeof(*m->pieces)) < 0)
			return -ENOMEM;
		m->pieces[m->n_pieces++] = *p;
	}
	return 0;
}

/* Takes one part in. What is not there, or of another run, is noted. 0 or -ENOMEM. */
static int take_part(struct merging *m, unsigned int index)
{
	_cleanup_part_ struct ckpt_part part = { .share = { .index = index } };
	struct ckpt_verdict one;
	const char *run;
	struct ckpt_error err = { 0 };
	bool counts;
	int r = ckpt_part_load(m->ctx, m->parts, index, &part, &err);

	run = m->parts->run[0] || m->n == 0 ? m->parts->run : m->first.run;
	if (r == 0 && *run && strcmp(part.run, run) != 0)
		r = ckpt_fail(&err, CKPT_PART_MISSING, "part %u of %u is of another run", index,
			      m->parts->count);
	if (r != 0) {
		if (!m->missing.text[0])
			m->missing = err;
		return r == -ENOMEM ? r : 0;
	}
	one = part.verdict;
	counts = compare_part(m, &part, &one);
	m->all.bytes_read += one.bytes_read;
	if (one.seconds > m->all.seconds)
		m->all.seconds = one.seconds;
	if (one.size_bytes > m->all.size_bytes)
		m->all.size_bytes = one.size_bytes;
	fold(&m->all, &one);
	m->n++;
	if (counts)
		ckpt_differing_join(&m->differing, &part.differing);
	return counts ? keep_pieces(m, &part) : 0;
}

static int by_place(const void *a, const void *b)
{
	const struct ckpt_share_piece *p = a, *q = b;

	if (p->ino != q->ino)
		return p->ino < q->ino ? -1 : 1;
	if (p->range_off != q->range_off)
		return p->range_off < q->range_off ? -1 : 1;
	return p->off < q->off ? -1 : p->off > q->off;
}

static bool same_range(const struct ckpt_share_piece *a, const struct ckpt_share_piece *b)
{
	return a->ino == b->ino && a->range_off == b->range_off && a->range_len == b->range_len &&
	       a->kind == b->kind && a->expected == b->expected;
}

/* Name of the file with the inode @ino, into @buf. */
static void name_file(const struct ckpt_set *set, uint64_t ino, char *buf, size_t size)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, NULL);
	_cleanup_files_ struct ckpt_files files = { 0 };

	snprintf(buf, size, "%s", set->name);
	if (rootfd >= 0 && ckpt_files_list(rootfd, set, &files, NULL) == 0)
		for (size_t i = 0; i < files.n; i++)
			if (files.f[i].id.ino == ino)
				snprintf(buf, size, "%s", files.f[i].name);
	ckpt_text_clean(buf);
}

static void judge_range(struct merging *m, const struct ckpt_share_piece *p, bool whole)
{
	struct ckpt_verdict one = { .evidence = CKPT_EVIDENCE_NONE };

	if (whole) {
		reject(&one, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		DETAIL(&one, "%llu bytes there do not match their CRC",
		       (unsigned long long)p->range_len);
	} else {
		reject(&one, CKPT_UNREADABLE, CKPT_PROBLEM_IO);
		DETAIL(&one, "the parts do not fit together: not all of %llu bytes were read",
		       (unsigned long long)p->range_len);
	}
	one.problem.offset = p->range_off;
	name_file(m->set, p->ino, one.problem.file, sizeof(one.problem.file));
	ckpt_damage_names(m->ctx, m->set,
			  &(struct ckpt_extent) { one.problem.file, p->range_off, p->range_len },
			  one.problem.member, sizeof(one.problem.member));
	fold(&m->all, &one);
}

/* A file that has two names, or a block that was read for its structure too, is told twice. */
static bool same_piece(const struct ckpt_share_piece *a, const struct ckpt_share_piece *b)
{
	return a->off == b->off && a->len == b->len && a->crc == b->crc;
}

/* One range from its first @n pieces: its CRC is that of the pieces in a row. */
static void join_range(struct merging *m, const struct ckpt_share_piece *p, size_t n)
{
	uint64_t at = p->range_off;
	uint32_t crc = 0;
	bool whole = true;

	for (size_t i = 0; i < n; i++) {
		if (i && same_piece(&p[i - 1], &p[i]))
			continue;
		whole = whole && p[i].off == at;
		crc = i ? ckpt_crc_combine((enum ckpt_crc_kind)p[i].kind, crc, p[i].crc, p[i].len)
			: p[i].crc;
		at = p[i].off + p[i].len;
	}
	whole = whole && at == p->range_off + p->range_len;
	/* A part that says itself that it did not read to the end has lowered the evidence. */
	if (whole ? crc != p->expected : m->all.evidence >= CKPT_EVIDENCE_CHECKSUM)
		judge_range(m, p, whole);
}

static void join_pieces(struct merging *m)
{
	size_t from = 0, to;

	if (m->n_pieces > 1)
		qsort(m->pieces, m->n_pieces, sizeof(*m->pieces), by_place);
	for (; from < m->n_pieces; from = to) {
		to = from + 1;
		while (to < m->n_pieces && same_range(&m->pieces[from], &m->pieces[to]))
			to++;
		join_range(m, &m->pieces[from], to - from);
	}
}

static int merge(struct merging *m)
{
	struct ckpt_verdict one;
	int r = 0;

	if (ckpt_part_files(m->set, m->now, NULL) < 0)
		m->now[0] = '\0'; /* no part is of what cannot be looked at */
	for (unsigned int i = 0; r == 0 && i < m->parts->count; i++)
		r = take_part(m, i);
	if (r < 0)
		return r;
	if (!m->missing.text[0])
		join_pieces(m);
	if (!m->missing.text[0])
		return 0;
	reject(&one, CKPT_UNREADABLE, CKPT_PROBLEM_IO);
	DETAIL(&one, "%.383s", m->missing.text);
	fold(&m->all, &one);
	return CKPT_PART_MISSING;
}

/*
 * Whether the parts' word stands before what the structure says now. Damage does, and that all are
 * the bytes that were sealed: where the files are a copy, only reading them tells.
 */
static bool outweighs(const struct ckpt_verdict *all, const struct ckpt_verdict *now)
{
	return now->status == CKPT_VALID || all->status == CKPT_CORRUPT ||
	       (all->status == CKPT_VALID && all->evidence == CKPT_EVIDENCE_SEAL);
}

int ckpt_part_merge(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, struct ckpt_set *set,
		    struct ckpt_error *err)
{
	struct merging m = {
		.ctx = ctx, .parts = parts, .set = set, .all = { .evidence = CKPT_EVIDENCE_SEAL }
	};
	const struct ckpt_report *now = ckpt_set_verify(ctx, set, CKPT_LEVEL_STRUCTURE);
	int r = set->report ? merge(&m) : -ENOMEM;

	free(m.pieces);
	if (r < 0)
		return ckpt_fail(err, r, "no memory to put the parts of %s together",
				 CKPT_QUOTE(set->name));
	if (outweighs(&m.all, &now->verdict))
		set->report->verdict = m.all;
	set->report->differing = m.differing;
	ckpt_set_judge_marker(set, set->report);
	if (set->report->verdict.status != CKPT_VALID)
		set->report->verdict.evidence = CKPT_EVIDENCE_NONE;
	set->report_level = CKPT_LEVEL_FULL;
	if (r > 0 && err)
		*err = m.missing;
	return r;
}

unsigned int ckpt_part_count(int dirfd, const char *name)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	unsigned int index, count, newest = 0;
	struct ckpt_identity id;
	int64_t mtime_ns = INT64_MIN;
	const struct dirent *e;
	const char *rest;
	int end;

	while (dir && (e = readdir(dir))) {
		end = 0;
		if (!ckpt_text_starts(e->d_name, name, &rest) ||
		    sscanf(rest, ".part-%5u-of-%5u.json%n", &index, &count, &end) != 2 ||
		    rest[end] || ckpt_identity_at(dirfd, e->d_name, false, &id) < 0 ||
		    id.mtime_ns <= mtime_ns)
			continue;
		mtime_ns = id.mtime_ns;
		newest = count;
	}
	return newest;
}
