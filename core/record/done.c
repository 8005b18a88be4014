/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See done.h.
 */
#include "core/record/done.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json.h"
#include "wire/text.h"

int ckpt_done_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_done *ret, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *o = NULL;
	struct ckpt_done done = { 0 };
	const char *run;
	int r = ckpt_json_load(ctx, statefd, CKPT_DONE, &o, err);

	if (r == -ENOENT)
		return CKPT_STATE_ABSENT;
	if (r < 0)
		return r;
	run = r == 0 ? ckpt_json_text(o, "run") : NULL;
	if (!run || !*run || !ckpt_text_copy(done.run, sizeof(done.run), run))
		return ckpt_fail(err, CKPT_STATE_TORN, "%s/%s is torn or names no run",
				 CKPT_STATE_DIR, CKPT_DONE);
	ckpt_json_int(o, "job_id", &done.job_id);
	ckpt_json_int(o, "attempt", &done.attempt);
	*ret = done;
	return 0;
}

int ckpt_done_store(int statefd, const struct ckpt_done *done, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *o = cJSON_CreateObject();

	if (!cJSON_AddStringToObject(o, "run", done->run) ||
	    !cJSON_AddNumberToObject(o, "job_id", (double)done->job_id) ||
	    !cJSON_AddNumberToObject(o, "attempt", (double)done->attempt))
		return ckpt_fail(err, -ENOMEM, "no memory for %s", CKPT_DONE);
	return ckpt_json_store(statefd, CKPT_DONE, o, err);
}

int ckpt_done_remove(int statefd, struct ckpt_error *err)
{
	if (unlinkat(statefd, CKPT_DONE, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return CKPT_STATE_ABSENT;
	return ckpt_fail(err, -errno, "cannot remove %s/%s: %s", CKPT_STATE_DIR, CKPT_DONE,
			 strerror(errno));
}
