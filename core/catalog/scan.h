/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the scan shares with the making of pinned sets.
 */
#ifndef CKPT_CORE_CATALOG_SCAN_H
#define CKPT_CORE_CATALOG_SCAN_H

#include <stdbool.h>

/* True if one of @globs (fnmatch patterns, ':' separated; NULL = none) takes @name. */
bool ckpt_scan_globbed(const char *globs, const char *name);

#endif
