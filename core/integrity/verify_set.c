/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a set of the catalog to its report.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/pages.h"
#include "core/format/opaque.h"
#include "core/integrity/crew.h"
#include "core/integrity/half_renamed.h"
#include "core/integrity/seal.h"
#include "core/integrity/sidecar.h"
#include "core/integrity/verify.h"
#include "wire/text.h"

/* Stands in where no report could be allocated. */
static const struct ckpt_report no_memory = {
	.verdict = {
		.status = CKPT_UNREADABLE,
		.problem = {
			.code = CKPT_PROBLEM_IO,
			.offset = CKPT_NO_OFFSET,
			.detail = "no memory for its report",
		},
	},
};

static void reject(struct ckpt_report *report, enum ckpt_status status, enum ckpt_problem_code code,
		   const char *file)
{
	report->verdict.status = status;
	report->verdict.evidence = CKPT_EVIDENCE_NONE;
	report->verdict.problem = (struct ckpt_problem) { .code = code, .offset = CKPT_NO_OFFSET };
	snprintf(report->verdict.problem.file, sizeof(report->verdict.problem.file), "%s", file);
}

/* A verdict that decides over the whole set before another: could not find out is said before any
 * answer but damage. */
static int severity(enum ckpt_status status)
{
	static const int of[] = {
		[CKPT_VALID] = 0,      [CKPT_MISSING] = 1, [CKPT_INCOMPLETE] = 2,
		[CKPT_UNREADABLE] = 3, [CKPT_CORRUPT] = 4,
	};

	return of[status];
}

/* Folds a rank's verdict into that of the set. */
static void fold(struct ckpt_report *report, const struct ckpt_report *member)
{
	struct ckpt_verdict *all = &report->verdict;
	const struct ckpt_verdict *one = &member->verdict;

	report->released |= member->released;
	all->size_bytes += one->size_bytes;
	all->bytes_read += one->bytes_read;
	all->seconds += one->seconds;
	report->tensors += member->tensors;
	ckpt_finiteness_add(&report->finite, &member->finite);
	if (one->note[0])
		memcpy(all->note, one->note, sizeof(all->note));
	if (one->evidence < all->evidence)
		all->evidence = one->evidence;
	if (severity(one->status) > severity(all->status) ||
	    (all->status == CKPT_VALID && all->problem.code == CKPT_PROBLEM_NONE))
		all->problem = one->problem;
	if (severity(one->status) > severity(all->status))
		all->status = one->status;
}

static void verify_ranks(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			 enum ckpt_level level, struct ckpt_report *report)
{
	_cleanup_free_ struct ckpt_report *member = calloc(1, sizeof(*member));
	struct ckpt_target target = { .dirfd = dirfd, .kind = CKPT_KIND_FILE };
	int n = 0;

	if (!member) {
		*report = no_memory;
		return;
	}
	for (; set->members[n]; n++) {
		target.name = set->members[n];
		ckpt_verify(ctx, &target, level, n ? member : report);
		if (n)
			fold(report, member);
	}
	ckpt_crew_judge(dirfd, set, report);
}

static void verify_by_format(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			     enum ckpt_level level, struct ckpt_report *report)
{
	struct ckpt_target target = {
		.dirfd = dirfd, .name = set->name, .kind = set->kind, .asked = set->asked
	};

	if (set->crew)
		verify_ranks(ctx, dirfd, set, level, report);
	else
		ckpt_verify(ctx, &target, level, report);
}

/* Whether what a format found damaged lies in the first range that differs. */
static bool is_first(const struct ckpt_differing *all, const struct ckpt_problem *own)
{
	const struct ckpt_differing_range *d = &all->named[0];

	return all->ranges <= 1 ||
	       (own->offset >= d->off && own->offset - d->off < d->len &&
		(!own->file[0] || strncmp(own->file, d->file, sizeof(d->file) - 1) == 0));
}

/* Bytes differ from those that were sealed: the format may know what lies there. */
static void name_damage(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			struct ckpt_report *report)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));

	if (!own || report->verdict.problem.code != CKPT_PROBLEM_DIGEST)
		return;
	verify_by_format(ctx, dirfd, set, CKPT_LEVEL_FULL, own);
	report->verdict.bytes_read += own->verdict.bytes_read;
	report->verdict.seconds += own->verdict.seconds;
	if (own->verdict.status == CKPT_CORRUPT && own->verdict.problem.member[0] &&
	    is_first(&report->differing, &own->verdict.problem))
		memcpy(report->verdict.problem.member, own->verdict.problem.member,
		       sizeof(report->verdict.problem.member));
}

