/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tar_walk.h.
 */
#include "core/format/archive/tar_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/archive/container.h"
#include "wire/text.h"

#define PAX_MAX 65536 /* of the records before a member that are read: a path and a few numbers */
/* Zeros behind the end: records of up to 1 MiB (tar -b 2048) are filled up with them. */
#define FILL_MAX ((uint64_t)1024 * 1024)

/* Where fields stand in a header. */
enum { NAME = 0, SIZE = 124, SUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345, EXTENDED = 482 };
#define SPARSE_EXTENDED 504 /* the same flag in a block that goes on with the map */

/* A number in octal, or with its first bit set in base 256. False if it is none. */
static bool number(const uint8_t *p, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	if (p[0] & 0x80) {
		size_t above = n > 9 ? n - 9 : 0; /* bytes over the 64 bits that are kept */

		*ret = ckpt_bytes_be(p + 1 + above, n - 1 - above);
		return p[0] == 0x80 && ckpt_bytes_zero(p + 1, above);
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	*ret = v;
	return i == n || p[i] == ' ' || p[i] == '\0';
}

/* The sum counts its own field as spaces; old writers took bytes as signed. */
bool ckpt_tar_is_header(const uint8_t block[CKPT_TAR_BLOCK])
{
	uint64_t sum = 0, stored;
	int64_t as_signed = 0;

	for (size_t i = 0; i < CKPT_TAR_BLOCK; i++) {
		uint8_t byte = i >= SUM && i < SUM + 8 ? ' ' : block[i];

		sum += byte;
		as_signed += (int8_t)byte;
	}
	return !ckpt_bytes_zero(block + SUM, 8) && number(block + SUM, 8, &stored) &&
	       (stored == sum || (int64_t)stored == as_signed);
}

static int cut(struct ckpt_tar *tar, const char *path)
{
	struct ckpt_check *check = tar->check;

	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, check->file->size,
				 path, "the archive ends inside %s",
				 path ? "this member" : "a header");
}

/* Moves on behind the @size bytes of data at tar->at and what fills up their last block. */
static int skip(struct ckpt_tar *tar, uint64_t size, const char *path)
{
	uint64_t padded;

	if (__builtin_add_overflow(size, (uint64_t)CKPT_TAR_BLOCK - 1, &padded))
		return cut(tar, path);
	padded -= padded % CKPT_TAR_BLOCK;
	if (padded > tar->check->file->size - tar->at)
		return cut(tar, path);
	tar->at += padded;
	return 0;
}

/* Two blocks of zeros end an archive (POSIX.1, pax): a block of zeros before others was a header.
 */
static int check_lone(struct ckpt_tar *tar)
{
	struct ckpt_check *check = tar->check;
	uint8_t next[CKPT_TAR_BLOCK];
	int r;

	if (check->file->size - tar->at < 2 * CKPT_TAR_BLOCK)
		return 0;
	r = ckpt_check_read(check, tar->at + CKPT_TAR_BLOCK, next, sizeof(next), "its end");
	if (r || ckpt_bytes_zero(next, sizeof(next)))
		return r;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, tar->at, NULL,
				 "zeros stand where a header should");
}

/* Whether something stands behind the zeros at tar->at, no further off than they fill a record. */
static int is_followed(struct ckpt_tar *tar, bool *ret)
{
	uint64_t left = tar->check->file->size - tar->at, at = tar->at;
	uint8_t buf[4096];
	int r = 0;

	*ret = !ckpt_bytes_zero(tar->check->head.tail, tar->check->head.n_tail);
	left = left < FILL_MAX ? left : FILL_MAX;
	while (r == 0 && left && !*ret) {
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		r = ckpt_check_read(tar->check, at, buf, n, "its end");
		*ret = r == 0 && !ckpt_bytes_zero(buf, n);
		at += n;
		left -= n;
	}
	return r;
}

/* The zeros at tar->at end the archive; how many follow, and what behind them? */
static int judge_end(struct ckpt_tar *tar)
{
	struct ckpt_check *check = tar->check;
	bool more = false;
	int r = check_lone(tar);

	tar->end = true;
	r = r ? r : is_followed(tar, &more);
	if (r)
		return r;
	if (more)
		ckpt_check_remark(check, CKPT_PROBLEM_TRAILING, tar->at,
				  "something follows the archive's end");
	else if (check->file->size - tar->at > FILL_MAX)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, tar->at,
					 NULL, "%llu bytes of zeros follow the last member",
					 (unsigned long long)(check->file->size - tar->at));
	return 0;
}

/* Copies a name of at most @len bytes. */
static void set_path(char *dst, const void *src, size_t len)
{
	size_t n = strnlen(src, len);

	n = n < CKPT_TAR_PATH ? n : CKPT_TAR_PATH - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
}

/* One record of a pax header: "LENGTH KEY=VALUE\n". */
static void take_record(struct ckpt_tar *tar, const char *key, const char *value)
{
	char *end;

	if (strcmp(key, "path") == 0 || strcmp(key, "GNU.sparse.name") == 0)
		set_path(tar->path, value, strlen(value));
	if (strncmp(key, "GNU.sparse", 10) == 0)
		tar->sparse = true;
	if (strcmp(key, "size") == 0) {
		tar->size = strtoull(value, &end, 10);
		tar->has_size = *value >= '0' && *value <= '9' && !*end;
	}
}

