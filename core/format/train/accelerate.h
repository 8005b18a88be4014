/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of accelerate's save_state(), as diffusers' scripts and kohya's sd-scripts write it
 * too. There is no marker of completion: the random states are written last by each process.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_ACCELERATE_H
#define CKPT_CORE_FORMAT_TRAIN_ACCELERATE_H

#include "core/format/format.h"

/* The row "accelerate". */
extern const struct ckpt_format ckpt_format_accelerate;

#endif
