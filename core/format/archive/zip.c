/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zip directory walker. Three records name the directory (end, zip64 locator, zip64 end); they must
 * agree with each other and with the place where they stand, so that a stray signature inside
 * tensor data is never believed.
 */
#include "core/format/archive/zip.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/format/archive/zip_record.h"
#include "wire/text.h"

enum {
	LOCAL_SIG = 0x04034b50,
	CENTRAL_SIG = 0x02014b50,
	END_SIG = 0x06054b50,
	LOCATOR_SIG = 0x07064b50,
	END64_SIG = 0x06064b50,
	DESCRIPTOR_SIG = 0x08074b50,
};

enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56 };

#define TAIL_MAX (END_SIZE + 65535)
#define ATTRIBUTE_DIRECTORY 0x10
#define VERSION_MAX 63 /* 6.3: APPNOTE.TXT 4.4.3.2; in the low byte, the other is a system's */
#define FULL32 0xffffffffu
#define KEPT_MAX ((uint64_t)1024 * 1024) /* entries */

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static int damaged(struct ckpt_zip *zip, uint64_t offset, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Fills the fault, cut and cleaned, and returns CKPT_ZIP_DAMAGED. */
static int damaged(struct ckpt_zip *zip, uint64_t offset, const char *member, const char *fmt, ...)
{
	struct ckpt_zip_fault *fault = &zip->fault;
	va_list ap;

	fault->offset = offset;
	snprintf(fault->member, sizeof(fault->member), "%s", member);
	ckpt_text_clean(fault->member);
	va_start(ap, fmt);
	vsnprintf(fault->detail, sizeof(fault->detail), fmt, ap);
	va_end(ap);
	return CKPT_ZIP_DAMAGED;
}

/* Reads a range that was checked against the size before: if it is short now, the file shrank. */
static int read_at(struct ckpt_zip *zip, uint64_t off, void *buf, size_t len,
		   struct ckpt_error *err)
{
	int r = ckpt_file_read(zip->file, off, buf, len, err);

	if (r == CKPT_FILE_SHORT)
		return damaged(zip, off, "", "the file ends before %zu bytes that it must have",
			       len);
	return r;
}

/* What the end records say. */
struct end {
	uint64_t entries, cd_size, cd_off;
	uint64_t begin; /* of the first end record: where the directory must end */
};

static bool agrees(uint64_t narrow, uint64_t full, uint64_t saturated)
{
	return narrow == full || narrow == saturated;
}

/* The zip64 records before the end record at @pos, if there are any; 0, NO_END when they disagree.
 */
static int read_end64(struct ckpt_zip *zip, uint64_t pos, struct end *end, struct ckpt_error *err)
{
	uint8_t loc[LOCATOR_SIZE], rec[END64_SIZE];
	uint64_t off, next;
	int r;

	if (pos < LOCATOR_SIZE + END64_SIZE)
		return 0;
	r = read_at(zip, pos - LOCATOR_SIZE, loc, sizeof(loc), err);
	if (r || get32(loc) != LOCATOR_SIG)
		return r;
	off = get64(loc + 8);
	if (off > pos - LOCATOR_SIZE - END64_SIZE || get32(loc + 4) != 0 || get32(loc + 16) != 1)
		return CKPT_ZIP_NO_END;
	r = read_at(zip, off, rec, sizeof(rec), err);
	if (r)
		return r;
	if (get32(rec) != END64_SIG || get32(rec + 16) != 0 || get32(rec + 20) != 0 ||
	    get64(rec + 24) != get64(rec + 32))
		return CKPT_ZIP_NO_END;
	if (__builtin_add_overflow(off + 12, get64(rec + 4), &next) || next != pos - LOCATOR_SIZE)
		return CKPT_ZIP_NO_END;
	if (!agrees(end->entries, get64(rec + 32), 0xffff) ||
	    !agrees(end->cd_size, get64(rec + 40), FULL32) ||
	    !agrees(end->cd_off, get64(rec + 48), FULL32))
		return CKPT_ZIP_NO_END;
	*end = (struct end) { get64(rec + 32), get64(rec + 40), get64(rec + 48), off };
	return 0;
}

/* Believes the end record @rec at @pos only if everything it says fits. 0, NO_END, DAMAGED or an
 * errno. */
static int try_end(struct ckpt_zip *zip, uint64_t pos, const uint8_t *rec, struct ckpt_error *err)
{
	struct end end = { get16(rec + 10), get32(rec + 12), get32(rec + 16), pos };
	uint64_t after = pos + END_SIZE, cd_end;
	uint16_t comment = get16(rec + 20);
	int r;

	if (get16(rec + 4) != 0 || get16(rec + 6) != 0 || get16(rec + 8) != get16(rec + 10))
		return CKPT_ZIP_NO_END;
	if (comment > zip->file->size - after)
		return CKPT_ZIP_NO_END;
	r = read_end64(zip, pos, &end, err);
	if (r)
		return r;
	if (__builtin_add_overflow(end.cd_off, end.cd_size, &cd_end) || cd_end != end.begin)
		return CKPT_ZIP_NO_END;
	if (end.entries > end.cd_size / CENTRAL_SIZE)
		return CKPT_ZIP_NO_END;
	zip->cd_off = end.cd_off;
	zip->cd_size = end.cd_size;
	zip->entries = end.entries;
	zip->trailing = zip->file->size - after - comment;
	return 0;
}

/* Tries every end signature in the last @len bytes, last one first. */
static int search(struct ckpt_zip *zip, const uint8_t *tail, size_t len, struct ckpt_error *err)
{
	uint64_t base = zip->file->size - len;
	bool seen = false;
	int r;

	for (size_t i = len - END_SIZE + 1; i-- > 0;) {
		if (tail[i] != 'P' || get32(tail + i) != END_SIG)
			continue;
		r = try_end(zip, base + i, tail + i, err);
		if (r != CKPT_ZIP_NO_END)
			return r;
		seen = seen || i == len - END_SIZE;
	}
	if (len >= LOCATOR_SIZE + END_SIZE)
		seen = seen || get32(tail + len - END_SIZE - LOCATOR_SIZE) == LOCATOR_SIG;
	if (seen)
		return damaged(zip, zip->file->size - END_SIZE, "",
			       "the end records at the file's end contradict each other");
	return CKPT_ZIP_NO_END;
}

int ckpt_zip_open(const struct ckpt_file *file, struct ckpt_zip *ret, struct ckpt_error *err)
{
	uint8_t end[END_SIZE];
	_cleanup_free_ uint8_t *tail = NULL;
	size_t len;
	int r;

	*ret = (struct ckpt_zip) { .file = file };
	if (file->size < END_SIZE)
		return CKPT_ZIP_NO_END;
	r = read_at(ret, file->size - END_SIZE, end, sizeof(end), err);
	if (r)
		return r;
	if (get32(end) == END_SIG && get16(end + 20) == 0) {
		r = try_end(ret, file->size - END_SIZE, end, err);
		if (r != CKPT_ZIP_NO_END)
			return r;
	}
	len = file->size < TAIL_MAX ? file->size : TAIL_MAX;
	tail = malloc(len);
	if (!tail)
		return ckpt_fail(err, -ENOMEM, "no memory for the end of %s",
				 CKPT_QUOTE(file->name));
	r = read_at(ret, file->size - len, tail, len, err);
	return r ? r : search(ret, tail, len, err);
}

void ckpt_zip_keep(struct ckpt_zip *zip)
{
	uint64_t n = zip->entries < KEPT_MAX ? zip->entries : KEPT_MAX;

	if (n)
		zip->memo.skip = malloc(n * sizeof(*zip->memo.skip));
	zip->memo.max = zip->memo.skip ? n : 0;
}

void ckpt_zip_done(struct ckpt_zip *zip)
{
	free(zip->memo.skip);
	zip->memo = (struct ckpt_zip_memo) { 0 };
}

void ckpt_zip_walk_init(struct ckpt_zip_walk *walk, struct ckpt_zip *zip)
{
	walk->zip = zip;
	walk->pos = zip->cd_off;
	walk->index = 0;
	walk->data_end = 0;
	walk->csize = walk->usize = 0;
	walk->crc = 0;
	walk->descriptor = false;
	walk->buf_off = 0;
	walk->buf_len = 0;
}

/* *@ret points at @len directory bytes at the walk's position; 0, DAMAGED or an errno. */
static int directory_bytes(struct ckpt_zip_walk *walk, size_t len, const uint8_t **ret,
			   struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	uint64_t left = zip->cd_off + zip->cd_size - walk->pos;
	int r;

	if (len > left)
		return damaged(zip, walk->pos, "", "the directory's last record is cut off");
	if (len > sizeof(walk->buf))
		return damaged(zip, walk->pos, "", "a directory record has %zu bytes", len);
	if (walk->pos < walk->buf_off || walk->pos + len > walk->buf_off + walk->buf_len) {
		size_t want = left < sizeof(walk->buf) ? left : sizeof(walk->buf);

		walk->buf_len = 0;
		r = read_at(zip, walk->pos, walk->buf, want, err);
		if (r)
			return r;
		walk->buf_off = walk->pos;
		walk->buf_len = want;
		if (walk->index >= zip->memo.n)
			ckpt_zip_soon(zip->file, walk->buf, walk->buf_len);
	}
	*ret = walk->buf + (walk->pos - walk->buf_off);
	return 0;
}

/* Parses the directory record at the walk's position into @e and steps over it. */
static int directory_record(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e,
			    struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	size_t extra, all;
	const uint8_t *p;
	int r;

	r = directory_bytes(walk, CENTRAL_SIZE, &p, err);
	if (r)
		return r;
	if (get32(p) != CENTRAL_SIG)
		return damaged(zip, walk->pos, "", "no directory record where one must begin");
	e->name_len = get16(p + 28);
	extra = get16(p + 30);
	all = CENTRAL_SIZE + e->name_len + extra + get16(p + 32);
	r = directory_bytes(walk, all, &p, err);
	if (r)
		return r;
	if (e->name_len == 0 || e->name_len >= CKPT_ZIP_NAME ||
	    memchr(p + CENTRAL_SIZE, 0, e->name_len))
		return damaged(zip, walk->pos, "", "a directory record has no usable name");
	memcpy(e->name, p + CENTRAL_SIZE, e->name_len);
	e->name[e->name_len] = '\0';
	if (p[6] > VERSION_MAX)
		return damaged(zip, walk->pos, e->name,
			       "a directory record needs a version that zip does not have");
	e->flags = get16(p + 8);
	e->method = get16(p + 10);
	e->crc = get32(p + 16);
	e->csize = get32(p + 20);
	e->usize = get32(p + 24);
	e->marked = p[38] & ATTRIBUTE_DIRECTORY;
	e->header_off = get32(p + 42);
	if (!ckpt_zip_widen(e, p + CENTRAL_SIZE + e->name_len, extra) || get16(p + 34) != 0)
		return damaged(zip, walk->pos, e->name,
			       "a directory record lacks its 64-bit sizes");
	e->index = walk->index;
	walk->pos += all;
	return 0;
}

/* True if the @len bytes at @p are the data descriptor that the entry before must have. */
static bool descriptor_fits(const struct ckpt_zip_walk *walk, const uint8_t *p, size_t len)
{
	if (len != 16 && len != 24)
		return false;
	if (get32(p) != DESCRIPTOR_SIG || get32(p + 4) != walk->crc)
		return false;
	if (len == 16)
		return get32(p + 8) == walk->csize && get32(p + 12) == walk->usize;
	return get64(p + 8) == walk->csize && get64(p + 16) == walk->usize;
}

/* The bytes at @p from the end of the data before to @next: nothing, or exactly a descriptor. */
static int check_gap(struct ckpt_zip_walk *walk, const uint8_t *p, uint64_t next)
{
	uint64_t gap = next - walk->data_end;

	if (walk->descriptor ? descriptor_fits(walk, p, gap) : gap == 0)
		return 0;
	return damaged(
		walk->zip, walk->data_end, "",
		"what lies between entry %llu and the next record is not what was written there",
		(unsigned long long)walk->index);
}

/* Compares the local header @p with its directory record. The sizes may be saturated or in the
 * descriptor. */
static int check_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, const uint8_t *p)
{
	struct ckpt_zip *zip = walk->zip;

	if (get32(p) != LOCAL_SIG)
		return damaged(zip, e->header_off, e->name, "no local header where one must be");
	if (get16(p + 26) != e->name_len || memcmp(p + LOCAL_SIZE, e->name, e->name_len) != 0)
		return damaged(zip, e->header_off, e->name,
			       "the local header has another name than the directory");
	if (get16(p + 6) != e->flags || get16(p + 8) != e->method)
		return damaged(zip, e->header_off, e->name,
			       "the local header has another method than the directory");
	if (e->flags & CKPT_ZIP_FLAG_DESCRIPTOR)
		return 0;
	if (get32(p + 14) != e->crc || !agrees(get32(p + 18), e->csize, FULL32) ||
	    !agrees(get32(p + 22), e->usize, FULL32))
		return damaged(zip, e->header_off, e->name,
			       "the local header has other sizes than the directory");
	return 0;
}

