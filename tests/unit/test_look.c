/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at directories in which files appear, grow, are rewritten and go, on a clock of the test's
 * own; and the kernel's word that something happened there.
 */
#include "core/watch/look.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/watch/notify.h"
#include "tests/unit/support/scratch.h"

#define S ((int64_t)1000000000)

static int64_t now;

static int64_t fake_now(void *arg)
{
	(void)arg;
	return now;
}

static const struct ckpt_seam seam = { .now_ns = fake_now };

/* A watch of one directory. */
struct fixture {
	struct ckpt_ctx ctx;
	struct ckpt_watch watch;
	struct ckpt_look look;
};

static void begin(struct fixture *f, const char *dir)
{
	*f = (struct fixture) { .ctx = { .seam = &seam },
				.watch.places = { .dir = { dir }, .n = 1 } };
	now = 1000 * S;
}

/* Looks; the name of what is due, or "". */
static const char *look(struct fixture *f)
{
	ckpt_look_done(&f->look);
	assert_int_equal(ckpt_watch_look(&f->ctx, &f->watch, &f->look, NULL), 0);
	return f->look.due ? f->look.due->name : "";
}

static void end(struct fixture *f)
{
	ckpt_look_done(&f->look);
	ckpt_watch_done(&f->watch);
}

/* As if it had been written @seconds ago: its mtime; its ctime is now. */
static void set_mtime(const struct scratch *s, const char *name, time_t seconds)
{
	const struct timespec t[2] = { { time(NULL) - seconds, 0 }, { time(NULL) - seconds, 0 } };

	assert_int_equal(utimensat(s->fd, name, t, 0), 0);
}

static void settle(struct fixture *f, enum ckpt_watch_outcome outcome)
{
	ckpt_watched_settle(ckpt_items_find(&f->watch.items, f->look.due_key), outcome, now);
}

static void test_look__a_file_appears_and_grows(void **state)
{
	struct scratch *s = *state;
	struct fixture f;

	begin(&f, s->path);
	assert_string_equal(look(&f), "");
	scratch_put(s->fd, "ckpt-1.pt", "half");
	scratch_put(s->fd, "data.txt", "no checkpoint");
	now += S;
	assert_string_equal(look(&f), "");
	assert_int_equal(f.look.changed, 1);
	now += S;
	scratch_put(s->fd, "ckpt-1.pt", "half and more"); /* before it was quiet */
	assert_string_equal(look(&f), "");
	now += S;
	assert_string_equal(look(&f), "");
	assert_int_equal(f.look.changed, 0);
	now += S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	settle(&f, CKPT_WATCH_SEALED);
	now += 1000 * S;
	assert_string_equal(look(&f), "");
	scratch_put(s->fd, "ckpt-1.pt", "rewritten in place");
	assert_string_equal(look(&f), "");
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	end(&f);
}

/* A byte that changes without the size: the times tell. */
static void test_look__times_count(void **state)
{
	struct scratch *s = *state;
	struct fixture f;

	scratch_put(s->fd, "ckpt-1.pt", "aaaa");
	begin(&f, s->path);
	look(&f);
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	settle(&f, CKPT_WATCH_SEALED);
	set_mtime(s, "ckpt-1.pt", 5);
	look(&f);
	assert_int_equal(f.look.changed, 1);
	end(&f);
}

/* The newest by its time, whatever the numbers say; then the next. */
static void test_look__newest_first(void **state)
{
	struct scratch *s = *state;
	struct fixture f;

	scratch_put(s->fd, "ckpt-1.pt", "a");
	scratch_put(s->fd, "ckpt-2.pt", "b");
	scratch_put(s->fd, "ckpt-3.pt", "c");
	set_mtime(s, "ckpt-1.pt", 10);
	set_mtime(s, "ckpt-2.pt", 5);
	set_mtime(s, "ckpt-3.pt", 20);
	begin(&f, s->path);
	look(&f);
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-2.pt");
	settle(&f, CKPT_WATCH_SEALED);
	assert_string_equal(look(&f), "ckpt-1.pt");
	settle(&f, CKPT_WATCH_REJECTED);
	assert_string_equal(look(&f), "ckpt-3.pt");
	settle(&f, CKPT_WATCH_BUSY);
	assert_string_equal(look(&f), "");
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-3.pt");
	now += 60 * S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	assert_true(ckpt_items_find(&f.watch.items, f.look.due_key)->rejected);
	end(&f);
}

