/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The start of a job where another job's lease lies, on a clock of the test's own.
 */
#include "core/resolve/sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record/ledger.h"
#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"
#include "tests/unit/support/leases.h"

#define S ((int64_t)1000000000)

/* The other job, and what the test's clock does to it. */
static struct world {
	int fd; /* the state directory */
	int64_t now;
	struct ckpt_lease other;
	int64_t moves_until, ends_at; /* its counter moves; it releases (0: never) */
	int64_t looks;
	char said[4096];
} world;

static int64_t world_now(void *arg)
{
	(void)arg;
	return world.now;
}

static void world_nap(void *arg, int64_t ns)
{
	(void)arg;
	world.now += ns;
	world.looks++;
	if (world.now / (3 * S) != (world.now - ns) / (3 * S) && world.now < world.moves_until)
		world.other.counter++;
	world.other.released = world.ends_at && world.now >= world.ends_at;
	assert_int_equal(leases_put(world.fd, &world.other), 0);
}

static void world_say(void *arg, const char *text)
{
	size_t at = strlen(world.said);

	(void)arg;
	snprintf(world.said + at, sizeof(world.said) - at, "%s\n", text);
}

static const struct ckpt_seam seam = { .now_ns = world_now };
static struct ckpt_sharing sharing;

static void begin(const struct scratch *dir, struct ckpt_request *req, const char *share)
{
	int fd = ckpt_state_make(dir->fd, NULL);

	assert_true(fd >= 0);
	world = (struct world) { .fd = fd, .now = 900 * S, .moves_until = 1000000 * S };
	world.other = (struct ckpt_lease) {
		.cluster = "test", .job_id = 99, .attempt = 2, .host = "n9", .boot = "b9", .pid = 4
	};
	ATTEMPT_SET(req->share, share);
	ATTEMPT_SET(req->node, "n1");
	req->share_wait_ms = 60000;
	req->lease = 1;
	assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
	sharing.say = world_say;
	sharing.nap = world_nap;
}

static int await(const struct ckpt_request *req)
{
	struct ckpt_ctx ctx = { .seam = &seam };

	return ckpt_sharing_await(&ctx, &sharing, req);
}

static struct ckpt_request *request_of(const struct scratch *dir, const char *share)
{
	struct ckpt_request *req = attempt_request(dir, 1);

	begin(dir, req, share);
	return req;
}

/* What costs a start nothing: not one look more, and not one word. */
static void test_sharing__free(void **state)
{
	static const struct {
		int64_t job, attempt;
		bool released;
	} cases[] = { { 99, 2, true },
		      { ATTEMPT_JOB, 0, false },
		      { ATTEMPT_JOB, 0, true },
		      { ATTEMPT_JOB, 1, false } };
	static const char *const shares[] = { "wait", "requeue", "yes", "" };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < 4 * 4; i++) {
		_cleanup_free_ struct ckpt_request *req = request_of(dir, shares[i / 4]);

		world.other.job_id = cases[i % 4].job;
		world.other.attempt = cases[i % 4].attempt;
		world.other.released = cases[i % 4].released;
		unlinkat(world.fd, CKPT_LEASE, 0);
		assert_int_equal(await(req), 0);
		assert_int_equal(leases_put(world.fd, &world.other), 0);
		assert_false(ckpt_sharing_is_taken(&sharing));
		assert_int_equal(await(req), 0);
		assert_int_equal(world.looks, 0);
		assert_string_equal(world.said, "");
		close(world.fd);
	}
}

/* What a live, a dead and an ending holder make of each word. */
static void test_sharing__answers(void **state)
{
	static const struct {
		const char *share;
		int64_t moves_s, ends_s; /* after the beginning */
		int result;
		int64_t least_s, most_s;
		const char *said, *not_said;
	} cases[] = {
		{ "wait", 9999, 0, CKPT_SHARING_BUSY, 60, 61,
		  "job 99 (attempt 2 on n9) is at work in", "ended" },
		{ "wait", 9999, 30, 0, 30, 31, "has ended", "shows no life" },
		{ "wait", 0, 0, 0, 15, 16, "shows no life", "waiting" },
		{ "wait", 20, 0, 0, 30, 35, "shows no life", "has ended" },
		{ "requeue", 9999, 0, CKPT_SHARING_BUSY, 0, 4, "", "waiting" },
		{ "requeue", 0, 0, 0, 15, 16, "shows no life", "waiting" },
		{ "requeue", 0, 2, 0, 2, 3, "", "waiting" },
		{ "yes", 9999, 0, 0, 0, 0, "going on beside it", "waiting" },
		{ "", 9999, 0, CKPT_SHARING_BUSY, 60, 61, "waiting", "ended" },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_free_ struct ckpt_request *req = request_of(dir, cases[i].share);
		int64_t start = world.now;

		world.moves_until = cases[i].moves_s ? start + cases[i].moves_s * S : 0;
		world.ends_at = cases[i].ends_s ? start + cases[i].ends_s * S : 0;
		assert_int_equal(leases_put(world.fd, &world.other), 0);
		assert_true(ckpt_sharing_is_taken(&sharing));
		if (await(req) != cases[i].result || !strstr(world.said, cases[i].said) ||
		    strstr(world.said, cases[i].not_said) ||
		    world.now - start < cases[i].least_s * S ||
		    world.now - start > cases[i].most_s * S)
			fail_msg("case %zu: %lld s, said: %s", i,
				 (long long)((world.now - start) / S), world.said);
		close(world.fd);
	}
}

