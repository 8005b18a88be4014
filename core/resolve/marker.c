/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See marker.h.
 */
#include "core/resolve/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/resolve/decide.h"
#include "core/resolve/standing.h"
#include "core/resolve/trail.h"

/* A directory is written to all the time; that it is there is all that it says. */
static bool was_there(const struct ckpt_mark *mark, const struct ckpt_identity *id,
		      bool is_directory)
{
	for (size_t i = 0; is_directory && i < mark->n_foreign; i++)
		if (mark->foreign[i].ino == id->ino)
			return true;
	return ckpt_mark_is_foreign(mark, id);
}

static bool path_of(const struct ckpt_resolution *res, char *buf, size_t size)
{
	const char *name = res->config.end_marker;

	snprintf(buf, size, "%s%s%s", name[0] == '/' ? "" : res->run_dirs[0],
		 name[0] == '/' ? "" : "/", name);
	return name[0] != '\0';
}

static bool is_directory(const struct ckpt_resolution *res)
{
	char path[2 * CKPT_PATH_MAX + 2];
	struct stat st;

	return path_of(res, path, sizeof(path)) && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int ckpt_marker_look(const struct ckpt_resolution *res, struct ckpt_identity *ret)
{
	char path[2 * CKPT_PATH_MAX + 2];
	int r;

	if (!path_of(res, path, sizeof(path)))
		return CKPT_MARKER_ABSENT;
	r = ckpt_identity_at(AT_FDCWD, path, true, ret);
	return r == -ENOENT || r == -ENOTDIR ? CKPT_MARKER_ABSENT : r;
}

int ckpt_step_marked(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	const char *name = res->config.end_marker;
	struct ckpt_identity id;
	int e;

	if (res->first || r->req->status_known || !res->state.ours)
		return 0;
	e = ckpt_marker_look(res, &id);
	if (e < 0) {
		ckpt_decide_refused(res, CKPT_REFUSE_UNKNOWN,
				    "the end marker %s cannot be looked up (%s): nothing was "
				    "started. Mend access to it and requeue the job",
				    CKPT_QUOTE(name), strerror(-e));
		return CKPT_STEP_DONE;
	}
	if (e > 0 || was_there(&res->state.mark, &id, is_directory(res)))
		return 0;
	if (ckpt_standing_is_deliberate(r)) {
		ckpt_resolution_warn(res,
				     "the end marker %s is there; the job was requeued since, and "
				     "starts again",
				     CKPT_QUOTE(name));
		return 0;
	}
	ckpt_decide_marked(res, name);
	return CKPT_STEP_DONE;
}
