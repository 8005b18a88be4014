/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules by which a checkpoint that is whole is passed over all the same: one row a rule.
 */
#ifndef CKPT_CORE_RESOLVE_RULES_H
#define CKPT_CORE_RESOLVE_RULES_H

#include "core/resolve/select.h"

/* From the mildest to the strictest. */
enum ckpt_rule_result {
	CKPT_RULE_LAST_RESORT = 1, /* only where nothing else is left */
	CKPT_RULE_TURNED_AWAY, /* by the run configuration's validation: whole, but not as its user
				  wants it */
	CKPT_RULE_NEVER,       /* not in this run */
};

/* How the reason of a poisoned one begins. */
#define CKPT_RULE_POISON "poisoned: "

/*
 * Asks every rule about the verified @set: one that is not valid was not read, and is asked about
 * by its name, place and identity alone. 0 when it may be used; else the strictest answer and the
 * reason in @why (@size bytes).
 */
int ckpt_rules_ask(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		   size_t size);

#endif
