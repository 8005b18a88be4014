/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zip directory walker.
 */
#include "core/format/archive/zip.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/format/archive/zip_record.h"

enum {
	LOCAL_SIG = 0x04034b50,
	DESCRIPTOR_SIG = 0x08074b50,
};

#define ATTRIBUTE_DIRECTORY 0x10
#define VERSION_MAX 63 /* 6.3: APPNOTE.TXT 4.4.3.2; in the low byte, the other is a system's */

void ckpt_zip_walk_init(struct ckpt_zip_walk *walk, struct ckpt_zip *zip)
{
	walk->zip = zip;
	walk->pos = zip->cd_off;
	walk->index = 0;
	walk->data_end = 0;
	walk->csize = walk->usize = 0;
	walk->crc = 0;
	walk->descriptor = walk->passing = false;
	walk->buf_off = 0;
	walk->buf_len = 0;
}

/* Whether an earlier pass has read the local header of entry @index. */
static bool known(const struct ckpt_zip *zip, uint64_t index)
{
	return index < zip->memo.n && zip->memo.skip[index] != CKPT_ZIP_UNKNOWN;
}

/* *@ret points at @len directory bytes at the walk's position; 0, DAMAGED or an errno. */
static int directory_bytes(struct ckpt_zip_walk *walk, size_t len, const uint8_t **ret,
			   struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	uint64_t left = zip->cd_off + zip->cd_size - walk->pos;
	int r;

	if (len > left)
		return ckpt_zip_damaged(zip, walk->pos, "",
					"the directory's last record is cut off");
	if (len > sizeof(walk->buf))
		return ckpt_zip_damaged(zip, walk->pos, "", "a directory record has %zu bytes",
					len);
	if (walk->pos < walk->buf_off || walk->pos + len > walk->buf_off + walk->buf_len) {
		size_t want = left < sizeof(walk->buf) ? left : sizeof(walk->buf);

		walk->buf_len = 0;
		r = ckpt_zip_read(zip, walk->pos, walk->buf, want, err);
		if (r)
			return r;
		walk->buf_off = walk->pos;
		walk->buf_len = want;
		if (!walk->passing && !known(zip, walk->index))
			ckpt_zip_soon(zip->file, walk->buf, walk->buf_len);
	}
	*ret = walk->buf + (walk->pos - walk->buf_off);
	return 0;
}

/* The name behind the record's fixed part @p, e->name_len bytes that are there. */
static bool take_name(struct ckpt_zip_entry *e, const uint8_t *p)
{
	if (e->name_len == 0 || e->name_len >= CKPT_ZIP_NAME ||
	    memchr(p + CKPT_ZIP_CENTRAL, 0, e->name_len))
		return false;
	memcpy(e->name, p + CKPT_ZIP_CENTRAL, e->name_len);
	e->name[e->name_len] = '\0';
	return true;
}

static void take_fields(struct ckpt_zip_entry *e, const uint8_t *p)
{
	e->flags = ckpt_bytes_le(p + 8, 2);
	e->method = ckpt_bytes_le(p + 10, 2);
	e->crc = ckpt_bytes_le(p + 16, 4);
	e->csize = ckpt_bytes_le(p + 20, 4);
	e->usize = ckpt_bytes_le(p + 24, 4);
	e->marked = p[38] & ATTRIBUTE_DIRECTORY;
	e->header_off = ckpt_bytes_le(p + 42, 4);
}

