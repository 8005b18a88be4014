/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LAMMPS restart files (write_restart.cpp, read_restart.cpp, lmprestart.h): one file, or a set that
 * a name with '%' stands for: the base file and one file for each process that wrote. LAMMPS reads
 * a set by the name with '%' alone; asked for the base file it refuses.
 */
#ifndef CKPT_CORE_FORMAT_HPC_LAMMPS_H
#define CKPT_CORE_FORMAT_HPC_LAMMPS_H

#include "core/format/format.h"

/* A file: also judges the base file of a set, with the others by its name. */
extern const struct ckpt_format ckpt_format_lammps;

/* A set by its name with '%'. */
extern const struct ckpt_format ckpt_format_lammps_set;

/*
 * The file of the set @name in whose place @what ("base", "0") stands, to @buf. False where @name
 * holds no '%' or @size is too small. As LAMMPS, the first '%' counts.
 */
bool ckpt_lammps_part(const char *name, const char *what, char *buf, size_t size);

#endif
