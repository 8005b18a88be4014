/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See site.h. One list, SITE_KEYS, gives the parser its rows and the documentation its lines.
 */
#include "wire/site.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/request.h"
#include "wire/text.h"

#define FILE_NAME "ckpt-resume.conf"
#define LINE_LEN (20 * 1024) /* the longest value, RunDirs=, with its key and blanks */
#define FILE_MAX (64 * 1024)
#define HOUR_MS (3600 * 1000LL)

struct row;
typedef bool parse_fn(const struct row *row, void *member, const char *value);

struct row {
	const char *name;
	parse_fn *parse;
	size_t offset, size;
	int64_t min, max; /* in the member's unit */
	const char *const *words;
};

static const char *const verify_words[] = { "structure", "sample", "full", NULL };
static const char *const quarantine_words[] = { "rename", "mark", "off", NULL };
static const char *const non_finite_words[] = { "no", "yes", "any", NULL };
static const char *const companion_words[] = { "yes", "no", NULL };
static const char *const share_words[] = { "wait", "requeue", "yes", NULL };
static const char *const prolog_words[] = { "requeue", "always", "off", NULL };
static const char *const undecided_words[] = { "fail", "hold", "requeue", NULL };

static int word_index(const char *const *words, const char *value)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return -1;
}

static bool parse_word(const struct row *row, void *member, const char *value)
{
	return word_index(row->words, value) >= 0 && ckpt_text_copy(member, row->size, value);
}

/* The members of the two enums are numbered as their words. */
static bool parse_enum(const struct row *row, void *member, const char *value)
{
	int i = word_index(row->words, value);

	if (i < 0)
		return false;
	memcpy(member, &i, sizeof(i));
	return true;
}

static bool parse_text(const struct row *row, void *member, const char *value)
{
	return !ckpt_text_has_control(value) && ckpt_text_copy(member, row->size, value);
}

static bool parse_path(const struct row *row, void *member, const char *value)
{
	return *value == '/' && parse_text(row, member, value);
}

/* Absolute directories, ':' between them. */
static bool parse_paths(const struct row *row, void *member, const char *value)
{
	for (const char *p = value; p; p = strchr(p, ':')) {
		p += *p == ':';
		if (*p != '/')
			return false;
	}
	return parse_text(row, member, value);
}

static bool put_number(const struct row *row, void *member, int64_t value)
{
	if (value < row->min || value > row->max)
		return false;
	memcpy(member, &value, sizeof(value));
	return true;
}

/* Parses "12.345" to thousandths; *@ret_rest is what follows. */
static bool parse_thousandths(const char *s, int64_t *ret, const char **ret_rest)
{
	int64_t value = 0;
	int digits = -1; /* after the point */

	if (*s < '0' || *s > '9')
		return false;
	for (; (*s >= '0' && *s <= '9') || (*s == '.' && digits < 0); s++) {
		if (*s == '.') {
			digits = 0;
			continue;
		}
		if (digits >= 0 && ++digits > 3)
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *s - '0', &value))
			return false;
	}
	if (digits == 0)
		return false;
	for (int i = digits < 0 ? 0 : digits; i < 3; i++)
		if (__builtin_mul_overflow(value, 10, &value))
			return false;
	*ret = value;
	*ret_rest = s;
	return true;
}

/* A number with decimals and one letter of @units; the result in thousandths of the first unit. */
static bool parse_scaled(const char *value, const char *units, const int64_t *factors, int64_t *ret)
{
	const char *rest, *unit;
	int64_t n;

	if (!parse_thousandths(value, &n, &rest))
		return false;
	if (*rest) {
		unit = strchr(units, *rest);
		if (!unit || rest[1] || __builtin_mul_overflow(n, factors[unit - units], &n))
			return false;
	}
	*ret = n;
	return true;
}

static const int64_t time_factors[] = { 1, 60, 3600, 86400 };

static bool parse_ms(const struct row *row, void *member, const char *value)
{
	int64_t ms;

	return parse_scaled(value, "smhd", time_factors, &ms) && put_number(row, member, ms);
}

static bool parse_seconds(const struct row *row, void *member, const char *value)
{
	int64_t ms;

	return parse_scaled(value, "smhd", time_factors, &ms) && put_number(row, member, ms / 1000);
}

static bool parse_size(const struct row *row, void *member, const char *value)
{
	static const int64_t factors[] = { 1LL << 10, 1LL << 20, 1LL << 30, 1LL << 40 };
	int64_t thousandths;

	return parse_scaled(value, "KMGT", factors, &thousandths) &&
	       put_number(row, member, thousandths / 1000);
}