static void take_records(struct ckpt_tar *tar, char *text, size_t len)
{
	char *end = text + len;

	while (text < end) {
		char *key, *value;
		size_t n = strtoul(text, &key, 10);

		if (key == text || *key != ' ' || n > (size_t)(end - text) ||
		    n <= (size_t)(key - text) + 1 || text[n - 1] != '\n')
			return;
		text[n - 1] = '\0';
		value = strchr(++key, '=');
		if (value) {
			*value = '\0';
			take_record(tar, key, value + 1);
		}
		text += n;
	}
}

/* A header whose data speak of the next one: a long name, or pax records. */
static int read_extra(struct ckpt_tar *tar, uint8_t type, uint64_t size)
{
	size_t n = size < PAX_MAX ? (size_t)size : PAX_MAX;
	_cleanup_free_ char *text = calloc(1, n + 1);
	uint64_t at = tar->at;
	int r = skip(tar, size, NULL);

	if (!text)
		return ckpt_fail(tar->check->err, -ENOMEM, "no memory to read %s",
				 CKPT_QUOTE(tar->check->file->name));
	r = r ? r : ckpt_check_read(tar->check, at, text, n, "a header");
	if (r)
		return r;
	if (type == 'L')
		set_path(tar->path, text, n);
	else
		take_records(tar, text, n);
	return 0;
}

/* The map of a sparse file may go on in blocks behind its header. */
static int skip_map(struct ckpt_tar *tar, const uint8_t *header)
{
	uint8_t block[CKPT_TAR_BLOCK];
	bool more = header[EXTENDED];
	int r = 0;

	while (r == 0 && more) {
		uint64_t at = tar->at;

		r = skip(tar, CKPT_TAR_BLOCK, NULL);
		r = r ? r : ckpt_check_read(tar->check, at, block, sizeof(block), "a header");
		more = block[SPARSE_EXTENDED];
	}
	return r;
}

/* The member's name: the long one said before it, or the header's. */
static void take_path(struct ckpt_tar *tar, const uint8_t *h, struct ckpt_tar_member *ret)
{
	bool prefixed = memcmp(h + MAGIC, "ustar", 6) == 0 && h[PREFIX];
	char name[101], prefix[156];

	set_path(name, h + NAME, 100);
	set_path(prefix, h + PREFIX, prefixed ? 155 : 0);
	if (tar->path[0])
		memcpy(ret->path, tar->path, sizeof(ret->path));
	else
		snprintf(ret->path, sizeof(ret->path), "%s%s%s", prefix, prefixed ? "/" : "", name);
	ckpt_text_clean(ret->path);
}

/* A header that describes a member itself. *@ret_file: a regular file. */
static int read_member(struct ckpt_tar *tar, const uint8_t *h, uint64_t size,
		       struct ckpt_tar_member *ret, bool *ret_file)
{
	uint8_t type = h[TYPE];
	int r = type == 'S' ? skip_map(tar, h) : 0;

	take_path(tar, h, ret);
	ret->off = tar->at;
	ret->size = tar->has_size ? tar->size : size;
	ret->sparse = tar->sparse || type == 'S';
	*ret_file = type == '0' || type == '7' || type == 'S' ||
		    (type == '\0' && !ckpt_text_ends(ret->path, "/"));
	tar->path[0] = '\0';
	tar->has_size = tar->sparse = false;
	tar->members++;
	if (type == '1') /* a hard link: GNU tar takes its size for 0 as well */
		ret->size = 0;
	return r ? r : skip(tar, ret->size, ret->path);
}

/* The header at tar->at: 0 with *@ret_file, or a rejection or errno. */
static int read_one(struct ckpt_tar *tar, struct ckpt_tar_member *ret, bool *ret_file)
{
	struct ckpt_check *check = tar->check;
	uint8_t h[CKPT_TAR_BLOCK];
	uint64_t at = tar->at, size;
	int r = ckpt_ctx_expired(check->ctx);

	if (r == 0 && at == check->file->size)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, at, NULL,
					 "the archive has no end: two blocks of zeros must stand "
					 "there");
	r = r ? r : skip(tar, CKPT_TAR_BLOCK, NULL);
	r = r ? r : ckpt_check_read(check, at, h, sizeof(h), "a header");
	if (r)
		return r;
	if (ckpt_bytes_zero(h, sizeof(h))) {
		tar->at = at;
		return judge_end(tar);
	}
	if (!ckpt_tar_is_header(h) || !number(h + SIZE, 12, &size))
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL,
					 "what should be a header does not match its sum");
	if (h[TYPE] == 'L' || h[TYPE] == 'x')
		return read_extra(tar, h[TYPE], size);
	if (h[TYPE] == 'K' || h[TYPE] == 'g')
		return skip(tar, size, NULL);
	return read_member(tar, h, size, ret, ret_file);
}

int ckpt_tar_next(struct ckpt_tar *tar, struct ckpt_tar_member *ret)
{
	bool file = false;
	int r = 0;

	while (r == 0 && !file && !tar->end)
		r = read_one(tar, ret, &file);
	return r;
}
