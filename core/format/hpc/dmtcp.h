/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMTCP: images of processes' memory, and the restart script that names all images of one
 * checkpoint, which count only together.
 */
#ifndef CKPT_CORE_FORMAT_HPC_DMTCP_H
#define CKPT_CORE_FORMAT_HPC_DMTCP_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_dmtcp, ckpt_format_dmtcp_script;

#endif
