/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See expand.h. A path is built component by component, so that no value (a job may be named "..")
 * can change which directory the rest of it means.
 */
#include "core/resolve/expand.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/text.h"

#define DEFAULT_DIR "checkpoints"
#define DEFAULT_BELOW_ARRAY "%A_%a"

/* A path under way. */
struct path {
	const struct ckpt_request *req;
	char *buf; /* CKPT_PATH_MAX bytes */
	size_t len;
	size_t component;    /* where the component under way begins */
	bool valued;	     /* a value is part of it */
	bool separates;	     /* %a or %j took part: tasks of an array do not share it */
	const char *unknown; /* what of the job this caller does not know */
};

/* A hook cannot see whether a job is an array's task, unless slurmctld told it. */
static bool array_is_unknown(const struct ckpt_request *req)
{
	return req->in_hook && !req->array_job;
}

static bool is_array(const struct ckpt_request *req)
{
	return req->array_task != CKPT_REQUEST_NO_TASK;
}

static bool add_char(struct path *path, char c)
{
	if (path->len + 1 >= CKPT_PATH_MAX)
		return false;
	path->buf[path->len++] = c;
	path->buf[path->len] = '\0';
	return true;
}

/* Adds a value: one component at most, and never an empty one. */
static bool add_value(struct path *path, const char *value)
{
	path->valued = true;
	if (!*value)
		return add_char(path, '_');
	for (; *value; value++) {
		bool odd = *value == '/' || (unsigned char)*value < 0x20 || *value == 0x7f;

		if (!add_char(path, odd ? '_' : *value))
			return false;
	}
	return true;
}

static bool add_number(struct path *path, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	return add_value(path, text);
}

/* Notes what is not known and goes on: the first one is what is said. */
static bool not_known(struct path *path, const char *what)
{
	if (!path->unknown)
		path->unknown = what;
	return true;
}

static bool add_job_id(struct path *path)
{
	path->separates = true;
	if (path->req->job_id == 0)
		return not_known(path, "%j (job id)");
	return add_number(path, path->req->job_id);
}

static bool add_array_job(struct path *path)
{
	const struct ckpt_request *req = path->req;

	if (req->array_job)
		return add_number(path, req->array_job);
	if (array_is_unknown(req) || req->job_id == 0) /* a task's own job id is not the array's */
		return not_known(path, "%A (array job id)");
	return add_number(path, req->job_id);
}

static bool add_task(struct path *path)
{
	path->separates = true;
	if (is_array(path->req))
		return add_number(path, path->req->array_task);
	if (array_is_unknown(path->req))
		return not_known(path, "%a (array task id)");
	return add_number(path, 0);
}

static bool add_job_name(struct path *path)
{
	if (!*path->req->job_name)
		return not_known(path, "%x (job name)");
	return add_value(path, path->req->job_name);
}

static bool add_user(struct path *path)
{
	if (!*path->req->user)
		return not_known(path, "%u (user)");
	return add_value(path, path->req->user);
}

static bool add_percent(struct path *path)
{
	return add_char(path, '%');
}

static const struct {
	char letter;
	bool (*add)(struct path *path);
} letters[] = {
	{ 'j', add_job_id },   { 'A', add_array_job }, { 'a', add_task },
	{ 'x', add_job_name }, { 'u', add_user },      { '%', add_percent },
};

static bool is_dots(const char *component)
{
	return strcmp(component, ".") == 0 || strcmp(component, "..") == 0;
}

/* Ends the component under way: "." goes, dots that a value brought become "_". */
static bool end_component(struct path *path)
{
	char *component = path->buf + path->component;

	if (path->valued && is_dots(component)) {
		path->len = path->component;
		if (!add_char(path, '_'))
			return false;
	} else if (strcmp(component, ".") == 0) {
		path->len = path->component;
	}
	path->buf[path->len] = '\0';
	path->valued = false;
	if (path->len > 0 && path->buf[path->len - 1] != '/' && !add_char(path, '/'))
		return false;
	path->component = path->len;
	return true;
}

static int too_long(struct ckpt_error *err, const char *text)
{
	return ckpt_fail(err, CKPT_EXPAND_REFUSED, "run directory %s is longer than %d bytes",
			 CKPT_QUOTE(text), CKPT_PATH_MAX - 1);
}

