/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl stage NAME -- COMMAND: a stage of a pipeline, once over all attempts. stage list, stage
 * reset.
 */
#include "cli/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"
#include "core/base/file.h"
#include "core/base/text.h"

struct asked {
	struct ckpt_cli_stage stage;
	const char *dir;
	bool json;
};

static const struct argp_option options[] = {
	{ "output", 'o', "PATH", 0,
	  "a file or directory that it leaves; may be given several times", 0 },
	{ "check", 'c', "COMMAND", 0, "a shell command that must succeed besides", 0 },
	{ "wait", 'w', NULL, 0, "wait while another process runs this stage", 0 },
	{ "dir", 'd', "DIR", 0, "run directory (default: this job's, else checkpoints)", 0 },
	{ "json", 'j', NULL, 0, "list: answer as JSON", 0 },
	{ 0 },
};

static void add_output(struct asked *a, const char *given, struct argp_state *state)
{
	struct ckpt_stage_output output = { .given = (char *)given };
	char path[CKPT_PATH_MAX];
	int r;

	if (!*given || !ckpt_cli_absolute(given, path))
		argp_error(state, "--output: empty or too long");
	output.path = path;
	r = ckpt_stage_add_output(&a->stage.asked, &output);
	if (r < 0)
		argp_error(state, "--output: %s",
			   r == -E2BIG ? "more than 256 of them" : "no memory");
}

/* NAME, and behind it the command with all its own options. */
static void add_word(struct asked *a, char *word, struct argp_state *state)
{
	if (!a->stage.name) {
		a->stage.name = word;
		return;
	}
	a->stage.command = state->argv + state->next - 1;
	state->next = state->argc;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct asked *a = state->input;

	switch (key) {
	case 'o':
		add_output(a, arg, state);
		return 0;
	case 'c':
		a->stage.check = arg;
		return 0;
	case 'w':
		a->stage.wait = true;
		return 0;
	case 'd':
		a->dir = arg;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		add_word(a, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which stage?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"NAME [--output=PATH...] [--check=COMMAND] -- COMMAND [ARGUMENT...]\nlist [--json]\nreset "
	"[NAME]",
	"Runs a stage of a pipeline once: in later attempts it is skipped when it completed and "
	"its "
	"outputs still are what they were, byte by byte, and runs again otherwise, saying why. A "
	"signal, an exit code, a missing output or a failing check leave it incomplete. `list` "
	"shows "
	"what is recorded, `reset` forgets one stage or all.\v"
	"A stage must be safe to run once more. Signals go on to COMMAND.\n"
	"Exit: 0 complete, 1 an output is missing or the check fails (reset: no such stage), 2 "
	"usage, 3 could not find out, or another process runs it; else COMMAND's own code or "
	"signal.",
	NULL,
	NULL,
	NULL
};

static const struct ckpt_column columns[] = {
	{ "STAGE", false, "name" },
	{ "STATE", false, "running, complete, failed, interrupted" },
	{ "EXIT", true, "exit code" },
	{ "JOB", true, "job" },
	{ "ATTEMPT", true, "attempt" },
	{ "HOST", false, "where it ran" },
	{ "BEGAN", false, "when" },
	{ "TOOK", true, "how long" },
	{ "OUTPUTS", true, "number and size" },
	{ NULL, false, NULL },
};

static const char *outputs_cell(const struct ckpt_stage *s, char *buf, size_t size)
{
	uint64_t bytes = 0;
	char text[32];

	for (size_t i = 0; i < s->n_outputs; i++)
		bytes += (uint64_t)s->outputs[i].bytes;
	snprintf(buf, size, "%zu, %s", s->n_outputs, ckpt_text_size(text, sizeof(text), bytes));
	return buf;
}

static const char *cell(const void *row, int column, char *buf, size_t size, const char **ret_color)
{
	const struct ckpt_stage *s = row;
	const int64_t numbers[] = { [2] = s->exit_code, [3] = s->job_id, [4] = s->attempt };
	bool ended = s->state != CKPT_STAGE_RUNNING;

	switch (column) {
	case 0:
		return s->name;
	case 1:
		*ret_color = s->state == CKPT_STAGE_COMPLETE ? "green" : "yellow";
		return ckpt_stage_state_name(s->state);
	case 5:
		return s->host;
	case 6:
		return s->at;
	case 7:
		return ended ? ckpt_text_age(buf, size, s->seconds) : NULL;
	case 8:
		return s->n_outputs ? outputs_cell(s, buf, size) : NULL;
	}
	if (column == 2 && !ended)
		return NULL;
	snprintf(buf, size, "%lld", (long long)numbers[column]);
	return buf;
}

static int list_json(const struct ckpt_stages *stages)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < stages->n; i++)
		cJSON_AddItemToArray(list, ckpt_stage_json(&stages->s[i]));
	return ckpt_cli_print_json(list) ? CKPT_EXIT_YES : CKPT_EXIT_UNKNOWN;
}

