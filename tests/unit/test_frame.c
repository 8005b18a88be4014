/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames over real pipes: whole, in pieces, torn, wrong, late, with the writer holding on.
 */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000LL

static char answer[CKPT_FRAME_MAX];

static int64_t in_ms(int64_t ms)
{
	return ckpt_frame_now_ns() + ms * MS;
}

/* Reads a frame from what @n bytes at @bytes make, the writer then closing or holding on. */
static long read_from(const void *bytes, size_t n, int hold)
{
	int fds[2];
	long r;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], bytes, n), n);
	if (!hold)
		close(fds[1]);
	r = ckpt_frame_read(fds[0], answer, in_ms(100));
	close(fds[0]);
	if (hold)
		close(fds[1]);
	return r;
}

static void test_frame__read(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		int hold;
		long result;
	} cases[] = {
		{ "CKW1\3\0\0\0abc", 11, 0, 3 },
		{ "CKW1\3\0\0\0abc", 11, 1, 3 }, /* never waits for the end of the pipe */
		{ "CKW1\3\0\0\0abcTRAILING", 19, 1, 3 },
		{ "CKW1\0\0\0\0", 8, 0, 0 },
		{ "", 0, 0, -EPIPE },
		{ "", 0, 1, -ETIMEDOUT },
		{ "CKW", 3, 0, -EPIPE },
		{ "CKW1\3\0\0\0ab", 10, 0, -EPIPE },
		{ "CKW1\3\0\0\0ab", 10, 1, -ETIMEDOUT },
		{ "CKW2\3\0\0\0abc", 11, 0, -EBADMSG },
		{ "HTTP/1.1 200 OK", 15, 0, -EBADMSG },
		{ "CKW1\1\0\1\0a", 9, 0, -EBADMSG }, /* one byte over the limit */
		{ "CKW1\xff\xff\xff\xff", 8, 1, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		long r = read_from(cases[i].bytes, cases[i].n, cases[i].hold);

		if (r != cases[i].result)
			print_error("case %zu: %ld\n", i, r);
		assert_int_equal(r, cases[i].result);
		if (r > 0)
			assert_memory_equal(answer, "abc", 3);
	}
}

/* Runs @writer in a child with the write end; returns what the reader got. */
static long read_from_child(void (*writer)(int fd), int64_t ms)
{
	int fds[2];
	pid_t pid;
	long r;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		writer(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	r = ckpt_frame_read(fds[0], answer, ms ? in_ms(ms) : 0);
	close(fds[0]);
	while (waitpid(pid, NULL, 0) < 0)
		assert_int_equal(errno, EINTR);
	return r;
}

static void write_largest(int fd)
{
	static char payload[CKPT_FRAME_MAX];

	memset(payload, 'z', sizeof(payload));
	if (ckpt_frame_write(fd, payload, sizeof(payload)) != 0)
		_exit(1);
}

static void write_slowly(int fd)
{
	static const char frame[] = "CKW1\5\0\0\0hello";

	for (size_t i = 0; i < sizeof(frame) - 1; i++) {
		if (write(fd, frame + i, 1) != 1)
			_exit(1);
		usleep(3000);
	}
}

static void write_too_slowly(int fd)
{
	static const char frame[] = "CKW1\5\0\0\0hello";

	signal(SIGPIPE, SIG_DFL);
	for (size_t i = 0; i < sizeof(frame) - 1; i++) {
		if (write(fd, frame + i, 1) != 1)
			_exit(1);
		usleep(60000);
	}
}

static void test_frame__largest(void **state)
{
	(void)state;
	assert_int_equal(read_from_child(write_largest, 5000), CKPT_FRAME_MAX);
	assert_int_equal(answer[0], 'z');
	assert_int_equal(answer[CKPT_FRAME_MAX - 1], 'z');
}

static void test_frame__pieces(void **state)
{
	(void)state;
	assert_int_equal(read_from_child(write_slowly, 5000), 5);
	assert_memory_equal(answer, "hello", 5);
	assert_int_equal(read_from_child(write_slowly, 0), 5);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static char letter(size_t i)
{
	return (char)('a' + i % 23);
}

/* A pipe that is full, and a signal each millisecond: write(2) stops where it is. */
static void write_interrupted(int fd)
{
	const struct itimerval each = { { 0, 1000 }, { 0, 1000 } };
	const struct sigaction action = { .sa_handler = on_alarm };
	static char payload[CKPT_FRAME_MAX];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = letter(i);
	fcntl(fd, F_SETPIPE_SZ, 4096);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
	if (ckpt_frame_write(fd, payload, sizeof(payload)) != 0)
		_exit(1);
}

static void test_frame__interrupted_writer(void **state)
{
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		write_interrupted(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	usleep(20000); /* it fills the pipe, and waits */
	assert_int_equal(ckpt_frame_read(fds[0], answer, in_ms(5000)), CKPT_FRAME_MAX);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < CKPT_FRAME_MAX; i++)
		assert_int_equal(answer[i], letter(i));
}

/* Signals neither end a wait nor make it endless. */
static void test_frame__interrupted_reader(void **state)
{
	const struct itimerval each = { { 0, 1000 }, { 0, 1000 } }, none = { 0 };
	const struct sigaction action = { .sa_handler = on_alarm };
	struct sigaction before;

	(void)state;
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &each, NULL);
	assert_int_equal(read_from_child(write_slowly, 5000), 5);
	assert_memory_equal(answer, "hello", 5);
	assert_int_equal(read_from_child(write_too_slowly, 150), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &before, NULL);
}

static void test_frame__read_errors(void **state)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ckpt_frame_read(fd, answer, in_ms(100)), -EISDIR);
	close(fd);
}

/* The deadline is for the whole frame, not for each piece. */
static void test_frame__drips(void **state)
{
	int64_t begin = ckpt_frame_now_ns();

	(void)state;
	assert_int_equal(read_from_child(write_too_slowly, 150), -ETIMEDOUT);
	assert_in_range(ckpt_frame_now_ns() - begin, 100 * MS, 3000 * MS);
}

static void test_frame__nonblocking(void **state)
{
	int64_t begin;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	assert_int_equal(ckpt_frame_write(fds[1], "ab", 2), 0);
	assert_int_equal(ckpt_frame_read(fds[0], answer, in_ms(100)), 2);
	assert_int_equal(ckpt_frame_read(fds[0], answer, in_ms(20)), -ETIMEDOUT);
	begin = ckpt_frame_now_ns();
	assert_int_equal(ckpt_frame_read(fds[0], answer, in_ms(-1000)), -ETIMEDOUT);
	assert_in_range(ckpt_frame_now_ns() - begin, 0, 2000 * MS);
	close(fds[0]);
	close(fds[1]);
}

static void test_frame__write_errors(void **state)
{
	static char payload[CKPT_FRAME_MAX + 1];
	int fds[2];

	(void)state;
	assert_int_equal(ckpt_frame_write(-1, payload, sizeof(payload)), -E2BIG);
	assert_int_equal(ckpt_frame_write(-1, payload, 1), -EBADF);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(ckpt_frame_write(fds[1], payload, 1), -EPIPE);
	signal(SIGPIPE, SIG_DFL);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame__read),
		cmocka_unit_test(test_frame__largest),
		cmocka_unit_test(test_frame__pieces),
		cmocka_unit_test(test_frame__interrupted_writer),
		cmocka_unit_test(test_frame__interrupted_reader),
		cmocka_unit_test(test_frame__read_errors),
		cmocka_unit_test(test_frame__drips),
		cmocka_unit_test(test_frame__nonblocking),
		cmocka_unit_test(test_frame__write_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
