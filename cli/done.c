/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl done: the user's word that a run has come to its end, or that it has not. ckptctl beat:
 * his program's word that it lives.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/job.h"
#include "core/base/json.h"
#include "core/record/done.h"
#include "core/record/heartbeat.h"
#include "core/record/ledger.h"

struct done {
	bool undo, json;
	const char *dir;
};

static const struct argp_option options[] = {
	CKPT_CLI_DIR_OPTION,
	{ "undo", 'u', NULL, 0, "take it back", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct done *done = state->input;

	switch (key) {
	case 'u':
		done->undo = true;
		return 0;
	case 'j':
		done->json = true;
		return 0;
	case 'd':
	case ARGP_KEY_ARG:
		return ckpt_cli_take_dir(&done->dir, arg, state);
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp done_argp = {
	options,
	parse,
	"[DIR]",
	"Declares the run in DIR (default: this job's, else checkpoints) done: when Slurm starts "
	"the job again, it ends at once with exit code 0, saying so. A new job in the same "
	"directory is a new run, and starts.\v"
	"Exit: 0 it is (or with --undo: is not) declared done now, 1 no run began there, 3 it "
	"could "
	"not be recorded everywhere.",
	NULL,
	NULL,
	NULL
};

static const struct argp_option beat_options[] = {
	CKPT_CLI_DIR_OPTION,
	{ 0 },
};

static const struct argp beat_argp = {
	beat_options,
	parse,
	"[DIR]",
	"A sign of life of your program for --ckpt-stall: touches $CKPT_HEARTBEAT, or the run's "
	".ckpt-resume/heartbeat in DIR (default: this job's, else checkpoints).\v"
	"Exit: 0 done, 3 it could not be written.",
	NULL,
	NULL,
	NULL
};

/* One declaration under way. */
struct declaring {
	const struct done *done;
	const struct ckpt_cli_job *job;
	struct ckpt_mark mark; /* of the run that it is about */
	bool found;
	struct ckpt_error err; /* the first one */
	int failed;
};

static void note(struct declaring *d, int r, const struct ckpt_error *err)
{
	if (r < 0 && !d->failed) {
		d->failed = r;
		d->err = *err;
	}
}

static cJSON *event_of(const struct declaring *d)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "event", d->done->undo ? "undone" : "done");
	cJSON_AddNumberToObject(o, "job_id", (double)d->mark.job_id);
	cJSON_AddStringToObject(o, "cluster", d->mark.cluster);
	cJSON_AddNumberToObject(o, "attempt", (double)d->job->attempt);
	cJSON_AddStringToObject(o, "run", d->mark.run);
	return o;
}

static int declare_in(struct declaring *d, int statefd, struct ckpt_error *err)
{
	struct ckpt_done done = { .job_id = d->mark.job_id, .attempt = d->job->attempt };
	_cleanup_json_ cJSON *event = event_of(d);
	int r;

	ckpt_text_copy(done.run, sizeof(done.run), d->mark.run);
	r = d->done->undo ? ckpt_done_remove(statefd, err) : ckpt_done_store(statefd, &done, err);
	return r < 0 ? r : ckpt_ledger_append(statefd, event, err);
}

/* The run is that of the first mark; its other directories carry the same id. */
static void declare_at(struct declaring *d, const char *root)
{
	struct ckpt_error err = { 0 };
	_cleanup_close_ int statefd = ckpt_state_open_in(root, &err);
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	struct ckpt_ctx ctx = { 0 };
	int r = statefd < 0 ? statefd : ckpt_mark_load(&ctx, statefd, &mark, &err);

	if (r == CKPT_STATE_TORN)
		r = -EINVAL;
	if (r < 0)
		note(d, r == -ENOENT ? 0 : r, &err);
	if (r != 0 || (d->found && strcmp(mark.run, d->mark.run) != 0))
		return;
	if (!d->found) {
		d->found = true;
		d->mark = mark;
		d->mark.foreign = NULL;
		d->mark.n_foreign = 0;
	}
	note(d, declare_in(d, statefd, &err), &err);
}

static int tell_done(const struct declaring *d, const char *root)
{
	cJSON *o;

	if (d->done->json) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "dir", root);
		cJSON_AddStringToObject(o, "run", d->mark.run);
		cJSON_AddNumberToObject(o, "job_id", (double)d->mark.job_id);
		cJSON_AddBoolToObject(o, "done", !d->done->undo);
		ckpt_cli_print_json(o);
	} else {
		ckpt_cli_say("%s: the run of job %lld is %s", root, (long long)d->mark.job_id,
			     d->done->undo ? "not done (any more)" : "done");
	}
	return CKPT_EXIT_YES;
}

int ckpt_cmd_done(int argc, char **argv)
{
	static struct ckpt_cli_roots roots;
	static struct ckpt_cli_job job;
	struct done done = { 0 };
	struct declaring d = { .done = &done, .job = &job };

	if (ckpt_cli_parse(&done_argp, argc, argv, 0, &done) != 0)
		return CKPT_EXIT_USAGE;
	ckpt_cli_job_read(&job);
	if (!ckpt_cli_job_roots(&job, done.dir, &roots))
		return CKPT_EXIT_USAGE;
	for (int i = 0; i < roots.roots.n; i++)
		declare_at(&d, roots.roots.dir[i]);
	if (d.failed)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", d.err.text);
	if (!d.found)
		return ckpt_cli_fail(CKPT_EXIT_NO, "no run has begun in %s",
				     CKPT_QUOTE(roots.roots.dir[0]));
	return tell_done(&d, roots.roots.dir[0]);
}

static int beat_in(const char *root, struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, root, err);
	_cleanup_close_ int statefd = dirfd < 0 ? dirfd : ckpt_state_make(dirfd, err);

	return statefd < 0 ? statefd : ckpt_heartbeat_touch(statefd, CKPT_HEARTBEAT, err);
}

int ckpt_cmd_beat(int argc, char **argv)
{
	const char *file = getenv("CKPT_HEARTBEAT");
	static struct ckpt_cli_roots roots;
	static struct ckpt_cli_job job;
	struct ckpt_error err = { 0 };
	struct done done = { 0 };
	int r;

	if (ckpt_cli_parse(&beat_argp, argc, argv, 0, &done) != 0)
		return CKPT_EXIT_USAGE;
	if (file && *file && !done.dir) {
		r = ckpt_heartbeat_touch(AT_FDCWD, file, &err);
	} else {
		ckpt_cli_job_read(&job);
		if (!ckpt_cli_job_roots(&job, done.dir, &roots))
			return CKPT_EXIT_USAGE;
		r = beat_in(roots.roots.dir[0], &err);
	}
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text) : CKPT_EXIT_YES;
}
