/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See plain.h.
 */
#include "core/integrity/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

static int digest_all(struct ckpt_ctx *ctx, int rootfd, struct ckpt_plain *plain,
		      struct ckpt_error *err)
{
	size_t n = plain->files.n;
	_cleanup_free_ struct ckpt_digest_file *files = calloc(n + 1, sizeof(*files));
	const struct ckpt_digest_job job = { .ctx = ctx, .dirfd = rootfd, .files = files, .n = n };
	struct ckpt_digest_bad bad;
	int r;

	plain->digests = calloc(n + 1, sizeof(*plain->digests));
	if (!files || !plain->digests)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	for (size_t i = 0; i < n; i++)
		files[i] = (struct ckpt_digest_file) { plain->files.f[i].name, plain->files.f[i].id,
						       &plain->digests[i] };
	r = ckpt_digest_run(&job, &bad, err);
	return r > 0 ? ckpt_fail(err, CKPT_DIGEST_CHANGED, "%s changed while it was read",
				 CKPT_QUOTE(files[bad.file].name))
		     : r;
}

int ckpt_plain_make(struct ckpt_ctx *ctx, const struct ckpt_set *set, struct ckpt_plain *ret,
		    struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, err);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, err);
	_cleanup_plain_ struct ckpt_plain plain = { 0 };
	int r;

	if (rootfd < 0)
		return rootfd;
	r = ckpt_files_list(rootfd, set, &plain.files, err);
	if (r == CKPT_FILES_UNBOUNDED)
		return -E2BIG;
	if (r == 0)
		r = digest_all(ctx, rootfd, &plain, err);
	if (r != 0)
		return r;
	*ret = plain;
	plain = (struct ckpt_plain) { 0 };
	return 0;
}

void ckpt_plain_done(struct ckpt_plain *plain)
{
	ckpt_files_done(&plain->files);
	free(plain->digests);
	plain->digests = NULL;
}

/* The letter after the backslash that stands for @c, or 0. */
static char escape_of(char c)
{
	return c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\\' ? '\\' : 0;
}

char *ckpt_plain_line(const struct ckpt_digest *digest, const char *path)
{
	char *line = malloc(CKPT_DIGEST_HEX + 2 * strlen(path) + 4), *at = line;

	if (!line)
		return NULL;
	if (strpbrk(path, "\n\r\\"))
		*at++ = '\\';
	ckpt_digest_text(at, digest);
	at += CKPT_DIGEST_HEX - 1;
	*at++ = ' ';
	*at++ = ' ';
	for (; *path; path++) {
		char escape = escape_of(*path);

		if (escape)
			*at++ = '\\';
		*at++ = escape ? escape : *path;
	}
	*at = '\0';
	return line;
}
