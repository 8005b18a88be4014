/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dcp_content.h. Items are judged where they lie, as files of their own: archives of
 * torch.save() by their checksums, a program's own bytes by nothing but that they are there.
 */
#include "core/format/torch/dcp_content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/torch/torch_zip.h"
#include "wire/text.h"

#define END_RECORD 22		       /* of a zip, with no comment: APPNOTE.TXT 4.3.16 */
#define MIN_ZIP (30 + 46 + END_RECORD) /* with a header and an entry of its directory */

bool ckpt_dcp_has_own_header(const char *name)
{
	return ckpt_text_ends(name, ".safetensors");
}

static int open_data(struct ckpt_check *check, const char *name, struct ckpt_file *ret)
{
	int r = ckpt_file_open(check->ctx, check->dirfd, name, ret, check->err);

	if (r == -ENOENT) /* it was there when sizes were compared */
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE,
				      CKPT_NO_OFFSET, NULL, "it vanished while it was read");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	return r > 0 ? ckpt_check_blame(check, name, r) : r;
}

/* True if all of @slice is zero from its byte @at on; *@r keeps a failure. */
static bool zero_from(struct ckpt_check *check, const struct ckpt_slice *slice, uint64_t at, int *r)
{
	unsigned char buf[4096];

	while (*r == 0 && at < slice->len) {
		size_t n = slice->len - at < sizeof(buf) ? (size_t)(slice->len - at) : sizeof(buf);

		*r = ckpt_file_read(slice->file, slice->off + at, buf, n, check->err);
		if (*r || !ckpt_bytes_zero(buf, n))
			return false;
		at += n;
	}
	return *r == 0;
}

static int bad_item(struct ckpt_check *check, const char *name, const struct ckpt_slice *slice,
		    bool zeros)
{
	int r = zeros ? ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL,
					  slice->off, NULL,
					  "an item of zeros, or an archive that fades into them")
		      : ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, slice->off,
					  NULL,
					  "an item ends as an archive and does not begin as one");

	return ckpt_check_blame(check, name, r);
}

/*
 * What torch.save() wrote begins and ends as a zip. Bytes that do only one of both have lost their
 * head or their end to zeros; they would pass for a program's own bytes, which nobody can look
 * into.
 */
static int check_head(struct ckpt_check *check, const char *name, const struct ckpt_slice *slice)
{
	static const unsigned char begin[] = { 'P', 'K', 3, 4 }, end[] = { 'P', 'K', 5, 6 };
	unsigned char head[sizeof(begin)], tail[END_RECORD];
	size_t n = 0;
	int r;

	if (slice->len < MIN_ZIP)
		return 0;
	r = ckpt_file_read(slice->file, slice->off, head, sizeof(head), check->err);
	if (r == 0)
		r = ckpt_file_read(slice->file, slice->off + slice->len - END_RECORD, tail,
				   sizeof(tail), check->err);
	if (r)
		return r < 0 ? r : 0;
	while (n < sizeof(begin) && head[n] == begin[n])
		n++;
	if (ckpt_bytes_zero(tail, sizeof(tail)) &&
	    (n == sizeof(begin) || zero_from(check, slice, n, &r)))
		return bad_item(check, name, slice, true);
	/* a comment's length of 0 ends the record */
	if (r || n == sizeof(begin) || memcmp(tail, end, sizeof(end)) != 0 ||
	    tail[END_RECORD - 1] || tail[END_RECORD - 2])
		return r < 0 ? r : 0;
	return bad_item(check, name, slice, false);
}

/*
 * How the tensors of a save are stored: all alike. Where most are archives, all of them are, and
 * one that looks like none has lost its head or its end. Where a few are, a program stores tensors
 * as they are, and one holds what happens to be an archive.
 */
struct heads {
	uint64_t archives, others;
	const char *file; /* of the first that is none, or NULL */
	uint64_t off;
	struct ckpt_report *own; /* of the last item */
};

static void note_head(const struct ckpt_slice *slice, const char *name, struct heads *heads)
{
	if (heads->own->format == &ckpt_format_torch_zip) {
		heads->archives++;
		return;
	}
	if (heads->own->verdict.evidence > CKPT_EVIDENCE_OPAQUE)
		return; /* of another format as a whole */
	if (heads->others++ == 0) {
		heads->file = name;
		heads->off = slice->off;
	}
}

static int judge_heads(struct ckpt_check *check, const struct heads *heads)
{
	if (!heads->file || heads->archives < heads->others)
		return 0;
	return ckpt_check_blame(check, heads->file,
				ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
						  heads->off, NULL,
						  "a tensor that is no archive, as %llu others are",
						  (unsigned long long)heads->archives));
}

/* The @n items at @items, all of one file. */
static int check_items(struct ckpt_check *check, const char *name, const uint64_t *items, size_t n,
		       struct heads *heads)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r;

	if (ckpt_dcp_has_own_header(name))
		return ckpt_check_member(check, name, CKPT_LEVEL_FULL, CKPT_PROBLEM_SHARD_MISSING,
					 NULL);
	r = open_data(check, name, &file);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const uint64_t *item = items + 3 * i;
		const struct ckpt_slice slice = { &file, item[1], item[2] & ~CKPT_DCP_TENSOR };

		if (slice.len == 0 || (i && memcmp(item, item - 3, 3 * sizeof(*item)) == 0))
			continue; /* nothing stored, or shared by two names */
		r = check_head(check, name, &slice);
		if (r == 0)
			r = ckpt_check_slice(check, &slice, CKPT_LEVEL_FULL, heads->own);
		if (r == 0 && (item[2] & CKPT_DCP_TENSOR))
			note_head(&slice, name, heads);
	}
	return r;
}

int ckpt_dcp_content(struct ckpt_check *check, const struct ckpt_dcp_index *index)
{
	uint64_t size = check->report->verdict.size_bytes;
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	struct heads heads = { .own = own };
	size_t from = 0, to;
	int r = 0;

	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");

	for (; r == 0 && from < index->n_items; from = to) {
		const uint64_t *items = index->items + 3 * from;

		to = from + 1;
		while (to < index->n_items && index->items[3 * to] == items[0])
			to++;
		r = check_items(check, index->files[items[0]].name, items, to - from, &heads);
	}
	r = r ? r : judge_heads(check, &heads);
	check->report->verdict.size_bytes = size; /* slices are no files of their own */
	if (r == 0 && index->n_unkept)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "content of %llu items beyond the first %d not read",
			       (unsigned long long)index->n_unkept, CKPT_DCP_ITEMS);
	return r;
}
