/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See forensics.h. The last byte is looked for from the end backwards, in what SEEK_DATA calls
 * data: a sparse file of any size costs what was written of it.
 */
#include "core/integrity/forensics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "wire/text.h"

#define BLOCK ((uint64_t)1 << 20)
#define EXTENTS 64	    /* of the last ones are kept */
#define EXTENTS_MAX 1000000 /* a second of lseek(2) */

struct extent {
	uint64_t begin, end;
};

/* The data of a file, of which the last extents are kept in a ring. */
struct map {
	struct extent last[EXTENTS];
	uint64_t n;
};

/* Lists data and holes. False where the file system does not tell, or there are too many. */
static bool map_file(const struct ckpt_file *file, struct map *map, struct ckpt_forensics *ret)
{
	uint64_t at = 0;

	while (at < file->size && map->n < EXTENTS_MAX) {
		off_t data = lseek(file->fd, (off_t)at, SEEK_DATA);
		uint64_t begin = data >= 0 ? (uint64_t)data : file->size;
		off_t hole;

		if (data < 0 && errno != ENXIO)
			return false;
		if (begin > at) {
			ret->first_hole = ret->holes ? ret->first_hole : at;
			ret->holes++;
			ret->hole_bytes += begin - at;
		}
		if (begin >= file->size)
			break;
		hole = lseek(file->fd, data, SEEK_HOLE);
		if (hole <= data)
			return false;
		at = (uint64_t)hole < file->size ? (uint64_t)hole : file->size;
		map->last[map->n++ % EXTENTS] = (struct extent) { begin, at };
	}
	return map->n < EXTENTS_MAX;
}

/* Behind the last byte in @buf that is not zero; 0 if all are. */
static size_t end_of(const uint8_t *buf, size_t len)
{
	while (len >= 4096 && ckpt_bytes_zero(buf + len - 4096, 4096))
		len -= 4096;
	while (len > 0 && buf[len - 1] == 0)
		len--;
	return len;
}

/* Reads an extent from its end. 1 found; 0 all zeros; < 0: budget (-EDQUOT) or an errno. */
static int search(const struct ckpt_file *file, struct extent e, uint64_t *left,
		  struct ckpt_forensics *ret)
{
	_cleanup_free_ uint8_t *buf = malloc(BLOCK);

	if (!buf)
		return -ENOMEM;
	while (e.end > e.begin) {
		size_t n = e.end - e.begin < BLOCK ? (size_t)(e.end - e.begin) : BLOCK, end;
		int r = *left < n ? -EDQUOT : ckpt_file_read(file, e.end - n, buf, n, NULL);

		if (r)
			return r < 0 ? r : -EAGAIN;
		*left -= n;
		end = end_of(buf, n);
		ret->data_end = e.end - n + end;
		if (end)
			return 1;
		e.end -= n;
	}
	return 0;
}

static void find_end(const struct ckpt_file *file, const struct map *map,
		     struct ckpt_forensics *ret)
{
	uint64_t left = CKPT_FORENSICS_READ, kept = map->n < EXTENTS ? map->n : EXTENTS;
	int r = 0;

	ret->data_end = file->size;
	for (uint64_t i = 0; i < kept && r == 0; i++)
		r = search(file, map->last[(map->n - 1 - i) % EXTENTS], &left, ret);
	ret->has_end = r >= 0 || r == -EDQUOT || r == -ETIMEDOUT;
	ret->end_at_most = r < 0 || (r == 0 && map->n > kept);
	if (r == 0 && map->n == kept)
		ret->data_end = 0; /* nothing but zeros */
}

static void look_at_data(const struct ckpt_file *file, struct ckpt_forensics *ret)
{
	_cleanup_free_ struct map *map = calloc(1, sizeof(*map));

	if (!map)
		return;
	if (!map_file(file, map, ret)) {
		ret->holes = ret->hole_bytes = ret->first_hole = 0;
		map->last[0] = (struct extent) { 0, file->size };
		map->n = file->size > 0;
	}
	find_end(file, map, ret);
}

/* NFS, Lustre, CIFS and SMB2, Ceph, GPFS, FUSE, 9p, AFS: statfs(2) and the systems' sources. */
static bool is_remote(int fd)
{
	static const uint32_t types[] = { 0x6969,     0x0bd00bd0, 0xff534d42,
					  0xfe534d42, 0x00c36400, 0x47504653,
					  0x65735546, 0x01021997, 0x5346414f };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((uint32_t)fs.f_type == types[i])
			return true;
	return false;
}

/* The owner's quota, where the kernel (5.14 and later) and the file system tell it. */
static void look_at_quota(int fd, uid_t owner, struct ckpt_forensics *ret)
{
#ifdef SYS_quotactl_fd
	struct dqblk q = { 0 };

	/* QCMD() shifts a signed number out of its range */
	if (syscall(SYS_quotactl_fd, fd, (unsigned)Q_GETQUOTA << SUBCMDSHIFT | USRQUOTA, owner,
		    &q) < 0)
		return;
	ret->quota_used = q.dqb_curspace;
	ret->quota_limit = (q.dqb_bhardlimit ? q.dqb_bhardlimit : q.dqb_bsoftlimit) * 1024;
	ret->has_quota = ret->quota_limit > 0;
#else
	(void)fd, (void)owner, (void)ret;
#endif
}

static void look_at_space(int fd, struct ckpt_forensics *ret)
{
	struct statvfs fs;

	ret->remote = is_remote(fd);
	if (fstatvfs(fd, &fs) < 0)
		return;
	ret->has_space = true;
	ret->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	ret->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	ret->free_inodes = fs.f_files ? fs.f_favail : UINT64_MAX;
}

int ckpt_forensics_file(struct ckpt_ctx *ctx, int dirfd, const char *name, const char *proc,
			struct ckpt_forensics *ret, struct ckpt_error *err)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	bool no_recall = ctx->no_recall;
	struct stat st;
	int r;

	ctx->no_recall = false; /* to open it recalls nothing */
	r = ckpt_file_open(ctx, dirfd, name, &file, err);
	ctx->no_recall = no_recall;
	*ret = (struct ckpt_forensics) { 0 };
	if (r)
		return r;
	if (fstat(file.fd, &st) < 0)
		return ckpt_fail(err, -errno, "cannot look at %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	ret->size = file.size;
	ret->blocks = file.id.blocks;
	ret->released = ckpt_file_released(&file);
	if (!ret->released)
		look_at_data(&file, ret);
	look_at_space(file.fd, ret);
	look_at_quota(file.fd, st.st_uid, ret);
	ret->has_writers = ckpt_writers_find(proc, st.st_dev, st.st_ino, &ret->writers) == 0;
	return 0;
}
