/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lease.h. Every lease that is written has the same length, so that any later state of it goes
 * over it in one write within one page.
 */
#include "core/record/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/base/temporary.h"
#include "core/record/backup.h"
#include "wire/text.h"

#define VERSION 1
#define HELD "held"
#define RELEASED "released"
/* Bytes of a lease, padded: all its members at their longest have about 800. */
#define LEASE_SIZE 1024

struct row {
	const char *key;
	size_t offset;
	size_t size; /* of a word; 0: an int64_t */
};

#define TEXT(member)                                                                               \
	{                                                                                          \
#member, offsetof(struct ckpt_lease, member),                                      \
			sizeof(((struct ckpt_lease *)0)->member)                                   \
	}
#define INT(member)                                                                                \
	{                                                                                          \
#member, offsetof(struct ckpt_lease, member), 0                                    \
	}

static const struct row rows[] = {
	TEXT(run),  TEXT(cluster),	INT(job_id), INT(attempt), TEXT(host),
	TEXT(boot), INT(pid_namespace), INT(pid),    INT(started), INT(counter),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* The lease as text of LEASE_SIZE bytes. 0, or -EINVAL where a word is none. */
static int render(const struct ckpt_lease *lease, char buf[LEASE_SIZE])
{
	size_t at = (size_t)snprintf(buf, LEASE_SIZE, "{\n\t\"version\": %d", VERSION);

	for (size_t i = 0; i < N_ROWS; i++) {
		const char *member = (const char *)lease + rows[i].offset;
		int64_t n;

		if (rows[i].size && *member && !ckpt_text_is_word(member))
			return -EINVAL;
		if (rows[i].size) {
			at += (size_t)snprintf(buf + at, LEASE_SIZE - at, ",\n\t\"%s\": \"%s\"",
					       rows[i].key, member);
			continue;
		}
		memcpy(&n, member, sizeof(n));
		at += (size_t)snprintf(buf + at, LEASE_SIZE - at, ",\n\t\"%s\": %20" PRId64,
				       rows[i].key, n);
	}
	at += (size_t)snprintf(buf + at, LEASE_SIZE - at, ",\n\t\"state\": %10s\n}",
			       lease->released ? "\"" RELEASED "\"" : "\"" HELD "\"");
	memset(buf + at, ' ', LEASE_SIZE - at);
	buf[LEASE_SIZE - 1] = '\n';
	return 0;
}

static bool parse_row(const struct row *row, const cJSON *document, struct ckpt_lease *lease)
{
	char *member = (char *)lease + row->offset;
	const char *text;
	int64_t n;

	if (row->size == 0) {
		if (!ckpt_json_int(document, row->key, &n) || n < 0)
			return false;
		memcpy(member, &n, sizeof(n));
		return true;
	}
	text = ckpt_json_text(document, row->key);
	return text && (!*text || ckpt_text_is_word(text)) &&
	       ckpt_text_copy(member, row->size, text);
}

static int parse(const char *text, size_t len, struct ckpt_lease *ret, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *document = NULL;
	int r = ckpt_json_parse(text, len, &document, err);
	const char *state = r == 0 ? ckpt_json_text(document, "state") : NULL;
	struct ckpt_lease lease = { 0 };
	int64_t version;

	if (r < 0)
		return r;
	if (!state || !ckpt_json_int(document, "version", &version) || version != VERSION ||
	    (strcmp(state, HELD) != 0 && strcmp(state, RELEASED) != 0))
		return CKPT_STATE_TORN;
	for (size_t i = 0; i < N_ROWS; i++)
		if (!parse_row(&rows[i], document, &lease))
			return CKPT_STATE_TORN;
	lease.released = strcmp(state, RELEASED) == 0;
	*ret = lease;
	return 0;
}

/* Opens the lease @name by @flags and reads it through that descriptor, which is *@ret_fd then. As
 * ckpt_lease_load(); *@ret_fd may be NULL, and is left alone where there is no whole lease. */
static int open_lease(int statefd, const char *name, int flags, int *ret_fd, struct ckpt_lease *ret)
{
	_cleanup_close_ int fd =
		openat(statefd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	char text[CKPT_LEASE_MAX + 1];
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 && errno == ENOENT)
		return CKPT_STATE_ABSENT;
	if (fd < 0) /* a link; for writing: a directory, a FIFO that nobody reads, a socket */
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ? CKPT_STATE_TORN
									   : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > CKPT_LEASE_MAX)
		return CKPT_STATE_TORN;
	n = pread(fd, text, CKPT_LEASE_MAX, 0);
	if (n < 0)
		return -errno;
	r = parse(text, (size_t)n, ret, NULL);
	if (r != 0)
		return r;
	ret->owner = st.st_uid;
	if (ret_fd)
		*ret_fd = ckpt_take_fd(&fd);
	return 0;
}

