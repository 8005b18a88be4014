/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LAMMPS restart files: the same mark at both ends, and records that begin with the time step. A
 * file written with '%' in its name is a set: the one called "base", and one a group of processes,
 * which must all be there.
 */
#ifndef CKPT_CORE_FORMAT_HPC_LAMMPS_H
#define CKPT_CORE_FORMAT_HPC_LAMMPS_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_lammps;

#endif
