/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to files that anybody may have made: opened once relative to a directory descriptor, never
 * blocking on a fifo, refused unless regular, then only that descriptor is used. Reads are exact
 * and bounded by the size seen at the opening. A file may be a view: a range of a larger file (a
 * zip in a shard).
 */
#ifndef CKPT_CORE_BASE_FILE_H
#define CKPT_CORE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/ctx.h"
#include "wire/cleanup.h"
#include "wire/error.h"

/* What tells a file from another and from its own later self. The device number is information
 * only. */
struct ckpt_identity {
	uint64_t ino, size;
	int64_t mtime_ns, ctime_ns;
	uint64_t dev, blocks;
};

/* True if inode, size, mtime and ctime agree. */
bool ckpt_identity_same(const struct ckpt_identity *a, const struct ckpt_identity *b);

/* Bytes that come from elsewhere than the descriptor: an archive's decoder. */
struct ckpt_file_source {
	/* As pread(2), with -1 and errno; one thread at a time. -EDQUOT: more than it may decode.
	 */
	ssize_t (*pread)(void *arg, void *buf, size_t len, uint64_t off);
	void *arg;
};

struct ckpt_file {
	int fd;
	char *name;    /* as opened, for messages; owned */
	uint64_t base; /* where this view begins in the descriptor's file */
	uint64_t size; /* of the view */
	struct ckpt_identity id;
	struct ckpt_ctx *ctx; /* borrowed */
	/* Borrowed; NULL: the descriptor's own bytes. Else only ckpt_file_read() may read. */
	const struct ckpt_file_source *source;
	int pages;  /* enum ckpt_pages (pages.h): what is to become of those in memory */
	int direct; /* where pages is not ANY: reads past the page cache, or -1; owned */
};

#define CKPT_FILE_INIT                                                                             \
	{                                                                                          \
		.fd = -1                                                                           \
	}

enum ckpt_file_result {
	CKPT_FILE_SHORT = 1,   /* the range does not lie in the file, or the file shrank */
	CKPT_FILE_NOT_REGULAR, /* directory, fifo, socket, device */
};

/*
 * Opens @name relative to @dirfd (AT_FDCWD is allowed) for reading. Symbolic links are followed:
 * runs as the user, never as root. 0; CKPT_FILE_NOT_REGULAR; -ENOENT; -ENODATA where the context
 * says no_recall and it is released; or another errno.
 */
int ckpt_file_open(struct ckpt_ctx *ctx, int dirfd, const char *name, struct ckpt_file *ret,
		   struct ckpt_error *err);

/*
 * Whether a tape system may have released the data of @file, so that to read, map or even seek(2)
 * for data in it would bring them back. It has a size and no blocks then, on Lustre one (mdt_lib.c,
 * mdt_pack_attr2body(): for tar). Two file systems are known to have such: Lustre (lfs-hsm(1)) and
 * GPFS (Spectrum Protect and Archive, by DMAPI); an NFS server may export either. XFS lost its
 * DMAPI in Linux 2.6.36, others never had one: on all of these it is a hole. Below 64 KiB data may
 * be kept in the inode: not released.
 */
bool ckpt_file_released(const struct ckpt_file *file);

/* statfs(2)'s f_type of the file system of @file; 0 = could not be asked. */
uint32_t ckpt_file_fs_type(const struct ckpt_file *file);

/* A view of [@off, @off + @len) of @file with a descriptor of its own. 0, CKPT_FILE_SHORT or an
 * errno. */
int ckpt_file_view(const struct ckpt_file *file, uint64_t off, uint64_t len, struct ckpt_file *ret,
		   struct ckpt_error *err);

/* Closes and frees; a file that is CKPT_FILE_INIT is fine. */
void ckpt_file_done(struct ckpt_file *file);
#define _cleanup_file_ _cleanup_(ckpt_file_done)

/*
 * Reads exactly @len bytes at @off. 0; CKPT_FILE_SHORT, without touching anything beyond;
 * -ETIMEDOUT, -EDQUOT by the context; or an errno of pread. Counts into ctx->bytes_read, unless the
 * file has a source.
 */
int ckpt_file_read(const struct ckpt_file *file, uint64_t off, void *buf, size_t len,
		   struct ckpt_error *err);

/*
 * As one pread(2) of at most 2 MiB at @off, not held against the file's size: bytes read, 0 at the
 * end, or an errno; otherwise as ckpt_file_read(). For readers that know how to go on.
 */
ssize_t ckpt_file_read_some(const struct ckpt_file *file, uint64_t off, void *buf, size_t len);

/* Whether the descriptor's file still has the identity seen at the opening. 1 same, 0 changed, < 0
 * errno. */
int ckpt_file_unchanged(const struct ckpt_file *file);

/* stat(2) of @name relative to @dirfd as an identity; @follow: symbolic links. 0 or an errno. */
int ckpt_identity_at(int dirfd, const char *name, bool follow, struct ckpt_identity *ret);

/*
 * Reads a whole small file into a NUL-terminated heap buffer. 0; CKPT_FILE_NOT_REGULAR; -ENOENT;
 * -EFBIG when it is larger than @max; or an errno. The caller frees *@ret; @ret_len may be NULL.
 */
int ckpt_file_slurp(struct ckpt_ctx *ctx, int dirfd, const char *name, size_t max, char **ret,
		    size_t *ret_len, struct ckpt_error *err);

/*
 * Replaces @name in @dirfd by @len bytes of @data: temporary in the same directory, fsync, rename,
 * fsync of the directory; the temporary is removed on failure. Mode 0666 under the umask. 0 or an
 * errno.
 */
int ckpt_file_replace(int dirfd, const char *name, const void *data, size_t len,
		      struct ckpt_error *err);

/* Opens a directory for reading (following links). Returns the descriptor or an errno. */
int ckpt_dir_open(int dirfd, const char *name, struct ckpt_error *err);

/* Makes @name below @dirfd if it is missing and opens it without following a link. Descriptor or an
 * errno. */
int ckpt_dir_make(int dirfd, const char *name, struct ckpt_error *err);

/* Makes the absolute directory @path with its parents, where they are missing, and opens it.
 * Descriptor or an errno. */
int ckpt_dir_make_path(const char *path, struct ckpt_error *err);

/* True if @name exists in @dirfd (lstat). False where that could not be found out, too. */
bool ckpt_dir_has(int dirfd, const char *name);

/* True if it is proved that @dirfd has no @name: what a verdict "it is missing" may rest on. Where
 * it could not be found out, false: who goes on to open it learns why. */
bool ckpt_dir_lacks(int dirfd, const char *name);

#endif
