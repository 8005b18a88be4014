/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What pickle.dump() wrote, once or several times, of protocols 2 to 5; those before have nothing
 * to be told by. Nothing is unpickled: each pickle must reach its STOP. One that cannot be followed
 * is the opaque row's: joblib's arrays stand between the opcodes, as bytes that no opcode
 * announces.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_PICKLE_FILE_H
#define CKPT_CORE_FORMAT_TORCH_PICKLE_FILE_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_pickle_file;

#endif