static bool parse_count(const struct row *row, void *member, const char *value)
{
	int64_t n;

	return ckpt_text_int(value, row->min, row->max, &n) && put_number(row, member, n);
}

/* X(name, value, help, parser, member, min, max, words) */
#define SITE_KEYS(X)                                                                               \
	X("DisableFile", "PATH (default /etc/slurm/ckpt-resume.disable)",                          \
	  "While this file exists, hooks and plugin do nothing.", path, disable_file, 0, 0, NULL)  \
	X("SpoolDir", "PATH (default /run/ckpt-resume)",                                           \
	  "Where the hooks and the plugin leave each other notes; made by root, mode 0700.", path, \
	  spool_dir, 0, 0, NULL)                                                                   \
	X("Agent", "PATH (default " CKPT_AGENT_PATH ")", "The agent's executable.", path, agent,   \
	  0, 0, NULL)                                                                              \
	X("DefaultDir", "DIR (default checkpoints)",                                               \
	  "Run directory of jobs that name none; relative to the work directory.", text,           \
	  default_dir, 0, 0, NULL)                                                                 \
	X("RunDirs", "DIR[:DIR...] (default: any)",                                                \
	  "Run directories may lie below these directories only.", paths, run_dirs, 0, 0, NULL)    \
	X("Partitions", "NAME[,NAME...] (default: all)",                                           \
	  "The hooks act on these partitions only.", text, partitions, 0, 0, NULL)                 \
	X("Verify", "structure|sample|full (default full)",                                        \
	  "How far the chosen checkpoint is checked where the job does not say.", word, verify, 0, \
	  0, verify_words)                                                                         \
	X("Quarantine", "rename|mark|off (default rename)",                                        \
	  "What happens to a checkpoint that is proved corrupt.", word, quarantine, 0, 0,          \
	  quarantine_words)                                                                        \
	X("RejectNonFinite", "no|yes|any (default no)",                                            \
	  "Pass over a checkpoint with NaN in its numbers; any: with Inf too.", word,              \
	  reject_non_finite, 0, 0, non_finite_words)                                               \
	X("Companion", "yes|no (default yes)",                                                     \
	  "Start a companion in each job that watches and seals its checkpoints.", word,           \
	  companion, 0, 0, companion_words)                                                        \
	X("Share", "wait|requeue|yes (default wait)",                                              \
	  "What a job does where another job is at work in its run directory.", word, share, 0, 0, \
	  share_words)                                                                             \
	X("ShareWait", "SECONDS[s|m|h|d] (default 5m)",                                            \
	  "How long Share=wait waits before the job goes back into the queue.", ms, share_wait_ms, \
	  0, 24 * HOUR_MS, NULL)                                                                   \
	X("MetricsFile", "PATH (default: none)",                                                   \
	  "Counters as a Prometheus text file, in a directory that root alone can write.", path,   \
	  metrics_file, 0, 0, NULL)                                                                \
	X("PrologBudget", "SECONDS (default 5)", "Most time for the agent in the prolog.", ms,     \
	  prolog_budget_ms, 100, HOUR_MS, NULL)                                                    \
	X("EpilogBudget", "SECONDS (default 5)", "Most time for the agent in the epilog.", ms,     \
	  epilog_budget_ms, 100, HOUR_MS, NULL)                                                    \
	X("StepBudget", "SECONDS (default 120)",                                                   \
	  "Most time for the agent in the job's step; 0 = no limit.", ms, step_budget_ms, 0,       \
	  24 * HOUR_MS, NULL)                                                                      \
	X("MaxBytes", "SIZE[K|M|G|T] (default 0: no cap)",                                         \
	  "Most bytes of checkpoints that a hook's agent reads.", size, max_bytes, 0, INT64_MAX,   \
	  NULL)                                                                                    \
	X("MaxRestarts", "COUNT (default 0: no cap)",                                              \
	  "Restarts after which a job is not resumed any more.", count, max_restarts, 0,           \
	  UINT32_MAX, NULL)                                                                        \
	X("SpoolAge", "SECONDS[s|m|h|d] (default 30d)",                                            \
	  "Age after which notes of other jobs are removed from the spool.", seconds, spool_age_s, \
	  60, INT32_MAX, NULL)                                                                     \
	X("PrologResolve", "requeue|always|off (default requeue)",                                 \
	  "When the prolog decides: at attempts after the first, at all, at none.", enum,          \
	  prolog_resolve, 0, 0, prolog_words)                                                      \
	X("OnUndecided", "fail|hold|requeue (default fail)",                                       \
	  "What becomes of an attempt for which nothing could be found out.", enum, on_undecided,  \
	  0, 0, undecided_words)

