/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See epochs.h.
 */
#include "core/resolve/epochs.h"

#include <math.h>
#include <string.h>

#include "core/catalog/order.h"

#define EPOCH_MAX 9.0e15 /* beyond it a double holds no whole numbers */

/* The epoch number of a set as its content or its name gives it. */
static bool epoch_of(const struct ckpt_set *set, double *ret)
{
	struct ckpt_position p = ckpt_order_position(set);

	if (!p.has_epoch || !(fabs(p.epoch) < EPOCH_MAX))
		return false;
	*ret = p.epoch;
	return true;
}

static void from_meaning(struct ckpt_epochs *ret, enum ckpt_meaning meaning, double epoch)
{
	switch (meaning) {
	case CKPT_EPOCH_COMPLETED:
		ret->completed = (int64_t)epoch;
		break;
	case CKPT_EPOCH_NEXT:
		ret->completed = (int64_t)epoch - 1;
		break;
	case CKPT_EPOCH_FRACTION: /* epochs count from 0: 2.4 passed means 0 and 1 are done */
		ret->completed = (int64_t)floor(epoch) - 1;
		break;
	case CKPT_EPOCH_UNKNOWN:
	case CKPT_EPOCH_SAVE_COUNTER:
		return;
	}
	ret->start = ret->completed + 1;
	ret->has_start = ret->start >= 0;
	ret->has_completed = ret->completed >= 0;
}

static enum ckpt_meaning meaning_of(const struct ckpt_set *set, const char *override)
{
	const struct ckpt_report *report = set->report;

	if (strcmp(override, "completed") == 0)
		return CKPT_EPOCH_COMPLETED;
	if (strcmp(override, "next") == 0)
		return CKPT_EPOCH_NEXT;
	if (report->position.meaning != CKPT_EPOCH_UNKNOWN)
		return report->position.meaning;
	return report->format ? report->format->epoch_meaning : CKPT_EPOCH_UNKNOWN;
}

/* Whether @info's last_completed_epoch is the number of @set, by content or by name. */
static bool info_names(const struct ckpt_epoch_info *info, const struct ckpt_set *set)
{
	double last = (double)info->last_completed_epoch;
	struct ckpt_position p = ckpt_order_position(set);

	if (p.has_epoch)
		return p.epoch == last;
	return set->has_number && set->number == info->last_completed_epoch;
}

/* Whether @info's text says that it is about @set, by name or path. */
static bool info_is_about(const struct ckpt_epoch_info *info, const struct ckpt_set *set)
{
	const char *slash = strrchr(info->checkpoint, '/');

	return strcmp(slash ? slash + 1 : info->checkpoint, set->name) == 0;
}

/*
 * The program's epoch_info.json: where the newest save bears its number, or the one that the file
 * names, the series counts completed epochs. (The number of an older one shows nothing: that is one
 * below the newest's.) The chosen set's own epoch must then be its number in the same count: the
 * name's where the newest was judged by name.
 */
static void from_program(struct ckpt_epochs *ret, const struct ckpt_set *set,
			 const struct ckpt_set *newest, const struct ckpt_epoch_info *info)
{
	bool is_newest = !newest || newest == set;
	double epoch;

	if (!epoch_of(set, &epoch))
		return;
	if (is_newest || info_is_about(info, set)) {
		if (info_names(info, set))
			from_meaning(ret, CKPT_EPOCH_COMPLETED, epoch);
		return;
	}
	if (info_names(info, newest) && (!set->has_number || (double)set->number == epoch))
		from_meaning(ret, CKPT_EPOCH_COMPLETED, epoch);
}

/* A file of the same name that was written over since is another checkpoint. */
static bool is_same_save(const struct ckpt_epoch_info *info, const struct ckpt_set *set)
{
	struct ckpt_position p = ckpt_order_position(set);
	double last = (double)info->last_completed_epoch;

	if (info->has_step && p.has_step)
		return info->step == p.step;
	return !p.has_epoch || p.epoch == last || p.epoch == last + 1;
}

/* Our own epoch_info.json says it of this very checkpoint. */
static bool from_ours(struct ckpt_epochs *ret, const struct ckpt_set *set,
		      const struct ckpt_epoch_info *info)
{
	if (strcmp(info->recorded_by, CKPT_RECORDED_BY) != 0 ||
	    strcmp(info->checkpoint, set->name) != 0 || !is_same_save(info, set))
		return false;
	from_meaning(ret, CKPT_EPOCH_COMPLETED, (double)info->last_completed_epoch);
	return true;
}

void ckpt_epochs_of(const struct ckpt_set *set, const struct ckpt_set *newest,
		    const struct ckpt_epoch_info *info, const char *override,
		    struct ckpt_epochs *ret)
{
	struct ckpt_epochs epochs = { 0 };
	bool has_info = info && info->has_last;
	enum ckpt_meaning meaning = meaning_of(set, override);
	double epoch;

	if (meaning != CKPT_EPOCH_UNKNOWN && epoch_of(set, &epoch))
		from_meaning(&epochs, meaning, epoch);
	else if (has_info && !from_ours(&epochs, set, info))
		from_program(&epochs, set, newest, info);
	epochs.info_ahead =
		has_info && epochs.has_completed && info->last_completed_epoch > epochs.completed;
	*ret = epochs;
}