static int add_letter(struct path *path, char letter, const char *text, struct ckpt_error *err)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letter == letters[i].letter)
			return letters[i].add(path) ? 0 : too_long(err, text);
	return ckpt_fail(err, CKPT_EXPAND_REFUSED,
			 "run directory %s: unknown %%-letter (allowed: %%j %%A %%a %%x %%u %%%%)",
			 CKPT_QUOTE(text));
}

/* Adds @text with its letters expanded where @expand says so. 0, REFUSED. */
static int add_text(struct path *path, const char *text, bool expand, struct ckpt_error *err)
{
	for (const char *p = text; *p; p++) {
		int r = 0;

		if (*p == '%' && expand)
			r = add_letter(path, *++p, text, err);
		else if (*p == '/' && path->len == 0)
			r = add_char(path, '/') ? 0 : too_long(err, text);
		else if (!(*p == '/' ? end_component(path) : add_char(path, *p)))
			r = too_long(err, text);
		if (r != 0)
			return r;
		if (*p == '/')
			path->component = path->len;
	}
	return end_component(path) ? 0 : too_long(err, text);
}

/* Ends the path: no slash at its end, "/" excepted. */
static void end_path(struct path *path)
{
	if (path->len > 1 && path->buf[path->len - 1] == '/')
		path->buf[--path->len] = '\0';
}

static bool has_parent(const char *path)
{
	for (const char *p = strstr(path, "/.."); p; p = strstr(p + 1, "/.."))
		if (p[3] == '/' || p[3] == '\0')
			return true;
	return false;
}

static bool lies_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	if (strcmp(top, "/") == 0)
		return true;
	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Copies the element of a ':' list at *@list to @buf and moves behind it. False at the list's end.
 */
static bool next_element(const char **list, char *buf, size_t size)
{
	size_t len = strcspn(*list, ":");

	if (!**list)
		return false;
	snprintf(buf, size, "%.*s", (int)(len < size ? len : size - 1), *list);
	*list += len + ((*list)[len] == ':');
	return true;
}

/* True if RunDirs= names a directory that @dir is or lies below. */
static bool is_allowed(const struct ckpt_request *req, const char *dir)
{
	const char *list = req->run_dirs;
	char element[CKPT_PATH_MAX];

	while (next_element(&list, element, sizeof(element))) {
		char top[CKPT_PATH_MAX] = "";
		struct path path = { .req = req, .buf = top };

		if (*element != '/' || add_text(&path, element, false, NULL) != 0)
			continue;
		end_path(&path);
		if (lies_below(dir, top))
			return true;
	}
	return false;
}

static int check_allowed(const struct ckpt_request *req, const char *dir, struct ckpt_error *err)
{
	if (!*req->run_dirs)
		return 0;
	if (has_parent(dir))
		return ckpt_fail(err, CKPT_EXPAND_REFUSED,
				 "run directory %s: '..' is not allowed at this site",
				 CKPT_QUOTE(dir));
	if (!is_allowed(req, dir))
		return ckpt_fail(err, CKPT_EXPAND_REFUSED,
				 "run directory %s lies outside of what this site allows: %s",
				 CKPT_QUOTE(dir), CKPT_QUOTE(req->run_dirs));
	return 0;
}

/* A directory before expansion. */
struct template
{
	const char *dir, *below; /* below: appended to dir, may be empty */
	const char *example;	 /* of how tasks of an array get one each; NULL: its own does */
};

static int expand_one(const struct ckpt_request *req, const struct template *from, char *ret,
		      struct ckpt_error *err)
{
	struct path path = { .req = req, .buf = ret };
	int r = 0;

	ret[0] = '\0';
	if (*from->dir != '/')
		r = add_text(&path, req->work_dir, false, err);
	if (r == 0)
		r = add_text(&path, from->dir, true, err);
	if (r == 0 && *from->below)
		r = add_text(&path, from->below, true, err);
	if (r != 0)
		return r;
	end_path(&path);
	if (path.unknown)
		return ckpt_fail(err, CKPT_EXPAND_UNKNOWN, "run directory %s: %s is not known here",
				 CKPT_QUOTE(from->dir), path.unknown);
	if (from->example && is_array(req) && !path.separates && !req->expanded)
		return ckpt_fail(err, CKPT_EXPAND_REFUSED,
				 "all tasks of this array would share the run directory %s: add "
				 "%%a to it, e.g. %s",
				 CKPT_QUOTE(from->dir), from->example);
	return 0;
}

