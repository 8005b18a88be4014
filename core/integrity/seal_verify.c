/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verification against a seal. Whether a file still is the one that was sealed is asked of its
 * identity. A rewritten one has a new time, and its seal no longer counts, unless a full check by
 * hand (ctx->strict) finds all bytes that were sealed: a copying tool that sets no times made it.
 * One that has the size and, to the nanosecond, the time that was sealed, but another inode or
 * change time, is a copy, was renamed, or has other permissions: nothing is believed unread, but
 * its bytes have to be those that were sealed.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/share.h"
#include "core/integrity/damage_names.h"
#include "core/integrity/differs.h"
#include "core/integrity/files.h"
#include "core/integrity/seal.h"
#include "wire/text.h"

#define SAMPLE_CHUNKS 12 /* of 64 MiB: about a second's reading of a parallel file system */
#define NOTE_SIZE sizeof(((struct ckpt_verdict *)0)->note)

/* What a seal is worth for the files that are there. */
enum relation {
	SAME,  /* all identities are those that were sealed */
	COPY,  /* same times and names; some are copies */
	STALE, /* rewritten, or files were added */
	LOST,  /* one of several is gone, the others are as they were sealed */
	SIZE,  /* a copy with another size */
};

/* One comparison under way. */
struct seal_check {
	struct ckpt_ctx *ctx;
	const struct ckpt_set *set;
	enum ckpt_level level;
	int rootfd;
	struct ckpt_seal seal;
	struct ckpt_files files; /* as they are now */
	size_t at; /* file of the seal, or of files where it was added, that decided */
	struct ckpt_report *report;
	char note[NOTE_SIZE];	     /* why it is of no use */
	uint64_t chunks;	     /* in all files */
	_Atomic uint64_t done;	     /* chunks that were compared */
	bool suspected;		     /* another save, or damage: suspect() */
	struct ckpt_differs differs; /* where all are told; else without bits */
};

static void note(struct seal_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct seal_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->note, NOTE_SIZE, fmt, ap);
	va_end(ap);
	ckpt_text_clean(c->note);
}

/* Whether the time is so fine that nobody but a copying tool can have set it. */
static bool is_copy(const struct ckpt_identity *sealed, const struct ckpt_identity *now)
{
	return sealed->mtime_ns == now->mtime_ns && sealed->mtime_ns % CKPT_SECOND_NS != 0;
}

static enum relation relate_file(const struct ckpt_identity *sealed,
				 const struct ckpt_identity *now)
{
	if (ckpt_identity_same(sealed, now))
		return SAME;
	if (!is_copy(sealed, now))
		return STALE;
	return sealed->size == now->size ? COPY : SIZE;
}

/* How much a file's relation says over the whole set. */
static int weight(enum relation relation)
{
	static const int of[] = { [SAME] = 0, [COPY] = 1, [SIZE] = 2, [LOST] = 3, [STALE] = 4 };

	return of[relation];
}

/* A file that the seal does not know. */
static bool has_added(struct seal_check *c, size_t present)
{
	if (present == c->files.n)
		return false;
	for (size_t i = 0, s = 0; i < c->files.n; i++) {
		while (s < c->seal.n && strcmp(c->seal.files[s].name, c->files.f[i].name) < 0)
			s++;
		if (s == c->seal.n || strcmp(c->seal.files[s].name, c->files.f[i].name) != 0) {
			note(c, "seal ignored: %.120s was added after it was made",
			     c->files.f[i].name);
			return true;
		}
	}
	return false;
}

static enum relation relate(struct seal_check *c)
{
	enum relation worst = SAME;
	size_t present = 0;

	for (size_t i = 0; i < c->seal.n; i++) {
		const struct ckpt_digest_file *f = &c->seal.files[i];
		ssize_t at = ckpt_files_find(&c->files, f->name);
		enum relation one = at < 0 ? LOST : relate_file(&f->id, &c->files.f[at].id);

		present += at >= 0;
		if (weight(one) <= weight(worst))
			continue;
		worst = one;
		c->at = i;
	}
	if (worst == STALE)
		note(c, "seal ignored: %.120s was rewritten after it was made",
		     c->seal.files[c->at].name);
	else if (worst != LOST && has_added(c, present))
		return STALE;
	return worst == LOST && present == 0 ? STALE : worst;
}

/* What is known of a COPY: an inode is a file's own, while much changes a change time. */
static void note_copy(struct seal_check *c)
{
	const struct ckpt_digest_file *f = &c->seal.files[c->at];

	if (f->id.ino != c->files.f[ckpt_files_find(&c->files, f->name)].id.ino)
		note(c, "seal not used: the inode of %.120s is another (it was copied)", f->name);
	else
		note(c,
		     "seal not used: the change time of %.120s is another (renamed, linked, other "
		     "permissions, or its time was set back)",
		     f->name);
}

