/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRCs of a check that are not computed by it but later, by whoever reads the whole file anyway:
 * with many gigabytes the second reading costs more than the first one's arithmetic. The check is
 * then as good as its word only once ckpt_crc_deferred_good() has said so.
 */
#ifndef CKPT_CORE_BASE_CRC_DEFERRED_H
#define CKPT_CORE_BASE_CRC_DEFERRED_H

#include "core/base/crc.h"

/* Ranges of all files that are taken: 8 MiB; checks with more are done at once. */
#define CKPT_CRC_DEFERRED_MAX ((size_t)128 * 1024)

/* What a context defers to. Zeroed before the first use. */
struct ckpt_crc_deferred {
	struct ckpt_crc_deferred_file *files;
	struct ckpt_crc_deferred_range *ranges; /* of each file together, by offset */
	size_t n_files, files_cap, n_ranges, ranges_cap;
};

/* Frees what it owns. */
void ckpt_crc_deferred_done(struct ckpt_crc_deferred *deferred);
#define _cleanup_crc_deferred_ _cleanup_(ckpt_crc_deferred_done)

/* A job whose ranges were looked at: hands them out again, then those that come after. */
struct ckpt_crc_replay {
	const struct ckpt_crc_job *job;
	struct ckpt_crc_range *kept; /* owned */
	size_t n, cap, at;
	bool ended;
	int result; /* of the job's next, where it ended */
};

/*
 * Takes all of @job over @file. True: it was taken. False: it has to be done at once, since its
 * ranges are too many, in no order, or beyond the file, or the file is decoded, or another job of
 * it was taken before: then @replay stands for the job. In both cases the caller frees
 * replay->kept.
 */
bool ckpt_crc_defer(struct ckpt_crc_deferred *deferred, const struct ckpt_file *file,
		    const struct ckpt_crc_job *job, struct ckpt_crc_replay *replay);

/* A ckpt_crc_next_fn; @arg is a struct ckpt_crc_replay. */
int ckpt_crc_replay_next(void *arg, struct ckpt_crc_range *ret);

/* Bytes that are read one after the other, by one thread. */
struct ckpt_crc_track {
	struct ckpt_crc_deferred *deferred;
	size_t file, range; /* indexes; file is n_files where nothing is wanted of it */
	uint64_t at;
	uint64_t len; /* of the range's bytes that crc is over */
	uint32_t crc;
};

/* Begins at @off of the file @id. */
void ckpt_crc_track_begin(struct ckpt_crc_track *track, struct ckpt_crc_deferred *deferred,
			  const struct ckpt_identity *id, uint64_t off);

/* Takes the next @len bytes. */
void ckpt_crc_track_take(struct ckpt_crc_track *track, const void *data, size_t len);

/* After the last of them, before another beginning. */
void ckpt_crc_track_end(struct ckpt_crc_track *track);

/* True if every byte of every range was taken once and all CRCs are what they must be. */
bool ckpt_crc_deferred_good(const struct ckpt_crc_deferred *deferred);

#endif
