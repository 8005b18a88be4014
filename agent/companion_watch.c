/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watcher of the companion: looks when the kernel says that something happened, when something
 * that changed may have become quiet, and now and then anyway; never so often that it would be
 * felt.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/record/mark.h"
#include "core/record/state.h"
#include "core/resolve/expand.h"
#include "core/watch/cadence.h"
#include "core/watch/notify.h"
#include "core/watch/pace.h"

#define LEAST_NS CKPT_SECOND_NS	      /* between two looks */
#define SLOW_NS (30 * CKPT_SECOND_NS) /* where the kernel tells */
#define BLIND_NS (5 * CKPT_SECOND_NS) /* where it does not */
#define NEWS_NS (3 * CKPT_SECOND_NS)  /* between two words to the first process */
#define PER 400			      /* a quarter of a percent for looks, as much for checks */
#define LOOK_REST_NS (120 * CKPT_SECOND_NS)
#define CHECK_REST_NS (600 * CKPT_SECOND_NS)

struct watcher {
	const struct ckpt_companion *c;
	const struct ckpt_request *req;
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	char roots[CKPT_REQUEST_DIRS][CKPT_PATH_MAX]; /* where the run's state lies */
	int n_roots;
	struct ckpt_ctx ctx;
	struct ckpt_watch watch;
	struct ckpt_notify notify;
	struct ckpt_pace looks, checks;
	int64_t looked_ns; /* when the last look ended; 0: none was */
	bool told;	   /* something happened since */
	pid_t checker;	   /* who looks into one, or 0 */
	int checker_fd;	   /* its end closes this */
	uint64_t checked;  /* the key of that one */
	int64_t checked_mtime_ns;
	struct ckpt_cadence cadence; /* for --ckpt-stall=auto */
	struct ckpt_companion_news news;
	int64_t told_ns;  /* when news were sent last */
	uint64_t hurried; /* the number of the last haste that was heard; 0: none was */
	bool mark;	  /* it asked for one */
};

/* A mark of @name's size and time; 0 where it is not there. */
static uint64_t mark_of(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return ((uint64_t)st.st_size * 0x9e3779b97f4a7c15ULL ^ (uint64_t)st.st_mtim.tv_nsec) +
	       (uint64_t)st.st_mtim.tv_sec + 1;
}

/* Standard output and error of the batch script, wherever they lead. */
static uint64_t mark_output(const struct watcher *w)
{
	uint64_t mark = 0;
	char path[64];

	for (int fd = 1; fd <= 2; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)w->c->task, fd);
		mark = mark * 31 + mark_of(path);
	}
	return mark;
}

static uint64_t mark_beat(const struct watcher *w)
{
	char path[CKPT_PATH_MAX + 64];
	uint64_t mark = 0;

	for (int i = 0; i < w->n_roots; i++) {
		snprintf(path, sizeof(path), "%s/" CKPT_STATE_DIR "/heartbeat", w->roots[i]);
		mark = mark * 31 + mark_of(path);
	}
	return mark;
}

static bool is_heard(const struct watcher *w)
{
	return w->c->stall_ns >= 0 || w->c->before_ns >= 0;
}

