/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is told of a run's attempts, from ledgers and decisions written here line by line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/resolve/history.h"
#include "tests/unit/support/attempt.h"

#define STATE "a/.ckpt-resume/"
#define LEDGER STATE "ledger.jsonl"
#define AT(clock) "\"at\":\"2026-01-01T" clock "Z\""
#define WHO(n) "\"job_id\":7,\"cluster\":\"c\",\"attempt\":" n ",\"run\":\"r\",\"node\":\"n1\","
#define DECISION(n, mode, path, more, clock)                                                       \
	"{\"event\":\"decision\"," WHO(n) "\"where\":\"step\",\"mode\":\"" mode                    \
					  "\",\"path\":\"" path "\"," more                         \
					  AT(clock) "}\n"
#define SAVED(n, name, step, verdict, clock)                                                       \
	"{\"event\":\"checkpoint\"," WHO(n) "\"name\":\"" name "\",\"verdict\":\"" verdict         \
					    "\",\"step\":" step                                    \
					    ",\"size_bytes\":9," AT(clock) "}\n"
#define END(n, cause, more, clock)                                                                 \
	"{\"event\":\"end\"," WHO(n) "\"cause\":\"" cause "\"," more AT(clock) "}\n"

#define TWO_ATTEMPTS                                                                               \
	DECISION("0", "fresh", "", "\"reason\":\"first-start\",", "10:00:00")                      \
	SAVED("0", "ckpt-1.pt", "100", "valid", "10:10:00")                                        \
	SAVED("0", "ckpt-2.pt", "200", "corrupt", "10:20:00")                                      \
	END("0", "preempted", "\"newest_valid\":\"ckpt-1.pt\",\"step\":100,", "10:25:00")          \
	DECISION("1", "resume", "/x/ckpt-1.pt", "\"step\":100,\"reason\":\"preempted\",",          \
		 "10:30:30")

static void load(const struct scratch *dir, const char *roots, struct ckpt_history *h)
{
	char paths[CKPT_REQUEST_DIRS][128];
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_roots r = { .n = (int)strlen(roots) };

	for (int i = 0; i < r.n; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%c", dir->path, roots[i]);
		r.dir[i] = paths[i];
	}
	assert_int_equal(ckpt_history_load(&ctx, &r, h), 0);
}

static void test_history__lost_work(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_history_attempt *a;
	struct ckpt_history_sums sums;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER, TWO_ATTEMPTS);
	load(dir, "a", &h);
	assert_int_equal(h.n, 2);
	a = h.attempts;
	assert_string_equal(a[0].cause, "preempted");
	assert_string_equal(a[0].to, "ckpt-1.pt");
	assert_int_equal(a[0].ran_s, 25 * 60);
	assert_int_equal(a[0].valid, 1);
	assert_int_equal(a[0].rejected, 1);
	assert_int_equal(a[0].reached.step, 200);
	assert_int_equal(a[0].lost_s, CKPT_HISTORY_UNKNOWN);
	assert_int_equal(a[1].waited_s, 5 * 60 + 30);
	assert_true(a[1].has_lost_steps);
	assert_int_equal(a[1].lost_steps, 100);
	assert_int_equal(a[1].lost_s, 15 * 60);
	assert_string_equal(a[1].cause, "");
	sums = ckpt_history_sum(&h);
	assert_int_equal(sums.restarts, 1);
	assert_true(sums.has_goodput);
	assert_float_equal(sums.goodput, 600.0 / (1500 + 330), 1e-6);
	ckpt_history_done(&h);
}

/* A step that only the end knows was reached all the same; steps and epochs only grow. */
static void test_history__how_far_an_attempt_came(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    DECISION("0", "fresh", "", "", "10:00:00")
			    SAVED("0", "ckpt-2.pt", "200,\"epoch\":2.5", "valid", "10:10:00")
				    SAVED("0", "ckpt-1.pt", "100,\"epoch\":1", "valid", "10:20:00")
					    END("0", "preempted", "\"step\":300,", "10:25:00"));
	load(dir, "a", &h);
	assert_int_equal(h.n, 1);
	assert_true(h.attempts[0].reached.has_step);
	assert_int_equal(h.attempts[0].reached.step, 300);
	assert_true(h.attempts[0].reached.has_epoch);
	assert_float_equal(h.attempts[0].reached.epoch, 2.5, 1e-9);
	ckpt_history_done(&h);
}

