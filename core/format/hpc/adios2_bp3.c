/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See adios2.h: BP3, written by ADIOS 1 and by ADIOS2's engine of that name. Behind the data lie
 * three indices (process groups, variables, attributes) and a footer of 56 bytes: a tag, where each
 * index begins, the byte order, whether the data lie in NAME.dir/NAME.0 and so on, the version
 * (BP3Deserializer.cpp, ParseMinifooter). A file without its footer is told by its name and by how
 * it begins: with a process group, or with the index of them where the data lie beside.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/hpc/adios2.h"
#include "wire/text.h"

#define TAG "ADIOS-BP v"
#define FOOTER 56
#define SUBFILES 3 /* the value that says so */
#define FILES_MAX 1000000

static int bad(struct ckpt_check *check, uint64_t at, const char *what)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL, "%s", what);
}

/*
 * An index at @at: a count of @width bytes, a length, the entries; it ends at @end. ADIOS 1 does
 * not count the four bytes of each variable's and attribute's own length.
 */
static int check_index(struct ckpt_adios2 *bp, uint64_t at, unsigned width, uint64_t end,
		       uint64_t *ret_count)
{
	uint64_t len, rest = end - at - width - 8;
	uint8_t buf[16];
	int r;

	if (at > end || end - at < width + 8)
		return bad(bp->check, at, "its indices have no order");
	r = ckpt_check_read(bp->check, at, buf, width + 8, "an index");
	if (r)
		return r;
	*ret_count = ckpt_adios2_number(bp, buf, width);
	len = ckpt_adios2_number(bp, buf + width, 8);
	if (len != rest && len + *ret_count * (width == 4 ? 4 : 2) != rest)
		return bad(bp->check, at, "an index does not end where the next one begins");
	return 0;
}

/*
 * The time of the process group at @*at of the index: lengths and texts stand before it (name,
 * language, process, name of the time). *@at moves on.
 */
static int read_group(struct ckpt_adios2 *bp, uint64_t *at, uint64_t end, uint64_t *ret_time)
{
	uint8_t buf[4];
	uint64_t len, name, time_at;
	int r = *at + 4 > end ? CKPT_FILE_SHORT
			      : ckpt_file_read(bp->check->file, *at, buf, 4, bp->check->err);

	if (r < 0)
		return r;
	len = ckpt_adios2_number(bp, buf, 2);
	name = ckpt_adios2_number(bp, buf + 2, 2);
	time_at = *at + 4 + name + 5;
	if (r > 0 || time_at + 2 > end)
		return bad(bp->check, *at, "an entry does not fit into its index");
	r = ckpt_file_read(bp->check->file, time_at, buf, 2, bp->check->err);
	time_at += 2 + (r ? 0 : ckpt_adios2_number(bp, buf, 2));
	if (r == 0 && (time_at + 4 > *at + 2 + len || *at + 2 + len > end))
		return bad(bp->check, *at, "an entry does not fit into its index");
	if (r == 0)
		r = ckpt_file_read(bp->check->file, time_at, buf, 4, bp->check->err);
	*ret_time = r ? 0 : ckpt_adios2_number(bp, buf, 4);
	*at += 2 + len;
	return r > 0 ? -EAGAIN : r;
}

/* Counts the steps: times only grow. */
static int read_groups(struct ckpt_adios2 *bp, uint64_t at, uint64_t end, uint64_t count)
{
	uint64_t last = UINT64_MAX, time = 0;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < count; i++) {
		r = read_group(bp, &at, end, &time);
		if (r == 0 && time != last)
			bp->steps++;
		last = time;
	}
	return r == 0 && at != end ? bad(bp->check, at, "the index has more than it counts") : r;
}

/* A data file: BP3 by itself, whatever is left of it. */
static int check_subfile(struct ckpt_check *check, const char *path)
{
	struct ckpt_report report = { 0 };
	int r = ckpt_check_member(check, path, CKPT_LEVEL_STRUCTURE, CKPT_PROBLEM_SHARD_MISSING,
				  &report);

	if (r == 0 && report.format != &ckpt_format_adios_bp3)
		r = ckpt_check_blame(check, path,
				     ckpt_check_reject(check, CKPT_INCOMPLETE,
						       CKPT_PROBLEM_TRUNCATED, CKPT_NO_OFFSET, NULL,
						       "it has neither footer nor beginning"));
	return r;
}

/* NAME.dir/NAME.@no, in the folder of @name, is where data lie beside. False where it does not fit.
 */
static bool data_path(const char *name, int no, char *ret, size_t size)
{
	const char *slash = strrchr(name, '/');

	return (size_t)snprintf(ret, size, "%s.dir/%s.%d", name, slash ? slash + 1 : name, no) <
	       size;
}

