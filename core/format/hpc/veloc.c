/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See veloc.h. Nothing in the bytes says whose they are: a file is taken for VELOC's by its name
 * and a beginning that can be such a table. Numbers are the machine's, little-endian here.
 */
#include "core/format/hpc/veloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/beside.h"
#include "core/base/bytes.h"
#include "wire/text.h"

#define COUNT_LEN 8		   /* size_t: number of regions */
#define ENTRY_LEN 12		   /* int, size_t */
#define REGIONS_MAX (1u << 20)	   /* a program protects them one by one */
#define OFFSETS_MAX (10 * 1000000) /* ranks of one aggregated file */

/* What an aggregated file's name and the file of its offsets in the meta directory say. */
struct aggregate {
	struct ckpt_file offsets;
	uint64_t ranks; /* 0: the offsets were not found */
};

/* Where @end points behind digits, or NULL. */
static const char *before_digits(const char *begin, const char *end)
{
	const char *p = end;

	while (p > begin && p[-1] >= '0' && p[-1] <= '9')
		p--;
	return p < end ? p : NULL;
}

/* command_t::stem() and agg_filename(): NAME-RANK-VERSION.dat, NAME-agg-VERSION.dat. */
static bool is_named(const char *name, bool *ret_aggregated)
{
	const char *at, *end = name + strlen(name) - strlen(".dat");

	if (!ckpt_text_ends(name, ".dat"))
		return false;
	at = before_digits(name, end);
	if (!at || at - name < 2 || *--at != '-')
		return false;
	*ret_aggregated = at - name > 4 && memcmp(at - 4, "-agg", 4) == 0;
	if (*ret_aggregated)
		return true;
	at = before_digits(name, at);
	return at && at - name > 1 && at[-1] == '-';
}

static int32_t id_of(const uint8_t *entry)
{
	return (int32_t)(uint32_t)ckpt_bytes_le(entry, 4);
}

/* The file's entries that lie in its head are in order: they come from a std::map. */
static bool ascends(const struct ckpt_head *head, uint64_t n)
{
	const uint8_t *entry = head->head + COUNT_LEN;
	uint64_t seen = (head->n_head - COUNT_LEN) / ENTRY_LEN;

	for (uint64_t i = 1; i < n && i < seen; i++, entry += ENTRY_LEN)
		if (id_of(entry + ENTRY_LEN) <= id_of(entry) &&
		    !ckpt_bytes_zero(entry + ENTRY_LEN, ENTRY_LEN))
			return false;
	return true;
}

/* The sizes in a table that lies in the head make up the file's. */
static bool adds_up(const struct ckpt_head *head, uint64_t n)
{
	uint64_t size = COUNT_LEN + n * ENTRY_LEN;

	if (size > head->n_head)
		return false;
	for (uint64_t i = 0; i < n; i++)
		size += ckpt_bytes_le(head->head + COUNT_LEN + i * ENTRY_LEN + 4, 8);
	return size == head->size;
}

static bool veloc_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	bool aggregated;
	uint64_t n;

	if (!is_named(check->file->name, &aggregated))
		return false;
	if (head->n_head < COUNT_LEN)
		return true;
	n = ckpt_bytes_le(head->head, COUNT_LEN);
	if (aggregated && n == head->size / 8 - 1)
		return true; /* the list of offsets, said to be that */
	return n <= REGIONS_MAX && (ascends(head, n) || adds_up(head, n));
}

/* A table under way. */
struct table {
	struct ckpt_check *check;
	uint64_t at;	/* of the next entry */
	uint64_t bytes; /* of the regions so far */
	int64_t last;	/* number of the region before */
};

static int unwritten(struct ckpt_check *check, uint64_t at)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, at, NULL,
				 "its table of regions is zero: the writer had not finished");
}

static int take_entry(struct table *t, const uint8_t *entry)
{
	int64_t id = id_of(entry);

	if (id <= t->last && ckpt_bytes_zero(entry, ENTRY_LEN))
		return unwritten(t->check, t->at);
	if (id <= t->last)
		return ckpt_check_reject(t->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, t->at, NULL,
					 "its table of regions has number %lld behind %lld",
					 (long long)id, (long long)t->last);
	if (__builtin_add_overflow(t->bytes, ckpt_bytes_le(entry + 4, 8), &t->bytes))
		return ckpt_check_reject(t->check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, t->at, NULL,
					 "its regions have more than 2^64 bytes");
	t->last = id;
	t->at += ENTRY_LEN;
	return 0;
}

static int take_entries(struct table *t, uint64_t n)
{
	uint8_t buf[340 * ENTRY_LEN];
	int r = 0;

	for (uint64_t left = n, k; r == 0 && left > 0; left -= k) {
		k = left < sizeof(buf) / ENTRY_LEN ? left : sizeof(buf) / ENTRY_LEN;
		r = ckpt_check_read(t->check, t->at, buf, k * ENTRY_LEN, "its table of regions");
		for (uint64_t i = 0; r == 0 && i < k; i++)
			r = take_entry(t, buf + i * ENTRY_LEN);
	}
	return r;
}

/* One rank's table and regions from @at on; *@ret_end is where they end. 0, a rejection or an
 * errno. */
