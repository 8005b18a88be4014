/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See request.h. The first rows, up to `repin`, are the user's options; their order is that of the
 * struct, which is how option rows are told from the trusted ones.
 */
#include "wire/request.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "wire/keep.h"
#include "wire/requeue.h"
#include "wire/text.h"

#define ROW(member, env, type, help)                                                               \
	{                                                                                          \
#member, env, help, CKPT_FIELD_##type, offsetof(struct ckpt_request, member),      \
			sizeof(((struct ckpt_request *)0)->member), 0, 0, NULL                     \
	}
#define INT_ROW(member, env, min, max, help)                                                       \
	{                                                                                          \
#member, env, help, CKPT_FIELD_INT, offsetof(struct ckpt_request, member),         \
			sizeof(((struct ckpt_request *)0)->member), min, max, NULL                 \
	}

#define MODE_HELP "auto, best, fresh, step:N, epoch:N, name:NAME or an absolute path"
#define DIRS_HELP "DIR[:DIR...], 8 at most, with %j %A %a %x %u %% expanded when the job runs"
#define STATE_HELP "a directory for the files that ckpt-resume keeps, with letters as in --ckpt-dir"
#define ENV_HELP                                                                                   \
	"NAME[,NAME...] of letters, digits and '_', not PATH, LD_*, SLURM_*, CKPT_* or a name "    \
	"that changes how programs start"
#define VERIFY_HELP "structure, full, or sample: full, and some of what a seal shows unchanged"
#define METRIC_HELP "KEY:min or KEY:max"
#define EPOCH_HELP "completed or next"
#define STALL_HELP "auto, or a time: minutes, or 30s, 10m, 2h, 1d, MM:SS, D-HH:MM:SS"
#define LIMIT_HELP "30s or more: minutes, or 30s, 10m, 2h, 1d, MM:SS, D-HH:MM:SS"
#define LIMIT_LEAST_S 30 /* a third of it is for the requeue */
#define SIGNAL_HELP "USR1, USR2, TERM, INT, HUP, URG, CONT or a number of a signal from 1 to 64"
#define KEEP_HELP "N[,best=K]: the N newest (2 or more) and the K best (1 or more)"
#define SHARE_HELP "wait, requeue or yes"
#define ALIGN_HELP "yes or no"
#define REQUEUE_HELP                                                                               \
	"preempt, time-limit, node-fail, stall, exit:N[,N...] with commas between; none"

