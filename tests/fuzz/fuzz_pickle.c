/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a pickle, with words of interest: what is told must be whole.
 */
#include "core/format/torch/pickle.h"

#include "core/format/torch/torch_state.h"
#include "tests/fuzz/harness.h"

static bool on_name(void *arg, const char *text, size_t len)
{
	(void)arg;
	if (strlen(text) != len || len == 0 || len > 63)
		abort();
	return true;
}

static bool on_item(void *arg, size_t word, const struct ckpt_pickle_value *value)
{
	(void)arg;
	if (word >= 2 || memchr(value->text, 0, sizeof(value->text)) == NULL)
		abort();
	return true;
}

static bool on_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	(void)arg;
	if (storage->element > 16 || storage->numel > INT64_MAX)
		abort();
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "step", "epoch" };
	const struct ckpt_pickle_sink sink = { .words = words,
					       .n_words = 2,
					       .name = on_name,
					       .item = on_item,
					       .storage = on_storage };
	struct ckpt_pickle_summary sum;
	struct ckpt_stream in = { 0 };
	struct fuzz f;
	int r;

	fuzz_init(&f, data, size);
	if (ckpt_stream_init(&in, &f.file, 0, size, &f.err))
		abort();
	r = ckpt_pickle_scan(&in, &sink, &sum, &f.err);
	if (r == 0 && sum.tensors > sum.items)
		abort();
	ckpt_stream_done(&in);
	if (ckpt_stream_init(&in, &f.file, 0, size, &f.err))
		abort();
	r = ckpt_torch_state_scan(&in, &f.report, NULL, NULL, &f.err);
	fuzz_assert_report(&f, r > 0 ? 0 : r);
	ckpt_stream_done(&in);
	fuzz_done(&f);
	return 0;
}
