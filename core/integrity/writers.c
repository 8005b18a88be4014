/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See writers.h.
 */
#include "core/integrity/writers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/text.h"

/* The beginning of the small file @name as text; empty where it cannot be read. */
static void read_text(int dirfd, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
}

/* fdinfo/N has a line "flags:\t0100001" in octal. */
static bool is_for_writing(int piddir, const char *number)
{
	char name[300], text[512];
	const char *flags;

	snprintf(name, sizeof(name), "fdinfo/%s", number);
	read_text(piddir, name, text, sizeof(text));
	flags = strstr(text, "flags:");
	return flags && (strtoul(flags + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
}

/* Files that are looked for; sorted by inode. */
struct wanted {
	struct one {
		dev_t dev;
		ino_t ino;
	} * v;
	size_t n;
};

static int by_inode(const void *a, const void *b)
{
	const struct one *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev == y->dev ? 0 : x->dev < y->dev ? -1 : 1;
}

static bool is_wanted(const struct wanted *wanted, const struct stat *st)
{
	const struct one key = { st->st_dev, st->st_ino };

	return S_ISREG(st->st_mode) &&
	       bsearch(&key, wanted->v, wanted->n, sizeof(key), by_inode) != NULL;
}

static bool writes(int piddir, DIR *fds, const struct wanted *wanted)
{
	struct dirent *e;
	struct stat st;

	while ((e = readdir(fds)))
		if (e->d_name[0] != '.' && fstatat(dirfd(fds), e->d_name, &st, 0) == 0 &&
		    is_wanted(wanted, &st) && is_for_writing(piddir, e->d_name))
			return true;
	return false;
}

static void note(struct ckpt_writers *ret, int piddir, const char *pid)
{
	struct ckpt_writer *w;
	int64_t number = 0;

	if (ret->n++ >= CKPT_WRITERS)
		return;
	w = &ret->list[ret->n - 1];
	ckpt_text_int(pid, 0, INT32_MAX, &number);
	w->pid = (pid_t)number;
	read_text(piddir, "comm", w->command, sizeof(w->command));
	w->command[strcspn(w->command, "\n")] = '\0';
	ckpt_text_clean(w->command);
}

static void look_into(int procfd, const char *pid, const struct wanted *wanted,
		      struct ckpt_writers *ret)
{
	_cleanup_close_ int piddir = openat(procfd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *fds = NULL;
	int fd;

	if (piddir < 0)
		return; /* it has ended */
	fd = openat(piddir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = fd >= 0 ? fdopendir(fd) : NULL;
	if (!fds) {
		ret->unseen += errno != ENOENT && errno != ESRCH;
		if (fd >= 0)
			close(fd);
		return;
	}
	if (writes(piddir, fds, wanted))
		note(ret, piddir, pid);
}

static int look_through(const char *proc, const struct wanted *wanted, struct ckpt_writers *ret)
{
	_cleanup_closedir_ DIR *dir = opendir(proc);
	struct dirent *e;
	int64_t pid;

	*ret = (struct ckpt_writers) { 0 };
	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		if (ckpt_text_int(e->d_name, 1, INT32_MAX, &pid))
			look_into(dirfd(dir), e->d_name, wanted, ret);
	return 0;
}

int ckpt_writers_find(const char *proc, dev_t dev, ino_t ino, struct ckpt_writers *ret)
{
	struct one one = { dev, ino };
	const struct wanted wanted = { &one, 1 };

	return look_through(proc, &wanted, ret);
}

int ckpt_writers_of(const char *proc, const struct ckpt_files *files, pid_t *ret_pid)
{
	_cleanup_free_ struct one *v = calloc(files->n + 1, sizeof(*v));
	const struct wanted wanted = { v, files->n };
	struct ckpt_writers found;
	int r;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < files->n; i++)
		v[i] = (struct one) { (dev_t)files->f[i].id.dev, (ino_t)files->f[i].id.ino };
	qsort(v, files->n, sizeof(*v), by_inode);
	r = look_through(proc, &wanted, &found);
	if (r < 0 || found.n == 0)
		return r;
	*ret_pid = found.list[0].pid;
	return 1;
}