/* What attempts lose that are built on each other: nothing is counted twice. */
static void test_history__lost_time_along_the_way(void **state)
{
	static const struct {
		const char *third;
		int64_t lost_s;
	} rows[] = {
		/* the second saved nothing, the third begins where it began */
		{ "/x/ckpt-1.pt", 7 * 60 },
		/* from nothing: what the second did, and what the first had done until ckpt-1 */
		{ "", 7 * 60 + 10 * 60 },
		/* never seen: not known */
		{ "/x/ckpt-9.pt", CKPT_HISTORY_UNKNOWN },
	};
	char text[8192];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_history h;

		snprintf(text, sizeof(text),
			 TWO_ATTEMPTS END("1", "exit-code", "", "10:37:30")
				 DECISION("2", "%s", "%s", "", "10:40:00"),
			 *rows[i].third ? "resume" : "fresh", rows[i].third);
		scratch_put(((struct scratch *)*state)->fd, LEDGER, text);
		load(*state, "a", &h);
		assert_int_equal(h.n, 3);
		/* until 10:37:30 from 10:30:30 */
		assert_int_equal(h.attempts[2].lost_s, rows[i].lost_s);
		ckpt_history_done(&h);
	}
}

static void test_history__union_of_ledgers(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER, TWO_ATTEMPTS);
	/* the same of another directory, stamped later; and what only that one has */
	scratch_put(dir->fd, "b/.ckpt-resume/ledger.jsonl",
		    DECISION("0", "fresh", "", "", "10:00:09")
			    SAVED("0", "ckpt-1.pt", "100", "valid", "10:10:09")
				    SAVED("0", "ckpt-1.pt", "100", "valid", "10:11:09")
					    END("1", "finished", "", "11:00:00"));
	assert_int_equal(mkdirat(dir->fd, "c", 0700), 0);
	load(dir, "abcd", &h);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.error, 0);
	assert_int_equal(h.attempts[0].valid, 2);
	assert_int_equal(h.attempts[0].n_saved, 3);
	assert_string_equal(h.attempts[1].cause, "finished");
	ckpt_history_done(&h);
	load(dir, "ba", &h);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.attempts[0].attempt, 0);
	assert_int_equal(h.attempts[0].n_saved, 3);
	ckpt_history_done(&h);
}

#define REQUEUE(n, why, clock)                                                                     \
	"{\"event\":\"requeue\"," WHO(n) "\"why\":\"" why "\"," AT(clock) "}\n"

/* A note that two ledgers hold is one; another reason is another note. */
static void test_history__union_of_notes(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER, REQUEUE("0", "stall", "10:01:00"));
	scratch_put(dir->fd, "b/.ckpt-resume/ledger.jsonl",
		    REQUEUE("0", "stall", "10:01:00") REQUEUE("0", "refused", "10:02:00"));
	load(dir, "ab", &h);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.attempts[0].n_notes, 2);
	assert_string_equal(h.attempts[0].notes[0].why, "stall");
	assert_string_equal(h.attempts[0].notes[1].why, "refused");
	ckpt_history_done(&h);
}

/* What we requeued for is told for the cause, unless slurmctld refused or Slurm knows better. */
static void test_history__causes_of_our_requeues(void **state)
{
	static const char *const causes[] = { "stalled", "time-limit", "finished", "preempted",
					      "requeued" };
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    REQUEUE("0", "stall", "10:01:00") END("0", "requeued", "", "10:02:00") REQUEUE(
			    "1", "refused", "10:03:00") REQUEUE("1", "time-limit", "10:04:00")
			    END("1", "finished", "", "10:05:00") REQUEUE("2", "stall", "10:06:00")
				    REQUEUE("2", "refused", "10:07:00") END("2", "finished", "",
									    "10:08:00")
					    REQUEUE("3", "stall", "10:09:00") END("3", "preempted",
										  "", "10:10:00")
						    END("4", "requeued", "", "10:11:00")
							    REQUEUE("5", "stall", "10:12:00"));
	load(dir, "a", &h);
	assert_int_equal(h.n, 6);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		assert_string_equal(h.attempts[i].cause, causes[i]);
	assert_string_equal(h.attempts[5].cause, ""); /* it still saves */
	ckpt_history_done(&h);
}