/* A seal says that the bytes are those that were saved; what numbers they are, the format knows. */
static void look_for_poison(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			    struct ckpt_report *report)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));

	if (!own || report->verdict.status != CKPT_VALID)
		return;
	verify_by_format(ctx, dirfd, set, CKPT_LEVEL_FINITE, own);
	report->verdict.bytes_read += own->verdict.bytes_read;
	report->verdict.seconds += own->verdict.seconds;
	if (own->verdict.status != CKPT_VALID) {
		own->finite.unscanned++;
		snprintf(own->finite.why, sizeof(own->finite.why), "%.90s",
			 own->verdict.problem.detail);
	}
	report->finite = own->finite;
	if (own->verdict.problem.code == CKPT_PROBLEM_NON_FINITE)
		report->verdict.problem = own->verdict.problem;
}

/* Tells, beside the verdict, why a seal was of no use. */
static void add_note(struct ckpt_verdict *verdict, const char *note)
{
	size_t at = strlen(verdict->note);

	if (*note && verdict->status == CKPT_VALID && at < sizeof(verdict->note) - 3)
		snprintf(verdict->note + at, sizeof(verdict->note) - at, "%s%.*s", at ? "; " : "",
			 (int)(sizeof(verdict->note) - at - 3), note);
}

/* A seal knows by itself what is missing. */
static void judge_half_renamed(int dirfd, const struct ckpt_set *set, struct ckpt_report *report)
{
	char name[sizeof(report->verdict.problem.file)];

	if (set->kind != CKPT_KIND_DIRECTORY || report->verdict.status != CKPT_VALID ||
	    !ckpt_half_renamed(dirfd, set->name, name, sizeof(name)))
		return;
	reject(report, CKPT_INCOMPLETE, CKPT_PROBLEM_UNFINISHED_NAME, name);
	snprintf(report->verdict.problem.detail, sizeof(report->verdict.problem.detail),
		 "it was not renamed to its own name");
}

/* A copy of what the seal's check rejected and leaves to the format; NULL where there is no such
 * thing, or no memory for it. */
static struct ckpt_report *keep_suspected(const struct ckpt_report *report)
{
	struct ckpt_report *kept =
		report->verdict.status == CKPT_VALID ? NULL : malloc(sizeof(*kept));

	if (kept)
		*kept = *report;
	return kept;
}

/* Without a checksum nothing is a @proof that it was saved anew, and not damaged. */
static void take_suspected(const struct ckpt_report *suspected, enum ckpt_evidence proof,
			   struct ckpt_report *report)
{
	uint64_t read = report->verdict.bytes_read;
	double seconds = report->verdict.seconds;

	if (report->verdict.status != CKPT_VALID || proof >= CKPT_EVIDENCE_CHECKSUM)
		return;
	report->verdict = suspected->verdict;
	report->differing = suspected->differing;
	report->verdict.evidence = CKPT_EVIDENCE_NONE;
	report->verdict.note[0] = '\0';
	report->verdict.bytes_read += read;
	report->verdict.seconds += seconds;
}

/* By lists of digests, which prove what was saved anew as its own checksums do; but a share's, what
 * is not of the share: that alone is no proof. */
static void judge_lists(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			const struct ckpt_report *suspected, struct ckpt_report *report)
{
	enum ckpt_evidence proof = report->verdict.evidence;

	ckpt_sidecar_verify(ctx, dirfd, set, report);
	if (!ctx->share)
		proof = report->verdict.evidence;
	if (suspected) /* the format finds no damage in it, and could name none */
		take_suspected(suspected, proof, report);
}

static void verify_at(struct ckpt_ctx *ctx, const struct ckpt_set *set, enum ckpt_level level,
		      struct ckpt_report *report, bool by_seal)
{
	struct ckpt_error err = { 0 };
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, &err);
	_cleanup_free_ struct ckpt_report *suspected = NULL;
	char note[sizeof(report->verdict.note)] = "";

	if (dirfd < 0) {
		memset(report, 0, sizeof(*report));
		reject(report, dirfd == -ENOENT ? CKPT_MISSING : CKPT_UNREADABLE, CKPT_PROBLEM_IO,
		       set->name);
		snprintf(report->verdict.problem.detail, sizeof(report->verdict.problem.detail),
			 "%.383s", err.text);
	} else if (by_seal && ckpt_seal_verify(ctx, dirfd, set, level, report)) {
		name_damage(ctx, dirfd, set, report);
		if (level >= CKPT_LEVEL_FINITE)
			look_for_poison(ctx, dirfd, set, report);
	} else {
		if (by_seal) {
			memcpy(note, report->verdict.note, sizeof(note));
			suspected = keep_suspected(report);
			if (!suspected && report->verdict.status != CKPT_VALID) {
				*report = no_memory;
				return;
			}
		}
		verify_by_format(ctx, dirfd, set, level, report);
		judge_half_renamed(dirfd, set, report);
		if (level == CKPT_LEVEL_SAMPLE && !note[0])
			snprintf(note, sizeof(note), "no seal: structure only");
		if (level >= CKPT_LEVEL_FULL)
			judge_lists(ctx, dirfd, set, suspected, report);
		add_note(&report->verdict, note);
	}
}

/* Endings whose formats all have rows: another content under them is no checkpoint, unless the user
 * says so. */
static const char *const known_endings[] = { ".pt", ".pth", ".bin", ".safetensors.index.json",
					     ".bp", ".tar", ".dat" };

