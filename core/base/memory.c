/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See memory.h. Sources: mm/filemap.c (cachestat), mm/mincore.c, cgroup-v2.rst,
 * cgroup-v1/memory.rst and proc_meminfo(5).
 */
#include "core/base/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire/cleanup.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* the same on every architecture */
#endif

#define SMALL 8192			 /* enough for /proc/self/cgroup and MemAvailable */
#define MINCORE_MAX ((uint64_t)64 << 20) /* of one question: 16,384 pages */

struct range {
	uint64_t off, len;
};

struct counts {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static uint64_t pages_of(uint64_t off, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (off % page + len + page - 1) / page;
}

static enum ckpt_cached compare(uint64_t cached, uint64_t pages)
{
	if (cached == 0)
		return CKPT_CACHED_NONE;
	return cached < pages ? CKPT_CACHED_SOME : CKPT_CACHED_ALL;
}

enum ckpt_cached ckpt_cached_mincore(int fd, uint64_t off, uint64_t len)
{
	uint64_t skip = off % (uint64_t)sysconf(_SC_PAGESIZE), pages = pages_of(off, len);
	uint64_t cached = 0;
	unsigned char vec[4096];
	struct stat st;
	void *map;
	bool told;

	if (len == 0 || len > MINCORE_MAX || pages > sizeof(vec) || fstat(fd, &st) < 0 ||
	    st.st_uid != geteuid())
		return CKPT_CACHED_UNKNOWN;
	/* Never touched: a file that shrinks cannot do harm. */
	map = mmap(NULL, len + skip, PROT_READ, MAP_SHARED, fd, (off_t)(off - skip));
	if (map == MAP_FAILED)
		return CKPT_CACHED_UNKNOWN;
	told = mincore(map, len + skip, vec) == 0;
	munmap(map, len + skip);
	for (uint64_t i = 0; told && i < pages; i++)
		cached += vec[i] & 1;
	return told ? compare(cached, pages) : CKPT_CACHED_UNKNOWN;
}

enum ckpt_cached ckpt_cached(int fd, uint64_t off, uint64_t len)
{
	struct range range = { off, len };
	struct counts counts = { 0 };

	if (len == 0)
		return CKPT_CACHED_ALL;
	if (syscall(SYS_cachestat, fd, &range, &counts, 0) < 0)
		return ckpt_cached_mincore(fd, off, len);
	return compare(counts.cached, pages_of(off, len));
}

/* Reads the beginning of a small file as text. */
static bool read_small(int rootfd, const char *name, char *buf)
{
	_cleanup_close_ int fd = openat(rootfd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, SMALL - 1);

	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* The number in the file @dir/@name; UINT64_MAX where there is none ("max"). */
static uint64_t read_limit(int rootfd, const char *dir, const char *name)
{
	char path[PATH_MAX], buf[SMALL];
	unsigned long long limit;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
	    !read_small(rootfd, path, buf) || sscanf(buf, "%llu", &limit) != 1)
		return UINT64_MAX;
	return limit;
}

/* The least limit of the group at @dir and those above it, down to the @top bytes of its path. */
static uint64_t least_limit(int rootfd, char *dir, size_t top, const char *name)
{
	uint64_t least = UINT64_MAX, limit;

	for (;;) {
		char *slash;

		limit = read_limit(rootfd, dir, name);
		if (limit < least)
			least = limit;
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < top)
			return least;
		*slash = '\0';
	}
}

/* Where groups are, by the words of a line of /proc/self/cgroup. */
static const struct {
	const char *controllers, *top, *limit;
} hierarchies[] = {
	{ "::", "sys/fs/cgroup", "memory.max" },
	{ ":memory:", "sys/fs/cgroup/memory", "memory.limit_in_bytes" },
};

static uint64_t group_limit(int rootfd)
{
	uint64_t least = UINT64_MAX, limit;
	char text[SMALL], dir[PATH_MAX];

	if (!read_small(rootfd, "proc/self/cgroup", text))
		return least;
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(*hierarchies); i++) {
		const char *path = strstr(text, hierarchies[i].controllers);

		if (!path)
			continue;
		path += strlen(hierarchies[i].controllers);
		if (snprintf(dir, sizeof(dir), "%s%.*s", hierarchies[i].top,
			     (int)strcspn(path, "\n"), path) >= (int)sizeof(dir))
			continue;
		limit = least_limit(rootfd, dir, strlen(hierarchies[i].top), hierarchies[i].limit);
		if (limit < least)
			least = limit;
	}
	return least;
}

uint64_t ckpt_memory_available(int rootfd)
{
	static const char key[] = "MemAvailable:";
	unsigned long long kib = 0;
	uint64_t group = group_limit(rootfd);
	char text[SMALL];
	const char *at;

	at = read_small(rootfd, "proc/meminfo", text) ? strstr(text, key) : NULL;
	if (!at || sscanf(at + strlen(key), "%llu", &kib) != 1 || kib > UINT64_MAX / 1024)
		return group == UINT64_MAX ? 0 : group;
	return kib * 1024 < group ? kib * 1024 : group;
}