/* Directories count with all that is in them. */
static void test_look__a_directory_fills(void **state)
{
	struct scratch *s = *state;
	struct fixture f;

	begin(&f, s->path);
	look(&f);
	scratch_put(s->fd, "checkpoint-500/model.safetensors", "x");
	look(&f);
	now += S;
	scratch_put(s->fd, "checkpoint-500/global_step500/deep/file", "y");
	assert_string_equal(look(&f), "");
	assert_int_equal(f.look.changed, 1);
	now += S;
	assert_string_equal(look(&f), "");
	now += S;
	assert_string_equal(look(&f), "checkpoint-500");
	end(&f);
}

/* A directory that cannot be looked at now is not one whose checkpoints are gone. */
static void test_look__vanished(void **state)
{
	struct scratch *s = *state;
	struct fixture f;
	char dir[128], away[128];

	scratch_put(s->fd, "run/ckpt-1.pt", "a");
	snprintf(dir, sizeof(dir), "%s/run", s->path);
	snprintf(away, sizeof(away), "%s/away", s->path);
	begin(&f, dir);
	look(&f);
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	settle(&f, CKPT_WATCH_SEALED);
	assert_int_equal(rename(dir, away), 0);
	assert_string_equal(look(&f), "");
	assert_int_equal(f.look.missing, 1);
	assert_int_equal(f.watch.items.n, 1);
	assert_int_equal(rename(away, dir), 0);
	now += 100 * S;
	assert_string_equal(look(&f), "");
	assert_int_equal(f.look.changed, 0);
	assert_int_equal(unlinkat(s->fd, "run/ckpt-1.pt", 0), 0);
	look(&f);
	assert_int_equal(f.watch.items.n, 0);
	end(&f);
}

/* The work directory counts where the run directory holds nothing, by unmistakable names. */
static void test_look__fallback(void **state)
{
	struct scratch *s = *state;
	struct fixture f;
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/checkpoints", s->path);
	scratch_put(s->fd, "checkpoint-500/trainer_state.json", "{}");
	scratch_put(s->fd, "last.pt", "a");
	begin(&f, dir);
	f.watch.places.fallback = s->path;
	look(&f);
	assert_int_equal(f.look.catalog.n_sets, 1);
	now += 2 * S;
	assert_string_equal(look(&f), "checkpoint-500");
	scratch_put(s->fd, "checkpoints/ckpt-1.pt", "a");
	look(&f);
	assert_int_equal(f.look.catalog.n_sets, 1);
	now += 2 * S;
	assert_string_equal(look(&f), "ckpt-1.pt");
	end(&f);
}

static bool told(struct ckpt_notify *n)
{
	struct pollfd p = { .fd = n->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && ckpt_notify_drain(n);
}

/* Ends of writes, renames and new folders are told; bytes that are being written are not. */
static void test_look__notify(void **state)
{
	struct scratch *s = *state;
	struct ckpt_notify n;
	int fd;

	ckpt_notify_init(&n);
	if (n.fd < 0)
		skip();
	ckpt_notify_add(&n, s->path);
	ckpt_notify_add(&n, s->path);
	assert_int_equal(n.n, 1);
	assert_false(n.blind);
	assert_false(told(&n));
	fd = openat(s->fd, "log", O_WRONLY | O_CREAT, 0600);
	assert_true(told(&n));
	assert_int_equal(write(fd, "x", 1), 1);
	assert_false(told(&n));
	close(fd);
	assert_true(told(&n));
	assert_int_equal(renameat(s->fd, "log", s->fd, "log.1"), 0);
	assert_true(told(&n));
	scratch_put(s->fd, "new/file", "a");
	assert_true(told(&n));
	assert_int_equal(n.n, 2);
	scratch_put(s->fd, "new/other", "a");
	assert_true(told(&n));
	assert_int_equal(unlinkat(s->fd, "new/file", 0), 0);
	assert_int_equal(unlinkat(s->fd, "new/other", 0), 0);
	assert_int_equal(unlinkat(s->fd, "new", AT_REMOVEDIR), 0);
	assert_true(told(&n));
	assert_int_equal(n.n, 1);
	ckpt_notify_add(&n, "/nonexistent");
	assert_true(n.blind);
	ckpt_notify_done(&n);
}

static void test_look__shared_file_systems(void **state)
{
	struct scratch *s = *state;
	int fd = open("/proc", O_RDONLY);

	assert_false(ckpt_notify_is_shared(s->fd));
	assert_false(ckpt_notify_is_shared(fd));
	close(fd);
	assert_true(ckpt_notify_is_shared(-1)); /* not known: not to be relied on */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_look__a_file_appears_and_grows),
		scratch_test(test_look__times_count),
		scratch_test(test_look__newest_first),
		scratch_test(test_look__a_directory_fills),
		scratch_test(test_look__vanished),
		scratch_test(test_look__fallback),
		scratch_test(test_look__notify),
		scratch_test(test_look__shared_file_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
