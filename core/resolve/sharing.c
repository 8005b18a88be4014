/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sharing.h.
 */
#include "core/resolve/sharing.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/text.h"
#include "core/resolve/decide.h"
#include "core/resolve/expand.h"

#define MS_NS ((int64_t)1000000)
#define LOOK_NS (250 * MS_NS) /* between two looks at a lease */
#define SAID_MAX 1024
#define TRIES 8 /* to take a lease that changes meanwhile */

__attribute__((format(printf, 2, 3))) static void say(const struct ckpt_sharing *sharing,
						      const char *fmt, ...)
{
	char text[SAID_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sharing->say)
		sharing->say(sharing->arg, text);
}

/* One order for all: two jobs that name the same directories in two orders would each hold one. */
static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int ckpt_sharing_init(struct ckpt_sharing *sharing, const struct ckpt_request *req)
{
	int r;

	memset(sharing, 0, sizeof(*sharing));
	ckpt_text_copy(sharing->mine.cluster, sizeof(sharing->mine.cluster), req->cluster);
	ckpt_text_copy(sharing->mine.host, sizeof(sharing->mine.host), req->node);
	sharing->mine.job_id = req->job_id;
	sharing->mine.attempt = req->attempt;
	ckpt_lease_sign(&sharing->mine);
	r = ckpt_expand_roots(req, sharing->dirs, &sharing->n, NULL);
	if (r != 0 || req->job_id == 0)
		sharing->n = 0;
	qsort(sharing->dirs, (size_t)sharing->n, sizeof(sharing->dirs[0]), compare);
	return r;
}

/* The state directory of place @i. Descriptor or an errno. */
static int open_state(const struct ckpt_sharing *sharing, int i, bool make)
{
	const char *root = sharing->dirs[i];

	return make ? ckpt_state_make_in(root, NULL) : ckpt_state_open_in(root, NULL);
}

/*
 * Whether another job's lease, not known to be void, lies at place @i: then in @ret. 1, 0, or < 0
 * where that could not be found out, with @err.
 */
static int look(const struct ckpt_sharing *sharing, int i, struct ckpt_lease *ret,
		struct ckpt_error *err)
{
	_cleanup_close_ int statefd = open_state(sharing, i, false);
	struct ckpt_lease seen;
	int r = statefd < 0 ? statefd : ckpt_lease_load(statefd, &seen, err);

	if (r == CKPT_STATE_ABSENT || statefd == -ENOENT)
		return 0;
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	if (ckpt_lease_relation(&sharing->mine, &seen) != CKPT_LEASE_FOREIGN ||
	    ckpt_lease_is_over(&sharing->mine, &seen))
		return 0;
	*ret = seen;
	return 1;
}

/* It was watched, and is dead. */
static bool is_given_up(const struct ckpt_lease_sight *sight, const struct ckpt_lease *lease)
{
	return sight->silent_ns >= CKPT_LEASE_DEAD_NS && sight->job_id == lease->job_id &&
	       sight->attempt == lease->attempt && sight->counter == lease->counter &&
	       sight->pid == lease->pid;
}

bool ckpt_sharing_is_taken(struct ckpt_sharing *sharing)
{
	for (int i = 0; i < sharing->n; i++)
		if (look(sharing, i, &sharing->holder, NULL) > 0 &&
		    !is_given_up(&sharing->sights[i], &sharing->holder)) {
			sharing->at = i;
			return true;
		}
	return false;
}

/* What one round of looks makes of all places. */
enum round { FREE, WATCHING, BUSY };

static enum round look_around(struct ckpt_ctx *ctx, struct ckpt_sharing *sharing)
{
	enum round found = FREE;

	for (int i = 0; i < sharing->n; i++) {
		struct ckpt_lease *holder = &sharing->holder;
		enum ckpt_lease_life life;

		if (look(sharing, i, holder, NULL) <= 0)
			continue;
		life = ckpt_lease_watch(&sharing->sights[i], holder, ckpt_ctx_now(ctx));
		if (ckpt_lease_is_here(&sharing->mine, holder))
			life = CKPT_LEASE_ALIVE;
		if (life == CKPT_LEASE_DEAD)
			continue;
		sharing->at = i;
		if (life == CKPT_LEASE_ALIVE)
			return BUSY;
		found = WATCHING;
	}
	return found;
}

/* "job 12 (attempt 0 on n1)". Both words were checked when the lease was read. */
static const char *name_of(const struct ckpt_lease *holder, char *buf, size_t size)
{
	snprintf(buf, size, "job %lld (attempt %lld on %s)", (long long)holder->job_id,
		 (long long)holder->attempt, holder->host[0] ? holder->host : "?");
	return buf;
}

static void say_waiting(const struct ckpt_sharing *sharing, const struct ckpt_request *req)
{
	char name[400], age[32];

	ckpt_text_age(age, sizeof(age), req->share_wait_ms / 1000);
	say(sharing, "%s is at work in %s: waiting up to %s for it to end (--ckpt-share=wait)",
	    name_of(&sharing->holder, name, sizeof(name)), CKPT_QUOTE(sharing->dirs[sharing->at]),
	    age);
}

