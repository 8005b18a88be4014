/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what one of several processes found out about its part of a checkpoint. What passes
 * is written again, and reads as the same.
 */
#include "core/integrity/part_file.h"

#include "tests/fuzz/dir.h"

static void check_pieces(const struct ckpt_share *share)
{
	size_t n = 0;

	for (const struct ckpt_share_piece *p = share->pieces; p; p = p->next, n++)
		if (p->off < p->range_off || p->off - p->range_off > p->range_len ||
		    p->len > p->range_len - (p->off - p->range_off))
			abort();
	if (n != share->n_pieces)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ckpt_part part, again;
	struct ckpt_ctx ctx = { .threads = 1 };
	const struct ckpt_parts parts = { fuzz_dir(), "c.pt", 2, "" };
	struct ckpt_error err = { 0 };
	char name[256];

	memset(&part, 0, sizeof(part));
	memset(&again, 0, sizeof(again));
	part.share.index = again.share.index = 1;
	if (!ckpt_part_name(&parts, 1, name))
		abort();
	fuzz_dir_put(name, data, size);
	if (ckpt_part_load(&ctx, &parts, 1, &part, &err) == 0) {
		check_pieces(&part.share);
		if (ckpt_part_store(&parts, &part, &err) != 0 ||
		    ckpt_part_load(&ctx, &parts, 1, &again, &err) != 0)
			abort();
		if (part.verdict.status != again.verdict.status ||
		    part.share.n_pieces != again.share.n_pieces ||
		    strcmp(part.verdict.problem.detail, again.verdict.problem.detail) != 0)
			abort();
	}
	ckpt_part_done(&part);
	ckpt_part_done(&again);
	return 0;
}
