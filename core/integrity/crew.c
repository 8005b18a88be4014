/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See crew.h. Ranks come as ascending lists, and what is missing is told as ranges: a name may hold
 * any number, so that nothing here counts from one to the next.
 */
#include "core/integrity/crew.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/catalog/names.h"

#define RANGES 12 /* that are told; enough to know which node it was */

/* What is missing, as it is found: ascending. */
struct lack {
	char text[RANGES * 20];
	int ranges;	  /* in the text */
	int64_t first;	  /* of all */
	int64_t from, to; /* of the last range, which may grow yet */
	bool any, many;
};

static void add_text(struct lack *lack, const char *text)
{
	size_t at = strlen(lack->text);

	snprintf(lack->text + at, sizeof(lack->text) - at, "%s%s", at ? ", " : "", text);
}

/* Writes the last range. */
static void finish(struct lack *lack)
{
	char range[64];

	if (!lack->any || lack->ranges > RANGES)
		return;
	if (lack->ranges++ == RANGES)
		snprintf(range, sizeof(range), "...");
	else if (lack->from == lack->to)
		snprintf(range, sizeof(range), "%lld", (long long)lack->from);
	else
		snprintf(range, sizeof(range), "%lld-%lld", (long long)lack->from,
			 (long long)lack->to);
	add_text(lack, range);
}

static void add(struct lack *lack, int64_t from, int64_t to)
{
	if (lack->any && from == lack->to + 1) {
		lack->to = to;
		lack->many = true;
		return;
	}
	finish(lack);
	lack->many = lack->any || to > from;
	lack->first = lack->any ? lack->first : from;
	lack->any = true;
	lack->from = from;
	lack->to = to;
}

/* One rank of each node, say: no save that was cut short looks so. */
static bool is_even(const struct ckpt_crew *crew)
{
	for (size_t i = 2; i < crew->n; i++)
		if (crew->rank[i] - crew->rank[i - 1] != crew->rank[1] - crew->rank[0])
			return false;
	return crew->n > 2;
}

/* Whether names from the lowest rank on may leave some out. */
static bool may_have_gaps(const struct ckpt_set *set)
{
	const struct ckpt_crew *crew = set->crew;

	return crew->numbering == CKPT_RANKS_ANY ||
	       (crew->numbering == CKPT_RANKS_IN_A_ROW && !crew->total &&
		(set->usual_crew || is_even(crew)));
}

/* The first rank that must be there: of a known number, those that end with it count from 1. */
static int64_t first_rank(const struct ckpt_crew *crew)
{
	if (crew->total)
		return crew->rank[crew->n - 1] == crew->total;
	return crew->numbering == CKPT_RANKS_FROM_0 ? 0 : crew->rank[0];
}

/* What the names of the set themselves say is missing. */
static void find_gaps(const struct ckpt_set *set, struct lack *ret)
{
	const struct ckpt_crew *crew = set->crew;
	int64_t next = first_rank(crew);

	if (may_have_gaps(set))
		return;
	for (size_t i = 0; i < crew->n; i++) {
		if (crew->rank[i] > next)
			add(ret, next, crew->rank[i] - 1);
		if (crew->rank[i] == INT64_MAX)
			return;
		next = crew->rank[i] + 1;
	}
	if (crew->total > next)
		add(ret, next, crew->total - 1);
}

/* What @elder has besides. */
static void find_lost(const struct ckpt_crew *crew, const struct ckpt_crew *elder, struct lack *ret)
{
	struct ckpt_crew_walk walk = { .crew = crew, .elder = elder };
	int64_t rank;

	while (ckpt_crew_next_lost(&walk, &rank))
		add(ret, rank, rank);
}

/* The name that the file of @rank has where the lowest rank's is called @other. */
static void rank_name(const char *other, int64_t rank, char *ret, size_t size)
{
	const struct ckpt_pattern_number *p;
	struct ckpt_name parsed;
	const char *why;

	snprintf(ret, size, "%s", other);
	if (ckpt_name_parse(other, false, &parsed, &why))
		return;
	for (p = parsed.numbers; p < parsed.numbers + parsed.n_numbers; p++) {
		bool padded = other[p->begin] == '0';

		if (p->meaning == 'p')
			snprintf(ret, size, "%.*s%0*lld%s", (int)p->begin, other,
				 padded ? (int)(p->end - p->begin) : 1, (long long)rank,
				 other + p->end);
	}
}

