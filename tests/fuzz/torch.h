/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For targets that make a PyTorch archive of the input: its settings are asked for.
 */
#ifndef CKPT_TESTS_FUZZ_TORCH_H
#define CKPT_TESTS_FUZZ_TORCH_H

#include "core/format/torch/torch_args.h"
#include "core/format/torch/torch_zip.h"

#include "tests/fuzz/harness.h"

/* Takes every other one. */
static inline bool fuzz_torch_setting(void *arg, const char *name,
				      const struct ckpt_pickle_value *value)
{
	size_t *heard = arg;

	if (!*name || strlen(name) >= CKPT_TORCH_ARGS_NAME ||
	    strnlen(value->text, sizeof(value->text)) == sizeof(value->text))
		abort();
	return ++*heard % 2;
}

/* Asks for settings; a place that the file does not have finds none. */
static inline void fuzz_torch_settings(const uint8_t *data, size_t size)
{
	struct fuzz *f = malloc(sizeof(*f));
	struct ckpt_torch_args_count count;
	size_t heard = 0;

	if (!f)
		abort();
	fuzz_init(f, data, size);
	f->report.format = &ckpt_format_torch_zip;
	ckpt_report_add_key(&f->report, "args", strlen("args"));
	ckpt_torch_args(&f->file, &f->report, fuzz_torch_setting, &heard, &count);
	if (count.told > CKPT_TORCH_ARGS_MAX || count.told != (heard + 1) / 2)
		abort();
	fuzz_done(f);
	free(f);
}

#endif
