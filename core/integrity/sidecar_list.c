/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_list.h. One row a kind of list: where it lies, and what it is called. Later rows are
 * nearer to the file.
 */
#include "core/integrity/sidecar_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/beside.h"
#include "core/integrity/sidecar_hub.h"
#include "core/integrity/sidecar_lfs.h"
#include "core/integrity/sidecar_lines.h"
#include "wire/text.h"

enum place {
	BESIDE,	  /* in the directory that holds the checkpoint */
	INSIDE,	  /* in a directory checkpoint itself */
	EACH,	  /* beside each file: its name and this ending */
	RAW,	  /* the same, with the 32 bytes of the digest itself in it */
	POINTER,  /* beside each file: its name and this ending, a pointer of Git LFS */
	NUMBERED, /* in either directory: its name and a number; the highest whole one counts */
	BLOB,	  /* the file is a link to a file that has its digest in its name */
	HUB,	  /* in the hub's own folder of a directory that it was downloaded to */
};

/* Digests of which kind; a list may say it line by line, or in BSD's form alone (NONE). */
static const struct {
	enum place place;
	const char *name;
	enum ckpt_sum_kind kind;
} kinds[] = {
#define LISTS(name, kind)                                                                          \
	{ BESIDE, name, kind },                                                                    \
	{                                                                                          \
		INSIDE, name, kind                                                                 \
	}
	LISTS("SHA256SUMS", CKPT_SUM_SHA256),
	LISTS("SHA256SUMS.txt", CKPT_SUM_SHA256),
	LISTS("sha256sums.txt", CKPT_SUM_SHA256),
	LISTS("sha256sum.txt", CKPT_SUM_SHA256),
	LISTS("SHA512SUMS", CKPT_SUM_SHA512),
	LISTS("sha512sum.txt", CKPT_SUM_SHA512),
	LISTS("B2SUMS", CKPT_SUM_BLAKE2B),
	LISTS("SHA1SUMS", CKPT_SUM_SHA1),
	LISTS("sha1sum.txt", CKPT_SUM_SHA1),
	LISTS("MD5SUMS", CKPT_SUM_MD5),
	LISTS("md5sum.txt", CKPT_SUM_MD5),
	LISTS("CHECKSUMS", CKPT_SUM_NONE),
#undef LISTS
	/*
	 * HTCondor (23.1 and later): lines of sha256sum for all files of the sandbox; the last line
	 * has the digest of those before it and the manifest's own name, which may have a path
	 * (condor_utils/manifest.cpp).
	 */
	{ NUMBERED, "_condor_checkpoint_MANIFEST.", CKPT_SUM_SHA256 },
	{ NUMBERED, "MANIFEST.", CKPT_SUM_SHA256 },
	{ POINTER, ".pointer", CKPT_SUM_SHA256 },
	{ POINTER, ".lfs", CKPT_SUM_SHA256 },
	{ POINTER, ".lfs-pointer", CKPT_SUM_SHA256 },
	{ RAW, ".chksum", CKPT_SUM_SHA256 },  /* VELOC's chksum module */
	{ EACH, ".chksum", CKPT_SUM_SHA256 }, /* somebody's, as text */
	{ EACH, ".sha256", CKPT_SUM_SHA256 },
	{ EACH, ".sha256sum", CKPT_SUM_SHA256 },
	{ EACH, ".sha512", CKPT_SUM_SHA512 },
	{ EACH, ".sha512sum", CKPT_SUM_SHA512 },
	{ EACH, ".b2", CKPT_SUM_BLAKE2B },
	{ EACH, ".b2sum", CKPT_SUM_BLAKE2B },
	{ EACH, ".sha1", CKPT_SUM_SHA1 },
	{ EACH, ".sha1sum", CKPT_SUM_SHA1 },
	{ EACH, ".md5", CKPT_SUM_MD5 },
	{ EACH, ".md5sum", CKPT_SUM_MD5 },
	{ HUB, "", CKPT_SUM_SHA256 },
	{ BLOB, "", CKPT_SUM_SHA256 },
};

