/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl seal PATH...: verifies checkpoints in full and writes NAME.metadata.json beside them, by
 * which they are known unchanged, or proved byte by byte, from then on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/common.h"
#include "core/base/ahead.h"
#include "core/integrity/plain.h"
#include "core/integrity/seal.h"
#include "core/integrity/verify.h"
#include "core/resolve/trail.h"

#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13) /* the idle class of ioprio_set(2) */

struct seal {
	bool json, quiet, export, background, again;
	const char *glob;
	char **paths;
	int n_paths;
};

static const struct argp_option options[] = {
	{ "export", 'e', "sha256sum", 0, "also print digests that `sha256sum -c` reads", 0 },
	{ "background", 'b', NULL, 0, "at idle I/O and CPU priority", 0 },
	{ "again", 'a', NULL, 0, "verify and seal even what a seal shows unchanged", 0 },
	CKPT_CLI_GLOB,
	{ "quiet", 'q', NULL, 0, "no words about what was sealed", 0 },
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct seal *s = state->input;

	switch (key) {
	case 'e':
		if (strcmp(arg, "sha256sum") != 0)
			argp_error(state, "--export=%s: sha256sum is what there is", arg);
		s->export = true;
		return 0;
	case 'b':
		s->background = true;
		return 0;
	case 'a':
		s->again = true;
		return 0;
	case 'g':
		s->glob = arg;
		return 0;
	case 'q':
		s->quiet = true;
		return 0;
	case 'j':
		s->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		s->paths = state->argv + state->next;
		s->n_paths = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which checkpoint? (a file, a directory, or a bundle's prefix)");
		return 0;
	case ARGP_KEY_END:
		if (s->export && s->json)
			argp_error(state, "--export and --json both want stdout");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"PATH...",
	"Verifies checkpoints in full and writes NAME.metadata.json beside "
	"each; the checkpoint itself is not touched.\v"
	"Exit: 0 all sealed, 1 at least one is not valid, 3 could not "
	"find out, or it changed meanwhile.",
	NULL,
	NULL,
	NULL
};

/* Failure to step back is no reason not to seal. */
static void step_back(void)
{
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	setpriority(PRIO_PROCESS, 0, 19);
}

/* The path of @member as the user would write it, who named the checkpoint @path. */
static void member_path(char *buf, size_t size, const struct ckpt_set *set, const char *path,
			const char *member)
{
	const char *slash = strrchr(path, '/');
	int len = set->kind == CKPT_KIND_DIRECTORY ? (int)strlen(path)
		  : slash			   ? (int)(slash - path)
						   : 0;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 && !slash)
		snprintf(buf, size, "%s", member);
	else
		snprintf(buf, size, "%.*s/%s", path[0] == '/' && len == 1 ? 0 : len, path, member);
}

static int export(struct ckpt_ctx *ctx, const struct ckpt_set *set, const char *path)
{
	_cleanup_plain_ struct ckpt_plain plain = { 0 };
	struct ckpt_error err = { 0 };
	char name[CKPT_PATH_MAX + 256];
	int r = ckpt_plain_make(ctx, set, &plain, &err);

	ckpt_cli_progress_end(ctx);
	if (r != 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: %s", path, err.text);
	for (size_t i = 0; i < plain.files.n; i++) {
		_cleanup_free_ char *line = NULL;

		member_path(name, sizeof(name), set, path, plain.files.f[i].name);
		line = ckpt_plain_line(&plain.digests[i], name);
		if (!line)
			return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: no memory", path);
		puts(line);
	}
	return CKPT_EXIT_YES;
}

static bool is_unchanged(struct ckpt_ctx *ctx, struct ckpt_set *set)
{
	return ckpt_set_verify(ctx, set, CKPT_LEVEL_STRUCTURE)->verdict.evidence ==
	       CKPT_EVIDENCE_SEAL_UNCHANGED;
}

static int say(const struct seal *s, const struct ckpt_set *set, const char *path, const char *what)
{
	char words[512];

	ckpt_report_words(words, sizeof(words), set->report, set->name);
	if (s->quiet || s->json)
		return CKPT_EXIT_YES;
	if (s->export) /* stdout is for the digests */
		return ckpt_cli_fail(CKPT_EXIT_YES, "%s: %s, %s", path, what, words);
	ckpt_cli_say("%s: %s, %s", path, what, words);
	return CKPT_EXIT_YES;
}

static int seal_one(const struct seal *s, struct ckpt_ctx *ctx, struct ckpt_set *set,
		    const char *path)
{
	struct ckpt_error err = { 0 };
	char words[512];
	int r;

	if (!s->again && is_unchanged(ctx, set))
		return say(s, set, path, "sealed before");
	r = ckpt_seal_make(ctx, set, &err);
	ckpt_cli_progress_end(ctx);
	switch (r) {
	case 0:
		return say(s, set, path, "sealed");
	case CKPT_SEAL_INVALID:
		ckpt_cli_fail(0, "%s: not sealed: %s", path,
			      ckpt_report_words(words, sizeof(words), set->report, set->name));
		return ckpt_cli_exit(set->report->verdict.status);
	case CKPT_SEAL_REFUSED:
		return ckpt_cli_fail(CKPT_EXIT_NO, "%s: not sealed: %s", path, err.text);
	}
	return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: not sealed: %s", path, err.text);
}

static int seal_path(const struct seal *s, struct ckpt_ctx *ctx, const char *path, cJSON *array)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *set = NULL;
	struct ckpt_error err;
	cJSON *o;
	int r = ckpt_cli_find(ctx, &cat, path, s->glob, &set, &err);

	if (r != 0) {
		o = ckpt_cli_unfound_json(path, r, &err);
		cJSON_AddBoolToObject(o, "sealed", false);
		cJSON_AddItemToArray(array, o);
		return ckpt_cli_fail(r, "%s", err.text);
	}
	r = seal_one(s, ctx, set, path);
	if (r == CKPT_EXIT_YES && s->export)
		r = export(ctx, set, path);
	o = ckpt_set_json(set);
	cJSON_AddBoolToObject(o, "sealed", r == CKPT_EXIT_YES);
	cJSON_AddItemToArray(array, o);
	return r;
}

int ckpt_cmd_seal(int argc, char **argv)
{
	struct seal s = { 0 };
	struct ckpt_ctx ctx = { 0 };
	int code = CKPT_EXIT_YES;
	cJSON *array;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &s) != 0)
		return CKPT_EXIT_USAGE;
	if (s.background)
		step_back();
	ctx.no_recall = s.background;
	ctx.ahead = !s.background && ckpt_ahead_pays();
	array = cJSON_CreateArray();
	ckpt_cli_progress(&ctx);
	for (int i = 0; i < s.n_paths; i++) {
		int r = seal_path(&s, &ctx, s.paths[i], array);

		code = r > code ? r : code;
	}
	if (!s.json)
		cJSON_Delete(array);
	else if (!ckpt_cli_print_answers(array))
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "out of memory");
	return code;
}
