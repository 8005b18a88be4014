/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.json: what is read of it, whatever lies there; who may write it; when its holder is dead.
 */
#include "core/record/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/support/leases.h"
#include "tests/unit/support/scratch.h"

#define S ((int64_t)1000000000)

static struct ckpt_lease lease_of(int64_t job, int64_t attempt)
{
	struct ckpt_lease lease = {
		.run = "00ff", .cluster = "test", .job_id = job, .attempt = attempt, .host = "n1"
	};

	ckpt_lease_sign(&lease);
	return lease;
}

/* In a directory of a group, with the umask of one: what is written there can end a job. */
static void test_lease__only_its_owner_writes_it(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease lease = { .cluster = "test", .job_id = 7 };
	struct stat st;
	mode_t was = umask(0);

	assert_int_equal(leases_put(s->fd, &lease), 0);
	umask(was);
	assert_int_equal(fstatat(s->fd, CKPT_LEASE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void test_lease__comes_back_as_it_was(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease put = lease_of(7, 3), got = { 0 };
	struct ckpt_error err = { 0 };

	assert_int_equal(ckpt_lease_load(s->fd, &got, &err), CKPT_STATE_ABSENT);
	put.counter = 12;
	assert_int_equal(leases_put(s->fd, &put), 0);
	assert_int_equal(put.owner, geteuid());
	assert_int_equal(ckpt_lease_load(s->fd, &got, &err), 0);
	assert_memory_equal(&put, &got, sizeof(got));
	assert_true(got.boot[0] && got.pid == getpid() && got.started > 0 && got.pid_namespace > 0);
	assert_int_equal(scratch_count(s->fd), 1); /* no temporary is left */
}

/* A lease that is whole, with @member made @value. */
static char *text_with(const char *member, const char *value)
{
	static const char *const members[][2] = {
		{ "version", "1" },    { "run", "\"00\"" }, { "cluster", "\"test\"" },
		{ "job_id", "7" },     { "attempt", "3" },  { "host", "\"n1\"" },
		{ "boot", "\"b-1\"" }, { "pid", "1" },	    { "pid_namespace", "1" },
		{ "started", "1" },    { "counter", "5" },  { "state", "\"held\"" },
	};
	char *text = malloc(8192);
	int at = snprintf(text, 8192, "{");

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		bool mine = strcmp(members[i][0], member) == 0;

		if (mine && !value)
			continue;
		at += snprintf(text + at, 8192 - (size_t)at, "%s\"%s\": %s", at > 1 ? ", " : "",
			       members[i][0], mine ? value : members[i][1]);
	}
	snprintf(text + at, 8192 - (size_t)at, "}");
	return text;
}

static void test_lease__hostile_members(void **state)
{
	static const struct {
		const char *member, *value;
		int result;
	} cases[] = {
		{ "", NULL, 0 },
		{ "run", "\"\"", 0 },
		{ "state", "\"released\"", 0 },
		{ "counter", "9007199254740991", 0 },
		{ "pid", "9007199254740991", 0 },
		{ "version", "2", CKPT_STATE_TORN },
		{ "version", NULL, CKPT_STATE_TORN },
		{ "state", "\"lost\"", CKPT_STATE_TORN },
		{ "state", "true", CKPT_STATE_TORN },
		{ "counter", NULL, CKPT_STATE_TORN },
		{ "counter", "-1", CKPT_STATE_TORN },
		{ "counter", "1e300", CKPT_STATE_TORN },
		{ "counter", "1.5", CKPT_STATE_TORN },
		{ "counter", "\"5\"", CKPT_STATE_TORN },
		{ "job_id", "-7", CKPT_STATE_TORN },
		{ "attempt", "null", CKPT_STATE_TORN },
		{ "host", "\"n1\\u001b[2J\"", CKPT_STATE_TORN },
		{ "host", "\"n1 is fine\"", CKPT_STATE_TORN },
		{ "host", "{}", CKPT_STATE_TORN },
		{ "cluster", "\"../../x\"", CKPT_STATE_TORN },
		{ "boot", "\"0123456789012345678901234567890123456789\"", CKPT_STATE_TORN },
		{ "run", "\"-x\"", CKPT_STATE_TORN },
	};
	const struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_free_ char *text = text_with(cases[i].member, cases[i].value);
		struct ckpt_lease got = { .job_id = -5 };

		scratch_put(s->fd, CKPT_LEASE, text);
		if (ckpt_lease_load(s->fd, &got, NULL) != cases[i].result)
			fail_msg("%s=%s", cases[i].member, cases[i].value);
		assert_int_equal(got.job_id, cases[i].result == 0 ? 7 : -5);
	}
}

static void test_lease__hostile_texts(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{}", "\xff\xfe", "{\"version\":1}"
	};
	const struct scratch *s = *state;
	_cleanup_free_ char *whole = text_with("", NULL);
	_cleanup_free_ char *large = malloc(CKPT_LEASE_MAX + 2);
	struct ckpt_lease got;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		scratch_put(s->fd, CKPT_LEASE, texts[i]);
		assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), CKPT_STATE_TORN);
	}
	for (size_t len = 0; len < strlen(whole); len++) {
		scratch_write(s->fd, CKPT_LEASE, whole, len);
		assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), CKPT_STATE_TORN);
	}
	memset(large, ' ', CKPT_LEASE_MAX + 2);
	memcpy(large, whole, strlen(whole));
	scratch_write(s->fd, CKPT_LEASE, large, CKPT_LEASE_MAX);
	assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), 0);
	scratch_write(s->fd, CKPT_LEASE, large, CKPT_LEASE_MAX + 1);
	assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), CKPT_STATE_TORN);
	scratch_sparse(s->fd, CKPT_LEASE, (uint64_t)1 << 40);
	assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), CKPT_STATE_TORN);
}