static DIR *open_entries(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return copy >= 0 ? fdopendir(copy) : NULL;
}

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

_Static_assert(N_KINDS <= 64, "a bit for each kind");

/* Told by the letter behind the dot nearly always. */
static bool ends_as(const char *ending, const char *kind)
{
	return kind[0] == '.' && ending[1] == kind[1] && strcmp(ending, kind) == 0;
}

/* The kinds that the name may be a list of, as far as a beginning or an ending tells. */
static uint64_t kinds_of(const char *name)
{
	const char *ending = strrchr(name, '.');
	uint64_t found = 0;

	if (!ending) /* neither has any */
		return 0;
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].place == NUMBERED ? ckpt_text_starts(name, kinds[i].name, NULL)
					       : ends_as(ending, kinds[i].name))
			found |= UINT64_C(1) << i;
	return found;
}

/*
 * The kinds that entries of @fd may be, by one look at their names: on a network file system a
 * question for each file and ending takes longer than all else, and so does reading a directory of
 * 100,000 names once for each kind. All of them where the names cannot be read.
 */
static uint64_t kinds_in(int fd)
{
	_cleanup_closedir_ DIR *d = open_entries(fd);
	const struct dirent *e;
	uint64_t found = 0;

	errno = 0;
	while (d && (e = readdir(d)))
		found |= kinds_of(e->d_name);
	return d && errno == 0 ? found : UINT64_MAX;
}

/* The greatest number below @limit that a name in @fd has behind @name; -1 if there is none. */
static int64_t next_number(int fd, const char *name, int64_t limit, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *d = open_entries(fd);
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
	struct ckpt_list list = { .name = name,
				  .below = below,
				  .kind = CKPT_SUM_SHA256,
				  .only = -1,
				  .signs_itself = true };
	int64_t number = INT64_MAX;
	ssize_t own;

	if (s->set->kind == CKPT_KIND_DIRECTORY && fd == s->dirfd)
		snprintf(below, sizeof(below), "%s/", s->set->name);
	while ((number = next_number(fd, prefix, number, name, sizeof(name))) >= 0) {
		own = ckpt_files_find(s->files, name);
		if (own >= 0)
			s->expected[own].is_list = true;
		if (ckpt_list_read(s, fd, &list))
			return; /* those before are of earlier checkpoints */
	}
}

static void take_raw_in(const struct ckpt_sidecar_search *s, int fd, const char *ending)
{
	for (size_t i = 0; i < s->files->n; i++) {
		_cleanup_free_ char *bytes = NULL;
		struct ckpt_identity id;
		struct ckpt_sum sum = { .kind = CKPT_SUM_SHA256 };
		char name[PATH_MAX];
		size_t len;
		ssize_t own;

		if (snprintf(name, sizeof(name), "%s%s", s->files->f[i].name, ending) >=
			    (int)sizeof(name) ||
		    ckpt_identity_at(fd, name, true, &id) < 0 || id.size != CKPT_DIGEST_SIZE ||
		    !ckpt_list_slurp(s, fd, name, CKPT_DIGEST_SIZE, &bytes, &len) ||
		    len != CKPT_DIGEST_SIZE ||
		    strspn(bytes, "0123456789abcdefABCDEF") >= CKPT_DIGEST_SIZE) /* MD5 as text */
			continue;
		own = fd == s->rootfd ? ckpt_files_find(s->files, name) : -1;
		if (own >= 0)
			s->expected[own].is_list = true;
		memcpy(sum.b, bytes, CKPT_DIGEST_SIZE);
		ckpt_sidecar_expect(
			s, i,
			&(const struct ckpt_said) { &sum, name, id.mtime_ns, .foreign = false });
	}
}