static int list_table(const struct ckpt_stages *stages)
{
	struct ckpt_table table = { .columns = columns, .cell = cell };
	int r = ckpt_table_begin(&table);

	for (size_t i = 0; i < stages->n && r == 0; i++)
		r = ckpt_table_add(&table, &stages->s[i]);
	if (r == 0)
		ckpt_table_print(&table);
	ckpt_table_done(&table);
	return r == 0 ? CKPT_EXIT_YES : CKPT_EXIT_UNKNOWN;
}

static int list(struct asked *a)
{
	_cleanup_stages_ struct ckpt_stages stages = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_stages_load(&ctx, a->stage.statefd, &stages, &err);

	if (r < 0 || r == CKPT_STATE_TORN)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s",
				     r < 0 ? err.text : "stages.json and its copy are not whole");
	if (stages.torn || stages.copy_torn)
		ckpt_cli_fail(0, "%s is not whole; its copy is, and counts",
			      stages.torn ? CKPT_STAGES : CKPT_STAGES_COPY);
	if (a->json)
		return list_json(&stages);
	if (stages.n == 0)
		return ckpt_cli_fail(CKPT_EXIT_YES, "no stage is recorded in %s",
				     CKPT_QUOTE(a->stage.dir));
	return list_table(&stages);
}

/* Forgets a stage, with the lock that a dead node may have left on a server. */
static void unlock(int statefd, const char *name)
{
	char lock[CKPT_STAGE_NAME + 16];

	snprintf(lock, sizeof(lock), "stage-%s.lock", name);
	unlinkat(statefd, lock, 0);
}

static int forget(void *arg, struct ckpt_stages *stages)
{
	struct asked *a = arg;
	const char *only = a->stage.command ? a->stage.command[0] : NULL;

	if (only && !ckpt_stages_find(stages, only))
		return 1;
	for (size_t i = stages->n; i-- > 0;) {
		if (only && strcmp(stages->s[i].name, only) != 0)
			continue;
		unlock(a->stage.statefd, stages->s[i].name);
		ckpt_stages_remove(stages, stages->s[i].name);
	}
	return 0;
}

static int reset(struct asked *a)
{
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_stages_edit(&ctx, a->stage.statefd, forget, a, &err);

	if (r > 0)
		return ckpt_cli_fail(CKPT_EXIT_NO, "there is no stage %s in %s",
				     CKPT_QUOTE(a->stage.command[0]), CKPT_QUOTE(a->stage.dir));
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text) : CKPT_EXIT_YES;
}

/* Opens the state of the run; makes it for a stage that is to run, unless the job's own directory
 * is gone. */
static int open_state(struct asked *a, bool make)
{
	struct ckpt_error err = { 0 };
	_cleanup_close_ int dirfd = -1;
	int fd;

	dirfd = make && (!a->stage.job->decided || a->dir)
			? ckpt_dir_make_path(a->stage.dir, &err)
			: ckpt_dir_open(AT_FDCWD, a->stage.dir, &err);
	fd = dirfd < 0 ? dirfd : make ? ckpt_state_make(dirfd, &err) : ckpt_state_open(dirfd, &err);
	if (fd < 0)
		ckpt_cli_fail(0, "%s: %s%s", CKPT_QUOTE(a->stage.dir), err.text,
			      make ? "; nothing was started" : "");
	return fd;
}

static bool is_command(const struct asked *a, const char *word)
{
	return strcmp(a->stage.name, word) == 0;
}

static int usage_of(const struct asked *a)
{
	bool listing = is_command(a, "list"), resetting = is_command(a, "reset");

	if (listing ? a->stage.command != NULL
		    : resetting && a->stage.command && a->stage.command[1])
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "`list` and `reset` are no stages");
	if (listing || resetting)
		return 0;
	if (!ckpt_stage_is_name(a->stage.name))
		return ckpt_cli_fail(CKPT_EXIT_USAGE,
				     "%s: a stage's name has up to 63 of A-Z a-z 0-9 _ . -",
				     CKPT_QUOTE(a->stage.name));
	if (!a->stage.command)
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "stage %s: which command?", a->stage.name);
	return a->json ? ckpt_cli_fail(CKPT_EXIT_USAGE, "--json is for `stage list`") : 0;
}

int ckpt_cmd_stage(int argc, char **argv)
{
	static struct ckpt_cli_roots roots;
	static struct ckpt_cli_job job;
	static struct asked a;
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, ARGP_IN_ORDER, &a) != 0)
		return CKPT_EXIT_USAGE;
	r = usage_of(&a);
	if (r != 0)
		return r;
	ckpt_cli_job_read(&job);
	if (!ckpt_cli_job_roots(&job, a.dir, &roots))
		return CKPT_EXIT_USAGE;
	a.stage.job = &job;
	a.stage.dir = roots.roots.dir[0];
	a.stage.statefd = open_state(&a, !is_command(&a, "list") && !is_command(&a, "reset"));
	if (a.stage.statefd < 0)
		return CKPT_EXIT_UNKNOWN;
	if (is_command(&a, "list"))
		return list(&a);
	return is_command(&a, "reset") ? reset(&a) : ckpt_cli_stage_run(&a.stage);
}
