/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of a file of one or more arrays. Nothing in it is a checksum; arrays of objects are
 * pickles, whose end is looked for without unpickling them.
 */
#include "core/format/array/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/torch/pickle.h"
#include "wire/text.h"

int ckpt_npy_reject(struct ckpt_check *check, int result, const struct ckpt_npy *npy, uint64_t off,
		    const char *member)
{
	switch ((enum ckpt_npy_result)result) {
	case CKPT_NPY_SHORT:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, off,
					 member, "it ends within the array's header");
	case CKPT_NPY_LARGE:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, off,
					 member, "the array's header has %llu bytes: not read",
					 (unsigned long long)npy->header);
	case CKPT_NPY_BAD:
		break;
	}
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, member, "%s",
				 npy->why);
}

/* The pickle of an array of objects must reach its STOP; sets the length. */
static int check_objects(struct ckpt_check *check, uint64_t off, uint64_t end, const char *member,
			 struct ckpt_npy *npy)
{
	const struct ckpt_pickle_sink sink = { 0 };
	struct ckpt_pickle_range range = { check->file, off, end };
	int r = ckpt_pickle_scan_range(&range, &sink, NULL, check->err);

	npy->data = r == 0 ? range.off - off : end - off;
	if (r == CKPT_PICKLE_TORN)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, end,
					 member, "it ends within the pickle of its objects");
	if (r == CKPT_PICKLE_BAD)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, off, member,
					 "its objects are no whole pickle");
	return r < 0 ? r : 0;
}

/* The bytes from @off to @end, as many as a header may have. */
static int read_header(struct ckpt_check *check, uint64_t off, uint64_t end, const char *member,
		       struct ckpt_npy *ret)
{
	size_t len = end - off < CKPT_NPY_PREFIX ? end - off : CKPT_NPY_PREFIX;
	_cleanup_free_ uint8_t *buf = calloc(1, CKPT_NPY_PREFIX + CKPT_NPY_HEADER_MAX);
	int r, parsed;

	if (!buf)
		return ckpt_fail(check->err, -ENOMEM, "no memory for the header of %s",
				 CKPT_QUOTE(check->file->name));
	r = ckpt_check_read(check, off, buf, len, "the array's header");
	if (r)
		return r;
	parsed = ckpt_npy_parse(buf, len, ret);
	if (parsed == CKPT_NPY_SHORT && ret->header && ret->header <= end - off) {
		r = ckpt_check_read(check, off, buf, ret->header, "the array's header");
		if (r)
			return r;
		parsed = ckpt_npy_parse(buf, ret->header, ret);
	}
	if (parsed == CKPT_NPY_LARGE && ret->header > end - off)
		parsed = CKPT_NPY_SHORT;
	return parsed ? ckpt_npy_reject(check, parsed, ret, off, member) : 0;
}

int ckpt_npy_large(struct ckpt_check *check, uint64_t off, uint64_t end)
{
	uint8_t buf[CKPT_NPY_PREFIX];
	struct ckpt_npy npy;
	int r;

	if (end - off <= CKPT_NPY_HEADER_MAX)
		return 0;
	r = ckpt_file_read(check->file, off, buf, sizeof(buf), check->err);
	if (r)
		return r < 0 ? r : 0;
	return ckpt_npy_parse(buf, sizeof(buf), &npy) == CKPT_NPY_LARGE && npy.header <= end - off;
}

int ckpt_npy_check(struct ckpt_check *check, uint64_t off, uint64_t end, const char *member,
		   struct ckpt_npy *ret)
{
	int r = read_header(check, off, end, member, ret);

	if (r)
		return r;
	if (ret->objects)
		return check_objects(check, off + ret->header, end, member, ret);
	if (end - off - ret->header >= ret->data)
		return 0;
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, end, member,
				 "its header promises %llu bytes of data, but %llu follow",
				 (unsigned long long)ret->data,
				 (unsigned long long)(end - off - ret->header));
}

static bool another_follows(const struct ckpt_check *check, uint64_t off)
{
	uint8_t magic[6];

	return check->file->size - off >= sizeof(magic) &&
	       ckpt_file_read(check->file, off, magic, sizeof(magic), check->err) == 0 &&
	       memcmp(magic, "\x93NUMPY", sizeof(magic)) == 0;
}

static int npy_structure(struct ckpt_check *check)
{
	uint64_t off = 0, size = check->file->size;
	struct ckpt_npy npy;
	int r;

	do {
		r = ckpt_npy_check(check, off, size, NULL, &npy);
		if (r)
			return r;
		off += npy.header + npy.data;
		check->report->tensors++;
	} while (another_follows(check, off));
	if (off < size)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, off,
				  "%llu bytes follow the last array",
				  (unsigned long long)(size - off));
	return 0;
}

struct ckpt_tensor ckpt_npy_tensor(const struct ckpt_npy *npy, const char *name)
{
	struct ckpt_tensor told = { .name = name, .count = npy->items, .shape = npy->shape };

	if (npy->kind)
		snprintf(told.type, sizeof(told.type), "%c%llu", npy->kind,
			 (unsigned long long)npy->item);
	return told;
}

/* Arrays of a file have no names. */
static int npy_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	uint64_t off = 0;
	struct ckpt_npy npy;

	do {
		int r = ckpt_npy_check(check, off, check->file->size, NULL, &npy);
		const struct ckpt_tensor told = ckpt_npy_tensor(&npy, "");

		if (r)
			return r;
		tell(arg, &told);
		off += npy.header + npy.data;
	} while (another_follows(check, off));
	return 0;
}

static bool npy_sniff(const struct ckpt_check *check)
{
	return check->head.n_head >= 6 && memcmp(check->head.head, "\x93NUMPY", 6) == 0;
}

const struct ckpt_format ckpt_format_npy = {
	.name = "npy",
	.title = "NumPy array (np.save)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = npy_sniff,
	.structure = npy_structure,
	.bare = "npy stores no checksum",
	.finite = ckpt_npy_finite,
	.tensors = npy_tensors,
};