static void test_sharing__what_cannot_be_read(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = request_of(dir, "wait");

	scratch_put(world.fd, CKPT_LEASE, "{");
	assert_false(ckpt_sharing_is_taken(&sharing));
	assert_int_equal(await(req), 0);
	assert_non_null(strstr(world.said, "cannot be told"));
	assert_int_equal(world.looks, 0);
	close(world.fd);
}

static void test_sharing__claims(void **state)
{
	static const struct {
		int64_t job, attempt;
		bool released;
		int claimed;
	} cases[] = {
		{ ATTEMPT_JOB, 0, false, 1 }, { ATTEMPT_JOB, 1, false, 1 },
		{ ATTEMPT_JOB, 2, false, 0 }, /* ours was overtaken */
		{ 99, 0, true, 1 },	      { 99, 0, false, 0 },
	};
	const struct scratch *dir = *state;
	struct ckpt_lease got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_free_ struct ckpt_request *req = request_of(dir, "yes");

		world.other.job_id = cases[i].job;
		world.other.attempt = cases[i].attempt;
		world.other.released = cases[i].released;
		assert_int_equal(leases_put(world.fd, &world.other), 0);
		if (ckpt_sharing_claim(&sharing, false) != cases[i].claimed)
			fail_msg("case %zu", i);
		assert_int_equal(ckpt_lease_load(world.fd, &got, NULL), 0);
		assert_int_equal(got.job_id, cases[i].claimed ? ATTEMPT_JOB : cases[i].job);
		assert_true(!cases[i].claimed || (got.pid == 0 && !got.released));
		ckpt_sharing_release(&sharing);
		assert_int_equal(ckpt_lease_load(world.fd, &got, NULL), 0);
		assert_int_equal(got.released, cases[i].claimed || cases[i].released);
		close(world.fd);
	}
}

/* Dead is who was watched, not who has come since; and no wait begins anew. */
static void test_sharing__who_was_found_dead(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = request_of(dir, "wait");
	struct ckpt_lease left;
	int64_t start;

	world.moves_until = 0;
	assert_int_equal(leases_put(world.fd, &world.other), 0);
	assert_true(ckpt_sharing_is_taken(&sharing));
	assert_int_equal(await(req), 0);
	assert_false(ckpt_sharing_is_taken(&sharing));
	world.other.job_id++; /* a third job takes it meanwhile */
	assert_int_equal(leases_put(world.fd, &world.other), 0);
	assert_true(ckpt_sharing_is_taken(&sharing));
	assert_int_equal(ckpt_sharing_claim(&sharing, false), 0);
	assert_int_equal(ckpt_lease_load(world.fd, &left, NULL), 0);
	assert_int_equal(left.job_id, 100);
	world.moves_until = 1000000 * S;
	start = world.now;
	assert_int_equal(await(req), CKPT_SHARING_BUSY);
	assert_true(world.now - start <= 46 * S); /* of 60 s, 15 were spent */
	close(world.fd);
}

/* Two jobs that name the same directories in two orders take them in one: neither holds what the
 * other waits for. */
static void test_sharing__one_order_for_all(void **state)
{
	static const char *const orders[] = { "b:a", "a:b" };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ struct ckpt_request *req = request_of(dir, "wait");

		ATTEMPT_SET(req->dirs, orders[i]);
		close(world.fd);
		assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
		assert_int_equal(sharing.n, 2);
		assert_string_equal(strrchr(sharing.dirs[0], '/'), "/a");
		assert_string_equal(strrchr(sharing.dirs[1], '/'), "/b");
	}
}

