/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See procs.h. Formats: proc(5), /proc/PID/stat and status.
 */
#include "core/watch/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/catalog/pool.h"
#include "wire/cleanup.h"
#include "wire/field.h"
#include "wire/text.h"

#define ENVIRON_MAX 65536 /* of a process' environment that are searched */

/* The beginning of a small file as text; its length, or -1. */
static ssize_t read_text(int dirfd, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n;
}

/* "PID (name) S PPID ..." : fields 14 to 17 are utime, stime, cutime and cstime in ticks. */
static bool parse_stat(char *text, struct ckpt_proc *ret)
{
	char *name = strchr(text, '('), *end = strrchr(text, ')');
	unsigned long long t[4];
	long tick = sysconf(_SC_CLK_TCK);
	int parent;

	if (!name || !end || end < name || tick <= 0)
		return false;
	*end = '\0';
	snprintf(ret->command, sizeof(ret->command), "%s", name + 1);
	ckpt_text_clean(ret->command);
	if (sscanf(end + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
		   &ret->state, &parent, &t[0], &t[1], &t[2], &t[3]) != 6)
		return false;
	ret->parent = (pid_t)parent;
	ret->cpu_ns = (int64_t)(t[0] + t[1] + t[2] + t[3]) * (CKPT_SECOND_NS / tick);
	return true;
}

static uint64_t status_mask(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

static bool read_proc(int piddir, struct ckpt_proc *ret)
{
	char text[4096];
	struct stat st;

	if (fstat(piddir, &st) < 0 || read_text(piddir, "stat", text, sizeof(text)) <= 0 ||
	    !parse_stat(text, ret))
		return false;
	ret->uid = st.st_uid;
	if (read_text(piddir, "status", text, sizeof(text)) > 0)
		ret->caught = status_mask(text, "\nSigCgt:") | status_mask(text, "\nSigBlk:");
	return true;
}

/* Whether the environment, NUL-separated, has the line @line. */
static bool has_line(const char *text, size_t len, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if ((size_t)(text + len - p) >= n && strcmp(p, line) == 0)
			return true;
	return false;
}

/* The first line of the environment that begins with @name, or NULL. */
static const char *line_of(const char *text, size_t len, const char *name)
{
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if (ckpt_text_starts(p, name, NULL))
			return p;
	return NULL;
}

/* What is looked for: the job, and of its task the line that tells clusters apart and the one of a
 * step that it was submitted in ("": it has none). */
struct wanted {
	const struct ckpt_procs_job *job;
	char conf[CKPT_PATH_MAX];
	char step[48];
	bool one_node;
};

/* Job numbers are those of a cluster, and a node, or a machine with nodes of several, may be of
 * more than one. */
static bool is_of_cluster(const char *text, size_t len, const struct wanted *wanted)
{
	const char *conf = line_of(text, len, "SLURM_CONF=");

	return !conf || !wanted->conf[0] || strcmp(conf, wanted->conf) == 0;
}

/* slurmstepd gives each task of a step the step's number; a job that was submitted from inside of a
 * step has that one's number for all that its script starts, and since 26.05 any job's script has
 * one: -5 (common/env.c, setup_env). */
static bool is_of_step(const char *text, size_t len, const struct wanted *wanted)
{
	const char *step = line_of(text, len, "SLURM_STEP_ID=");

	return step && strcmp(step, wanted->step) != 0;
}

static bool is_of_job(int piddir, const struct wanted *wanted, bool *ret_step)
{
	const struct ckpt_procs_job *job = wanted->job;
	_cleanup_free_ char *text = malloc(ENVIRON_MAX);
	char line[48];
	ssize_t n = text ? read_text(piddir, "environ", text, ENVIRON_MAX) : -1;

	snprintf(line, sizeof(line), "SLURM_JOB_ID=%lld", (long long)job->job_id);
	*ret_step = n > 0 && is_of_step(text, (size_t)n, wanted);
	return n > 0 && has_line(text, (size_t)n, line) && is_of_cluster(text, (size_t)n, wanted) &&
	       (!job->attempt || has_line(text, (size_t)n, job->attempt));
}

static void want(int procfd, const struct ckpt_procs_job *job, struct wanted *ret)
{
	_cleanup_free_ char *text = malloc(ENVIRON_MAX);
	const char *conf = NULL, *step = NULL;
	char name[32];
	ssize_t n;

	*ret = (struct wanted) { .job = job };
	snprintf(name, sizeof(name), "%d/environ", (int)job->task);
	n = text ? read_text(procfd, name, text, ENVIRON_MAX) : -1;
	if (n > 0) {
		conf = line_of(text, (size_t)n, "SLURM_CONF=");
		step = line_of(text, (size_t)n, "SLURM_STEP_ID=");
		ret->one_node = has_line(text, (size_t)n, "SLURM_JOB_NUM_NODES=1") &&
				!line_of(text, (size_t)n, "SLURM_HET_SIZE=");
	}
	if (conf && !ckpt_text_copy(ret->conf, sizeof(ret->conf), conf))
		ret->conf[0] = '\0';
	if (step && !ckpt_text_copy(ret->step, sizeof(ret->step), step))
		ret->step[0] = '\0';
}

static int add(int procfd, const char *name, const struct wanted *wanted, struct ckpt_procs *ret)
{
	_cleanup_close_ int piddir = openat(procfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ckpt_proc p = { 0 };
	int64_t pid = 0;

	ckpt_text_int(name, 1, INT32_MAX, &pid);
	p.pid = (pid_t)pid;
	if (piddir < 0 || !read_proc(piddir, &p) || p.uid != geteuid())
		return 0;
	p.ours = is_of_job(piddir, wanted, &p.step) || p.pid == wanted->job->task;
	if (ckpt_array_grow(&ret->p, ret->n, &ret->cap, sizeof(*ret->p)) < 0)
		return -ENOMEM;
	ret->p[ret->n++] = p;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	return (int)((const struct ckpt_proc *)a)->pid - (int)((const struct ckpt_proc *)b)->pid;
}

static struct ckpt_proc *find(const struct ckpt_procs *procs, pid_t pid)
{
	const struct ckpt_proc key = { .pid = pid };

	return procs->n ? bsearch(&key, procs->p, procs->n, sizeof(key), by_pid) : NULL;
}

/* Children of ours are ours, until no more come to it; a parent may have a higher number. */
static void adopt(struct ckpt_procs *procs)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < procs->n; i++) {
			const struct ckpt_proc *parent = find(procs, procs->p[i].parent);

			if (procs->p[i].ours || !parent || !parent->ours)
				continue;
			procs->p[i].ours = more = true;
			procs->p[i].step = parent->step;
		}
	}
}

