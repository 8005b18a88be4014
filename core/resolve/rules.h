/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules by which a checkpoint that is whole is passed over all the same: one row a rule.
 */
#ifndef CKPT_CORE_RESOLVE_RULES_H
#define CKPT_CORE_RESOLVE_RULES_H

#include "core/resolve/select.h"

enum ckpt_rule_result {
	CKPT_RULE_NEVER = 1,   /* not in this run */
	CKPT_RULE_LAST_RESORT, /* only where nothing else is left */
};

/*
 * Asks every rule about the verified @set. 0 when it may be used; else the strictest answer and the
 * reason in @why (@size bytes).
 */
int ckpt_rules_ask(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		   size_t size);

#endif
