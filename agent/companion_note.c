/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the companion writes into the ledger of a job that is stuck, at its time limit, or given up:
 * enough for a person to see what it was doing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/companion.h"
#include "core/base/json.h"
#include "core/record/ledger.h"
#include "core/resolve/events.h"
#include "core/resolve/expand.h"
#include "core/watch/procs.h"
#include "wire/text.h"

#define PROCS_NOTED 24 /* they and the lines fit a ledger line */
#define TAIL_BYTES 2048
#define TAIL_LINES 10
#define LINE_BYTES 160

static void add_processes(const struct ckpt_companion *c, cJSON *o)
{
	const struct ckpt_procs_job job = { "/proc", c->task, c->req.job_id, NULL };
	_cleanup_procs_ struct ckpt_procs procs = { 0 };
	cJSON *list;

	if (ckpt_procs_list(&job, &procs) < 0)
		return;
	list = cJSON_AddArrayToObject(o, "processes");
	cJSON_AddNumberToObject(o, "n_processes", (double)procs.n);
	for (size_t i = 0; i < procs.n && i < PROCS_NOTED; i++) {
		const struct ckpt_proc *p = &procs.p[i];
		cJSON *one = cJSON_CreateObject();
		char waits[160];

		cJSON_AddNumberToObject(one, "pid", p->pid);
		cJSON_AddStringToObject(one, "command", p->command);
		cJSON_AddStringToObject(one, "state", (char[]) { p->state, '\0' });
		cJSON_AddNumberToObject(one, "cpu_seconds", (double)(p->cpu_ns / 10000000) / 100);
		cJSON_AddStringToObject(one, "waits",
					ckpt_proc_waits("/proc", p->pid, waits, sizeof(waits)));
		cJSON_AddItemToArray(list, one);
	}
}

/* The end of the regular file at @path into @buf of TAIL_BYTES + 1 bytes; its length or -1. */
static ssize_t read_tail(const char *path, char *buf)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	off_t from;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	n = pread(fd, buf, TAIL_BYTES, from);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

/* The last lines of the script's standard output, cleaned and cut. */
static void add_output(const struct ckpt_companion *c, cJSON *o)
{
	char path[64], buf[TAIL_BYTES + 1], line[LINE_BYTES];
	cJSON *list;
	ssize_t n;
	int lines = 0;
	char *at;

	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)c->task);
	n = read_tail(path, buf);
	if (n <= 0)
		return;
	at = buf + n - (buf[n - 1] == '\n');
	*at = '\0';
	while (at > buf && lines < TAIL_LINES)
		lines += *--at == '\n';
	list = cJSON_AddArrayToObject(o, "output");
	for (at += *at == '\n'; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		ckpt_text_clean(line);
		cJSON_AddItemToArray(list, cJSON_CreateString(line));
	}
}

static int append_all(const struct ckpt_request *req, cJSON *event)
{
	static char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	struct ckpt_roots roots = { 0 };

	if (ckpt_expand_roots(req, dirs, &roots.n, NULL) != 0)
		return -EINVAL;
	for (int i = 0; i < roots.n; i++)
		roots.dir[i] = dirs[i];
	return ckpt_event_append(&roots, event, NULL);
}

int ckpt_companion_note(const struct ckpt_companion *c, const char *event, const char *why)
{
	_cleanup_json_ cJSON *o = ckpt_event_new(&c->req, event);

	if (!o)
		return -ENOMEM;
	cJSON_AddStringToObject(o, "run", c->run);
	cJSON_AddStringToObject(o, "why", why);
	cJSON_AddStringToObject(o, "by", "companion");
	if (strcmp(event, "stall") == 0 || strcmp(event, "limit") == 0) {
		add_processes(c, o);
		add_output(c, o);
	}
	return append_all(&c->req, o);
}
