/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See submit.h.
 */
#include "plugin/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/ask.h"
#include "plugin/options.h"
#include "wire/cleanup.h"
#include "wire/text.h"

extern char **environ;

/* What a surrounding job leaves besides the contract's names. */
static const char *const inherited[] = {
	"SLURM_SPANK_CKPT_",
	"SLURM_SPANK__SLURM_SPANK_OPTION_ckpt_",
	"_SLURM_SPANK_OPTION_ckpt_",
	"SLURM_RESTART_COUNT=",
};

static bool is_inherited(const char *entry)
{
	const char *rest;

	for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++)
		if (ckpt_text_starts(entry, inherited[i], NULL))
			return true;
	for (const char *const *name = ckpt_decision_names; *name; name++)
		if (ckpt_text_starts(entry, *name, &rest) && *rest == '=')
			return true;
	return false;
}

static bool drop_entry(const char *entry)
{
	char name[256];
	size_t len = strcspn(entry, "=");

	if (len >= sizeof(name))
		return false;
	memcpy(name, entry, len);
	name[len] = '\0';
	return unsetenv(name) == 0;
}

void ckpt_submit_drop_inherited(void)
{
	char **e = environ;

	if (!e || (!getenv("CKPT_JOB") && !getenv(CKPT_CARRIER "JOB")))
		return;
	while (*e) /* unsetenv() moves the rest down */
		if (!is_inherited(*e) || !drop_entry(*e))
			e++;
}

void ckpt_submit_warn(void)
{
	const char *mode = getenv("SBATCH_OPEN_MODE");
	const char *orphan = ckpt_options_orphan();

	if (orphan)
		slurm_spank_log("ckpt-resume: warning: --%s has no effect without --ckpt-resume",
				orphan);
	if (!ckpt_options_asked())
		return;
	if (getenv("SBATCH_NO_REQUEUE"))
		slurm_spank_log("ckpt-resume: warning: SBATCH_NO_REQUEUE is set: Slurm will not "
				"start this job again, so nothing can be resumed");
	if (mode && *mode == 't')
		slurm_spank_log("ckpt-resume: warning: SBATCH_OPEN_MODE=truncate: each attempt "
				"erases the output of the one before; use append");
	unsetenv("SLURM_RESTART_COUNT"); /* of a job around this one, which starts at 0 */
}

static void store_one(void *arg, const char *env, const char *value)
{
	char name[64];
	spank_err_t r;

	snprintf(name, sizeof(name), "CKPT_%s", env);
	r = spank_job_control_setenv(arg, name, value, 1);
	if (r != ESPANK_SUCCESS)
		slurm_error("ckpt-resume: %s cannot be stored with the job: %s", name,
			    spank_strerror(r));
}

void ckpt_submit_store(spank_t sp)
{
	if (ckpt_options_asked())
		ckpt_options_each(store_one, sp);
}

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static int put(void *arg, const char *name, const char *value)
{
	(void)arg;
	return setenv(name, value, 1) < 0 ? -errno : 0;
}

/* The options into srun's own environment, where the request is read from. */
static void put_option(void *arg, const char *env, const char *value)
{
	char name[64];

	snprintf(name, sizeof(name), CKPT_OPTION "%s", env);
	put(arg, name, value);
}

/* Tells the tasks not to start, and with which code to end. */
static void put_stop(const struct ckpt_ending *ending)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", ending->signal ? 128 + ending->signal : ending->code);
	put(NULL, CKPT_STOP, code);
}

/* True if the environment holds a decision for @job_id; another job's is dropped. */
static bool has_decision(uint32_t job_id)
{
	const char *owner = getenv(CKPT_CARRIER "JOB");
	char id[16];

	if (!owner)
		return false;
	snprintf(id, sizeof(id), "%u", job_id);
	if (strcmp(owner, id) == 0)
		return true;
	ckpt_submit_drop_inherited();
	return false;
}

static int64_t restart_count(void)
{
	const char *text = getenv("SLURM_RESTART_COUNT");
	int64_t count = 0;

	return text && ckpt_text_int(text, 0, UINT32_MAX, &count) ? count : 0;
}

static void decide(uint32_t job_id, int ac, char *argv[])
{
	_cleanup_free_ struct ckpt_site *site = calloc(1, sizeof(*site));
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	struct ckpt_asking asking = { .site = site,
				      .lookup = lookup,
				      .job_id = job_id,
				      .attempt = restart_count(),
				      .array_task = CKPT_REQUEST_NO_TASK };
	struct ckpt_ending ending;

	if (!site || !d)
		return;
	if (!ckpt_ask_site(site, ac, argv)) {
		ckpt_ask_say(CKPT_SWITCHED_OFF);
		return;
	}
	ending = ckpt_ask(&asking, d);
	if (!ending.start)
		put_stop(&ending);
	else if (ckpt_decision_export(d, 1, put, NULL) < 0)
		ckpt_ask_say("warning: no memory for the decision's variables");
}

void ckpt_submit_decide(spank_t sp, int ac, char *argv[])
{
	uint32_t job_id;

	if (!ckpt_options_asked() && !getenv(CKPT_OPTION "RESUME"))
		return;
	if (spank_get_item(sp, S_JOB_ID, &job_id) != ESPANK_SUCCESS || has_decision(job_id))
		return;
	ckpt_options_each(put_option, NULL);
	decide(job_id, ac, argv);
}