static int check_rank(struct ckpt_check *check, uint64_t at, uint64_t *ret_end)
{
	struct table t = { .check = check, .at = at + COUNT_LEN, .last = INT64_MIN };
	uint64_t n, size = check->file->size;
	uint8_t count[COUNT_LEN];
	int r = ckpt_check_read(check, at, count, COUNT_LEN, "its table of regions");

	if (r)
		return r;
	n = ckpt_bytes_le(count, COUNT_LEN);
	if (n == 0)
		return unwritten(check, at);
	if (n > REGIONS_MAX)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL,
					 "its table has %llu regions", (unsigned long long)n);
	r = take_entries(&t, n);
	if (r)
		return r;
	check->report->tensors += n;
	if (t.bytes > size || t.at > size - t.bytes)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
					 "its regions need %llu bytes from %llu on, the file has "
					 "%llu",
					 (unsigned long long)t.bytes, (unsigned long long)t.at,
					 (unsigned long long)size);
	*ret_end = t.at + t.bytes;
	return 0;
}

/* VELOC takes no file with more than its table says; its copies don't cut a longer older one. */
static int check_end(struct ckpt_check *check, uint64_t end)
{
	if (end == check->file->size)
		return 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, end, NULL,
				 "it has %llu bytes, its regions end at %llu",
				 (unsigned long long)check->file->size, (unsigned long long)end);
}

/* A list of offsets: number of ranks and each one's offset, as long each. *@ret_ranks is 0 for
 * another file. */
static int read_ranks(const struct ckpt_file *file, uint64_t *ret_ranks, struct ckpt_error *err)
{
	uint8_t buf[16];
	uint64_t n;
	int r;

	*ret_ranks = 0;
	if (file->size < sizeof(buf) || file->size % 8 || file->size / 8 > OFFSETS_MAX)
		return 0;
	r = ckpt_file_read(file, 0, buf, sizeof(buf), err);
	if (r)
		return r < 0 ? r : 0;
	n = ckpt_bytes_le(buf, 8);
	if (n == file->size / 8 - 1 && ckpt_bytes_zero(buf + 8, 8))
		*ret_ranks = n;
	return 0;
}

/* The file of the same name in the meta directory, if that lies beside. 0 or an errno. */
static int find_offsets(struct ckpt_check *check, struct aggregate *ret)
{
	const struct ckpt_beside beside = { "..", ".", check->file->name };
	_cleanup_close_ int fd = ckpt_beside_open(check->dirfd, &beside);

	if (fd < 0 || ckpt_file_open(check->ctx, fd, beside.wanted, &ret->offsets, NULL) != 0)
		return 0;
	return read_ranks(&ret->offsets, &ret->ranks, check->err);
}

/* Whether the list of offsets has @at for @rank. */
static int check_offset(struct ckpt_check *check, const struct aggregate *all, uint64_t rank,
			uint64_t at)
{
	uint8_t offset[8];
	int r;

	if (!all->ranks)
		return 0;
	r = ckpt_file_read(&all->offsets, 8 + rank * 8, offset, sizeof(offset), check->err);
	if (r < 0)
		return r;
	if (r == 0 && ckpt_bytes_le(offset, 8) == at)
		return 0;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_DIRECTORY, at, NULL,
				 "rank %llu begins here, VELOC's list of offsets says otherwise",
				 (unsigned long long)rank);
}

static int check_ranks(struct ckpt_check *check, const struct aggregate *all)
{
	uint64_t at = 0, rank = 0, size = check->file->size;
	int r = 0;

	while (r == 0 && at < size && (!all->ranks || rank < all->ranks)) {
		r = ckpt_ctx_expired(check->ctx);
		r = r ? r : check_offset(check, all, rank, at);
		r = r ? r : check_rank(check, at, &at);
		rank += r == 0;
	}
	if (r)
		return r;
	if (rank < all->ranks)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, size,
					 NULL, "the part of rank %llu is missing (of %llu)",
					 (unsigned long long)rank, (unsigned long long)all->ranks);
	return check_end(check, at);
}

static int check_aggregated(struct ckpt_check *check)
{
	struct aggregate all = { .offsets = CKPT_FILE_INIT };
	struct ckpt_verdict *verdict = &check->report->verdict;
	uint64_t own;
	int r = read_ranks(check->file, &own, check->err);

	if (r < 0)
		return r;
	if (own)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, 0, NULL,
					 "it is a list of offsets of VELOC's, not the checkpoint");
	r = find_offsets(check, &all);
	r = r ? r : check_ranks(check, &all);
	if (r == 0 && !all.ranks)
		snprintf(verdict->note, sizeof(verdict->note),
			 "no directory beside has VELOC's offsets: how many ranks there must be is "
			 "not known");
	ckpt_file_done(&all.offsets);
	return r;
}

static int veloc_structure(struct ckpt_check *check)
{
	bool aggregated = false;
	uint64_t end;
	int r;

	check->report->contents = CKPT_CONTENTS_FULL;
	snprintf(check->report->framework, sizeof(check->report->framework), "VELOC");
	if (is_named(check->file->name, &aggregated) && aggregated)
		return check_aggregated(check);
	r = check_rank(check, 0, &end);
	return r ? r : check_end(check, end);
}

const struct ckpt_format ckpt_format_veloc = {
	.name = "veloc",
	.title = "VELOC checkpoint",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = veloc_sniff,
	.structure = veloc_structure,
};
