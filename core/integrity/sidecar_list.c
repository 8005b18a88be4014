/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_list.h. One row a kind of list; the later row wins, as the nearer one to the file.
 */
#include "core/integrity/sidecar_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/beside.h"
#include "wire/text.h"

#define HEX (CKPT_DIGEST_HEX - 1)

enum place {
	BESIDE,	  /* in the directory that holds the checkpoint */
	INSIDE,	  /* in a directory checkpoint itself */
	EACH,	  /* beside each file: its name and this ending */
	RAW,	  /* the same, with the 32 bytes of the digest itself in it */
	NUMBERED, /* in either directory: its name and a number; the highest whole one counts */
	BLOB,	  /* the file is a link to a file that has its digest as its name */
};

static const struct {
	enum place place;
	const char *name;
} kinds[] = {
	{ BESIDE, "SHA256SUMS" },
	{ BESIDE, "SHA256SUMS.txt" },
	{ BESIDE, "sha256sums.txt" },
	{ BESIDE, "sha256sum.txt" },
	{ INSIDE, "SHA256SUMS" },
	{ INSIDE, "SHA256SUMS.txt" },
	{ INSIDE, "sha256sums.txt" },
	{ INSIDE, "sha256sum.txt" },
	/*
	 * HTCondor (23.1 and later): lines of sha256sum for all files of the sandbox; the last line
	 * has the digest of those before it and the manifest's own name, which may have a path
	 * (condor_utils/manifest.cpp).
	 */
	{ NUMBERED, "_condor_checkpoint_MANIFEST." },
	{ NUMBERED, "MANIFEST." },
	{ RAW, ".chksum" }, /* VELOC's chksum module */
	{ EACH, ".sha256" },
	{ EACH, ".sha256sum" },
	{ BLOB, "" },
};

/* Undoes the escapes of a name of @len bytes. False if they are wrong or it does not fit. */
static bool unescape(const char *from, size_t len, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '\\') {
			c = ++i < len ? from[i] : 0;
			c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? '\\' : 0;
		}
		if (!c || n + 1 >= size)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

bool ckpt_sidecar_line(const char *line, size_t len, struct ckpt_digest *ret_digest, char *name,
		       size_t size)
{
	bool escaped = len > 0 && line[0] == '\\';

	line += escaped;
	len -= escaped;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len < HEX || !ckpt_digest_parse(line, ret_digest))
		return false;
	name[0] = '\0';
	if (len == HEX)
		return true;
	if (len < HEX + 3 || line[HEX] != ' ' || (line[HEX + 1] != ' ' && line[HEX + 1] != '*'))
		return false;
	line += HEX + 2;
	len -= HEX + 2;
	if (escaped)
		return unescape(line, len, name, size);
	if (len >= size || memchr(line, '\0', len))
		return false;
	memcpy(name, line, len);
	name[len] = '\0';
	return true;
}

static void expect(const struct ckpt_sidecar_search *s, size_t file,
		   const struct ckpt_digest *digest, const char *source)
{
	struct ckpt_expected *e = &s->expected[file];

	e->known = true;
	e->digest = *digest;
	snprintf(e->source, sizeof(e->source), "%.63s", source);
	ckpt_text_clean(e->source);
}

/* A list under way: which of the files its names are. */
struct list {
	const char *name;  /* of the list */
	const char *below; /* what its names have before those of the files, or "" */
	ssize_t only;	   /* the one file that it is about; -1: by its names */
	int64_t mtime_ns;
	bool signs_itself; /* of no use unless its last line is right */
};

/* The file that @name in the list means, or -1. */
static ssize_t meant(const struct ckpt_sidecar_search *s, const struct list *list, const char *name)
{
	size_t below = strlen(list->below);

	if (list->only >= 0)
		return list->only;
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	if (strncmp(name, list->below, below) != 0)
		return -1;
	return ckpt_files_find(s->files, name + below);
}

