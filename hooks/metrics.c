/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See metrics.h.
 */
#include "hooks/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "wire/cleanup.h"
#include "wire/decision.h"
#include "wire/frame.h"
#include "wire/text.h"

#define FILE_MAX (128 * 1024)
#define LABEL 32
#define VALUE_MAX ((int64_t)1 << 53) /* thousandths; a double holds it */
#define PAUSE_NS 5000000
#define END_LINE "# end"

enum metric { ATTEMPTS, ENDS, LOST, REJECTED, VERIFYING };

static const struct row {
	const char *name, *help, *labels[2];
} rows[] = {
	[ATTEMPTS] = { "ckpt_resume_attempts_total",
		       "Attempts that ended here, by the mode they had started in.",
		       { "mode" } },
	[ENDS] = { "ckpt_resume_ends_total", "Ends of attempts by cause.", { "cause" } },
	[LOST] = { "ckpt_resume_lost_seconds_total",
		   "Seconds of work, about, that ends of a cause left to be done again.",
		   { "cause" } },
	[REJECTED] = { "ckpt_resume_rejected_checkpoints_total",
		       "Newer checkpoints that an attempt's start or end found not valid.",
		       { "format", "problem" } },
	[VERIFYING] = { "ckpt_resume_verification_seconds_total",
			"Seconds that checks at starts and ends of attempts took.",
			{ NULL } },
};
#define ROWS_N (sizeof(rows) / sizeof(rows[0]))

struct series {
	size_t metric;
	char label[2][LABEL];
	int64_t thousandths;
};

struct table {
	struct series series[CKPT_METRICS_SERIES];
	size_t n;
};

static bool is_label(const char *text, size_t len)
{
	return len > 0 && len < LABEL &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

/* Adds to a series; a new one beyond the cap is left out. */
static void add(struct table *t, const struct series *s)
{
	struct series *found = t->series;

	while (found < t->series + t->n &&
	       (found->metric != s->metric || strcmp(found->label[0], s->label[0]) != 0 ||
		strcmp(found->label[1], s->label[1]) != 0))
		found++;
	if (found == t->series + CKPT_METRICS_SERIES)
		return;
	if (found == t->series + t->n) {
		*found = *s;
		t->n++;
	} else if (s->thousandths <= VALUE_MAX - found->thousandths) {
		found->thousandths += s->thousandths;
	}
}

static void count(struct table *t, enum metric metric, const char *label, int64_t thousandths)
{
	struct series s = { .metric = metric, .thousandths = thousandths };

	if (rows[metric].labels[0] && !is_label(label, strlen(label)))
		return;
	if (thousandths < 0 || thousandths > VALUE_MAX)
		return;
	snprintf(s.label[0], sizeof(s.label[0]), "%s", label);
	add(t, &s);
}

/* "format/problem,..." */
static void count_rejected(struct table *t, const char *list)
{
	while (*list) {
		struct series s = { .metric = REJECTED, .thousandths = 1000 };
		size_t len = strcspn(list, ","), format = strcspn(list, "/,");

		if (format < len && is_label(list, format) &&
		    is_label(list + format + 1, len - format - 1)) {
			memcpy(s.label[0], list, format);
			memcpy(s.label[1], list + format + 1, len - format - 1);
			add(t, &s);
		}
		list += len + (list[len] == ',');
	}
}

/* Reads `NAME="VALUE"` of a label at *@p. */
static bool take_label(const char **p, const char *name, char *ret)
{
	size_t len;

	if (!ckpt_text_starts(*p, name, p) || !ckpt_text_starts(*p, "=\"", p))
		return false;
	len = strcspn(*p, "\"");
	if ((*p)[len] != '"' || !is_label(*p, len))
		return false;
	memcpy(ret, *p, len);
	ret[len] = '\0';
	*p += len + 1;
	return true;
}

static bool take_value(const char *p, int64_t *ret)
{
	char whole[24];
	int64_t part = 0;
	size_t len = strcspn(p, ".");

	if (len >= sizeof(whole) || (p[len] && strlen(p + len + 1) != 3))
		return false;
	memcpy(whole, p, len);
	whole[len] = '\0';
	if (!ckpt_text_int(whole, 0, VALUE_MAX / 1000 - 1, ret))
		return false;
	for (const char *digit = p[len] ? p + len + 1 : ""; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return false;
		part = part * 10 + (*digit - '0');
	}
	*ret = *ret * 1000 + part;
	return true;
}

static bool take_labels(const char **p, const struct row *row, struct series *s)
{
	if (!row->labels[0])
		return true;
	return ckpt_text_starts(*p, "{", p) && take_label(p, row->labels[0], s->label[0]) &&
	       (!row->labels[1] ||
		(ckpt_text_starts(*p, ",", p) && take_label(p, row->labels[1], s->label[1]))) &&
	       ckpt_text_starts(*p, "}", p);
}

/* One of our own lines; false for anything else. */
static bool take_line(struct table *t, const char *line)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		struct series s = { .metric = i };
		const char *p;

		if (!ckpt_text_starts(line, rows[i].name, &p))
			continue;
		if (!take_labels(&p, &rows[i], &s) || !ckpt_text_starts(p, " ", &p) ||
		    !take_value(p, &s.thousandths) || t->n == CKPT_METRICS_SERIES)
			return false;
		add(t, &s);
		return true;
	}
	return false;
}

