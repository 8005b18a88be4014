/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_strings.h. DT_STRING: varint lengths, a masked CRC of the lengths, all bytes. DT_VARIANT:
 * for each element a varint length, its bytes, the masked CRC so far.
 */
#include "core/format/tensorflow/tf_strings.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/format/tensorflow/tf_table.h"

#define BUFFER_BYTES 65536

/* The entry's bytes, from the front on. */
struct input {
	const struct ckpt_file *file;
	struct ckpt_error *err;
	uint64_t off, end; /* what the buffer does not yet hold */
	uint8_t *buf;
	struct ckpt_bytes have;
	uint32_t crc;
};

/* Makes at least @want bytes (or all that are left) available. 0 or an errno; BAD if the file
 * shrank. */
static int fill(struct input *in, size_t want)
{
	uint64_t left = in->end - in->off;
	size_t n;
	int r;

	if (in->have.n >= want || !left)
		return 0;
	memmove(in->buf, in->have.p, in->have.n);
	n = BUFFER_BYTES - in->have.n;
	if (n > left)
		n = (size_t)left;
	r = ckpt_file_read(in->file, in->off, in->buf + in->have.n, n, in->err);
	if (r)
		return r < 0 ? r : CKPT_TF_STRINGS_BAD;
	in->off += n;
	in->have = (struct ckpt_bytes) { in->buf, in->have.n + n };
	return 0;
}

static int take_length(struct input *in, uint64_t *ret)
{
	int r = fill(in, 10);

	if (r)
		return r;
	return ckpt_varint_take(&in->have, ret) ? 0 : CKPT_TF_STRINGS_BAD;
}

/* Adds the next @len bytes to the CRC. */
static int sum_bytes(struct input *in, uint64_t len)
{
	if (len > in->end - in->off + in->have.n)
		return CKPT_TF_STRINGS_BAD;
	while (len > 0) {
		struct ckpt_bytes part;
		int r = fill(in, 1);

		if (r)
			return r;
		if (!ckpt_bytes_take(&in->have, len < in->have.n ? len : in->have.n, &part))
			return CKPT_TF_STRINGS_BAD;
		in->crc = ckpt_crc(CKPT_CRC32C, in->crc, part.p, part.n);
		len -= part.n;
	}
	return 0;
}

/* Compares the masked CRC that is next with the one so far, and adds it. */
static int check_running(struct input *in)
{
	struct ckpt_bytes b;
	uint32_t stored;
	int r = fill(in, sizeof(stored));

	if (r)
		return r;
	if (!ckpt_bytes_take(&in->have, sizeof(stored), &b))
		return CKPT_TF_STRINGS_BAD;
	memcpy(&stored, b.p, sizeof(stored));
	if (ckpt_tf_unmask(le32toh(stored)) != in->crc)
		return CKPT_TF_STRINGS_BAD;
	in->crc = ckpt_crc(CKPT_CRC32C, in->crc, b.p, b.n);
	return 0;
}

static void sum_u32(struct input *in, uint64_t v)
{
	uint32_t le = htole32((uint32_t)v);

	in->crc = ckpt_crc(CKPT_CRC32C, in->crc, &le, sizeof(le));
}

static void sum_u64(struct input *in, uint64_t v)
{
	uint64_t le = htole64(v);

	in->crc = ckpt_crc(CKPT_CRC32C, in->crc, &le, sizeof(le));
}

static int verify_strings(struct input *in, uint64_t elements)
{
	uint64_t total = 0, len;
	int r;

	for (uint64_t i = 0; i < elements; i++) {
		r = take_length(in, &len);
		if (r)
			return r;
		if (__builtin_add_overflow(total, len, &total))
			return CKPT_TF_STRINGS_BAD;
		(len <= UINT32_MAX ? sum_u32 : sum_u64)(in, len);
	}
	r = check_running(in);
	return r ? r : sum_bytes(in, total);
}

static int verify_variants(struct input *in, uint64_t elements)
{
	for (uint64_t i = 0; i < elements; i++) {
		uint64_t len;
		int r = take_length(in, &len);

		if (r)
			return r;
		sum_u64(in, len);
		r = sum_bytes(in, len);
		if (!r)
			r = check_running(in);
		if (r)
			return r;
	}
	return 0;
}

int ckpt_tf_strings_verify(const struct ckpt_file *file, const struct ckpt_tf_entry *entry,
			   struct ckpt_error *err)
{
	_cleanup_free_ uint8_t *buf = NULL;
	struct input in = { .file = file, .err = err, .off = entry->offset };
	int r;

	if (!entry->size)
		return 0;
	/* Every element takes a byte at least: hostile counts end here. */
	if (entry->odd_shape || entry->elements > entry->size ||
	    __builtin_add_overflow(entry->offset, entry->size, &in.end))
		return CKPT_TF_STRINGS_BAD;
	buf = malloc(BUFFER_BYTES);
	if (!buf)
		return -ENOMEM;
	in.buf = buf;
	in.have = (struct ckpt_bytes) { buf, 0 };
	r = (entry->dtype == CKPT_TF_VARIANT ? verify_variants : verify_strings)(&in,
										 entry->elements);
	if (r)
		return r;
	if (in.have.n || in.off != in.end || in.crc != ckpt_tf_unmask(entry->crc))
		return CKPT_TF_STRINGS_BAD;
	return 0;
}
