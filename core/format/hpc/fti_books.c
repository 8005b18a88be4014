/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fti_books.h. A book is renamed into place whole (FTI_IniparserDump()); keys may be in any
 * case.
 */
#include "core/format/hpc/fti_books.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/beside.h"
#include "wire/text.h"

#define BOOK_MAX (64u << 20) /* some lines a variable and rank; groups have up to 64 ranks */
#define GROUPS_MAX 1000000

/* Groups of ranks count from 1 where each node has a head. */
static const char *const first_books[] = { "sector0-group0.fti", "sector0-group1.fti" };

int ckpt_fti_books_open(struct ckpt_check *check)
{
	char id[NAME_MAX + 1], down[2 * NAME_MAX + 8];
	struct ckpt_beside beside = { "../../..", down, NULL };
	int fd = -ENOENT, r;

	for (int i = 0; i < 2; i++)
		if (ckpt_dir_has(check->dirfd, first_books[i]))
			return ckpt_dir_open(check->dirfd, ".", check->err);
	r = ckpt_beside_name(check->dirfd, "..", id, sizeof(id));
	if (r)
		return r;
	snprintf(down, sizeof(down), "%s/%.255s", id, check->name);
	for (int i = 0; i < 2 && fd == -ENOENT; i++) {
		beside.wanted = first_books[i];
		fd = ckpt_beside_open(check->dirfd, &beside);
	}
	return fd;
}

static bool parse_name(const char *name, int64_t *ret_sector, int64_t *ret_group)
{
	char dash[8], copy[32];
	const char *digits, *rest;
	size_t n;

	if (!ckpt_text_starts(name, "sector", &digits))
		return false;
	n = strcspn(digits, "-");
	if (n == 0 || n >= sizeof(dash) || !ckpt_text_starts(digits + n, "-group", &rest))
		return false;
	memcpy(dash, digits, n);
	dash[n] = '\0';
	n = strlen(rest);
	if (n < 5 || n >= sizeof(copy) || !ckpt_text_ends(rest, ".fti"))
		return false;
	memcpy(copy, rest, n - 4);
	copy[n - 4] = '\0';
	return ckpt_text_int(dash, 0, GROUPS_MAX, ret_sector) &&
	       ckpt_text_int(copy, 0, GROUPS_MAX, ret_group);
}

int ckpt_fti_books_count(struct ckpt_check *check, int fd, int64_t *ret_sectors,
			 int64_t *ret_first_group, int64_t *ret_groups)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	int64_t sector, group, sectors = 0, first = INT64_MAX, end = 0, n = 0;
	const struct dirent *e;

	if (!d)
		return -errno;
	while (errno = 0, (e = readdir(d))) {
		if (!parse_name(e->d_name, &sector, &group))
			continue;
		sectors = sector >= sectors ? sector + 1 : sectors;
		first = group < first ? group : first;
		end = group >= end ? group + 1 : end;
		n++;
	}
	if (errno)
		return -errno;
	if (n == 0 || n != sectors * (end - first))
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
			"FTI's metadata has %" PRId64 " groups' files, of %" PRId64 " sectors", n,
			sectors);
	*ret_sectors = sectors;
	*ret_first_group = first;
	*ret_groups = end - first;
	return 0;
}

/* A book under way. */
struct book {
	const struct ckpt_fti_reader *reader;
	struct ckpt_fti_file file;
	int64_t id;
	bool in_rank, in_info, differential;
};

/* The section ends. */
static int end_section(struct book *b)
{
	bool rank = b->in_rank, info = b->in_info;

	b->in_rank = b->in_info = false;
	if (info)
		return b->reader->id(b->reader->arg, b->id, b->differential);
	return rank ? b->reader->file(b->reader->arg, &b->file) : 0;
}

static int begin_section(struct book *b, char *name)
{
	int64_t rank;
	int r = end_section(b);

	name[strcspn(name, "]")] = '\0';
	b->file = (struct ckpt_fti_file) { .size = -1 };
	b->id = -1;
	b->in_rank = ckpt_text_int(name, 0, GROUPS_MAX, &rank);
	b->in_info = strcasecmp(name, "ckpt_info") == 0;
	return r;
}

static void take_rank(struct book *b, const char *key, const char *value)
{
	struct ckpt_fti_file *file = &b->file;

	if (strcasecmp(key, "Ckpt_file_name") == 0)
		ckpt_text_copy(file->name, sizeof(file->name), value);
	else if (strcasecmp(key, "Ckpt_file_size") == 0 &&
		 !ckpt_text_int(value, 0, INT64_MAX, &file->size))
		file->size = -1;
	else if (strcasecmp(key, "Ckpt_checksum") == 0)
		ckpt_text_copy(file->md5, sizeof(file->md5), value);
}

static void take_info(struct book *b, const char *key, const char *value)
{
	if (strcasecmp(key, "ckpt_id") == 0 && !ckpt_text_int(value, 0, INT64_MAX, &b->id))
		b->id = -1;
	if (strcasecmp(key, "ckpt_type") == 0)
		b->differential = strcasecmp(value, "dcp") == 0;
}

/* "key    = value", in place. */
static void take_pair(struct book *b, char *line)
{
	char *value = strchr(line, '=');

	if (!value)
		return;
	*value++ = '\0';
	line[strcspn(line, " \t")] = '\0';
	value += strspn(value, " \t");
	value[strcspn(value, " \t\r")] = '\0';
	if (b->in_rank)
		take_rank(b, line, value);
	else if (b->in_info)
		take_info(b, line, value);
}

static int read_lines(struct book *b, char *text)
{
	int r = 0;

	for (char *line, *rest = text; r == 0 && (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		if (*line == '[')
			r = begin_section(b, line + 1);
		else
			take_pair(b, line);
	}
	return r ? r : end_section(b);
}

int ckpt_fti_book_read(struct ckpt_check *check, int fd, const char *name,
		       const struct ckpt_fti_reader *reader)
{
	struct book b = { .reader = reader };
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = ckpt_file_slurp(check->ctx, fd, name, BOOK_MAX, &text, &len, check->err);

	if (r < 0)
		return r;
	if (r > 0)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 CKPT_NO_OFFSET, name, "not a regular file");
	if (memchr(text, '\0', len))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 name, "it is no text");
	return read_lines(&b, text);
}
