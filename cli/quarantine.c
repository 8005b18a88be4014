/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl quarantine PATH..., ckptctl release PATH...: out of the way by hand, and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/integrity/quarantine.h"
#include "core/integrity/verify.h"
#include "core/record/state.h"
#include "core/resolve/trail.h"

struct moving {
	bool json;
	char **paths;
	int n_paths;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct moving *m = state->input;

	(void)arg;
	switch (key) {
	case 'j':
		m->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		m->paths = state->argv + state->next;
		m->n_paths = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which checkpoint?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp quarantine_argp = {
	options,
	parse,
	"PATH...",
	"Renames proved corrupt checkpoints to NAME.corrupted (a directory, a file with "
	"data in a folder beside it, and one whose program would list that name too move to "
	".ckpt-resume/corrupted/). Each is read twice in full first; one that is valid, incomplete "
	"or unreadable stays where it is.\v`ckptctl release PATH` undoes it.\n"
	"Exit: 0 moved, 1 one stays where it is, 3 could not find out or not do it.",
	NULL,
	NULL,
	NULL
};

static const struct argp release_argp = { options,
					  parse,
					  "PATH...",
					  "Brings checkpoints back from quarantine. PATH is the "
					  "checkpoint's own name, or that of the renamed file.\v"
					  "Exit: 0 released, 1 nothing of that name is in "
					  "quarantine or its place is taken, 3 could not do it.",
					  NULL,
					  NULL,
					  NULL };

/* What became of one path. */
struct outcome {
	const char *done; /* the word when it was done */
	int code;	  /* 0, or an exit code with the reason in why */
	struct ckpt_error why;
};

static int refuse(struct outcome *outcome, int code)
{
	outcome->code = code;
	return code;
}

/* Tells @outcome in words, or as an element of @array. */
static void tell(const struct moving *m, cJSON *array, const char *path,
		 const struct outcome *outcome)
{
	cJSON *o;

	if (outcome->code != 0)
		ckpt_cli_fail(0, "%s", outcome->why.text);
	else if (!m->json)
		ckpt_cli_say("%s: %s", path, outcome->done);
	if (!m->json)
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "path", path);
	cJSON_AddStringToObject(o, "result",
				outcome->code == 0		     ? outcome->done
				: outcome->code == CKPT_EXIT_UNKNOWN ? "unknown"
								     : "refused");
	ckpt_json_add_text(o, "detail", outcome->code != 0 ? outcome->why.text : NULL);
	cJSON_AddItemToArray(array, o);
}

/* A verdict other than corrupt moves nothing, and leaves no trace in the directory. */
static int refuse_verdict(const char *path, const struct ckpt_set *set,
			  const struct ckpt_report *report, struct outcome *outcome)
{
	char words[768];

	ckpt_fail(&outcome->why, 0,
		  "%s stays where it is: it is %s; only what is proved corrupt is moved",
		  CKPT_QUOTE(path), ckpt_report_words(words, sizeof(words), report, set->name));
	return refuse(outcome,
		      report->verdict.status == CKPT_UNREADABLE ? CKPT_EXIT_UNKNOWN : CKPT_EXIT_NO);
}

static int quarantine_one(const char *path, struct outcome *outcome)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_close_ int dirfd = -1, statefd = -1;
	const struct ckpt_report *report;
	struct ckpt_set *set = NULL;
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_cli_find(&ctx, &cat, path, NULL, &set, &outcome->why);

	outcome->done = "in quarantine";
	if (r != 0)
		return refuse(outcome, r);
	ckpt_cli_progress(&ctx);
	report = ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	ckpt_cli_progress_end(&ctx);
	if (report->verdict.status != CKPT_CORRUPT)
		return refuse_verdict(path, set, report, outcome);
	dirfd = ckpt_dir_open(AT_FDCWD, set->dir, &outcome->why);
	statefd = dirfd < 0 ? dirfd : ckpt_state_make(dirfd, &outcome->why);
	if (statefd < 0)
		return refuse(outcome, CKPT_EXIT_UNKNOWN);
	r = ckpt_quarantine(&ctx, dirfd, statefd, set, &outcome->why);
	return refuse(outcome, r < 0 ? CKPT_EXIT_UNKNOWN : r ? CKPT_EXIT_NO : 0);
}

static int release_one(const char *path, struct outcome *outcome)
{
	_cleanup_close_ int dirfd = -1, statefd = -1;
	struct ckpt_ctx ctx = { 0 };
	char dir[CKPT_PATH_MAX];
	const char *name;
	char *slash;
	int r;

	outcome->done = "released";
	if (!ckpt_cli_absolute(path, dir) || !(slash = strrchr(dir, '/')) || !slash[1]) {
		ckpt_fail(&outcome->why, 0, "%s: not a checkpoint's path", CKPT_QUOTE(path));
		return refuse(outcome, CKPT_EXIT_USAGE);
	}
	name = slash + 1;
	*slash = '\0';
	dirfd = ckpt_dir_open(AT_FDCWD, dir[0] ? dir : "/", &outcome->why);
	statefd = dirfd < 0 ? dirfd : ckpt_state_open(dirfd, &outcome->why);
	r = statefd < 0 ? statefd : ckpt_release(&ctx, dirfd, statefd, name, &outcome->why);
	if (r == CKPT_QUARANTINE_NOTHING || statefd == -ENOENT) {
		ckpt_fail(&outcome->why, 0, "%s: nothing of that name is in quarantine",
			  CKPT_QUOTE(path));
		return refuse(outcome, CKPT_EXIT_NO);
	}
	return refuse(outcome, r == -EEXIST ? CKPT_EXIT_NO : r < 0 ? CKPT_EXIT_UNKNOWN : 0);
}

static int each(const struct argp *argp, int argc, char **argv,
		int (*one)(const char *path, struct outcome *outcome))
{
	struct moving m = { 0 };
	cJSON *array;
	int code = 0;

	if (ckpt_cli_parse(argp, argc, argv, 0, &m) != 0)
		return CKPT_EXIT_USAGE;
	array = cJSON_CreateArray();
	for (int i = 0; i < m.n_paths; i++) {
		struct outcome outcome = { 0 };
		int r = one(m.paths[i], &outcome);

		tell(&m, array, m.paths[i], &outcome);
		code = r > code ? r : code;
	}
	if (m.json)
		ckpt_cli_print_answers(array);
	else
		cJSON_Delete(array);
	return code;
}

int ckpt_cmd_quarantine(int argc, char **argv)
{
	return each(&quarantine_argp, argc, argv, quarantine_one);
}

int ckpt_cmd_release(int argc, char **argv)
{
	return each(&release_argp, argc, argv, release_one);
}
