/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See crc_deferred.h. A range's parts come in any order and from several threads: the CRC of a
 * whole is the exclusive or of its parts' CRCs, each moved on by the number of bytes behind it.
 */
#include "core/base/crc_deferred.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "wire/cleanup.h"

struct ckpt_crc_deferred_range {
	uint64_t begin, end; /* in the whole file */
	uint32_t expected;
	_Atomic uint32_t crc; /* of the parts so far */
};

struct ckpt_crc_deferred_file {
	struct ckpt_identity id;
	enum ckpt_crc_kind kind;
	size_t first, end; /* its ranges */
	uint64_t bytes;	   /* in all of them */
	_Atomic uint64_t taken;
};

void ckpt_crc_deferred_done(struct ckpt_crc_deferred *deferred)
{
	free(deferred->files);
	free(deferred->ranges);
	*deferred = (struct ckpt_crc_deferred) { 0 };
}

/* Room for @n elements of @size bytes in *@array, which has room for *@cap. False without memory.
 */
static bool make_room(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap * 2 < n ? n : *cap * 2;
	void *p = n <= *cap ? *(void **)array : reallocarray(*(void **)array, more, size);

	if (!p)
		return false;
	*cap = n <= *cap ? *cap : more;
	*(void **)array = p;
	return true;
}

/* Index of the file @id; n_files if none is known. */
static size_t find_file(const struct ckpt_crc_deferred *d, const struct ckpt_identity *id,
			size_t likely)
{
	if (likely < d->n_files && ckpt_identity_same(&d->files[likely].id, id))
		return likely;
	for (size_t i = 0; i < d->n_files; i++)
		if (ckpt_identity_same(&d->files[i].id, id))
			return i;
	return d->n_files;
}

int ckpt_crc_replay_next(void *arg, struct ckpt_crc_range *ret)
{
	struct ckpt_crc_replay *replay = arg;

	if (replay->at < replay->n) {
		*ret = replay->kept[replay->at++];
		return 1;
	}
	return replay->ended ? replay->result : replay->job->next(replay->job->arg, ret);
}

/* Keeps the next range. False when that was the end, or there are too many. */
static bool keep(struct ckpt_crc_replay *replay, size_t most)
{
	if (replay->n == most || !make_room(&replay->kept, replay->n ? replay->n + 1 : 64,
					    &replay->cap, sizeof(*replay->kept)))
		return false;
	replay->result = replay->job->next(replay->job->arg, &replay->kept[replay->n]);
	replay->ended = replay->result != 1;
	replay->n += !replay->ended;
	return !replay->ended;
}

/* Whether what was kept is all, in order, and in the file. */
static bool is_simple(const struct ckpt_crc_replay *replay, const struct ckpt_file *file)
{
	uint64_t at = 0;

	if (!replay->ended || replay->result != 0)
		return false;
	for (size_t i = 0; i < replay->n; i++) {
		const struct ckpt_crc_range *range = &replay->kept[i];

		if (range->ret_crc || range->off < at || range->off > file->size ||
		    range->len > file->size - range->off)
			return false;
		at = range->off + range->len;
	}
	return true;
}

static void add(struct ckpt_crc_deferred *d, const struct ckpt_file *file,
		const struct ckpt_crc_replay *replay)
{
	struct ckpt_crc_deferred_file *f = &d->files[d->n_files++];

	*f = (struct ckpt_crc_deferred_file) { .id = file->id,
					       .kind = replay->job->kind,
					       .first = d->n_ranges,
					       .end = d->n_ranges + replay->n };
	for (size_t i = 0; i < replay->n; i++) {
		const struct ckpt_crc_range *range = &replay->kept[i];
		uint64_t begin = file->base + range->off;

		d->ranges[d->n_ranges++] = (struct ckpt_crc_deferred_range) {
			.begin = begin, .end = begin + range->len, .expected = range->expected
		};
		f->bytes += range->len;
	}
}

bool ckpt_crc_defer(struct ckpt_crc_deferred *d, const struct ckpt_file *file,
		    const struct ckpt_crc_job *job, struct ckpt_crc_replay *replay)
{
	*replay = (struct ckpt_crc_replay) { .job = job };
	if (file->source || find_file(d, &file->id, 0) < d->n_files)
		return false;
	while (keep(replay, CKPT_CRC_DEFERRED_MAX - d->n_ranges))
		;
	if (!is_simple(replay, file) ||
	    !make_room(&d->ranges, d->n_ranges + replay->n, &d->ranges_cap, sizeof(*d->ranges)) ||
	    !make_room(&d->files, d->n_files + 1, &d->files_cap, sizeof(*d->files)))
		return false;
	add(d, file, replay);
	return true;
}

/* The first range of @f that ends behind @off. */
static size_t find_range(const struct ckpt_crc_deferred *d, const struct ckpt_crc_deferred_file *f,
			 uint64_t off)
{
	size_t low = f->first, high = f->end;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->ranges[mid].end > off)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

void ckpt_crc_track_begin(struct ckpt_crc_track *track, struct ckpt_crc_deferred *d,
			  const struct ckpt_identity *id, uint64_t off)
{
	size_t file = find_file(d, id, track->file);

	*track = (struct ckpt_crc_track) { .deferred = d, .file = file, .at = off };
	if (file < d->n_files)
		track->range = find_range(d, &d->files[file], off);
}

/* Enters the part of the range that ends here. */
static void enter(struct ckpt_crc_track *track)
{
	struct ckpt_crc_deferred_file *f = &track->deferred->files[track->file];
	struct ckpt_crc_deferred_range *range = &track->deferred->ranges[track->range];

	if (track->len == 0)
		return;
	atomic_fetch_xor(&range->crc,
			 ckpt_crc_combine(f->kind, track->crc, 0, range->end - track->at));
	atomic_fetch_add(&f->taken, track->len);
	track->len = 0;
	track->crc = 0;
}

void ckpt_crc_track_take(struct ckpt_crc_track *track, const void *data, size_t len)
{
	struct ckpt_crc_deferred *d = track->deferred;
	const struct ckpt_crc_deferred_file *f = &d->files[track->file];
	const char *p = data;

	if (track->file == d->n_files)
		return;
	while (len > 0 && track->range < f->end) {
		const struct ckpt_crc_deferred_range *range = &d->ranges[track->range];
		bool inside = track->at >= range->begin;
		uint64_t left = (inside ? range->end : range->begin) - track->at;
		size_t n = left < len ? (size_t)left : len;

		if (inside)
			track->crc = ckpt_crc(f->kind, track->crc, p, n);
		track->len += inside ? n : 0;
		track->at += n;
		p += n;
		len -= n;
		if (track->at < range->end)
			continue;
		enter(track);
		track->range++;
	}
	track->at += len;
}

void ckpt_crc_track_end(struct ckpt_crc_track *track)
{
	if (track->deferred && track->len > 0)
		enter(track);
}

bool ckpt_crc_deferred_good(const struct ckpt_crc_deferred *d)
{
	for (size_t i = 0; i < d->n_files; i++)
		if (d->files[i].taken != d->files[i].bytes)
			return false;
	for (size_t i = 0; i < d->n_ranges; i++)
		if (d->ranges[i].crc != d->ranges[i].expected)
			return false;
	return true;
}