static void test_history__clocks_that_go_backwards(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    DECISION("0", "fresh", "", "", "10:00:00") SAVED("0", "ckpt-1.pt", "100",
								     "valid", "12:00:00")
			    END("0", "preempted", "", "09:00:00")
				    DECISION("1", "resume", "/x/ckpt-1.pt", "\"step\":100,",
					     "08:00:00") "{\"event\":\"end\",\"job_id\":7,"
							 "\"attempt\":1,\"node\":\"n2\",\"cause\":"
							 "\"finished\"," AT("10:00:00") "}\n");
	load(dir, "a", &h);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.attempts[0].ran_s, CKPT_HISTORY_UNKNOWN);
	assert_int_equal(h.attempts[1].waited_s, CKPT_HISTORY_UNKNOWN);
	assert_int_equal(h.attempts[1].lost_s, CKPT_HISTORY_UNKNOWN);
	/* two nodes' clocks say nothing about how long it ran */
	assert_int_equal(h.attempts[1].ran_s, CKPT_HISTORY_UNKNOWN);
	assert_int_equal(h.attempts[1].attempt, 1);
	assert_false(ckpt_history_sum(&h).has_goodput);
	ckpt_history_done(&h);
}

static void test_history__torn_and_foreign_lines(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    "{\"event\":\"deci\n[1]\n{\"a\":1}\n{\"event\":\"x\"}\n"
		    "{\"event\":\"end\",\"job_id\":-1,\"attempt\":0}\n"
		    "{\"event\":\"quarantine\",\"id\":\"1\",\"set\":\"s\"}\n" TWO_ATTEMPTS
		    "{\"event\":\"hold\"," WHO("1") "\"why\":\"enough\"," AT(
			    "99:99:99") "}\n"
					"{\"event\":\"end\"");
	load(dir, "a", &h);
	assert_int_equal(h.torn, 3);
	assert_int_equal(h.foreign, 3);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.attempts[1].n_notes, 1);
	assert_string_equal(h.attempts[1].notes[0].why, "enough");
	assert_int_equal(h.attempts[1].notes[0].at, CKPT_HISTORY_UNKNOWN);
	ckpt_history_done(&h);
}

/* Job ids repeat, and jobs run side by side; the step's decision stands above the prolog's; the
 * next start tells the cause that nobody recorded. */
static void test_history__which_attempt(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    TWO_ATTEMPTS
		    "{\"event\":\"decision\",\"job_id\":7,\"cluster\":\"c\",\"attempt\":0,"
		    "\"run\":\"r2\",\"mode\":\"fresh\"}\n"
		    "{\"event\":\"decision\",\"job_id\":8,\"cluster\":\"c\",\"attempt\":0,"
		    "\"run\":\"r3\",\"mode\":\"fresh\"}\n"
		    "{\"event\":\"decision\"," WHO(
			    "2") "\"where\":\"prolog\",\"mode\":\"resume\","
				 "\"path\":\"/x/p\",\"reason\":\"node-fail\"," AT(
					 "11:00:00") "}\n" DECISION("2", "resume", "/x/s",
								    "\"reason\":\"node-fail\",",
								    "11:00:05")
					 DECISION("2", "resume", "/x/t", "", "11:10:05"));
	load(dir, "a", &h);
	assert_int_equal(h.n, 5);
	assert_string_equal(h.attempts[2].from, "/x/s");
	assert_int_equal(h.attempts[2].attempt, 2);
	assert_string_equal(h.attempts[1].cause, "node-fail");
	assert_true(h.attempts[1].cause_told);
	assert_null(ckpt_history_before(&h, &h.attempts[3]));
	assert_string_equal(h.attempts[3].run, "r2");
	ckpt_history_keep_job(&h, 8);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.attempts[0].run, "r3");
	ckpt_history_done(&h);
}

/* A line without a cluster or a run is of the last job that it does not contradict; no two attempts
 * of a group have one number, whatever such lines lie between. */