static void take_line(const struct ckpt_sidecar_search *s, const struct list *list,
		      const char *line, size_t len)
{
	struct ckpt_digest digest;
	char name[PATH_MAX];
	ssize_t file;

	if (!ckpt_sidecar_line(line, len, &digest, name, sizeof(name)))
		return;
	if (!name[0] && list->only < 0)
		return; /* a digest alone, in a list of many */
	file = meant(s, list, name);
	if (file < 0)
		return;
	expect(s, (size_t)file, &digest, list->name);
	s->expected[file].older = list->mtime_ns < s->files->f[file].id.mtime_ns;
}

/* Whether the last line of @text has the digest of what is before it, and the list's name. */
static bool check_self(const char *text, size_t len, const char *name)
{
	size_t end = len && text[len - 1] == '\n' ? len - 1 : len;
	const char *before = memrchr(text, '\n', end), *base;
	struct ckpt_digest said, found;
	char own[PATH_MAX];
	size_t body;

	if (!before)
		return false;
	body = (size_t)(before + 1 - text);
	if (!ckpt_sidecar_line(text + body, end - body, &said, own, sizeof(own)))
		return false;
	base = strrchr(own, '/');
	return strcmp(base ? base + 1 : own, name) == 0 &&
	       ckpt_digest_of(text, body, &found) == 0 &&
	       memcmp(said.b, found.b, sizeof(found.b)) == 0;
}

static bool take_list(const struct ckpt_sidecar_search *s, int fd, struct list *list)
{
	_cleanup_free_ char *text = NULL;
	struct ckpt_identity id;
	size_t len;

	if (ckpt_identity_at(fd, list->name, true, &id) < 0 ||
	    ckpt_file_slurp(s->ctx, fd, list->name, CKPT_SIDECAR_MAX, &text, &len, NULL) != 0 ||
	    (list->signs_itself && !check_self(text, len, list->name)))
		return false;
	list->mtime_ns = id.mtime_ns;
	for (const char *line = text, *end = text + len; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		size_t n = next ? (size_t)(next - line) : (size_t)(end - line);

		take_line(s, list, line, n);
		line += n + 1;
	}
	return true;
}

/* The greatest number below @limit that a name in @fd has behind @name; -1 if there is none. */
static int64_t next_number(int fd, const char *name, int64_t limit, char *ret, size_t size)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e;
	int64_t best = -1, number;
	const char *digits;

	while (d && (e = readdir(d))) {
		if (!ckpt_text_starts(e->d_name, name, &digits) || *digits < '0' || *digits > '9' ||
		    strlen(digits) > 9)
			continue;
		number = strtol(digits, NULL, 10);
		if (digits[strspn(digits, "0123456789")] || number <= best || number >= limit)
			continue;
		best = number;
		snprintf(ret, size, "%s", e->d_name);
	}
	return best;
}

static void take_numbered(const struct ckpt_sidecar_search *s, int fd, const char *prefix)
{
	char name[NAME_MAX + 1], below[NAME_MAX + 2] = "";
	struct list list = { .name = name, .below = below, .only = -1, .signs_itself = true };
	int64_t number = INT64_MAX;
	ssize_t own;

	if (s->set->kind == CKPT_KIND_DIRECTORY && fd == s->dirfd)
		snprintf(below, sizeof(below), "%s/", s->set->name);
	while ((number = next_number(fd, prefix, number, name, sizeof(name))) >= 0) {
		own = ckpt_files_find(s->files, name);
		if (own >= 0)
			s->expected[own].is_list = true;
		if (take_list(s, fd, &list))
			return; /* those before are of earlier checkpoints */
	}
}

static void take_raw_in(const struct ckpt_sidecar_search *s, int fd, const char *ending)
{
	for (size_t i = 0; i < s->files->n; i++) {
		_cleanup_free_ char *bytes = NULL;
		struct ckpt_identity id;
		struct ckpt_digest digest;
		char name[PATH_MAX];
		size_t len;
		ssize_t own;

		if (snprintf(name, sizeof(name), "%s%s", s->files->f[i].name, ending) >=
			    (int)sizeof(name) ||
		    ckpt_identity_at(fd, name, true, &id) < 0 || id.size != sizeof(digest) ||
		    ckpt_file_slurp(s->ctx, fd, name, sizeof(digest), &bytes, &len, NULL) != 0 ||
		    len != sizeof(digest))
			continue;
		own = fd == s->rootfd ? ckpt_files_find(s->files, name) : -1;
		if (own >= 0)
			s->expected[own].is_list = true;
		memcpy(digest.b, bytes, sizeof(digest.b));
		expect(s, i, &digest, name);
		s->expected[i].older = id.mtime_ns < s->files->f[i].id.mtime_ns;
	}
}

