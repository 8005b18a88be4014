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

static bool writes(int piddir, DIR *fds, dev_t dev, ino_t ino)
{
	struct dirent *e;
	struct stat st;

	while ((e = readdir(fds)))
		if (e->d_name[0] != '.' && fstatat(dirfd(fds), e->d_name, &st, 0) == 0 &&
		    st.st_dev == dev && st.st_ino == ino && is_for_writing(piddir, e->d_name))
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

static void look_into(int procfd, const char *pid, dev_t dev, ino_t ino, struct ckpt_writers *ret)
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
	if (writes(piddir, fds, dev, ino))
		note(ret, piddir, pid);
}

int ckpt_writers_find(const char *proc, dev_t dev, ino_t ino, struct ckpt_writers *ret)
{
	_cleanup_closedir_ DIR *dir = opendir(proc);
	struct dirent *e;
	int64_t pid;

	*ret = (struct ckpt_writers) { 0 };
	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		if (ckpt_text_int(e->d_name, 1, INT32_MAX, &pid))
			look_into(dirfd(dir), e->d_name, dev, ino, ret);
	return 0;
}