/* The report says what was found of file number @file. */
static void reject(struct seal_check *c, enum ckpt_status status, enum ckpt_problem_code code,
		   size_t file)
{
	struct ckpt_verdict *v = &c->report->verdict;

	v->status = status;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->note[0] = '\0';
	v->problem = (struct ckpt_problem) { .code = code, .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->seal.files[file].name);
	ckpt_text_clean(v->problem.file);
}

#define DETAIL(c, ...)                                                                             \
	snprintf((c)->report->verdict.problem.detail, sizeof((c)->report->verdict.problem.detail), \
		 __VA_ARGS__)

static void reject_lost(struct seal_check *c)
{
	if (ckpt_files_leads_away(c->rootfd, c->seal.files[c->at].name)) {
		reject(c, CKPT_UNREADABLE, CKPT_PROBLEM_IO, c->at);
		DETAIL(c, "a link into a directory that is not there: is its file system mounted?");
		return;
	}
	reject(c, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, c->at);
	DETAIL(c, "it is missing; the seal of %s has it", c->seal.sealed_at);
}

static void reject_size(struct seal_check *c)
{
	const struct ckpt_digest_file *f = &c->seal.files[c->at];
	uint64_t size = c->files.f[ckpt_files_find(&c->files, f->name)].id.size;
	bool cut = size < f->id.size;

	reject(c, cut ? CKPT_INCOMPLETE : CKPT_CORRUPT,
	       cut ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_TRAILING, c->at);
	c->report->verdict.problem.offset = cut ? size : f->id.size;
	DETAIL(c, "it has %llu bytes; the same save had %llu when it was sealed on %s",
	       (unsigned long long)size, (unsigned long long)f->id.size, c->seal.sealed_at);
}

/* A number that depends on both alone, evenly spread (splitmix64). */
static uint64_t scatter(uint64_t seed, uint64_t n)
{
	uint64_t z = seed + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* In full, the chunks of the share; of a sample one of each of SAMPLE_CHUNKS equal parts of all, so
 * that all files have their turn. */
static bool is_wanted(void *arg, size_t file, uint64_t chunk)
{
	const struct seal_check *c = arg;
	uint64_t n = (uint64_t)(c->seal.files[file].digests - c->seal.digests) + chunk;
	uint64_t part, begin, end;

	if (c->level >= CKPT_LEVEL_FULL)
		return ckpt_share_takes_part(c->ctx->share, n, c->chunks);
	if (c->chunks <= SAMPLE_CHUNKS)
		return true;
	part = ((n + 1) * SAMPLE_CHUNKS - 1) / c->chunks;
	begin = c->chunks * part / SAMPLE_CHUNKS;
	end = c->chunks * (part + 1) / SAMPLE_CHUNKS;
	return n == begin + scatter(c->ctx->seed, part) % (end - begin);
}

static uint64_t count_wanted(struct seal_check *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->seal.n; i++)
		for (uint64_t k = ckpt_digest_chunks(c->seal.files[i].id.size, c->seal.chunk);
		     k-- > 0;)
			n += is_wanted(c, i, k);
	return n;
}

/* What lies in the ranges of @files, where the format knows it. */
static void name_ranges(struct seal_check *c, struct ckpt_differing *differing, const size_t *files)
{
	for (int i = 0; i < differing->n_named; i++) {
		struct ckpt_differing_range *d = &differing->named[i];
		const struct ckpt_extent extent = { c->seal.files[files[i]].name, d->off, d->len };

		ckpt_damage_names(c->ctx, c->set, &extent, d->member, sizeof(d->member));
	}
}

static void tell_differing(struct seal_check *c, const struct ckpt_digest_bad *bad)
{
	struct ckpt_differing *differing = &c->report->differing;
	size_t files[CKPT_DIFFERENCES_NAMED] = { bad->file };

	*differing = (struct ckpt_differing) { 0 };
	if (c->differs.bits)
		ckpt_differs_tell(&c->differs, differing, files);
	else
		ckpt_differing_add(differing, c->seal.files[bad->file].name, bad->off, bad->len);
	differing->cut = c->done < count_wanted(c);
	name_ranges(c, differing, files);
}

