/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several at one lease: each contender is a thread that stops at every system call by which it sees
 * or changes the directory, and goes on when the schedule says so. All ways in which one, two or
 * three others come in between are tried; some contenders die where they stand.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/temporary.h"
#include "core/resolve/sharing.h"
#include "core/watch/holding.h"
#include "tests/unit/support/attempt.h"
#include "tests/unit/support/leases.h"

#define S ((int64_t)1000000000)
#define LONG 1000 /* steps: to its end */
#define STEPS 48  /* no contender has more */
#define CONTENDERS 3

/* Who goes on, for how many steps. */
struct turn {
	int who, steps;
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	const struct turn *turn; /* the one that goes on now; the last has who < 0 */
	int left;		 /* steps of this turn */
	int steps[CONTENDERS], dies_at[CONTENDERS]; /* 0: it does not */
	int wrote[CONTENDERS];			    /* the step at which it first wrote a file */
	bool ended[CONTENDERS];
} play = { .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

static _Thread_local int self = -1; /* the contender that this thread is */

/* The next turn of somebody who is still there. */
static void next_turn(void)
{
	do
		play.turn++;
	while (play.turn->who >= 0 && play.ended[play.turn->who]);
	play.left = play.turn->steps;
	pthread_cond_broadcast(&play.moved);
}

static void wait_for_turn(void)
{
	while (play.turn->who != self)
		pthread_cond_wait(&play.moved, &play.mutex);
}

static void end(void)
{
	play.ended[self] = true;
	next_turn();
	pthread_mutex_unlock(&play.mutex);
}

/* One step of the contender. */
static void step(void)
{
	if (self < 0)
		return;
	pthread_mutex_lock(&play.mutex);
	if (++play.steps[self] == play.dies_at[self]) {
		end();
		pthread_exit(NULL);
	}
	if (--play.left <= 0)
		next_turn();
	wait_for_turn();
	pthread_mutex_unlock(&play.mutex);
}

/* What the directory is seen and changed by. `no_links`: as a file system answers that has none. */
static bool no_links, loses_answers;
static int tears; /* so many reads come while somebody writes there */

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	int r = no_links ? (errno = EPERM, -1)
			 : (int)syscall(SYS_linkat, fromfd, from, tofd, to, flags);

	step();
	if (r == 0 && loses_answers) {
		errno = EEXIST;
		return -1;
	}
	return r;
}

int renameat(int fromfd, const char *from, int tofd, const char *to)
{
	int r = (int)syscall(SYS_renameat, fromfd, from, tofd, to);

	step();
	if (r == 0 && loses_answers) {
		errno = ENOENT;
		return -1;
	}
	return r;
}

int unlinkat(int fd, const char *name, int flags)
{
	int r = (int)syscall(SYS_unlinkat, fd, name, flags);

	step();
	return r;
}

ssize_t pread(int fd, void *buf, size_t n, off_t off)
{
	ssize_t r;

	step();
	r = syscall(SYS_pread64, fd, buf, n, off);
	if (tears > 0 && tears--)
		*(char *)buf = '}';
	step();
	return r;
}

/* Of a temporary. */
ssize_t write(int fd, const void *buf, size_t n)
{
	ssize_t r = syscall(SYS_write, fd, buf, n);

	if (self >= 0 && !play.wrote[self])
		play.wrote[self] = play.steps[self] + 1;
	step();
	return r;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off)
{
	ssize_t r = syscall(SYS_pwrite64, fd, buf, n, off);

	step();
	return r;
}

enum role { START, CONFIRM, KEEP };

static struct contender {
	enum role role;
	struct ckpt_sharing sharing;
	bool started;
	struct ckpt_holding keep; /* of its companion */
	struct ckpt_lease mine;
} contenders[CONTENDERS];

/* As the agent's start asks before and after its decision. */
static bool takes(struct ckpt_sharing *sharing)
{
	ckpt_sharing_claim(sharing, true);
	if (!ckpt_sharing_is_taken(sharing))
		return true;
	ckpt_sharing_release(sharing);
	return false;
}

static enum ckpt_holding_state keep(struct contender *c, int64_t now_ns)
{
	_cleanup_close_ int statefd = ckpt_state_open_in(c->sharing.dirs[0], NULL);
	struct ckpt_lease other;

	return ckpt_holding_step(&c->keep, statefd, &c->mine, now_ns, &other);
}

