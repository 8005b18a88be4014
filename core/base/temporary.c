/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See temporary.h.
 */
#include "core/base/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "wire/cleanup.h"

#define NAME_CUT 200 /* of the name in the temporary's name, which must stay below NAME_MAX */
#define MARK ".ckpt-"
#define ENDING "%08x-%d-%04x.tmp"
#define DAY_NS ((int64_t)24 * 3600 * 1000000000)
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PID_NAMESPACE "/proc/self/ns/pid"

/* What a temporary's name says of its writer. */
struct writer {
	unsigned int where;
	int pid;
};

static void mix(uint32_t *hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ p[i]) * 16777619u; /* FNV-1a */
}

/* A number for this boot of this machine and this process namespace; 0 where it cannot be had. */
static unsigned int here(void)
{
	_cleanup_close_ int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	uint32_t hash = 2166136261u;
	char boot[36];
	struct stat st;

	if (fd < 0 || read(fd, boot, sizeof(boot)) != (ssize_t)sizeof(boot) ||
	    stat(PID_NAMESPACE, &st) < 0)
		return 0;
	mix(&hash, boot, sizeof(boot));
	mix(&hash, &st.st_ino, sizeof(st.st_ino));
	return hash;
}

int ckpt_temporary_name(const char *name, char ret[CKPT_TEMPORARY_NAME])
{
	uint16_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return -errno;
	snprintf(ret, CKPT_TEMPORARY_NAME, ".%.*s" MARK ENDING, NAME_CUT, name, here(),
		 (int)getpid(), salt);
	return 0;
}

/* True if @name is a temporary's, to the letter. */
static bool parse(const char *name, struct writer *ret)
{
	char again[CKPT_TEMPORARY_NAME];
	const char *at = NULL;
	unsigned int salt;

	for (const char *p = strstr(name, MARK); p; p = strstr(p + 1, MARK))
		at = p;
	if (name[0] != '.' || !at || sscanf(at, MARK ENDING, &ret->where, &ret->pid, &salt) != 3)
		return false;
	snprintf(again, sizeof(again), MARK ENDING, ret->where, ret->pid, salt);
	return ret->pid > 0 && strcmp(at, again) == 0;
}

static bool is_gone(const struct writer *writer, unsigned int where, int64_t age_ns)
{
	if (where != 0 && writer->where == where)
		return kill(writer->pid, 0) < 0 && errno == ESRCH;
	return age_ns > DAY_NS;
}

/* Whether @name is what a writer of this user left, who is gone. */
static bool is_left(int dirfd, const char *name, unsigned int where, int64_t now_ns)
{
	struct writer writer;
	struct stat st;

	return parse(name, &writer) && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       is_gone(&writer, where, now_ns - ckpt_clock_ns(st.st_mtim));
}

int ckpt_temporary_sweep(int dirfd, const char *fresh)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), removed = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	unsigned int where = here();
	const struct dirent *entry;
	struct stat now;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir || fstatat(dirfd, fresh, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	while ((entry = readdir(dir)))
		if (is_left(dirfd, entry->d_name, where, ckpt_clock_ns(now.st_mtim)) &&
		    unlinkat(dirfd, entry->d_name, 0) == 0)
			removed++;
	return removed;
}
