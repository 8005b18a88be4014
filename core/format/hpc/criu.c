/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See criu.h: the directory. A dump without pstree.img is a pre-dump, of which nothing can be
 * restored alone; those that a dump rests on are found through the link "parent", which leads to
 * one another.
 */
#include "core/format/hpc/criu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define PARENT "parent"
#define INVENTORY "inventory.img"
#define PSTREE "pstree.img"
#define PARENTS_MAX 64 /* pre-dumps that rest on one another */

struct listing {
	struct dirent **e;
	int n;
};

static void listing_done(struct listing *list)
{
	for (int i = 0; i < list->n; i++)
		free(list->e[i]);
	free(list->e);
}

static int is_image(const struct dirent *entry)
{
	return ckpt_text_ends(entry->d_name, ".img") || strcmp(entry->d_name, "stats-dump") == 0;
}

/* Whether @size is that of @pages pages of some machine. */
static bool fits(uint64_t size, uint64_t pages)
{
	static const uint64_t page_sizes[] = { 4096, 16384, 65536 };
	uint64_t need;

	for (int i = 0; i < 3; i++)
		if (!__builtin_mul_overflow(pages, page_sizes[i], &need) && size == need)
			return true;
	return false;
}

/* The pages that the pagemap @name counts. */
static int check_pages(struct ckpt_check *check, const char *name,
		       const struct ckpt_criu_need *need)
{
	struct ckpt_identity id = { .size = 0 };
	char pages[40];
	int r;

	snprintf(pages, sizeof(pages), "pages-%llu.img", (unsigned long long)need->pages_id);
	r = ckpt_identity_at(check->dirfd, pages, true, &id);
	if (r == -ENOENT && need->present == 0)
		return 0;
	if (r < 0 && r != -ENOENT)
		return ckpt_fail(check->err, r, "cannot look up %s: %s", CKPT_QUOTE(pages),
				 strerror(-r));
	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL, "it is missing");
	else if (!fits(id.size, need->present))
		r = ckpt_check_reject(check, CKPT_INCOMPLETE,
				      id.size / 4096 < need->present ? CKPT_PROBLEM_TRUNCATED
								     : CKPT_PROBLEM_MIXED_SAVES,
				      id.size, NULL, "it has %llu bytes, but %s counts %llu pages",
				      (unsigned long long)id.size, name,
				      (unsigned long long)need->present);
	return r > 0 ? ckpt_check_blame(check, pages, r) : r;
}

/* All images of one directory; *@ret_parent: pages are missing that its parent has. */
static int check_images(struct ckpt_check *check, bool *ret_parent)
{
	_cleanup_(listing_done) struct listing list = { .n = 0 };
	struct ckpt_criu_need need;
	int r = 0;

	list.n = scandirat(check->dirfd, ".", &list.e, is_image, alphasort);
	if (list.n < 0)
		return ckpt_fail(check->err, -errno, "cannot list %s: %s", CKPT_QUOTE(check->name),
				 strerror(errno));
	for (int i = 0; r == 0 && i < list.n; i++) {
		r = ckpt_criu_image(check, list.e[i]->d_name, &need);
		if (r == 0 && ckpt_criu_is_pagemap(list.e[i]->d_name))
			r = check_pages(check, list.e[i]->d_name, &need);
		*ret_parent |= need.parent;
	}
	check->report->tensors += (uint64_t)list.n;
	return r;
}

static int lacks(struct ckpt_check *check, const char *what, const char *why)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				 CKPT_NO_OFFSET, what, "%s is missing: %s", what, why);
}

/* One directory, and whether it needs its parent. */
static int check_one(struct ckpt_check *check, bool *ret_parent)
{
	*ret_parent = false;
	if (ckpt_dir_lacks(check->dirfd, INVENTORY))
		return lacks(check, INVENTORY, "the dump did not end");
	return check_images(check, ret_parent);
}

/* The directories that @check's rests on, one behind the other. */
static int check_parents(struct ckpt_check *check)
{
	_cleanup_close_ int fd = -1;
	struct ckpt_check sub = *check;
	bool parent = true;
	int r = 0, next;

	for (int i = 0; r == 0 && parent; i++) {
		if (i == PARENTS_MAX)
			return ckpt_check_reject(
				check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET,
				PARENT, "more than %d dumps rest on one another", PARENTS_MAX);
		next = ckpt_dir_open(sub.dirfd, PARENT, NULL);
		if (next == -ENOENT || next == -ENOTDIR)
			return lacks(check, PARENT, "pages of an earlier dump are needed");
		if (next < 0)
			return ckpt_fail(check->err, next, "cannot open the parent of %s: %s",
					 CKPT_QUOTE(check->name), strerror(-next));
		if (fd >= 0)
			close(fd);
		fd = sub.dirfd = next;
		r = check_one(&sub, &parent);
	}
	return r;
}

static int criu_structure(struct ckpt_check *check)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	bool parent;
	int r = check_one(check, &parent);

	check->report->contents = CKPT_CONTENTS_FULL;
	if (r == 0 && ckpt_dir_lacks(check->dirfd, PSTREE))
		r = lacks(check, PSTREE, "a pre-dump alone cannot be restored");
	if (r == 0 && parent)
		r = check_parents(check);
	if (r == 0 && !ckpt_dir_has(check->dirfd, "stats-dump"))
		snprintf(verdict->note, sizeof(verdict->note),
			 "no stats-dump: CRIU wrote it elsewhere, or was ended early");
	return r;
}

static bool criu_sniff(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, INVENTORY) || ckpt_dir_has(check->dirfd, PSTREE) ||
	       (ckpt_dir_has(check->dirfd, "dump.log") &&
		!ckpt_dir_has(check->dirfd, "trainer_state.json"));
}

const struct ckpt_format ckpt_format_criu = {
	.name = "criu",
	.title = "CRIU images",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = criu_sniff,
	.structure = criu_structure,
};