static void *contend(void *arg)
{
	struct contender *c = arg;

	self = (int)(c - contenders);
	pthread_mutex_lock(&play.mutex);
	wait_for_turn();
	pthread_mutex_unlock(&play.mutex);
	if (c->role == KEEP)
		keep(c, 10 * S);
	else
		c->started = (c->role == CONFIRM || takes(&c->sharing)) && takes(&c->sharing);
	if (c->started && c->role == CONFIRM)
		keep(c, 10 * S);
	pthread_mutex_lock(&play.mutex);
	end();
	return NULL;
}

/* Plays @turns with the first @n contenders; all are at their ends then. */
static void run(const struct turn *turns, int n)
{
	pthread_t threads[CONTENDERS];

	play.turn = turns;
	play.left = turns->steps;
	if (play.left == 0)
		next_turn();
	for (int i = 0; i < n; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contend, &contenders[i]), 0);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

/* What lies there when they begin. */
enum scene { NOTHING, RELEASED, DEAD, EARLIER, GIVEN_UP, MOVING, OUTLIVED, SCENES };

static struct ckpt_lease lease_of(int64_t job, int64_t attempt)
{
	struct ckpt_lease lease = { .cluster = "test",
				    .job_id = job,
				    .attempt = attempt,
				    .host = "n9",
				    .boot = "b9",
				    .pid = 4,
				    .counter = 7 };

	return lease;
}

/* Contender @i has watched @lease for as long as makes it dead. */
static void give_up(int i, const struct ckpt_lease *lease)
{
	int64_t now = 100 * S;

	while (ckpt_lease_watch(&contenders[i].sharing.sights[0], lease, now) != CKPT_LEASE_DEAD)
		now += S;
}

/* The jobs are 7, 8 and 9; attempt 1 of them. */
static void enter(const struct scratch *dir, int i)
{
	_cleanup_free_ struct ckpt_request *req = attempt_request(dir, 1);
	struct contender *c = &contenders[i];

	memset(c, 0, sizeof(*c));
	req->job_id = 7 + i;
	ATTEMPT_SET(req->node, "n1");
	assert_int_equal(ckpt_sharing_init(&c->sharing, req), 0);
	c->mine = c->sharing.mine;
	snprintf(c->mine.run, sizeof(c->mine.run), "00ff%d", i);
}

/* The second contender's: its claim, given up by the others; or its companion's lease, likewise, of
 * which OUTLIVED is one of the first contender's job. */
static void lie_in_wait(enum scene scene, struct ckpt_lease *lease)
{
	struct contender *c = &contenders[1];

	if (scene == OUTLIVED) {
		c->mine.job_id = 7;
		c->mine.attempt = 0;
		c->mine.run[0] = '\0';
	}
	*lease = c->mine;
	lease->counter = 1;
	if (scene >= MOVING) {
		c->role = KEEP;
		c->keep.held = c->keep.has_owner = true;
		c->keep.owner = geteuid();
		return;
	}
	c->role = CONFIRM;
	c->sharing.claims = 1;
	lease->run[0] = '\0';
	lease->pid = lease->started = 0;
}

static void empty(int dirfd)
{
	_cleanup_closedir_ DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY));
	const struct dirent *entry;

	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd, entry->d_name, 0);
}

static void set(const struct scratch *dir, enum scene scene)
{
	int statefd = ckpt_state_make(dir->fd, NULL);
	struct ckpt_lease lease = lease_of(scene == EARLIER ? 7 : 5, 0);

	empty(statefd);
	memset(play.steps, 0, sizeof(play.steps));
	memset(play.wrote, 0, sizeof(play.wrote));
	memset(play.dies_at, 0, sizeof(play.dies_at));
	memset(play.ended, 0, sizeof(play.ended));
	for (int i = 0; i < CONTENDERS; i++)
		enter(dir, i);
	if (scene >= GIVEN_UP)
		lie_in_wait(scene, &lease);
	lease.released = scene == RELEASED;
	if (scene != NOTHING)
		assert_int_equal(leases_put(statefd, &lease), 0);
	for (int i = 0; i < CONTENDERS && scene >= DEAD; i++)
		give_up(i, &lease);
	close(statefd);
}

static int started(void)
{
	int n = 0;

	for (int i = 0; i < CONTENDERS; i++)
		n += contenders[i].started;
	return n;
}

/* Loads the lease that lies in @dir. */
static int load(const struct scratch *dir, struct ckpt_lease *ret)
{
	_cleanup_close_ int statefd = ckpt_state_open(dir->fd, NULL);

	return ckpt_lease_load(statefd, ret, NULL);
}

/* How many files lie beside it. */
static int litter(const struct scratch *dir)
{
	_cleanup_close_ int statefd = ckpt_state_open(dir->fd, NULL);

	return scratch_count(statefd) - scratch_has(statefd, CKPT_LEASE);
}