/* Of two places the one that is waited for is told of, not the one that was looked at last. */
static void test_sharing__tells_of_who_is_waited_for(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = request_of(dir, "wait");
	_cleanup_close_ int a = -1, b = -1;
	struct ckpt_lease own = world.other;

	close(world.fd);
	ATTEMPT_SET(req->dirs, "a:b");
	assert_int_equal(mkdirat(dir->fd, "a", 0755), 0);
	assert_int_equal(mkdirat(dir->fd, "b", 0755), 0);
	a = openat(dir->fd, "a", O_RDONLY | O_DIRECTORY);
	b = openat(dir->fd, "b", O_RDONLY | O_DIRECTORY);
	world.fd = ckpt_state_make(a, NULL);
	world.moves_until = 0;
	assert_int_equal(leases_put(world.fd, &world.other), 0);
	own.job_id = ATTEMPT_JOB;
	own.attempt = 0;
	close(a);
	a = ckpt_state_make(b, NULL);
	assert_int_equal(leases_put(a, &own), 0);
	assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
	sharing.say = world_say;
	sharing.nap = world_nap;
	assert_int_equal(await(req), 0);
	assert_non_null(strstr(world.said, "job 99 (attempt 2 on n9) left its lease of "));
	close(world.fd);
}

/* Nothing is made where nothing was, unless the attempt begins the run. */
static void test_sharing__makes_nothing_unasked(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = attempt_request(dir, 0);
	char below[CKPT_PATH_MAX];

	snprintf(below, sizeof(below), "%s/a/b", dir->path);
	ATTEMPT_SET(req->dirs, below);
	assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
	assert_int_equal(ckpt_sharing_claim(&sharing, false), 0);
	assert_int_equal(scratch_count(dir->fd), 0);
	assert_int_equal(ckpt_sharing_claim(&sharing, true), 1);
	assert_true(scratch_has(dir->fd, "a/b/.ckpt-resume/lease.json"));
}

static void test_sharing__another_place_for_the_state(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = attempt_request(dir, 0);

	snprintf(req->state, sizeof(req->state), "%s/state", dir->path);
	assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
	assert_int_equal(ckpt_sharing_claim(&sharing, true), 1);
	assert_true(scratch_has(dir->fd, "state/.ckpt-resume/lease.json"));
	req->job_id = 0; /* not in a job: nobody would keep it */
	assert_int_equal(ckpt_sharing_init(&sharing, req), 0);
	assert_int_equal(ckpt_sharing_claim(&sharing, true), 0);
}

/* An attempt that stood back has begun nothing: the next one is the first, in its own mode. */
static void test_sharing__an_attempt_that_stood_back(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	const struct scratch *dir = *state;
	_cleanup_free_ struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };

	req->job_id = 99;
	attempt_settle(req, d); /* the other job's mark and ledger */
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	req->job_id = ATTEMPT_JOB;
	begin(dir, req, "wait");
	sharing.holder = world.other;
	assert_int_equal(ckpt_resolve_place(&ctx, req, &res, NULL), 0);
	ckpt_sharing_refuse(&sharing, &res);
	assert_int_equal(ckpt_decision_check(&res.decision, NULL), 0);
	assert_int_equal(res.decision.refusal, CKPT_REFUSE_BUSY);
	assert_int_equal(res.decision.holder, 99);
	assert_non_null(strstr(res.decision.line, "job 99 (attempt 2 on n9) is at work in"));
	ckpt_settle(&ctx, req, &res);
	attempt_make(dir, 1, "fresh", d);
	assert_string_equal(d->mode, "fresh");
	assert_string_equal(d->reason, "first-start");
	attempt_make(dir, 2, "fresh", d);
	assert_string_not_equal(d->reason, "first-start");
	close(world.fd);
}

static void test_sharing__standing_back_is_no_restart(void **state)
{
	static const struct {
		int64_t attempt, refusal;
		int64_t restarts;
	} rows[] = { { 0, 0, 0 },
		     { 1, CKPT_REFUSE_BUSY, 0 },
		     { 2, CKPT_REFUSE_BUSY, 0 },
		     { 3, 0, 1 },
		     { 4, CKPT_REFUSE_UNKNOWN, 2 } };
	struct ckpt_past past = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		cJSON *entry = cJSON_CreateObject();

		cJSON_AddStringToObject(entry, "event", "decision");
		cJSON_AddNumberToObject(entry, "attempt", (double)rows[i].attempt);
		cJSON_AddStringToObject(entry, "mode", rows[i].refusal ? "refused" : "fresh");
		cJSON_AddNumberToObject(entry, "refusal", (double)rows[i].refusal);
		assert_int_equal(ckpt_past_take(&past, entry), 0);
		cJSON_Delete(entry);
		assert_int_equal(ckpt_past_restarts(&past, rows[i].attempt), rows[i].restarts);
	}
	ckpt_past_done(&past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_sharing__free),
		scratch_test(test_sharing__answers),
		scratch_test(test_sharing__what_cannot_be_read),
		scratch_test(test_sharing__claims),
		scratch_test(test_sharing__who_was_found_dead),
		scratch_test(test_sharing__one_order_for_all),
		scratch_test(test_sharing__tells_of_who_is_waited_for),
		scratch_test(test_sharing__makes_nothing_unasked),
		scratch_test(test_sharing__another_place_for_the_state),
		scratch_test(test_sharing__an_attempt_that_stood_back),
		scratch_test(test_sharing__standing_back_is_no_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
