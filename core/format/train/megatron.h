/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An iter_NNNNNNN directory of Megatron-LM: of its legacy form (a folder a rank) or of Megatron-
 * Core's distributed form (the data of a distributed checkpoint with metadata.json, written last).
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_MEGATRON_H
#define CKPT_CORE_FORMAT_TRAIN_MEGATRON_H

#include "core/format/format.h"

/* The row "megatron". */
extern const struct ckpt_format ckpt_format_megatron;

#endif
