/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See holding.h.
 */
#include "core/watch/holding.h"

#include <string.h>
#include <unistd.h>

static enum ckpt_holding_state take(struct ckpt_holding *keep, int statefd, struct ckpt_lease *mine,
				    const struct ckpt_lease *other)
{
	mine->counter++;
	if (ckpt_lease_take(statefd, keep->found, other, mine) != 0)
		return CKPT_HOLDING_BLIND;
	keep->held = keep->has_owner = true;
	keep->owner = mine->owner;
	return CKPT_HOLDING_HELD;
}

/* A full disk takes no new file, but the number goes into the one that is there. */
static enum ckpt_holding_state renew(struct ckpt_holding *keep, int statefd,
				     struct ckpt_lease *mine)
{
	mine->counter++;
	switch (ckpt_lease_renew(statefd, mine, NULL)) {
	case 0:
		return CKPT_HOLDING_HELD;
	case CKPT_LEASE_CHANGED: /* between two looks: the next step sees by whom, or takes it */
		keep->held = false;
		break;
	}
	return CKPT_HOLDING_BLIND;
}

/* Who may end our job by a file: whoever owns what we write here. */
static bool is_ours_to_obey(const struct ckpt_holding *keep, const struct ckpt_lease *other)
{
	return other->owner == (keep->has_owner ? keep->owner : geteuid());
}

/* Law 7: what ends a job is read twice. */
static bool is_later(const struct ckpt_holding *keep, int statefd, const struct ckpt_lease *mine,
		     struct ckpt_lease *other)
{
	return is_ours_to_obey(keep, other) && ckpt_lease_load(statefd, other, NULL) == 0 &&
	       ckpt_lease_relation(mine, other) == CKPT_LEASE_LATER && is_ours_to_obey(keep, other);
}

static bool is_dead(struct ckpt_holding *keep, const struct ckpt_lease *mine,
		    const struct ckpt_lease *other, int64_t now_ns)
{
	if (ckpt_lease_is_over(mine, other))
		return true;
	return ckpt_lease_watch(&keep->sight, other, now_ns) == CKPT_LEASE_DEAD &&
	       !ckpt_lease_is_here(mine, other);
}

/*
 * What lies there as a later attempt's. One that has come after we held it, or that is seen to
 * move, is; one that lay there from the beginning and stands still is of a job that had our number
 * before, and is no reason to end this one.
 */
static enum ckpt_holding_state face_later(struct ckpt_holding *keep, int statefd,
					  struct ckpt_lease *mine, int64_t now_ns,
					  struct ckpt_lease *other)
{
	bool moves = ckpt_lease_watch(&keep->sight, other, now_ns) == CKPT_LEASE_ALIVE;

	if (keep->has_owner || moves)
		return is_later(keep, statefd, mine, other) ? CKPT_HOLDING_LOST
							    : CKPT_HOLDING_BLIND;
	return is_dead(keep, mine, other, now_ns) ? take(keep, statefd, mine, other)
						  : CKPT_HOLDING_BLIND;
}

/* What is no lease was not put there by us: once it has stood for so long it makes way. */
static enum ckpt_holding_state replace_garbage(struct ckpt_holding *keep, int statefd,
					       struct ckpt_lease *mine, int64_t now_ns)
{
	if (!keep->garbage_ns)
		keep->garbage_ns = now_ns;
	if (now_ns - keep->garbage_ns < CKPT_LEASE_DEAD_NS)
		return CKPT_HOLDING_BLIND;
	return take(keep, statefd, mine, NULL);
}

static enum ckpt_holding_state judge(struct ckpt_holding *keep, int statefd,
				     struct ckpt_lease *mine, int64_t now_ns,
				     struct ckpt_lease *other)
{
	switch (ckpt_lease_relation(mine, other)) {
	case CKPT_LEASE_SAME:
		return keep->held ? renew(keep, statefd, mine) : take(keep, statefd, mine, other);
	case CKPT_LEASE_EARLIER:
		return take(keep, statefd, mine, other);
	case CKPT_LEASE_LATER:
		return face_later(keep, statefd, mine, now_ns, other);
	case CKPT_LEASE_FOREIGN:
		break;
	}
	if (is_dead(keep, mine, other, now_ns))
		return take(keep, statefd, mine, other);
	keep->held = false;
	return CKPT_HOLDING_ASIDE;
}

enum ckpt_holding_state ckpt_holding_step(struct ckpt_holding *keep, int statefd,
					  struct ckpt_lease *mine, int64_t now_ns,
					  struct ckpt_lease *ret_other)
{
	int r = keep->found = ckpt_lease_load(statefd, ret_other, NULL);

	if (r == CKPT_STATE_TORN)
		return replace_garbage(keep, statefd, mine, now_ns);
	if (r < 0)
		return CKPT_HOLDING_BLIND;
	keep->garbage_ns = 0;
	if (r == CKPT_STATE_ABSENT)
		return take(keep, statefd, mine, NULL);
	return judge(keep, statefd, mine, now_ns, ret_other);
}
