/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_tar.h. "storages" holds their number, then for each the pickle of (key, location,
 * type), the number of its elements and their bytes, then mostly a list of views: it must end just
 * there. Source: _legacy_load() of torch/serialization.py.
 */
#include "core/format/torch/torch_tar.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/torch/pickle_scan.h"
#include "core/format/archive/tar_walk.h"
#include "core/format/torch/torch_state.h"

#define TYPE_AT 512 /* the name of a storage's type stands that early in its pickle */

enum { PICKLE, STORAGES, TENSORS, SYS_INFO, N_PARTS };

static const char *const parts[N_PARTS] = { "pickle", "storages", "tensors", "sys_info" };

struct found {
	struct ckpt_check *check;
	struct ckpt_tar_member part[N_PARTS];
	bool has[N_PARTS];
	int in;		  /* the part that is read */
	uint64_t at, end; /* in it */
	bool unknown;	  /* a storage of a type that has no known size */
};

static int part_of(const char *path)
{
	int i = 0;

	while (i < N_PARTS && strcmp(parts[i], path) != 0)
		i++;
	return i;
}

static int find(struct found *f)
{
	struct ckpt_tar tar = { .check = f->check };
	struct ckpt_tar_member m;
	int r = 0;

	while (r == 0) {
		int i;

		r = ckpt_tar_next(&tar, &m);
		if (r || tar.end)
			break;
		i = part_of(m.path);
		if (i < N_PARTS) {
			f->part[i] = m;
			f->has[i] = true;
		}
	}
	for (int i = PICKLE; r == 0 && i <= STORAGES; i++)
		if (!f->has[i])
			r = ckpt_check_reject(f->check, CKPT_INCOMPLETE,
					      CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, parts[i],
					      "this member is missing");
	return r;
}

static int bad(struct found *f, const char *what)
{
	return ckpt_check_reject(f->check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, f->at,
				 f->part[f->in].path, "%s at byte %llu cannot be followed", what,
				 (unsigned long long)f->at);
}

/* Scans the pickle at f->at and moves on behind it. */
static int scan(struct found *f, struct ckpt_pickle_summary *ret, const char *what)
{
	const struct ckpt_pickle_sink sink = { 0 };
	struct ckpt_pickle_range range = { f->check->file, f->at, f->end };
	int r = ckpt_pickle_scan_range(&range, &sink, ret, f->check->err);

	f->at = range.off;
	return r > 0 ? bad(f, what) : r;
}

/* Bytes an element of the storage type that the pickle in @buf names; 0 if unknown. */
static uint8_t element_of(const char *buf, size_t len)
{
	static const char module[] = "ctorch\n";
	const struct ckpt_pickle_sink sink = { 0 };
	struct ckpt_pickle_arg arg = { 0 };
	const char *at = memmem(buf, len, module, strlen(module)), *end;

	if (!at)
		return 0;
	at += strlen(module);
	end = memchr(at, '\n', len - (size_t)(at - buf));
	if (!end || (size_t)(end - at) >= sizeof(arg.text))
		return 0;
	arg.len = (size_t)(end - at);
	memcpy(arg.text, at, arg.len);
	return ckpt_pickle_element(ckpt_pickle_word(&sink, &arg));
}

/* One storage: its pickle, its number of elements, its bytes. */
static int read_storage(struct found *f)
{
	uint64_t begin = f->at, bytes, end;
	struct ckpt_pickle_summary sum;
	uint8_t element, count[8];
	char buf[TYPE_AT];
	size_t n;
	int r = scan(f, &sum, "a storage");

	if (r)
		return r;
	n = f->at - begin < sizeof(buf) ? (size_t)(f->at - begin) : sizeof(buf);
	r = ckpt_check_read(f->check, begin, buf, n, "a storage");
	if (r == 0 && f->end - f->at < sizeof(count))
		return bad(f, "a storage");
	r = r ? r : ckpt_check_read(f->check, f->at, count, sizeof(count), "a storage");
	if (r)
		return r;
	element = element_of(buf, n);
	f->unknown = element == 0;
	f->at += sizeof(count);
	if (__builtin_mul_overflow(ckpt_bytes_le(count, 8), element, &bytes) ||
	    __builtin_add_overflow(f->at, bytes, &end) || end > f->end)
		return bad(f, "the number of elements before that");
	f->at = end;
	f->check->report->tensors++;
	return 0;
}

