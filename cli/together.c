/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See together.h. What counts is the file that was left first (link(2) has one winner): the lock
 * only saves the others the work, and nothing hangs on it where a file system has none, or where
 * the state directory is made by the first decision of all.
 */
#include "cli/together.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/record/lock.h"
#include "core/record/state.h"
#include "core/resolve/trail.h"

#define PREFIX "step-"
#define LOCK "step.lock"
#define NAME 160
#define WAIT_MS 200
#define PATIENCE_S 60 /* as long as NFS may remember that a name is not there */
#define STALE_S 86400 /* the files of a step of yesterday */

static bool open_state(struct ckpt_cli_together *t)
{
	for (int i = 0; t->statefd < 0 && i < t->roots->n; i++) {
		t->root = t->roots->dir[i];
		t->statefd = ckpt_state_open_in(t->root, NULL);
	}
	return t->statefd >= 0;
}

/* The file that notes which tasks have asked, a byte each. */
static int open_asked(const struct ckpt_cli_together *t, int flags)
{
	char name[NAME];

	snprintf(name, sizeof(name), "%s.asked", t->step);
	return openat(t->statefd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
}

static bool has_asked(const struct ckpt_cli_together *t)
{
	_cleanup_close_ int fd = open_asked(t, O_RDONLY);
	char mark = 0;

	return fd >= 0 && pread(fd, &mark, 1, (off_t)t->task.rank) == 1 && mark;
}

/* Whether it could be noted that this task has its decision. */
static bool note_asked(const struct ckpt_cli_together *t)
{
	_cleanup_close_ int fd = open_asked(t, O_WRONLY | O_CREAT);

	return fd >= 0 && pwrite(fd, "x", 1, (off_t)t->task.rank) == 1;
}

/* Of all that is asked for: tasks that ask for different things get different answers. */
static uint64_t hash_of(const struct ckpt_request *req)
{
	uint64_t hash = CKPT_HASH_START;

	for (size_t i = 0; i < ckpt_request_fields.n; i++) {
		const struct ckpt_field *row = &ckpt_request_fields.rows[i];
		const char *at = (const char *)req + row->offset;
		size_t n = row->type == CKPT_FIELD_INT ? sizeof(int64_t) : strlen(at) + 1;

		if (row->offset < offsetof(struct ckpt_request, repin))
			hash = ckpt_hash(hash, at, n);
	}
	return hash;
}

/* The port that srun listens at tells a step from that of an earlier job with the same number. */
void ckpt_cli_together_init(struct ckpt_cli_together *t, const struct ckpt_request *req,
			    const struct ckpt_roots *roots)
{
	const char *text = getenv("SLURM_STEP_LAUNCHER_PORT");
	int64_t port = 0;

	*t = (struct ckpt_cli_together) { .req = req, .roots = roots, .statefd = -1, .lock = -1 };
	if (req->job_id == 0 || !ckpt_cli_step_read(&t->task) || t->task.tasks < 2)
		return;
	if (text)
		ckpt_text_int(text, 0, UINT16_MAX, &port);
	snprintf(t->step, sizeof(t->step), PREFIX "%lld-%lld-%lld-%lld-%016llx",
		 (long long)req->job_id, (long long)req->attempt, (long long)t->task.id,
		 (long long)port, (unsigned long long)hash_of(req));
	t->on = !open_state(t) || !has_asked(t);
}

static void name_decision(const struct ckpt_cli_together *t, char name[NAME])
{
	snprintf(name, NAME, "%s.json", t->step);
}

static bool load(const struct ckpt_cli_together *t, struct ckpt_decision *ret)
{
	char name[NAME], path[CKPT_PATH_MAX + NAME + 16];
	struct ckpt_ctx ctx = { 0 };

	name_decision(t, name);
	snprintf(path, sizeof(path), "%s/%s/%s", t->root, CKPT_STATE_DIR, name);
	return ckpt_decision_load(&ctx, path, ret, NULL) == 0 && ret->job_id == t->req->job_id &&
	       ret->attempt == t->req->attempt;
}

/* Where that cannot be counted, the same decision comes at the next call too: still one for all. */
static bool taken(const struct ckpt_cli_together *t)
{
	note_asked(t);
	return true;
}

/* The same once it is known to be there: a network file system may not show it for a while. */
static bool load_patiently(const struct ckpt_cli_together *t, struct ckpt_decision *ret)
{
	char name[NAME];

	name_decision(t, name);
	for (int i = 0; i < PATIENCE_S * 1000 / WAIT_MS; i++) {
		if (load(t, ret))
			return true;
		if (faccessat(t->statefd, name, F_OK, 0) == 0)
			return false; /* it is there, and cannot be taken */
		poll(NULL, 0, WAIT_MS);
	}
	return false;
}

bool ckpt_cli_together_take(struct ckpt_cli_together *t, struct ckpt_decision *ret)
{
	if (!t->on || t->statefd < 0)
		return false;
	do {
		if (load(t, ret))
			return taken(t);
		t->lock = ckpt_state_lock_named(t->statefd, LOCK, WAIT_MS, NULL);
	} while (t->lock == -EAGAIN);
	return load(t, ret) && taken(t);
}

/* Files of steps that are long over. */
static void sweep(const struct ckpt_cli_together *t, time_t now)
{
	_cleanup_close_ int fd = openat(t->statefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir)
		return;
	ckpt_take_fd(&fd); /* the stream's now */
	while ((e = readdir(dir)))
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtim.tv_sec < now - STALE_S)
			unlinkat(dirfd(dir), e->d_name, 0);
}

/* Leaves @json as the step's decision. 0, -EEXIST where there is one, or an errno. */
static int leave(const struct ckpt_cli_together *t, cJSON *json)
{
	char name[NAME], mine[NAME + 24];
	struct stat st;
	int r;

	name_decision(t, name);
	snprintf(mine, sizeof(mine), "%s.%lld", name, (long long)t->task.rank);
	r = json ? ckpt_json_store(t->statefd, mine, json, NULL) : -ENOMEM;
	if (r == 0 && linkat(t->statefd, mine, t->statefd, name, 0) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST && renameat(t->statefd, mine, t->statefd, name) == 0)
		r = 0; /* a file system without links */
	unlinkat(t->statefd, mine, 0);
	if (r == 0 && fstatat(t->statefd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		sweep(t, st.st_mtim.tv_sec);
	return r;
}

bool ckpt_cli_together_give(struct ckpt_cli_together *t, struct ckpt_resolution *res)
{
	_cleanup_json_ cJSON *json = NULL;
	int r = -ENOENT;

	if (!t->on)
		return false;
	if (open_state(t)) {
		json = ckpt_resolution_json(res);
		r = leave(t, json);
	}
	if (r == -EEXIST && load_patiently(t, &res->decision))
		return taken(t);
	if (r == 0 && note_asked(t))
		return false;
	if (strcmp(res->decision.mode, "refused") != 0)
		ckpt_cli_fail(0,
			      "warning: the decision cannot be left for the step's other tasks "
			      "(%s): each of them decides for itself",
			      r < 0 ? strerror(-r) : "its count cannot be kept");
	return false;
}

void ckpt_cli_together_done(struct ckpt_cli_together *t)
{
	if (t->lock >= 0)
		close(t->lock);
	if (t->statefd >= 0)
		close(t->statefd);
	t->lock = t->statefd = -1;
}