static void make_link(int fd)
{
	_cleanup_free_ char *whole = text_with("", NULL);

	scratch_put(fd, "elsewhere", whole);
	assert_int_equal(symlinkat("elsewhere", fd, CKPT_LEASE), 0);
}

static void make_fifo(int fd)
{
	assert_int_equal(mkfifoat(fd, CKPT_LEASE, 0600), 0);
}

static void make_directory(int fd)
{
	assert_int_equal(mkdirat(fd, CKPT_LEASE, 0700), 0);
}

static void make_socket(int fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" CKPT_LEASE, fd);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

/* Neither followed nor waited for; a rename puts what is no directory out of the way. */
static void test_lease__no_regular_file(void **state)
{
	static const struct {
		void (*make)(int fd);
		bool makes_way;
	} cases[] = { { make_link, true },
		      { make_fifo, true },
		      { make_socket, true },
		      { make_directory, false } };
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(7, 3), got;
	struct ckpt_error err = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cases[i].make(s->fd);
		assert_int_equal(ckpt_lease_load(s->fd, &got, &err), CKPT_STATE_TORN);
		assert_int_equal(ckpt_lease_renew(s->fd, &mine, &err), CKPT_LEASE_CHANGED);
		assert_int_equal(ckpt_lease_release(s->fd, &mine, &err), CKPT_LEASE_CHANGED);
		assert_int_equal(ckpt_lease_take(s->fd, CKPT_STATE_TORN, NULL, &mine) == 0,
				 cases[i].makes_way);
		if (cases[i].makes_way)
			assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	}
	assert_int_equal(scratch_count(s->fd), 2); /* the link's target, the directory */
}

/* What the link led to is as it was. */
static void test_lease__a_link_is_replaced_not_followed(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(8, 0);
	_cleanup_free_ char *whole = text_with("", NULL);

	make_link(s->fd);
	assert_int_equal(ckpt_lease_take(s->fd, CKPT_STATE_TORN, NULL, &mine), 0);
	assert_true(scratch_holds(s->fd, "elsewhere", whole));
}

static void test_lease__unreadable_is_neither_absent_nor_torn(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease got, mine = lease_of(7, 3);
	struct ckpt_error err = { 0 };

	assert_int_equal(ckpt_lease_load(-1, &got, &err), -EBADF);
	assert_non_null(strstr(err.text, CKPT_LEASE));
	assert_int_equal(ckpt_lease_renew(-1, &mine, &err), -EBADF);
	assert_int_equal(ckpt_lease_take(-1, CKPT_STATE_ABSENT, NULL, &mine), -EBADF);
	(void)s;
}

static void test_lease__words_alone_are_written(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(7, 3);

	snprintf(mine.host, sizeof(mine.host), "a\"b");
	assert_int_equal(leases_put(s->fd, &mine), -EINVAL);
	assert_int_equal(scratch_count(s->fd), 0);
}

