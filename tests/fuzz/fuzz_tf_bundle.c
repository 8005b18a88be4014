/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the index of a TensorFlow bundle with one data file. The checksums of its blocks are
 * made right first, so that inputs come past them: the blocks are those that a footer of two known
 * handles names.
 */
#include <stdio.h>

#include "core/base/crc.h"
#include "core/format/tensorflow/tf_bundle.h"
#include "core/format/tensorflow/tf_table.h"

#include "tests/fuzz/harness.h"

static char dir[64];

static void remove_dir(void)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/p.index", dir);
	unlink(name);
	snprintf(name, sizeof(name), "%s/p.data-00000-of-00001", dir);
	unlink(name);
	rmdir(dir);
}

static int open_dir(void)
{
	static int fd = -1;

	if (fd < 0) {
		snprintf(dir, sizeof(dir), "/tmp/ckpt-fuzz-XXXXXX");
		if (!mkdtemp(dir))
			abort();
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		atexit(remove_dir);
	}
	return fd;
}

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v > 0x7f; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

/* Appends a block of @n bytes, its type byte the last of them, with the right CRC. Returns the
 * length. */
static size_t put_block(uint8_t *out, const uint8_t *data, size_t n)
{
	uint32_t masked = ckpt_tf_mask(ckpt_crc(CKPT_CRC32C, 0, data, n));

	memcpy(out, data, n);
	memcpy(out + n, &masked, 4);
	return n + 4;
}

/* A data block of all but the first byte of @data, and an index that names it. */
static size_t make_index(uint8_t *out, const uint8_t *data, size_t size)
{
	static const uint8_t tail[] = { 0, 0, 0, 0, 1, 0, 0, 0, 0 };
	uint8_t index[64] = { 0 }, handle[24];
	uint64_t magic = CKPT_TF_MAGIC;
	size_t n = put_block(out, data, size), at = n, h, i = 0;

	h = put_varint(handle, 0);
	h += put_varint(handle + h, size - 1);
	index[i++] = 0;
	index[i++] = 1;
	index[i++] = (uint8_t)h;
	index[i++] = 'z';
	memcpy(index + i, handle, h);
	i += h;
	memcpy(index + i, tail, sizeof(tail));
	i += sizeof(tail);
	n += put_block(out + n, index, i);
	memset(out + n, 0, CKPT_TF_FOOTER);
	h = put_varint(out + n, at); /* the metaindex: the index once more */
	h += put_varint(out + n + h, i - 1);
	h += put_varint(out + n + h, at);
	put_varint(out + n + h, i - 1);
	memcpy(out + n + 40, &magic, 8);
	return n + CKPT_TF_FOOTER;
}

static void write_file(int dirfd, const char *name, const uint8_t *data, size_t n)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, n) != (ssize_t)n)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int dirfd = open_dir();
	struct ckpt_report *report = calloc(1, sizeof(*report));
	uint8_t *file = malloc(size + 256);
	struct ckpt_ctx ctx = { .threads = 1, .max_bytes = 64 << 20 };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = { .ctx = &ctx,
				    .kind = CKPT_KIND_PREFIX,
				    .dirfd = dirfd,
				    .name = "p",
				    .report = report,
				    .err = &err };

	if (!report || !file)
		abort();
	if (size > 1 && data[0] & 1) /* as it is */
		write_file(dirfd, "p.index", data + 1, size - 1);
	else if (size > 2)
		write_file(dirfd, "p.index", file, make_index(file, data + 1, size - 1));
	write_file(dirfd, "p.data-00000-of-00001", data, size < 64 ? size : 64);
	ckpt_check_run(&check, CKPT_LEVEL_FULL);
	fuzz_names(&check, &ckpt_format_tf_bundle, "p.data-00000-of-00001", 64);
	free(report);
	free(file);
	return 0;
}
