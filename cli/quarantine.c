/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl quarantine PATH..., ckptctl release PATH...: out of the way by hand, and back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/common.h"
#include "core/integrity/quarantine.h"
#include "core/integrity/verify.h"
#include "core/record/state.h"

struct moving {
	bool json;
	char **paths;
	int n_paths;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "answer as JSON", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct moving *m = state->input;

	(void)arg;
	switch (key) {
	case 'j':
		m->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		m->paths = state->argv + state->next;
		m->n_paths = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which checkpoint?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp quarantine_argp = {
	options,
	parse,
	"PATH...",
	"Renames proved corrupt checkpoints to NAME.corrupted (a directory moves to "
	".ckpt-resume/corrupted/). Each is read twice in full first; one that is valid, incomplete "
	"or "
	"unreadable stays where it is.\v`ckptctl release PATH` undoes it.",
	NULL,
	NULL,
	NULL
};

static const struct argp release_argp = { options,
					  parse,
					  "PATH...",
					  "Brings checkpoints back from quarantine. PATH is the "
					  "checkpoint's own name, or that of the renamed file.",
					  NULL,
					  NULL,
					  NULL };

/* Tells what became of @path, in words or as an element of @array. */
static void tell(const struct moving *m, cJSON *array, const char *path, const char *what)
{
	cJSON *o;

	if (!m->json) {
		printf("%s: %s\n", path, what);
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "path", path);
	cJSON_AddStringToObject(o, "result", what);
	cJSON_AddItemToArray(array, o);
}

static int open_state(const char *dir, int *ret_dirfd, struct ckpt_error *err)
{
	*ret_dirfd = ckpt_dir_open(AT_FDCWD, dir, err);
	return *ret_dirfd < 0 ? *ret_dirfd : ckpt_state_make(*ret_dirfd, err);
}

static int quarantine_one(const struct moving *m, const char *path, cJSON *array)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_close_ int dirfd = -1, statefd = -1;
	struct ckpt_error err = { 0 };
	struct ckpt_set *set = NULL;
	struct ckpt_ctx ctx = { 0 };
	int r = ckpt_cli_find(&ctx, &cat, path, &set);

	if (r != 0)
		return r;
	ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	statefd = open_state(set->dir, &dirfd, &err);
	if (statefd < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: %s", path, err.text);
	r = ckpt_quarantine(&ctx, dirfd, statefd, set, &err);
	if (r != 0)
		return ckpt_cli_fail(r < 0 ? CKPT_EXIT_UNKNOWN : CKPT_EXIT_NO, "%s: %s", path,
				     err.text);
	tell(m, array, path, "in quarantine");
	return 0;
}

static int release_one(const struct moving *m, const char *path, cJSON *array)
{
	_cleanup_close_ int dirfd = -1, statefd = -1;
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };
	char dir[CKPT_PATH_MAX];
	const char *name;
	char *slash;
	int r;

	if (!ckpt_cli_absolute(path, dir) || !(slash = strrchr(dir, '/')) || !slash[1])
		return ckpt_cli_fail(CKPT_EXIT_USAGE, "%s: not a checkpoint's path", path);
	name = slash + 1;
	*slash = '\0';
	statefd = open_state(dir[0] ? dir : "/", &dirfd, &err);
	if (statefd < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s: %s", path, err.text);
	r = ckpt_release(&ctx, dirfd, statefd, name, &err);
	if (r == CKPT_QUARANTINE_NOTHING)
		return ckpt_cli_fail(CKPT_EXIT_NO, "%s: nothing of that name is in quarantine",
				     path);
	if (r != 0)
		return ckpt_cli_fail(r == -EEXIST ? CKPT_EXIT_NO : CKPT_EXIT_UNKNOWN, "%s: %s",
				     path, err.text);
	tell(m, array, path, "released");
	return 0;
}

static int each(const struct argp *argp, int argc, char **argv,
		int (*one)(const struct moving *m, const char *path, cJSON *array))
{
	struct moving m = { 0 };
	cJSON *array;
	int code = 0;

	if (argp_parse(argp, argc, argv, 0, NULL, &m) != 0)
		return CKPT_EXIT_USAGE;
	array = cJSON_CreateArray();
	for (int i = 0; i < m.n_paths; i++) {
		int r = one(&m, m.paths[i], array);

		code = r > code ? r : code;
	}
	if (m.json)
		ckpt_cli_print_json(array);
	else
		cJSON_Delete(array);
	return code;
}

int ckpt_cmd_quarantine(int argc, char **argv)
{
	return each(&quarantine_argp, argc, argv, quarantine_one);
}

int ckpt_cmd_release(int argc, char **argv)
{
	return each(&release_argp, argc, argv, release_one);
}
