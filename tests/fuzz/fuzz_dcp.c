/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the .metadata of a distributed checkpoint: an item must lie in a file that is known
 * and end where that file's items end, at most.
 */
#include "core/format/torch/dcp_index.h"
#include "core/format/torch/dcp_names.h"
#include "core/format/torch/dcp_tensors.h"

#include "tests/fuzz/harness.h"

/* The same bytes by the name that tensors are told of. */
static void ask_tensors(struct fuzz *f)
{
	struct ckpt_check check = { .ctx = &f->ctx,
				    .dirfd = -1,
				    .name = ".metadata",
				    .file = &f->file,
				    .report = &f->report,
				    .err = &f->err };

	ckpt_dcp_tensors(&check, fuzz_tensor, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_dcp_index_ struct ckpt_dcp_index index = { .fault = 0 };
	struct ckpt_stream in = { 0 };
	const struct ckpt_extent all = { "__0_0.distcp", 0, UINT64_MAX };
	struct ckpt_names names = { .n = 0 };
	struct fuzz f;
	int r;

	fuzz_init(&f, data, size);
	if (ckpt_stream_init(&in, &f.file, 0, size, &f.err))
		abort();
	r = ckpt_dcp_index_read(&index, &in, &f.err);
	if ((r == CKPT_PICKLE_STOPPED) != (index.fault != 0) && r <= 0)
		abort();
	ckpt_dcp_index_sort(&index);
	for (size_t i = 0; i < index.n_items; i++) {
		const uint64_t *item = index.items + 3 * i;

		if (item[0] >= index.n_files || !index.files[item[0]].used ||
		    item[1] + (item[2] & ~CKPT_DCP_TENSOR) > index.files[item[0]].end ||
		    item[1] > INT64_MAX)
			abort();
	}
	ckpt_stream_done(&in);
	ckpt_dcp_names_read(&f.file, &all, &names, &f.err);
	if (names.kept > names.n || strlen(names.text) >= sizeof(names.text))
		abort();
	ask_tensors(&f);
	fuzz_done(&f);
	return 0;
}