static const struct ckpt_field rows[] = {
	ROW(mode, "RESUME", TEXT, MODE_HELP),
	ROW(dirs, "DIR", TEXT, DIRS_HELP),
	ROW(env_names, "ENV", TEXT, ENV_HELP),
	ROW(verify, "VERIFY", WORD, VERIFY_HELP),
	ROW(config, "CONFIG", TEXT, "file with the run configuration (JSON)"),
	ROW(glob, "GLOB", TEXT, "pattern of further names that are checkpoints"),
	ROW(metric, "METRIC", TEXT, METRIC_HELP),
	ROW(epoch, "EPOCH", WORD, EPOCH_HELP),
	ROW(align, "ALIGN", WORD, ALIGN_HELP),
	ROW(state, "STATE", TEXT, STATE_HELP),
	ROW(requeue, "REQUEUE", TEXT, REQUEUE_HELP),
	INT_ROW(own_max_restarts, "OWN_MAX_RESTARTS", 1, UINT32_MAX,
		"restarts after which the job is held"),
	ROW(stall, "STALL", TEXT, STALL_HELP),
	ROW(before_limit, "BEFORE_LIMIT", TEXT, LIMIT_HELP),
	ROW(signal, "SIGNAL", WORD, SIGNAL_HELP),
	ROW(keep, "KEEP", TEXT, KEEP_HELP),
	ROW(share, "SHARE", WORD, SHARE_HELP),
	INT_ROW(repin, "REPIN", 0, 1, "1: the pin of the first start holds at later ones too"),

	INT_ROW(job_id, "JOB_ID", 0, UINT32_MAX, "the job's id; 0: not in a job"),
	INT_ROW(attempt, "ATTEMPT", 0, UINT32_MAX, "restart count, 0 at the first start"),
	ROW(cluster, "CLUSTER", WORD, "name of the cluster"),
	ROW(node, "NODE", WORD, "name of the node"),
	ROW(work_dir, "WORK_DIR", PATH, "the job's work directory"),
	ROW(job_name, "JOB_NAME", TEXT, "the job's name (%x)"),
	ROW(user, "USER", TEXT, "the user's name (%u)"),
	INT_ROW(array_job, "ARRAY_JOB", 0, UINT32_MAX, "id of the job array (%A); 0: none"),
	INT_ROW(array_task, "ARRAY_TASK", CKPT_REQUEST_NO_TASK, UINT32_MAX,
		"number in the job array (%a); -1: none"),
	ROW(reason, "REASON", WORD, "why this attempt exists"),
	ROW(decided, "DECIDED", PATH,
	    "path that the prolog decided on, where that is to be settled"),

	INT_ROW(status_known, "STATUS_KNOWN", 0, 1, "1: batch_status is known"),
	INT_ROW(batch_status, "BATCH_STATUS", 0, UINT32_MAX, "raw wait status of the batch task"),
	INT_ROW(finished, "FINISHED", 0, 1, "1: the attempt has finished the job's work"),
	ROW(note, "NOTE", WORD, "requeue or hold: a word for the ledger"),
	ROW(note_why, "NOTE_WHY", TEXT, "why"),
	ROW(note_by, "NOTE_BY", WORD, "who does it: epilog or companion"),

	ROW(default_dir, "DEFAULT_DIR", TEXT, "run directory where no option names one"),
	ROW(run_dirs, "RUN_DIRS", TEXT, "absolute directories below which run directories may lie"),
	ROW(quarantine, "QUARANTINE", WORD, "rename, mark or off"),
	ROW(reject_non_finite, "REJECT_NON_FINITE", WORD,
	    "no; yes: a checkpoint with NaN is passed over; any: one with Inf too"),
	INT_ROW(share_wait_ms, "SHARE_WAIT_MS", 0, INT32_MAX,
		"most milliseconds to wait for another job in the run directory"),
	INT_ROW(lease, "LEASE", 0, 1, "1: a companion will hold the run directory's lease"),
	INT_ROW(budget_ms, "BUDGET_MS", 0, INT32_MAX, "milliseconds for the answer; 0: no limit"),
	INT_ROW(max_bytes, "MAX_BYTES", 0, INT64_MAX, "most bytes read of checkpoints; 0: no cap"),
	INT_ROW(max_restarts, "MAX_RESTARTS", 0, UINT32_MAX, "most restarts of a job; 0: no cap"),
	INT_ROW(expanded, "EXPANDED", 0, 2, "1: the directories are a decision's; 2: by default"),
	INT_ROW(hooks, "HOOKS", 0, 1, "1: a prolog began this attempt"),
	INT_ROW(in_hook, "IN_HOOK", 0, 1, "1: started by the prolog or the epilog"),
};

const struct ckpt_fields ckpt_request_fields = { rows, sizeof(rows) / sizeof(rows[0]) };

/* Which of the words in @allowed (NULL-terminated) is @text? True for the empty text too. */
static bool empty_or_one_of(const char *text, const char *const *allowed)
{
	if (!*text)
		return true;
	for (; *allowed; allowed++)
		if (strcmp(text, *allowed) == 0)
			return true;
	return false;
}

static const char *number_problem(const char *text)
{
	int64_t value;

	return ckpt_text_int(text, 0, INT64_MAX, &value) ? NULL : "is not a number";
}

static const char *name_problem(const char *name)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "names nothing";
	return strchr(name, '/') ? "holds a '/'; give an absolute path instead of name:" : NULL;
}

