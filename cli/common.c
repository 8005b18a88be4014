/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See common.h.
 */
#include "cli/common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"

#define HELP_FMT "ARGP_HELP_FMT"

/* One option of a request: its letter-less key, and the member it fills. */
static const struct request_option {
	int key;
	size_t offset, size;
} request_options[] = {
	{ 'm', offsetof(struct ckpt_request, mode), CKPT_PATH_MAX },
	{ 'M', offsetof(struct ckpt_request, metric), 256 },
	{ 'e', offsetof(struct ckpt_request, epoch), 16 },
	{ 'g', offsetof(struct ckpt_request, glob), 1024 },
	{ 'c', offsetof(struct ckpt_request, config), CKPT_PATH_MAX },
	{ 's', offsetof(struct ckpt_request, state), CKPT_PATH_MAX },
	{ 'l', offsetof(struct ckpt_request, verify), 16 },
};

static const struct argp_option options[] = {
	{ "dir", 'd', "DIR[:DIR...]", 0, "run directory, or repeat it (default: checkpoints)", 0 },
	{ "mode", 'm', "MODE", 0, "auto, best, fresh, step:N, epoch:N, name:NAME, /PATH", 0 },
	{ "metric", 'M', "KEY:min|max", 0, "what `best` compares", 0 },
	{ "epoch", 'e', "completed|next", 0, "what an epoch number means", 0 },
	{ "glob", 'g', "PATTERN", 0, "further names that are checkpoints", 0 },
	{ "config", 'c', "FILE", 0, "run configuration (default: ckpt-config.json)", 0 },
	{ "state", 's', "DIR", 0, "where the run keeps its state", 0 },
	{ "level", 'l', "structure|sample|full", 0,
	  "how far to check the chosen one (default full)", 0 },
	{ 0 },
};

static error_t add_dir(struct ckpt_cli_request *cli, const char *dir)
{
	size_t at = strlen(cli->req.dirs), room = sizeof(cli->req.dirs) - at;

	if (snprintf(cli->req.dirs + at, room, "%s%s", at ? ":" : "", dir) >= (int)room)
		return ENAMETOOLONG;
	return 0;
}

error_t ckpt_cli_take_dir(const char **ret, const char *arg, struct argp_state *state)
{
	if (*ret)
		argp_error(state, "one directory at a time");
	*ret = arg;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct ckpt_cli_request *cli = state->input;

	if (key == 'd') {
		if (add_dir(cli, arg) != 0)
			argp_error(state, "--dir: too long");
		return 0;
	}
	for (size_t i = 0; i < sizeof(request_options) / sizeof(*request_options); i++) {
		const struct request_option *row = &request_options[i];

		if (row->key != key)
			continue;
		if (!ckpt_text_copy((char *)&cli->req + row->offset, row->size, arg))
			argp_error(state, "'%s': too long", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp ckpt_cli_request_argp = { options, parse_option, NULL, NULL, NULL, NULL, NULL };

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	struct ckpt_cli_request *cli = state->input;

	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	cli->json = true;
	return 0;
}

const struct argp ckpt_cli_json_argp = { json_options, parse_json, NULL, NULL, NULL, NULL, NULL };

static const struct argp_child answer_children[] = { { &ckpt_cli_request_argp, 0, NULL, 0 },
						     { &ckpt_cli_json_argp, 0, NULL, 0 },
						     { 0 } };

static error_t parse_answer(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->child_inputs[1] = state->input;
	return 0;
}

const struct argp ckpt_cli_answer_argp = { NULL, parse_answer, NULL, NULL, answer_children,
					   NULL, NULL };

error_t ckpt_cli_parse(const struct argp *argp, int argc, char **argv, unsigned int flags,
		       void *input)
{
	/* without the two lines about optional arguments that glibc puts under every list */
	bool ours = !getenv(HELP_FMT) && setenv(HELP_FMT, "no-dup-args-note", 0) == 0;
	error_t e = argp_parse(argp, argc, argv, flags, NULL, input);

	if (ours)
		unsetenv(HELP_FMT); /* the commands that `exec` and `stage` start have their own */
	return e;
}

void ckpt_cli_request_init(struct ckpt_cli_request *cli)
{
	memset(cli, 0, sizeof(*cli));
	ckpt_request_init(&cli->req);
	if (!getcwd(cli->req.work_dir, sizeof(cli->req.work_dir)))
		cli->req.work_dir[0] = '\0';
	ckpt_text_copy(cli->req.reason, sizeof(cli->req.reason), "by-hand");
}

/* Prints @text, which names an option of sbatch's, with what that is called here. */
static void say_option(const char *text)
{
	static const struct {
		const char *theirs, *ours;
	} rows[] = { { "--ckpt-resume=", "--mode=" },
		     { "--ckpt-verify=", "--level=" },
		     { "--ckpt-", "--" } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].theirs);

		if (strncmp(text, rows[i].theirs, n) == 0) {
			ckpt_cli_fail(0, "%s%s", rows[i].ours, text + n);
			return;
		}
	}
	ckpt_cli_fail(0, "%s", text);
}

bool ckpt_cli_request_ready(struct ckpt_cli_request *cli)
{
	if (cli->req.work_dir[0] && ckpt_request_check(&cli->req, &cli->err) == 0)
		return true;
	say_option(cli->err.text[0] ? cli->err.text : "no current directory");
	return false;
}