static int expand_run_dir(const struct ckpt_request *req, const struct template *from, char *ret,
			  struct ckpt_error *err)
{
	int r = expand_one(req, from, ret, err);

	return r == 0 ? check_allowed(req, ret, err) : r;
}

static int expand_default(const struct ckpt_request *req, char *ret, struct ckpt_error *err)
{
	const struct template from = {
		.dir = *req->default_dir ? req->default_dir : DEFAULT_DIR,
		.below = is_array(req) ? DEFAULT_BELOW_ARRAY : "",
	};

	if (array_is_unknown(req))
		return ckpt_fail(err, CKPT_EXPAND_UNKNOWN,
				 "the default run directory is not known here");
	return expand_run_dir(req, &from, ret, err);
}

const char *ckpt_expand_fallback(const struct ckpt_request *req)
{
	bool searched = !strchr(req->default_dir, '%') && !is_array(req) && !array_is_unknown(req);

	if (req->dirs[0])
		searched = req->expanded == CKPT_REQUEST_BY_DEFAULT;
	return searched && req->work_dir[0] ? req->work_dir : NULL;
}

static bool is_repeated(char (*dirs)[CKPT_PATH_MAX], int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(dirs[i], dirs[n]) == 0)
			return true;
	return false;
}

static int expand_list(const struct ckpt_request *req, char (*ret)[CKPT_PATH_MAX], int *n,
		       struct ckpt_error *err)
{
	char element[CKPT_PATH_MAX];
	const struct template from = { .dir = element,
				       .below = "",
				       .example = "--ckpt-dir=checkpoints/%A_%a" };
	const char *list = req->dirs;

	while (*list) {
		size_t len = strcspn(list, ":");
		int r;

		if (len == 0)
			return ckpt_fail(err, CKPT_EXPAND_REFUSED,
					 "--ckpt-dir=%s holds an empty directory name",
					 CKPT_QUOTE(req->dirs));
		if (len >= sizeof(element))
			return too_long(err, list);
		if (*n == CKPT_REQUEST_DIRS)
			return ckpt_fail(err, CKPT_EXPAND_REFUSED,
					 "--ckpt-dir names more than %d directories",
					 CKPT_REQUEST_DIRS);
		next_element(&list, element, sizeof(element));
		r = expand_run_dir(req, &from, ret[*n], err);
		if (r != 0)
			return r;
		*n += !is_repeated(ret, *n);
	}
	return 0;
}

static int check_work_dir(const struct ckpt_request *req, struct ckpt_error *err)
{
	if (*req->work_dir == '/')
		return 0;
	return ckpt_fail(err, -EINVAL, "the work directory %s is no absolute path",
			 CKPT_QUOTE(req->work_dir));
}

int ckpt_expand_dirs(const struct ckpt_request *req, char (*ret)[CKPT_PATH_MAX], int *ret_n,
		     struct ckpt_error *err)
{
	int n = 0, r = check_work_dir(req, err);

	if (r < 0)
		return r;
	if (*req->dirs) {
		r = expand_list(req, ret, &n, err);
	} else {
		r = expand_default(req, ret[0], err);
		n = 1;
	}
	if (r == 0)
		*ret_n = n;
	return r;
}

int ckpt_expand_state(const struct ckpt_request *req, char *ret, struct ckpt_error *err)
{
	const struct template from = { .dir = req->state,
				       .below = "",
				       .example = "--ckpt-state=state/%A_%a" };
	struct ckpt_error why = { 0 };
	int r = check_work_dir(req, &why);

	if (r == 0)
		r = expand_one(req, &from, ret, &why);
	return r ? ckpt_fail(err, r, "--ckpt-state: %.480s", why.text) : 0;
}

int ckpt_expand_roots(const struct ckpt_request *req, char (*ret)[CKPT_PATH_MAX], int *ret_n,
		      struct ckpt_error *err)
{
	int r;

	if (!req->state[0])
		return ckpt_expand_dirs(req, ret, ret_n, err);
	r = ckpt_expand_state(req, ret[0], err);
	if (r == 0)
		*ret_n = 1;
	return r;
}
