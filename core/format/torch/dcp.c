/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dcp.h. A save into a directory that holds an older one overwrites the data in place before
 * the new `.metadata` comes, so sizes that disagree are an unfinished save, not damage.
 */
#include "core/format/torch/dcp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/dcp_content.h"
#include "core/format/torch/dcp_index.h"
#include "core/format/torch/dcp_names.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define METADATA ".metadata"
#define LIGHTNING "meta.pt"
#define RANKS_MAX 65536
#define LATER_NS                                                                                   \
	(INT64_C(60) *                                                                             \
	 1000000000) /* between clocks of nodes and servers; saves lie further apart */

/* What the directory holds. */
struct listing {
	uint64_t n_data, n_rank_metadata;
	uint64_t top_rank; /* greatest K of __K.metadata plus one */
};

/* 0 or an errno. */
static int list(const struct ckpt_check *check, struct listing *ret)
{
	int fd = openat(check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	char number[24];
	int64_t rank;

	if (!dir)
		return -errno;
	*ret = (struct listing) { .n_data = 0 };
	while (errno = 0, (entry = readdir(dir))) {
		ret->n_data += ckpt_text_ends(entry->d_name, ".distcp");
		if (sscanf(entry->d_name, "__%20[0-9].metadata", number) != 1 ||
		    !ckpt_text_ends(entry->d_name, METADATA) ||
		    !ckpt_text_int(number, 0, RANKS_MAX - 1, &rank))
			continue;
		ret->n_rank_metadata++;
		if ((uint64_t)rank >= ret->top_rank)
			ret->top_rank = (uint64_t)rank + 1;
	}
	return -errno;
}

static int fail_list(struct ckpt_check *check, int r)
{
	return ckpt_fail(check->err, r, "cannot list %s: %s", CKPT_QUOTE(check->name),
			 strerror(-r));
}

/* The verdict on the metadata file @name after the scan answered @r. */
static int metadata_verdict(struct ckpt_check *check, const struct ckpt_dcp_index *index,
			    struct ckpt_stream *in, int r)
{
	uint64_t off = ckpt_stream_offset(in);

	switch (r) {
	case CKPT_PICKLE_TORN:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
					 in->file->size, NULL, "the pickle ends before its end");
	case CKPT_PICKLE_BAD:
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, NULL,
					 "no pickle from here on");
	case CKPT_PICKLE_LIMIT:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, off,
					 NULL, "nested deeper than the scan follows");
	case CKPT_PICKLE_STOPPED:
		break;
	default:
		return r;
	}
	if (index->fault == -EOVERFLOW)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, NULL,
					 "an item's offset and length make no range");
	if (index->fault == -E2BIG)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, off,
					 NULL, "more than %d data files: not checked",
					 CKPT_DCP_FILES);
	return ckpt_fail(check->err, index->fault, "no memory for the index of %s",
			 CKPT_QUOTE(check->name));
}

/* Reads the opened metadata file. */
static int scan_metadata(struct ckpt_check *check, const struct ckpt_file *file,
			 struct ckpt_dcp_index *index)
{
	_cleanup_stream_ struct ckpt_stream in = { .file = file };
	int r;

	check->report->verdict.size_bytes += file->size;
	if (file->size == 0)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, 0, NULL,
					 "the file is empty");
	r = ckpt_stream_init(&in, file, 0, file->size, check->err);
	if (r == 0)
		r = metadata_verdict(check, index, &in,
				     ckpt_dcp_index_read(index, &in, check->err));
	if (r == 0 && ckpt_stream_offset(&in) != file->size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, ckpt_stream_offset(&in),
				  "bytes follow the pickle in %s", file->name);
	return r;
}

static int read_metadata(struct ckpt_check *check, const char *name, struct ckpt_dcp_index *index)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
				      CKPT_NO_OFFSET, NULL,
				      "it is missing: the save did not finish");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	else if (r == 0)
		r = scan_metadata(check, &file, index);
	return r > 0 ? ckpt_check_blame(check, name, r) : r;
}

/* One file for all, or, without collectives, one of each rank. */
static int read_index(struct ckpt_check *check, const struct listing *l,
		      struct ckpt_dcp_index *index)
{
	char name[64];
	int r = 0;

	if (!ckpt_dir_lacks(check->dirfd, METADATA) || l->n_rank_metadata == 0)
		return read_metadata(check, METADATA, index);
	for (uint64_t rank = 0; r == 0 && rank < l->top_rank; rank++) {
		snprintf(name, sizeof(name), "__%llu" METADATA, (unsigned long long)rank);
		r = read_metadata(check, name, index);
	}
	return r;
}

/* A path downwards, as the reader joins it to the directory's: anything else could lead out. */
static bool is_below(const char *path)
{
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, "/");
		if (n == 0 || (n <= 2 && strncmp(path, "..", n) == 0))
			return false;
		if (!path[n])
			return true;
	}
}

/* A device or a pipe has no size that says anything. */
static int check_regular(struct ckpt_check *check, const char *name)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_error err;

	if (ckpt_file_open(check->ctx, check->dirfd, name, &file, &err) != CKPT_FILE_NOT_REGULAR)
		return 0; /* its size has been asked for, and says it all */
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
				 "not a regular file");
}

