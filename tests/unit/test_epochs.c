/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an epoch number means: every source, and every case that must stay undecided.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/resolve/epochs.h"
#include "tests/unit/support/scratch.h"

#define NONE (-1000)
#define UNKNOWN CKPT_EPOCH_UNKNOWN

/* A checkpoint: the epoch inside, the number in its name. */
struct epoch_set {
	double inside; /* NONE: no epoch inside */
	int64_t number;
	enum ckpt_meaning meaning, format;
};

/* What epoch_info.json says. */
struct epoch_file {
	int64_t last; /* NONE: no last_completed_epoch */
	const char *by, *checkpoint;
};

static const struct row {
	const char *name;
	struct epoch_set set;
	const char *option;
	const struct epoch_file *info;
	const struct epoch_set *newest;
	int64_t completed, start; /* NONE: not known */
	bool ahead;
} rows[] = {
#define SET(inside, number)                                                                        \
	{                                                                                          \
		inside, number, UNKNOWN, UNKNOWN                                                   \
	}
#define FILE_(...) (&(const struct epoch_file) { __VA_ARGS__ })
#define NEWEST(...) (&(const struct epoch_set) { __VA_ARGS__ })
	{ "nothing is known", SET(4, 4), "", NULL, NULL, NONE, NONE, false },
	{ "no epoch at all", SET(NONE, NONE), "completed", NULL, NULL, NONE, NONE, false },

	{ "--ckpt-epoch=completed", SET(4, NONE), "completed", NULL, NULL, 4, 5, false },
	{ "--ckpt-epoch=next", SET(4, NONE), "next", NULL, NULL, 3, 4, false },
	{ "next of epoch 0: none is done", SET(0, NONE), "next", NULL, NULL, NONE, 0, false },
	{ "completed epoch 0", SET(0, NONE), "completed", NULL, NULL, 0, 1, false },
	{ "next of epoch -1 starts nowhere", SET(-1, NONE), "next", NULL, NULL, NONE, NONE, false },
	{ "completed -1 starts at 0", SET(-1, NONE), "completed", NULL, NULL, NONE, 0, false },
	{ "the option wins over content and format",
	  { 4, NONE, CKPT_EPOCH_NEXT, CKPT_EPOCH_NEXT },
	  "completed",
	  NULL,
	  NULL,
	  4,
	  5,
	  false },
	{ "the option wins over the file", SET(4, NONE), "next",
	  FILE_(4, CKPT_RECORDED_BY, "chosen.pt"), NULL, 3, 4, true },

	{ "content says completed",
	  { 4, NONE, CKPT_EPOCH_COMPLETED, UNKNOWN },
	  "",
	  NULL,
	  NULL,
	  4,
	  5,
	  false },
	{ "content says next", { 4, NONE, CKPT_EPOCH_NEXT, UNKNOWN }, "", NULL, NULL, 3, 4, false },
	{ "content wins over the format's row",
	  { 4, NONE, CKPT_EPOCH_NEXT, CKPT_EPOCH_COMPLETED },
	  "",
	  NULL,
	  NULL,
	  3,
	  4,
	  false },
	{ "the format's row",
	  { 4, NONE, UNKNOWN, CKPT_EPOCH_COMPLETED },
	  "",
	  NULL,
	  NULL,
	  4,
	  5,
	  false },
	{ "the format's row says next",
	  { 4, NONE, UNKNOWN, CKPT_EPOCH_NEXT },
	  "",
	  NULL,
	  NULL,
	  3,
	  4,
	  false },

	{ "2.4 passed: 0 and 1 are done",
	  { 2.4, NONE, CKPT_EPOCH_FRACTION, UNKNOWN },
	  "",
	  NULL,
	  NULL,
	  1,
	  2,
	  false },
	{ "2.0 passed", { 2.0, NONE, CKPT_EPOCH_FRACTION, UNKNOWN }, "", NULL, NULL, 1, 2, false },
	{ "1.999 passed",
	  { 1.999, NONE, CKPT_EPOCH_FRACTION, UNKNOWN },
	  "",
	  NULL,
	  NULL,
	  0,
	  1,
	  false },
	{ "0.7 passed: none is done",
	  { 0.7, NONE, CKPT_EPOCH_FRACTION, UNKNOWN },
	  "",
	  NULL,
	  NULL,
	  NONE,
	  0,
	  false },
	{ "a save counter is no epoch",
	  { 7, NONE, CKPT_EPOCH_SAVE_COUNTER, UNKNOWN },
	  "",
	  NULL,
	  NULL,
	  NONE,
	  NONE,
	  false },
	{ "a save counter, whatever the file says",
	  { 7, NONE, CKPT_EPOCH_SAVE_COUNTER, UNKNOWN },
	  "",
	  FILE_(7, "", ""),
	  NULL,
	  NONE,
	  NONE,
	  false },

	{ "ours about this very checkpoint", SET(4, NONE), "",
	  FILE_(3, CKPT_RECORDED_BY, "chosen.pt"), NULL, 3, 4, false },
	{ "ours about a set without epoch", SET(NONE, NONE), "",
	  FILE_(3, CKPT_RECORDED_BY, "chosen.pt"), NULL, 3, 4, false },
	{ "ours about another checkpoint", SET(4, NONE), "", FILE_(3, CKPT_RECORDED_BY, "other.pt"),
	  NULL, NONE, NONE, false },
	{ "somebody else's about this checkpoint", SET(4, NONE), "",
	  FILE_(3, "my-tool", "chosen.pt"), NULL, NONE, NONE, false },
	{ "the format wins over ours",
	  { 4, NONE, UNKNOWN, CKPT_EPOCH_COMPLETED },
	  "",
	  FILE_(3, CKPT_RECORDED_BY, "chosen.pt"),
	  NULL,
	  4,
	  5,
	  false },

	{ "the program's number is the content's", SET(3, NONE), "", FILE_(3, "", ""), NULL, 3, 4,
	  false },
	{ "the program's number is the name's, the content has another", SET(3, 4), "",
	  FILE_(4, "", ""), NULL, NONE, NONE, false },
	{ "one behind is ambiguous", SET(4, NONE), "", FILE_(3, "", ""), NULL, NONE, NONE, false },
	{ "one ahead is ambiguous", SET(4, NONE), "", FILE_(5, "", ""), NULL, NONE, NONE, false },
	{ "far behind", SET(9, NONE), "", FILE_(2, "", ""), NULL, NONE, NONE, false },
	{ "a file without the number", SET(3, NONE), "", FILE_(NONE, "", ""), NULL, NONE, NONE,
	  false },
	{ "a file without the number, of ours", SET(3, NONE), "",
	  FILE_(NONE, CKPT_RECORDED_BY, "chosen.pt"), NULL, NONE, NONE, false },

	{ "it is the newest's number", SET(3, 3), "", FILE_(4, "", ""),
	  NEWEST(4, 4, UNKNOWN, UNKNOWN), 3, 4, true },
	{ "it is the damaged newest's, by name", SET(3, 3), "", FILE_(4, "", ""),
	  NEWEST(NONE, 4, UNKNOWN, UNKNOWN), 3, 4, true },
	{ "it is the newest's, ours counts by steps in its name", SET(3, 3000), "",
	  FILE_(4, "", ""), NEWEST(4, 4000, UNKNOWN, UNKNOWN), NONE, NONE, false },
	{ "one below the newest is ambiguous, though it is the chosen one's", SET(3, 3), "",
	  FILE_(3, "", ""), NEWEST(4, 4, UNKNOWN, UNKNOWN), NONE, NONE, false },
	{ "the same with a newest of which nothing is known", SET(3, 3), "", FILE_(3, "", ""),
	  NEWEST(NONE, NONE, UNKNOWN, UNKNOWN), NONE, NONE, false },
	{ "the file names the chosen one, as after an alignment", SET(3, 3), "",
	  FILE_(3, "", "chosen.pt"), NEWEST(4, 4, UNKNOWN, UNKNOWN), 3, 4, false },
	{ "the file names it by path", SET(3, 3), "", FILE_(3, "", "/run/chosen.pt"),
	  NEWEST(4, 4, UNKNOWN, UNKNOWN), 3, 4, false },
	{ "the file names it with the newest's number", SET(3, 3), "", FILE_(4, "", "chosen.pt"),
	  NEWEST(4, 4, UNKNOWN, UNKNOWN), NONE, NONE, false },
	{ "it is nobody's number", SET(3, 3), "", FILE_(6, "", ""), NEWEST(4, 4, UNKNOWN, UNKNOWN),
	  NONE, NONE, false },
	{ "the newest's, the chosen has no epoch", SET(NONE, 3), "", FILE_(4, "", ""),
	  NEWEST(4, 4, UNKNOWN, UNKNOWN), NONE, NONE, false },

	{ "the file is ahead", SET(3, NONE), "completed", FILE_(5, "", ""), NULL, 3, 4, true },
	{ "the file is level", SET(3, NONE), "completed", FILE_(3, "", ""), NULL, 3, 4, false },
	{ "the file is behind", SET(3, NONE), "completed", FILE_(1, "", ""), NULL, 3, 4, false },

	{ "infinite", SET(INFINITY, NONE), "completed", NULL, NULL, NONE, NONE, false },
	{ "not a number", SET(NAN, NONE), "completed", NULL, NULL, NONE, NONE, false },
	{ "beyond what a double counts", SET(1e16, NONE), "completed", NULL, NULL, NONE, NONE,
	  false },
};

