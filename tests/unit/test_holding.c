/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping a lease: who takes it from whom, and what never ends a job.
 */
#include "core/watch/holding.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/support/leases.h"
#include "tests/unit/support/scratch.h"

#define S ((int64_t)1000000000)

static int64_t now = 5000 * S;

/* Of a node elsewhere, so that watching alone tells whether it lives. */
static struct ckpt_lease lease_of(int64_t job, int64_t attempt)
{
	struct ckpt_lease lease = {
		.cluster = "test", .job_id = job, .attempt = attempt, .host = "n2", .pid = 77
	};

	snprintf(lease.boot, sizeof(lease.boot), "boot-of-n2");
	return lease;
}

static struct ckpt_lease mine_of(int64_t attempt)
{
	struct ckpt_lease lease = lease_of(7, attempt);

	snprintf(lease.host, sizeof(lease.host), "n1");
	ckpt_lease_sign(&lease);
	return lease;
}

static enum ckpt_holding_state step(struct ckpt_holding *keep, int fd, struct ckpt_lease *mine)
{
	struct ckpt_lease other;

	return ckpt_holding_step(keep, fd, mine, now += 3 * S, &other);
}

static struct ckpt_lease load(int fd)
{
	struct ckpt_lease lease = { 0 };

	assert_int_equal(ckpt_lease_load(fd, &lease, NULL), 0);
	return lease;
}

static void test_holding__takes_and_renews(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), before;
	struct ckpt_holding keep = { 0 };
	struct stat a, b;

	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(fstatat(s->fd, CKPT_LEASE, &a, 0), 0);
	for (int i = 0; i < 3; i++) {
		before = load(s->fd);
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
		assert_true(load(s->fd).counter > before.counter);
	}
	assert_int_equal(fstatat(s->fd, CKPT_LEASE, &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	/* removed by somebody: it comes again */
	assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(load(s->fd).attempt, 3);
}

/* What lies there when the attempt begins, and what becomes of it at the first step. */
static void test_holding__first_step(void **state)
{
	static const struct {
		int64_t job, attempt;
		bool released;
		enum ckpt_holding_state expected;
	} cases[] = {
		{ 7, 2, false, CKPT_HOLDING_HELD },  { 7, 2, true, CKPT_HOLDING_HELD },
		{ 7, 3, false, CKPT_HOLDING_HELD },  { 7, 4, false, CKPT_HOLDING_BLIND },
		{ 7, 4, true, CKPT_HOLDING_HELD },   { 8, 9, true, CKPT_HOLDING_HELD },
		{ 8, 9, false, CKPT_HOLDING_ASIDE },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ckpt_lease mine = mine_of(3),
				  there = lease_of(cases[i].job, cases[i].attempt);
		struct ckpt_holding keep = { 0 };

		there.released = cases[i].released;
		assert_int_equal(leases_put(s->fd, &there), 0);
		if (step(&keep, s->fd, &mine) != cases[i].expected)
			fail_msg("case %zu", i);
		assert_int_equal(load(s->fd).job_id == 7 && load(s->fd).attempt == 3,
				 cases[i].expected == CKPT_HOLDING_HELD);
	}
}

static void test_holding__a_later_attempt_has_it(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), later = lease_of(7, 4), other;
	struct ckpt_holding keep = { 0 };

	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(leases_put(s->fd, &later), 0);
	assert_int_equal(ckpt_holding_step(&keep, s->fd, &mine, now += S, &other),
			 CKPT_HOLDING_LOST);
	assert_int_equal(other.attempt, 4);
	assert_string_equal(other.host, "n2");
	assert_int_equal(load(s->fd).attempt, 4);
}

/* Job numbers come again: what a job of the same number left ends nobody who begins. */
static void test_holding__a_job_that_had_the_number_before(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(0), left = lease_of(7, 4);
	struct ckpt_holding keep = { 0 };

	assert_int_equal(leases_put(s->fd, &left), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD); /* 15 s without a move */
}

/* An attempt that could not see the place before: the later one is there and moves. */
static void test_holding__a_later_attempt_had_it_first(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), later = lease_of(7, 4);
	struct ckpt_holding keep = { 0 };

	assert_int_equal(leases_put(s->fd, &later), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
	later.counter++;
	assert_int_equal(leases_put(s->fd, &later), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_LOST);
	assert_int_equal(load(s->fd).attempt, 4);
}

