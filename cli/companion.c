/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl companion: the companion of a script on a cluster where no plugin starts it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/job.h"
#include "wire/detach.h"
#include "wire/text.h"

#define COMPANION "ckpt-companion"

static const struct argp_option options[] = {
	{ "keep", 'k', "N[,best=K]", 0, "remove sealed checkpoints beyond these", 0 },
	{ "stall", 'S', "TIME|auto", 0, "requeue the job after so long without progress", 0 },
	{ "before-limit", 'b', "TIME", 0, "so long before its time limit signal and requeue it",
	  0 },
	{ "signal", 'G', "NAME", 0, "the signal that makes the program save", 0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_request_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const struct {
		int key;
		const char *row;
	} rows[] = {
		{ 'k', "keep" }, { 'S', "stall" }, { 'b', "before_limit" }, { 'G', "signal" }
	};
	struct ckpt_cli_request *cli = state->input;

	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = cli;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].key != key)
			continue;
		if (ckpt_field_set(ckpt_field_find(&ckpt_request_fields, rows[i].row), &cli->req,
				   arg, &cli->err) < 0)
			argp_error(state, "%s", cli->err.text);
		return 0;
	}
	return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	NULL,
	"Starts a companion for the calling script, and returns at once: until the script ends it "
	"seals each checkpoint that is whole, records it, and does what its options say. Where the "
	"plugin is installed it does this itself. To be called after the decision:\n\n"
	"  eval \"$(ckptctl env --dir=D || echo exit $?)\"\n"
	"  ckptctl companion\v"
	"Exit: 0 started, 1 there is no decision of this attempt in the environment, 2 usage, 3 it "
	"could not be started.",
	children,
	NULL,
	NULL
};

/* Beside this program, as in a build directory, or where it was installed. */
static bool find_program(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);
	char *slash;

	buf[n > 0 ? n : 0] = '\0';
	slash = strrchr(buf, '/');
	if (slash && (size_t)(slash + 1 - buf) + sizeof(COMPANION) <= size) {
		memcpy(slash + 1, COMPANION, sizeof(COMPANION));
		if (access(buf, X_OK) == 0)
			return true;
	}
	slash = strrchr(CKPT_AGENT_PATH, '/');
	return snprintf(buf, size, "%.*s/" COMPANION, (int)(slash - CKPT_AGENT_PATH),
			CKPT_AGENT_PATH) < (int)size;
}

/* What needs Slurm is refused where there is none: it would never be done. */
static bool is_possible(const struct ckpt_request *req)
{
	if (req->job_id != 0 || (!req->stall[0] && !req->before_limit[0]))
		return true;
	ckpt_cli_fail(0, "--stall and --before-limit requeue a job of Slurm, and this is none");
	return false;
}

static int start(const struct ckpt_cli_job *job, const struct ckpt_request *req)
{
	char program[CKPT_PATH_MAX], task[40], run[80], conf[CKPT_PATH_MAX + 16], end[64];
	const char *end_time = getenv("SLURM_JOB_END_TIME"), *file = getenv("SLURM_CONF");
	const char *more[5] = { task, run };
	size_t n = 2;
	struct ckpt_detach how = { .program = program, .more = more, .task = getppid() };
	struct ckpt_error err = { 0 };

	if (how.task <= 1 || !find_program(program, sizeof(program)))
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "there is no script to be a companion of");
	snprintf(task, sizeof(task), "CKPT_COMPANION_TASK=%d", (int)how.task);
	snprintf(run, sizeof(run), "CKPT_COMPANION_RUN=%s", job->decision.run);
	if (file && snprintf(conf, sizeof(conf), "SLURM_CONF=%s", file) < (int)sizeof(conf))
		more[n++] = conf;
	if (end_time &&
	    snprintf(end, sizeof(end), "SLURM_JOB_END_TIME=%s", end_time) < (int)sizeof(end))
		more[n++] = end;
	if (ckpt_detach(&how, req, &err) < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "no companion: %s", err.text);
	return CKPT_EXIT_YES;
}

int ckpt_cmd_companion(int argc, char **argv)
{
	static struct ckpt_cli_request cli;
	static struct ckpt_cli_job job;

	ckpt_cli_request_init(&cli);
	if (ckpt_cli_parse(&argp, argc, argv, 0, &cli) != 0)
		return CKPT_EXIT_USAGE;
	ckpt_cli_job_read(&job);
	if (!ckpt_cli_job_request(&job, &cli) || !is_possible(&cli.req))
		return CKPT_EXIT_USAGE;
	if (!job.decided || !job.decision.run[0])
		return ckpt_cli_fail(CKPT_EXIT_NO,
				     "nothing was decided for this attempt here: first `eval "
				     "\"$(ckptctl env)\"`");
	cli.req.lease = cli.req.job_id != 0;
	return start(&job, &cli.req);
}
