/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See decision.h. Rows with an environment name are the contract with the job; the one exception is
 * env_names, which travels to steps as a carrier and becomes the variables it names.
 */
#include "wire/decision.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/request.h"
#include "wire/text.h"

#define PREFIX "CKPT_"
#define CARRIER "SLURM_SPANK_CKPT_D_"

static bool valid_mode(const char *text)
{
	static const char *const modes[] = { "resume", "finetune", "fresh", "done", "refused" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(text, modes[i]) == 0)
			return true;
	return false;
}

static bool valid_decimal(const char *text)
{
	int64_t value;

	return !*text || ckpt_text_int(text, 0, INT64_MAX, &value);
}

static bool valid_env_names(const char *text)
{
	return !ckpt_request_env_names_problem(text);
}

#define ROW(member, env, type, valid, help)                                                        \
	{                                                                                          \
#member, env, help, CKPT_FIELD_##type, offsetof(struct ckpt_decision, member),     \
			sizeof(((struct ckpt_decision *)0)->member), 0, 0, valid                   \
	}
#define INT_ROW(member, env, min, max, help)                                                       \
	{                                                                                          \
#member, env, help, CKPT_FIELD_INT, offsetof(struct ckpt_decision, member),        \
			sizeof(((struct ckpt_decision *)0)->member), min, max, NULL                \
	}

static const struct ckpt_field rows[] = {
	ROW(mode, "RESUME_MODE", WORD, valid_mode, "resume, finetune, fresh, done or refused"),
	ROW(path, "RESUME_PATH", PATH, NULL, "absolute path of the checkpoint, empty when fresh"),
	ROW(root, "RESUME_ROOT", PATH, NULL, "the checkpoint's directory"),
	ROW(tag, "RESUME_TAG", TEXT, NULL, "the checkpoint's name in its directory"),
	ROW(start_epoch, "START_EPOCH", TEXT, valid_decimal, "epoch to start with, where known"),
	ROW(step, "RESUME_STEP", TEXT, valid_decimal, "step of the checkpoint, where known"),
	ROW(resume_epoch, "RESUME_EPOCH", TEXT, valid_decimal, "last completed epoch, where known"),
	ROW(evidence, "RESUME_EVIDENCE", WORD, NULL, "what the verdict rests on"),
	ROW(reason, "RESUME_REASON", WORD, NULL, "why this attempt exists"),
	INT_ROW(attempt, "ATTEMPT", 0, UINT32_MAX, "restart count, 0 at the first start"),
	INT_ROW(job_id, "JOB", 0, UINT32_MAX, "the job that these values are for"),
	ROW(dir, "DIR", PATH, NULL, "first run directory"),
	ROW(dirs, NULL, TEXT, NULL, "all run directories, as --ckpt-dir says them"),
	INT_ROW(by_default, NULL, 0, 1, "1: the work directory is searched too"),
	ROW(decision_file, "DECISION", PATH, NULL, "the decision with its trail, as JSON"),
	ROW(run, NULL, WORD, NULL, "id of the run"),
	ROW(env_names, "ENV_NAMES", TEXT, valid_env_names, "further names for CKPT_RESUME_PATH"),
	ROW(line, NULL, TEXT, NULL, "the decision in words"),
	ROW(warning, NULL, TEXT, NULL, "what the user should know besides"),
	INT_ROW(refusal, NULL, 0, 255, "exit code of a refusal"),
	INT_ROW(holder, NULL, 0, UINT32_MAX, "the job at work in the run directory"),
	INT_ROW(progress, NULL, 0, 1, "1: the attempt left a new valid checkpoint"),
	INT_ROW(faults, NULL, 0, UINT32_MAX, "attempts in a row that failed without one"),
	INT_ROW(repeats, NULL, 0, UINT32_MAX, "attempts that failed in the same way"),
	INT_ROW(restarts, NULL, 0, UINT32_MAX, "restarts since it began or was held"),
	ROW(wanted, NULL, WORD, NULL, "why its companion wanted it requeued"),
	INT_ROW(verify_ms, NULL, 0, INT32_MAX, "milliseconds of checks, about"),
	INT_ROW(lost_s, NULL, 0, INT32_MAX, "seconds of work that have to be done again, about"),
	ROW(rejected, NULL, TEXT, NULL, "newer ones rejected, FORMAT/PROBLEM,..."),
	INT_ROW(settle, NULL, 0, 1, "1: the step aligns pointers or quarantines"),
};

#define HEARTBEAT "CKPT_HEARTBEAT"

const struct ckpt_fields ckpt_decision_fields = { rows, sizeof(rows) / sizeof(rows[0]) };

const char *const ckpt_decision_names[] = {
	"CKPT_RESUME_MODE",
	"CKPT_RESUME_PATH",
	"CKPT_RESUME_ROOT",
	"CKPT_RESUME_TAG",
	"CKPT_START_EPOCH",
	"CKPT_RESUME_STEP",
	"CKPT_RESUME_EPOCH",
	"CKPT_RESUME_EVIDENCE",
	"CKPT_RESUME_REASON",
	"CKPT_ATTEMPT",
	"CKPT_JOB",
	"CKPT_DIR",
	"CKPT_DECISION",
	HEARTBEAT,
	NULL,
};

