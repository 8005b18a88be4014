/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image (criu/image.c, criu/protobuf.c, criu/include/magic.h): a common magic number since
 * format 1.1, the kind's own, then records of a length and a protocol buffer. The kinds behind
 * whose records raw data stand are not followed.
 */
#include "core/format/hpc/criu.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/varint.h"
#include "core/format/stream.h"
#include "wire/text.h"

#define COMMON 0x54564319u  /* IMG_COMMON_MAGIC */
#define SERVICE 0x55105940u /* IMG_SERVICE_MAGIC */
#define PAGEMAP 0x56084025u
#define RECORD_MAX 64 /* of a pagemap that is read; they have under 30 bytes */

/* Bits of a pagemap entry's flags, pagemap.h. */
#define IN_PARENT 1
#define PRESENT 4

/* Images that a process cannot be without, and others with plain records. '*' ends a prefix. */
static const struct {
	const char *name;
	uint32_t magic;
} kinds[] = {
	{ "inventory.img", 0x58313116u }, { "pstree.img", 0x50273030u },
	{ "files.img", 0x56303138u },	  { "reg-files.img", 0x50363636u },
	{ "core-*", 0x55053847u },	  { "ids-*", 0x54432030u },
	{ "mm-*", 0x57492820u },	  { "vmas-*", 0x54123737u },
	{ "fdinfo-*", 0x56213732u },	  { "fs-*", 0x51403912u },
	{ "creds-*", 0x54023547u },	  { "sigacts-*", 0x55344201u },
	{ "pagemap-*", PAGEMAP },	  { "mountpoints-*", 0x55563928u },
	{ "cgroup.img", 0x59383330u },	  { "seccomp.img", 0x64413049u },
	{ "tty-info.img", 0x59453036u },  { "timens-*", 0x43114433u },
	{ "utsns-*", 0x54473203u },	  { "stats-dump", 0x57093306u },
};

/* The magic number of @name, or 0. */
static uint32_t magic_of(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].name) - 1;

		if (kinds[i].name[n] == '*' ? strncmp(name, kinds[i].name, n) == 0
					    : strcmp(name, kinds[i].name) == 0)
			return kinds[i].magic;
	}
	return 0;
}

bool ckpt_criu_is_pagemap(const char *name)
{
	return magic_of(name) == PAGEMAP;
}

static int cut(struct ckpt_check *check, uint64_t size)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, size, NULL,
				 "it ends inside a record");
}

static int bad(struct ckpt_check *check, uint64_t at, const char *what)
{
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL, "%s", what);
}

/* Passes over a field's value of wire type @type, which goes to *@ret if it is a number. */
static bool take_value(struct ckpt_bytes *in, unsigned type, uint64_t *ret)
{
	struct ckpt_bytes skipped;
	uint64_t len = type == 1 ? 8 : 4;

	if (type == 0)
		return ckpt_varint_take(in, ret);
	if (type == 2 && !ckpt_varint_take(in, &len))
		return false;
	return (type == 1 || type == 2 || type == 5) && ckpt_bytes_take(in, len, &skipped);
}

/* Fields of pagemap_head and pagemap_entry (images/pagemap.proto), by number. */
enum { COMPAT_PAGES = 2, PARENT_BEFORE_FLAGS = 3, FLAGS = 4, PAGES = 5, FIELDS = 6 };

static bool parse(struct ckpt_bytes in, uint64_t value[FIELDS], bool has[FIELDS])
{
	uint64_t tag, v = 0;

	while (in.n > 0) {
		if (!ckpt_varint_take(&in, &tag) || !take_value(&in, tag & 7, &v))
			return false;
		if (tag >> 3 >= FIELDS || (tag & 7) != 0)
			continue;
		value[tag >> 3] = v;
		has[tag >> 3] = true;
	}
	return true;
}

/* A pagemap's record; the first one names the file of pages. As criu's init_compat_pagemap_entry().
 */
