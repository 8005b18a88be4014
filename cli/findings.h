/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `info` and `why` say of a checkpoint that was rejected or looks suspicious, so that a person
 * can act: gathered once, printed as lines, in one line, or as JSON.
 */
#ifndef CKPT_CLI_FINDINGS_H
#define CKPT_CLI_FINDINGS_H

#include "cli/common.h"
#include "core/integrity/forensics.h"
#include "core/resolve/account.h"

struct ckpt_findings {
	bool has_file; /* one file could be looked at */
	char file[256];
	struct ckpt_forensics data;
	struct ckpt_account account;
};

/* Looks at the verified @set, a set of the scanned @cat, whose run keeps its state in @run_dir. */
void ckpt_findings_of(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, struct ckpt_set *set,
		      const char *run_dir, struct ckpt_findings *ret);

/* The same of a set that stands alone: its directory is scanned for the others. */
void ckpt_findings_alone(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_catalog *cat,
			 struct ckpt_findings *ret);

/* A line each on stdout, as `info` has them. @rejected: facts about the file too. */
void ckpt_findings_print(const struct ckpt_findings *f, bool rejected);

/* All in one line, for `why`; may be empty, and of one that is not @rejected most often is. Returns
 * @buf. */
const char *ckpt_findings_line(const struct ckpt_findings *f, bool rejected, char *buf,
			       size_t size);

/* As a JSON object; NULL without memory. */
cJSON *ckpt_findings_json(const struct ckpt_findings *f);

#endif
