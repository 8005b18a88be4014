/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar.h. A list that nobody updates is the commonest lie about a checkpoint, so that it
 * outweighs no checksum of the file's own.
 */
#include "core/integrity/sidecar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/share.h"
#include "core/integrity/sidecar_list.h"
#include "core/integrity/verify.h"
#include "wire/text.h"

/* A comparison under way. */
struct comparing {
	const struct ckpt_sidecar_search *search;
	struct ckpt_report *report;
	struct ckpt_digest_file *files; /* those with a SHA-256 */
	size_t *index;			/* of each in the list of all files */
	size_t n;
	struct ckpt_sum_file *others; /* those with another digest */
	size_t *other_index;
	size_t n_others;
	bool all;	   /* every file has one */
	size_t *differing; /* of those files with a SHA-256 that are not as it says */
	size_t n_differing;
	bool again;    /* one has a digest of another kind now */
	size_t n_said; /* bytes of the note that the format had left */
};

static void comparing_done(struct comparing *c)
{
	free(c->files);
	free(c->index);
	free(c->others);
	free(c->other_index);
	free(c->differing);
}
#define _cleanup_comparing_ _cleanup_(comparing_done)

/* Whether a difference is no proof of damage. */
static bool is_hint(const struct ckpt_expected *e)
{
	return e->older || e->foreign || e->loose;
}

static void gather_one(struct comparing *c, size_t i)
{
	struct ckpt_member *file = &c->search->files->f[i];
	struct ckpt_expected *e = &c->search->expected[i];

	if (e->is_list)
		return; /* of two lists the one that was made first knows the other as it was */
	if (e->sum.kind == CKPT_SUM_NONE) {
		c->all = false;
	} else if (e->sum.kind == CKPT_SUM_SHA256) {
		c->index[c->n] = i;
		c->files[c->n++] = (struct ckpt_digest_file) { file->name, file->id,
							       (struct ckpt_digest *)e->sum.b };
	} else {
		c->other_index[c->n_others] = i;
		c->others[c->n_others++] =
			(struct ckpt_sum_file) { file->name, &file->id, &e->sum };
	}
}

static void add_note(struct ckpt_report *report, const char *what, const char *why)
{
	char *note = report->verdict.note;
	size_t at = strlen(note);

	snprintf(note + at, sizeof(report->verdict.note) - at, "%s%s%s", at ? "; " : "", what, why);
}

static int comparing_init(struct comparing *c)
{
	const size_t n = c->search->files->n;

	c->files = calloc(n + 1, sizeof(*c->files));
	c->index = calloc(n + 1, sizeof(*c->index));
	c->others = calloc(n + 1, sizeof(*c->others));
	c->other_index = calloc(n + 1, sizeof(*c->other_index));
	c->differing = calloc(n + 1, sizeof(*c->differing));
	c->all = true;
	c->n_said = strlen(c->report->verdict.note);
	return c->files && c->index && c->others && c->other_index && c->differing ? 0 : -ENOMEM;
}

/* Those whose digests are hints, or those whose are not. */
static void gather(struct comparing *c, bool hints)
{
	c->n = c->n_others = 0;
	for (size_t i = 0; i < c->search->files->n; i++)
		if (is_hint(&c->search->expected[i]) == hints)
			gather_one(c, i);
}

static size_t count_expected(const struct ckpt_sidecar_search *search)
{
	size_t n = 0;

	for (size_t i = 0; i < search->files->n; i++)
		n += !search->expected[i].is_list && search->expected[i].sum.kind != CKPT_SUM_NONE;
	return n;
}

/* @file: of the list of all files. */
static void note(struct comparing *c, const char *what, size_t file, const char *why)
{
	struct ckpt_verdict *v = &c->report->verdict;
	size_t at = strlen(v->note);

	snprintf(v->note + at, sizeof(v->note) - at, "%s%.60s %s %.60s%s", at ? "; " : "",
		 c->search->expected[file].source, what, c->search->files->f[file].name, why);
	ckpt_text_clean(v->note);
}

static bool size_differs(const struct comparing *c, size_t file)
{
	const struct ckpt_expected *e = &c->search->expected[file];

	return e->sized && e->size != c->search->files->f[file].id.size;
}

