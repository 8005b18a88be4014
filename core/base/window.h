/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A range of a file read from front to back through a small window, for formats whose headers lie
 * between data that nobody asked for: what is stepped over is not read.
 */
#ifndef CKPT_CORE_BASE_WINDOW_H
#define CKPT_CORE_BASE_WINDOW_H

#include "core/base/file.h"

#define CKPT_WINDOW_SHORT 1 /* the range has fewer bytes */

/* What is read next: [at, end) of the file, which the caller has compared with its size. */
struct ckpt_window {
	const struct ckpt_file *file; /* borrowed */
	struct ckpt_error *err;
	uint64_t at, end;
	uint64_t off; /* what buf holds of the file */
	uint32_t len;
	uint8_t buf[4096];
};

/* Reads [@off, @off + @len) from now on. */
void ckpt_window_range(struct ckpt_window *in, uint64_t off, uint64_t len);

/* Steps over @len bytes. 0 or CKPT_WINDOW_SHORT. */
int ckpt_window_skip(struct ckpt_window *in, uint64_t len);

/* The next @len bytes to @dst. 0, CKPT_WINDOW_SHORT or an errno. */
int ckpt_window_take(struct ckpt_window *in, void *dst, size_t len);

/* The next @len bytes (at most 4096), not stepped over, at *@ret until the next call. As above. */
int ckpt_window_peek(struct ckpt_window *in, size_t len, const uint8_t **ret);

#endif
