/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory whose layout no other row knows, which its user calls a checkpoint (--ckpt-glob): of
 * Ray Train, torchtune, LitGPT, or one's own. Each file is judged by its own row. Which files
 * belong to it, nothing tells: it has to have those of its elder, and proves no more than an
 * unknown file. One with a file that only a known layout has is not taken: there that layout's own
 * is missing.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_FOLDER_H
#define CKPT_CORE_FORMAT_TRAIN_FOLDER_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_folder;

#endif