static bool has_known_ending(const char *name)
{
	for (size_t i = 0; i < sizeof(known_endings) / sizeof(*known_endings); i++)
		if (ckpt_text_ends(name, known_endings[i]))
			return true;
	return false;
}

static bool is_sure(const struct ckpt_set *set)
{
	return set->kind == CKPT_KIND_FILE && ckpt_opaque_is_odd(set->name);
}

/* A container of something unknown is a known format all the same. */
static bool has_known_name(const struct ckpt_set *set, const struct ckpt_report *report)
{
	return (is_sure(set) && report->format == &ckpt_format_opaque) ||
	       (set->role != CKPT_ROLE_NAMED && !set->asked && has_known_ending(set->name));
}

/* Nothing inside is known, where it was looked at; a container that was not looked into may hold
 * any. */
static bool is_unknown(const struct ckpt_report *report)
{
	if (report->inner || (report->format && report->format->holds))
		return report->inner == &ckpt_format_opaque;
	return report->verdict.evidence == CKPT_EVIDENCE_OPAQUE;
}

/*
 * A name of a known format over a content that no row knows: its head is lost, or it never was one.
 * Nobody can prove it whole, so it does not count, unless the user's own pattern or pin makes it a
 * candidate under a name that may mean anything; nor is it proved damaged, so that nothing is ever
 * done to it.
 */
static void judge_unknown_content(const struct ckpt_set *set, struct ckpt_report *report)
{
	if (report->verdict.status != CKPT_VALID || !is_unknown(report) ||
	    !has_known_name(set, report))
		return;
	reject(report, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, set->name);
	snprintf(report->verdict.problem.detail, sizeof(report->verdict.problem.detail),
		 "the name is a checkpoint's, the content is of no known format%s",
		 is_sure(set) ? ""
			      : " (one of your own needs another name, which --ckpt-glob takes)");
}

/*
 * NeMo marks a checkpoint by a file beside it as long as it is written or removed, whatever of it
 * is there already, and deletes those that it finds marked (nemo_model_checkpoint.py,
 * format_checkpoint_unfinished_marker_path()).
 */
void ckpt_set_judge_marker(const struct ckpt_set *set, struct ckpt_report *report)
{
	static const char *const endings[] = { ".nemo", ".ckpt", "-EMA" };
	char path[PATH_MAX];
	size_t n = strlen(set->name);

	if (report->verdict.status != CKPT_VALID)
		return;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t len = strlen(endings[i]);

		if (n > len && memcmp(set->name + n - len, endings[i], len) == 0)
			n -= len;
	}
	if (snprintf(path, sizeof(path), "%s/%.*s-unfinished", set->dir, (int)n, set->name) >=
		    (int)sizeof(path) ||
	    !ckpt_dir_has(AT_FDCWD, path))
		return;
	reject(report, CKPT_INCOMPLETE, CKPT_PROBLEM_UNFINISHED_NAME, set->name);
	snprintf(report->verdict.problem.detail, sizeof(report->verdict.problem.detail),
		 "%.200s says that it is being written or removed", strrchr(path, '/') + 1);
}

/* One that was rejected was not looked through to its end: its size is that of all its files. */
static void measure_rejected(const struct ckpt_set *set, struct ckpt_verdict *v)
{
	uint64_t bytes;

	if ((v->status == CKPT_INCOMPLETE || v->status == CKPT_CORRUPT) &&
	    ckpt_set_size(set, &bytes) == 0 && bytes > v->size_bytes)
		v->size_bytes = bytes;
}

static const struct ckpt_report *verify_now(struct ckpt_ctx *ctx, struct ckpt_set *set,
					    enum ckpt_level level, bool by_seal)
{
	uint64_t bytes = 0;

	if (!set->report)
		set->report = calloc(1, sizeof(*set->report));
	if (!set->report)
		return &no_memory;
	if (level > CKPT_LEVEL_STRUCTURE)
		ckpt_set_size(set, &bytes); /* what cannot be looked up is met again below */
	ckpt_pages_expect(ctx, bytes, true);
	verify_at(ctx, set, level, set->report, by_seal);
	judge_unknown_content(set, set->report);
	ckpt_set_judge_marker(set, set->report);
	measure_rejected(set, &set->report->verdict);
	if (set->kind == CKPT_KIND_DIRECTORY)
		ckpt_set_identity(set, &set->report->identity);
	set->report_level = level;
	set->stale = false;
	return set->report;
}

const struct ckpt_report *ckpt_set_verify(struct ckpt_ctx *ctx, struct ckpt_set *set,
					  enum ckpt_level level)
{
	if (set->report && !set->stale && set->report_level >= level)
		return set->report;
	return verify_now(ctx, set, level, true);
}

const struct ckpt_report *ckpt_set_verify_anew(struct ckpt_ctx *ctx, struct ckpt_set *set)
{
	return verify_now(ctx, set, CKPT_LEVEL_FULL, false);
}
