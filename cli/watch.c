/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl watch [DIR|JOBID]: follows a run. The kernel tells of new ledger lines where it can;
 * where it is blind (NFS, Lustre) a look every few seconds does.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/runs.h"
#include "core/base/text.h"
#include "core/record/state.h"

#define LOOK_MS 3000 /* between two looks at the latest */
#define REST_MS 300  /* and at the soonest */

/* What has been told of one attempt. */
struct told {
	int64_t job_id, attempt;
	char run[40];
	bool decided, ended;
	size_t saved, notes;
};

struct watching {
	struct ckpt_runs runs;
	struct told *told;
	size_t n_told;
	bool table;
	int notify, signals;
};

/* "2026-01-01T10:00:00Z  job 7 attempt 0  " and what follows; control characters cleaned. */
static void say(const struct ckpt_history_attempt *a, int64_t at, const char *text)
{
	char when[32] = "-";
	time_t t = (time_t)at;
	struct tm tm;

	if (at != CKPT_HISTORY_UNKNOWN && gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	ckpt_cli_say("%s job %lld attempt %lld: %s", when, (long long)a->job_id,
		     (long long)a->attempt, text);
}

static void say_decision(const struct ckpt_history_attempt *a)
{
	_cleanup_str_ struct ckpt_str s = { 0 };

	ckpt_str_add(&s, "started (%s): %s%s%s", a->reason[0] ? a->reason : "unknown", a->mode,
		     a->from[0] ? " " : "", a->from);
	if (a->has_lost_steps)
		ckpt_str_add(&s, ", about %lld steps again", (long long)a->lost_steps);
	say(a, a->began, s.s ? s.s : "started");
}

static void say_saved(const struct ckpt_history_attempt *a, const struct ckpt_history_saved *c)
{
	_cleanup_str_ struct ckpt_str s = { 0 };
	char position[96];
	const char *at = ckpt_runs_position(&c->position, position, sizeof(position));
	const char *why = c->problem[0] ? c->problem : c->evidence;

	ckpt_str_add(&s, "checkpoint %s%s%s: %s%s%s", c->name, at ? ", " : "", at ? at : "",
		     c->verdict, why[0] ? " " : "", why);
	say(a, c->at, s.s ? s.s : "checkpoint");
}

static void say_note(const struct ckpt_history_attempt *a, const struct ckpt_history_note *n)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", n->event, n->why[0] ? ": " : "", n->why);
	say(a, n->at, text);
}

static void say_end(const struct ckpt_history_attempt *a)
{
	char text[400];

	snprintf(text, sizeof(text), "ended: %s%s%s", a->cause, a->to[0] ? ", newest valid " : "",
		 a->to);
	say(a, a->over, text);
}

/* The entry of @a, made where it is new; NULL: no memory. */
static struct told *told_of(struct watching *w, const struct ckpt_history_attempt *a)
{
	struct told *more;

	for (size_t i = w->n_told; i-- > 0;)
		if (w->told[i].job_id == a->job_id && w->told[i].attempt == a->attempt &&
		    strcmp(w->told[i].run, a->run) == 0)
			return &w->told[i];
	more = reallocarray(w->told, w->n_told + 1, sizeof(*more));
	if (!more)
		return NULL;
	w->told = more;
	more = &w->told[w->n_told++];
	*more = (struct told) { .job_id = a->job_id, .attempt = a->attempt };
	ckpt_text_copy(more->run, sizeof(more->run), a->run);
	return more;
}

static void tell_attempt(struct watching *w, const struct ckpt_history_attempt *a)
{
	struct told *t = told_of(w, a);

	if (!t)
		return;
	if (a->decided && !t->decided)
		say_decision(a);
	for (; t->saved < a->n_saved; t->saved++)
		say_saved(a, &a->saved[t->saved]);
	for (; t->notes < a->n_notes; t->notes++)
		say_note(a, &a->notes[t->notes]);
	if (a->ended && !t->ended)
		say_end(a);
	t->decided = a->decided;
	t->ended = a->ended;
}

