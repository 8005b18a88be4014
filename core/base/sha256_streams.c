/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_streams.h. All lanes take in as many blocks as the one with the fewest has in its
 * buffer. A lane that begins amid the others' pieces reads no more than they have left: so they
 * soon come to their ends together again, and the steps stay long. Where bytes can be fetched ahead
 * of their reading (ahead.h), the lanes take turns instead: at each step's end one of them reads,
 * and during the step it is that one's next piece which is fetched, just as long as the step takes.
 */
#include "core/base/sha256_streams.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/ahead.h"
#include "wire/text.h"

#define STREAMS_MAX 512
#define PAGE ((size_t)4096)
/* Between pieces: not a power of two from lane to lane, which would put all on the same cache
 * lines; as much as reads past the page cache ask for (CKPT_PAGES_BUFFER); room for a message's
 * end. */
#define STAGGER ((size_t)512)
/* Of lanes that take turns. All lanes' pieces stay in a core's L2 cache of 2 MiB, beside as many
 * bytes of the page cache: with 64 KiB each the digests took a tenth longer. */
#define TURN ((size_t)32 * 1024)

struct lane {
	struct ckpt_sha256_message message;
	bool active;
	bool near;	   /* takes turns: the message can be fetched ahead */
	uint64_t taken;	   /* bytes of the message that were read */
	uint8_t *buf;	   /* a piece and the end's padding */
	const uint8_t *at; /* what is to be taken in; NULL before the first read */
	size_t blocks;
};

struct streams {
	struct ckpt_sha256_state state;
	const struct ckpt_sha256_source *source;
	struct lane lanes[CKPT_SHA256_LANES];
	int n;
	size_t piece; /* bytes, whole blocks */
	bool more;    /* messages to come */
	struct ckpt_ahead ahead;
	uint64_t since; /* bytes taken in since it was last tried to map */
};

static void end(struct streams *s, int lane, int result, const struct ckpt_error *err)
{
	uint8_t digest[CKPT_SHA256_SIZE];

	ckpt_sha256_digest(&s->state, lane, digest);
	s->lanes[lane].active = false;
	s->lanes[lane].blocks = 0;
	s->source->done(s->source->arg, lane, result, digest, err);
}

/* Whether the message that begins in @lane is mapped, or can be: not more often than is worth it.
 */
static bool is_near(struct streams *s, int lane)
{
	const struct ckpt_sha256_message *m = &s->lanes[lane].message;

	if (!s->source->ahead || s->n < CKPT_SHA256_LANES)
		return false;
	if (ckpt_ahead_at(&s->ahead, m->file, m->off, m->len))
		return true;
	if (s->since < CKPT_AHEAD_WINDOW / 2)
		return false;
	s->since = 0;
	return ckpt_ahead_map(&s->ahead, m->file, m->off) &&
	       ckpt_ahead_at(&s->ahead, m->file, m->off, m->len);
}

/* Bytes that a lane reads in its turn; the first time so many that turns come at equal distances.
 */
static size_t turn(const struct lane *l, int lane)
{
	return l->at ? TURN : TURN / CKPT_SHA256_LANES * (size_t)(lane + 1);
}

/* Reads the next @room bytes of the lane's message. An error ends it. */
static void refill(struct streams *s, int lane, size_t room)
{
	struct lane *l = &s->lanes[lane];
	uint64_t left = l->message.len - l->taken;
	size_t n = left < room ? (size_t)left : room;
	struct ckpt_error err = { 0 };
	int r = ckpt_file_read(l->message.file, l->message.off + l->taken, l->buf, n, &err);

	if (r != 0) {
		end(s, lane, r, &err);
		return;
	}
	if (s->source->bytes)
		s->source->bytes(s->source->arg, lane, l->buf, n);
	l->taken += n;
	l->at = l->buf;
	l->blocks = n / CKPT_SHA256_BLOCK;
	if (l->taken == l->message.len)
		l->blocks +=
			ckpt_sha256_pad(l->buf + l->blocks * CKPT_SHA256_BLOCK, l->message.len);
}

static bool begin(struct streams *s, int lane)
{
	struct lane *l = &s->lanes[lane];

	s->more = s->more && s->source->next(s->source->arg, lane, &l->message);
	if (!s->more)
		return false;
	l->active = true;
	l->taken = 0;
	l->at = NULL;
	l->near = is_near(s, lane);
	ckpt_sha256_start(&s->state, lane);
	return true;
}

/* Sees that the lane has something to take in, or nothing left to do. */
static void supply(struct streams *s, int lane, size_t room)
{
	struct lane *l = &s->lanes[lane];
	static const struct ckpt_error none;
	bool more = true;

	while (more && l->blocks == 0) {
		if (l->active && l->at && l->taken == l->message.len)
			end(s, lane, 0, &none);
		more = l->active || begin(s, lane);
		if (more)
			refill(s, lane, l->near ? turn(l, lane) : room);
	}
}

