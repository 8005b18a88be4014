/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tag directory of DeepSpeed (global_stepN): every rank writes its own shards in place, and no
 * marker says that all have.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_DEEPSPEED_H
#define CKPT_CORE_FORMAT_TRAIN_DEEPSPEED_H

#include "core/format/format.h"

/* The row "deepspeed". */
extern const struct ckpt_format ckpt_format_deepspeed;

#endif
