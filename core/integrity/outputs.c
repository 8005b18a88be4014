/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See outputs.h. The digest of a directory is that of a list: of each file, in the order of their
 * names, the digest, the length of the name and the name.
 */
#include "core/integrity/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/text.h"
#include "core/integrity/digest.h"
#include "core/integrity/files.h"

/* The digests of @n files below @dirfd into @digests. 0, CHANGED or an errno. */
static int digest_files(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_files *files,
			struct ckpt_digest *digests, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_digest_file *list = calloc(files->n + 1, sizeof(*list));
	struct ckpt_digest_job job = { .ctx = ctx, .dirfd = dirfd, .files = list, .n = files->n };
	struct ckpt_digest_bad bad;
	int r;

	if (!list)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	for (size_t i = 0; i < files->n; i++)
		list[i] = (struct ckpt_digest_file) { .name = files->f[i].name,
						      .id = files->f[i].id,
						      .digests = &digests[i] };
	r = files->n ? ckpt_digest_run(&job, &bad, err) : 0;
	if (r > 0)
		return ckpt_fail(err, CKPT_OUTPUT_CHANGED, "%s changes while it is read",
				 CKPT_QUOTE(files->f[bad.file].name));
	return r;
}

/* The digest of the list of @files. 0 or an errno. */
static int digest_list(const struct ckpt_files *files, const struct ckpt_digest *digests,
		       struct ckpt_digest *ret, struct ckpt_error *err)
{
	_cleanup_str_ struct ckpt_str list = { 0 };
	char hex[CKPT_DIGEST_HEX];

	for (size_t i = 0; i < files->n; i++)
		ckpt_str_add(&list, "%s %zu %s\n", ckpt_digest_text(hex, &digests[i]),
			     strlen(files->f[i].name), files->f[i].name);
	if (list.failed || ckpt_digest_of(list.s ? list.s : "", list.len, ret) < 0)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	return 0;
}

static int read_files(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_files *files,
		      struct ckpt_stage_output *output, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_digest *digests = calloc(files->n + 1, sizeof(*digests));
	struct ckpt_digest all;
	int r;

	if (!digests)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	r = digest_files(ctx, dirfd, files, digests, err);
	if (r == 0 && output->directory)
		r = digest_list(files, digests, &all, err);
	if (r == 0)
		ckpt_digest_text(output->sha256, output->directory ? &all : digests);
	return r;
}

static int measure_directory(struct ckpt_ctx *ctx, struct ckpt_stage_output *output, bool read,
			     struct ckpt_error *err)
{
	const struct ckpt_set all = { .kind = CKPT_KIND_DIRECTORY };
	_cleanup_files_ struct ckpt_files files = { 0 };
	_cleanup_close_ int fd = ckpt_dir_open(AT_FDCWD, output->path, err);
	int r = fd < 0 ? fd : ckpt_files_list(fd, &all, &files, err);

	output->directory = true;
	output->unread = r == CKPT_FILES_UNBOUNDED;
	if (r != 0)
		return output->unread ? 0 : r;
	output->files = (int64_t)files.n;
	output->bytes = (int64_t)ckpt_files_size(&files);
	return read ? read_files(ctx, fd, &files, output, err) : 0;
}

static int measure_file(struct ckpt_ctx *ctx, struct ckpt_stage_output *output, bool read,
			struct ckpt_error *err)
{
	struct ckpt_member member = { .name = output->path };
	const struct ckpt_files files = { .f = &member, .n = 1 };
	int r = ckpt_identity_at(AT_FDCWD, output->path, true, &member.id);

	if (r < 0)
		return ckpt_fail(err, r, "cannot look up %s: %s", CKPT_QUOTE(output->path),
				 strerror(-r));
	output->files = 1;
	output->bytes = (int64_t)member.id.size;
	return read ? read_files(ctx, AT_FDCWD, &files, output, err) : 0;
}

int ckpt_output_measure(struct ckpt_ctx *ctx, struct ckpt_stage_output *output, bool read,
			struct ckpt_error *err)
{
	struct stat st;

	output->directory = output->unread = false;
	output->files = output->bytes = 0;
	output->sha256[0] = '\0';
	if (stat(output->path, &st) < 0) {
		int code = errno == ENOENT || errno == ENOTDIR ? CKPT_OUTPUT_MISSING : -errno;

		return ckpt_fail(err, code, "%s %s", CKPT_QUOTE(output->given),
				 code > 0 ? "is missing" : strerror(errno));
	}
	if (S_ISDIR(st.st_mode))
		return measure_directory(ctx, output, read, err);
	if (S_ISREG(st.st_mode))
		return measure_file(ctx, output, read, err);
	return ckpt_fail(err, CKPT_OUTPUT_MISSING, "%s is neither a file nor a directory",
			 CKPT_QUOTE(output->given));
}

/* What tells two states of an output apart without reading it, or NULL. */
static const char *difference(const struct ckpt_stage_output *was,
			      const struct ckpt_stage_output *is)
{
	if (was->directory != is->directory)
		return was->directory ? "is no directory any more" : "is a directory now";
	if (was->unread != is->unread)
		return was->unread ? "has become smaller" : "has become too large to be read";
	if (was->files != is->files)
		return "holds another number of files";
	return was->bytes != is->bytes ? "has another size" : NULL;
}

int ckpt_output_verify(struct ckpt_ctx *ctx, const struct ckpt_stage_output *output,
		       struct ckpt_error *err)
{
	struct ckpt_stage_output now = *output;
	int r = ckpt_output_measure(ctx, &now, false, err);
	const char *why = r == 0 ? difference(output, &now) : NULL;

	if (why)
		return ckpt_fail(err, CKPT_OUTPUT_CHANGED, "%s %s", CKPT_QUOTE(output->given), why);
	if (r != 0 || output->unread)
		return r;
	r = ckpt_output_measure(ctx, &now, true, err);
	if (r == 0 && strcmp(now.sha256, output->sha256) != 0)
		return ckpt_fail(err, CKPT_OUTPUT_CHANGED, "%s has another content",
				 CKPT_QUOTE(output->given));
	return r;
}