static void say_difference(const struct comparing *c, size_t file, char *buf, size_t size)
{
	const struct ckpt_expected *e = &c->search->expected[file];

	if (size_differs(c, file))
		snprintf(buf, size, "it has %llu bytes, where %s says %llu",
			 (unsigned long long)c->search->files->f[file].id.size, e->source,
			 (unsigned long long)e->size);
	else
		snprintf(buf, size, "its %s is not the one in %s",
			 ckpt_sum_name(e->first ? e->first : e->sum.kind), e->source);
}

/* Whether the set's checksums are those of its members alone, each for itself: files beside them,
 * and members without any, have none. */
static bool is_of_members(const struct comparing *c)
{
	static const char *const rows[] = { "hf-trainer", "accelerate", "determined", "deepspeed",
					    "megatron" };

	for (size_t i = 0; c->report->format && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(c->report->format->name, rows[i]) == 0)
			return true;
	return false;
}

/* Whether the budget ended before the checksums of the file, which has them: they held before. */
static bool was_cut_off(const struct ckpt_report *own)
{
	return own->format && own->format->full >= CKPT_EVIDENCE_CHECKSUM &&
	       ckpt_text_starts(own->verdict.note, "content not read: budget", NULL);
}

/* Whether the file's own checksums hold. All of it is asked, and now: whatever share this is, and
 * whoever else would have computed them. DCP's files are nothing alone: the set's are theirs. */
static bool proves_itself(const struct comparing *c, size_t file)
{
	struct ckpt_ctx *ctx = c->search->ctx;
	struct ckpt_share *share = ctx->share;
	struct ckpt_crc_deferred *deferred = ctx->deferred;
	const struct ckpt_target target = { c->search->rootfd, c->search->files->f[file].name,
					    CKPT_KIND_FILE, false };
	_cleanup_free_ struct ckpt_report *own = NULL;

	if (c->report->verdict.evidence < CKPT_EVIDENCE_CHECKSUM || !is_of_members(c) ||
	    ckpt_text_ends(target.name, ".distcp"))
		return c->report->verdict.evidence >= CKPT_EVIDENCE_CHECKSUM;
	own = calloc(1, sizeof(*own));
	if (!own)
		return true; /* it cannot be told: damage would be a guess */
	ctx->share = NULL;
	ctx->deferred = NULL;
	ckpt_verify(ctx, &target, CKPT_LEVEL_FULL, own);
	ctx->share = share;
	ctx->deferred = deferred;
	return own->verdict.status == CKPT_UNREADABLE ||
	       (own->verdict.status == CKPT_VALID &&
		(own->verdict.evidence >= CKPT_EVIDENCE_CHECKSUM || was_cut_off(own)));
}

static void add_words(char *detail, size_t size, const char *words)
{
	size_t at = strlen(detail);

	snprintf(detail + at, size - at, "%s", words);
}

static void judge_mismatch(struct comparing *c, size_t file)
{
	const struct ckpt_expected *e = &c->search->expected[file];
	struct ckpt_verdict *v = &c->report->verdict;

	if (proves_itself(c, file)) {
		note(c, "has another digest for", file, ", whose own checksums hold");
		return;
	}
	if (e->older && !c->search->ctx->strict) {
		note(c, "has another digest for", file, " and is older");
		return;
	}
	if (e->foreign) {
		note(c, "has another digest than", file, ", beside another name");
		return;
	}
	if (e->loose) {
		note(c, "has another digest for", file, ", which proves no damage");
		return;
	}
	v->status = CKPT_CORRUPT;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->note[0] = '\0';
	v->problem =
		(struct ckpt_problem) { .code = CKPT_PROBLEM_DIGEST, .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->search->files->f[file].name);
	ckpt_text_clean(v->problem.file);
	say_difference(c, file, v->problem.detail, sizeof(v->problem.detail));
	if (e->older)
		add_words(v->problem.detail, sizeof(v->problem.detail),
			  ", which is older: damaged, or saved anew");
}

static void judge_changed(struct comparing *c, size_t file)
{
	struct ckpt_verdict *v = &c->report->verdict;

	v->status = CKPT_UNREADABLE;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->problem = (struct ckpt_problem) { .code = CKPT_PROBLEM_WRITER_ACTIVE,
					     .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->search->files->f[file].name);
	snprintf(v->problem.detail, sizeof(v->problem.detail), "it changed while it was read");
}