/* How a wait ended well: the holder's own word, or its silence. */
static void say_end(const struct ckpt_sharing *sharing, bool busy)
{
	char name[400];

	name_of(&sharing->holder, name, sizeof(name));
	if (busy && !is_given_up(&sharing->sights[sharing->at], &sharing->holder))
		say(sharing, "%s has ended", name);
	else
		say(sharing, "%s left its lease of %s and shows no life: going on", name,
		    CKPT_QUOTE(sharing->dirs[sharing->at]));
}

static void say_unreadable(const struct ckpt_sharing *sharing)
{
	struct ckpt_lease holder;

	for (int i = 0; i < sharing->n; i++) {
		struct ckpt_error err = { .text = "its state cannot be opened" };

		if (look(sharing, i, &holder, &err) < 0)
			say(sharing,
			    "warning: whether another job is at work in %s cannot be told: %.400s",
			    CKPT_QUOTE(sharing->dirs[i]), err.text);
	}
}

static void nap(const struct ckpt_sharing *sharing)
{
	const struct timespec ts = { 0, LOOK_NS };

	if (sharing->nap)
		sharing->nap(sharing->arg, LOOK_NS);
	else
		nanosleep(&ts, NULL);
}

/* Looks again and again until the place is free, or the job's patience ends. */
static int watch(struct ckpt_ctx *ctx, struct ckpt_sharing *sharing, const struct ckpt_request *req)
{
	bool waits = strcmp(req->share, "requeue") != 0, said = false;

	if (!sharing->end_ns)
		sharing->end_ns = ckpt_ctx_now(ctx) + req->share_wait_ms * MS_NS;
	for (;;) {
		enum round found = look_around(ctx, sharing);

		if (found == FREE) {
			say_end(sharing, said);
			return 0;
		}
		if (found == BUSY && !waits)
			return CKPT_SHARING_BUSY;
		if (found == BUSY && !said) {
			said = true;
			say_waiting(sharing, req);
		}
		/* what does not move is given the time that it takes to be known as dead */
		if (found == BUSY && ckpt_ctx_now(ctx) >= sharing->end_ns)
			return CKPT_SHARING_BUSY;
		nap(sharing);
	}
}

int ckpt_sharing_await(struct ckpt_ctx *ctx, struct ckpt_sharing *sharing,
		       const struct ckpt_request *req)
{
	char name[400];

	say_unreadable(sharing);
	if (!ckpt_sharing_is_taken(sharing))
		return 0;
	if (strcmp(req->share, "yes") != 0)
		return watch(ctx, sharing, req);
	say(sharing,
	    "%s holds the lease of a run directory of this job: going on beside it "
	    "(--ckpt-share=yes)",
	    name_of(&sharing->holder, name, sizeof(name)));
	return 0;
}

/* Whether @other, found at place @i, is ours to take. */
static bool is_free(const struct ckpt_sharing *sharing, int i, const struct ckpt_lease *other)
{
	switch (ckpt_lease_relation(&sharing->mine, other)) {
	case CKPT_LEASE_SAME:
	case CKPT_LEASE_EARLIER:
		return true;
	case CKPT_LEASE_LATER:
		return false;
	case CKPT_LEASE_FOREIGN:
		break;
	}
	return ckpt_lease_is_over(&sharing->mine, other) || is_given_up(&sharing->sights[i], other);
}

/* True if our lease lies at place @i now. */
static bool claim(const struct ckpt_sharing *sharing, int i, int statefd, struct ckpt_lease *mine)
{
	struct ckpt_lease other;
	int r = CKPT_LEASE_CHANGED;

	for (int n = 0; n < TRIES && r == CKPT_LEASE_CHANGED; n++) {
		int found = ckpt_lease_load(statefd, &other, NULL);

		if (found != CKPT_STATE_ABSENT && (found != 0 || !is_free(sharing, i, &other)))
			return false;
		r = ckpt_lease_take(statefd, found, &other, mine);
	}
	return r == 0;
}

int ckpt_sharing_claim(struct ckpt_sharing *sharing, bool make)
{
	struct ckpt_lease mine = sharing->mine;
	int claimed = 0;

	mine.counter = ++sharing->claims;
	mine.pid = mine.started = 0;
	for (int i = 0; i < sharing->n; i++) {
		_cleanup_close_ int statefd = open_state(sharing, i, make);

		claimed += statefd >= 0 && claim(sharing, i, statefd, &mine);
	}
	return claimed;
}

void ckpt_sharing_release(struct ckpt_sharing *sharing)
{
	for (int i = 0; i < sharing->n; i++) {
		_cleanup_close_ int statefd = open_state(sharing, i, false);

		if (statefd >= 0)
			ckpt_lease_release(statefd, &sharing->mine, NULL);
	}
}

void ckpt_sharing_refuse(const struct ckpt_sharing *sharing, struct ckpt_resolution *res)
{
	const struct ckpt_lease *holder = &sharing->holder;
	char name[400];

	ckpt_decide_refused(res, CKPT_REFUSE_BUSY,
			    "%s is at work in %s: the script was not started. With hooks this job "
			    "goes back into the queue until that one has ended; --ckpt-share=yes "
			    "starts beside it",
			    name_of(holder, name, sizeof(name)),
			    CKPT_QUOTE(sharing->dirs[sharing->at]));
	res->decision.holder = holder->job_id;
}