static void test_lease__relations(void **state)
{
	static const struct {
		const char *cluster, *run;
		int64_t job, attempt;
		enum ckpt_lease_relation relation;
	} cases[] = {
		{ "test", "00ff", 7, 3, CKPT_LEASE_SAME },
		{ "test", "", 7, 3, CKPT_LEASE_SAME },
		{ "test", "00ff", 7, 2, CKPT_LEASE_EARLIER },
		{ "test", "00ff", 7, 4, CKPT_LEASE_LATER },
		{ "test", "", 7, 4, CKPT_LEASE_LATER },
		{ "test", "0100", 7, 4, CKPT_LEASE_FOREIGN }, /* the number came again */
		{ "test", "0100", 7, 3, CKPT_LEASE_FOREIGN },
		{ "test", "00ff", 8, 4, CKPT_LEASE_FOREIGN },
		{ "prod", "00ff", 7, 4, CKPT_LEASE_FOREIGN },
	};
	struct ckpt_lease ours = lease_of(7, 3);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ckpt_lease other = lease_of(cases[i].job, cases[i].attempt);

		snprintf(other.cluster, sizeof(other.cluster), "%s", cases[i].cluster);
		snprintf(other.run, sizeof(other.run), "%s", cases[i].run);
		if (ckpt_lease_relation(&ours, &other) != cases[i].relation)
			fail_msg("case %zu", i);
	}
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstatat(fd, CKPT_LEASE, &st, 0), 0);
	return st.st_ino;
}

/* In the file as it is: a full disk does not stop it. */
static void test_lease__is_renewed_in_place(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(7, 3), got;
	uint64_t inode;

	assert_int_equal(leases_put(s->fd, &mine), 0);
	inode = inode_of(s->fd);
	for (mine.counter = 1; mine.counter < 2000000000000; mine.counter *= 37) {
		assert_int_equal(ckpt_lease_renew(s->fd, &mine, NULL), 0);
		assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), 0);
		assert_int_equal(got.counter, mine.counter);
	}
	assert_int_equal(inode_of(s->fd), inode);
	assert_int_equal(ckpt_lease_release(s->fd, &mine, NULL), 0);
	assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), 0);
	assert_true(got.released && got.job_id == 7);
	assert_int_equal(inode_of(s->fd), inode);
}

/* Whoever has it now, a late renewal or release leaves it alone. */
static void test_lease__late_writers(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(7, 3), next = lease_of(7, 4), other = lease_of(8, 0);
	struct ckpt_lease twin = lease_of(7, 3), got;
	struct ckpt_lease *holders[] = { &next, &other };

	for (size_t i = 0; i < 2; i++) {
		holders[i]->counter = 5;
		assert_int_equal(leases_put(s->fd, holders[i]), 0);
		assert_int_equal(ckpt_lease_renew(s->fd, &mine, NULL), CKPT_LEASE_CHANGED);
		assert_int_equal(ckpt_lease_release(s->fd, &mine, NULL), CKPT_LEASE_CHANGED);
		assert_int_equal(ckpt_lease_load(s->fd, &got, NULL), 0);
		assert_true(!got.released && got.counter == 5);
	}
	twin.pid = 0; /* of the same attempt, but not the keeper's */
	assert_int_equal(leases_put(s->fd, &twin), 0);
	assert_int_equal(ckpt_lease_renew(s->fd, &mine, NULL), CKPT_LEASE_CHANGED);
	assert_int_equal(ckpt_lease_release(s->fd, &mine, NULL), 0); /* the epilog's way */
	assert_int_equal(unlinkat(s->fd, CKPT_LEASE, 0), 0);
	assert_int_equal(ckpt_lease_renew(s->fd, &mine, NULL), CKPT_LEASE_CHANGED);
	assert_int_equal(scratch_count(s->fd), 0);
}

/* One that a person has edited has another length: it is not written into. */
static void test_lease__another_shape_is_left(void **state)
{
	const struct scratch *s = *state;
	struct ckpt_lease mine = lease_of(7, 3);
	_cleanup_free_ char *text = text_with("", NULL);

	scratch_put(s->fd, CKPT_LEASE, text);
	snprintf(mine.run, sizeof(mine.run), "00");
	assert_int_equal(ckpt_lease_release(s->fd, &mine, NULL), CKPT_LEASE_CHANGED);
	assert_true(scratch_holds(s->fd, CKPT_LEASE, text));
}

static pid_t start_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

static struct ckpt_lease lease_of_process(pid_t pid)
{
	struct ckpt_lease lease = lease_of(8, 0);
	char path[48];
	FILE *f;

	lease.pid = pid;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	for (int i = 1; i < 22; i++)
		assert_int_equal(fscanf(f, "%*s"), 0);
	assert_int_equal(fscanf(f, "%" SCNd64, &lease.started), 1);
	fclose(f);
	return lease;
}

