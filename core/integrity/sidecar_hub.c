/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_hub.h.
 */
#include "core/integrity/sidecar_hub.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "wire/text.h"

#define METADATA_MAX 4096 /* three lines */
#define LATEST 9.2e9	  /* seconds, whose nanoseconds fit: the year 2261 */

/* A digest of @kind in hexadecimal digits, @len bytes of them and nothing else. */
static bool read_sum(const char *hex, size_t len, enum ckpt_sum_kind kind, struct ckpt_sum *ret)
{
	char none[1];

	return len == 2 * ckpt_sum_size(kind) &&
	       ckpt_sum_line(hex, len, kind, ret, none, sizeof(none));
}

/* What the hub calls a file by. */
static bool read_etag(const char *text, struct ckpt_sum *ret)
{
	size_t len = strlen(text);

	return read_sum(text, len, CKPT_SUM_SHA256, ret) || read_sum(text, len, CKPT_SUM_GIT, ret);
}

/* git-annex's key "SHA256E-s4711--DIGEST.pt": backend, fields, two dashes, name. */
static bool read_annex_key(const char *key, struct ckpt_sum *ret)
{
	static const struct {
		const char *backend;
		enum ckpt_sum_kind kind;
	} backends[] = {
		{ "SHA256", CKPT_SUM_SHA256 }, { "SHA512", CKPT_SUM_SHA512 },
		{ "SHA384", CKPT_SUM_SHA384 }, { "SHA224", CKPT_SUM_SHA224 },
		{ "SHA1", CKPT_SUM_SHA1 },     { "MD5", CKPT_SUM_MD5 },
	};
	const char *rest, *name = strstr(key, "--");

	for (size_t i = 0; name && i < sizeof(backends) / sizeof(*backends); i++)
		if (ckpt_text_starts(key, backends[i].backend, &rest) &&
		    (ckpt_text_starts(rest, "E-s", NULL) || ckpt_text_starts(rest, "-s", NULL)))
			return read_sum(name + 2, strcspn(name + 2, "."), backends[i].kind, ret);
	return false;
}

/* Whether a file was written after the link to it was made: its program saved through the link. */
static bool was_written_through(const struct ckpt_sidecar_search *s, size_t file)
{
	const struct ckpt_member *f = &s->files->f[file];
	struct stat st;

	return fstatat(s->rootfd, f->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	       f->id.mtime_ns > ckpt_clock_ns(st.st_mtim);
}

static void take_link(const struct ckpt_sidecar_search *s, size_t file, const char *target)
{
	const char *base = strrchr(target, '/');
	struct ckpt_sum sum;
	bool blobs = base && base - target >= 5 && strncmp(base - 5, "blobs", 5) == 0;
	struct ckpt_said said = { &sum, "the blob's name", INT64_MAX, .foreign = false };

	base = base ? base + 1 : target;
	if (strstr(target, "annex/objects/")) {
		said.source = "git-annex's key";
		if (read_annex_key(base, &sum))
			ckpt_sidecar_expect(s, file, &said);
	} else if (read_etag(base, &sum) && (blobs || sum.kind == CKPT_SUM_SHA256)) {
		said.loose = sum.kind == CKPT_SUM_GIT || !blobs || was_written_through(s, file);
		ckpt_sidecar_expect(s, file, &said);
	}
}

void ckpt_sidecar_links(const struct ckpt_sidecar_search *s)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < s->files->n; i++) {
		ssize_t n = readlinkat(s->rootfd, s->files->f[i].name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		take_link(s, i, target);
	}
}

/* The next line of *@at, without what is blank around it. Returns *@at's line, cut in place. */
static char *next_line(char **at)
{
	char *line = *at + strspn(*at, " \t\r"), *end = line + strcspn(line, "\n");

	*at = *end ? end + 1 : end;
	while (end > line && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return line;
}

/* The lines of a metadata file. False if they are none. */
static bool read_metadata(char *text, struct ckpt_sum *ret_sum, int64_t *ret_ns)
{
	char *at = text, *end;
	const char *time;
	double seconds;

	next_line(&at); /* the commit */
	if (!read_etag(next_line(&at), ret_sum))
		return false;
	time = next_line(&at);
	seconds = strtod(time, &end);
	if (end == time || *end || !(seconds > 0 && seconds < LATEST))
		return false;
	*ret_ns = (int64_t)(seconds * (double)CKPT_SECOND_NS);
	return true;
}

static void take_metadata(const struct ckpt_sidecar_search *s, int fd, const char *name,
			  size_t file)
{
	const struct ckpt_identity *id = &s->files->f[file].id;
	_cleanup_free_ char *text = NULL;
	struct ckpt_sum sum;
	struct ckpt_said said = { &sum, "the hub's metadata", INT64_MAX, .foreign = false };
	int64_t ns;

	if (ckpt_file_slurp(s->ctx, fd, name, METADATA_MAX, &text, NULL, NULL) != 0 ||
	    !read_metadata(text, &sum, &ns) || id->mtime_ns - CKPT_SECOND_NS > ns)
		return;
	said.loose = true;
	ckpt_sidecar_expect(s, file, &said);
}

/* Looks below @dir in @fd, the hub's folder of a directory whose files have @below before their
 * names. */
static void take_folder(const struct ckpt_sidecar_search *s, int fd, const char *dir,
			const char *below)
{
	_cleanup_close_ int folder = openat(fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[PATH_MAX];

	for (size_t i = 0; folder >= 0 && i < s->files->n; i++)
		if (snprintf(name, sizeof(name), "%s%s.metadata", below, s->files->f[i].name) <
		    (int)sizeof(name))
			take_metadata(s, folder, name, i);
}

void ckpt_sidecar_hub(const struct ckpt_sidecar_search *s)
{
	static const char own[] = ".cache/huggingface/", dir[] = ".cache/huggingface/download";
	char below[NAME_MAX + 2];

	snprintf(below, sizeof(below), "%s/", s->set->name);
	for (size_t i = 0; i < s->files->n; i++)
		s->expected[i].is_list |= ckpt_text_starts(s->files->f[i].name, own, NULL);
	if (s->set->kind == CKPT_KIND_DIRECTORY)
		take_folder(s, s->dirfd, dir, below);
	take_folder(s, s->rootfd, dir, "");
}
