/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of a run's attempts, for people: gathered from marks, ledgers and decisions of all
 * its directories as a union. Order comes from the ledgers' lines and the attempts' numbers; times
 * are told and never compared for order. A duration that would be negative, or lies between two
 * nodes' clocks where it need not, is not known.
 */
#ifndef CKPT_CORE_RESOLVE_HISTORY_H
#define CKPT_CORE_RESOLVE_HISTORY_H

#include <cjson/cJSON.h>

#include "core/format/verdict.h"
#include "core/resolve/run_state.h"

#define CKPT_HISTORY_ATTEMPTS 10000 /* attempts that are kept; more are counted in `left_out` */
#define CKPT_HISTORY_SAVED 20000    /* checkpoints of all attempts that are kept by name */
#define CKPT_HISTORY_NOTES 5000	    /* other events that are kept */
#define CKPT_HISTORY_UNKNOWN (-1)   /* a time or duration that is not known */

/* A checkpoint that was seen while its attempt ran; its verdict is the last one, be it of a later
 * attempt's start. One that only that start saw has neither time nor position. */
struct ckpt_history_saved {
	char name[256], verdict[16], evidence[24], problem[24];
	struct ckpt_position position;
	int64_t at; /* Unix time of the look that found it; or UNKNOWN */
	char node[64];
	uint64_t size;
	double seconds;	   /* that its check took */
	unsigned int seen; /* a bit for each root whose ledger has it */
};

/* A checkpoint that a start rejected. */
struct ckpt_history_passed {
	char name[256], verdict[16], problem[24];
};

/* Another event of an attempt: stall, limit, requeue, hold, done, ... */
struct ckpt_history_note {
	char event[24], why[160];
	int64_t at;
	unsigned int seen;
};

struct ckpt_history_attempt {
	int64_t job_id, attempt;
	char cluster[64], run[40];
	int group;	/* attempts of one job in one run have the same */
	bool decided;	/* its decision is recorded */
	bool by_prolog; /* the decision is the prolog's */
	bool ended;	/* its end is recorded */
	char mode[16], reason[32], evidence[24];
	char from[CKPT_PATH_MAX]; /* what it started from; empty when fresh */
	struct ckpt_position from_position;
	char cause[32];	 /* why it ended; empty = running, or not recorded */
	bool cause_told; /* the next attempt's reason said so, no end was recorded */
	char to[256];	 /* newest checkpoint found valid at the end; else the last valid saved */
	struct ckpt_position reached; /* the newest position known of, whatever became of it */
	int64_t began, over, last;    /* Unix times: first decision, end, last event */
	char began_node[64], over_node[64];
	int64_t ran_s, waited_s; /* until its end; between the end before it and its beginning */
	bool has_lost_steps, has_lost_epochs;
	int64_t lost_steps, lost_s; /* work of earlier attempts that it has to do again; "about" */
	double lost_epochs;
	size_t valid, rejected; /* checkpoints of it by verdict; unreadable ones are neither */
	size_t n_saved, before_saved;
	struct ckpt_history_saved *saved;
	size_t n_notes, before_notes;
	struct ckpt_history_note *notes;
	size_t n_passed; /* what its start rejected of those before it; what its decision line names
			  */
	struct ckpt_history_passed *passed;
};

struct ckpt_history {
	struct ckpt_history_attempt *attempts; /* job by job, each by number */
	size_t n;
	size_t torn, foreign, left_out; /* ledger lines without an object, event, place */
	size_t n_saved, n_notes, n_passed;
	bool found;			  /* some state directory is there */
	int error;			  /* < 0: one could not be read */
	char error_text[CKPT_ERROR_TEXT]; /* the first */
};

/*
 * Gathers what @roots (at most CKPT_REQUEST_DIRS) know. 0, with *@ret for ckpt_history_done(), also
 * where nothing is known or a part could not be read (`found`, `error`); or -ENOMEM.
 */
int ckpt_history_load(struct ckpt_ctx *ctx, const struct ckpt_roots *roots,
		      struct ckpt_history *ret);

/* Keeps the attempts of @job_id alone. */
void ckpt_history_keep_job(struct ckpt_history *h, int64_t job_id);

/* The attempt before @a of the same job and run, or NULL. */
const struct ckpt_history_attempt *ckpt_history_before(const struct ckpt_history *h,
						       const struct ckpt_history_attempt *a);

/* True for the verdicts "corrupt" and "incomplete". */
bool ckpt_history_is_broken(const char *verdict);

/*
 * Gives what starts rejected to the attempts that saved it: the newest one before with a checkpoint
 * of that name, else the one before. Their lists and counts follow. 0 or -ENOMEM.
 */
int ckpt_history_pass(struct ckpt_history *h);

/* Works out causes, durations and lost work once all attempts are there. */
void ckpt_history_reckon(struct ckpt_history *h);

/* Sums over a history. */
struct ckpt_history_sums {
	int64_t ran_s, waited_s, lost_s; /* of what is known */
	int64_t lost_steps;
	size_t valid, rejected, restarts;
	bool has_goodput;
	double goodput; /* work that lasts, of the time from the beginning to the end: 0 to 1 */
};

/* Adds up @h. */
struct ckpt_history_sums ckpt_history_sum(const struct ckpt_history *h);

/* {"attempts":[...], "sums":{}, "torn", "foreign", "left_out"}. NULL = no memory. */
cJSON *ckpt_history_json(const struct ckpt_history *h);

/* Frees what @h owns. */
void ckpt_history_done(struct ckpt_history *h);
#define _cleanup_history_ _cleanup_(ckpt_history_done)

#endif
