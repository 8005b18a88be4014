/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pickle of a PyTorch checkpoint tells about it: progress, contents, top-level names,
 * framework.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_STATE_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_STATE_H

#include "core/format/torch/pickle.h"
#include "core/format/verdict.h"

/*
 * Scans the pickle at @in into @report's position, contents, keys and framework; @storage (with
 * @arg) hears of each storage and may end the scan. As ckpt_pickle_scan(); on anything but 0 the
 * report is left as it was.
 */
int ckpt_torch_state_scan(struct ckpt_stream *in, struct ckpt_report *report,
			  bool (*storage)(void *arg, const struct ckpt_pickle_storage *), void *arg,
			  struct ckpt_error *err);

#endif