static const char *mode_problem(const char *mode)
{
	const char *rest;

	if (*mode == '/' || strcmp(mode, "auto") == 0 || strcmp(mode, "best") == 0 ||
	    strcmp(mode, "fresh") == 0)
		return NULL;
	if (ckpt_text_starts(mode, "step:", &rest) || ckpt_text_starts(mode, "epoch:", &rest))
		return number_problem(rest);
	if (ckpt_text_starts(mode, "name:", &rest))
		return name_problem(rest);
	return "is no mode";
}

static const char *percent_problem(const char *text)
{
	for (const char *p = strchr(text, '%'); p; p = strchr(p + 2, '%'))
		if (!p[1] || !strchr("jAaxu%", p[1]))
			return "has an unknown %-letter";
	return NULL;
}

static const char *dirs_problem(const char *dirs)
{
	int n = 1;

	if (!*dirs)
		return NULL;
	for (const char *p = dirs; *p; p++) {
		if (*p == ':' && (p == dirs || p[1] == ':' || !p[1]))
			return "has an empty directory";
		n += *p == ':';
	}
	if (n > CKPT_REQUEST_DIRS)
		return "names too many directories";
	return percent_problem(dirs);
}

/* Names that decide how the shell, the loader, Slurm or an interpreter starts. */
static bool is_reserved_name(const char *name)
{
	static const char *const prefixes[] = { "LD_",	      "SLURM_", "SPANK_",  "CKPT_",
						"BASH_FUNC_", "GCONV_", "MALLOC_", "GLIBC_" };
	static const char *const names[] = { "PATH",
					     "IFS",
					     "ENV",
					     "BASH_ENV",
					     "SHELLOPTS",
					     "BASHOPTS",
					     "PS4",
					     "PROMPT_COMMAND",
					     "HOME",
					     "SHELL",
					     "USER",
					     "LOGNAME",
					     "TMPDIR",
					     "PYTHONPATH",
					     "PYTHONHOME",
					     "PYTHONSTARTUP",
					     "PERL5LIB",
					     "PERL5OPT",
					     "NODE_OPTIONS",
					     "LOCPATH",
					     "NLSPATH",
					     "CDPATH",
					     NULL };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (ckpt_text_starts(name, prefixes[i], NULL))
			return true;
	return empty_or_one_of(name, names);
}

static const char *one_env_name_problem(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	if (!strspn(name, letters) || name[strspn(name, rest)])
		return "holds something that is no variable name";
	return is_reserved_name(name) ? "holds a reserved name" : NULL;
}

const char *ckpt_request_env_names_problem(const char *list)
{
	char name[256];

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, ",");
		const char *problem;

		if (len == 0 || len >= sizeof(name))
			return "holds an empty or overlong name";
		memcpy(name, p, len);
		name[len] = '\0';
		problem = one_env_name_problem(name);
		if (problem)
			return problem;
		p += len;
		if (*p == ',' && !*++p)
			return "ends in a comma";
	}
	return NULL;
}

static const char *verify_problem(const char *text)
{
	static const char *const allowed[] = { "structure", "sample", "full", NULL };

	return empty_or_one_of(text, allowed) ? NULL : "is no level";
}

static const char *metric_problem(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!*text)
		return NULL;
	if (!colon || colon == text)
		return "has no KEY and direction";
	return strcmp(colon, ":min") == 0 || strcmp(colon, ":max") == 0 ? NULL : "has no direction";
}

static const char *epoch_problem(const char *text)
{
	static const char *const allowed[] = { "completed", "next", NULL };

	return empty_or_one_of(text, allowed) ? NULL : "is no meaning of an epoch";
}

static const char *align_problem(const char *text)
{
	static const char *const allowed[] = { "yes", "no", NULL };

	return empty_or_one_of(text, allowed) ? NULL : "is neither yes nor no";
}

static const char *share_problem(const char *text)
{
	static const char *const allowed[] = { "wait", "requeue", "yes", NULL };

	return empty_or_one_of(text, allowed) ? NULL : "is none of wait, requeue, yes";
}

static const char *requeue_problem(const char *text)
{
	return ckpt_requeue_parse(text, NULL);
}

static const char *duration_problem(const char *text)
{
	int64_t seconds;

	return !*text || ckpt_text_duration(text, &seconds) ? NULL : "is no time";
}