static void reject(struct ckpt_report *report, enum ckpt_problem_code code, const char *file)
{
	report->verdict.status = CKPT_INCOMPLETE;
	report->verdict.evidence = CKPT_EVIDENCE_NONE;
	report->verdict.problem = (struct ckpt_problem) { .code = code, .offset = CKPT_NO_OFFSET };
	snprintf(report->verdict.problem.file, sizeof(report->verdict.problem.file), "%s", file);
}

/* Why they must be there, and when they need not. */
static void add_elder(const struct ckpt_set *set, char *detail, size_t size)
{
	size_t at = strlen(detail);

	snprintf(detail + at, size - at,
		 ", which the save of %.60s has (that fewer ranks go on is believed from %d saves "
		 "in a row)",
		 set->elder->name, CKPT_CREW_AGREED);
	ckpt_text_clean(detail);
}

static void reject_lack(const struct ckpt_set *set, const struct lack *lack, bool by_elder,
			struct ckpt_report *report)
{
	struct ckpt_problem *problem = &report->verdict.problem;
	char name[sizeof(problem->file)];

	rank_name(set->members[0], lack->first, name, sizeof(name));
	reject(report, CKPT_PROBLEM_SHARD_MISSING, name);
	snprintf(problem->detail, sizeof(problem->detail), "the file%s of rank%s %s %s missing",
		 lack->many ? "s" : "", lack->many ? "s" : "", lack->text,
		 lack->many ? "are" : "is");
	if (by_elder)
		add_elder(set, problem->detail, sizeof(problem->detail));
}

/* The save, as its files share its name, that @name leads to as a link; "" where it is none. */
static void find_save(int dirfd, const char *name, char *ret, size_t size)
{
	char target[PATH_MAX];
	const char *last, *why;
	struct ckpt_name parsed;
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	ret[0] = '\0';
	if (n <= 0)
		return;
	target[n] = '\0';
	last = strrchr(target, '/');
	if (ckpt_name_parse(last ? last + 1 : target, false, &parsed, &why) == 0 &&
	    parsed.fold == CKPT_FOLD_RANKS)
		snprintf(ret, size, "%s", parsed.stem);
}

static bool has_number(const struct ckpt_set *set)
{
	return set->named.has_step || set->named.has_epoch || set->has_number;
}

/* Each rank sets its own link when it has written: those of a rank that died are behind. */
static void judge_links(int dirfd, const struct ckpt_set *set, struct ckpt_report *report)
{
	char first[2 * CKPT_NAME_SIZE], save[2 * CKPT_NAME_SIZE];
	struct ckpt_problem *problem = &report->verdict.problem;

	find_save(dirfd, set->members[0], first, sizeof(first));
	for (size_t i = 1; first[0] && set->members[i]; i++) {
		find_save(dirfd, set->members[i], save, sizeof(save));
		if (!save[0] || strcmp(save, first) == 0)
			continue;
		reject(report, CKPT_PROBLEM_MIXED_SAVES, set->members[i]);
		snprintf(problem->detail, sizeof(problem->detail),
			 "it leads to %.120s, %.60s to %.120s", save, set->members[0], first);
		ckpt_text_clean(problem->detail);
		return;
	}
}

void ckpt_crew_judge(int dirfd, const struct ckpt_set *set, struct ckpt_report *report)
{
	struct lack lack = { 0 };
	bool by_elder;

	if (report->verdict.status != CKPT_VALID)
		return;
	find_gaps(set, &lack);
	by_elder = !lack.any && set->elder;
	if (by_elder)
		find_lost(set->crew, set->elder, &lack);
	finish(&lack);
	if (lack.any)
		reject_lack(set, &lack, by_elder, report);
	else if (!has_number(set))
		judge_links(dirfd, set, report);
}
