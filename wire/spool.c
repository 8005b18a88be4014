/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See spool.h. A job's directory holds at most three files: `attempt` (which attempt, which boot),
 * `decision` and `status`. It lies in /run and is believed for one boot only, so nothing is synced.
 */
#include "wire/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/field.h"
#include "wire/frame.h"
#include "wire/text.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define SWEEP_MAX 64	/* a prolog must not pay for a year of leftovers */
#define SWEEP_LOOK 4096 /* entries looked at in one sweep */

/* Of which attempt, of which boot: what `attempt` and `status` begin with. */
struct stamp {
	int64_t attempt;
	char boot[40];
	int64_t status, refused; /* of the batch task; `status` alone */
};

#define ROW(member, type, max)                                                                     \
	{                                                                                          \
#member, NULL, #member, CKPT_FIELD_##type, offsetof(struct stamp, member),         \
			sizeof(((struct stamp *)0)->member), 0, max, NULL                          \
	}

static const struct ckpt_field stamp_rows[] = {
	ROW(attempt, INT, UINT32_MAX),
	ROW(boot, WORD, 0),
	ROW(status, INT, UINT32_MAX),
	ROW(refused, INT, 1),
};

static const struct ckpt_fields stamp_fields = { stamp_rows, 4 };

static const char *const file_names[] = { "attempt",	 "decision",	 "status",    "started",
					  "attempt.new", "decision.new", "status.new" };
#define FILE_NAMES_N (sizeof(file_names) / sizeof(file_names[0]))

static int read_boot_id(char *buf, size_t size)
{
	_cleanup_close_ int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return ckpt_text_is_word(buf) ? 0 : -EBADMSG;
}

/* Ours alone: of the euid, and no other can write into it. */
static int check_owned(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() || (st.st_mode & 022))
		return -EBADMSG;
	return 0;
}

/* Opens @name in @at as a directory of ours, made where @make says so. A descriptor or an errno. */
static int open_dir(int at, const char *name, bool make)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (make && mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EBADMSG : -errno;
	r = check_owned(fd, S_IFDIR);
	return r < 0 ? r : ckpt_take_fd(&fd);
}

/* Opens SPOOL/CLUSTER/NODENAME. */
static int open_node(const struct ckpt_spool_key *key, bool make, struct ckpt_error *err)
{
	_cleanup_close_ int root = -1, cluster = -1;
	int r;

	if (!ckpt_text_is_word(key->cluster) || !ckpt_text_is_word(key->node) || key->job_id <= 0)
		return ckpt_fail(err, -EINVAL, "no spool for cluster %s, node %s, job %" PRId64,
				 CKPT_QUOTE(key->cluster), CKPT_QUOTE(key->node), key->job_id);
	r = root = open_dir(AT_FDCWD, key->root, make);
	if (r >= 0)
		r = cluster = open_dir(root, key->cluster, make);
	if (r >= 0)
		r = open_dir(cluster, key->node, make);
	if (r < 0)
		return ckpt_fail(err, r, "spool %s of node %s: %s", CKPT_QUOTE(key->root),
				 key->node, strerror(-r));
	return r;
}

static int open_job(const struct ckpt_spool_key *key, bool make, struct ckpt_error *err)
{
	_cleanup_close_ int node = open_node(key, make, err);
	char name[24];
	int fd;

	if (node < 0)
		return node;
	snprintf(name, sizeof(name), "%" PRId64, key->job_id);
	fd = open_dir(node, name, make);
	if (fd < 0)
		return ckpt_fail(err, fd, "spool of job %s: %s", name, strerror(-fd));
	return fd;
}