static void test_history__lines_that_say_less(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(
		dir->fd, LEDGER,
		"{\"event\":\"end\",\"job_id\":7,\"attempt\":0,\"run\":\"x\"}\n"
		"{\"event\":\"end\",\"job_id\":7,\"attempt\":1,\"cluster\":\"c\"}\n"
		"{\"event\":\"end\",\"job_id\":7,\"attempt\":0,\"cluster\":\"c\",\"run\":\"y\"}\n"
		"{\"event\":\"end\",\"job_id\":7,\"attempt\":1}\n");
	load(dir, "a", &h);
	assert_int_equal(h.n, 4);
	assert_string_equal(h.attempts[0].run, "x");
	assert_string_equal(h.attempts[1].run, "x");
	assert_string_equal(h.attempts[0].cluster, "c");
	assert_ptr_equal(ckpt_history_before(&h, &h.attempts[1]), &h.attempts[0]);
	assert_null(ckpt_history_before(&h, &h.attempts[2]));
	assert_string_equal(h.attempts[3].run, "y");
	ckpt_history_done(&h);
}

/* Where nobody watched, the next decision's trail tells how far it had come. */
static void test_history__reached_by_what_was_rejected(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    DECISION("0", "fresh", "", "", "10:00:00") END("0", "preempted",
								   "\"step\":100,", "10:25:00")
			    DECISION("1", "resume", "/x/ckpt-1.pt", "\"step\":100,", "10:30:30"));
	scratch_put(dir->fd, STATE "decision-c-7-1.json",
		    "{\"trail\":[{\"fate\":\"rejected\",\"newer\":true,\"checkpoint\":"
		    "{\"step\":300,\"epoch\":3}},{\"fate\":\"rejected\",\"newer\":false,"
		    "\"checkpoint\":{\"step\":900}},{\"fate\":\"chosen\",\"newer\":true,"
		    "\"checkpoint\":{\"step\":800}}]}");
	load(dir, "a", &h);
	assert_int_equal(h.attempts[0].reached.step, 300);
	assert_float_equal(h.attempts[0].reached.epoch, 3, 0);
	assert_int_equal(h.attempts[0].rejected, 1);
	assert_int_equal(h.attempts[1].lost_steps, 200);
	assert_false(h.attempts[1].has_lost_epochs);
	ckpt_history_done(&h);
}

#define PASSED(list) "\"rejected\":[" list "],"
#define NAMED(name, verdict, problem)                                                              \
	"{\"name\":\"" name "\",\"verdict\":\"" verdict "\",\"problem\":\"" problem "\"}"

/* What the next start rejected, its companion saw whole, saw damaged, or never saw. */
static void test_history__what_a_start_rejected(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_history_attempt *a;
	struct ckpt_history h;

	scratch_put(
		dir->fd, LEDGER,
		TWO_ATTEMPTS SAVED("1", "ckpt-3.pt", "300", "valid",
				   "10:40:00") END("1", "node-fail", "", "10:45:00")
			DECISION("2", "resume", "/x/ckpt-1.pt",
				 PASSED(NAMED("ckpt-4.pt", "incomplete", "truncated") "," NAMED(
					 "ckpt-3.pt", "corrupt",
					 "checksum") "," NAMED("ckpt-2.pt", "corrupt", "digest")),
				 "10:50:00"));
	/* told twice, by a ledger that had the checkpoint before */
	scratch_put(dir->fd, "b/.ckpt-resume/ledger.jsonl",
		    SAVED("1", "ckpt-3.pt", "300", "valid", "10:40:00") DECISION(
			    "2", "resume", "/x/ckpt-1.pt",
			    PASSED(NAMED("ckpt-3.pt", "corrupt", "checksum")), "10:50:00"));
	load(dir, "ab", &h);
	a = h.attempts;
	assert_int_equal(h.n, 3);
	assert_int_equal(a[0].n_saved, 2);
	assert_int_equal(a[0].rejected, 1);
	assert_string_equal(a[0].saved[1].problem, "");
	assert_int_equal(a[1].n_saved, 2);
	assert_int_equal(a[1].valid, 0);
	assert_int_equal(a[1].rejected, 2);
	assert_string_equal(a[1].to, "");
	assert_string_equal(a[1].saved[0].name, "ckpt-3.pt");
	assert_string_equal(a[1].saved[0].verdict, "corrupt");
	assert_string_equal(a[1].saved[0].problem, "checksum");
	assert_int_equal(a[1].saved[0].position.step, 300);
	assert_string_equal(a[1].saved[1].name, "ckpt-4.pt");
	assert_string_equal(a[1].saved[1].verdict, "incomplete");
	assert_string_equal(a[1].saved[1].problem, "truncated");
	assert_int_equal(a[1].saved[1].at, CKPT_HISTORY_UNKNOWN);
	assert_int_equal(ckpt_history_sum(&h).rejected, 3);
	ckpt_history_done(&h);
}

