/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger's entries as the resolver writes them, and run_state.c reads them: event, job_id,
 * cluster, attempt, run, and what happened.
 */
#ifndef CKPT_CORE_RESOLVE_EVENTS_H
#define CKPT_CORE_RESOLVE_EVENTS_H

#include "core/resolve/resolve.h"

/* {"event": @event} with job_id, cluster, attempt and node of @req. NULL = no memory. */
cJSON *ckpt_event_new(const struct ckpt_request *req, const char *event);

/* {"event":"decision", mode, path, evidence, step, epoch, reason, where, hooks, id,
 * refusal, rejected:[{name, verdict, problem, id, why}]}. NULL = no memory. */
cJSON *ckpt_event_decision(const struct ckpt_request *req, const struct ckpt_resolution *res);

/* {"event": @req's note (requeue, hold), why, by}, of the run @run. NULL = no memory. */
cJSON *ckpt_event_note(const struct ckpt_request *req, const char *run);

/* {"event":"align", "file", "to"}. NULL = no memory. */
cJSON *ckpt_event_align(const struct ckpt_request *req, const char *file, const char *to);

/* {"event":"end", cause, batch_status, newest_valid, newest_dir, id, finished, evidence, rejected}:
 * @res is what the next attempt would decide. NULL = no memory. */
cJSON *ckpt_event_end(const struct ckpt_request *req, const struct ckpt_resolution *res);

/* {"event":"checkpoint", name, dir, verdict, evidence, problem, detail, step, epoch, loss,
 * loss_key, size_bytes,
 * seconds}: what was found out about @set, which has its report. NULL = no memory. */
cJSON *ckpt_event_checkpoint(const struct ckpt_request *req, const struct ckpt_resolution *res,
			     const struct ckpt_set *set);

/* Appends @entry, which stays the caller's, to the ledger of each of @roots that has one. 0 where
 * one took it, else the errno of the last; @entry may be NULL (no memory): -ENOENT. */
int ckpt_event_append(const struct ckpt_roots *roots, cJSON *entry, struct ckpt_error *err);

#endif