/* The file as it was written, to its end; false: the counters begin anew. */
static bool parse(struct table *t, char *text)
{
	bool whole = false;

	for (char *line = text, *next; *line; line = next) {
		char *end = strchr(line, '\n');

		if (!end || whole)
			return false;
		*end = '\0';
		next = end + 1;
		whole = strcmp(line, END_LINE) == 0;
		if (*line != '#' && !take_line(t, line))
			return false;
	}
	return whole;
}

static void read_back(int dir, const char *name, struct table *t)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = calloc(1, FILE_MAX + 1);
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && text && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == geteuid() && st.st_size <= FILE_MAX)
		n = pread(fd, text, FILE_MAX, 0);
	if (n < 0 || n != st.st_size || strlen(text) != (size_t)n || !parse(t, text))
		t->n = 0;
}

static void print_series(FILE *f, const struct series *s)
{
	const struct row *row = &rows[s->metric];

	fputs(row->name, f);
	if (row->labels[0])
		fprintf(f, "{%s=\"%s\"", row->labels[0], s->label[0]);
	if (row->labels[1])
		fprintf(f, ",%s=\"%s\"", row->labels[1], s->label[1]);
	fprintf(f, "%s %" PRId64, row->labels[0] ? "}" : "", s->thousandths / 1000);
	if (s->thousandths % 1000)
		fprintf(f, ".%03d", (int)(s->thousandths % 1000));
	fputc('\n', f);
}

static void print(FILE *f, const struct table *t)
{
	for (size_t i = 0; i < ROWS_N; i++) {
		fprintf(f, "# HELP %s %s\n# TYPE %s counter\n", rows[i].name, rows[i].help,
			rows[i].name);
		for (size_t k = 0; k < t->n; k++)
			if (t->series[k].metric == i)
				print_series(f, &t->series[k]);
	}
	fputs(END_LINE "\n", f);
}

static int write_temporary(int dir, const char *name, const struct table *t)
{
	_cleanup_close_ int fd = -1;
	_cleanup_fclose_ FILE *f = NULL;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return -errno;
	f = fdopen(fd, "we");
	if (!f)
		return -errno;
	ckpt_take_fd(&fd);
	print(f, t);
	if (fflush(f) != 0 || ferror(f))
		return errno ? -errno : -EIO;
	return fsync(fileno(f)) < 0 ? -errno : 0;
}

static int replace(int dir, const char *name, const struct table *t)
{
	char temporary[256];
	int r, n = snprintf(temporary, sizeof(temporary), "%s.new", name);

	if (n >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	r = write_temporary(dir, temporary, t);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temporary, 0);
	return r;
}

/* The directory of @path, ours alone, and *@ret_name in it. A descriptor or an errno. */
static int open_dir(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_close_ int fd = -1;
	char dir[CKPT_PATH_MAX];
	struct stat st;

	if (!slash || slash == path || !slash[1] || (size_t)(slash - path) >= sizeof(dir))
		return -EINVAL;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return -EPERM;
	*ret_name = slash + 1;
	return ckpt_take_fd(&fd);
}

/* The lock goes with its descriptor, and so with its holder. */
static int lock(int dir, const char *name)
{
	const struct timespec pause = { 0, PAUSE_NS };
	int64_t until = ckpt_frame_now_ns() + CKPT_METRICS_LOCK_NS;
	_cleanup_close_ int fd = -1;
	char file[256];

	if (snprintf(file, sizeof(file), "%s.lock", name) >= (int)sizeof(file))
		return -ENAMETOOLONG;
	fd = openat(dir, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (ckpt_frame_now_ns() > until)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return ckpt_take_fd(&fd);
}

int ckpt_metrics_count(const char *path, const struct ckpt_metrics_end *end, struct ckpt_error *err)
{
	const char *name = NULL;
	_cleanup_close_ int dir = open_dir(path, &name), held = dir < 0 ? dir : lock(dir, name);
	_cleanup_free_ struct table *t = calloc(1, sizeof(*t));
	int r = held;

	if (r >= 0 && !t)
		r = -ENOMEM;
	if (r >= 0) {
		read_back(dir, name, t);
		count(t, ATTEMPTS, end->mode, 1000);
		count(t, ENDS, end->cause, 1000);
		count(t, LOST, end->cause,
		      end->lost_s > VALUE_MAX / 1000 ? -1 : 1000 * end->lost_s);
		count(t, VERIFYING, "", end->verify_ms);
		for (size_t i = 0; i < sizeof(end->rejected) / sizeof(*end->rejected); i++)
			count_rejected(t, end->rejected[i] ? end->rejected[i] : "");
		r = replace(dir, name, t);
	}
	if (r < 0)
		return ckpt_fail(err, r, "MetricsFile %s: %s", CKPT_QUOTE(path), strerror(-r));
	return 0;
}
