/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any lines as a run's ledger: what is told of its attempts adds up, and prints.
 */
#include "core/resolve/history.h"

#include "tests/fuzz/dir.h"

static void check_attempt(const struct ckpt_history *h, const struct ckpt_history_attempt *a)
{
	const struct ckpt_history_attempt *before = ckpt_history_before(h, a);

	if (before && (before->job_id != a->job_id || before->attempt >= a->attempt))
		abort();
	if (a->ran_s < CKPT_HISTORY_UNKNOWN || a->waited_s < CKPT_HISTORY_UNKNOWN ||
	    a->lost_s < CKPT_HISTORY_UNKNOWN)
		abort();
	if (a->has_lost_steps && a->lost_steps < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_roots roots = { .n = 1 };
	_cleanup_history_ struct ckpt_history h = { 0 };
	struct ckpt_history_sums sums;
	cJSON *json;

	fuzz_dir();
	fuzz_dir_make(".ckpt-resume");
	fuzz_dir_put(".ckpt-resume/ledger.jsonl", data, size);
	roots.dir[0] = fuzz_dir_path;
	if (ckpt_history_load(&ctx, &roots, &h) != 0)
		return 0;
	for (size_t i = 0; i < h.n; i++)
		check_attempt(&h, &h.attempts[i]);
	sums = ckpt_history_sum(&h);
	if (sums.has_goodput && !(sums.goodput >= 0 && sums.goodput <= 1))
		abort();
	json = ckpt_history_json(&h);
	if (!json)
		abort();
	cJSON_Delete(json);
	return 0;
}
