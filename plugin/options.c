/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See options.h. Slurm calls back once for the script's lines, once for the environment, once for
 * the command line: the last one wins. A missing argument arrives as NULL, as "" or as "(null)",
 * whichever way it came.
 */
#include "plugin/options.h"

#include <stddef.h>
#include <string.h>

#include "plugin/pin.h"
#include "wire/request.h"
#include "wire/text.h"

#define OPTIONAL_ARG 2 /* struct spank_option.has_arg */

static const struct row {
	const char *name, *key,
		*bare; /* bare: what it means without an argument, NULL = an error */
	char *arginfo, *usage;
} rows[] = {
	{ "ckpt-resume", "mode", "auto", "MODE",
	  "resume from the newest checkpoint that is proved good; auto (default), best, fresh, "
	  "step:N, epoch:N, name:NAME or an absolute path" },
	{ "ckpt-dir", "dirs", NULL, "DIR[:DIR...]",
	  "run directories; %j %A %a %x %u are expanded (default checkpoints)" },
	{ "ckpt-env", "env_names", NULL, "NAME[,NAME]",
	  "further variables that get the checkpoint's path" },
	{ "ckpt-verify", "verify", NULL, "LEVEL",
	  "how far to check: structure, sample or full (default the site's, full)" },
	{ "ckpt-config", "config", NULL, "FILE", "run configuration (JSON)" },
	{ "ckpt-glob", "glob", NULL, "PATTERN", "further names that are checkpoints" },
	{ "ckpt-metric", "metric", NULL, "KEY:min|max", "what makes a checkpoint the best one" },
	{ "ckpt-epoch", "epoch", NULL, "completed|next", "what an epoch number means" },
	{ "ckpt-align", "align", NULL, "yes|no",
	  "align pointers and epoch_info.json after a fallback (default yes)" },
	{ "ckpt-state", "state", NULL, "DIR", "directory for the files that ckpt-resume keeps" },
	{ "ckpt-requeue", "requeue", NULL, "LIST",
	  "start again after preempt, time-limit, stall, exit:N[,N...]; none (default "
	  "preempt,node-fail,stall; node-fail changes nothing: Slurm requeues those itself, and "
	  "--no-requeue forbids it)" },
	{ "ckpt-max-restarts", "own_max_restarts", NULL, "N",
	  "hold the job instead of starting it for the (N+1)th time again; 1 or more (default: no "
	  "limit)" },
	{ "ckpt-stall", "stall", NULL, "TIME|auto",
	  "without any sign of progress for so long the job is signalled and requeued (auto: four "
	  "times the longest time between the run's saves, nothing before two are known)" },
	{ "ckpt-before-limit", "before_limit", NULL, "TIME",
	  "so long before its time limit the job is signalled, saves, and is requeued" },
	{ "ckpt-signal", "signal", NULL, "NAME",
	  "the signal that makes the program save (default USR1; for a stall TERM)" },
	{ "ckpt-keep", "keep", NULL, "N[,best=K]",
	  "remove the oldest sealed checkpoints beyond the N newest and the K best (default: keep "
	  "all)" },
	{ "ckpt-share", "share", NULL, "wait|requeue|yes",
	  "where another job is at work in the run directory: wait for it, go back into the queue, "
	  "or start beside it (default the site's, wait)" },
	{ "ckpt-repin", "repin", "1", "yes|no", "the pin holds at later attempts too" },
};

#define ROWS_N (sizeof(rows) / sizeof(rows[0]))

static struct ckpt_request asked, trial;
static bool given[ROWS_N];

/* The argument as the user meant it. */
static const char *normalize(const struct row *row, const char *arg)
{
	if (!arg || !*arg || strcmp(arg, "(null)") == 0)
		return row->bare ? row->bare : "";
	if (strcmp(row->key, "repin") != 0)
		return arg;
	if (strcmp(arg, "yes") == 0)
		return "1";
	return strcmp(arg, "no") == 0 ? "0" : arg;
}

/* What is said of @field without the field's own name, which no user knows. */
static const char *words_of(const struct ckpt_field *field, const char *text)
{
	size_t n = strlen(field->key);

	return strncmp(text, field->key, n) == 0 && text[n] == ':' ? text + n + 2 : text;
}

/* Checks @value in the company of what was given before, all of which is good. */
static int check(const struct row *row, const char *value, struct ckpt_error *err)
{
	const struct ckpt_field *field = ckpt_field_find(&ckpt_request_fields, row->key);
	struct ckpt_error why = { 0 };
	int r;

	if (!*value)
		return ckpt_fail(err, -EINVAL, "--%s needs a value; allowed: %s", row->name,
				 field->help);
	trial = asked;
	r = ckpt_field_set(field, &trial, value, &why);
	if (r < 0 && strcmp(row->key, "repin") == 0)
		return ckpt_fail(err, r, "--%s=%s is neither yes nor no", row->name,
				 CKPT_QUOTE(value));
	if (r < 0)
		return ckpt_fail(err, r, "--%s: %.900s", row->name, words_of(field, why.text));
	r = ckpt_request_check(&trial, err);
	if (r < 0 || value[0] != '/' || strcmp(row->key, "mode") != 0)
		return r;
	return ckpt_pin_check(value, err);
}

/* The callback of every option; @val is the row's number. Non-zero ends the submission. */
static int take(int val, const char *arg, int remote)
{
	const struct row *row = &rows[val];
	struct ckpt_error err = { 0 };

	if (remote)
		return 0; /* the step reads the job's environment, which --export=NONE leaves */
	if (!asked.mode[0])
		ckpt_request_init(&asked);
	if (check(row, normalize(row, arg), &err) < 0) {
		slurm_error("ckpt-resume: %s", err.text);
		return -1;
	}
	if (err.text[0])
		slurm_spank_log("ckpt-resume: warning: %s", err.text);
	asked = trial;
	given[val] = true;
	return 0;
}

void ckpt_options_register(spank_t sp)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		struct spank_option option = {
			.name = (char *)rows[i].name,
			.arginfo = rows[i].arginfo,
			.usage = rows[i].usage,
			.has_arg = rows[i].bare ? OPTIONAL_ARG : 1,
			.val = (int)i,
			.cb = take,
		};
		spank_err_t r = spank_option_register(sp, &option);

		if (r != ESPANK_SUCCESS)
			slurm_error("ckpt-resume: --%s cannot be offered: %s", rows[i].name,
				    spank_strerror(r));
	}
}

bool ckpt_options_asked(void)
{
	return given[0];
}

const char *ckpt_options_orphan(void)
{
	for (size_t i = 1; i < ROWS_N && !given[0]; i++)
		if (given[i])
			return rows[i].name;
	return NULL;
}

void ckpt_options_each(ckpt_option_fn *fn, void *arg)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		const struct ckpt_field *field = ckpt_field_find(&ckpt_request_fields, rows[i].key);
		char number[24];

		if (given[i])
			fn(arg, field->env, ckpt_field_get(field, &asked, number, sizeof(number)));
	}
}
