/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger.jsonl: the append-only record of attempts, causes, verdicts and decisions. One object a
 * line. Whatever else is found in it (half a line after a crash, binary garbage) is counted and
 * stepped over.
 */
#ifndef CKPT_CORE_RECORD_LEDGER_H
#define CKPT_CORE_RECORD_LEDGER_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "core/record/state.h"

#define CKPT_LEDGER "ledger.jsonl"
/* Bytes of one ledger line with its newline: few enough for a single write, enough for a trail. */
#define CKPT_LEDGER_LINE 8192

/*
 * Appends one object (adds "at", an ISO time in UTC, and "n", the line's number as far as known;
 * neither orders anything across nodes) to ledger.jsonl by a single O_APPEND write of at most
 * CKPT_LEDGER_LINE bytes, and fsyncs. A line longer than that loses the list "rejected" (its length
 * becomes "n_rejected") and says "cut"; if that does not do, all but the members that readers go
 * by, and of those the longest texts, each as a whole. A ledger whose last line is torn gets a
 * newline first. @entry stays the caller's. 0 or an errno: then the entry is not in the ledger, or
 * torn, which the next append heals.
 */
int ckpt_ledger_append(int statefd, cJSON *entry, struct ckpt_error *err);

/* Called for each whole line, oldest first; non-zero stops. Torn lines are counted, not delivered.
 */
typedef int ckpt_ledger_fn(void *arg, const cJSON *entry);

/*
 * Reads ledger.jsonl, streaming. 0 (*ret_torn, lines that are no object, may be NULL), ABSENT, what
 * @fn returned, or an errno. A last line without its newline was never completed and counts as
 * torn.
 */
int ckpt_ledger_read(int statefd, ckpt_ledger_fn *fn, void *arg, size_t *ret_torn,
		     struct ckpt_error *err);

#endif
