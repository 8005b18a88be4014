/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_relay.h. The mates take pieces in turn, read them at the same time, and then wait for
 * their turn at the state; a mate that cannot be started is not missed.
 */
#include "core/base/sha256_relay.h"

#include <errno.h>
#include <pthread.h>

#include "core/base/workers.h"

/* Below this a thread costs more than it saves. */
#define WORTH_A_MATE ((uint64_t)4 * 1024 * 1024)

struct run {
	const struct ckpt_sha256_relay *relay;
	const struct ckpt_sha256_message *message;
	size_t piece;	 /* bytes */
	uint64_t pieces; /* one at least: the padding needs it */
	struct ckpt_sha256_state state;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	uint64_t next; /* piece to be read */
	uint64_t turn; /* piece to be taken in */
	int result;    /* of the first piece that failed */
	struct ckpt_error err;
};

struct mate {
	struct run *run;
	uint8_t *buf;
	struct ckpt_error err;
};

static int read_piece(struct mate *mate, uint64_t index, size_t *ret_len)
{
	const struct run *run = mate->run;
	const struct ckpt_sha256_message *m = run->message;
	uint64_t at = index * run->piece, left = m->len - at;
	size_t len = left < run->piece ? (size_t)left : run->piece;

	if (run->relay->stop(run->relay->arg))
		return -ECANCELED;
	*ret_len = len;
	return ckpt_file_read(m->file, m->off + at, mate->buf, len, &mate->err);
}

/* Takes a piece in; the last one with the padding. */
static int take_in(struct mate *mate, uint64_t index, size_t len)
{
	struct run *run = mate->run;
	const uint8_t *data[CKPT_SHA256_LANES] = { mate->buf };
	size_t n = len / CKPT_SHA256_BLOCK;

	if (index + 1 == run->pieces)
		n += ckpt_sha256_pad(mate->buf + n * CKPT_SHA256_BLOCK, run->message->len);
	return ckpt_sha256_blocks(&run->state, data, n, NULL);
}

/* The next piece to read; run->pieces when there is none. */
static uint64_t take_piece(struct run *run)
{
	uint64_t index;

	pthread_mutex_lock(&run->lock);
	index = run->result == 0 && run->next < run->pieces ? run->next++ : run->pieces;
	pthread_mutex_unlock(&run->lock);
	return index;
}

/* Waits for the turn of piece @index. False when one before it failed. */
static bool await_turn(struct run *run, uint64_t index)
{
	bool good;

	pthread_mutex_lock(&run->lock);
	while (run->turn != index && run->result == 0)
		pthread_cond_wait(&run->turned, &run->lock);
	good = run->result == 0;
	pthread_mutex_unlock(&run->lock);
	return good;
}

static void pass_on(struct mate *mate, int result)
{
	struct run *run = mate->run;

	pthread_mutex_lock(&run->lock);
	run->turn++;
	run->result = result;
	run->err = mate->err;
	pthread_cond_broadcast(&run->turned);
	pthread_mutex_unlock(&run->lock);
}

static void *mate_main(void *arg)
{
	struct mate *mate = arg;
	struct run *run = mate->run;
	uint64_t index;

	while ((index = take_piece(run)) < run->pieces) {
		size_t len = 0;
		int r = read_piece(mate, index, &len);

		if (!await_turn(run, index))
			break;
		pass_on(mate, r == 0 ? take_in(mate, index, len) : r);
	}
	return NULL;
}

int ckpt_sha256_relay(const struct ckpt_sha256_relay *relay,
		      const struct ckpt_sha256_message *message, uint8_t ret[CKPT_SHA256_SIZE],
		      struct ckpt_error *err)
{
	int n = message->len < WORTH_A_MATE ? 1 : relay->mates;
	size_t share = relay->size / (size_t)n;
	struct run run = { .relay = relay,
			   .message = message,
			   .piece = (share - CKPT_SHA256_END) & ~(size_t)4095,
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .turned = PTHREAD_COND_INITIALIZER };
	struct mate mates[CKPT_SHA256_MATES] = { { .run = &run, .buf = relay->buf },
						 { .run = &run, .buf = relay->buf + share } };

	run.pieces = message->len / run.piece + (message->len % run.piece != 0);
	run.pieces += run.pieces == 0;
	run.state.ways = CKPT_SHA256_NARROW;
	ckpt_sha256_start(&run.state, 0);
	ckpt_workers_run(mate_main, mates, sizeof(mates[0]), n);
	pthread_cond_destroy(&run.turned);
	pthread_mutex_destroy(&run.lock);
	ckpt_sha256_digest(&run.state, 0, ret);
	if (run.result != 0 && err)
		*err = run.err;
	return run.result;
}
