/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pinned absolute path, looked at from the submit host.
 */
#ifndef CKPT_PLUGIN_PIN_H
#define CKPT_PLUGIN_PIN_H

#include "wire/error.h"

/*
 * Is there something at @path (a file, a directory, or the prefix of a set: "ckpt-3" with
 * "ckpt-3.index" beside it)? 0 if so; 0 with a remark in @err where this host cannot tell; -ENOENT
 * with
 * @err where the parent directory is visible and nothing is there. Runs as the submitting user.
 */
int ckpt_pin_check(const char *path, struct ckpt_error *err);

#endif
