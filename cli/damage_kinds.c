/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of kinds and what all of them use. See damage.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/damage.h"
#include "wire/text.h"

const struct ckpt_damage_kind ckpt_damage_kinds[] = {
	{ "truncate", "cut at --offset, or somewhere", ckpt_damage_truncate, false, false },
	{ "bit", "one bit flipped, in the byte at --offset", ckpt_damage_bit, false, false },
	{ "zero-page", "a block of zeros", ckpt_damage_zero_page, false, false },
	{ "hole", "a block never written: a hole that reads as zeros", ckpt_damage_hole, false,
	  false },
	{ "swap-pages", "two blocks changed places", ckpt_damage_swap, false, false },
	{ "duplicate-block", "a block written over the next one", ckpt_damage_duplicate, false,
	  false },
	{ "insert-block", "a block twice, the rest moved on", ckpt_damage_insert, false, false },
	{ "trailing", "junk appended", ckpt_damage_trailing, false, false },
	{ "zero-tail", "zeros from --offset to the end", ckpt_damage_zero_tail, false, false },
	{ "clock", "another time, the same bytes: no damage", ckpt_damage_clock, false, false },
	{ "rename", "a file still under its temporary name", ckpt_damage_rename, true, false },
	{ "missing-member", "a file of a set removed", ckpt_damage_missing, true, false },
	{ "extra-member", "a further file of the next number", ckpt_damage_extra, true, false },
	{ "stale-member", "a file of a set from the save --from", ckpt_damage_stale, true, true },
	{ "mixed", "as that, of equal size; one file: its first part", ckpt_damage_mixed, true,
	  true },
	{ NULL, NULL, NULL, false, false },
};

/* splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
uint64_t ckpt_damage_random(struct ckpt_damage *d, uint64_t below)
{
	uint64_t z = d->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	z ^= z >> 31;
	return below > 1 ? z % below : 0;
}

/* The whole key, or its last parts. */
static bool is_named(const struct ckpt_damage_member *m, const char *name)
{
	size_t len = strlen(m->path), n = strlen(name);

	if (strcmp(m->key, name) == 0)
		return true;
	return len > n && m->path[len - n - 1] == '/' && strcmp(m->path + len - n, name) == 0;
}

int ckpt_damage_choose(struct ckpt_damage *d, bool with_bytes, struct ckpt_error *err)
{
	size_t start = (size_t)ckpt_damage_random(d, d->tree->n);

	for (size_t i = 0; i < d->tree->n; i++) {
		const struct ckpt_damage_member *m = &d->tree->members[(start + i) % d->tree->n];

		if (d->member ? !is_named(m, d->member) : with_bytes && m->size == 0)
			continue;
		d->at = m;
		return 0;
	}
	if (d->member)
		return ckpt_fail(err, -ENOENT, "%s has no member %s", CKPT_QUOTE(d->tree->path),
				 CKPT_QUOTE(d->member));
	return ckpt_fail(err, -ENODATA, "%s holds no bytes", CKPT_QUOTE(d->tree->path));
}

int ckpt_damage_open(const struct ckpt_damage *d, struct ckpt_error *err)
{
	int fd = open(d->at->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		int r = ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(d->at->path), strerror(errno));

		return fd < 0 ? r : (close(fd), r);
	}
	if (st.st_ino == d->at->ino && st.st_dev == d->at->dev && st.st_nlink == 1)
		return fd;
	close(fd);
	return ckpt_fail(err, -EPERM, "%s became another file meanwhile", CKPT_QUOTE(d->at->path));
}

int ckpt_damage_read(int fd, uint64_t off, void *buf, size_t len, struct ckpt_error *err)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(fd, (char *)buf + at, len - at, (off_t)(off + at));

		if (n == 0 || (n < 0 && errno != EINTR))
			return ckpt_fail(err, n < 0 ? -errno : -EIO, "reading: %s",
					 n < 0 ? strerror(errno) : "shorter than it was");
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int ckpt_damage_write(int fd, uint64_t off, const void *buf, size_t len, struct ckpt_error *err)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pwrite(fd, (const char *)buf + at, len - at, (off_t)(off + at));

		if (n < 0 && errno != EINTR)
			return ckpt_fail(err, -errno, "writing: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
