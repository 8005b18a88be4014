/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structure: the directory, and the header of each stored array against its length. Content: all
 * CRCs; deflated arrays are decoded for theirs, and their headers looked at on the way.
 */
#include "core/format/array/npz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/array/npy.h"
#include "core/format/scalar.h"
#include "core/format/archive/zip_check.h"
#include "core/format/inflate.h"
#include "wire/text.h"

/* Bytes of an array's header that are looked at; those of plain types have 128. */
#define HEAD 4096

/* An array's name is that of its entry without ".npy". */
static void array_name(const struct ckpt_zip_entry *e, char *ret, size_t size)
{
	snprintf(ret, size, "%.*s", e->name_len - 4, e->name);
}

static int take_scalar(struct ckpt_check *check, const struct ckpt_zip_entry *e,
		       const struct ckpt_npy *npy, const char *name)
{
	uint8_t data[8];
	int r;

	if (npy->items != 1 || npy->data > sizeof(data) || !npy->kind ||
	    !strchr("iuf", npy->kind) || !ckpt_scalar_wanted(name))
		return 0;
	r = ckpt_check_read(check, e->data_off + npy->header, data, npy->data, name);
	if (r == 0)
		ckpt_scalar_take(
			check->report, name,
			&(const struct ckpt_scalar) { npy->kind, npy->big, npy->data, data });
	return r;
}

/* A whole array is exactly as long as its entry. */
static int judge_length(struct ckpt_check *check, const struct ckpt_zip_entry *e,
			const struct ckpt_npy *npy)
{
	uint64_t rest = e->usize - npy->header;

	if (npy->objects || rest == npy->data)
		return 0;
	return ckpt_check_reject(check, rest < npy->data ? CKPT_INCOMPLETE : CKPT_CORRUPT,
				 rest < npy->data ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_HEADER,
				 e->data_off, e->name,
				 "its header promises %llu bytes of data, but %llu follow",
				 (unsigned long long)npy->data, (unsigned long long)rest);
}

static int on_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct ckpt_npy npy;
	char name[256];
	int r;

	(void)arg;
	if (!ckpt_text_ends(e->name, ".npy"))
		return 0;
	array_name(e, name, sizeof(name));
	check->report->tensors++;
	ckpt_report_add_key(check->report, name, strcspn(name, "/"));
	if (e->method != CKPT_ZIP_STORED || !ckpt_zip_check_readable(e))
		return 0;
	r = ckpt_npy_large(check, e->data_off, e->data_off + e->csize);
	if (r)
		return r < 0 ? r : 0;
	r = ckpt_npy_check(check, e->data_off, e->data_off + e->csize, e->name, &npy);
	r = r ? r : judge_length(check, e, &npy);
	return r ? r : take_scalar(check, e, &npy, name);
}

static int on_deflated(struct ckpt_check *check, const struct ckpt_zip_entry *e,
		       const uint8_t *head, size_t len)
{
	struct ckpt_npy npy;
	int r;

	if (!ckpt_text_ends(e->name, ".npy"))
		return 0;
	r = ckpt_npy_parse(head, len, &npy);
	/* more of a header than was kept: the archive's sum speaks for it */
	if (r && r != CKPT_NPY_BAD && npy.header > len && npy.header <= e->usize)
		return 0;
	if (r == CKPT_NPY_LARGE)
		r = CKPT_NPY_SHORT;
	if (r)
		return ckpt_npy_reject(check, r, &npy, e->data_off, e->name);
	return judge_length(check, e, &npy);
}

static int npz_structure(struct ckpt_check *check)
{
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	return r ? r : ckpt_zip_check_walk(check, &zip, on_entry, NULL);
}

static int npz_content(struct ckpt_check *check)
{
	return ckpt_zip_check_content(check, on_deflated);
}

/* The first bytes of an entry, stored or deflated. */
struct beginning {
	size_t n;
	uint8_t bytes[HEAD];
};

static void keep(void *arg, const uint8_t *buf, size_t len)
{
	struct beginning *b = arg;
	size_t n = len < sizeof(b->bytes) - b->n ? len : sizeof(b->bytes) - b->n;

	memcpy(b->bytes + b->n, buf, n);
	b->n += n;
}

/* What is no such entry leaves nothing: the checks judge it. An errno at most. */
static int read_beginning(struct ckpt_check *check, const struct ckpt_zip_entry *e,
			  struct beginning *ret)
{
	const struct ckpt_inflate_job job = { .file = check->file,
					      .off = e->data_off,
					      .len = e->csize < HEAD ? e->csize : HEAD,
					      .max = 1024 * HEAD,
					      .sink = keep,
					      .arg = ret };
	uint64_t out;
	int r;

	ret->n = 0;
	if (!ckpt_zip_check_readable(e))
		return 0;
	if (e->method != CKPT_ZIP_STORED) {
		r = ckpt_inflate(&job, &out, check->err);
		return r < 0 ? r : 0;
	}
	ret->n = (size_t)job.len;
	r = ckpt_file_read(check->file, e->data_off, ret->bytes, ret->n, check->err);
	ret->n = r ? 0 : ret->n;
	return r < 0 ? r : 0;
}

struct telling {
	ckpt_tensor_fn *tell;
	void *arg;
	struct beginning beginning;
};

static int tell_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct telling *t = arg;
	struct ckpt_tensor told;
	struct ckpt_npy npy = { .header = 0 };
	char name[256];
	int r;

	if (!ckpt_text_ends(e->name, ".npy"))
		return 0;
	array_name(e, name, sizeof(name));
	r = read_beginning(check, e, &t->beginning);
	if (r || ckpt_npy_parse(t->beginning.bytes, t->beginning.n, &npy) != 0)
		return r;
	told = ckpt_npy_tensor(&npy, name);
	t->tell(t->arg, &told);
	return 0;
}

static int tell_arrays(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_free_ struct telling *t = calloc(1, sizeof(*t));
	struct ckpt_zip zip;
	int r;

	if (!t)
		return ckpt_fail(check->err, -ENOMEM, "no memory to look into %s",
				 CKPT_QUOTE(check->file->name));
	t->tell = tell;
	t->arg = arg;
	r = ckpt_zip_check_open(check, &zip);
	return r ? r : ckpt_zip_check_walk(check, &zip, tell_entry, t);
}

/* np.savez() of no array at all: an archive's end record alone (APPNOTE.TXT 4.3.16). */
static bool is_empty(const struct ckpt_check *check)
{
	return check->head.size == 22 && check->head.n_head == 22 &&
	       memcmp(check->head.head, "PK\5\6", 4) == 0 && ckpt_text_ends(check->name, ".npz");
}

static bool npz_sniff(const struct ckpt_check *check)
{
	return is_empty(check) || ckpt_zip_check_first_ends(&check->head, ".npy");
}

const struct ckpt_format ckpt_format_npz = {
	.name = "npz",
	.title = "NumPy archive (np.savez)",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.split = true,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = npz_sniff,
	.structure = npz_structure,
	.content = npz_content,
	.finite = ckpt_npz_finite,
	.at = ckpt_zip_check_at,
	.tensors = tell_arrays,
};
