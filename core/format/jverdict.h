/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the results of the streaming JSON reader to a verdict, the same for every JSON file that
 * belongs to a checkpoint.
 */
#ifndef CKPT_CORE_FORMAT_JVERDICT_H
#define CKPT_CORE_FORMAT_JVERDICT_H

#include "core/base/jstream.h"
#include "core/format/format.h"

/*
 * The verdict on check->file after ckpt_jstream_next() answered @r: torn or fading into zeros is
 * incomplete, other text is corrupt, too deep is unreadable. 0 and errnos pass through.
 */
int ckpt_jverdict(struct ckpt_check *check, const struct ckpt_jstream *js, int r);

/*
 * How many folders are in the path that @token gives, which can only lead downwards from the
 * directory itself: entries with one '/' between them, none of them "." or "..", printable. -1 for
 * anything else.
 */
int ckpt_jverdict_path_depth(const struct ckpt_jtoken *token);

#endif