static int compare_size(struct ckpt_check *check, const struct ckpt_dcp_file *file, uint64_t size)
{
	if (size < file->end)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
					 "it has %llu bytes, its items need %llu",
					 (unsigned long long)size, (unsigned long long)file->end);
	if (size > file->end && !ckpt_dcp_has_own_header(file->name))
		return ckpt_check_reject(
			check, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES, file->end, NULL,
			"it has %llu bytes, its items end at %llu: %s is not of "
			"the same save",
			(unsigned long long)size, (unsigned long long)file->end, METADATA);
	return 0;
}

/* Size of one data file. *@later: it was changed well after @metadata_ns. */
static int check_size(struct ckpt_check *check, const struct ckpt_dcp_file *file,
		      int64_t metadata_ns, bool *later)
{
	struct ckpt_identity id;
	bool below = is_below(file->name);
	int r = below ? ckpt_identity_at(check->dirfd, file->name, true, &id) : 0;

	if (!below)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 NULL,
					 METADATA " names it, which is no path in this directory");
	if (r == -ENOENT)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
					 CKPT_NO_OFFSET, NULL, "it is missing");
	if (r < 0)
		return ckpt_fail(check->err, r, "cannot look up %s: %s", CKPT_QUOTE(file->name),
				 strerror(-r));
	check->report->verdict.size_bytes += id.size;
	r = id.size == file->end ? 0 : check_regular(check, file->name);
	if (r)
		return r;
	*later |= id.mtime_ns > metadata_ns && id.mtime_ns - metadata_ns > LATER_NS;
	return compare_size(check, file, id.size);
}

static int check_sizes(struct ckpt_check *check, const struct ckpt_dcp_index *index)
{
	struct ckpt_identity metadata = { .mtime_ns = INT64_MAX };
	bool later = false;

	ckpt_identity_at(check->dirfd, METADATA, true, &metadata);
	for (size_t i = 0; i < index->n_files; i++) {
		int r = index->files[i].used
				? check_size(check, &index->files[i], metadata.mtime_ns, &later)
				: 0;

		if (r)
			return r > 0 ? ckpt_check_blame(check, index->files[i].name, r) : r;
	}
	if (later)
		ckpt_check_remark(check, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET,
				  "a data file is younger than " METADATA
				  ": perhaps overwritten by a save that did not finish");
	return 0;
}

static int check_data(struct ckpt_check *check, struct ckpt_dcp_index *index, enum ckpt_level level)
{
	int r;

	if (index->n_items == 0 && index->n_unplaced == 0)
		return ckpt_check_blame(check, METADATA,
					ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER,
							  CKPT_NO_OFFSET, NULL,
							  "it names no stored item"));
	check->report->tensors = index->n_tensors
					 ? index->n_tensors
					 : index->n_items + index->n_unkept + index->n_unplaced;
	if (index->n_unplaced)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "the file of %llu items is not known: not compared",
			       (unsigned long long)index->n_unplaced);
	r = check_sizes(check, index);
	if (r || level < CKPT_LEVEL_FULL)
		return r;
	ckpt_dcp_index_sort(index);
	return ckpt_dcp_content(check, index);
}

int ckpt_dcp_check(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_dcp_index_ struct ckpt_dcp_index index = { .fault = 0 };
	struct listing l;
	int r = list(check, &l);

	if (r < 0)
		return fail_list(check, r);
	r = read_index(check, &l, &index);
	return r ? r : check_data(check, &index, level);
}

bool ckpt_dcp_is(const struct ckpt_check *check)
{
	struct listing l;

	return ckpt_dir_has(check->dirfd, METADATA) ||
	       ckpt_dir_has(check->dirfd, METADATA ".tmp") ||
	       (list(check, &l) == 0 && (l.n_data || l.n_rank_metadata));
}

/* Lightning's part holds the position; it is written after the others and names the directory
 * .ckpt, which without it is no checkpoint to Lightning. */
static int check_lightning(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	int r;

	if (!ckpt_dir_has(check->dirfd, LIGHTNING) &&
	    !ckpt_text_ends(ckpt_train_dir_name(check), ".ckpt"))
		return 0;
	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	r = ckpt_check_member(check, LIGHTNING, level, CKPT_PROBLEM_MEMBER_MISSING, own);
	if (r)
		return r;
	check->report->position = own->position;
	check->report->n_keys = own->n_keys;
	check->report->keys_cut = own->keys_cut;
	memcpy(check->report->keys, own->keys, sizeof(own->keys));
	memcpy(check->report->framework, own->framework, sizeof(own->framework));
	return 0;
}

static int dcp_structure(struct ckpt_check *check)
{
	int r = ckpt_dcp_check(check, CKPT_LEVEL_STRUCTURE);

	return r ? r : check_lightning(check, CKPT_LEVEL_STRUCTURE);
}

static int dcp_content(struct ckpt_check *check)
{
	int r = ckpt_dcp_check(check, CKPT_LEVEL_FULL);

	return r ? r : check_lightning(check, CKPT_LEVEL_FULL);
}

/* torchtitan's name means such a directory too, before anything is in it. */
static bool dcp_sniff(const struct ckpt_check *check)
{
	int64_t number;

	return ckpt_dcp_is(check) ||
	       (ckpt_train_dir_numbered(ckpt_train_dir_name(check), "step-", &number) &&
		!ckpt_dir_has(check->dirfd, "model.safetensors.index.json"));
}

const struct ckpt_format ckpt_format_dcp = {
	.name = "dcp",
	.title = "PyTorch distributed checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the items lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = dcp_sniff,
	.structure = dcp_structure,
	.content = dcp_content,
	.at = ckpt_dcp_at,
};
