/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an epoch number means, and so which epoch to start with. Where the meaning is not known the
 * answer is empty: an epoch too few or too many is a wrong resume.
 */
#ifndef CKPT_CORE_RESOLVE_EPOCHS_H
#define CKPT_CORE_RESOLVE_EPOCHS_H

#include "core/catalog/catalog.h"
#include "core/record/epoch_info.h"

struct ckpt_epochs {
	bool has_completed; /* last completed epoch, in the program's own numbering */
	bool has_start;
	int64_t completed, start;
	bool info_ahead; /* epoch_info.json claims more than the chosen checkpoint holds */
};

/*
 * Works them out for the chosen @set. @info: epoch_info.json of its run directory, NULL when there
 * is none. Sources in order: --ckpt-epoch (@override "completed" or "next"), our own
 * epoch_info.json about this very checkpoint, the format's row, and the program's epoch_info.json
 * where its number is that of the newest set of the series (@newest; NULL: @set), or of @set where
 * the file names it, which shows that the numbers are of completed epochs. A number below that is
 * ambiguous (a save killed before epoch_info.json was written looks the same) and decides nothing.
 */
void ckpt_epochs_of(const struct ckpt_set *set, const struct ckpt_set *newest,
		    const struct ckpt_epoch_info *info, const char *override,
		    struct ckpt_epochs *ret);

#endif