static bool add_entry(struct ckpt_bytes in, bool first, struct ckpt_criu_need *need)
{
	uint64_t value[FIELDS] = { 0 }, flags, pages;
	bool has[FIELDS] = { false };

	if (!parse(in, value, has) || !has[1])
		return false;
	if (first) {
		need->pages_id = value[1];
		return true;
	}
	flags = has[FLAGS] ? value[FLAGS] : PRESENT;
	if (has[PARENT_BEFORE_FLAGS] && value[PARENT_BEFORE_FLAGS])
		flags = has[FLAGS] ? flags | IN_PARENT : IN_PARENT;
	pages = has[PAGES] ? value[PAGES] : value[COMPAT_PAGES];
	need->parent |= flags & IN_PARENT;
	return !(flags & PRESENT) || !__builtin_add_overflow(need->present, pages, &need->present);
}

/* The next record of @len bytes. */
static int take_record(struct ckpt_check *check, struct ckpt_stream *in, uint32_t len, bool first,
		       struct ckpt_criu_need *need)
{
	uint8_t buf[RECORD_MAX];
	bool read = need && len <= RECORD_MAX;
	int r = ckpt_stream_take(in, read ? buf : NULL, len, check->err);

	if (r == CKPT_STREAM_END)
		return cut(check, in->file->size);
	if (r)
		return r;
	if (need && (!read || !add_entry((struct ckpt_bytes) { buf, len }, first, need)))
		return bad(check, ckpt_stream_offset(in) - len, "no entry of a pagemap");
	return 0;
}

/* Records from @at to the end. */
static int walk(struct ckpt_check *check, const struct ckpt_file *file, uint64_t at,
		struct ckpt_criu_need *need)
{
	_cleanup_stream_ struct ckpt_stream in = { .file = file };
	uint64_t n = 0;
	uint8_t len[4];
	int r = ckpt_stream_init(&in, file, at, file->size, check->err);

	for (; r == 0 && ckpt_stream_offset(&in) < file->size; n++) {
		r = ckpt_stream_take(&in, len, 4, check->err);
		if (r == CKPT_STREAM_END)
			r = cut(check, file->size);
		if (r == 0)
			r = take_record(check, &in, (uint32_t)ckpt_bytes_le(len, 4), n == 0, need);
	}
	if (r == 0 && n == 0 && need)
		r = cut(check, file->size);
	return r;
}

/* Where the records begin; 0: the file is of no kind that is known. */
static int check_magic(struct ckpt_check *check, const struct ckpt_file *file, uint32_t want,
		       uint64_t *ret_at)
{
	uint8_t head[8] = { 0 };
	size_t n = file->size < 8 ? file->size : 8;
	int r = ckpt_file_read(file, 0, head, n, check->err);
	uint32_t first = (uint32_t)ckpt_bytes_le(head, 4),
		 kind = (uint32_t)ckpt_bytes_le(head + 4, 4);
	bool common = first == COMMON || first == SERVICE;

	*ret_at = 0;
	if (r)
		return r < 0 ? r : -EAGAIN;
	if (!want)
		return 0;
	if (n < 4 || (common && n < 8))
		return cut(check, file->size);
	if (first == 0)
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, 0, NULL,
					 "it begins with zeros");
	if (first != want && !(common && kind == want))
		return bad(check, 0, "it does not begin as such an image does");
	*ret_at = common ? 8 : 4;
	return 0;
}

static int check_opened(struct ckpt_check *check, const char *name, const struct ckpt_file *file,
			struct ckpt_criu_need *need)
{
	uint64_t at;
	int r = check_magic(check, file, magic_of(name), &at);

	check->report->verdict.size_bytes += file->size;
	if (r || !at)
		return r;
	return walk(check, file, at, ckpt_criu_is_pagemap(name) ? need : NULL);
}

int ckpt_criu_image(struct ckpt_check *check, const char *name, struct ckpt_criu_need *need)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	*need = (struct ckpt_criu_need) { .present = 0 };
	if (r == -ENOENT)
		r = ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				      CKPT_NO_OFFSET, NULL, "it is missing");
	else if (r == CKPT_FILE_NOT_REGULAR)
		r = ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
				      NULL, "not a regular file");
	else if (r == 0)
		r = check_opened(check, name, &file, need);
	return r > 0 ? ckpt_check_blame(check, name, r) : r;
}