/* VELOC writes them to its meta directory, which mostly lies beside the one of the data. */
static void take_raw(const struct ckpt_sidecar_search *s, const char *ending)
{
	char name[PATH_MAX];
	const struct ckpt_beside beside = { "..", ".", name };
	_cleanup_close_ int fd = -1;

	if (s->set->kind == CKPT_KIND_FILE && ckpt_text_ends(s->files->f[0].name, ".dat") &&
	    snprintf(name, sizeof(name), "%s%s", s->files->f[0].name, ending) < (int)sizeof(name))
		fd = ckpt_beside_open(s->rootfd, &beside);
	if (fd >= 0)
		take_raw_in(s, fd, ending);
	take_raw_in(s, s->rootfd, ending);
}

static void take_beside(const struct ckpt_sidecar_search *s, const char *name)
{
	char below[NAME_MAX + 2] = "";
	struct list list = { .name = name, .below = below, .only = -1 };

	if (s->set->kind == CKPT_KIND_DIRECTORY)
		snprintf(below, sizeof(below), "%s/", s->set->name);
	take_list(s, s->dirfd, &list);
}

static void take_inside(const struct ckpt_sidecar_search *s, const char *name)
{
	struct list list = { .name = name, .below = "", .only = -1 };
	ssize_t own = ckpt_files_find(s->files, name);

	if (s->set->kind != CKPT_KIND_DIRECTORY || own < 0)
		return;
	s->expected[own].is_list = true;
	take_list(s, s->rootfd, &list);
}

static void take_each(const struct ckpt_sidecar_search *s, const char *ending)
{
	char name[PATH_MAX];

	for (size_t i = 0; i < s->files->n; i++) {
		struct list list = { .name = name, .below = "", .only = (ssize_t)i };
		ssize_t own;

		if (snprintf(name, sizeof(name), "%s%s", s->files->f[i].name, ending) >=
		    (int)sizeof(name))
			continue;
		own = ckpt_files_find(s->files, name);
		if (own >= 0)
			s->expected[own].is_list = true;
		if (own >= 0 || s->set->kind != CKPT_KIND_DIRECTORY)
			take_list(s, s->rootfd, &list);
	}
}

/* snapshots/REVISION/NAME -> ../../blobs/DIGEST: the name never goes stale. */
static void take_blobs(const struct ckpt_sidecar_search *s)
{
	char target[PATH_MAX];
	struct ckpt_digest digest;

	for (size_t i = 0; i < s->files->n; i++) {
		ssize_t n = readlinkat(s->rootfd, s->files->f[i].name, target, sizeof(target) - 1);
		const char *base;

		if (n < (ssize_t)HEX)
			continue;
		target[n] = '\0';
		base = strrchr(target, '/');
		base = base ? base + 1 : target;
		if (strlen(base) != HEX || !ckpt_digest_parse(base, &digest))
			continue;
		expect(s, i, &digest, "the blob's name");
		s->expected[i].older = false;
	}
}

void ckpt_sidecar_search(const struct ckpt_sidecar_search *search)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		switch (kinds[i].place) {
		case BESIDE:
			take_beside(search, kinds[i].name);
			break;
		case INSIDE:
			take_inside(search, kinds[i].name);
			break;
		case NUMBERED:
			take_numbered(search, search->dirfd, kinds[i].name);
			if (search->set->kind == CKPT_KIND_DIRECTORY)
				take_numbered(search, search->rootfd, kinds[i].name);
			break;
		case RAW:
			take_raw(search, kinds[i].name);
			break;
		case EACH:
			take_each(search, kinds[i].name);
			break;
		case BLOB:
			take_blobs(search);
			break;
		}
	}
}
