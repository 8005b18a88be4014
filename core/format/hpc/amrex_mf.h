/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One AMReX multifab: a text NAME_H with its boxes, their places in data files and the extremes of
 * their values, and those files. AMReX_VisMF.cpp has the formats 1 to 4; all but the first go
 * without a header before each FAB.
 */
#ifndef CKPT_CORE_FORMAT_HPC_AMREX_MF_H
#define CKPT_CORE_FORMAT_HPC_AMREX_MF_H

#include "core/format/format.h"

/*
 * Checks the multifab whose header is @path below check->dirfd. As a check function. At FULL every
 * value is read and compared with the extremes, where they are written (formats 1 and 3).
 */
int ckpt_amrex_mf_check(struct ckpt_check *check, const char *path, enum ckpt_level level);

/* Checks the particles whose header is @path ("tracers/Header") and the sizes of their data. As a
 * check function. */
int ckpt_amrex_particles_check(struct ckpt_check *check, const char *path);

#endif