/* Parses the directory record at the walk's position into @e and steps over it. */
static int directory_record(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e,
			    struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	size_t extra, all;
	const uint8_t *p;
	int r;

	r = directory_bytes(walk, CKPT_ZIP_CENTRAL, &p, err);
	if (r)
		return r;
	if (ckpt_bytes_le(p, 4) != CKPT_ZIP_CENTRAL_SIG)
		return ckpt_zip_damaged(zip, walk->pos, "",
					"no directory record where one must begin");
	e->name_len = ckpt_bytes_le(p + 28, 2);
	extra = ckpt_bytes_le(p + 30, 2);
	all = CKPT_ZIP_CENTRAL + e->name_len + extra + ckpt_bytes_le(p + 32, 2);
	r = directory_bytes(walk, all, &p, err);
	if (r)
		return r;
	if (!take_name(e, p))
		return ckpt_zip_damaged(zip, walk->pos, "",
					"a directory record has no usable name");
	if (p[6] > VERSION_MAX)
		return ckpt_zip_damaged(
			zip, walk->pos, e->name,
			"a directory record needs a version that zip does not have");
	take_fields(e, p);
	if (!ckpt_zip_widen(e, p + CKPT_ZIP_CENTRAL + e->name_len, extra) ||
	    ckpt_bytes_le(p + 34, 2) != 0)
		return ckpt_zip_damaged(zip, walk->pos, e->name,
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
	if (ckpt_bytes_le(p, 4) != DESCRIPTOR_SIG || ckpt_bytes_le(p + 4, 4) != walk->crc)
		return false;
	if (len == 16)
		return ckpt_bytes_le(p + 8, 4) == walk->csize &&
		       ckpt_bytes_le(p + 12, 4) == walk->usize;
	return ckpt_bytes_le(p + 8, 8) == walk->csize && ckpt_bytes_le(p + 16, 8) == walk->usize;
}

/* The bytes at @p from the end of the data before to @next: nothing, or exactly a descriptor. */
static int check_gap(struct ckpt_zip_walk *walk, const uint8_t *p, uint64_t next)
{
	uint64_t gap = next - walk->data_end;

	if (walk->descriptor ? descriptor_fits(walk, p, gap) : gap == 0)
		return 0;
	return ckpt_zip_damaged(
		walk->zip, walk->data_end, "",
		"what lies between entry %llu and the next record is not what was written there",
		(unsigned long long)walk->index);
}

/* Whether the CRC and sizes of the local header @p are those of the directory. What stands in the
 * descriptor may be zero here, sizes may be saturated. */
static bool sizes_agree(const struct ckpt_zip_entry *e, const uint8_t *p)
{
	const uint64_t crc = ckpt_bytes_le(p + 14, 4), csize = ckpt_bytes_le(p + 18, 4);
	const uint64_t usize = ckpt_bytes_le(p + 22, 4);
	bool later = e->flags & CKPT_ZIP_FLAG_DESCRIPTOR;

	return ((later && crc == 0) || crc == e->crc) &&
	       ((later && csize == 0) || ckpt_zip_agrees(csize, e->csize, CKPT_ZIP_FULL32)) &&
	       ((later && usize == 0) || ckpt_zip_agrees(usize, e->usize, CKPT_ZIP_FULL32));
}

/* Compares the local header @p with its directory record. */
static int check_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, const uint8_t *p)
{
	struct ckpt_zip *zip = walk->zip;

	if (ckpt_bytes_le(p, 4) != LOCAL_SIG)
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"no local header where one must be");
	if (ckpt_bytes_le(p + 26, 2) != e->name_len ||
	    memcmp(p + CKPT_ZIP_LOCAL, e->name, e->name_len) != 0)
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the local header has another name than the directory");
	if (ckpt_bytes_le(p + 6, 2) != e->flags || ckpt_bytes_le(p + 8, 2) != e->method)
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the local header has another method than the directory");
	if (!sizes_agree(e, p))
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the local header has other sizes than the directory");
	return 0;
}

/* Reads the gap before @e and its local header, up to @end, at once, and checks both. *@ret_skip:
 * from there to its data. */
static int read_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, uint64_t end,
		      uint16_t *ret_skip, struct ckpt_error *err)
{
	uint8_t buf[CKPT_ZIP_GAP + CKPT_ZIP_LOCAL + CKPT_ZIP_NAME];
	uint64_t gap = e->header_off - walk->data_end;
	int r = ckpt_zip_read(walk->zip, walk->data_end, buf, end - walk->data_end, err);

	r = r ? r : check_gap(walk, buf, e->header_off);
	r = r ? r : check_local(walk, e, buf + gap);
	if (r == 0)
		*ret_skip = ckpt_bytes_le(buf + gap + 28, 2);
	return r;
}

