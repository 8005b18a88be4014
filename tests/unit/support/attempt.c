/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See attempt.h.
 */
#include "tests/unit/support/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/resolve/settle.h"

struct ckpt_request *attempt_request(const struct scratch *dir, int64_t number)
{
	struct ckpt_request *req = calloc(1, sizeof(*req));

	assert_non_null(req);
	ckpt_request_init(req);
	ATTEMPT_SET(req->dirs, dir->path);
	ATTEMPT_SET(req->work_dir, dir->path);
	ATTEMPT_SET(req->cluster, "test");
	ATTEMPT_SET(req->quarantine, "rename");
	req->job_id = ATTEMPT_JOB;
	req->attempt = number;
	return req;
}

void attempt_put(const struct scratch *dir, const char *name, long epoch, long step)
{
	const struct torch_synthetic how = { .epoch = epoch, .step = step };

	torch_synthetic_write(dir->fd, name, &how);
}

void attempt_put_flipped(const struct scratch *dir, const char *name, long epoch, long step)
{
	const struct torch_synthetic how = { .epoch = epoch, .step = step, .flip = true };

	torch_synthetic_write(dir->fd, name, &how);
}

void attempt_put_cut(const struct scratch *dir, const char *name, long epoch, long step)
{
	const struct torch_synthetic how = { .epoch = epoch, .step = step, .cut = true };

	torch_synthetic_write(dir->fd, name, &how);
}

void attempt_resolve(const struct ckpt_request *req, struct ckpt_resolution *ret)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_error err = { 0 };

	if (ckpt_resolve(&ctx, req, ret, &err) != 0)
		fail_msg("attempt %lld: %s", (long long)req->attempt, err.text);
}

void attempt_settle(const struct ckpt_request *req, struct ckpt_decision *ret)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_ctx ctx = { .threads = 1 };

	attempt_resolve(req, &res);
	ckpt_settle(&ctx, req, &res);
	*ret = res.decision;
}

void attempt_make(const struct scratch *dir, int64_t number, const char *mode,
		  struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, number);

	ATTEMPT_SET(req->mode, mode);
	attempt_settle(req, ret);
	free(req);
}

const struct ckpt_trail_entry *attempt_trail(const struct ckpt_resolution *res, const char *name)
{
	for (size_t i = res->n_trail; i > 0; i--) {
		const struct ckpt_trail_entry *e = &res->trail[i - 1];

		if (e->set && strcmp(e->set->name, name) == 0)
			return e;
	}
	fail_msg("the trail does not know %s", name);
	return NULL;
}

size_t attempt_looked(const struct ckpt_resolution *res)
{
	size_t n = 0;

	for (size_t i = 0; i < res->catalog.n_sets; i++)
		n += res->catalog.sets[i].report != NULL;
	return n;
}

#define BROKEN_FLOATS 5000 /* tells its size from all other files' */

void attempt_put_broken(const struct scratch *dir, const char *name, long step)
{
	const struct torch_synthetic how = { .epoch = -1, .step = step, .floats = BROKEN_FLOATS };

	torch_synthetic_write(dir->fd, name, &how);
}

static ssize_t broken_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct stat st;

	(void)arg;
	if (fstat(fd, &st) == 0 && st.st_size > 4 * BROKEN_FLOATS &&
	    st.st_size < 5 * BROKEN_FLOATS) {
		errno = EIO;
		return -1;
	}
	return pread(fd, buf, len, off);
}

const struct ckpt_seam attempt_broken = { .pread = broken_pread };

struct attempt_selection *attempt_selection_new(const struct scratch *dir, const char *glob)
{
	struct attempt_selection *a = calloc(1, sizeof(*a));
	const struct ckpt_catalog_options options = { .glob = glob };
	struct ckpt_error err = { 0 };

	assert_non_null(a);
	a->req = attempt_request(dir, 0);
	a->ctx.threads = 1;
	ATTEMPT_SET(a->res.run_dirs[0], dir->path);
	a->res.n_run_dirs = 1;
	if (ckpt_catalog_scan(&a->ctx, &a->res.catalog, dir->path, 0, &options, &err) != 0)
		fail_msg("%s", err.text);
	a->s = (struct ckpt_selection) {
		.ctx = &a->ctx,
		.req = a->req,
		.res = &a->res,
		.config = &a->config,
		.level = CKPT_LEVEL_FULL,
	};
	return a;
}

void attempt_selection_free(struct attempt_selection *selection)
{
	ckpt_resolution_done(&selection->res);
	free(selection->req);
	free(selection);
}

const char *attempt_auto(struct attempt_selection *selection)
{
	struct ckpt_set *set = NULL;
	int r = ckpt_select_auto(&selection->s, &set);

	assert_in_range(r, 0, CKPT_SELECT_UNKNOWN);
	return r == 0 ? set->name : r == CKPT_SELECT_NONE ? "none" : "unknown";
}

struct ckpt_set *attempt_set(struct attempt_selection *selection, const char *name)
{
	struct ckpt_set *set = ckpt_catalog_find(&selection->res.catalog, NULL, name);

	if (!set)
		fail_msg("no candidate %s", name);
	return set;
}
