/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision: what an attempt starts from. Made once, by the agent; travels over its pipe,
 * through the spool, into the job's environment (CKPT_*, and SLURM_SPANK_CKPT_D_* for steps) and
 * into the run directory as JSON, all from one table.
 */
#ifndef CKPT_WIRE_DECISION_H
#define CKPT_WIRE_DECISION_H

#include <stdint.h>

#include "wire/field.h"
#include "wire/request.h"

/* Codes with which an attempt ends in task_init when the script must not start. sysexits.h's
 * numbers. */
enum ckpt_refusal {
	CKPT_REFUSE_OPTION = 64,  /* the options of the job are wrong (EX_USAGE) */
	CKPT_REFUSE_PIN = 65,	  /* the pinned checkpoint is missing or not valid (EX_DATAERR) */
	CKPT_REFUSE_BUDGET = 69,  /* starting again leads nowhere: to be held (EX_UNAVAILABLE) */
	CKPT_REFUSE_BUSY = 73,	  /* another job is at work in the run directory (EX_CANTCREAT) */
	CKPT_REFUSE_UNKNOWN = 75, /* could not find out, law 6 (EX_TEMPFAIL) */
};

struct ckpt_decision {
	char mode[16];		  /* resume, finetune, fresh, done, refused */
	char path[CKPT_PATH_MAX]; /* the checkpoint; empty when fresh */
	char root[CKPT_PATH_MAX]; /* its directory */
	char tag[256];		  /* its name in there */
	char start_epoch[24];	  /* decimal, or empty where the meaning is unknown */
	char step[24];
	char resume_epoch[24];
	char evidence[24];
	char reason[32];
	int64_t attempt;
	int64_t job_id;
	char dir[CKPT_PATH_MAX];	  /* first run directory, absolute */
	char dirs[CKPT_REQUEST_DIRS_MAX]; /* all of them, as --ckpt-dir would say them ('%'
					     doubled): for the epilog's request */
	int64_t by_default; /* 1: no option named them: the work directory is searched too */
	char decision_file[CKPT_PATH_MAX]; /* its JSON, with the trail */
	char run[40];			   /* run id */
	char env_names[1024];		   /* further names for path */
	char line[1024];		   /* the decision in words, without the "ckpt-resume: " */
	char warning[1024];		   /* what the user should know besides; may be empty */
	int64_t refusal;		   /* enum ckpt_refusal when mode is refused */
	int64_t holder; /* with CKPT_REFUSE_BUSY: the job at work there; else 0 */
	/* op record: what the ledger makes of the attempt that ended */
	int64_t progress; /* 1: it left a valid checkpoint that it did not start from */
	int64_t faults;	 /* attempts in a row that ended by their own fault, or were requeued at the
			    time limit, without one */
	int64_t repeats; /* attempts that ended the same way at the same checkpoint */
	int64_t restarts;   /* since the run began or was last held */
	char wanted[16];    /* stall, time-limit: its companion noted that it is to be requeued */
	int64_t verify_ms;  /* that checks took, about: at the start; by op record, at the end */
	int64_t lost_s;	    /* seconds of work behind what the next one starts from, about */
	char rejected[512]; /* newer ones not valid then, which no start or end had told of before:
			       "FORMAT/PROBLEM,...", as many as fit */
	int64_t settle;	    /* 1: the step has to align pointers or quarantine (agent op settle) */
};

extern const struct ckpt_fields ckpt_decision_fields;

/*
 * What must hold between fields: a known mode; resume and finetune have path, root, tag and
 * evidence; path is root + "/" + tag; fresh has no path; refused has a line and a code. 0, or
 * -EINVAL with @err.
 */
int ckpt_decision_check(const struct ckpt_decision *d, struct ckpt_error *err);

/* Sets one variable of a job; 0, or a negative errno that ends the walk. */
typedef int ckpt_setenv_fn(void *arg, const char *name, const char *value);

/*
 * Calls @set for every variable of the contract: CKPT_RESUME_MODE ... CKPT_DECISION and the names
 * in env_names. With
 * @carriers also their SLURM_SPANK_CKPT_D_* twins. 0, or what @set returned.
 */
int ckpt_decision_export(const struct ckpt_decision *d, int carriers, ckpt_setenv_fn *set,
			 void *arg);

/* The other way: reads the SLURM_SPANK_CKPT_D_* variables of a step. 0; -ENOENT when there are
 * none; -EINVAL when they contradict each other. */
int ckpt_decision_from_carriers(struct ckpt_decision *d, ckpt_getenv_fn *lookup, void *arg,
				struct ckpt_error *err);

/* Names of all contract variables (CKPT_RESUME_MODE, ...), NULL-terminated: those to drop when
 * foreign. */
extern const char *const ckpt_decision_names[];

#endif
