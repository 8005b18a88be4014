/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories whose state is a distributed checkpoint in a folder of theirs: NeMo 2 keeps Megatron-
 * Core's in weights/ (context/ beside it makes the model anew), OLMo-core PyTorch's in
 * model_and_optim/, each rank's loop in train/rankN.pt, and writes .metadata.json last.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_ENCLOSING_H
#define CKPT_CORE_FORMAT_TRAIN_ENCLOSING_H

#include "core/format/format.h"

/* The rows "nemo" and "olmo". */
extern const struct ckpt_format ckpt_format_nemo, ckpt_format_olmo;

#endif
