/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GROMACS checkpoints (.cpt): XDR, a magic number at each end. The file names the simulation's
 * output files with their length and the MD5 of their ends; mdrun refuses to go on where they
 * differ, so that is looked at too.
 */
#ifndef CKPT_CORE_FORMAT_HPC_GROMACS_H
#define CKPT_CORE_FORMAT_HPC_GROMACS_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_gromacs;

#endif
