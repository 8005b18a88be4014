/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a KVTree file, with the length and flags that let them pass the CRC; then its
 * branches are walked, and the row judges it.
 */
#include "core/format/hpc/kvtree.h"

#include <stdio.h>

#include "core/base/crc.h"

#include "tests/fuzz/harness.h"

/* Visits all branches, as deep as a stack may go. */
static void visit(struct ckpt_bytes tree, int depth)
{
	struct ckpt_kvtree_walk walk;
	struct ckpt_bytes below;
	const char *key;

	ckpt_kvtree_first(tree, &walk);
	while (depth && ckpt_kvtree_next(&walk, &key, &below))
		visit(below, depth - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_report report = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = {
		.ctx = &ctx, .dirfd = -1, .name = "x", .report = &report, .err = &err
	};
	struct ckpt_kvtree tree = { 0 };
	uint8_t file[20 + 16384 + 4] = { 0x95, 0x1f, 0xc3, 0xf5, 0, 1, 0, 1, [19] = 1 };
	uint32_t crc;
	char path[64];
	int fd = memfd_create("fuzz", MFD_CLOEXEC), r;

	if (size > 16384)
		return 0;
	memcpy(file + 20, data, size);
	for (int i = 0; i < 8; i++)
		file[8 + i] = (uint8_t)((size + 24) >> (56 - 8 * i));
	crc = ckpt_crc(CKPT_CRC32, 0, file, 20 + size);
	for (int i = 0; i < 4; i++)
		file[20 + size + i] = (uint8_t)(crc >> (24 - 8 * i));
	if (fd < 0 || write(fd, file, size + 24) != (ssize_t)size + 24)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = ckpt_kvtree_load(&check, AT_FDCWD, path, &tree);
	if (r > 0 && report.verdict.problem.code == CKPT_PROBLEM_NONE)
		abort();
	if (r == 0)
		visit(tree.root, 5);
	ckpt_kvtree_done(&tree);
	close(fd);
	fuzz_file(&ckpt_format_kvtree, file, size + 24);
	return 0;
}
