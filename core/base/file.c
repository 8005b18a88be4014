/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See file.h. A name is stat'ed before it is opened, because opening a device can already do
 * something, and again through the descriptor, because the name may have changed hands in between.
 */
#include "core/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/base/clock.h"
#include "core/base/pages.h"
#include "wire/field.h"
#include "wire/text.h"

/* Most that is read between two looks at the clock. */
#define READ_CHUNK ((size_t)2 * 1024 * 1024)

/* Below this size a file without blocks may just be stored inside its inode. */
#define RELEASED_MIN 65536
#define RELEASED_BLOCKS 1 /* at most, of 512 bytes */

bool ckpt_identity_same(const struct ckpt_identity *a, const struct ckpt_identity *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

static struct ckpt_identity identity_of(const struct stat *st)
{
	return (struct ckpt_identity) {
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = ckpt_clock_ns(st->st_mtim),
		.ctime_ns = ckpt_clock_ns(st->st_ctim),
		.dev = st->st_dev,
		.blocks = (uint64_t)st->st_blocks,
	};
}

static int fail_errno(struct ckpt_error *err, int code, const char *what, const char *name)
{
	return ckpt_fail(err, -code, "cannot %s %s: %s", what, CKPT_QUOTE(name), strerror(code));
}

static int not_regular(struct ckpt_error *err, const char *name)
{
	return ckpt_fail(err, CKPT_FILE_NOT_REGULAR, "%s is not a regular file", CKPT_QUOTE(name));
}

uint32_t ckpt_file_fs_type(const struct ckpt_file *file)
{
	const struct ckpt_seam *seam = file->ctx ? file->ctx->seam : NULL;
	struct statfs fs;

	if (seam && seam->fs_type)
		return seam->fs_type(seam->arg, file->fd);
	return fstatfs(file->fd, &fs) == 0 ? (uint32_t)fs.f_type : 0;
}

bool ckpt_file_released(const struct ckpt_file *file)
{
	static const struct {
		uint32_t type;
		uint64_t blocks; /* of 512 bytes that a released file has at most */
	} tapes[] = {
		{ 0x0bd00bd0, 1 }, /* Lustre */
		{ 0x47504653, 0 }, /* GPFS */
		{ 0x6969, 0 },	   /* NFS: what its server keeps is not to be seen */
		{ 0, 1 },	   /* could not be asked */
	};
	uint32_t type;

	if (file->id.blocks > RELEASED_BLOCKS || file->id.size < RELEASED_MIN)
		return false;
	type = ckpt_file_fs_type(file);
	for (size_t i = 0; i < sizeof(tapes) / sizeof(tapes[0]); i++)
		if (tapes[i].type == type)
			return file->id.blocks <= tapes[i].blocks;
	return false;
}

int ckpt_file_open(struct ckpt_ctx *ctx, int dirfd, const char *name, struct ckpt_file *ret,
		   struct ckpt_error *err)
{
	_cleanup_close_ int fd = -1;
	struct ckpt_file file;
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return fail_errno(err, errno, "look up", name);
	if (!S_ISREG(st.st_mode))
		return not_regular(err, name);
	fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_errno(err, errno, "open", name);
	if (fstat(fd, &st) < 0)
		return fail_errno(err, errno, "look up", name);
	if (!S_ISREG(st.st_mode))
		return not_regular(err, name);
	file = (struct ckpt_file) {
		.fd = fd, .size = (uint64_t)st.st_size, .id = identity_of(&st), .ctx = ctx
	};
	if (ctx && ctx->seam && ctx->seam->blocks)
		file.id.blocks = ctx->seam->blocks(ctx->seam->arg, fd);
	if (ctx && ctx->no_recall && ckpt_file_released(&file))
		return ckpt_fail(err, -ENODATA,
				 "%s is released to tape, or was never written: not read unasked",
				 CKPT_QUOTE(name));
	file.name = strdup(name);
	if (!file.name)
		return fail_errno(err, ENOMEM, "open", name);
	ckpt_take_fd(&fd);
	*ret = file;
	ckpt_pages_open(ret);
	return 0;
}

static bool in_file(const struct ckpt_file *file, uint64_t off, uint64_t len)
{
	return off <= file->size && len <= file->size - off;
}

static int short_file(const struct ckpt_file *file, uint64_t off, struct ckpt_error *err)
{
	return ckpt_fail(err, CKPT_FILE_SHORT, "%s ends before byte %llu", CKPT_QUOTE(file->name),
			 (unsigned long long)off);
}

int ckpt_file_view(const struct ckpt_file *file, uint64_t off, uint64_t len, struct ckpt_file *ret,
		   struct ckpt_error *err)
{
	_cleanup_close_ int fd = -1;
	char *copy;

	if (!in_file(file, off, len))
		return short_file(file, off, err);
	fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail_errno(err, errno, "open a part of", file->name);
	copy = strdup(file->name);
	if (!copy)
		return fail_errno(err, ENOMEM, "open a part of", file->name);
	*ret = *file;
	ret->fd = ckpt_take_fd(&fd);
	ret->name = copy;
	ret->base = file->base + off; /* cannot overflow: it lies in the file */
	ret->size = len;
	ckpt_pages_share(ret);
	return 0;
}

void ckpt_file_done(struct ckpt_file *file)
{
	ckpt_pages_close(file);
	ckpt_cleanup_close(&file->fd);
	free(file->name);
	*file = (struct ckpt_file)CKPT_FILE_INIT;
}

static ssize_t do_pread(const struct ckpt_file *file, void *buf, size_t len, uint64_t off)
{
	if (file->source)
		return file->source->pread(file->source->arg, buf, len, file->base + off);
	return ckpt_pages_pread(file, buf, len, file->base + off);
}

ssize_t ckpt_file_read_some(const struct ckpt_file *file, uint64_t off, void *buf, size_t len)
{
	int r = ckpt_ctx_expired(file->ctx);
	ssize_t n;

	if (r < 0)
		return r;
	do {
		n = do_pread(file, buf, len < READ_CHUNK ? len : READ_CHUNK, off);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (file->ctx && !file->source)
		file->ctx->bytes_read += (uint64_t)n;
	return n;
}

static int fail_read(const struct ckpt_file *file, int code, uint64_t off, struct ckpt_error *err)
{
	if (code == -ETIMEDOUT || code == -EDQUOT)
		return ckpt_fail(err, code, "the %s for reading %s is used up",
				 code == -ETIMEDOUT ? "time" : "allowance of bytes",
				 CKPT_QUOTE(file->name));
	return ckpt_fail(err, code, "cannot read %s at byte %llu: %s", CKPT_QUOTE(file->name),
			 (unsigned long long)off, strerror(-code));
}

int ckpt_file_read(const struct ckpt_file *file, uint64_t off, void *buf, size_t len,
		   struct ckpt_error *err)
{
	char *at = buf;

	if (!in_file(file, off, len))
		return short_file(file, off, err);
	while (len > 0) {
		ssize_t n = ckpt_file_read_some(file, off, at, len);

		if (n < 0)
			return fail_read(file, (int)n, off, err);
		if (n == 0)
			return short_file(file, off, err);
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int ckpt_file_unchanged(const struct ckpt_file *file)
{
	struct ckpt_identity now;
	struct stat st;

	if (fstat(file->fd, &st) < 0)
		return -errno;
	now = identity_of(&st);
	return ckpt_identity_same(&now, &file->id);
}

int ckpt_identity_at(int dirfd, const char *name, bool follow, struct ckpt_identity *ret)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = identity_of(&st);
	return 0;
}

int ckpt_file_slurp(struct ckpt_ctx *ctx, int dirfd, const char *name, size_t max, char **ret,
		    size_t *ret_len, struct ckpt_error *err)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	_cleanup_free_ char *buf = NULL;
	int r = ckpt_file_open(ctx, dirfd, name, &file, err);

	if (r != 0)
		return r;
	if (file.size > max)
		return ckpt_fail(err, -EFBIG, "%s has %llu bytes, more than the %zu allowed",
				 CKPT_QUOTE(name), (unsigned long long)file.size, max);
	buf = malloc(file.size + 1);
	if (!buf)
		return fail_errno(err, ENOMEM, "read", name);
	r = ckpt_file_read(&file, 0, buf, file.size, err);
	if (r == CKPT_FILE_SHORT)
		return ckpt_fail(err, -EAGAIN, "%s shrank while it was read", CKPT_QUOTE(name));
	if (r != 0)
		return r;
	buf[file.size] = '\0';
	if (ret_len)
		*ret_len = file.size;
	*ret = ckpt_take_ptr(buf);
	return 0;
}

int ckpt_dir_make_path(const char *path, struct ckpt_error *err)
{
	char part[CKPT_PATH_MAX];

	for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		size_t len = slash ? (size_t)(slash - path) : strlen(path);

		if (len >= sizeof(part))
			return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(path));
		memcpy(part, path, len);
		part[len] = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST && !slash)
			return ckpt_fail(err, -errno, "cannot make the directory %s: %s",
					 CKPT_QUOTE(part), strerror(errno));
		if (!slash)
			return ckpt_dir_open(AT_FDCWD, path, err);
	}
}