static char *tell(enum scene scene, const struct turn *turns)
{
	static char text[200];
	int at = snprintf(text, sizeof(text), "scene %d:", (int)scene);

	for (; turns->who >= 0; turns++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %c%d", 'A' + turns->who,
			       turns->steps);
	return text;
}

/* The lease is that of the one who started, and no companion of another believes to hold it. */
static void check_holder(const struct scratch *dir, const char *what)
{
	struct ckpt_lease there;

	assert_int_equal(load(dir, &there), 0);
	for (int i = 0; i < CONTENDERS; i++) {
		struct contender *c = &contenders[i];

		if (c->started && (there.job_id != 7 + i || there.released))
			fail_msg("%s: %c has started, the lease is of %lld", what, 'A' + i,
				 (long long)there.job_id);
		if (!c->started && c->role == KEEP && started() &&
		    keep(c, 13 * S) == CKPT_HOLDING_HELD)
			fail_msg("%s: %c goes on holding", what, 'A' + i);
	}
}

static void play_two(const struct scratch *dir, enum scene scene, const struct turn *turns)
{
	const char *what = tell(scene, turns);
	struct ckpt_lease there;

	set(dir, scene);
	run(turns, 2);
	assert_true(play.steps[0] < STEPS && play.steps[1] < STEPS);
	if (started() != 1 && (scene != MOVING || started() != 0))
		fail_msg("%s: %d started", what, started());
	check_holder(dir, what);
	if (scene == MOVING && !started()) /* the holder was seen to live */
		assert_true(load(dir, &there) == 0 && there.job_id == 8 && there.counter > 1);
	if (litter(dir) != 0)
		fail_msg("%s: %d temporaries", what, litter(dir));
}

/* Two, and three changes between them at any place. */
static void test_lease_race__two(void **state)
{
	const struct scratch *dir = *state;

	for (enum scene scene = NOTHING; scene < SCENES; scene++)
		for (int a = 0; a == 0 || a <= play.steps[0]; a++)
			for (int b = 1; b == 1 || b <= play.steps[1]; b++) {
				const int c = 1 + (a * 7 + b * 5) % 11;
				const struct turn turns[] = { { 0, a },	   { 1, b },	{ 0, c },
							      { 1, LONG }, { 0, LONG }, { -1, 0 } };

				play_two(dir, scene, turns);
			}
}

/* The other one begins, and is stopped in the middle of something, twice. */
static void test_lease_race__the_other_first(void **state)
{
	const struct scratch *dir = *state;

	for (enum scene scene = NOTHING; scene < SCENES; scene++)
		for (int b = 1; b == 1 || b <= play.steps[1]; b++)
			for (int a = 1; a == 1 || a <= play.steps[0]; a++) {
				const struct turn turns[] = { { 1, b },	   { 0, a },	{ 1, 4 },
							      { 0, LONG }, { 1, LONG }, { -1, 0 } };

				play_two(dir, scene, turns);
			}
}

/*
 * A third one between the steps of two. Two may start only as lease.h says: the third one's whole
 * start lay in the first one's gap, who had moved the second one's lease by mistake.
 */
static int play_three(const struct scratch *dir, enum scene scene, const struct turn *turns)
{
	const char *what = tell(scene, turns);
	int n;

	set(dir, scene);
	run(turns, 3);
	n = started();
	if (litter(dir) != 0)
		fail_msg("%s: %d temporaries", what, litter(dir));
	if (n == 1)
		check_holder(dir, what);
	else if (n > 1 && !(turns[0].steps > play.wrote[0] && contenders[1].started &&
			    contenders[2].started && n == 2 && turns[3].who == 2 &&
			    turns[3].steps >= play.steps[2]))
		fail_msg("%s: %d started", what, n);
	return n;
}

static void test_lease_race__a_third_one_within_the_second(void **state)
{
	const struct scratch *dir = *state;

	for (enum scene scene = NOTHING; scene < MOVING; scene++)
		for (int a = 0; a == 0 || a <= play.steps[0]; a++)
			for (int b = 0; b == 0 || b <= play.steps[1]; b++) {
				const struct turn turns[] = { { 0, a },	   { 1, b },	{ 2, LONG },
							      { 1, LONG }, { 0, LONG }, { -1, 0 } };

				assert_int_equal(play_three(dir, scene, turns), 1);
			}
}