static int empty_dir(int dir)
{
	for (size_t i = 0; i < FILE_NAMES_N; i++)
		if (unlinkat(dir, file_names[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

static int write_temporary(int dir, const char *name, const char *buf, size_t len)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, buf, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

/* Replaces @name in @dir by the wire form of @object, whole or not at all. */
static int put_file(int dir, const char *name, const struct ckpt_fields *fields, const void *object)
{
	_cleanup_free_ char *buf = malloc(CKPT_FRAME_MAX);
	char temporary[32];
	long len;
	int r;

	if (!buf)
		return -ENOMEM;
	len = ckpt_fields_encode(fields, object, buf, CKPT_FRAME_MAX);
	if (len < 0)
		return (int)len;
	snprintf(temporary, sizeof(temporary), "%s.new", name);
	r = write_temporary(dir, temporary, buf, (size_t)len);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, temporary, 0);
	return r;
}

/* Reads the whole of @fd, at most @size bytes. Its length, or -EBADMSG for a larger one. */
static long read_whole(int fd, char *buf, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t n = read(fd, buf + at, size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (long)at;
		at += (size_t)n;
	}
	return -EBADMSG;
}

/* Fills @object (zeroed) from @name in @dir. 0, -ENOENT, -EBADMSG, or an errno. */
static int get_file(int dir, const char *name, const struct ckpt_fields *fields, void *object)
{
	_cleanup_free_ char *buf = malloc(CKPT_FRAME_MAX);
	_cleanup_close_ int fd = -1;
	long len;
	int r;

	if (!buf)
		return -ENOMEM;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	r = check_owned(fd, S_IFREG);
	if (r < 0)
		return r;
	len = read_whole(fd, buf, CKPT_FRAME_MAX);
	if (len < 0)
		return (int)len;
	return ckpt_fields_decode(fields, object, buf, (size_t)len, NULL) < 0 ? -EBADMSG : 0;
}

static int put_stamp(int dir, const char *name, struct stamp *s)
{
	int r = read_boot_id(s->boot, sizeof(s->boot));

	return r < 0 ? r : put_file(dir, name, &stamp_fields, s);
}

static int begin_in(int dir, int64_t attempt)
{
	struct stamp s = { .attempt = attempt };
	int r = empty_dir(dir);

	return r < 0 ? r : put_stamp(dir, "attempt", &s);
}

int ckpt_spool_begin(const struct ckpt_spool_key *key, int64_t attempt, struct ckpt_error *err)
{
	_cleanup_close_ int dir = open_job(key, true, err);
	int r;

	if (dir < 0)
		return dir;
	r = begin_in(dir, attempt);
	if (r < 0)
		return ckpt_fail(err, r, "writing the spool of job %" PRId64 ": %s", key->job_id,
				 strerror(-r));
	return 0;
}

int ckpt_spool_put_decision(const struct ckpt_spool_key *key, const struct ckpt_decision *d,
			    struct ckpt_error *err)
{
	_cleanup_close_ int dir = open_job(key, false, err);
	int r;

	if (dir < 0)
		return dir;
	r = put_file(dir, "decision", &ckpt_decision_fields, d);
	if (r < 0)
		return ckpt_fail(err, r, "writing the decision of job %" PRId64 ": %s", key->job_id,
				 strerror(-r));
	return 0;
}

int ckpt_spool_put_started(const struct ckpt_spool_key *key, struct ckpt_error *err)
{
	_cleanup_close_ int dir = open_job(key, false, err), fd = -1;

	if (dir < 0)
		return dir;
	fd = openat(dir, "started", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? ckpt_fail(err, -errno, "writing the spool of job %" PRId64 ": %s",
				  key->job_id, strerror(errno))
		      : 0;
}

/* True if @dir was begun for @attempt since this host booted. */
static bool is_begun(int dir, int64_t attempt)
{
	struct stamp s = { 0 };
	char boot[sizeof(s.boot)];

	return get_file(dir, "attempt", &stamp_fields, &s) == 0 &&
	       read_boot_id(boot, sizeof(boot)) == 0 && strcmp(s.boot, boot) == 0 &&
	       s.attempt == attempt;
}

int ckpt_spool_put_status(const struct ckpt_spool_key *key, int64_t attempt, int64_t status,
			  bool refused, struct ckpt_error *err)
{
	struct stamp s = { .attempt = attempt, .status = status, .refused = refused };
	_cleanup_close_ int dir = open_job(key, true, err);
	int r;

	if (dir < 0)
		return dir;
	r = is_begun(dir, attempt) ? 0 : begin_in(dir, attempt);
	if (r == 0)
		r = put_stamp(dir, "status", &s);
	if (r < 0)
		return ckpt_fail(err, r, "writing the status of job %" PRId64 ": %s", key->job_id,
				 strerror(-r));
	return 0;
}

/* Takes the decision over where it belongs to this job and attempt. */
static int read_decision(int dir, int64_t job_id, struct ckpt_spool_state *state,
			 struct ckpt_decision *ret)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = get_file(dir, "decision", &ckpt_decision_fields, d);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (d->job_id != job_id || d->attempt != state->attempt || ckpt_decision_check(d, NULL) < 0)
		return 0;
	state->has_decision = true;
	if (ret)
		*ret = *d;
	return 0;
}

static int read_status(int dir, const char *boot, struct ckpt_spool_state *state)
{
	struct stamp s = { 0 };
	int r = get_file(dir, "status", &stamp_fields, &s);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (s.attempt != state->attempt || strcmp(s.boot, boot) != 0)
		return 0;
	state->has_status = true;
	state->batch_status = s.status;
	state->refused = s.refused != 0;
	return 0;
}

/* All files of @dir; what an earlier boot left is not even looked at. */
static int read_dir(int dir, int64_t job_id, struct ckpt_spool_state *state,
		    struct ckpt_decision *d)
{
	struct stamp s = { 0 };
	char boot[sizeof(s.boot)];
	int r = get_file(dir, "attempt", &stamp_fields, &s);

	if (r == 0)
		r = read_boot_id(boot, sizeof(boot));
	if (r < 0)
		return r;
	state->attempt = s.attempt;
	state->this_boot = strcmp(s.boot, boot) == 0;
	if (!state->this_boot)
		return 0;
	state->started = faccessat(dir, "started", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	r = read_decision(dir, job_id, state, d);
	return r < 0 ? r : read_status(dir, boot, state);
}

int ckpt_spool_read(const struct ckpt_spool_key *key, struct ckpt_spool_state *ret,
		    struct ckpt_decision *d, struct ckpt_error *err)
{
	_cleanup_close_ int dir = open_job(key, false, err);
	struct ckpt_spool_state state = { 0 };
	int r;

	if (dir < 0)
		return dir;
	r = read_dir(dir, key->job_id, &state, d);
	if (r < 0)
		return ckpt_fail(err, r, "reading the spool of job %" PRId64 ": %s", key->job_id,
				 strerror(-r));
	*ret = state;
	return 0;
}

static int remove_job(int node, const char *name)
{
	_cleanup_close_ int dir = open_dir(node, name, false);
	int r;

	if (dir < 0)
		return dir;
	r = empty_dir(dir);
	if (r == 0 && unlinkat(node, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

int ckpt_spool_remove(const struct ckpt_spool_key *key, struct ckpt_error *err)
{
	_cleanup_close_ int node = open_node(key, false, err);
	char name[24];
	int r;

	if (node < 0)
		return node == -ENOENT ? 0 : node;
	snprintf(name, sizeof(name), "%" PRId64, key->job_id);
	r = remove_job(node, name);
	if (r < 0 && r != -ENOENT)
		return ckpt_fail(err, r, "removing the spool of job %s: %s", name, strerror(-r));
	return 0;
}

static bool is_older(int node, const char *name, int64_t age_s)
{
	struct stat st;

	return fstatat(node, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (int64_t)time(NULL) - (int64_t)st.st_mtime > age_s;
}

void ckpt_spool_sweep(const struct ckpt_spool_key *key, int64_t age_s)
{
	_cleanup_close_ int fd = open_node(key, false, NULL);
	_cleanup_closedir_ DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int removed = 0, looked = 0;
	struct dirent *e;

	if (!d)
		return;
	ckpt_take_fd(&fd); /* the stream's now */
	while (removed < SWEEP_MAX && looked++ < SWEEP_LOOK && (e = readdir(d)) != NULL) {
		int64_t job;

		if (!ckpt_text_int(e->d_name, 1, INT64_MAX, &job) || job == key->job_id)
			continue;
		if (is_older(dirfd(d), e->d_name, age_s) && remove_job(dirfd(d), e->d_name) == 0)
			removed++;
	}
}