/* Tells the first process. One that does not listen is told nothing. */
static void tell(struct watcher *w)
{
	struct ckpt_items_tally tally;

	w->told_ns = ckpt_ctx_now(&w->ctx);
	tally = ckpt_items_tally(&w->watch.items, w->told_ns);
	w->news.saved = tally.saved;
	w->news.unsettled = tally.unsettled;
	w->news.output = mark_output(w);
	w->news.beat = mark_beat(w);
	w->news.cadence_ns = w->cadence.longest_ns;
	send(w->c->news_fd, &w->news, sizeof(w->news), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The job is about to end: what it saves now counts more than what it costs. */
static void hear(struct watcher *w)
{
	struct ckpt_companion_haste haste;

	if (recv(w->c->news_fd, &haste, sizeof(haste), MSG_DONTWAIT) != sizeof(haste))
		return;
	w->hurried = haste.number;
	w->mark |= haste.mark;
	w->looks = w->checks = (struct ckpt_pace) { 0 };
	w->told = true;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ckpt_clock_ns(t);
}

static int64_t usage_ns(const struct rusage *u)
{
	return ((int64_t)u->ru_utime.tv_sec + u->ru_stime.tv_sec) * CKPT_SECOND_NS +
	       ((int64_t)u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}

/* Starts a child that looks into @look's due one. */
static void start_check(struct watcher *w, const struct ckpt_look *look)
{
	const struct ckpt_watched *item = ckpt_items_find(&w->watch.items, look->due_key);
	pid_t self = getpid();
	int fds[2];

	if (!item || pipe2(fds, O_CLOEXEC) < 0)
		return;
	w->checker = fork();
	if (w->checker == 0) {
		ckpt_companion_die_with(self);
		close(fds[0]);
		_exit((int)ckpt_companion_check(w->req, look->due, item->rejected));
	}
	close(fds[1]);
	if (w->checker < 0) {
		close(fds[0]);
		w->checker = 0;
		return;
	}
	w->checker_fd = fds[0];
	w->checked = look->due_key;
	w->checked_mtime_ns = look->due_mtime_ns;
}

/* Takes the end of that child. */
static void end_check(struct watcher *w)
{
	struct ckpt_watched *item = ckpt_items_find(&w->watch.items, w->checked);
	enum ckpt_watch_outcome outcome = CKPT_WATCH_FAILED;
	int64_t now = ckpt_ctx_now(&w->ctx);
	struct rusage usage = { 0 };
	int status = 0;

	close(ckpt_take_fd(&w->checker_fd));
	if (wait4(w->checker, &status, 0, &usage) == w->checker && WIFEXITED(status) &&
	    WEXITSTATUS(status) <= CKPT_WATCH_FAILED)
		outcome = (enum ckpt_watch_outcome)WEXITSTATUS(status);
	w->checker = 0;
	ckpt_pace_spend(&w->checks, usage_ns(&usage), now);
	if (item && w->hurried)
		item->tries = 0; /* looked into again soon */
	if (item)
		ckpt_watched_settle(item, outcome, now);
	if (outcome == CKPT_WATCH_SEALED || outcome == CKPT_WATCH_REFUSED)
		ckpt_cadence_take(&w->cadence, w->req, w->checked_mtime_ns);
	if (is_heard(w))
		tell(w);
}

static bool may_check(const struct watcher *w, int64_t now)
{
	return w->checker == 0 && now >= w->checks.ready_ns;
}

static void look(struct watcher *w)
{
	_cleanup_look_ struct ckpt_look look = { 0 };
	int64_t before = cpu_ns(), now;
	uint64_t hurried = w->hurried;

	w->told = false;
	for (int i = 0; i < w->watch.places.n; i++)
		ckpt_notify_add(&w->notify, w->watch.places.dir[i]);
	if (ckpt_watch_look(&w->ctx, &w->watch, &look, NULL) == 0) {
		ckpt_notify_follow(&w->notify, &look.catalog);
		w->notify.blind |= look.missing > 0;
		w->news.checkpoints += look.changed;
		if (look.due && may_check(w, ckpt_ctx_now(&w->ctx)))
			start_check(w, &look);
	}
	now = w->looked_ns = ckpt_ctx_now(&w->ctx);
	ckpt_pace_spend(&w->looks, cpu_ns() - before, now);
	if (!hurried)
		return;
	if (w->mark)
		ckpt_items_mark(&w->watch.items, now);
	w->mark = false;
	w->news.hurried = hurried;
	tell(w);
}

/* When the next look is to be: for what is due, for what the kernel told, or anyway. */
static int64_t next_look(const struct watcher *w)
{
	int64_t next = w->looked_ns + (w->notify.blind ? BLIND_NS : SLOW_NS);
	int64_t due = w->checker ? INT64_MAX : ckpt_items_due(&w->watch.items);

	if (!w->looked_ns)
		return 0;
	if (due < w->checks.ready_ns)
		due = w->checks.ready_ns;
	if (due < next)
		next = due;
	if (w->told)
		next = 0;
	if (next < w->looked_ns + LEAST_NS)
		next = w->looked_ns + LEAST_NS;
	return next < w->looks.ready_ns ? w->looks.ready_ns : next;
}

/* Sleeps until @until_ns, the end of a check, or the kernel's word, which a look is due for. */
static void wait_for(struct watcher *w, int64_t until_ns)
{
	struct pollfd p[3] = { { .fd = w->checker ? w->checker_fd : -1, .events = POLLIN },
			       { .fd = w->told ? -1 : w->notify.fd, .events = POLLIN },
			       { .fd = is_heard(w) ? w->c->news_fd : -1, .events = POLLIN } };
	int64_t ms;

	if (is_heard(w) && w->told_ns + NEWS_NS < until_ns)
		until_ns = w->told_ns + NEWS_NS;
	ms = (until_ns - ckpt_ctx_now(&w->ctx)) / 1000000 + 1;
	if (poll(p, 3, ms < 0 ? 0 : (int)(ms > 600000 ? 600000 : ms)) <= 0)
		return;
	if (p[2].revents)
		hear(w);
	if (p[0].revents)
		end_check(w);
	if (p[1].revents) {
		w->told = ckpt_notify_drain(&w->notify);
		w->news.stirs += w->told;
	}
}

static bool is_others(void *arg, const char *dir)
{
	struct watcher *w = arg;

	return ckpt_mark_is_task(&w->ctx, dir, w->req);
}

static int find_places(struct watcher *w)
{
	struct ckpt_watch_places *places = &w->watch.places;
	int r = ckpt_expand_dirs(w->req, w->dirs, &places->n, NULL);

	for (int i = 0; r == 0 && i < places->n; i++)
		places->dir[i] = w->dirs[i];
	places->fallback = ckpt_expand_fallback(w->req);
	places->is_others = is_others;
	places->arg = w;
	places->glob = w->req->glob;
	return r;
}

/* What the run's attempts before this one, and a watcher before this one, have seen of it. */
static void learn_cadence(struct watcher *w)
{
	for (int i = 0; i < w->n_roots && !w->cadence.longest_ns; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(w->roots[i], NULL);

		if (statefd >= 0)
			ckpt_cadence_learn(&w->cadence, w->req, w->c->run, statefd);
	}
}

void ckpt_companion_watch(const struct ckpt_companion *c)
{
	static struct watcher w;

	w.c = c;
	w.req = &c->req;
	w.checker_fd = -1;
	w.looks = (struct ckpt_pace) { .per = PER, .longest_ns = LOOK_REST_NS };
	w.checks = (struct ckpt_pace) { .per = PER, .longest_ns = CHECK_REST_NS };
	if (find_places(&w) != 0 || ckpt_expand_roots(w.req, w.roots, &w.n_roots, NULL) != 0)
		_exit(1);
	ckpt_notify_init(&w.notify);
	if (c->stall_ns == CKPT_STALL_AUTO)
		learn_cadence(&w);
	for (;;) {
		if (ckpt_ctx_now(&w.ctx) >= next_look(&w)) {
			look(&w);
			malloc_trim(0);
		}
		wait_for(&w, next_look(&w));
		if (is_heard(&w) && ckpt_ctx_now(&w.ctx) >= w.told_ns + NEWS_NS)
			tell(&w);
	}
}
