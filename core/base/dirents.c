/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dirents.h. Two buffers go round: one is looked at while the other is filled. The thread is
 * made once the first buffer was full; where none can be made, the caller fills them itself.
 */
#include "core/base/dirents.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER ((size_t)128 * 1024)
#define FULL (BUFFER / 2) /* a directory that fills this much has more, most likely */

struct buffer {
	_Alignas(struct dirent64) char bytes[BUFFER];
	ssize_t len; /* 0 at the end of the directory, < 0 an errno */
	bool filled; /* the caller's turn; else the thread's */
};

struct ckpt_dirents {
	int fd;
	struct buffer buffers[2];
	int at;	     /* the buffer that is looked at */
	ssize_t off; /* of the next entry in it */
	bool threaded, stop;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t turned;
};

static void fill(struct ckpt_dirents *d, struct buffer *b)
{
	do
		b->len = getdents64(d->fd, b->bytes, BUFFER);
	while (b->len < 0 && errno == EINTR);
	if (b->len < 0)
		b->len = -errno;
}

/* Waits until @b is of the kind @filled. False where all is to end. */
static bool wait_for(struct ckpt_dirents *d, const struct buffer *b, bool filled)
{
	bool go;

	pthread_mutex_lock(&d->lock);
	while (b->filled != filled && !d->stop)
		pthread_cond_wait(&d->turned, &d->lock);
	go = !d->stop;
	pthread_mutex_unlock(&d->lock);
	return go;
}

static void turn(struct ckpt_dirents *d, struct buffer *b, bool filled)
{
	pthread_mutex_lock(&d->lock);
	b->filled = filled;
	pthread_cond_signal(&d->turned);
	pthread_mutex_unlock(&d->lock);
}

/* The thread: fills the buffers in turns, from the second on. */
static void *run(void *arg)
{
	struct ckpt_dirents *d = arg;

	for (int at = 1;; at = !at) {
		struct buffer *b = &d->buffers[at];

		if (!wait_for(d, b, false))
			return NULL;
		fill(d, b);
		turn(d, b, true);
		if (b->len <= 0)
			return NULL;
	}
}

static void start(struct ckpt_dirents *d)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	d->threaded = pthread_create(&d->thread, NULL, run, d) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct ckpt_dirents *ckpt_dirents_new(int fd)
{
	struct ckpt_dirents *d = malloc(sizeof(*d));

	if (!d)
		return NULL;
	d->fd = fd;
	d->at = 0;
	d->off = 0;
	d->threaded = d->stop = false;
	d->buffers[0].filled = d->buffers[1].filled = false;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->turned, NULL);
	fill(d, &d->buffers[0]);
	d->buffers[0].filled = true;
	if (d->buffers[0].len >= (ssize_t)FULL)
		start(d);
	return d;
}

/* Gives the buffer back that was looked at, and takes the next one. */
static void next_buffer(struct ckpt_dirents *d)
{
	d->off = 0;
	if (!d->threaded) {
		fill(d, &d->buffers[d->at]);
		return;
	}
	turn(d, &d->buffers[d->at], false);
	d->at = !d->at;
	wait_for(d, &d->buffers[d->at], true);
}

int ckpt_dirents_next(struct ckpt_dirents *d, const struct dirent64 **ret)
{
	const struct buffer *b = &d->buffers[d->at];

	if (b->len > 0 && d->off == b->len) {
		next_buffer(d);
		b = &d->buffers[d->at];
	}
	if (b->len <= 0)
		return b->len < 0 ? (int)b->len : 1;
	*ret = (const struct dirent64 *)(b->bytes + d->off);
	d->off += (*ret)->d_reclen;
	return 0;
}

void ckpt_dirents_free(struct ckpt_dirents *d)
{
	if (!d)
		return;
	if (d->threaded) {
		pthread_mutex_lock(&d->lock);
		d->stop = true;
		pthread_cond_signal(&d->turned);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
	}
	pthread_cond_destroy(&d->turned);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
