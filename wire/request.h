/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request: all that a decision depends on, from the user's options, the job and the site.
 * One table (ckpt_request_fields) gives its environment names, wire keys and help.
 *
 * The user's options travel in the job record as SPANK_CKPT_* (hooks) and SLURM_SPANK_CKPT_*
 * (steps) and are whatever the user wants them to be; job and site rows are set by the trusted
 * caller only and are never read from a job's environment (ckpt_request_options_from_env() takes
 * option rows alone). The agent receives all rows from its caller under the prefix "CKPT_REQUEST_".
 */
#ifndef CKPT_WIRE_REQUEST_H
#define CKPT_WIRE_REQUEST_H

#include <stdint.h>

#include "wire/field.h"

#define CKPT_REQUEST_DIRS 8	    /* run directories in one request */
#define CKPT_REQUEST_DIRS_MAX 16384 /* bytes of --ckpt-dir before expansion */
#define CKPT_REQUEST_EXPANDED 1
#define CKPT_REQUEST_BY_DEFAULT 2 /* EXPANDED, and the work directory is searched too */
#define CKPT_REQUEST_NO_TASK (-1) /* array_task of a job that is no array task */
#define CKPT_REQUEST_ENV_PREFIX "CKPT_REQUEST_"

struct ckpt_request {
	/* options of the user */
	char mode[CKPT_PATH_MAX];	  /* auto, best, fresh, step:N, epoch:N, name:NAME, /abs */
	char dirs[CKPT_REQUEST_DIRS_MAX]; /* DIR[:DIR...], unexpanded; empty = default */
	char env_names[1024];		  /* NAME[,NAME]: further names for CKPT_RESUME_PATH */
	char verify[16];		  /* structure, full; empty = the site's */
	char config[CKPT_PATH_MAX]; /* run configuration JSON; empty = RUNDIR/ckpt-config.json */
	char glob[1024];	    /* further names that are checkpoints */
	char metric[256];	    /* KEY:min or KEY:max */
	char epoch[16];		    /* completed, next: what an epoch number means */
	char align[8];		    /* yes, no; empty = yes */
	char state[CKPT_PATH_MAX]; /* directory for .ckpt-resume's files; empty = run directories */
	char requeue[256];	   /* after which ends it starts again (wire/requeue.h) */
	int64_t own_max_restarts;  /* most restarts before the job is held; 0 = not given: no cap */
	char stall[24];		   /* TIME or auto: without progress for that long is a hang */
	char before_limit[24];	   /* TIME before the time limit to save and requeue */
	char signal[16];	   /* that makes the program save; empty = the purpose's own */
	char keep[32];		   /* N[,best=K]: which checkpoints are kept; empty = all */
	char share[16]; /* wait, requeue, yes: another job at work there; empty = site's */
	int64_t repin;	/* 1: a pin holds at later attempts too */

	/* the job, from Slurm */
	int64_t job_id;	 /* 0: not in a job (ckptctl by hand) */
	int64_t attempt; /* restart count, 0 first */
	char cluster[64];
	char node[256];
	char work_dir[CKPT_PATH_MAX];
	char job_name[1024]; /* %x */
	char user[256];	     /* %u */
	int64_t array_job;   /* %A; 0 = the job is no array task (then %A is the job id) */
	int64_t array_task;  /* %a; CKPT_REQUEST_NO_TASK */
	char reason[32];     /* CKPT_RESUME_REASON: why this attempt exists */

	char decided[CKPT_PATH_MAX]; /* op settle alone: the path that the prolog decided on */

	/* the end of an attempt (op record) */
	int64_t status_known; /* 1: batch_status holds the raw wait status of the batch task */
	int64_t batch_status;
	int64_t finished; /* 1: Slurm has it as completed, and no preemption was under way */

	/* a word for the ledger (op note) */
	char note[16];	    /* requeue or hold; empty = none */
	char note_why[256]; /* stall, time-limit, preempt, exit; or a sentence */
	char note_by[16];   /* epilog or companion */

	/* the site */
	char default_dir[CKPT_PATH_MAX];      /* DefaultDir=, used where dirs is empty; empty =
						 "checkpoints" */
	char run_dirs[CKPT_REQUEST_DIRS_MAX]; /* RunDirs= allow list, absolute, ':' separated; empty
						 = any */
	char quarantine[16];		      /* rename, mark, off */
	char reject_non_finite[16];	      /* no (or empty), yes: NaN, any: Inf too */
	int64_t share_wait_ms;		      /* ShareWait=: most time for share=wait */
	int64_t lease;	      /* 1: a companion will hold the run directory's lease */
	int64_t budget_ms;    /* for the whole answer; 0 = none */
	int64_t max_bytes;    /* most bytes read of checkpoints; 0 = no cap */
	int64_t max_restarts; /* MaxRestarts=; 0 = none */
	int64_t expanded; /* CKPT_REQUEST_EXPANDED: the directories are a decision's, with no letter
			     left that says of an array's that each task has its own */
	int64_t hooks;	  /* 1: a prolog began this attempt, and so an epilog will tell its end */
	int64_t in_hook;  /* 1: prolog or epilog: mark, never rename; no alignment, no fetch, no
			     recall */
};

extern const struct ckpt_fields ckpt_request_fields;

/* Zero, with array_task = CKPT_REQUEST_NO_TASK and mode "auto". */
void ckpt_request_init(struct ckpt_request *req);

/*
 * Reads the option rows alone (mode ... repin) under @prefix ("SPANK_CKPT_", "SLURM_SPANK_CKPT_")
 * and checks them: mode and lists as ckpt_request_check() does. 0; -ENOENT when the job did not ask
 * for
 * --ckpt-resume (no mode variable); -EINVAL or -E2BIG with @err.
 */
int ckpt_request_options_from_env(struct ckpt_request *req, const char *prefix,
				  ckpt_getenv_fn *lookup, void *arg, struct ckpt_error *err);

/*
 * The rules between and beyond single fields: mode's grammar, at most CKPT_REQUEST_DIRS
 * directories, no empty one, known %-letters, environment names that may be set (no PATH, LD_*,
 * SLURM_*, CKPT_*, and such as IFS, BASH_ENV, ENV), metric KEY:min|max. 0, or -EINVAL with @err:
 * which option, what is wrong, what is allowed.
 */
int ckpt_request_check(const struct ckpt_request *req, struct ckpt_error *err);

/* The number of the signal that the job's rows name: "USR1", "SIGUSR1" or a number; @fallback where
 * the row is empty. */
int ckpt_request_signal(const struct ckpt_request *req, int fallback);

/* What is wrong with the list of environment names @list (NAME[,NAME...] or empty), or NULL. */
const char *ckpt_request_env_names_problem(const char *list);

#endif
