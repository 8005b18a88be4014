/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_lines.h. Names in a list are held against those of the set: of the directory that it
 * lies in, of an absolute path, or of the one file that it stands beside.
 */
#include "core/integrity/sidecar_lines.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "wire/text.h"

/* Whether the directory of the absolute @path, @len bytes of it, is @fd: links lead there too. */
static bool is_dir(int fd, const char *path, size_t len)
{
	char dir[PATH_MAX];
	struct stat a, b;

	snprintf(dir, sizeof(dir), "%.*s", (int)(len ? len : 1), path);
	return stat(dir, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The file of the set that the absolute @path means; -1: none. */
static ssize_t meant_by_path(const struct ckpt_sidecar_search *s, struct ckpt_list *list,
			     const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	ssize_t file = ckpt_files_find(s->files, base);

	if (file < 0 || is_dir(s->rootfd, path, (size_t)(base - 1 - path)))
		return file;
	list->elsewhere = true;
	return -1;
}

/* Whether a line with @name in a list about one file is about another: a list of several, or of
 * what the file was packed into. A name that the file had before looks the same. */
static bool is_foreign(const struct ckpt_sidecar_search *s, const struct ckpt_list *list,
		       const char *name)
{
	const char *own, *base = strrchr(name, '/');

	if (list->only < 0 || !name[0] || strcmp(name, "-") == 0)
		return false;
	own = strrchr(s->files->f[list->only].name, '/');
	own = own ? own + 1 : s->files->f[list->only].name;
	return strcmp(base ? base + 1 : name, own) != 0;
}

/* The file that @name in the list means, or -1. */
static ssize_t meant(const struct ckpt_sidecar_search *s, struct ckpt_list *list, const char *name)
{
	size_t below = strlen(list->below);

	if (list->only >= 0)
		return list->only;
	if (name[0] == '/')
		return meant_by_path(s, list, name);
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	if (strncmp(name, list->below, below) != 0)
		return -1;
	return ckpt_files_find(s->files, name + below);
}

static void take_line(const struct ckpt_sidecar_search *s, struct ckpt_list *list, const char *line,
		      size_t len)
{
	struct ckpt_sum sum;
	struct ckpt_said said = { &sum, list->name, list->mtime_ns, .foreign = false };
	char name[PATH_MAX];
	ssize_t file;

	if (!ckpt_sum_line(line, len, list->kind, &sum, name, sizeof(name)))
		return;
	list->understood = true;
	if (!name[0] && list->only < 0)
		return; /* a digest alone, in a list of many */
	file = meant(s, list, name);
	said.foreign = is_foreign(s, list, name);
	/* What a list says of itself was so before it was written: "sha256sum * > SHA256SUMS". */
	if (file >= 0 && strcmp(s->files->f[file].name, list->name) != 0)
		ckpt_sidecar_expect(s, (size_t)file, &said);
}

/* Whether the last line of @text has the digest of what is before it, and the list's name. */
static bool check_self(const char *text, size_t len, const char *name)
{
	size_t end = len && text[len - 1] == '\n' ? len - 1 : len;
	const char *before = memrchr(text, '\n', end), *base;
	struct ckpt_digest found;
	struct ckpt_sum said;
	char own[PATH_MAX];
	size_t body;

	if (!before)
		return false;
	body = (size_t)(before + 1 - text);
	if (!ckpt_sum_line(text + body, end - body, CKPT_SUM_SHA256, &said, own, sizeof(own)))
		return false;
	base = strrchr(own, '/');
	return strcmp(base ? base + 1 : own, name) == 0 &&
	       ckpt_digest_of(text, body, &found) == 0 &&
	       memcmp(said.b, found.b, sizeof(found.b)) == 0;
}

bool ckpt_list_slurp(const struct ckpt_sidecar_search *s, int fd, const char *name, size_t max,
		     char **ret, size_t *ret_len)
{
	int r = ckpt_file_slurp(s->ctx, fd, name, max, ret, ret_len, NULL);

	if (r < 0 && r != -ENOENT && !s->unread[0]) {
		snprintf(s->unread, CKPT_SIDECAR_NAME, "%s", name);
		ckpt_text_clean(s->unread);
	}
	return r == 0;
}

/* Bytes of the byte order mark that editors put in front. */
static size_t skip_mark(const char *text, size_t len)
{
	return len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

void ckpt_list_odd(const struct ckpt_sidecar_search *s, const char *name, const char *why)
{
	if (s->odd[0])
		return;
	snprintf(s->odd, CKPT_SIDECAR_ODD, "%.63s", name);
	ckpt_text_clean(s->odd);
	snprintf(s->odd + strlen(s->odd), CKPT_SIDECAR_ODD - strlen(s->odd), "%s", why);
}

/* Says that a list was of no use, of one that looks as if it should be. */
static void remark(const struct ckpt_sidecar_search *s, const struct ckpt_list *list, size_t len)
{
	bool raw = ckpt_text_ends(list->name, ".chksum") && len == CKPT_DIGEST_SIZE;

	if (len > 0 && !raw && (!list->understood || list->elsewhere))
		ckpt_list_odd(s, list->name,
			      list->understood ? " is of another directory"
					       : " was not understood");
}

bool ckpt_list_read(const struct ckpt_sidecar_search *s, int fd, struct ckpt_list *list)
{
	_cleanup_free_ char *text = NULL;
	struct ckpt_identity id;
	size_t len;

	if (ckpt_identity_at(fd, list->name, true, &id) < 0 ||
	    !ckpt_list_slurp(s, fd, list->name, CKPT_SIDECAR_MAX, &text, &len) ||
	    (list->signs_itself && !check_self(text, len, list->name)))
		return false;
	list->mtime_ns = id.mtime_ns;
	for (const char *line = text + skip_mark(text, len), *end = text + len; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		size_t n = next ? (size_t)(next - line) : (size_t)(end - line);

		take_line(s, list, line, n);
		line += n + 1;
	}
	remark(s, list, len);
	return true;
}