static void reject_bytes(struct seal_check *c, const struct ckpt_digest_bad *bad)
{
	const struct ckpt_differing *all = &c->report->differing;
	const struct ckpt_differing_range *first = &all->named[0];
	struct ckpt_problem *problem = &c->report->verdict.problem;

	reject(c, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST, bad->file);
	tell_differing(c, bad);
	snprintf(problem->member, sizeof(problem->member), "%s", first->member);
	problem->offset = first->off;
	DETAIL(c, "bytes %llu to %llu differ from what was sealed on %s%s",
	       (unsigned long long)first->off, (unsigned long long)(first->off + first->len - 1),
	       c->seal.sealed_at, all->cut && c->differs.bits ? "; not all was compared" : "");
}

static void reject_error(struct seal_check *c, int code, size_t file, const struct ckpt_error *err)
{
	reject(c, CKPT_UNREADABLE, CKPT_PROBLEM_IO, file);
	DETAIL(c, "%.383s", err->text[0] ? err->text : strerror(-code));
}

/* Nothing was read: what stands in the seal stands for what is unchanged. */
static void accept_unchanged(struct seal_check *c)
{
	enum ckpt_evidence made_on = c->report->verdict.evidence;

	c->report->verdict.evidence = CKPT_EVIDENCE_SEAL_UNCHANGED;
	snprintf(c->report->verdict.note, NOTE_SIZE, "sealed on %s by %s", c->seal.sealed_at,
		 ckpt_evidence_name(made_on));
}

static void take_difference(void *arg, const struct ckpt_digest_bad *bad)
{
	struct seal_check *c = arg;

	ckpt_differs_take(&c->differs, bad);
}

/* Compares what is wanted. As ckpt_digest_run(). */
static int compare(struct seal_check *c, struct ckpt_digest_bad *bad, struct ckpt_error *err)
{
	struct ckpt_digest_job job = { .ctx = c->ctx,
				       .dirfd = c->rootfd,
				       .files = c->seal.files,
				       .n = c->seal.n,
				       .chunk = c->seal.chunk,
				       .compare = true,
				       .wants = is_wanted,
				       .arg = c,
				       .done = &c->done };

	for (size_t i = 0; i < c->seal.n; i++)
		c->seal.files[i].id = c->files.f[i].id;
	if (c->ctx->tell_all && ckpt_differs_init(&c->differs, &job) == 0)
		job.differs = take_difference;
	return ckpt_digest_run(&job, bad, err);
}

/* The budget ended before all was compared. False: nothing is known of a copy then. */
static bool accept_cut_off(struct seal_check *c, enum relation relation, int code)
{
	const char *what = code == -ETIMEDOUT ? "time" : "bytes";

	note(c, "seal not compared: budget (%s)", what);
	if (relation != SAME)
		return false;
	accept_unchanged(c);
	snprintf(c->report->verdict.note, NOTE_SIZE,
		 "content not read: budget (%s); %llu of %llu chunks compared with the seal", what,
		 (unsigned long long)c->done, (unsigned long long)c->chunks);
	return true;
}

/* All that was to be compared agrees. */
static void accept_compared(struct seal_check *c)
{
	if (c->level >= CKPT_LEVEL_FULL) {
		c->report->verdict.evidence = CKPT_EVIDENCE_SEAL;
		return;
	}
	accept_unchanged(c);
	snprintf(c->report->verdict.note, NOTE_SIZE,
		 "%llu of %llu chunks re-read (seed %llu); sealed on %s",
		 (unsigned long long)c->done, (unsigned long long)c->chunks,
		 (unsigned long long)c->ctx->seed, c->seal.sealed_at);
}

/* The check of bytes. False: the budget is used up and nothing else is known of it. */
static bool judge_bytes(struct seal_check *c, enum relation relation)
{
	struct ckpt_error err = { 0 };
	struct ckpt_digest_bad bad = { 0 };
	int r;

	if (c->ctx->share)
		snprintf(c->ctx->share->way, sizeof(c->ctx->share->way), "seal of %s, %llu chunks",
			 c->seal.sealed_at, (unsigned long long)c->chunks);
	r = compare(c, &bad, &err);
	if (r == -ETIMEDOUT || r == -EDQUOT)
		return accept_cut_off(c, relation, r);
	if (r < 0) {
		reject_error(c, r, bad.file, &err);
	} else if (r == CKPT_DIGEST_MISMATCH) {
		reject_bytes(c, &bad);
	} else if (r == CKPT_DIGEST_CHANGED) {
		reject(c, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE, bad.file);
		DETAIL(c, "it changed while it was read");
	} else {
		accept_compared(c);
	}
	return true;
}

/* Whether the files are those of the seal by their names. *@ret_size: one of another size, or -1.
 */