/* A set that stands on its own. */
struct built {
	struct ckpt_set set;
	struct ckpt_report report;
	struct ckpt_format format;
};

static void build(struct built *b, const struct epoch_set *from, const char *name)
{
	*b = (struct built) { 0 };
	b->format.epoch_meaning = from->format;
	b->report.format = &b->format;
	b->report.position.has_epoch = from->inside != NONE;
	b->report.position.epoch = from->inside;
	b->report.position.meaning = from->meaning;
	b->set.name = name;
	b->set.has_number = from->number != NONE;
	b->set.number = from->number;
	b->set.report = &b->report;
}

static void build_info(struct ckpt_epoch_info *info, const struct epoch_file *from)
{
	*info = (struct ckpt_epoch_info) { .has_last = from->last != NONE,
					   .last_completed_epoch = from->last };
	snprintf(info->recorded_by, sizeof(info->recorded_by), "%s", from->by);
	snprintf(info->checkpoint, sizeof(info->checkpoint), "%s", from->checkpoint);
}

static void expect(const struct row *row, const struct ckpt_epochs *got)
{
	int64_t completed = got->has_completed ? got->completed : NONE;
	int64_t start = got->has_start ? got->start : NONE;

	if (completed != row->completed || start != row->start || got->info_ahead != row->ahead)
		fail_msg("%s: completed %lld, start %lld, ahead %d", row->name,
			 (long long)completed, (long long)start, got->info_ahead);
}

