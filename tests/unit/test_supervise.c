/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor on a node so busy that it gets no processor for seconds: its worker stops it, and
 * lets it go on after the first deadline and the timer behind that.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hooks/supervise.h"
#include "wire/frame.h"

#define MS_NS ((int64_t)1000000)
#define ENDED_BY_ITSELF 7

/* Of the worker, and seen by the test. */
struct story {
	int64_t budget_ms; /* 0: none is granted */
	int grants_late;   /* while the supervisor stands still, and not before */
	volatile int done;
};

static void sleep_until(int64_t when_ns)
{
	struct timespec wait = { 0, 5 * MS_NS };

	while (ckpt_frame_now_ns() < when_ns)
		nanosleep(&wait, NULL);
}

static void grant(struct ckpt_supervise_clock *clock, const struct story *story)
{
	if (story->budget_ms)
		ckpt_supervise_grant(clock, story->budget_ms);
}

static void outstay_first_deadline(struct ckpt_supervise_clock *clock, void *arg)
{
	struct story *story = arg;

	sleep_until(clock->begin_ns + 200 * MS_NS); /* it waits for the first deadline now */
	if (!story->grants_late)
		grant(clock, story);
	kill(getppid(), SIGSTOP);
	if (story->grants_late)
		grant(clock, story);
	sleep_until(clock->begin_ns + (CKPT_SUPERVISE_FIRST_MS + 400) * MS_NS);
	kill(getppid(), SIGCONT);
	sleep_until(clock->begin_ns + (CKPT_SUPERVISE_FIRST_MS + 700) * MS_NS);
	story->done = 1;
}

/* The exit code of the supervisor, in a process of its own; *@ret_done is what the worker did. */
static int supervise(struct story with, int *ret_done)
{
	struct story *story = mmap(NULL, sizeof(*story), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid;

	assert_ptr_not_equal(story, MAP_FAILED);
	*story = with;
	pid = fork();
	if (pid == 0) {
		ckpt_supervise(outstay_first_deadline, story);
		_exit(ENDED_BY_ITSELF);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	sleep_until(ckpt_frame_now_ns() + 500 * MS_NS); /* a worker left alone would be done now */
	*ret_done = story->done;
	munmap(story, sizeof(*story));
	return WEXITSTATUS(status);
}

static void test_supervise__timer_heeds_what_was_granted(void **state)
{
	int done = 0;

	(void)state;
	for (int late = 0; late < 2; late++) {
		const struct story story = { .budget_ms = 8000, .grants_late = late };

		assert_int_equal(supervise(story, &done), ENDED_BY_ITSELF);
		assert_int_equal(done, 1);
	}
}

static void test_supervise__timer_ends_what_was_not(void **state)
{
	const struct story none = { 0 }, too_little = { .budget_ms = 1000 };
	int done = 1;

	(void)state;
	assert_int_equal(supervise(none, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(supervise(too_little, &done), 0);
	assert_int_equal(done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_supervise__timer_heeds_what_was_granted),
		cmocka_unit_test(test_supervise__timer_ends_what_was_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