/* Reads the gap before @e and its local header, up to @end, at once, and checks both. *@ret_skip:
 * from there to its data. */
static int read_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, uint64_t end,
		      uint16_t *ret_skip, struct ckpt_error *err)
{
	uint8_t buf[CKPT_ZIP_GAP + LOCAL_SIZE + CKPT_ZIP_NAME];
	uint64_t gap = e->header_off - walk->data_end;
	int r = read_at(walk->zip, walk->data_end, buf, end - walk->data_end, err);

	r = r ? r : check_gap(walk, buf, e->header_off);
	r = r ? r : check_local(walk, e, buf + gap);
	if (r == 0)
		*ret_skip = get16(buf + gap + 28);
	return r;
}

/* The same, once for all passes over the zip. */
static int know_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, uint64_t end,
		      uint16_t *ret_skip, struct ckpt_error *err)
{
	struct ckpt_zip_memo *memo = &walk->zip->memo;
	int r;

	if (e->index < memo->n) {
		*ret_skip = memo->skip[e->index];
		return 0;
	}
	r = read_local(walk, e, end, ret_skip, err);
	if (r == 0 && e->index == memo->n && memo->n < memo->max)
		memo->skip[memo->n++] = *ret_skip;
	return r;
}

/* Checks where @e lies and what its local header says, and finds its data. */
static int check_entry(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e, struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	uint16_t skip = 0;
	uint64_t end;
	int r;

	if (e->header_off < walk->data_end || e->header_off - walk->data_end > CKPT_ZIP_GAP)
		return damaged(zip, e->header_off, e->name,
			       "the entry does not begin where the one before ends");
	if (__builtin_add_overflow(e->header_off, LOCAL_SIZE + e->name_len, &end) ||
	    end > zip->cd_off)
		return damaged(zip, e->header_off, e->name, "the entry reaches into the directory");
	r = know_local(walk, e, end, &skip, err);
	if (r)
		return r;
	e->data_off = end + skip;
	if (__builtin_add_overflow(e->data_off, e->csize, &end) || end > zip->cd_off)
		return damaged(zip, e->header_off, e->name, "the entry reaches into the directory");
	walk->data_end = end;
	return 0;
}