/* The data files beside: from 0 on without a gap. */
static int check_subfiles(struct ckpt_check *check)
{
	char path[1024];
	int r = 0;

	for (int i = 0; r == 0 && i < FILES_MAX; i++) {
		if (!data_path(check->file->name, i, path, sizeof(path)))
			return -ENAMETOOLONG;
		if (i && ckpt_dir_lacks(check->dirfd, path))
			break;
		r = check_subfile(check, path);
	}
	return r;
}

/* Where the last 56 bytes of the file stand in @check's tail. */
static const uint8_t *footer_of(const struct ckpt_check *check)
{
	return check->head.tail + check->head.n_tail - FOOTER;
}

static bool has_footer(const struct ckpt_check *check)
{
	return check->head.size >= FOOTER && memcmp(footer_of(check), TAG, strlen(TAG)) == 0;
}

static int without_footer(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	check->report->contents = CKPT_CONTENTS_FULL;
	if (head->n_tail && ckpt_bytes_zero(head->tail, head->n_tail))
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL,
					 CKPT_NO_OFFSET, NULL, "it ends with zeros");
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, head->size, NULL,
				 "it does not end with the footer of a BP file");
}

static int check_indices(struct ckpt_adios2 *bp, const uint8_t *footer)
{
	uint64_t begin[4], count[3] = { 0 };
	int r = 0;

	for (int i = 0; i < 3; i++)
		begin[i] = ckpt_adios2_number(bp, footer + 28 + 8 * i, 8);
	begin[3] = bp->check->file->size - FOOTER;
	for (int i = 0; r == 0 && i < 3; i++)
		r = check_index(bp, begin[i], i ? 4 : 8, begin[i + 1], &count[i]);
	bp->check->report->tensors = count[1];
	return r ? r : read_groups(bp, begin[0] + 16, begin[1], count[0]);
}

static int bp3_structure(struct ckpt_check *check)
{
	struct ckpt_adios2 bp = { .check = check };
	const uint8_t *footer;
	int r;

	if (!has_footer(check))
		return without_footer(check);
	footer = footer_of(check);
	if (footer[52] > 1 || footer[55] != 3)
		return bad(check, check->head.size - 4, "its footer is of no known version");
	bp.big = footer[52];
	snprintf(check->report->framework, sizeof(check->report->framework), "ADIOS %.*s",
		 (int)strcspn((const char *)footer + strlen(TAG), " "), footer + strlen(TAG));
	ckpt_text_clean(check->report->framework);
	check->report->contents = CKPT_CONTENTS_FULL;
	r = check_indices(&bp, footer);
	if (r == 0 && footer[54] == SUBFILES)
		r = check_subfiles(check);
	if (r == 0)
		ckpt_adios2_position(check->report, check->file->name, bp.steps);
	return r;
}

/* True for the usual name of such a file: NAME.bp, or NAME.bp.0 and so on. */
static bool is_named(const char *name)
{
	size_t len = strlen(name);

	while (len && name[len - 1] >= '0' && name[len - 1] <= '9')
		len--;
	if (len && len < strlen(name) && name[len - 1] == '.')
		len--;
	return len > 3 && memcmp(name + len - 3, ".bp", 3) == 0;
}

/* Whether a process group begins the file: its length, 'y' or 'n', the length of its name, which
 * is text. */
static bool begins_with_group(const struct ckpt_head *head)
{
	const uint8_t *p = head->head;

	if (head->n_head < 16 || ckpt_bytes_zero(p, 8) || (p[8] != 'y' && p[8] != 'n') ||
	    !p[9] == !p[10])
		return false;
	for (size_t i = 11, end = 11 + p[9] + p[10]; i < end && i < head->n_head; i++)
		if (p[i] < ' ' || p[i] == 0x7f)
			return false;
	return true;
}

/* Whether the data lie in the directory beside. */
static bool has_data_beside(const struct ckpt_check *check)
{
	char path[1024];

	return (size_t)snprintf(path, sizeof(path), "%s.dir", check->file->name) < sizeof(path) &&
	       ckpt_dir_has(check->dirfd, path);
}

static bool bp3_sniff(const struct ckpt_check *check)
{
	return has_footer(check) || (is_named(check->file->name) &&
				     (begins_with_group(&check->head) || has_data_beside(check)));
}

static bool bp3_beside(const char *name, int no, char *ret, size_t size)
{
	return is_named(name) && data_path(name, no, ret, size);
}

const struct ckpt_format ckpt_format_adios_bp3 = {
	.name = "adios-bp3",
	.title = "ADIOS BP3 file",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = bp3_sniff,
	.structure = bp3_structure,
	.beside = bp3_beside,
};