/* A file that is as another list says is not damaged: one of the lists is wrong. */
static bool take_rival(struct comparing *c, size_t file)
{
	struct ckpt_expected *e = &c->search->expected[file];

	if (e->n_rivals == 0)
		return false;
	if (e->first == CKPT_SUM_NONE)
		e->first = e->sum.kind;
	c->again |= e->sum.kind != e->rivals[e->n_rivals - 1].kind;
	e->sum = e->rivals[--e->n_rivals];
	e->sized = false; /* who said so was wrong */
	note(c, "has another digest for", file, " than another list");
	return true;
}

static bool is_wanted(void *arg, size_t file, uint64_t chunk)
{
	const struct comparing *c = arg;

	(void)chunk;
	return ckpt_share_takes_file(c->search->ctx->share, c->files[file].name);
}

/* Whether the medium failed: a program that reads the data will fare no better. */
static bool is_failure(int r)
{
	static const int codes[] = { EIO, ESTALE, EUCLEAN, EBADMSG, EREMOTEIO, ENXIO };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (r == -codes[i])
			return true;
	return false;
}

static void judge_unread(struct comparing *c, int r, size_t file)
{
	struct ckpt_verdict *v = &c->report->verdict;

	v->status = CKPT_UNREADABLE;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->problem = (struct ckpt_problem) { .code = CKPT_PROBLEM_IO, .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->search->files->f[file].name);
	ckpt_text_clean(v->problem.file);
	snprintf(v->problem.detail, sizeof(v->problem.detail), "it cannot be read: %s",
		 strerror(-r));
}

/* The answer @r of a run about @file, one of those that it was about. True if all match. */
static bool judge(struct comparing *c, int r, size_t file)
{
	_Static_assert((int)CKPT_DIGEST_MISMATCH == (int)CKPT_SUMS_MISMATCH &&
			       (int)CKPT_DIGEST_CHANGED == (int)CKPT_SUMS_CHANGED,
		       "one answer, one number");
	if (r == CKPT_DIGEST_MISMATCH)
		judge_mismatch(c, file);
	else if (r == CKPT_DIGEST_CHANGED)
		judge_changed(c, file);
	else if (r == -ETIMEDOUT || r == -EDQUOT)
		note(c, "was not compared with", file, ": budget");
	else if (r == -ENOTSUP || r == -ELIBACC)
		note(c, "could not be compared with", file, ": no such digest here");
	else if (is_failure(r))
		judge_unread(c, r, file);
	else if (r < 0)
		note(c, "could not be compared with", file, "");
	return r == 0;
}

/* The file is not as its list says. True where that proves it damaged; else another list is asked
 * next, or nothing more where there is none. */
static bool differs(struct comparing *c, size_t file)
{
	if (take_rival(c, file)) {
		c->again = true;
		return false;
	}
	judge_mismatch(c, file);
	if (c->report->verdict.status != CKPT_VALID) {
		c->again = false;
		return true;
	}
	c->search->expected[file].sum.kind = CKPT_SUM_NONE;
	c->all = false;
	return false;
}

/* Lengths that are known without reading: a file of another one has another digest. */
static bool compare_sizes(struct comparing *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!size_differs(c, c->index[i]))
			continue;
		if (differs(c, c->index[i]))
			return false;
		c->again = true;
	}
	return !c->again;
}

static void take_difference(void *arg, const struct ckpt_digest_bad *bad)
{
	struct comparing *c = arg;

	c->differing[c->n_differing++] = c->index[bad->file];
}

/* True where no list proved any damaged, and what else is to be compared may be. */
static bool judge_differing(struct comparing *c)
{
	for (size_t i = 0; i < c->n_differing; i++)
		if (differs(c, c->differing[i]))
			return false;
	return !c->again;
}

static bool compare_sha256(struct comparing *c)
{
	const struct ckpt_digest_job job = { .ctx = c->search->ctx,
					     .dirfd = c->search->rootfd,
					     .files = c->files,
					     .n = c->n,
					     .compare = true,
					     .wants = is_wanted,
					     .arg = c,
					     .differs = take_difference };
	struct ckpt_digest_bad bad = { 0 };
	int r;

	c->n_differing = 0;
	r = c->n ? ckpt_digest_run(&job, &bad, NULL) : 0;
	return r == CKPT_DIGEST_MISMATCH ? judge_differing(c) : judge(c, r, c->index[bad.file]);
}

