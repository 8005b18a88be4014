/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See notify.h. Writes are not asked for, only their ends: a log that grows in the run directory
 * must not wake anybody.
 */
#include "core/watch/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/catalog/pool.h"
#include "wire/cleanup.h"
#include "wire/field.h"

#define EVENTS                                                                                     \
	(IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define READS_MAX 16 /* of 4 KiB in one go; what is left comes with the next */

/* File systems that several hosts share; linux/magic.h has some of the numbers, the others come
 * from the file systems' own sources (Lustre lustre_user.h, GPFS, BeeGFS, OrangeFS, OCFS2, GFS2).
 */
static const uint32_t shared[] = {
	NFS_SUPER_MAGIC,
	SMB_SUPER_MAGIC,
	0xff534d42 /* cifs */,
	0xfe534d42 /* smb2 */,
	V9FS_MAGIC,
	AFS_SUPER_MAGIC,
	AFS_FS_MAGIC,
	CEPH_SUPER_MAGIC,
	CODA_SUPER_MAGIC,
	0x0bd00bd0 /* Lustre */,
	0x47504653 /* GPFS */,
	0x19830326 /* BeeGFS */,
	0x20030528 /* OrangeFS */,
	0x7461636f /* OCFS2 */,
	0x01161970 /* GFS2 */,
	0x65735546 /* FUSE: whoever it is */,
	0xaad7aaea /* PanFS */,
};

bool ckpt_notify_is_shared(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return true;
	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		if ((uint32_t)st.f_type == shared[i])
			return true;
	return false;
}

void ckpt_notify_init(struct ckpt_notify *notify)
{
	*notify = (struct ckpt_notify) { .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
	notify->blind = notify->fd < 0;
}

static bool is_watched(const struct ckpt_notify *notify, const char *dir)
{
	for (size_t i = 0; i < notify->n; i++)
		if (strcmp(notify->v[i].dir, dir) == 0)
			return true;
	return false;
}

/* True once the kernel tells of @dir. */
static bool watch(struct ckpt_notify *notify, const char *dir)
{
	char *copy;
	int wd;

	if (notify->n == CKPT_NOTIFY_MAX ||
	    ckpt_array_grow(&notify->v, notify->n, &notify->cap, sizeof(*notify->v)) < 0)
		return false;
	copy = strdup(dir);
	wd = copy ? inotify_add_watch(notify->fd, dir, EVENTS) : -1;
	if (wd < 0) {
		free(copy);
		return false;
	}
	notify->v[notify->n++] = (struct ckpt_notified) { .wd = wd, .dir = copy };
	return true;
}

void ckpt_notify_add(struct ckpt_notify *notify, const char *dir)
{
	_cleanup_close_ int fd = -1;

	if (notify->fd < 0 || is_watched(notify, dir))
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || ckpt_notify_is_shared(fd) || !watch(notify, dir))
		notify->blind = true;
}

void ckpt_notify_follow(struct ckpt_notify *notify, const struct ckpt_catalog *cat)
{
	char path[CKPT_PATH_MAX];

	for (size_t i = 0; i < cat->n_runs; i++)
		ckpt_notify_add(notify, cat->runs[i].dir);
	for (size_t i = 0; i < cat->n_sets && notify->n < CKPT_NOTIFY_MAX; i++)
		if (cat->sets[i].kind == CKPT_KIND_DIRECTORY &&
		    snprintf(path, sizeof(path), "%s/%s", cat->sets[i].dir, cat->sets[i].name) <
			    (int)sizeof(path))
			ckpt_notify_add(notify, path);
}

static void forget(struct ckpt_notify *notify, int wd)
{
	for (size_t i = 0; i < notify->n; i++) {
		if (notify->v[i].wd != wd)
			continue;
		free(notify->v[i].dir);
		notify->v[i] = notify->v[--notify->n];
		return;
	}
}

static void take(struct ckpt_notify *notify, const struct inotify_event *e)
{
	char path[CKPT_PATH_MAX];

	if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		inotify_rm_watch(notify->fd, e->wd);
	if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED))
		forget(notify, e->wd);
	if (!(e->mask & IN_ISDIR) || !(e->mask & (IN_CREATE | IN_MOVED_TO)) || e->len == 0 ||
	    e->name[0] == '.')
		return;
	for (size_t i = 0; i < notify->n; i++) {
		if (notify->v[i].wd != e->wd)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", notify->v[i].dir, e->name) <
		    (int)sizeof(path))
			ckpt_notify_add(notify, path);
		return;
	}
}

bool ckpt_notify_drain(struct ckpt_notify *notify)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;

	for (int i = 0; notify->fd >= 0 && i < READS_MAX; i++) {
		ssize_t n = read(notify->fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		any = true;
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(void *)p;

			p += sizeof(*e) + e->len;
			take(notify, e);
		}
	}
	return any;
}

void ckpt_notify_done(struct ckpt_notify *notify)
{
	for (size_t i = 0; i < notify->n; i++)
		free(notify->v[i].dir);
	free(notify->v);
	if (notify->fd >= 0)
		close(notify->fd);
	*notify = (struct ckpt_notify) { .fd = -1 };
}
