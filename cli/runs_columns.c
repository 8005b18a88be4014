/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The columns of a run's past: see runs.h.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/runs.h"
#include "core/base/text.h"

enum column {
	JOB,
	ATTEMPT,
	REASON,
	MODE,
	FROM,
	EVIDENCE,
	BEGAN,
	ENDED,
	RAN,
	CAUSE,
	TO,
	REACHED,
	WAITED,
	LOST_STEPS,
	LOST_EPOCHS,
	LOST_TIME,
	VALID,
	REJECTED,
	NODE,
	RUN
};

const struct ckpt_column ckpt_runs_columns[] = {
	[JOB] = { "JOB", true, "job id; -: outside of Slurm" },
	[ATTEMPT] = { "ATTEMPT", true, "restart count; the first is 0" },
	[REASON] = { "REASON", false, "why it was started: first-start, preempted, ..." },
	[MODE] = { "MODE", false, "resume, finetune, fresh, done, refused" },
	[FROM] = { "FROM", false, "checkpoint that it started from" },
	[EVIDENCE] = { "EVIDENCE", false, "what that one's verdict rested on" },
	[BEGAN] = { "BEGAN", false, "time of its decision, UTC" },
	[ENDED] = { "ENDED", false, "time of its end as recorded, UTC" },
	[RAN] = { "RAN", true, "between the two" },
	[CAUSE] = { "CAUSE", false, "why it ended; (...): the next start's word" },
	[TO] = { "TO", false, "newest valid checkpoint at its end" },
	[REACHED] = { "REACHED", false, "newest position that is known of" },
	[WAITED] = { "WAITED", true, "between the end before it and its beginning, about" },
	[LOST_STEPS] = { "LOST_STEPS", true, "steps of earlier attempts done again, about" },
	[LOST_EPOCHS] = { "LOST_EPOCHS", true, "epochs done again, about" },
	[LOST_TIME] = { "LOST_TIME", true, "work done again, about" },
	[VALID] = { "VALID", true, "checkpoints of it that were found valid" },
	[REJECTED] = { "REJECTED", true, "corrupt and incomplete ones" },
	[NODE] = { "NODE", false, "where it was decided" },
	[RUN] = { "RUN", false, "id of the run" },
	{ NULL, false, NULL },
};

const char *ckpt_runs_position(const struct ckpt_position *p, char *buf, size_t size)
{
	char number[32];
	int n = 0;

	buf[0] = '\0';
	if (p->has_epoch)
		n = snprintf(buf, size, "epoch %s",
			     ckpt_text_number(number, sizeof(number), p->epoch));
	if (p->has_step && n >= 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, "%sstep %lld", n ? ", " : "",
			 (long long)p->step);
	return buf[0] ? buf : NULL;
}

static const char *cell_span(int64_t seconds, const char *about, char *buf, size_t size)
{
	char age[32];

	if (seconds == CKPT_HISTORY_UNKNOWN)
		return NULL;
	snprintf(buf, size, "%s%s", seconds ? about : "", ckpt_text_age(age, sizeof(age), seconds));
	return buf;
}

static const char *cell_time(int64_t at, char *buf, size_t size)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (at == CKPT_HISTORY_UNKNOWN || !gmtime_r(&t, &tm) ||
	    !strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm))
		return NULL;
	return buf;
}

static const char *cell_number(bool known, int64_t value, char *buf, size_t size)
{
	if (!known)
		return NULL;
	snprintf(buf, size, "%lld", (long long)value);
	return buf;
}

static const char *cell_cause(const struct ckpt_runs_row *row, char *buf, size_t size,
			      const char **ret_color)
{
	const struct ckpt_history_attempt *a = row->attempt;

	if (!a->cause[0] && strcmp(a->mode, "refused") == 0)
		return "refused"; /* over before it began */
	if (!a->cause[0])
		return row->newest && !a->ended ? "running?" : NULL;
	if (strcmp(a->cause, "finished") == 0)
		*ret_color = "green";
	snprintf(buf, size, a->cause_told ? "(%s)" : "%s", a->cause);
	return buf;
}

static const char *tail(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static const char *cell_cost(const struct ckpt_runs_row *row, int column, char *buf, size_t size)
{
	const struct ckpt_history_attempt *a = row->attempt;

	switch (column) {
	case RAN:
		return cell_span(a->ran_s, "", buf, size);
	case WAITED:
		return cell_span(a->waited_s, "~", buf, size);
	case LOST_TIME:
		return cell_span(a->lost_s, "~", buf, size);
	case LOST_STEPS:
		return cell_number(a->has_lost_steps, a->lost_steps, buf, size);
	case LOST_EPOCHS:
		return a->has_lost_epochs ? ckpt_text_number(buf, size, a->lost_epochs) : NULL;
	case VALID:
		return cell_number(true, (int64_t)a->valid, buf, size);
	case REJECTED:
		return cell_number(true, (int64_t)a->rejected, buf, size);
	}
	return NULL;
}

static const char *text_or_none(const char *text)
{
	return *text ? text : NULL;
}

static const char *cell_text(const struct ckpt_history_attempt *a, int column)
{
	switch (column) {
	case REASON:
		return text_or_none(a->reason);
	case MODE:
		return text_or_none(a->mode);
	case EVIDENCE:
		return text_or_none(a->evidence);
	case FROM:
		return a->from[0]		       ? tail(a->from)
		       : strcmp(a->mode, "fresh") == 0 ? "(fresh)"
						       : NULL;
	case TO:
		return text_or_none(a->to);
	case NODE:
		return text_or_none(a->began_node);
	case RUN:
		return text_or_none(a->run);
	}
	return NULL;
}

const char *ckpt_runs_cell(const void *data, int column, char *buf, size_t size,
			   const char **ret_color)
{
	const struct ckpt_runs_row *row = data;
	const struct ckpt_history_attempt *a = row->attempt;
	const char *text = cell_text(a, column);

	if (text)
		return text;
	switch (column) {
	case JOB:
		return cell_number(a->job_id > 0, a->job_id, buf, size);
	case ATTEMPT:
		return cell_number(true, a->attempt, buf, size);
	case BEGAN:
		return cell_time(a->began, buf, size);
	case ENDED:
		return cell_time(a->over, buf, size);
	case CAUSE:
		return cell_cause(row, buf, size, ret_color);
	case REACHED:
		return ckpt_runs_position(&a->reached, buf, size);
	}
	return cell_cost(row, column, buf, size);
}
