/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See history_group.h.
 */
#include "core/resolve/history_group.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool agree(const char *a, const char *b)
{
	return !*a || !*b || strcmp(a, b) == 0;
}

int ckpt_history_group_find(const struct ckpt_history_groups *groups,
			    const struct ckpt_history_group *who)
{
	for (size_t i = groups->n; i-- > 0;) {
		const struct ckpt_history_group *group = &groups->list[i];

		if (group->job_id == who->job_id && agree(group->cluster, who->cluster) &&
		    agree(group->run, who->run))
			return (int)i;
	}
	return -1;
}

int ckpt_history_group_add(struct ckpt_history_groups *groups, const struct ckpt_history_group *who)
{
	struct ckpt_history_group *more =
		reallocarray(groups->list, groups->n + 1, sizeof(*groups->list));

	if (!more)
		return -ENOMEM;
	groups->list = more;
	groups->list[groups->n] = *who;
	return (int)groups->n++;
}

void ckpt_history_group_learn(struct ckpt_history_groups *groups, int place,
			      const struct ckpt_history_group *who)
{
	struct ckpt_history_group *group = &groups->list[place];

	if (!*group->cluster)
		memcpy(group->cluster, who->cluster, sizeof(group->cluster));
	if (!*group->run)
		memcpy(group->run, who->run, sizeof(group->run));
}
