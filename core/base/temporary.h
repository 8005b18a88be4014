/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the temporaries that whole-file replacement writes: .NAME.ckpt-WHERE-PID-SALT.tmp, in
 * which WHERE stands for the boot and the process namespace. They are hidden, so no catalog takes
 * them for checkpoints, and say whose they are, so those left by a writer that was killed can be
 * removed.
 */
#ifndef CKPT_CORE_BASE_TEMPORARY_H
#define CKPT_CORE_BASE_TEMPORARY_H

#define CKPT_TEMPORARY_NAME 256 /* bytes, with the NUL */

/* A name for a temporary of the calling process that is to become @name; a long one is cut. 0 or an
 * errno. */
int ckpt_temporary_name(const char *name, char ret[CKPT_TEMPORARY_NAME]);

/*
 * Removes from @dirfd the temporaries of this user whose writer is gone: no process of this boot
 * and namespace has its number any more, or, of another one, the file is a day older than @fresh, a
 * file that was just written there (so that no clock is compared with another). What cannot be
 * found out stays. Returns how many were removed.
 */
int ckpt_temporary_sweep(int dirfd, const char *fresh);

#endif