#define KEY_DOC(name, value, help, parser, member, min, max, words) { name, value, help },
#define KEY_ROW(name, value, help, parser, member, min, max, words)                                \
	{ name,                                                                                    \
	  parse_##parser,                                                                          \
	  offsetof(struct ckpt_site, member),                                                      \
	  sizeof(((struct ckpt_site *)0)->member),                                                 \
	  min,                                                                                     \
	  max,                                                                                     \
	  words },

const struct ckpt_site_key ckpt_site_keys[] = { SITE_KEYS(KEY_DOC) { NULL, NULL, NULL } };

static const struct row rows[] = { SITE_KEYS(KEY_ROW) };
#define ROWS_N (sizeof(rows) / sizeof(rows[0]))

const char *ckpt_site_value(const struct ckpt_site *site, size_t index, char *buf)
{
	const struct row *row = &rows[index];
	const char *member = (const char *)site + row->offset;
	int64_t n = 0;
	int word;

	if (row->parse == parse_enum) {
		memcpy(&word, member, sizeof(word));
		member = row->words[word];
	} else if (row->size == sizeof(n)) {
		memcpy(&n, member, sizeof(n));
	}
	if (row->parse == parse_ms && n % 1000 != 0)
		snprintf(buf, CKPT_SITE_VALUE_MAX, "%" PRId64 ".%03d", n / 1000, (int)(n % 1000));
	else if (row->parse == parse_ms)
		snprintf(buf, CKPT_SITE_VALUE_MAX, "%" PRId64, n / 1000);
	else if (row->parse == parse_seconds || row->parse == parse_size ||
		 row->parse == parse_count)
		snprintf(buf, CKPT_SITE_VALUE_MAX, "%" PRId64, n);
	else
		snprintf(buf, CKPT_SITE_VALUE_MAX, "%s", member);
	return buf;
}

void ckpt_site_defaults(struct ckpt_site *site)
{
	*site = (struct ckpt_site) {
		.disable_file = "/etc/slurm/ckpt-resume.disable",
		.spool_dir = "/run/ckpt-resume",
		.agent = CKPT_AGENT_PATH,
		.verify = "full",
		.quarantine = "rename",
		.reject_non_finite = "no",
		.companion = "yes",
		.share = "wait",
		.share_wait_ms = 300000,
		.prolog_budget_ms = 5000,
		.epilog_budget_ms = 5000,
		.step_budget_ms = 120000,
		.spool_age_s = 30 * 86400,
		.prolog_resolve = CKPT_PROLOG_REQUEUE,
		.on_undecided = CKPT_UNDECIDED_FAIL,
	};
}

/* One reading of the file. */
struct reading {
	const char *path;
	int line;
	bool seen[ROWS_N];
	struct ckpt_site *site;
	struct ckpt_error *err;
};

/* Cuts blanks and the newline off both ends of @s. */
static char *strip(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]))
		end--;
	*end = '\0';
	return s;
}

static int bad_line(const struct reading *in, const char *what, const char *text)
{
	return ckpt_fail(in->err, -EINVAL, "%s line %d: %s %s", CKPT_QUOTE(in->path), in->line,
			 what, CKPT_QUOTE(text));
}

static int set_key(struct reading *in, const char *name, const char *value)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		if (in->seen[i])
			return bad_line(in, "key given twice:", name);
		in->seen[i] = true;
		if (rows[i].parse(&rows[i], (char *)in->site + rows[i].offset, value))
			return 0;
		return ckpt_fail(in->err, -EINVAL, "%s line %d: %s=%s: allowed: %s",
				 CKPT_QUOTE(in->path), in->line, name, CKPT_QUOTE(value),
				 ckpt_site_keys[i].value);
	}
	return bad_line(in, "unknown key", name);
}

static int read_line(struct reading *in, char *line)
{
	char *text, *value;

	in->line++;
	text = strip(line);
	if (!*text || *text == '#')
		return 0;
	value = strchr(text, '=');
	if (!value)
		return bad_line(in, "no '=' in", text);
	*value++ = '\0';
	return set_key(in, strip(text), strip(value));
}