/* VELOC writes them to its meta directory, which mostly lies beside the one of the data. */
static void take_raw_apart(const struct ckpt_sidecar_search *s, const char *ending)
{
	char name[PATH_MAX];
	const struct ckpt_beside beside = { "..", ".", name };
	_cleanup_close_ int fd = -1;

	if (s->set->kind == CKPT_KIND_FILE && ckpt_text_ends(s->files->f[0].name, ".dat") &&
	    snprintf(name, sizeof(name), "%s%s", s->files->f[0].name, ending) < (int)sizeof(name))
		fd = ckpt_beside_open(s->rootfd, &beside);
	if (fd >= 0)
		take_raw_in(s, fd, ending);
}

static void take_beside(const struct ckpt_sidecar_search *s, const char *name,
			enum ckpt_sum_kind kind)
{
	char below[NAME_MAX + 2] = "";
	struct ckpt_list list = { .name = name, .below = below, .kind = kind, .only = -1 };

	if (s->set->kind == CKPT_KIND_DIRECTORY)
		snprintf(below, sizeof(below), "%s/", s->set->name);
	ckpt_list_read(s, s->dirfd, &list);
}

static void take_inside(const struct ckpt_sidecar_search *s, const char *name,
			enum ckpt_sum_kind kind)
{
	struct ckpt_list list = { .name = name, .below = "", .kind = kind, .only = -1 };
	ssize_t own = ckpt_files_find(s->files, name);

	if (s->set->kind != CKPT_KIND_DIRECTORY || own < 0)
		return;
	s->expected[own].is_list = true;
	ckpt_list_read(s, s->rootfd, &list);
}

static void take_each(const struct ckpt_sidecar_search *s, const char *ending,
		      enum ckpt_sum_kind kind)
{
	char name[PATH_MAX];

	for (size_t i = 0; i < s->files->n; i++) {
		struct ckpt_list list = {
			.name = name, .below = "", .kind = kind, .only = (ssize_t)i
		};
		ssize_t own;

		if (snprintf(name, sizeof(name), "%s%s", s->files->f[i].name, ending) >=
		    (int)sizeof(name))
			continue;
		own = ckpt_files_find(s->files, name);
		if ((own >= 0 || s->set->kind != CKPT_KIND_DIRECTORY) &&
		    ckpt_list_read(s, s->rootfd, &list) && own >= 0 && list.understood)
			s->expected[own].is_list = true;
	}
}

/* Lists of the @i-th kind that have a file's name and an ending: @may says whether any can be
 * there. */
static void take_named(const struct ckpt_sidecar_search *s, size_t i, bool may)
{
	if (kinds[i].place == RAW)
		take_raw_apart(s, kinds[i].name);
	if (!may)
		return;
	if (kinds[i].place == RAW)
		take_raw_in(s, s->rootfd, kinds[i].name);
	else if (kinds[i].place == EACH)
		take_each(s, kinds[i].name, kinds[i].kind);
	else
		ckpt_sidecar_lfs(s, kinds[i].name);
}

void ckpt_sidecar_search(const struct ckpt_sidecar_search *search)
{
	uint64_t beside = kinds_in(search->dirfd), inside = 0, named;

	if (search->set->kind == CKPT_KIND_DIRECTORY)
		inside = kinds_in(search->rootfd);
	named = search->set->kind == CKPT_KIND_DIRECTORY ? inside : beside;
	if (ckpt_files_nested(search->files)) /* nobody has looked at names in folders */
		named = UINT64_MAX;
	for (size_t i = 0; i < N_KINDS; i++) {
		uint64_t bit = UINT64_C(1) << i;

		switch (kinds[i].place) {
		case BESIDE:
			take_beside(search, kinds[i].name, kinds[i].kind);
			break;
		case INSIDE:
			take_inside(search, kinds[i].name, kinds[i].kind);
			break;
		case NUMBERED:
			if (beside & bit)
				take_numbered(search, search->dirfd, kinds[i].name);
			if (inside & bit)
				take_numbered(search, search->rootfd, kinds[i].name);
			break;
		case RAW:
		case EACH:
		case POINTER:
			take_named(search, i, named & bit);
			break;
		case BLOB:
			ckpt_sidecar_links(search);
			break;
		case HUB:
			ckpt_sidecar_hub(search);
			break;
		}
	}
}