/* The same, once for all passes over the zip. */
static int know_local(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e, uint64_t end,
		      uint16_t *ret_skip, struct ckpt_error *err)
{
	struct ckpt_zip_memo *memo = &walk->zip->memo;
	int r;

	if (known(walk->zip, e->index)) {
		*ret_skip = memo->skip[e->index];
		return 0;
	}
	r = read_local(walk, e, end, ret_skip, err);
	if (r == 0 && e->index < memo->n)
		memo->skip[e->index] = *ret_skip;
	return r;
}

/* *@ret: behind the name in @e's local header. False if that is not before the directory. */
static bool local_end(const struct ckpt_zip *zip, const struct ckpt_zip_entry *e, uint64_t *ret)
{
	return !__builtin_add_overflow(e->header_off, CKPT_ZIP_LOCAL + e->name_len, ret) &&
	       *ret <= zip->cd_off;
}

/* Checks where @e lies and what its local header says, and finds its data. */
static int check_entry(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e, struct ckpt_error *err)
{
	struct ckpt_zip *zip = walk->zip;
	uint16_t skip = 0;
	uint64_t end;
	int r;

	if (e->header_off < walk->data_end || e->header_off - walk->data_end > CKPT_ZIP_GAP)
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the entry does not begin where the one before ends");
	if (!local_end(zip, e, &end))
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the entry reaches into the directory");
	r = know_local(walk, e, end, &skip, err);
	if (r)
		return r;
	e->data_off = end + skip;
	if (__builtin_add_overflow(e->data_off, e->csize, &end) || end > zip->cd_off)
		return ckpt_zip_damaged(zip, e->header_off, e->name,
					"the entry reaches into the directory");
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
		return ckpt_zip_damaged(zip, walk->pos, "",
					"the directory holds more than its %llu entries",
					(unsigned long long)zip->entries);
	if (zip->cd_off - walk->data_end > sizeof(buf))
		return ckpt_zip_damaged(zip, walk->data_end, "",
					"the last entry does not reach the directory");
	r = ckpt_zip_read(zip, walk->data_end, buf, zip->cd_off - walk->data_end, err);
	if (r)
		return r;
	r = check_gap(walk, buf, zip->cd_off);
	return r ? r : CKPT_ZIP_END;
}

/* Past @e, which the next one is compared with. */
static void step_over(struct ckpt_zip_walk *walk, const struct ckpt_zip_entry *e)
{
	walk->crc = e->crc;
	walk->csize = e->csize;
	walk->usize = e->usize;
	walk->descriptor = e->flags & CKPT_ZIP_FLAG_DESCRIPTOR;
	walk->index++;
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
		return ckpt_zip_damaged(walk->zip, ret->header_off, ret->name,
					"a stored entry has two different sizes");
	step_over(walk, ret);
	return 0;
}

int ckpt_zip_walk_from(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *e, uint64_t index)
{
	uint64_t end = 0;
	uint16_t skip = 0;
	int r = 0;

	walk->passing = true;
	while (r == 0 && walk->index < index) {
		r = directory_record(walk, e, NULL);
		if (r == 0)
			step_over(walk, e);
	}
	walk->passing = false;
	if (r || index == 0)
		return r;
	walk->data_end = e->header_off; /* as if there were nothing before it */
	walk->descriptor = false;
	if (!local_end(walk->zip, e, &end))
		return CKPT_ZIP_DAMAGED;
	r = read_local(walk, e, end, &skip, NULL);
	walk->data_end = end + skip + e->csize;
	walk->descriptor = e->flags & CKPT_ZIP_FLAG_DESCRIPTOR;
	return r;
}