static const char *stall_problem(const char *text)
{
	return strcmp(text, "auto") == 0 ? NULL : duration_problem(text);
}

static const char *limit_problem(const char *text)
{
	int64_t seconds;

	if (*text && ckpt_text_duration(text, &seconds) && seconds < LIMIT_LEAST_S)
		return "is too short to save and to be requeued in";
	return duration_problem(text);
}

static int signal_number(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {
		{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "TERM", SIGTERM }, { "INT", SIGINT },
		{ "HUP", SIGHUP },   { "URG", SIGURG },	  { "CONT", SIGCONT },
	};
	int64_t number;

	if (ckpt_text_int(text, 1, 64, &number))
		return number == SIGKILL || number == SIGSTOP ? -1 : (int)number;
	ckpt_text_starts(text, "SIG", &text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i].name) == 0)
			return names[i].number;
	return -1;
}

static const char *signal_problem(const char *text)
{
	return !*text || signal_number(text) > 0 ? NULL
						 : "is no signal that a program could save by";
}

int ckpt_request_signal(const struct ckpt_request *req, int fallback)
{
	return *req->signal ? signal_number(req->signal) : fallback;
}

static const char *keep_problem(const char *text)
{
	return ckpt_keep_parse(text, NULL);
}

/* The rules by wire key, with the option as the user knows it. */
static const struct rule {
	const char *key, *option;
	const char *(*problem)(const char *text);
} rules[] = {
	{ "mode", "--ckpt-resume", mode_problem },
	{ "dirs", "--ckpt-dir", dirs_problem },
	{ "env_names", "--ckpt-env", ckpt_request_env_names_problem },
	{ "verify", "--ckpt-verify", verify_problem },
	{ "metric", "--ckpt-metric", metric_problem },
	{ "epoch", "--ckpt-epoch", epoch_problem },
	{ "align", "--ckpt-align", align_problem },
	{ "requeue", "--ckpt-requeue", requeue_problem },
	{ "stall", "--ckpt-stall", stall_problem },
	{ "before_limit", "--ckpt-before-limit", limit_problem },
	{ "signal", "--ckpt-signal", signal_problem },
	{ "keep", "--ckpt-keep", keep_problem },
	{ "share", "--ckpt-share", share_problem },
	{ "state", "--ckpt-state", percent_problem },
};

void ckpt_request_init(struct ckpt_request *req)
{
	memset(req, 0, sizeof(*req));
	req->array_task = CKPT_REQUEST_NO_TASK;
	ckpt_text_copy(req->mode, sizeof(req->mode), "auto");
}

int ckpt_request_check(const struct ckpt_request *req, struct ckpt_error *err)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct ckpt_field *row = ckpt_field_find(&ckpt_request_fields, rules[i].key);
		const char *value = ckpt_field_get(row, req, NULL, 0);
		const char *problem = rules[i].problem(value);

		if (problem)
			return ckpt_fail(err, -EINVAL, "%s=%s %s; allowed: %s", rules[i].option,
					 CKPT_QUOTE(value), problem, row->help);
	}
	return 0;
}

static bool is_option(const struct ckpt_field *row)
{
	return row->offset < offsetof(struct ckpt_request, job_id);
}

int ckpt_request_options_from_env(struct ckpt_request *req, const char *prefix,
				  ckpt_getenv_fn *lookup, void *arg, struct ckpt_error *err)
{
	struct ckpt_fields options = { rows, 0 };
	char before[sizeof(req->mode)];
	int r;

	while (options.n < ckpt_request_fields.n && is_option(&rows[options.n]))
		options.n++;
	ckpt_text_copy(before, sizeof(before), req->mode);
	req->mode[0] = '\0';
	r = ckpt_fields_from_env(&options, req, prefix, lookup, arg, err);
	if (r < 0)
		return r;
	if (!req->mode[0]) {
		ckpt_text_copy(req->mode, sizeof(req->mode), before);
		return ckpt_fail(err, -ENOENT, "the job did not ask for --ckpt-resume");
	}
	return ckpt_request_check(req, err);
}