static int read_lines(struct reading *in, FILE *f)
{
	char line[LINE_LEN];

	while (fgets(line, sizeof(line), f)) {
		size_t len = strlen(line);
		int r;

		if (len + 1 == sizeof(line) || (len && line[len - 1] != '\n' && !feof(f)))
			return bad_line(in, "a line too long or with a NUL byte after line", "");
		r = read_line(in, line);
		if (r < 0)
			return r;
	}
	return ferror(f) ? ckpt_fail(in->err, -EIO, "reading %s failed", CKPT_QUOTE(in->path)) : 0;
}

/* The file may steer root: a regular one, of root or of ourselves, that no other can write. */
static int check_file(int fd, const char *path, struct ckpt_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(path), strerror(errno));
	if (!S_ISREG(st.st_mode) || (st.st_mode & 022) ||
	    (st.st_uid != 0 && st.st_uid != geteuid()))
		return ckpt_fail(err, -EPERM,
				 "%s must be a regular file of root that no other can write",
				 CKPT_QUOTE(path));
	if (st.st_size > FILE_MAX)
		return ckpt_fail(err, -EINVAL, "%s is larger than %d bytes", CKPT_QUOTE(path),
				 FILE_MAX);
	return 0;
}

static int load_over(struct ckpt_site *site, const char *path, struct ckpt_error *err)
{
	struct reading in = { .path = path, .site = site, .err = err };
	_cleanup_close_ int fd = -1;
	_cleanup_fclose_ FILE *f = NULL;
	int r;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(path), strerror(errno));
	r = check_file(fd, path, err);
	if (r < 0)
		return r;
	f = fdopen(fd, "re");
	if (!f)
		return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(path), strerror(errno));
	ckpt_take_fd(&fd);
	return read_lines(&in, f);
}

int ckpt_site_load(struct ckpt_site *site, const char *path, struct ckpt_error *err)
{
	int r;

	ckpt_site_defaults(site);
	r = load_over(site, path, err);
	if (r < 0)
		ckpt_site_defaults(site);
	return r;
}

const char *ckpt_site_path(const char *argument, const char *slurm_conf, char *buf)
{
	const char *slash = slurm_conf && *slurm_conf == '/' ? strrchr(slurm_conf, '/') : NULL;
	int n = -1;

	if (argument && ckpt_text_copy(buf, CKPT_PATH_MAX, argument))
		return buf;
	if (slash)
		n = snprintf(buf, CKPT_PATH_MAX, "%.*s" FILE_NAME, (int)(slash + 1 - slurm_conf),
			     slurm_conf);
	if (n < 0 || n >= CKPT_PATH_MAX)
		ckpt_text_copy(buf, CKPT_PATH_MAX, CKPT_SITE_PATH);
	return buf;
}

const char *ckpt_site_companion(const struct ckpt_site *site, char *buf)
{
	const char *slash = strrchr(site->agent, '/');
	int n = snprintf(buf, CKPT_PATH_MAX, "%.*s/ckpt-companion",
			 slash ? (int)(slash - site->agent) : 0, site->agent);

	return n > 0 && n < CKPT_PATH_MAX ? buf : NULL;
}

bool ckpt_site_disabled(const struct ckpt_site *site)
{
	return access(site->disable_file, F_OK) == 0;
}

bool ckpt_site_partition(const struct ckpt_site *site, const char *partition)
{
	size_t len = strlen(partition);

	if (!site->partitions[0])
		return true;
	for (const char *p = site->partitions; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, partition, len) == 0)
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

void ckpt_site_into_request(const struct ckpt_site *site, struct ckpt_request *req)
{
	ckpt_text_copy(req->default_dir, sizeof(req->default_dir), site->default_dir);
	ckpt_text_copy(req->run_dirs, sizeof(req->run_dirs), site->run_dirs);
	ckpt_text_copy(req->quarantine, sizeof(req->quarantine), site->quarantine);
	ckpt_text_copy(req->reject_non_finite, sizeof(req->reject_non_finite),
		       site->reject_non_finite);
	if (!req->verify[0])
		ckpt_text_copy(req->verify, sizeof(req->verify), site->verify);
	if (!req->share[0])
		ckpt_text_copy(req->share, sizeof(req->share), site->share);
	req->share_wait_ms = site->share_wait_ms;
	req->max_restarts = site->max_restarts;
	req->max_bytes = site->max_bytes;
}