int ckpt_cli_exit(enum ckpt_status status)
{
	static const int codes[] = {
		[CKPT_VALID] = CKPT_EXIT_YES,	       [CKPT_INCOMPLETE] = CKPT_EXIT_NO,
		[CKPT_CORRUPT] = CKPT_EXIT_NO,	       [CKPT_MISSING] = CKPT_EXIT_NO,
		[CKPT_UNREADABLE] = CKPT_EXIT_UNKNOWN,
	};

	return codes[status];
}

int ckpt_cli_report_exit(const struct ckpt_report *report, enum ckpt_level level)
{
	int code = ckpt_cli_exit(report->verdict.status);

	if (code != CKPT_EXIT_YES || level < CKPT_LEVEL_FINITE)
		return code;
	if (report->finite.poisoned)
		return CKPT_EXIT_NO;
	return report->finite.unscanned || !report->finite.files ? CKPT_EXIT_UNKNOWN
								 : CKPT_EXIT_YES;
}

void ckpt_cli_decision_ctx(struct ckpt_ctx *ctx)
{
	ctx->no_recall = true;
	ctx->recall_chosen = true;
}

int ckpt_cli_decision_exit(const struct ckpt_decision *d)
{
	if (d->path[0])
		return CKPT_EXIT_YES;
	return d->refusal == CKPT_REFUSE_UNKNOWN  ? CKPT_EXIT_UNKNOWN
	       : d->refusal == CKPT_REFUSE_OPTION ? CKPT_EXIT_USAGE
						  : CKPT_EXIT_NO;
}

char *ckpt_cli_json_text(const cJSON *value)
{
	char *text = value ? cJSON_Print(value) : NULL;

	if (text)
		ckpt_text_make_utf8(text);
	return text;
}

bool ckpt_cli_print_json(cJSON *value)
{
	char *text = ckpt_cli_json_text(value);

	if (text)
		puts(text);
	cJSON_free(text);
	cJSON_Delete(value);
	return text != NULL;
}

bool ckpt_cli_print_answers(cJSON *array)
{
	cJSON *only = cJSON_GetArraySize(array) == 1 ? cJSON_DetachItemFromArray(array, 0) : NULL;

	if (!only)
		return ckpt_cli_print_json(array);
	cJSON_Delete(array);
	return ckpt_cli_print_json(only);
}

void ckpt_cli_say(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0) {
		ckpt_text_clean(text);
		puts(text);
		free(text);
	}
	va_end(ap);
}

int ckpt_cli_fail(int code, const char *fmt, ...)
{
	char text[CKPT_ERROR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ckpt_text_clean(text);
	fprintf(stderr, "ckptctl: %s\n", text);
	return code;
}

bool ckpt_cli_colors(FILE *stream)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fileno(stream)) && !(no_color && *no_color);
}

bool ckpt_cli_level(const char *text, enum ckpt_level *ret)
{
	static const struct {
		const char *name;
		enum ckpt_level level;
	} levels[] = {
		{ "structure", CKPT_LEVEL_STRUCTURE },
		{ "sample", CKPT_LEVEL_SAMPLE },
		{ "full", CKPT_LEVEL_FULL },
		{ "finite", CKPT_LEVEL_FINITE },
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(text, levels[i].name) != 0)
			continue;
		*ret = levels[i].level;
		return true;
	}
	return false;
}

bool ckpt_cli_absolute(const char *path, char *buf)
{
	char cwd[CKPT_PATH_MAX];
	int n;

	if (path[0] == '/')
		return ckpt_text_copy(buf, CKPT_PATH_MAX, path);
	if (!getcwd(cwd, sizeof(cwd)))
		return false;
	while (ckpt_text_starts(path, "./", &path))
		;
	n = strcmp(path, ".") == 0 ? snprintf(buf, CKPT_PATH_MAX, "%s", cwd)
				   : snprintf(buf, CKPT_PATH_MAX, "%s/%s", cwd, path);
	return n < CKPT_PATH_MAX;
}

int ckpt_cli_find(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, const char *path,
		  const char *glob, struct ckpt_set **ret, struct ckpt_error *err)
{
	char absolute[CKPT_PATH_MAX];
	size_t len;
	int r;

	*err = (struct ckpt_error) { 0 };
	if (!ckpt_cli_absolute(path, absolute)) {
		ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(path));
		return CKPT_EXIT_USAGE;
	}
	len = strlen(absolute);
	while (len > 1 && absolute[len - 1] == '/')
		absolute[--len] = '\0';
	r = ckpt_catalog_add_path(ctx, cat, absolute, ret, err);
	if (r == 0 && ckpt_catalog_globbed(glob, (*ret)->name))
		ckpt_set_ask(*ret);
	if (r == 0)
		return 0;
	if (r == -ENOENT)
		ckpt_fail(err, r, "%s: no such checkpoint", CKPT_QUOTE(path));
	else if (!err->text[0])
		ckpt_fail(err, r, "%s: %s", CKPT_QUOTE(path), strerror(-r));
	return r == -ENOENT ? CKPT_EXIT_NO : CKPT_EXIT_UNKNOWN;
}

cJSON *ckpt_cli_unfound_json(const char *path, int code, const struct ckpt_error *err)
{
	struct ckpt_report report = { 0 };
	struct ckpt_problem *problem = &report.verdict.problem;

	report.verdict.status = code == CKPT_EXIT_NO ? CKPT_MISSING : CKPT_UNREADABLE;
	if (code != CKPT_EXIT_NO) {
		problem->code = CKPT_PROBLEM_IO;
		problem->offset = CKPT_NO_OFFSET;
		snprintf(problem->file, sizeof(problem->file), "%s", path);
		snprintf(problem->detail, sizeof(problem->detail), "%.*s",
			 (int)sizeof(problem->detail) - 1, err->text);
	}
	return ckpt_path_json(path, &report);
}
