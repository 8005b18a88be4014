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

#include "core/catalog/pool.h"
#include "wire/cleanup.h"
#include "wire/text.h"

#define ENVIRON_MAX 65536 /* of a process' environment that are searched */
#define SECOND_NS ((int64_t)1000000000)

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
	ret->cpu_ns = (int64_t)(t[0] + t[1] + t[2] + t[3]) * (SECOND_NS / tick);
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

static bool is_of_job(int piddir, int64_t job_id)
{
	_cleanup_free_ char *text = malloc(ENVIRON_MAX);
	char line[48];
	ssize_t n = text ? read_text(piddir, "environ", text, ENVIRON_MAX) : -1;

	snprintf(line, sizeof(line), "SLURM_JOB_ID=%lld", (long long)job_id);
	return n > 0 && has_line(text, (size_t)n, line);
}

static int add(int procfd, const char *name, const struct ckpt_procs_job *job,
	       struct ckpt_procs *ret)
{
	_cleanup_close_ int piddir = openat(procfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ckpt_proc p = { 0 };
	int64_t pid = 0;

	ckpt_text_int(name, 1, INT32_MAX, &pid);
	p.pid = (pid_t)pid;
	if (piddir < 0 || !read_proc(piddir, &p) || p.uid != geteuid())
		return 0;
	p.ours = p.pid == job->task || is_of_job(piddir, job->job_id);
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
		}
	}
}

int ckpt_procs_list(const struct ckpt_procs_job *job, struct ckpt_procs *ret)
{
	_cleanup_procs_ struct ckpt_procs all = { 0 };
	_cleanup_closedir_ DIR *dir = opendir(job->proc);
	const struct dirent *e;
	int64_t pid;
	size_t n = 0;

	if (!dir)
		return -errno;
	while (all.n < CKPT_PROCS_MAX && (e = readdir(dir)))
		if (ckpt_text_int(e->d_name, 1, INT32_MAX, &pid) &&
		    add(dirfd(dir), e->d_name, job, &all) < 0)
			return -ENOMEM;
	if (all.n > 1)
		qsort(all.p, all.n, sizeof(*all.p), by_pid);
	adopt(&all);
	for (size_t i = 0; i < all.n; i++)
		if (all.p[i].ours)
			all.p[n++] = all.p[i];
	all.n = n;
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
	return (p->caught >> (number - 1) & 1) || strcmp(p->command, "srun") == 0;
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