static int show_table(const struct watching *w, const struct ckpt_history *h)
{
	struct ckpt_table table = { .columns = ckpt_runs_columns,
				    .cell = ckpt_runs_cell,
				    .style.columns = CKPT_RUNS_COLUMNS };
	int r = ckpt_table_begin(&table);

	if (r == 0)
		r = ckpt_runs_add_rows(&table, h);
	printf("\033[H\033[2J");
	ckpt_cli_say("%s: %zu attempt%s (Ctrl-C ends)", w->runs.roots.roots.dir[0], h->n,
		     h->n == 1 ? "" : "s");
	if (r == 0 && h->n > 0)
		ckpt_table_print(&table);
	ckpt_table_done(&table);
	return r;
}

static int look(struct watching *w)
{
	_cleanup_history_ struct ckpt_history h = { 0 };
	struct ckpt_ctx ctx = { .no_recall = true };
	int r = ckpt_history_load(&ctx, &w->runs.roots.roots, &h);

	if (r < 0)
		return r;
	if (w->runs.job_id)
		ckpt_history_keep_job(&h, w->runs.job_id);
	if (w->table)
		r = show_table(w, &h);
	for (size_t i = 0; i < h.n && !w->table; i++)
		tell_attempt(w, &h.attempts[i]);
	if (h.error && w->table)
		ckpt_cli_say("not all could be read: %s", h.error_text);
	return fflush(stdout) == 0 ? r : -errno;
}

/* Directories that come later are met by the next look. */
static void follow(const struct watching *w)
{
	char state[CKPT_PATH_MAX + 16];

	for (int i = 0; w->notify >= 0 && i < w->runs.roots.roots.n; i++) {
		snprintf(state, sizeof(state), "%s/%s", w->runs.roots.roots.dir[i], CKPT_STATE_DIR);
		inotify_add_watch(w->notify, state, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
	}
}

/* Sleeps until there may be something new. False: a signal says to end. */
static bool wait_for_more(const struct watching *w)
{
	struct pollfd p[2] = { { .fd = w->signals, .events = POLLIN },
			       { .fd = w->notify, .events = POLLIN } };
	char buf[4096];

	if (poll(p, 1, REST_MS) > 0)
		return false;
	poll(p, 2, LOOK_MS - REST_MS);
	while (p[1].revents && read(w->notify, buf, sizeof(buf)) > 0)
		;
	return !p[0].revents;
}

static int watch(struct watching *w)
{
	sigset_t ends;
	int r;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	w->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals < 0)
		return -errno;
	w->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	do {
		follow(w);
		r = look(w);
	} while (r == 0 && wait_for_more(w));
	return r;
}

static const struct argp_option options[] = {
	CKPT_CLI_DIR_OPTION,
	{ "lines", 'l', NULL, 0, "a line an event, on a terminal too", 0 },
	{ 0 },
};

struct arguments {
	bool lines;
	const char *word;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'l') {
		arguments->lines = true;
		return 0;
	}
	return key == ARGP_KEY_ARG || key == 'd' ? ckpt_cli_take_dir(&arguments->word, arg, state)
						 : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"[DIR|JOBID]",
	"Follows the attempts in a run directory (default: this job's, else checkpoints): on a "
	"terminal as the table of `ckptctl history`, elsewhere a line an event, those that are "
	"there first. Checkpoints appear when the job's companion, or an attempt's end, has looked "
	"at them.\v"
	"Ends at Ctrl-C. Exit: 0 ended by that, 1 a job that cannot be looked for, 3 stopped by an "
	"error.",
	NULL,
	NULL,
	NULL
};

int ckpt_cmd_watch(int argc, char **argv)
{
	static struct watching w = { .notify = -1, .signals = -1 };
	struct arguments arguments = { 0 };
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &arguments) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_runs_name(arguments.word, &w.runs);
	if (r != 0)
		return r;
	w.table = isatty(STDOUT_FILENO) && !arguments.lines;
	r = watch(&w);
	free(w.told);
	return r < 0 ? ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(-r)) : CKPT_EXIT_YES;
}
