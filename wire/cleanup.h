/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scope-bound clean-up, after systemd: a variable marked _cleanup_free_ or _cleanup_close_ starts
 * as NULL or -1 and is released when it leaves its scope; ckpt_take_*() hands the value out.
 */
#ifndef CKPT_WIRE_CLEANUP_H
#define CKPT_WIRE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Frees what *@p (a pointer to any heap pointer) points at. */
static inline void ckpt_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closes *@fd unless negative; keeps errno. */
static inline void ckpt_cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

/* Closes the stream *@f unless NULL. */
static inline void ckpt_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Closes the directory stream *@d unless NULL. */
static inline void ckpt_cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(ckpt_cleanup_free)
#define _cleanup_close_ _cleanup_(ckpt_cleanup_close)
#define _cleanup_fclose_ _cleanup_(ckpt_cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(ckpt_cleanup_closedir)

/* Hands the heap pointer @p out of its scope and leaves NULL behind. */
#define ckpt_take_ptr(p)                                                                           \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* Hands the descriptor *@fd out of its scope and leaves -1 behind. */
static inline int ckpt_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