static void test_lease__holder_on_this_machine(void **state)
{
	pid_t pid = start_process();
	struct ckpt_lease ours = lease_of(7, 0), other = lease_of_process(pid), changed = other;

	(void)state;
	assert_true(ckpt_lease_is_here(&ours, &other) && !ckpt_lease_is_over(&ours, &other));
	kill(pid, SIGSTOP);
	assert_true(ckpt_lease_is_here(&ours, &other) && !ckpt_lease_is_over(&ours, &other));
	changed.started++; /* its number is another's now */
	assert_true(!ckpt_lease_is_here(&ours, &changed) && ckpt_lease_is_over(&ours, &changed));
	changed = other;
	changed.released = true;
	assert_true(!ckpt_lease_is_here(&ours, &changed) && ckpt_lease_is_over(&ours, &changed));
	kill(pid, SIGKILL);
	for (int i = 0; i < 1000 && !ckpt_lease_is_over(&ours, &other); i++)
		usleep(1000);
	assert_true(ckpt_lease_is_over(&ours, &other)); /* a zombie is gone */
	waitpid(pid, NULL, 0);
	assert_true(!ckpt_lease_is_here(&ours, &other) && ckpt_lease_is_over(&ours, &other));
}

/* What cannot be known by looking is watched. */
static void test_lease__holder_elsewhere(void **state)
{
	static const struct {
		const char *host, *cluster, *boot;
		int64_t pid_namespace, pid;
		bool over;
	} cases[] = {
		{ "n2", "test", "other-boot", 1, 1, false },
		{ "n1", "test", "other-boot", 1, 1, true }, /* our node, booted since */
		{ "n1", "prod", "other-boot", 1, 1, false },
		{ "n1", "test", "", 1, 1, false },
		{ "n2", "test", NULL, 1, 4194305, false }, /* another namespace */
		{ "n2", "test", NULL, 0, 0, false },	   /* no process yet */
		{ "n2", "test", NULL, 0, 9007199254740991, false },
		{ "n2", "test", NULL, 0, 2147483647, true },
	};
	struct ckpt_lease ours = lease_of(7, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ckpt_lease other = lease_of(8, 0);

		snprintf(other.host, sizeof(other.host), "%s", cases[i].host);
		snprintf(other.cluster, sizeof(other.cluster), "%s", cases[i].cluster);
		if (cases[i].boot)
			snprintf(other.boot, sizeof(other.boot), "%s", cases[i].boot);
		if (cases[i].pid_namespace)
			other.pid_namespace = cases[i].pid_namespace;
		other.pid = cases[i].pid;
		if (ckpt_lease_is_over(&ours, &other) != cases[i].over)
			fail_msg("case %zu", i);
		assert_false(ckpt_lease_is_here(&ours, &other));
	}
}

static void test_lease__life_is_a_counter_that_moves(void **state)
{
	struct ckpt_lease lease = lease_of(8, 0);
	struct ckpt_lease_sight sight = { 0 };
	int64_t now = 1000 * S;

	(void)state;
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now), CKPT_LEASE_UNKNOWN);
	for (int i = 0; i < 14; i++)
		assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_UNKNOWN);
	lease.counter--; /* a change is a move, whatever the number: clocks and disks go back */
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_ALIVE);
	for (int i = 0; i < 14; i++)
		assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_ALIVE);
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_DEAD);
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_DEAD);
	lease.counter++;
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_ALIVE);
	lease.job_id = 9; /* another holder */
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += S), CKPT_LEASE_ALIVE);
}

/* We were held, by the file system or by SIGSTOP: that was no time of watching. */
static void test_lease__a_pause_of_ours_is_no_death(void **state)
{
	struct ckpt_lease lease = lease_of(8, 0);
	struct ckpt_lease_sight sight = { 0 };
	int64_t now = 1000 * S;

	(void)state;
	ckpt_lease_watch(&sight, &lease, now);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ckpt_lease_watch(&sight, &lease, now += 3600 * S),
				 CKPT_LEASE_UNKNOWN);
	assert_int_equal(ckpt_lease_watch(&sight, &lease, now += 3600 * S), CKPT_LEASE_DEAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_lease__only_its_owner_writes_it),
		scratch_test(test_lease__comes_back_as_it_was),
		scratch_test(test_lease__hostile_members),
		scratch_test(test_lease__hostile_texts),
		scratch_test(test_lease__no_regular_file),
		scratch_test(test_lease__a_link_is_replaced_not_followed),
		scratch_test(test_lease__unreadable_is_neither_absent_nor_torn),
		scratch_test(test_lease__words_alone_are_written),
		scratch_test(test_lease__relations),
		scratch_test(test_lease__is_renewed_in_place),
		scratch_test(test_lease__late_writers),
		scratch_test(test_lease__another_shape_is_left),
		scratch_test(test_lease__holder_on_this_machine),
		scratch_test(test_lease__holder_elsewhere),
		scratch_test(test_lease__life_is_a_counter_that_moves),
		scratch_test(test_lease__a_pause_of_ours_is_no_death),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
