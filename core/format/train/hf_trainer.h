/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A checkpoint-N directory of the Hugging Face Trainer. trainer_state.json is among the last files
 * written and holds the position.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_HF_TRAINER_H
#define CKPT_CORE_FORMAT_TRAIN_HF_TRAINER_H

#include "core/format/format.h"

/* The row "hf-trainer". */
extern const struct ckpt_format ckpt_format_hf_trainer;

#endif
