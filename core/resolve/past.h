/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the ledger says of a run's attempts: where each started, how it ended, what it left. The
 * budgets of restarts, poisoned checkpoints and the end of a run are judged by it.
 *
 * An attempt ended by its own fault when its program did it (exit code, a signal that Slurm did not
 * send, out of memory) or stalled; preemption, time limit, node failure and a requeue are no fault.
 * A requeue of ours at the time limit is none either, but one that brings nothing new again and
 * again could go on for ever: it counts as a fault does until the job is held, and for nothing
 * else.
 */
#ifndef CKPT_CORE_RESOLVE_PAST_H
#define CKPT_CORE_RESOLVE_PAST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"
#include "wire/field.h"

/* Attempts that are remembered; those before them count neither for nor against anything. */
#define CKPT_PAST_ATTEMPTS 64
/* Rejected checkpoints that are remembered by their ids; the newest. */
#define CKPT_PAST_REJECTED 1024
/* Attempts that fail from one checkpoint and leave no newer one before it is passed over. */
#define CKPT_PAST_POISON 2

/* Which checkpoint, as a ledger's line has it. */
struct ckpt_past_place {
	char path[CKPT_PATH_MAX]; /* empty: none */
	char id[80];		  /* ckpt_past_id(); empty: not noted */
	bool has_step, has_epoch;
	int64_t step;
	double epoch;
};

struct ckpt_past_attempt {
	int64_t attempt;
	bool begun, ended; /* its decision, its end are in the ledger */
	bool hooked;	 /* its epilog was to record the end: without one, the node went with it */
	bool over;	 /* it was refused, or the run was already finished: its script never ran */
	bool stood_back; /* it was refused for another job that was at work there */
	bool saved;	 /* its companion saw a valid checkpoint that it did not start from */
	bool finished;	 /* it finished the job's work */
	bool held;	 /* the job was held after it: what came before counts no more */
	char cause[32];	 /* why it ended, by the epilog */
	char why[32];	 /* why it was requeued, where we did it; empty = not by us */
	int64_t status;	 /* raw wait status of the batch task; -1 unknown */
	struct ckpt_past_place first, from, left; /* decided first and last; found at its end */
};

/* Zero-initialised; `run` is set before entries are taken, where it is known. */
struct ckpt_past {
	char run[40];			/* entries of another run are not this one's */
	struct ckpt_past_attempt *rows; /* CKPT_PAST_ATTEMPTS, by attempt modulo that; owned */
	int64_t last;			/* the highest attempt taken + 1; 0 = none */
	char (*rejected)[80];		/* a ring of CKPT_PAST_REJECTED ids; owned */
	size_t n_rejected;		/* that ever came */
};

/* Takes one ledger entry of this job; others than decision, checkpoint, end, requeue and hold are
 * stepped over. 0 or -ENOMEM. Taking an entry twice changes nothing. */
int ckpt_past_take(struct ckpt_past *past, const cJSON *entry);

/*
 * Takes the ids of what a start's or an end's entry, of whatever job, rejected; that of a start
 * which was refused does not count, and a line that was cut short names none. 0 or -ENOMEM.
 */
int ckpt_past_take_rejected(struct ckpt_past *past, const cJSON *entry);

/* True if such an entry named the file of @id. */
bool ckpt_past_has_rejected(const struct ckpt_past *past, const struct ckpt_identity *id);

/* The attempt with that number, or NULL where nothing is known of it. */
const struct ckpt_past_attempt *ckpt_past_find(const struct ckpt_past *past, int64_t attempt);

/* The last attempt before @before whose script ran, or NULL. */
const struct ckpt_past_attempt *ckpt_past_last_run(const struct ckpt_past *past, int64_t before);

/* True if @a ended by its own fault. */
bool ckpt_past_is_fault(const struct ckpt_past_attempt *a);

/* True if @a left a valid checkpoint that it did not start from, by the record of its end; without
 * one that names any, by what its companion saw. */
bool ckpt_past_progressed(const struct ckpt_past_attempt *a);

/* How many attempts up to and with @last failed, or were requeued by us at the time limit, one
 * after the other but for those that ended otherwise, since one left something new, and since the
 * job was last held. */
int64_t ckpt_past_faults(const struct ckpt_past *past, int64_t last);

/* How many attempts since the job was last held failed with @last's status and left what it left,
 * itself included; 0 where it did not fail. Where no end tells what was left, what a companion saw
 * saved is another point than that of the attempts before. */
int64_t ckpt_past_repeats(const struct ckpt_past *past, int64_t last);

/* How many of the starts up to and with attempt @last were restarts since the job was last held;
 * those that stood back for another job do not count. */
int64_t ckpt_past_restarts(const struct ckpt_past *past, int64_t last);

/* How many attempts since the job was last held failed from the checkpoint @place and left nothing
 * newer; *@ret_last (may be NULL) is the last of them. */
int64_t ckpt_past_failed_from(const struct ckpt_past *past, const struct ckpt_past_place *place,
			      int64_t *ret_last);

/* The text by which the ledger knows a checkpoint again: inode, size, mtime. Writes @size bytes at
 * most to @buf and returns it. */
const char *ckpt_past_id(char *buf, size_t size, const struct ckpt_identity *id);

/* The time of last change, in nanoseconds, that @id of ckpt_past_id() tells. False if it tells
 * none. */
bool ckpt_past_id_time(const char *id, int64_t *ret_ns);

/* Frees what @past owns. */
void ckpt_past_done(struct ckpt_past *past);

#endif