int ckpt_lease_load(int statefd, struct ckpt_lease *ret, struct ckpt_error *err)
{
	int r = open_lease(statefd, CKPT_LEASE, O_RDONLY, NULL, ret);

	if (r == CKPT_STATE_TORN) /* its holder may be writing over it: a second look */
		r = open_lease(statefd, CKPT_LEASE, O_RDONLY, NULL, ret);
	if (r == CKPT_STATE_TORN)
		return ckpt_fail(err, r, "%s/%s is no lease that this version can read",
				 CKPT_STATE_DIR, CKPT_LEASE);
	if (r < 0)
		return ckpt_fail(err, r, "cannot read %s/%s: %s", CKPT_STATE_DIR, CKPT_LEASE,
				 strerror(-r));
	return r;
}

enum ckpt_lease_relation ckpt_lease_relation(const struct ckpt_lease *ours,
					     const struct ckpt_lease *other)
{
	if (ours->job_id != other->job_id || strcmp(ours->cluster, other->cluster) != 0 ||
	    (ours->run[0] && other->run[0] && strcmp(ours->run, other->run) != 0))
		return CKPT_LEASE_FOREIGN;
	if (ours->attempt == other->attempt)
		return CKPT_LEASE_SAME;
	return other->attempt < ours->attempt ? CKPT_LEASE_EARLIER : CKPT_LEASE_LATER;
}

/* Only its owner may write it, whatever the umask: what is written there can end his job. */
#define LEASE_MODE 0644

/* Writes @lease over a file of the same length. 0, CKPT_LEASE_CHANGED or an errno. */
static int write_over(int fd, const struct ckpt_lease *lease)
{
	char text[LEASE_SIZE];
	int r = render(lease, text);
	struct stat st;
	ssize_t n;

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != LEASE_SIZE)
		return CKPT_LEASE_CHANGED; /* not as we write it */
	n = pwrite(fd, text, LEASE_SIZE, 0);
	if (n < 0)
		return -errno;
	return n == LEASE_SIZE ? 0 : -EIO;
}

/* Opens the file for a change in place where it is of the attempt of @lease. */
static int open_ours(int statefd, const struct ckpt_lease *lease, struct ckpt_lease *ret)
{
	int fd = -1, r = open_lease(statefd, CKPT_LEASE, O_RDWR, &fd, ret);

	if (r != 0)
		return r < 0 ? r : -ENOENT;
	if (ckpt_lease_relation(lease, ret) == CKPT_LEASE_SAME)
		return fd;
	close(fd);
	return -ENOENT;
}

/* Puts @mine into our own attempt's file that lies there: 0, CKPT_LEASE_CHANGED or an errno. */
static int put_over(int statefd, struct ckpt_lease *mine)
{
	struct ckpt_lease seen = { 0 };
	_cleanup_close_ int fd = open_ours(statefd, mine, &seen);
	int r = fd < 0 ? fd : write_over(fd, mine);

	if (r == 0)
		mine->owner = seen.owner;
	return r;
}

/* Writes the temporary @name and leaves its owner in @lease. 0 or an errno. */
static int fill(int statefd, const char *name, struct ckpt_lease *lease)
{
	_cleanup_close_ int fd = openat(
		statefd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LEASE_MODE);
	char text[LEASE_SIZE];
	int r = render(lease, text);
	struct stat st;
	ssize_t n;

	if (fd < 0 || r < 0)
		return r < 0 ? r : -errno;
	n = write(fd, text, LEASE_SIZE);
	if (n < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (n != LEASE_SIZE)
		return -ENOSPC;
	lease->owner = st.st_uid;
	/* what the server of a network file system says comes here */
	return close(ckpt_take_fd(&fd)) < 0 ? -errno : 0;
}

/* Gives the file @from the name of the lease where nothing has it. 0, CKPT_LEASE_CHANGED or an
 * errno; @from may be left as a second name. */
static int publish(int statefd, const char *from)
{
	int r = linkat(statefd, from, statefd, CKPT_LEASE, 0) < 0 ? -errno : 0;

	/* a file system without links; with protected_hardlinks, somebody else's file */
	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS)
		r = ckpt_rename_new(statefd, from, statefd, CKPT_LEASE);
	return r == -EEXIST ? CKPT_LEASE_CHANGED : r;
}

/* Both say the same, of the same process at the same count. */
static bool is_equal(const struct ckpt_lease *a, const struct ckpt_lease *b)
{
	char ta[LEASE_SIZE], tb[LEASE_SIZE];

	return render(a, ta) == 0 && render(b, tb) == 0 && memcmp(ta, tb, LEASE_SIZE) == 0;
}

