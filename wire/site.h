/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The site's configuration, ckpt-resume.conf: strict "Key=Value" lines, '#' comments. Unknown key,
 * bad value, key given twice are errors with file and line. The file must be a regular file of root
 * (or of the euid when that is not root, for clusters without root), not writable by others; it
 * alone (and a plugstack argument) moves the fixed paths.
 */
#ifndef CKPT_WIRE_SITE_H
#define CKPT_WIRE_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/field.h"

enum ckpt_prolog_resolve {
	CKPT_PROLOG_REQUEUE, /* at attempts after the first (default) */
	CKPT_PROLOG_ALWAYS,
	CKPT_PROLOG_OFF,
};

/* What happens to an attempt that ended because nothing could be found out (law 6). */
enum ckpt_on_undecided {
	CKPT_UNDECIDED_FAIL,	/* the job ends with CKPT_REFUSE_UNKNOWN (default) */
	CKPT_UNDECIDED_HOLD,	/* requeued and held by the epilog */
	CKPT_UNDECIDED_REQUEUE, /* requeued; Slurm's own delay applies */
};

struct ckpt_site {
	char disable_file[CKPT_PATH_MAX]; /* DisableFile=: kill switch, looked for at every call */
	char spool_dir[CKPT_PATH_MAX];	  /* SpoolDir= */
	char agent[CKPT_PATH_MAX];	  /* Agent=: path of ckpt-agent */
	char default_dir[CKPT_PATH_MAX];  /* DefaultDir= */
	char run_dirs[16384];		  /* RunDirs=: allow list */
	char partitions[4096];		  /* Partitions=: comma list; empty = all */
	char verify[16];		  /* Verify=structure|sample|full */
	char quarantine[16];		  /* Quarantine=rename|mark|off */
	char reject_non_finite[16];	  /* RejectNonFinite=no|yes|any */
	char companion[8];		  /* Companion=yes|no */
	char share[16];			  /* Share=wait|requeue|yes */
	int64_t share_wait_ms;		  /* ShareWait= */
	char metrics_file[CKPT_PATH_MAX]; /* MetricsFile=; empty = none */
	int64_t prolog_budget_ms;	  /* PrologBudget= seconds, decimals allowed */
	int64_t epilog_budget_ms;	  /* EpilogBudget= */
	int64_t step_budget_ms;		  /* StepBudget= */
	int64_t max_bytes;		  /* MaxBytes= with K, M, G, T; 0 = no cap: hooks only */
	int64_t max_restarts;		  /* MaxRestarts= */
	int64_t spool_age_s; /* SpoolAge= after which foreign spool entries are swept */
	enum ckpt_prolog_resolve prolog_resolve;
	enum ckpt_on_undecided on_undecided;
};

/* One documented key, for --check, the sample file and the documentation. */
struct ckpt_site_key {
	const char *name, *value, *help; /* "PrologBudget", "SECONDS (default 5)", "..." */
};

/* All keys, in the order of the sample file; the last has a NULL name. */
extern const struct ckpt_site_key ckpt_site_keys[];

#define CKPT_SITE_VALUE_MAX 16384 /* the longest value, RunDirs=, with its NUL */

/* The value in @site of the key at @index of ckpt_site_keys[], written as the file would have it,
 * into @buf of CKPT_SITE_VALUE_MAX bytes. Returns @buf. */
const char *ckpt_site_value(const struct ckpt_site *site, size_t index, char *buf);

/* Fills @site with the compiled-in defaults. */
void ckpt_site_defaults(struct ckpt_site *site);

/*
 * Reads @path over the defaults. 0, also where the file does not exist (defaults). -EPERM for a
 * file that somebody else could have written; -EINVAL with file and line in @err; else an errno. On
 * failure
 * @site holds the defaults.
 */
int ckpt_site_load(struct ckpt_site *site, const char *path, struct ckpt_error *err);

/*
 * The configuration's path: @argument if not NULL (plugstack), else ckpt-resume.conf beside
 * @slurm_conf (the value of SLURM_CONF in a daemon's own environment, may be NULL), else the
 * compiled-in one. Writes at most CKPT_PATH_MAX bytes to @buf and returns it.
 */
const char *ckpt_site_path(const char *argument, const char *slurm_conf, char *buf);

/* Path of ckpt-companion, which lies beside the agent, into @buf of CKPT_PATH_MAX bytes. Returns
 * @buf, or NULL where it would be too long. */
const char *ckpt_site_companion(const struct ckpt_site *site, char *buf);

/* True if the kill switch file exists. */
bool ckpt_site_disabled(const struct ckpt_site *site);

/* True if @partition is in Partitions= or that list is empty. */
bool ckpt_site_partition(const struct ckpt_site *site, const char *partition);

struct ckpt_request;

/* Copies the site's rows (default_dir, run_dirs, quarantine, verify where the user gave none, ...)
 * into @req. The caller sets budget_ms, and zeroes max_bytes outside of hooks. */
void ckpt_site_into_request(const struct ckpt_site *site, struct ckpt_request *req);

#endif
