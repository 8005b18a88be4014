/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zip_check.h.
 */
#include "core/format/archive/zip_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/base/share.h"
#include "core/format/archive/zip_record.h"
#include "core/format/inflate.h"
#include "core/format/names_at.h"
#include "wire/text.h"

#define FLAG_ENCRYPTED 0x0001
#define DESCRIPTOR_SIZE 16

static int directory_fault(struct ckpt_check *check, const struct ckpt_zip *zip)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, zip->fault.offset,
				 zip->fault.member, "%s", zip->fault.detail);
}

int ckpt_zip_check_open(struct ckpt_check *check, struct ckpt_zip *ret)
{
	const struct ckpt_head *head = &check->head;
	int r = ckpt_zip_open(check->file, ret, check->err);

	if (r == CKPT_ZIP_DAMAGED)
		return directory_fault(check, ret);
	if (r == 0 && ret->trailing)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, check->file->size - ret->trailing,
				  "%llu bytes follow the archive",
				  (unsigned long long)ret->trailing);
	if (r != CKPT_ZIP_NO_END)
		return r;
	if (ckpt_bytes_zero(head->tail, head->n_tail))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_ZERO_TAIL,
					 head->size - head->n_tail, NULL,
					 "the file ends in zeros instead of a zip directory");
	return ckpt_check_reject(
		check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, head->size, NULL,
		"the zip directory at the end is missing: the save did not finish");
}

int ckpt_zip_check_walk(struct ckpt_check *check, struct ckpt_zip *zip,
			int (*entry)(struct ckpt_check *check, const struct ckpt_zip_entry *e,
				     void *arg),
			void *arg)
{
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry e;
	int r;

	ckpt_zip_walk_init(&walk, zip);
	for (;;) {
		r = ckpt_zip_walk_next(&walk, &e, check->err);
		if (r == CKPT_ZIP_END)
			return 0;
		if (r == CKPT_ZIP_DAMAGED)
			return directory_fault(check, zip);
		r = r ? r : entry(check, &e, arg);
		if (r)
			return r;
	}
}

bool ckpt_zip_check_readable(const struct ckpt_zip_entry *e)
{
	return !(e->flags & FLAG_ENCRYPTED) &&
	       (e->method == CKPT_ZIP_STORED || e->method == CKPT_ZIP_DEFLATED);
}

/* What a decoded entry is: its CRC and its beginning. */
struct decoded {
	uint32_t crc;
	size_t len;
	uint8_t buf[CKPT_ZIP_CHECK_HEAD];
};

static void take(void *arg, const uint8_t *buf, size_t len)
{
	struct decoded *d = arg;
	size_t n = sizeof(d->buf) - d->len < len ? sizeof(d->buf) - d->len : len;

	d->crc = ckpt_crc(CKPT_CRC32, d->crc, buf, len);
	if (n)
		memcpy(d->buf + d->len, buf, n);
	d->len += n;
}

/* Decodes a deflated entry. 0, a rejection, or an errno. */
static int decode(struct ckpt_check *check, const struct ckpt_zip_entry *e, struct decoded *d)
{
	struct ckpt_inflate_job job = { .file = check->file,
					.off = e->data_off,
					.len = e->csize,
					.max = e->usize,
					.sink = take,
					.arg = d };
	uint64_t out = 0;
	int r;

	d->crc = 0;
	d->len = 0;
	r = ckpt_inflate(&job, &out, check->err);

	if (r < 0)
		return r;
	if (r == 0 && out == e->usize)
		return 0;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, e->data_off, e->name,
				 "the entry cannot be decompressed to its %llu bytes",
				 (unsigned long long)e->usize);
}

struct feed {
	struct ckpt_zip zip;
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry entry;
};

static int next_range(void *arg, struct ckpt_crc_range *ret)
{
	struct feed *f = arg;
	int r;

	do {
		r = ckpt_zip_walk_next(&f->walk, &f->entry, NULL);
		if (r)
			return r == CKPT_ZIP_END ? 0 : r < 0 ? r : -EAGAIN;
	} while (f->entry.method != CKPT_ZIP_STORED || !ckpt_zip_check_readable(&f->entry));
	*ret = (struct ckpt_crc_range) { .off = f->entry.data_off,
					 .len = f->entry.csize,
					 .expected = f->entry.crc,
					 .tag = f->entry.index };
	return 1;
}

/* Finds the name of entry number @index again: nothing was kept of it. */
static const char *entry_name(struct feed *f, uint64_t index)
{
	ckpt_zip_walk_init(&f->walk, &f->zip);
	do {
		if (ckpt_zip_walk_next(&f->walk, &f->entry, NULL))
			return "";
	} while (f->entry.index != index);
	return f->entry.name;
}

