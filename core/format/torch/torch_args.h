/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the training that a PyTorch zip holds beside its tensors: numbers and words of an
 * argparse.Namespace or a dict under `args`, `hyper_parameters` and the like.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_ARGS_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_ARGS_H

#include "core/format/torch/pickle.h"
#include "core/format/verdict.h"

/* Hears of a setting: once for each name, the first value in the file. */
typedef void ckpt_torch_args_fn(void *arg, const char *name, const struct ckpt_pickle_value *value);

/*
 * Reads the settings of the torch zip @file, whose report is @report, by the names that programs
 * commonly give them; none where its top level has no place for settings. Scans data.pkl once more,
 * in bounded memory. 0 (also where it holds none, or is another file), or an errno.
 */
int ckpt_torch_args(const struct ckpt_file *file, const struct ckpt_report *report,
		    ckpt_torch_args_fn *found, void *arg);

#endif
