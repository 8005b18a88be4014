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
#include "wire/text.h"

/* A comparison under way. */
struct comparing {
	const struct ckpt_sidecar_search *search;
	struct ckpt_report *report;
	struct ckpt_digest_file *files; /* those with a digest */
	size_t *index;			/* of each in the list of all files */
	size_t n;
	bool all; /* every file has one */
};

static void comparing_done(struct comparing *c)
{
	free(c->files);
	free(c->index);
}
#define _cleanup_comparing_ _cleanup_(comparing_done)

static int gather(struct comparing *c)
{
	const struct ckpt_sidecar_search *s = c->search;

	c->files = calloc(s->files->n + 1, sizeof(*c->files));
	c->index = calloc(s->files->n + 1, sizeof(*c->index));
	if (!c->files || !c->index)
		return -ENOMEM;
	c->all = true;
	for (size_t i = 0; i < s->files->n; i++) {
		if (!s->expected[i].known) {
			c->all &= s->expected[i].is_list;
			continue;
		}
		c->index[c->n] = i;
		c->files[c->n++] =
			(struct ckpt_digest_file) { s->files->f[i].name, s->files->f[i].id,
						    &s->expected[i].digest };
	}
	return 0;
}

static void note(struct comparing *c, const char *what, size_t file, const char *why)
{
	struct ckpt_verdict *v = &c->report->verdict;
	size_t at = strlen(v->note);

	snprintf(v->note + at, sizeof(v->note) - at, "%s%.60s %s %.60s%s", at ? "; " : "",
		 c->search->expected[c->index[file]].source, what, c->files[file].name, why);
	ckpt_text_clean(v->note);
}

static void judge_mismatch(struct comparing *c, const struct ckpt_digest_bad *bad)
{
	const struct ckpt_expected *e = &c->search->expected[c->index[bad->file]];
	struct ckpt_verdict *v = &c->report->verdict;

	if (v->evidence >= CKPT_EVIDENCE_CHECKSUM) {
		note(c, "has another digest for", bad->file, ", whose own checksums hold");
		return;
	}
	if (e->older) {
		note(c, "has another digest for", bad->file, " and is older");
		return;
	}
	v->status = CKPT_CORRUPT;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->note[0] = '\0';
	v->problem =
		(struct ckpt_problem) { .code = CKPT_PROBLEM_DIGEST, .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->files[bad->file].name);
	ckpt_text_clean(v->problem.file);
	snprintf(v->problem.detail, sizeof(v->problem.detail), "its SHA-256 is not the one in %s",
		 e->source);
}

static void judge_changed(struct comparing *c, size_t file)
{
	struct ckpt_verdict *v = &c->report->verdict;

	v->status = CKPT_UNREADABLE;
	v->evidence = CKPT_EVIDENCE_NONE;
	v->problem = (struct ckpt_problem) { .code = CKPT_PROBLEM_WRITER_ACTIVE,
					     .offset = CKPT_NO_OFFSET };
	snprintf(v->problem.file, sizeof(v->problem.file), "%s", c->files[file].name);
	snprintf(v->problem.detail, sizeof(v->problem.detail), "it changed while it was read");
}

static bool is_wanted(void *arg, size_t file, uint64_t chunk)
{
	const struct comparing *c = arg;

	(void)chunk;
	return ckpt_share_takes_file(c->search->ctx->share, c->files[file].name);
}

static void compare(struct comparing *c)
{
	const struct ckpt_digest_job job = { .ctx = c->search->ctx,
					     .dirfd = c->search->rootfd,
					     .files = c->files,
					     .n = c->n,
					     .compare = true,
					     .wants = is_wanted,
					     .arg = c };
	struct ckpt_share *share = c->search->ctx->share;
	struct ckpt_digest_bad bad = { 0 };
	int r;

	if (share)
		snprintf(share->way, sizeof(share->way), "format and digests of %zu files", c->n);
	r = ckpt_digest_run(&job, &bad, NULL);

	if (r == CKPT_DIGEST_MISMATCH)
		judge_mismatch(c, &bad);
	else if (r == CKPT_DIGEST_CHANGED)
		judge_changed(c, bad.file);
	else if (r == -ETIMEDOUT || r == -EDQUOT)
		note(c, "was not compared with", 0, ": budget");
	else if (r < 0)
		note(c, "could not be compared with", 0, "");
	else if (c->all)
		c->report->verdict.evidence = CKPT_EVIDENCE_SEAL;
}

static void verify(const struct ckpt_sidecar_search *search, struct ckpt_report *report)
{
	_cleanup_comparing_ struct comparing c = { .search = search, .report = report };

	ckpt_sidecar_search(search);
	if (gather(&c) == 0 && c.n > 0)
		compare(&c);
}

void ckpt_sidecar_verify(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			 struct ckpt_report *report)
{
	_cleanup_files_ struct ckpt_files files = { 0 };
	_cleanup_free_ struct ckpt_expected *expected = NULL;
	_cleanup_close_ int rootfd = ckpt_files_root(dirfd, set, NULL);
	struct ckpt_sidecar_search search = {
		.ctx = ctx, .dirfd = dirfd, .rootfd = rootfd, .set = set, .files = &files
	};
	int64_t start = ckpt_ctx_now(ctx);
	uint64_t before = ctx->bytes_read;

	if (report->verdict.status != CKPT_VALID || ckpt_ctx_expired(ctx) != 0 || rootfd < 0 ||
	    ckpt_files_list(rootfd, set, &files, NULL) != 0 || files.n == 0)
		return;
	expected = calloc(files.n, sizeof(*expected));
	search.expected = expected;
	if (expected)
		verify(&search, report);
	report->verdict.bytes_read += ctx->bytes_read - before;
	report->verdict.seconds += (double)(ckpt_ctx_now(ctx) - start) / 1e9;
}