/* What the fullest lane still has, unless too little to be worth a read. */
static size_t room_now(const struct streams *s)
{
	size_t most = 0;

	for (int i = 0; i < s->n; i++)
		if (s->lanes[i].blocks > most)
			most = s->lanes[i].blocks;
	most = (most * CKPT_SHA256_BLOCK + PAGE - 1) / PAGE * PAGE;
	return most < s->piece / 4 || most > s->piece ? s->piece : most;
}

/* What to fetch while @n blocks are taken in: the next piece of a lane that then has none. */
static const uint8_t *soon(const struct streams *s, size_t n)
{
	for (int i = 0; i < s->n; i++) {
		const struct lane *l = &s->lanes[i];

		if (l->active && l->near && l->blocks == n && l->taken < l->message.len)
			return ckpt_ahead_at(&s->ahead, l->message.file, l->message.off + l->taken,
					     1);
	}
	return NULL;
}

/* Takes in what all lanes have. False when there is nothing left. */
static bool step(struct streams *s, int *ret_error)
{
	const uint8_t *data[CKPT_SHA256_LANES] = { NULL };
	size_t n = SIZE_MAX, room = room_now(s);
	bool any = false;

	for (int i = 0; i < s->n; i++) {
		struct lane *l = &s->lanes[i];

		supply(s, i, room);
		if (!l->active)
			continue;
		any = true;
		data[i] = l->at;
		n = l->blocks < n ? l->blocks : n;
	}
	if (!any)
		return false;
	*ret_error = ckpt_sha256_blocks(&s->state, data, n, soon(s, n));
	s->since += n * CKPT_SHA256_SOON;
	for (int i = 0; i < s->n; i++) {
		if (!data[i])
			continue;
		s->lanes[i].at += n * CKPT_SHA256_BLOCK;
		s->lanes[i].blocks -= n;
	}
	return *ret_error == 0;
}

static void end_all(struct streams *s, int result)
{
	struct ckpt_error err = { 0 };

	if (result == 0)
		result = -ECANCELED;
	else
		ckpt_fail(&err, result, "libcrypto cannot compute digests");
	for (int i = 0; i < s->n; i++)
		if (s->lanes[i].active)
			end(s, i, result, &err);
}

struct ckpt_sha256_plan ckpt_sha256_plan(uint64_t messages, int threads)
{
	int n = messages < (uint64_t)threads ? (int)messages + (messages == 0) : threads;
	uint64_t share = messages / (uint64_t)n + (messages % (uint64_t)n != 0);
	struct ckpt_sha256_ways ways = ckpt_sha256_ways();

	if (share > CKPT_SHA256_LANES)
		share = CKPT_SHA256_LANES;
	if (share > (uint64_t)(STREAMS_MAX / n))
		share = (uint64_t)(STREAMS_MAX / n);
	return (struct ckpt_sha256_plan) {
		.threads = n,
		.lanes = share < (uint64_t)ckpt_sha256_pays_from(&ways) ? 1 : (int)share,
		.mates = threads >= CKPT_SHA256_MATES * n ? CKPT_SHA256_MATES : 1,
	};
}

/* One message after the other. */
static void in_turn(const struct ckpt_sha256_source *source, int mates, uint8_t *buf)
{
	const struct ckpt_sha256_relay relay = { .mates = mates,
						 .stop = source->stop,
						 .arg = source->arg,
						 .buf = buf,
						 .size = CKPT_SHA256_BUFFER };
	struct ckpt_sha256_message message;

	while (!source->stop(source->arg) && source->next(source->arg, 0, &message)) {
		uint8_t digest[CKPT_SHA256_SIZE];
		struct ckpt_error err = { 0 };
		int r = ckpt_sha256_relay(&relay, &message, digest, &err);

		source->done(source->arg, 0, r, digest, &err);
	}
}

static void side_by_side(const struct ckpt_sha256_source *source, int lanes, uint8_t *buf)
{
	struct streams s = { .source = source, .n = lanes, .more = true, .since = UINT64_MAX / 2 };
	size_t stride = CKPT_SHA256_BUFFER / (size_t)lanes;
	int r = 0;

	s.piece = (stride - STAGGER) / PAGE * PAGE;
	stride = s.piece + STAGGER;
	s.state.ways = ckpt_sha256_ways();
	for (int i = 0; i < lanes; i++)
		s.lanes[i].buf = buf + (size_t)i * stride;
	while (!source->stop(source->arg) && step(&s, &r))
		;
	end_all(&s, r);
	ckpt_ahead_done(&s.ahead);
}

int ckpt_sha256_streams(const struct ckpt_sha256_source *source,
			const struct ckpt_sha256_plan *plan)
{
	_cleanup_free_ uint8_t *buf = aligned_alloc(PAGE, CKPT_SHA256_BUFFER);

	if (!buf)
		return -ENOMEM;
	if (plan->lanes == 1)
		in_turn(source, plan->mates, buf);
	else
		side_by_side(source, plan->lanes, buf);
	return 0;
}
