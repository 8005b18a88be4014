/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last row: any file whose format nobody here knows. All that can be said is that it is not
 * empty, and that its end was written.
 */
#ifndef CKPT_CORE_FORMAT_OPAQUE_H
#define CKPT_CORE_FORMAT_OPAQUE_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_opaque;

#endif
