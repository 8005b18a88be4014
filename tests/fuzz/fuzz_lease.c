/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as lease.json. What is taken for a lease must be written so that it reads as the same,
 * and can be watched, compared and released.
 */
#include "core/record/lease.h"

#include "tests/fuzz/dir.h"

static void check(int dir, struct ckpt_lease *lease)
{
	struct ckpt_lease ours = { .cluster = "x", .job_id = 1 }, again = { 0 };
	struct ckpt_lease_sight sight = { 0 };

	ckpt_lease_sign(&ours);
	ckpt_lease_relation(&ours, lease);
	ckpt_lease_watch(&sight, lease, 1);
	if (ckpt_lease_is_over(&ours, lease) && ckpt_lease_is_here(&ours, lease))
		abort();
	if (ckpt_lease_take(dir, 0, lease, lease) != 0 || ckpt_lease_load(dir, &again, NULL) != 0 ||
	    memcmp(lease, &again, sizeof(again)) != 0)
		abort();
	if (ckpt_lease_release(dir, lease, NULL) != 0 || ckpt_lease_load(dir, &again, NULL) != 0 ||
	    !again.released)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_lease lease = { 0 };
	int dir = fuzz_dir();

	fuzz_dir_put(CKPT_LEASE, data, size);
	if (ckpt_lease_load(dir, &lease, NULL) == 0)
		check(dir, &lease);
	return 0;
}
