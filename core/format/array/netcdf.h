/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NetCDF classic: 32-bit, 64-bit offset and CDF-5 (big-endian). The header tells where every
 * variable begins, and so how long the file must be; libnetcdf opens a shorter one and returns
 * zeros. (NetCDF-4 is HDF5.) Source: NetCDF Classic Format Specification.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_NETCDF_H
#define CKPT_CORE_FORMAT_ARRAY_NETCDF_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_netcdf;

#endif