static bool could_be_same(const struct seal_check *c, ssize_t *ret_size)
{
	*ret_size = -1;
	if (c->seal.n != c->files.n)
		return false;
	for (size_t i = 0; i < c->seal.n; i++) {
		if (strcmp(c->seal.files[i].name, c->files.f[i].name) != 0)
			return false;
		if (*ret_size < 0 && c->seal.files[i].id.size != c->files.f[i].id.size)
			*ret_size = (ssize_t)i;
	}
	return true;
}

/* What differs is damaged, or saved anew: the caller knows what else proves it whole. */
static void suspect(struct seal_check *c, const struct ckpt_digest_bad *bad, ssize_t size)
{
	char *detail = c->report->verdict.problem.detail;
	size_t at;

	if (size >= 0) {
		c->at = (size_t)size;
		reject_size(c);
	} else {
		reject_bytes(c, bad);
	}
	c->suspected = true;
	at = strlen(detail);
	snprintf(detail + at, sizeof(c->report->verdict.problem.detail) - at,
		 "; it was written after that: damaged, or saved anew (then `ckptctl seal` it "
		 "again)");
}

/* The times are others: only if all bytes are those that were sealed does the seal count. A share's
 * prove nothing of the others, but may be suspect. A start has no time for it: the format will read
 * the same bytes. */
static bool judge_stale(struct seal_check *c)
{
	struct ckpt_digest_bad bad;
	ssize_t size;
	int r;

	if (c->level < CKPT_LEVEL_FULL || !c->ctx->strict || !could_be_same(c, &size))
		return false;
	r = size < 0 ? compare(c, &bad, NULL) : CKPT_DIGEST_MISMATCH;
	if (r == CKPT_DIGEST_MISMATCH)
		suspect(c, &bad, size);
	if (r != 0 || c->ctx->share)
		return false;
	accept_compared(c);
	return true;
}

static bool judge(struct seal_check *c)
{
	enum relation relation = relate(c);

	for (size_t i = 0; i < c->seal.n; i++)
		c->chunks += ckpt_digest_chunks(c->seal.files[i].id.size, c->seal.chunk);
	*c->report = c->seal.report;
	switch (relation) {
	case STALE:
		return judge_stale(c);
	case LOST:
		reject_lost(c);
		return true;
	case SIZE:
		reject_size(c);
		return true;
	case SAME:
	case COPY:
		break;
	}
	if (c->level >= CKPT_LEVEL_FULL || (c->level == CKPT_LEVEL_SAMPLE && relation == SAME))
		return judge_bytes(c, relation);
	if (relation == COPY) {
		note_copy(c);
		return false;
	}
	accept_unchanged(c);
	return true;
}

/* A single file may have been renamed, and its seal with it. */
static bool adopt_name(struct seal_check *c)
{
	char *name;

	if (c->set->kind != CKPT_KIND_FILE || c->seal.n != 1 || c->files.n != 1)
		return true;
	name = strdup(c->files.f[0].name);
	if (!name)
		return false;
	free((char *)c->seal.files[0].name);
	c->seal.files[0].name = name;
	return true;
}

/* Loads the seal and lists the files. False: there is nothing to go by. */
static bool prepare(struct seal_check *c, int dirfd)
{
	struct ckpt_error err = { 0 };
	int r = ckpt_seal_load(c->ctx, dirfd, c->set->name, &c->seal, &err);

	if (r == CKPT_SEAL_NONE)
		return false;
	if (r != 0) {
		note(c, "seal ignored: %.200s", err.text[0] ? err.text : strerror(r < 0 ? -r : r));
		return false;
	}
	c->rootfd = ckpt_files_root(dirfd, c->set, &err);
	if (c->rootfd < 0 || ckpt_files_list(c->rootfd, c->set, &c->files, &err) != 0) {
		note(c, "seal not used: %.200s", err.text);
		return false;
	}
	return adopt_name(c);
}

bool ckpt_seal_verify(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
		      enum ckpt_level level, struct ckpt_report *report)
{
	struct seal_check c = {
		.ctx = ctx, .set = set, .level = level, .rootfd = -1, .report = report
	};
	int64_t start = ckpt_ctx_now(ctx);
	uint64_t before = ctx->bytes_read;
	bool judged = prepare(&c, dirfd) && judge(&c);

	if (judged) {
		ckpt_set_identity(set, &report->identity);
		report->verdict.bytes_read = ctx->bytes_read - before;
		report->verdict.seconds = (double)(ckpt_ctx_now(ctx) - start) / 1e9;
	} else {
		if (!c.suspected)
			report->verdict.status = CKPT_VALID;
		memcpy(report->verdict.note, c.note, sizeof(c.note));
	}
	ckpt_cleanup_close(&c.rootfd);
	ckpt_files_done(&c.files);
	ckpt_seal_done(&c.seal);
	ckpt_differs_done(&c.differs);
	return judged;
}