static int crc_fault(struct ckpt_check *check, uint64_t off, const char *name)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, off, name,
				 "the entry does not match its CRC-32");
}

/* The sequential pass. */
struct pass {
	struct feed feed;
	ckpt_zip_check_head_fn *head;
	uint64_t stored, unread; /* bytes; entries */
	struct decoded decoded;
};

/* Deflated entries are decoded at once; of stored ones the bytes are counted. */
static int check_deflated(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct pass *pass = arg;
	int r;

	if (!ckpt_zip_check_readable(e)) {
		pass->unread++;
		return 0;
	}
	if (e->method == CKPT_ZIP_STORED) {
		pass->stored += e->csize;
		return 0;
	}
	if (!ckpt_share_takes(check->file, e->data_off))
		return 0;
	r = decode(check, e, &pass->decoded);
	if (r)
		return r;
	if (pass->decoded.crc != e->crc)
		return crc_fault(check, e->data_off, e->name);
	return pass->head ? pass->head(check, e, pass->decoded.buf, pass->decoded.len) : 0;
}

static int check_stored(struct ckpt_check *check, struct pass *pass)
{
	struct ckpt_crc_job job = {
		.kind = CKPT_CRC32, .next = next_range, .arg = &pass->feed, .total = pass->stored
	};
	struct ckpt_crc_range bad;
	int r;

	ckpt_zip_walk_init(&pass->feed.walk, &pass->feed.zip);
	r = ckpt_crc_verify(check->file, &job, &bad, check->err);
	return r <= 0 ? r : crc_fault(check, bad.off, entry_name(&pass->feed, bad.tag));
}

static int check_all(struct ckpt_check *check, struct pass *pass)
{
	struct ckpt_zip *zip = &pass->feed.zip;
	int r = ckpt_zip_check_open(check, zip);

	if (r)
		return r;
	ckpt_zip_keep(zip, ckpt_ctx_threads(check->ctx));
	r = ckpt_zip_check_walk(check, zip, check_deflated, pass);
	r = r ? r : check_stored(check, pass);
	ckpt_zip_done(zip);
	if (r == 0 && pass->unread)
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE,
			       "%llu entries are encrypted or compressed in a way not known here",
			       (unsigned long long)pass->unread);
	return r;
}

int ckpt_zip_check_content(struct ckpt_check *check, ckpt_zip_check_head_fn *head)
{
	_cleanup_free_ struct pass *pass = calloc(1, sizeof(*pass));

	if (!pass)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	pass->head = head;
	return check_all(check, pass);
}

struct looking {
	const struct ckpt_extent *extent;
	struct ckpt_names *names;
};

static int offer_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	const struct looking *l = arg;

	(void)check;
	ckpt_names_offer(l->names, l->extent, e->data_off, e->data_off + e->csize, e->name);
	return 0;
}

int ckpt_zip_check_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names)
{
	struct looking l = { extent, names };
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	return r ? r : ckpt_zip_check_walk(check, &zip, offer_entry, &l);
}

static bool local_at(const struct ckpt_head *head, size_t at)
{
	return at <= head->n_head && head->n_head - at >= CKPT_ZIP_LOCAL &&
	       memcmp(head->head + at, "PK\3\4", 4) == 0;
}

/* Behind the name of the local header at @at, or 0 where it is not all in the head. */
static size_t name_end(const struct ckpt_head *head, size_t at)
{
	size_t len = ckpt_bytes_le(head->head + at + 26, 2);

	return len > head->n_head - at - CKPT_ZIP_LOCAL ? 0 : at + CKPT_ZIP_LOCAL + len;
}

size_t ckpt_zip_check_first(const struct ckpt_head *head)
{
	size_t at = 0, end;

	while (local_at(head, at)) {
		const uint8_t *p = head->head + at;

		end = name_end(head, at);
		if (end == 0 || p[end - at - 1] != '/')
			return at;
		at = end + ckpt_bytes_le(p + 28, 2) + ckpt_bytes_le(p + 18, 4);
		if (p[6] & CKPT_ZIP_FLAG_DESCRIPTOR)
			at += DESCRIPTOR_SIZE;
	}
	return 0;
}

bool ckpt_zip_check_first_ends(const struct ckpt_head *head, const char *suffix)
{
	size_t at = ckpt_zip_check_first(head), n = strlen(suffix), end;

	if (!local_at(head, at))
		return false;
	end = name_end(head, at);
	return end >= at + CKPT_ZIP_LOCAL + n && memcmp(head->head + end - n, suffix, n) == 0;
}
