/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-faults CHECKPOINT [FILE]...: judges one good checkpoint again and again while its reading
 * goes wrong: each read in turn fails, once or from then on; all reads are short; time runs out in
 * the middle; and, where FILEs (its own) are given, while nothing or one page of them is in memory.
 * No fault of the reading may become one of the checkpoint, nothing that was not read may pass for
 * read, and the page cache has to be as it was. Prints what did not hold, and a line of figures.
 * Exit 0: all held; 1: something did not; 77: the checkpoint is not valid to begin with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/integrity/verify.h"

#define READS_MOST 60 /* that fail in turn; of more, every n-th */
#define PAGE 4096
#define ASKED ((off_t)16 * 1024) /* smaller files may stay in memory (core/base/pages.c) */

enum kind { NOTHING, ONCE, EVER, SHORT, LATE };

static const char *const kind_names[] = { "nothing", "one read fails", "all reads fail from",
					  "short reads", "time runs out at" };

struct fault {
	enum kind kind;
	int at; /* the read, from 0 */
	_Atomic int reads;
};

static const char *path;
static int bad;
static struct ckpt_report base;

static ssize_t faulty_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct fault *fault = arg;
	int n = fault->reads++;

	if ((fault->kind == ONCE && n == fault->at) || (fault->kind == EVER && n >= fault->at)) {
		errno = EIO;
		return -1;
	}
	/* Past the page cache the kernel gives whole pages. */
	if (fault->kind == SHORT && !(fcntl(fd, F_GETFL) & O_DIRECT))
		len = len / 2 + 1;
	return pread(fd, buf, len, off);
}

static int64_t faulty_now(void *arg)
{
	const struct fault *fault = arg;

	return fault->kind == LATE && fault->reads >= fault->at ? 1000 : 0;
}

/* Judges the checkpoint; *@ret its report. */
static void judge(struct fault *fault, enum ckpt_cache cache, struct ckpt_report *ret)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_seam seam = { .now_ns = faulty_now, .pread = faulty_pread, .arg = fault };
	struct ckpt_ctx none = { 0 };
	struct ckpt_ctx ctx = { .seam = &seam, .deadline_ns = 999, .threads = 1, .cache = cache };
	struct ckpt_error err = { 0 };
	struct ckpt_set *set = NULL;

	if (ckpt_catalog_add_path(&none, &cat, path, &set, &err) != 0) {
		fprintf(stderr, "ckpt-faults: %s\n", err.text);
		exit(77);
	}
	*ret = *ckpt_set_verify(&ctx, set, CKPT_LEVEL_FINITE);
}

static void complain(const struct fault *fault, const struct ckpt_report *got)
{
	const struct ckpt_verdict *v = &got->verdict;

	bad++;
	printf("# %s: %s %d: %s, %s, %s: %s; %s\n", path, kind_names[fault->kind], fault->at,
	       ckpt_status_name(v->status), ckpt_evidence_name(v->evidence),
	       ckpt_problem_name(v->problem.code), v->problem.detail, v->note);
}

/* Valid, and no less sure of it than without a fault. */
static bool as_before(const struct ckpt_verdict *v)
{
	return v->status == base.verdict.status && v->evidence == base.verdict.evidence;
}

/* As before, in the numbers too: what was not read would only have told names. */
static bool lacks_nothing(const struct ckpt_report *got)
{
	return as_before(&got->verdict) && got->finite.tensors == base.finite.tensors &&
	       got->finite.unscanned == base.finite.unscanned;
}

/* Valid by less, and says why; what was looked for in the numbers is told apart. */
static bool says_less(const struct ckpt_report *got)
{
	const struct ckpt_verdict *v = &got->verdict;

	return v->status == CKPT_VALID && v->evidence <= base.verdict.evidence &&
	       (v->note[0] || got->finite.why[0]);
}

static bool holds(const struct fault *fault, const struct ckpt_report *got)
{
	bool unread = got->verdict.status == CKPT_UNREADABLE;

	switch (fault->kind) {
	case NOTHING:
	case SHORT:
		return as_before(&got->verdict);
	case ONCE: /* a second way to read the same may have worked */
	case EVER:
	case LATE:
		return unread || lacks_nothing(got) || says_less(got);
	}
	return false;
}

static void try(enum kind kind, int at, enum ckpt_cache cache)
{
	struct fault fault = { .kind = kind, .at = at };
	struct ckpt_report got;

	judge(&fault, cache, &got);
	if (!holds(&fault, &got))
		complain(&fault, &got);
}

/* Returns how many cases. */
static int try_all(int reads, enum ckpt_cache cache)
{
	int step = reads / READS_MOST + 1, n = 0;

	for (int at = 0; at < reads; at += step) {
		try(ONCE, at, cache);
		try(EVER, at, cache);
		try(LATE, at, cache);
		n += 3;
	}
	try(SHORT, 0, cache);
	return n + 1;
}

static void forget(int fd)
{
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}

/* Whether the file's pages are as they have to be: the third alone, or none. */
static bool as_it_was(int fd, off_t size, bool third)
{
	uint64_t rest = (uint64_t)size - 3 * PAGE;

	return (int)ckpt_cached(fd, 2 * PAGE, PAGE) ==
		       (third ? CKPT_CACHED_ALL : CKPT_CACHED_NONE) &&
	       ckpt_cached(fd, 0, 2 * PAGE) == CKPT_CACHED_NONE &&
	       ckpt_cached(fd, 3 * PAGE, rest) == CKPT_CACHED_NONE;
}

/* One file at a time, with @third of its pages in memory or none. Returns cases, 0 or 1. */
static int try_pages(const char *name, bool third)
{
	_cleanup_close_ int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct fault fault = { .kind = NOTHING };
	struct ckpt_report got;
	struct stat st;
	char page[PAGE];

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < ASKED)
		return 0;
	forget(fd);
	if (ckpt_cached(fd, 0, (uint64_t)st.st_size) != CKPT_CACHED_NONE)
		return 0; /* a file system that lives in memory */
	if (third && pread(fd, page, PAGE, 2 * PAGE) != PAGE)
		return 0;
	judge(&fault, CKPT_CACHE_LEAVE, &got);
	if (!holds(&fault, &got))
		complain(&fault, &got);
	if (!as_it_was(fd, st.st_size, third)) {
		bad++;
		printf("# %s: the page cache of %s is not as it was%s\n", path, name,
		       third ? " (one page)" : "");
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct fault fault = { .kind = NOTHING };
	int reads, cases, pages = 0;

	if (argc < 2)
		return 2;
	path = argv[1];
	judge(&fault, CKPT_CACHE_FILL, &base);
	if (base.verdict.status != CKPT_VALID) {
		complain(&fault, &base);
		return 77;
	}
	reads = fault.reads;
	cases = try_all(reads, CKPT_CACHE_FILL);
	for (int i = 2; i < argc; i++)
		pages += try_pages(argv[i], false) + try_pages(argv[i], true);
	printf("%d reads, %d cases, %d of pages, %d wrong\n", reads, cases, pages, bad);
	return bad ? 1 : 0;
}
