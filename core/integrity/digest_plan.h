/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the work of a digest job is shared out.
 */
#ifndef CKPT_CORE_INTEGRITY_DIGEST_PLAN_H
#define CKPT_CORE_INTEGRITY_DIGEST_PLAN_H

#include "core/base/sha256_streams.h"
#include "core/integrity/digest.h"

/* The plan for @job, whose files are @units leaves or whole files. */
struct ckpt_sha256_plan ckpt_digest_plan(const struct ckpt_digest_job *job, uint64_t units);

#endif