/* True if what loading @name answers is still @found, with the lease @seen. */
static bool is_still(int statefd, const char *name, int found, const struct ckpt_lease *seen)
{
	struct ckpt_lease now;

	return open_lease(statefd, name, O_RDONLY, NULL, &now) == found &&
	       (found != 0 || is_equal(&now, seen));
}

/*
 * Puts a lease back that was moved by mistake. Who has come into the gap makes way for it as long
 * as he is about to look again: the one that was moved does so no more.
 */
static void put_back(int statefd, const char *aside)
{
	struct ckpt_lease moved, there;
	enum ckpt_lease_relation relation;
	int r = publish(statefd, aside);

	if (r == CKPT_LEASE_CHANGED && open_lease(statefd, aside, O_RDONLY, NULL, &moved) == 0 &&
	    !moved.released && ckpt_lease_load(statefd, &there, NULL) == 0 && there.pid == 0) {
		relation = ckpt_lease_relation(&moved, &there);
		if (relation == CKPT_LEASE_FOREIGN || relation == CKPT_LEASE_EARLIER)
			renameat(statefd, aside, statefd, CKPT_LEASE);
	}
	if (r >= 0)
		unlinkat(statefd, aside, 0);
}

/* Moves out of the way what was judged, and nothing else. 0, CKPT_LEASE_CHANGED or an errno. */
static int set_aside(int statefd, int found, const struct ckpt_lease *seen)
{
	char aside[CKPT_TEMPORARY_NAME];
	int r = ckpt_temporary_name("lease.aside", aside);

	if (r < 0)
		return r;
	if (!is_still(statefd, CKPT_LEASE, found, seen))
		return CKPT_LEASE_CHANGED;
	/* that there is none is also said by a server of its second answer */
	if (renameat(statefd, CKPT_LEASE, statefd, aside) < 0 && errno != ENOENT)
		return -errno;
	if (is_still(statefd, aside, found, seen) && unlinkat(statefd, aside, 0) == 0)
		return 0;
	put_back(statefd, aside);
	return CKPT_LEASE_CHANGED;
}

static int put_anew(int statefd, int found, const struct ckpt_lease *seen, struct ckpt_lease *mine)
{
	char name[CKPT_TEMPORARY_NAME];
	int r = ckpt_temporary_name(CKPT_LEASE, name);

	if (r < 0)
		return r;
	r = fill(statefd, name, mine);
	if (r == 0 && found != CKPT_STATE_ABSENT)
		r = set_aside(statefd, found, seen);
	if (r == 0)
		r = publish(statefd, name);
	if (r != -EEXIST) /* then the temporary is another's */
		unlinkat(statefd, name, 0);
	return r;
}

int ckpt_lease_take(int statefd, int found, const struct ckpt_lease *seen, struct ckpt_lease *mine)
{
	struct ckpt_lease there;
	int r = -ENOENT;

	if (found == 0 && ckpt_lease_relation(mine, seen) == CKPT_LEASE_SAME)
		r = put_over(statefd, mine);
	if (r != 0)
		r = put_anew(statefd, found, seen, mine);
	/* who lies there has it, whatever was answered: a network may lose one and ask again */
	if (ckpt_lease_load(statefd, &there, NULL) == 0 && is_equal(&there, mine))
		return 0;
	return r < 0 ? r : CKPT_LEASE_CHANGED;
}

static bool is_same_process(const struct ckpt_lease *a, const struct ckpt_lease *b)
{
	return a->pid == b->pid && a->started == b->started &&
	       a->pid_namespace == b->pid_namespace && strcmp(a->boot, b->boot) == 0;
}

int ckpt_lease_renew(int statefd, const struct ckpt_lease *lease, struct ckpt_error *err)
{
	struct ckpt_lease seen = { 0 };
	_cleanup_close_ int fd = open_ours(statefd, lease, &seen);
	int r;

	if (fd == -ENOENT || (fd >= 0 && !is_same_process(lease, &seen)))
		return CKPT_LEASE_CHANGED;
	r = fd < 0 ? fd : write_over(fd, lease);
	return r < 0 ? ckpt_fail(err, r, "cannot renew %s/%s: %s", CKPT_STATE_DIR, CKPT_LEASE,
				 strerror(-r))
		     : r;
}

int ckpt_lease_release(int statefd, const struct ckpt_lease *lease, struct ckpt_error *err)
{
	struct ckpt_lease seen = { 0 };
	_cleanup_close_ int fd = open_ours(statefd, lease, &seen);
	int r;

	if (fd == -ENOENT)
		return CKPT_LEASE_CHANGED;
	seen.released = true;
	r = fd < 0 ? fd : write_over(fd, &seen);
	return r < 0 ? ckpt_fail(err, r, "cannot release %s/%s: %s", CKPT_STATE_DIR, CKPT_LEASE,
				 strerror(-r))
		     : r;
}
