/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AMReX checkpoints and plot files: directories with a text "Header" and, level by level, multifabs
 * (amrex_mf.h) and particles. They hold no checksum; what can be compared is compared: sizes,
 * boxes, and the extremes of the values.
 */
#ifndef CKPT_CORE_FORMAT_HPC_AMREX_H
#define CKPT_CORE_FORMAT_HPC_AMREX_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_amrex;

#endif