/* True if @path is @root "/" @tag; a root of "/" needs no second slash. */
static bool is_joined(const char *path, const char *root, const char *tag)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	return strncmp(path, root, len) == 0 && path[len] == '/' &&
	       strcmp(path + len + 1, tag) == 0;
}

static int check_with_path(const struct ckpt_decision *d, struct ckpt_error *err)
{
	if (!d->path[0] || !d->root[0] || !d->tag[0] || !d->evidence[0])
		return ckpt_fail(err, -EINVAL,
				 "a decision to %s without path, root, tag or evidence", d->mode);
	if (!is_joined(d->path, d->root, d->tag))
		return ckpt_fail(err, -EINVAL, "the path %s is not its root and its tag",
				 CKPT_QUOTE(d->path));
	return 0;
}

static int check_refused(const struct ckpt_decision *d, struct ckpt_error *err)
{
	if (!d->line[0])
		return ckpt_fail(err, -EINVAL, "a refusal without a reason");
	switch (d->refusal) {
	case CKPT_REFUSE_OPTION:
	case CKPT_REFUSE_PIN:
	case CKPT_REFUSE_BUDGET:
	case CKPT_REFUSE_BUSY:
	case CKPT_REFUSE_UNKNOWN:
		return 0;
	default:
		return ckpt_fail(err, -EINVAL, "a refusal with the unknown code %lld",
				 (long long)d->refusal);
	}
}

int ckpt_decision_check(const struct ckpt_decision *d, struct ckpt_error *err)
{
	if (!valid_mode(d->mode))
		return ckpt_fail(err, -EINVAL, "a decision of the unknown mode %s",
				 CKPT_QUOTE(d->mode));
	if (strcmp(d->mode, "refused") == 0)
		return check_refused(d, err);
	if (d->refusal)
		return ckpt_fail(err, -EINVAL, "a decision to %s with a refusal's code", d->mode);
	if (strcmp(d->mode, "fresh") == 0 && d->path[0])
		return ckpt_fail(err, -EINVAL, "a fresh start with a path");
	if (strcmp(d->mode, "resume") == 0 || strcmp(d->mode, "finetune") == 0)
		return check_with_path(d, err);
	return 0;
}

/* One walk of an export. */
struct export
{
	const struct ckpt_decision *d;
	bool carriers;
	ckpt_setenv_fn *set;
	void *arg;
};

static int export_env_names(const struct export *e)
{
	char names[sizeof(e->d->env_names)], *rest = names, *name;

	ckpt_text_copy(names, sizeof(names), e->d->env_names);
	while ((name = strsep(&rest, ",")) != NULL) {
		int r = *name ? e->set(e->arg, name, e->d->path) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int export_row(const struct export *e, const struct ckpt_field *row)
{
	char name[64], number[24];
	const char *value = ckpt_field_get(row, e->d, number, sizeof(number));
	int r;

	if (row->offset == offsetof(struct ckpt_decision, env_names)) {
		r = export_env_names(e);
	} else {
		snprintf(name, sizeof(name), PREFIX "%s", row->env);
		r = e->set(e->arg, name, value);
	}
	if (r < 0 || !e->carriers)
		return r;
	snprintf(name, sizeof(name), CARRIER "%s", row->env);
	return e->set(e->arg, name, value);
}

/* The file that a program touches as a sign of life, beside the decision's own; empty where there
 * is none. */
static int export_heartbeat(const struct export *e)
{
	const char *slash = strrchr(e->d->decision_file, '/');
	char path[CKPT_PATH_MAX] = "";

	if (slash)
		snprintf(path, sizeof(path), "%.*s/heartbeat", (int)(slash - e->d->decision_file),
			 e->d->decision_file);
	return e->set(e->arg, HEARTBEAT, path);
}

int ckpt_decision_export(const struct ckpt_decision *d, int carriers, ckpt_setenv_fn *set,
			 void *arg)
{
	struct export e = { .d = d, .carriers = carriers != 0, .set = set, .arg = arg };

	for (size_t i = 0; i < ckpt_decision_fields.n; i++) {
		int r = rows[i].env ? export_row(&e, &rows[i]) : 0;

		if (r < 0)
			return r;
	}
	return export_heartbeat(&e);
}

int ckpt_decision_from_carriers(struct ckpt_decision *d, ckpt_getenv_fn *lookup, void *arg,
				struct ckpt_error *err)
{
	struct ckpt_decision found = { 0 };
	int r;

	if (!lookup(arg, CARRIER "RESUME_MODE"))
		return ckpt_fail(err, -ENOENT, "no decision in the environment");
	r = ckpt_fields_from_env(&ckpt_decision_fields, &found, CARRIER, lookup, arg, err);
	if (r < 0)
		return -EINVAL;
	r = ckpt_decision_check(&found, err);
	if (r < 0)
		return r;
	*d = found;
	return 0;
}
