/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A checkpoint directory of Determined: a UUID as its name, metadata.json with steps_completed
 * (latest_batch in older versions), which is written after all else
 * (determined/core/_checkpoint.py, store_path()), and for PyTorch state_dict.pth
 * (determined/pytorch/_pytorch_trial.py, _save()).
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_DETERMINED_H
#define CKPT_CORE_FORMAT_TRAIN_DETERMINED_H

#include "core/format/format.h"

/* The row "determined". */
extern const struct ckpt_format ckpt_format_determined;

#endif