static bool compare_others(struct comparing *c)
{
	const struct ckpt_sums_job job = { .ctx = c->search->ctx,
					   .dirfd = c->search->rootfd,
					   .files = c->others,
					   .n = c->n_others };
	size_t bad = 0;
	int r;

	do
		r = c->n_others ? ckpt_sums_run(&job, &bad) : 0;
	while (r == CKPT_SUMS_MISMATCH && take_rival(c, c->other_index[bad]) && !c->again);
	return !c->again && judge(c, r, c->other_index[bad]);
}

/* That the format has no checksum of its own is of no concern any more. */
static void raise_to(struct comparing *c, enum ckpt_evidence evidence)
{
	struct ckpt_verdict *v = &c->report->verdict;
	const char *rest = v->note + c->n_said;

	v->evidence = evidence;
	if (!ckpt_format_says_bare(v->note, c->n_said))
		return;
	rest += strspn(rest, "; ");
	memmove(v->note, rest, strlen(rest) + 1);
}

/* The last file that has no digest but MD5 or SHA-1; -1: there is none. */
static ssize_t find_weak(const struct comparing *c)
{
	ssize_t weak = -1;

	for (size_t i = 0; i < c->search->files->n; i++)
		if (!c->search->expected[i].is_list &&
		    ckpt_sum_weak(c->search->expected[i].sum.kind))
			weak = (ssize_t)i;
	return weak;
}

/* MD5 and SHA-1 prove against accidents, which is what checksums do. */
static void accept(struct comparing *c)
{
	struct ckpt_verdict *v = &c->report->verdict;
	ssize_t weak = find_weak(c);

	if (weak < 0)
		raise_to(c, CKPT_EVIDENCE_SEAL);
	else if (v->evidence < CKPT_EVIDENCE_CHECKSUM)
		raise_to(c, CKPT_EVIDENCE_CHECKSUM);
	if (weak >= 0 && !v->note[0])
		snprintf(v->note, sizeof(v->note),
			 "by %s in %s: proof against accidents, not against intent",
			 ckpt_sum_name(c->search->expected[weak].sum.kind),
			 c->search->expected[weak].source);
}

/* Hints last: the first difference ends a run, and theirs must not hide one that is a proof. */
static void compare(struct comparing *c)
{
	struct ckpt_share *share = c->search->ctx->share;
	bool same = true;

	if (share)
		snprintf(share->way, sizeof(share->way), "format and digests of %zu files",
			 count_expected(c->search));
	for (int hints = 0; hints < 2 && same; hints++)
		do {
			c->again = false;
			gather(c, hints);
			same = compare_sizes(c) && compare_sha256(c) && compare_others(c);
		} while (c->again);
	if (same && c->all)
		accept(c);
}

static void verify(const struct ckpt_sidecar_search *search, struct ckpt_report *report)
{
	_cleanup_comparing_ struct comparing c = { .search = search, .report = report };

	ckpt_sidecar_search(search);
	if (count_expected(search) > 0 && comparing_init(&c) == 0)
		compare(&c);
	if (search->unread[0])
		add_note(report, search->unread, " could not be read");
	if (search->odd[0])
		add_note(report, search->odd, "");
}

void ckpt_sidecar_verify(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			 struct ckpt_report *report)
{
	_cleanup_files_ struct ckpt_files files = { 0 };
	_cleanup_free_ struct ckpt_expected *expected = NULL;
	_cleanup_close_ int rootfd = ckpt_files_root(dirfd, set, NULL);
	char unread[CKPT_SIDECAR_NAME] = "", odd[CKPT_SIDECAR_ODD] = "";
	struct ckpt_sidecar_search search = { .ctx = ctx,
					      .dirfd = dirfd,
					      .rootfd = rootfd,
					      .set = set,
					      .files = &files,
					      .unread = unread,
					      .odd = odd };
	int64_t start = ckpt_ctx_now(ctx);
	uint64_t before = ctx->bytes_read;

	if (report->verdict.status != CKPT_VALID || rootfd < 0)
		return;
	if (ckpt_ctx_expired(ctx) != 0) {
		if (!report->verdict.note[0])
			add_note(report, "lists of digests not looked for", ": budget");
		return;
	}
	if (ckpt_files_list(rootfd, set, &files, NULL) != 0 || files.n == 0)
		return;
	expected = calloc(files.n, sizeof(*expected));
	search.expected = expected;
	if (expected)
		verify(&search, report);
	report->verdict.bytes_read += ctx->bytes_read - before;
	report->verdict.seconds += (double)(ckpt_ctx_now(ctx) - start) / 1e9;
}
