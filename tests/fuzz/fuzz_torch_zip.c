/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a PyTorch archive, and as one whose settings are asked for.
 */
#include "core/format/torch/torch_args.h"
#include "core/format/torch/torch_zip.h"

#include "tests/fuzz/harness.h"

/* Takes every other one. */
static bool take_setting(void *arg, const char *name, const struct ckpt_pickle_value *value)
{
	size_t *taken = arg;

	if (!*name || strlen(name) >= CKPT_TORCH_ARGS_NAME ||
	    strnlen(value->text, sizeof(value->text)) == sizeof(value->text))
		abort();
	return ++*taken % 2;
}

/* A place of settings that the file does not have finds none. */
static void ask_settings(const uint8_t *data, size_t size)
{
	struct fuzz *f = malloc(sizeof(*f));
	struct ckpt_torch_args_count count;
	size_t taken = 0;

	if (!f)
		abort();
	fuzz_init(f, data, size);
	f->report.format = &ckpt_format_torch_zip;
	ckpt_report_add_key(&f->report, "args", strlen("args"));
	ckpt_torch_args(&f->file, &f->report, take_setting, &taken, &count);
	if (count.told > CKPT_TORCH_ARGS_MAX || count.told != (taken + 1) / 2)
		abort();
	fuzz_done(f);
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_torch_zip, data, size);
	ask_settings(data, size);
	return 0;
}
