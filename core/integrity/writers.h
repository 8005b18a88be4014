/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes of this host have a file open for writing. Processes of other users and of other
 * hosts (NFS, Lustre) are not seen: none found is no proof that there is none.
 */
#ifndef CKPT_CORE_INTEGRITY_WRITERS_H
#define CKPT_CORE_INTEGRITY_WRITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/integrity/files.h"
#include "wire/error.h"

#define CKPT_WRITERS 4 /* that are named */

struct ckpt_writer {
	pid_t pid;
	char command[32]; /* as the kernel has it; cleaned */
};

struct ckpt_writers {
	int n; /* found; of these, the first CKPT_WRITERS in list[] */
	struct ckpt_writer list[CKPT_WRITERS];
	size_t unseen; /* processes that may not be looked into */
};

/*
 * Looks through @proc ("/proc"; tests have another) for descriptors open for writing on the file
 * @ino of device @dev. A process that ends meanwhile has nothing open. 0, or an errno where @proc
 * itself cannot be read: nothing is known then.
 */
int ckpt_writers_find(const char *proc, dev_t dev, ino_t ino, struct ckpt_writers *ret);

/*
 * Whether any process that may be looked into has one of @files open for writing; in one pass. 1
 * with *@ret_pid, 0, or an errno.
 */
int ckpt_writers_of(const char *proc, const struct ckpt_files *files, pid_t *ret_pid);

#endif
