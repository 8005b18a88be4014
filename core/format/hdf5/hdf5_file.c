/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading for the walk through an HDF5 file: bounds, budget, sums, integers. Metadata are many
 * small pieces close to each other, hence the pages.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/hdf5/hdf5_walk.h"
#include "core/format/hdf5/lookup3.h"

int ckpt_hdf5_reject(struct ckpt_hdf5 *h, enum ckpt_problem_code code, uint64_t addr,
		     const char *fmt, ...)
{
	char path[256], text[256];
	va_list ap;

	if (h->check->report->verdict.status != CKPT_VALID)
		return (int)h->check->report->verdict.status;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	return ckpt_check_reject(h->check, CKPT_CORRUPT, code, h->base + addr, path, "%s", text);
}

/* The page that holds offset @off of the file: 0 with its bytes from there on. */
static int page(struct ckpt_hdf5 *h, uint64_t off, const uint8_t **ret, size_t *ret_len)
{
	uint64_t begin = off - off % CKPT_HDF5_PAGE, rest = h->check->file->size - begin;
	unsigned i = begin / CKPT_HDF5_PAGE % CKPT_HDF5_PAGES;
	uint32_t len = rest < CKPT_HDF5_PAGE ? (uint32_t)rest : CKPT_HDF5_PAGE;
	int r;

	if (h->pages[i].len == 0 || h->pages[i].off != begin) {
		h->pages[i].len = 0;
		r = ckpt_check_read(h->check, begin, h->pages[i].data, len, "its metadata");
		if (r)
			return r;
		h->pages[i].off = begin;
		h->pages[i].len = len;
	}
	*ret = h->pages[i].data + (off - begin);
	*ret_len = len - (size_t)(off - begin);
	return 0;
}

static int check_bounds(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what)
{
	if (addr <= h->end && len <= h->end - addr)
		return 0;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr < h->end ? addr : h->end,
				"%s (%llu bytes at %llu) is not inside the file", what,
				(unsigned long long)len, (unsigned long long)addr);
}

int ckpt_hdf5_read(struct ckpt_hdf5 *h, uint64_t addr, void *buf, size_t len)
{
	uint8_t *out = buf;
	const uint8_t *p;
	size_t n;
	int r = check_bounds(h, addr, len, "a structure");

	while (r == 0 && len > 0) {
		r = page(h, h->base + addr, &p, &n);
		if (r)
			break;
		n = n < len ? n : len;
		memcpy(out, p, n);
		out += n;
		addr += n;
		len -= n;
	}
	return r;
}

static int charge(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what)
{
	int r = check_bounds(h, addr, len, what);

	if (r)
		return r;
	if (len > h->left)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_DIRECTORY, addr,
					"its parts overlap or form a loop: %s is one too many",
					what);
	h->left -= len;
	return 0;
}

int ckpt_hdf5_charge(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what)
{
	if (h->asked)
		h->asked->metadata |=
			ckpt_extent_meets(h->asked->extent, h->base + addr, h->base + addr + len);
	return charge(h, addr, len, what);
}

int ckpt_hdf5_charge_data(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what)
{
	struct ckpt_hdf5_asked *asked = h->asked;
	int r = charge(h, addr, len, what);
	char path[256];

	if (r || !asked || asked->told == h->current + 1 ||
	    !ckpt_extent_meets(asked->extent, h->base + addr, h->base + addr + len))
		return r;
	asked->told = h->current + 1;
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	ckpt_names_offer(asked->names, asked->extent, h->base + addr, h->base + addr + len, path);
	return 0;
}

int ckpt_hdf5_begin(struct ckpt_hdf5 *h, struct ckpt_hdf5_cur *cur, uint64_t addr, const char *sig)
{
	char found[4];
	int r;

	*cur = (struct ckpt_hdf5_cur) { .h = h, .at = addr, .end = h->end };
	if (!sig)
		return check_bounds(h, addr, 0, "a structure");
	r = ckpt_hdf5_read(h, addr, found, sizeof(found));
	if (r)
		return r;
	cur->at += sizeof(found);
	if (memcmp(found, sig, sizeof(found)) == 0)
		return 0;
	if (!ckpt_bytes_zero(found, sizeof(found)))
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr, "no %s where one must be",
					sig);
	return ckpt_check_reject(h->check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, h->base + addr,
				 NULL, "zeros where a %s must be: it was never written", sig);
}

int ckpt_hdf5_sum_at(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, uint64_t at,
		     const char *what)
{
	static const uint8_t zeros[4];
	struct ckpt_lookup3 sum;
	uint8_t buf[512], stored[4];
	uint64_t done = 0;
	int r = ckpt_hdf5_read(h, addr + at, stored, sizeof(stored));

	ckpt_lookup3_init(&sum, at + 4 == len ? at : len);
	while (r == 0 && done < len) {
		uint64_t stop = done < at ? at : len;
		size_t n = stop - done < sizeof(buf) ? (size_t)(stop - done) : sizeof(buf);

		if (done == at) {
			if (at + 4 < len)
				ckpt_lookup3_add(&sum, zeros, sizeof(zeros));
			done += 4;
			continue;
		}
		r = ckpt_hdf5_read(h, addr + done, buf, n);
		ckpt_lookup3_add(&sum, buf, n);
		done += n;
	}
	if (r || ckpt_lookup3_end(&sum) == ckpt_bytes_le(stored, 4))
		return r;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_CHECKSUM, addr, "%s does not match its checksum",
				what);
}

int ckpt_hdf5_sum(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len, const char *what)
{
	int r = ckpt_hdf5_charge(h, addr, len, what);

	return r ? r : ckpt_hdf5_sum_at(h, addr, len, len - 4, what);
}

uint64_t ckpt_hdf5_uint(struct ckpt_hdf5_cur *cur, unsigned n)
{
	uint8_t buf[8];

	if (cur->r)
		return 0;
	if (n > cur->end - cur->at) {
		cur->r = ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at,
					  "a structure ends before its last field");
		return 0;
	}
	cur->r = ckpt_hdf5_read(cur->h, cur->at, buf, n);
	cur->at += n;
	return cur->r ? 0 : ckpt_bytes_le(buf, n);
}

uint64_t ckpt_hdf5_addr(struct ckpt_hdf5_cur *cur)
{
	uint64_t v = ckpt_hdf5_uint(cur, cur->h->so);
	uint64_t none = UINT64_MAX >> (64 - 8 * cur->h->so);

	return v == none ? CKPT_HDF5_NONE : v;
}

uint64_t ckpt_hdf5_len(struct ckpt_hdf5_cur *cur)
{
	return ckpt_hdf5_uint(cur, cur->h->sl);
}

void ckpt_hdf5_skip(struct ckpt_hdf5_cur *cur, uint64_t n)
{
	if (cur->r)
		return;
	if (n > cur->end - cur->at)
		cur->r = ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at,
					  "a structure ends before its last field");
	else
		cur->at += n;
}
