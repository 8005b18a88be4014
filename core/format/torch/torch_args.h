/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of the training that a PyTorch zip holds beside its tensors: numbers and words of an
 * argparse.Namespace or a dict under `args`, `hyper_parameters` and the like.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_ARGS_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_ARGS_H

#include "core/format/torch/pickle.h"
#include "core/format/verdict.h"

#define CKPT_TORCH_ARGS_MAX 256 /* settings that are told */
#define CKPT_TORCH_ARGS_NAME 128

/* How many there are. Left out: lists, tensors, objects, names that are not known,
 * all beyond the first CKPT_TORCH_ARGS_MAX, and what the caller did not take. */
struct ckpt_torch_args_count {
	uint64_t told, left_out;
};

/* Hears of a setting: a number, a bool, None, or a text (longer ones are cut, and end in "...").
 * Returns whether it took it. */
typedef bool ckpt_torch_args_fn(void *arg, const char *name, const struct ckpt_pickle_value *value);

/*
 * Tells the settings of the torch zip @file, whose report is @report, in the file's order, those of
 * a dict in it as "outer/inner"; none where its top level has no place for settings. Scans data.pkl
 * once more, in bounded memory. 0 (also where it holds none, or is another file) with *@ret filled,
 * or an errno.
 */
int ckpt_torch_args(const struct ckpt_file *file, const struct ckpt_report *report,
		    ckpt_torch_args_fn *found, void *arg, struct ckpt_torch_args_count *ret);

#endif