/* As often as it takes to see that the one way that lease.h names is there, and no other. */
static void test_lease_race__a_third_one_behind_the_second(void **state)
{
	static const int thirds[] = { 1, 3, 4, 6, 9, 13, LONG };
	const struct scratch *dir = *state;
	int beside = 0;

	for (enum scene scene = NOTHING; scene < MOVING; scene++)
		for (int a = 0; a == 0 || a <= play.steps[0]; a++)
			for (int i = 0; i < 7 * 8; i++) {
				const struct turn turns[] = {
					{ 0, a },	  { 1, LONG },
					{ 0, 1 + i % 8 }, { 2, thirds[i / 8] },
					{ 0, LONG },	  { 2, LONG },
					{ -1, 0 }
				};

				beside += play_three(dir, scene, turns) > 1;
			}
	assert_in_range(beside, 0, 24);
}

/* A lease is there for the next one at the latest when it was watched. */
static void check_goes_on(const struct scratch *dir, int i, const char *what)
{
	struct ckpt_lease there;

	enter(dir, i);
	if (load(dir, &there) == 0 && there.job_id != 7 + i)
		give_up(i, &there);
	if (!takes(&contenders[i].sharing))
		fail_msg("%s: %c cannot start", what, 'A' + i);
}

/* Whoever dies, wherever: a companion that lives has its lease again, and others can start. */
static void test_lease_race__one_dies(void **state)
{
	const struct scratch *dir = *state;

	for (enum scene scene = NOTHING; scene < SCENES; scene++)
		for (int a = 0; a == 0 || a <= play.steps[0]; a++)
			for (int k = 1; k < 12; k++) {
				const struct turn turns[] = {
					{ 0, a }, { 1, LONG }, { 0, LONG }, { -1, 0 }
				};
				const char *what = tell(scene, turns);
				struct contender *b = &contenders[1];
				int held = CKPT_HOLDING_BLIND;

				set(dir, scene);
				play.dies_at[0] = a + k;
				run(turns, 2);
				assert_true(litter(dir) <= 2);
				for (int n = 0; n < 10 && held != CKPT_HOLDING_HELD; n++)
					held = keep(b, (20 + 3 * n) * S);
				if (b->started || scene == MOVING)
					assert_int_equal(held, CKPT_HOLDING_HELD);
				check_goes_on(dir, 2, what);
			}
}

/* What one that died has left is no file that stays: its process is gone. */
static void test_lease_race__what_is_left_is_swept(void **state)
{
	const struct scratch *dir = *state;

	for (int at = 1; at < STEPS; at++) {
		const struct turn turns[] = { { 0, LONG }, { -1, 0 } };
		int statefd;
		pid_t pid;

		set(dir, RELEASED);
		pid = fork();
		if (pid == 0) {
			play.dies_at[0] = at;
			run(turns, 1);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		statefd = ckpt_state_open(dir->fd, NULL);
		ckpt_temporary_sweep(statefd, ".");
		close(statefd);
		assert_int_equal(litter(dir), 0);
		check_goes_on(dir, 1, "after the sweep");
	}
}

/* Two reads that fall into a write are not likely; one is. */
static void test_lease_race__read_while_it_is_written(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_lease there;

	set(dir, DEAD);
	tears = 1;
	assert_int_equal(load(dir, &there), 0);
	tears = 2;
	assert_int_equal(load(dir, &there), CKPT_STATE_TORN);
}

/* All scenes: the second comes in between any two steps of the first. */
static void play_all(const struct scratch *dir)
{
	for (enum scene scene = NOTHING; scene < SCENES; scene++)
		for (int a = 0; a == 0 || a <= play.steps[0]; a++) {
			const struct turn turns[] = {
				{ 0, a }, { 1, LONG }, { 0, LONG }, { -1, 0 }
			};

			play_two(dir, scene, turns);
		}
}

/* A server that did what it was asked and says, asked again, that it cannot be done. */
static void test_lease_race__lost_answers(void **state)
{
	const struct scratch *dir = *state;

	loses_answers = true;
	play_all(dir);
	loses_answers = false;
}

/* A file system without link(2), which can rename without replacing. */
static void test_lease_race__no_links(void **state)
{
	const struct scratch *dir = *state;

	no_links = true;
	play_all(dir);
	no_links = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_lease_race__two),
		scratch_test(test_lease_race__the_other_first),
		scratch_test(test_lease_race__a_third_one_within_the_second),
		scratch_test(test_lease_race__a_third_one_behind_the_second),
		scratch_test(test_lease_race__one_dies),
		scratch_test(test_lease_race__what_is_left_is_swept),
		scratch_test(test_lease_race__read_while_it_is_written),
		scratch_test(test_lease_race__lost_answers),
		scratch_test(test_lease_race__no_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