int ckpt_procs_list(const struct ckpt_procs_job *job, struct ckpt_procs *ret)
{
	_cleanup_procs_ struct ckpt_procs all = { 0 };
	_cleanup_closedir_ DIR *dir = opendir(job->proc);
	const struct dirent *e;
	struct wanted wanted;
	int64_t pid;
	size_t n = 0;

	if (!dir)
		return -errno;
	want(dirfd(dir), job, &wanted);
	while (all.n < CKPT_PROCS_MAX && (e = readdir(dir)))
		if (ckpt_text_int(e->d_name, 1, INT32_MAX, &pid) &&
		    add(dirfd(dir), e->d_name, &wanted, &all) < 0)
			return -ENOMEM;
	if (all.n > 1)
		qsort(all.p, all.n, sizeof(*all.p), by_pid);
	adopt(&all);
	for (size_t i = 0; i < all.n; i++)
		if (all.p[i].ours)
			all.p[n++] = all.p[i];
	all.n = n;
	all.one_node = wanted.one_node;
	*ret = all;
	all = (struct ckpt_procs) { 0 };
	return 0;
}

int64_t ckpt_procs_cpu(const struct ckpt_procs *procs)
{
	int64_t sum = 0;

	for (size_t i = 0; i < procs->n; i++)
		sum += procs->p[i].cpu_ns;
	return sum;
}

bool ckpt_proc_catches(const struct ckpt_proc *p, int number)
{
	return p->caught >> (number - 1) & 1;
}

bool ckpt_proc_lives(const char *proc, pid_t pid)
{
	struct ckpt_proc p = { 0 };
	char name[64], text[1024];

	snprintf(name, sizeof(name), "%s/%d/stat", proc, (int)pid);
	return read_text(AT_FDCWD, name, text, sizeof(text)) > 0 && parse_stat(text, &p) &&
	       p.state != 'Z' && p.state != 'X';
}

const char *ckpt_proc_waits(const char *proc, pid_t pid, char *buf, size_t size)
{
	char path[128], wchan[64], call[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%d", proc, (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	read_text(fd, "wchan", wchan, sizeof(wchan));
	read_text(fd, "syscall", call, sizeof(call));
	if (fd >= 0)
		close(fd);
	call[strcspn(call, " \n")] = '\0';
	snprintf(buf, size, "%s%s%s%s%s", *wchan ? "wchan " : "", wchan,
		 *wchan && *call ? ", " : "", *call ? "syscall " : "", call);
	ckpt_text_clean(buf);
	return buf;
}

void ckpt_procs_done(struct ckpt_procs *procs)
{
	free(procs->p);
	*procs = (struct ckpt_procs) { 0 };
}