/* The old attempt wrote between the new one's look and its take: the new one takes it again. */
static void test_holding__an_earlier_attempt_does_not_keep_it(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(4), earlier = lease_of(7, 3);
	struct ckpt_holding keep = { 0 };

	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(leases_put(s->fd, &earlier), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(load(s->fd).attempt, 4);
}

static void test_holding__another_job(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), other = lease_of(8, 99);
	struct ckpt_holding keep = { 0 };

	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	for (int i = 0; i < 20; i++) { /* it lives: it is neither taken from nor obeyed */
		other.counter++;
		assert_int_equal(leases_put(s->fd, &other), 0);
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_ASIDE);
		assert_false(keep.held);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_ASIDE);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD); /* 15 s without a move */
	assert_true(keep.held);
}

/* A file of somebody else's in a shared directory ends nobody's job. */
static void test_holding__another_owner(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), later = lease_of(7, 4);
	struct ckpt_holding keep = { 0 };

	if (geteuid() != 0) {
		skip();
		return;
	}
	assert_int_equal(leases_put(s->fd, &later), 0);
	assert_int_equal(fchownat(s->fd, CKPT_LEASE, 12345, 12345, 0), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
	assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_int_equal(leases_put(s->fd, &later), 0);
	assert_int_equal(fchownat(s->fd, CKPT_LEASE, 12345, 12345, 0), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
	/* a server that gives all files to one number: ours is no other's */
	keep.owner = 12345;
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_LOST);
}

/* Could not find out is no order to die. */
static void test_holding__blind(void **state)
{
	static const char *const garbage[] = { "", "{", "{\"version\": 2, \"attempt\": 9}" };
	const struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		struct ckpt_lease mine = mine_of(3);
		struct ckpt_holding keep = { 0 };

		assert_int_equal(step(&keep, -1, &mine), CKPT_HOLDING_BLIND);
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
		for (int n = 0; n < 40; n++)
			assert_int_equal(step(&keep, -1, &mine), CKPT_HOLDING_BLIND);
		scratch_put(s->fd, CKPT_LEASE, garbage[i]);
		for (int n = 0; n < 5; n++)
			assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
		assert_true(scratch_holds(s->fd, CKPT_LEASE, garbage[i]));
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
		assert_int_equal(load(s->fd).attempt, 3);
		assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	}
}

/* What is garbage for a moment only, and again later, did not stand all the time between. */
static void test_holding__garbage_that_comes_again(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), whole = lease_of(8, 1);
	struct ckpt_holding keep = { 0 };

	for (int n = 0; n < 10; n++) {
		scratch_put(s->fd, CKPT_LEASE, "{");
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
		whole.counter++;
		assert_int_equal(leases_put(s->fd, &whole), 0);
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_ASIDE);
	}
}

/* A holder on this machine whose process lives is not dead, however long its number stands still.
 */
static void test_holding__here_and_alive(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = mine_of(3), there = lease_of(8, 1);
	struct ckpt_holding keep = { 0 };

	snprintf(there.host, sizeof(there.host), "n1");
	ckpt_lease_sign(&there);
	assert_int_equal(leases_put(s->fd, &there), 0);
	for (int n = 0; n < 100; n++)
		assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_ASIDE);
	assert_int_equal(load(s->fd).job_id, 8);
}

/* No new file can be made, as on a full disk: what is there is renewed, what is not stays away. */
static void test_holding__no_room(void **state)
{
	const struct scratch *s = *state;
	struct rlimit none = { 0, RLIM_INFINITY };
	struct ckpt_lease mine = mine_of(3), before;
	struct ckpt_holding keep = { 0 };

	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	before = load(s->fd);
	assert_int_equal(fchmod(s->fd, 0500), 0);
	none.rlim_cur = 64; /* root makes files anyway */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
	assert_true(load(s->fd).counter > before.counter);
	assert_int_equal(fchmod(s->fd, 0700), 0);
	assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_BLIND);
	assert_int_equal(scratch_count(s->fd), 0); /* nothing half-written stays */
	none.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(step(&keep, s->fd, &mine), CKPT_HOLDING_HELD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_holding__takes_and_renews),
		scratch_test(test_holding__first_step),
		scratch_test(test_holding__a_later_attempt_has_it),
		scratch_test(test_holding__a_job_that_had_the_number_before),
		scratch_test(test_holding__a_later_attempt_had_it_first),
		scratch_test(test_holding__an_earlier_attempt_does_not_keep_it),
		scratch_test(test_holding__another_job),
		scratch_test(test_holding__another_owner),
		scratch_test(test_holding__blind),
		scratch_test(test_holding__garbage_that_comes_again),
		scratch_test(test_holding__here_and_alive),
		scratch_test(test_holding__no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