/* What stays where it is (Quarantine=mark) is each start's to reject, and one attempt's; a run's
 * first start found it there. A line that was cut short changes nothing. */
static void test_history__rejected_again(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    DECISION("0", "fresh", "", PASSED(NAMED("old.pt", "corrupt", "checksum")),
			     "10:00:00")
			    DECISION("1", "fresh", "",
				     PASSED(NAMED("a.pt", "rejected", "non-finite") "," NAMED(
					     "old.pt", "corrupt", "checksum")),
				     "10:10:00")
				    DECISION("2", "fresh", "",
					     PASSED("3,{\"name\":7},{}," NAMED("a.pt", "x", "")),
					     "10:20:00") DECISION("3", "fresh", "",
								  "\"n_rejected\":4,", "10:30:00"));
	load(dir, "a", &h);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.attempts[0].n_saved, 1);
	assert_string_equal(h.attempts[0].saved[0].name, "a.pt");
	assert_string_equal(h.attempts[0].saved[0].verdict, "rejected");
	assert_string_equal(h.attempts[0].saved[0].problem, "non-finite");
	assert_int_equal(h.attempts[1].n_saved, 0);
	assert_int_equal(h.attempts[2].n_saved, 0);
	assert_int_equal(h.attempts[2].rejected, 0);
	ckpt_history_done(&h);
}

/* What the companion noted of a checkpoint is there for the table and the curve. */
static void test_history__what_is_known_of_a_checkpoint(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_history_saved *saved;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER,
		    "{\"event\":\"checkpoint\"," WHO(
			    "0") "\"name\":\"a.pt\",\"verdict\":\"valid\","
				 "\"size_bytes\":9,\"loss\":0.5,\"loss_key\":\"val\"," AT(
					 "10:00:00") "}\n"
						     "{\"event\":\"checkpoint\"," WHO(
							     "0") "\"name\":\"b.pt\",\"verdict\":"
								  "\"valid\","
								  "\"size_bytes\":-9," AT(
									  "10:01:00") "}\n");
	load(dir, "a", &h);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.attempts[0].n_saved, 2);
	saved = h.attempts[0].saved;
	assert_int_equal(saved[0].size, 9);
	assert_true(saved[0].position.has_loss);
	assert_float_equal(saved[0].position.loss, 0.5, 1e-9);
	assert_string_equal(saved[0].position.loss_key, "val");
	assert_int_equal(saved[1].size, 0);
	assert_false(saved[1].position.has_loss);
	ckpt_history_done(&h);
}

/* One ledger that cannot be read takes nothing from what another directory tells. */
static void test_history__one_ledger_of_two_is_unreadable(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, LEDGER, TWO_ATTEMPTS);
	scratch_put(dir->fd, "b/.ckpt-resume/ledger.jsonl/x", "");
	load(dir, "ba", &h);
	assert_true(h.error < 0);
	assert_non_null(strstr(h.error_text, "/b"));
	assert_int_equal(h.n, 2);
	ckpt_history_done(&h);
}

static void test_history__unreadable_is_said(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_history h;

	scratch_put(dir->fd, "e/.ckpt-resume", "no directory");
	load(dir, "e", &h);
	assert_true(h.error < 0);
	assert_non_null(strstr(h.error_text, "/e"));
	assert_int_equal(h.n, 0);
	ckpt_history_done(&h);
	load(dir, "z", &h);
	assert_int_equal(h.error, 0);
	assert_false(h.found);
	ckpt_history_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_history__lost_work),
		scratch_test(test_history__how_far_an_attempt_came),
		scratch_test(test_history__lost_time_along_the_way),
		scratch_test(test_history__union_of_ledgers),
		scratch_test(test_history__union_of_notes),
		scratch_test(test_history__causes_of_our_requeues),
		scratch_test(test_history__clocks_that_go_backwards),
		scratch_test(test_history__torn_and_foreign_lines),
		scratch_test(test_history__which_attempt),
		scratch_test(test_history__lines_that_say_less),
		scratch_test(test_history__reached_by_what_was_rejected),
		scratch_test(test_history__what_a_start_rejected),
		scratch_test(test_history__rejected_again),
		scratch_test(test_history__what_is_known_of_a_checkpoint),
		scratch_test(test_history__one_ledger_of_two_is_unreadable),
		scratch_test(test_history__unreadable_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
