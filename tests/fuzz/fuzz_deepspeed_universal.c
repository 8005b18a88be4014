/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the model's file of a universal checkpoint of DeepSpeed, as the common part of its
 * optimizer, and as one parameter's state.
 */
#include "core/format/train/deepspeed.h"

#include "tests/fuzz/dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "mp_rank_00_model_states.pt",
					     "zero/optimizer_state.pt", "zero/layer.weight/fp32.pt",
					     "zero/layer.weight/exp_avg.pt" };

	fuzz_dir_make("zero");
	fuzz_dir_make("zero/layer.weight");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		fuzz_dir_put(names[i], data, size);
	fuzz_dir_judge(&ckpt_format_deepspeed, CKPT_KIND_DIRECTORY, "global_step500_universal");
	return 0;
}