/* After the last entry: its descriptor must reach to the directory, and the directory hold nothing
 * more. */
static int check_last(struct ckpt_zip_walk *walk, struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	uint8_t buf[CKPT_ZIP_GAP];
	int r;

	if (walk->pos != zip->cd_off + zip->cd_size)
		return damaged(zip, walk->pos, "", "the directory holds more than its %llu entries",
			       (unsigned long long)zip->entries);
	if (zip->cd_off - walk->data_end > sizeof(buf))
		return damaged(zip, walk->data_end, "",
			       "the last entry does not reach the directory");
	r = read_at(zip, walk->data_end, buf, zip->cd_off - walk->data_end, err);
	if (r)
		return r;
	r = check_gap(walk, buf, zip->cd_off);
	return r ? r : CKPT_ZIP_END;
}

int ckpt_zip_walk_next(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *ret,
		       struct ckpt_error *err)
{
	int r;

	if (walk->index == walk->zip->entries)
		return check_last(walk, err);
	r = directory_record(walk, ret, err);
	if (r)
		return r;
	r = check_entry(walk, ret, err);
	if (r)
		return r;
	if (ret->method == 0 && ret->csize != ret->usize)
		return damaged(walk->zip, ret->header_off, ret->name,
			       "a stored entry has two different sizes");
	walk->crc = ret->crc;
	walk->csize = ret->csize;
	walk->usize = ret->usize;
	walk->descriptor = ret->flags & CKPT_ZIP_FLAG_DESCRIPTOR;
	walk->index++;
	return 0;
}