static void test_epochs__sources(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct built chosen, newest;
		struct ckpt_epoch_info info = { 0 };
		struct ckpt_epochs got;

		build(&chosen, &row->set, "chosen.pt");
		if (row->newest)
			build(&newest, row->newest, "newest.pt");
		if (row->info)
			build_info(&info, row->info);
		memset(&got, 0xff, sizeof(got));
		ckpt_epochs_of(&chosen.set, row->newest ? &newest.set : &chosen.set,
			       row->info ? &info : NULL, row->option, &got);
		expect(row, &got);
	}
}

/* A set that no row judged, of a series whose newest is not known. */
static void test_epochs__without_a_format(void **state)
{
	const struct epoch_set from = { 4, NONE, UNKNOWN, UNKNOWN };
	struct ckpt_epochs got;
	struct built b;

	(void)state;
	build(&b, &from, "chosen.pt");
	b.report.format = NULL;
	ckpt_epochs_of(&b.set, NULL, NULL, "", &got);
	assert_false(got.has_start || got.has_completed);
	ckpt_epochs_of(&b.set, NULL, NULL, "completed", &got);
	assert_int_equal(got.start, 5);
}

/* Where only the name has an epoch, the name's counts. */
static void test_epochs__by_name(void **state)
{
	const struct epoch_set from = { NONE, NONE, UNKNOWN, CKPT_EPOCH_COMPLETED };
	struct ckpt_epochs got;
	struct built b;

	(void)state;
	build(&b, &from, "epoch=6.pt");
	b.set.named.has_epoch = true;
	b.set.named.epoch = 6;
	ckpt_epochs_of(&b.set, NULL, NULL, "next", &got);
	assert_int_equal(got.start, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epochs__sources),
		cmocka_unit_test(test_epochs__without_a_format),
		cmocka_unit_test(test_epochs__by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
