/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl report [DIR|JOBID] -o FILE: a run's past as one page that needs nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/page.h"
#include "core/base/file.h"

struct arguments {
	const char *word, *file;
};

static const struct argp_option options[] = {
	CKPT_CLI_DIR_OPTION,
	{ "output", 'o', "FILE", 0, "where the page is written (needed)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'o') {
		arguments->file = arg;
		return 0;
	}
	if (key == ARGP_KEY_END && !arguments->file)
		argp_error(state, "-o FILE is missing");
	return key == ARGP_KEY_ARG || key == 'd' ? ckpt_cli_take_dir(&arguments->word, arg, state)
						 : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	options,
	parse,
	"[DIR|JOBID] -o FILE.html",
	"Writes the past of a run directory (default: this job's, else checkpoints) as one page: a "
	"timeline of running and waiting with what was saved, rejected and lost, the share of time "
	"that was work that lasts, and every attempt. No script, nothing from elsewhere.\v"
	"Exit: 0 written, 1 no attempt is recorded there, 3 not all could be read, or written.",
	NULL,
	NULL,
	NULL
};

/* Writes @page to @path, which may be below any directory. 0 or an errno. */
static int write_page(const char *path, const struct ckpt_str *page, struct ckpt_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *dir = slash ? strndup(path, (size_t)(name - path)) : strdup(".");
	_cleanup_close_ int dirfd = -1;

	if (!dir)
		return ckpt_fail(err, -ENOMEM, "%s", strerror(ENOMEM));
	if (!*name)
		return ckpt_fail(err, -EISDIR, "cannot write %s: a directory is no file's name",
				 CKPT_QUOTE(path));
	dirfd = ckpt_dir_open(AT_FDCWD, dir, err);
	return dirfd < 0 ? dirfd : ckpt_file_replace(dirfd, name, page->s, page->len, err);
}

int ckpt_cmd_report(int argc, char **argv)
{
	static struct ckpt_runs runs;
	struct arguments arguments = { 0 };
	_cleanup_history_ struct ckpt_history h = { 0 };
	_cleanup_str_ struct ckpt_str page = { 0 };
	struct ckpt_error err = { 0 };
	int r;

	if (ckpt_cli_parse(&argp, argc, argv, 0, &arguments) != 0)
		return CKPT_EXIT_USAGE;
	r = ckpt_runs_name(arguments.word, &runs);
	if (r == 0)
		r = ckpt_runs_load(&runs, &h);
	if (r != 0)
		return r;
	ckpt_page_write(&h, runs.roots.roots.dir[0], &page);
	if (page.failed || !page.s)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(ENOMEM));
	r = write_page(arguments.file, &page, &err);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", err.text);
	return ckpt_runs_exit(&h);
}