static void enter(struct found *f, int part)
{
	f->in = part;
	f->at = f->part[part].off;
	f->end = f->at + f->part[part].size;
}

/* One tensor: the pickle of (key, storage, type), dimensions in 8 bytes, sizes, strides, offset. */
static int read_tensor(struct found *f)
{
	struct ckpt_pickle_summary sum;
	uint64_t dims, left;
	uint8_t buf[8];
	int r = scan(f, &sum, "a tensor");

	if (r)
		return r;
	if (f->end - f->at < sizeof(buf))
		return bad(f, "a tensor");
	r = ckpt_check_read(f->check, f->at, buf, sizeof(buf), "a tensor");
	if (r)
		return r;
	dims = ckpt_bytes_le(buf, 4);
	left = (f->end - f->at) / 8;
	if (left < 2 || dims > (left - 2) / 2)
		return bad(f, "the number of dimensions");
	f->at += 8 * (2 + 2 * dims);
	return 0;
}

static int read_tensors(struct found *f)
{
	struct ckpt_pickle_summary sum;
	int r;

	enter(f, TENSORS);
	r = scan(f, &sum, "the number of tensors");
	if (r == 0 && sum.top.kind != CKPT_PICKLE_INT)
		return bad(f, "the number of tensors before that");
	for (int64_t i = 0; r == 0 && i < sum.top.i && f->at < f->end; i++)
		r = read_tensor(f);
	return r;
}

static int read_storages(struct found *f)
{
	struct ckpt_pickle_summary sum;
	int r;

	enter(f, STORAGES);
	r = scan(f, &sum, "the number of storages");
	if (r == 0 && sum.top.kind != CKPT_PICKLE_INT)
		return bad(f, "the number of storages before that");
	for (int64_t i = 0; r == 0 && !f->unknown && i < sum.top.i; i++)
		r = read_storage(f);
	if (r)
		return r;
	if (f->unknown) {
		ckpt_check_cap(f->check, CKPT_EVIDENCE_OPAQUE,
			       "the size of a storage could not be found out");
		return 0;
	}
	if (f->at < f->end)
		r = scan(f, &sum, "the list of views");
	if (r == 0 && f->at != f->end)
		return bad(f, "what follows the storages");
	return r;
}

static int read_pickle(struct found *f)
{
	struct ckpt_check *check = f->check;
	const struct ckpt_tar_member *m = &f->part[PICKLE];
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	int r = ckpt_stream_init(&in, check->file, m->off, m->off + m->size, check->err);

	r = r ? r : ckpt_torch_state_scan(&in, check->report, NULL, NULL, check->err);
	if (r <= 0 || r == CKPT_PICKLE_LIMIT)
		return r < 0 ? r : 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, m->off, m->path,
				 "the pickle cannot be followed");
}

static bool sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	char path[101] = "";

	if (head->n_head < CKPT_TAR_BLOCK || !ckpt_tar_is_header(head->head))
		return false;
	memcpy(path, head->head, 100);
	return part_of(path) < N_PARTS;
}

static int structure(struct ckpt_check *check)
{
	_cleanup_free_ struct found *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return ckpt_fail(check->err, -ENOMEM, "no memory to read an archive");
	f->check = check;
	r = find(f);
	r = r ? r : read_pickle(f);
	r = r ? r : read_storages(f);
	return r || !f->has[TENSORS] ? r : read_tensors(f);
}

const struct ckpt_format ckpt_format_torch_tar = {
	.name = "torch-tar",
	.title = "PyTorch tar (torch.save of the first versions)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_STRUCTURE,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = sniff,
	.structure = structure,
	.bare = "no checksums stored in this file",
};
