/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See runs.h.
 */
#include "cli/runs.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/text.h"

#define USUAL "checkpoints" /* the default directory, in the current one */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_root(struct ckpt_runs *runs, const char *path)
{
	struct ckpt_cli_roots *r = &runs->roots;

	if (r->roots.n < CKPT_REQUEST_DIRS && is_directory(path) &&
	    ckpt_cli_absolute(path, r->dirs[r->roots.n])) {
		r->roots.dir[r->roots.n] = r->dirs[r->roots.n];
		r->roots.n++;
	}
}

/* "123", or "123_4": what an array's tasks have as directories of their own. */
static bool is_job(const char *word, int64_t *ret, bool *ret_task)
{
	const char *under = strchr(word, '_');
	int64_t task;
	char job[24];

	*ret_task = under != NULL;
	if (!under)
		return ckpt_text_int(word, 1, UINT32_MAX, ret);
	if ((size_t)(under - word) >= sizeof(job))
		return false;
	memcpy(job, word, (size_t)(under - word));
	job[under - word] = '\0';
	return ckpt_text_int(job, 1, UINT32_MAX, ret) &&
	       ckpt_text_int(under + 1, 0, UINT32_MAX, &task);
}

static int name_job(const char *word, bool task, struct ckpt_runs *runs)
{
	const char *dir = getenv("CKPT_DIR");
	char path[64];

	snprintf(path, sizeof(path), USUAL "/%s", word);
	if (task) {
		add_root(runs, path);
		runs->job_id = 0; /* the directory is the task's alone, and its number another */
	} else {
		if (dir && dir[0] == '/')
			add_root(runs, dir);
		add_root(runs, USUAL);
	}
	if (runs->roots.roots.n > 0)
		return 0;
	return ckpt_cli_fail(CKPT_EXIT_NO,
			     "job %s: there is neither %s nor $CKPT_DIR here; name its run "
			     "directory instead",
			     word, task ? path : USUAL);
}

int ckpt_runs_name(const char *word, struct ckpt_runs *ret)
{
	static struct ckpt_cli_job job;
	bool task;

	memset(ret, 0, sizeof(*ret));
	if (word && is_job(word, &ret->job_id, &task))
		return name_job(word, task, ret);
	ret->job_id = 0;
	if (!word)
		ckpt_cli_job_read(&job);
	return ckpt_cli_job_roots(&job, word, &ret->roots) ? 0 : CKPT_EXIT_USAGE;
}

static void say_rest(const struct ckpt_history *h)
{
	if (h->error)
		ckpt_cli_fail(0, "not all could be read: %s", h->error_text);
	if (h->torn)
		ckpt_cli_fail(0, "%zu lines of the ledger are torn and left out", h->torn);
	if (h->foreign)
		ckpt_cli_fail(0, "%zu lines of the ledger are of no attempt and left out",
			      h->foreign);
	if (h->left_out)
		ckpt_cli_fail(0, "%zu entries more than are kept are left out", h->left_out);
}

int ckpt_runs_exit(const struct ckpt_history *h)
{
	return h->error ? CKPT_EXIT_UNKNOWN : CKPT_EXIT_YES;
}

/* Why there is nothing to show. */
static int say_empty(const struct ckpt_runs *runs, const struct ckpt_history *h)
{
	const char *root = runs->roots.roots.dir[0];

	if (h->error)
		return CKPT_EXIT_UNKNOWN;
	if (runs->job_id)
		return ckpt_cli_fail(CKPT_EXIT_NO,
				     "job %lld has no attempt in %s%s; name its run directory "
				     "instead",
				     (long long)runs->job_id, CKPT_QUOTE(root),
				     runs->roots.roots.n > 1 ? " and the default directory" : "");
	return ckpt_cli_fail(CKPT_EXIT_NO, "%s: %s", CKPT_QUOTE(root),
			     h->found ? "no attempt is recorded there" : "no run has begun there");
}

int ckpt_runs_load(const struct ckpt_runs *runs, struct ckpt_history *ret)
{
	_cleanup_history_ struct ckpt_history h = { 0 };
	struct ckpt_ctx ctx = { .no_recall = true };

	if (ckpt_history_load(&ctx, &runs->roots.roots, &h) < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s", strerror(ENOMEM));
	if (runs->job_id)
		ckpt_history_keep_job(&h, runs->job_id);
	say_rest(&h);
	if (h.n == 0)
		return say_empty(runs, &h);
	*ret = h;
	h = (struct ckpt_history) { 0 };
	return 0;
}

int ckpt_runs_add_rows(struct ckpt_table *table, const struct ckpt_history *h)
{
	int r = 0;

	for (size_t i = 0; i < h->n && r == 0; i++) {
		struct ckpt_runs_row row = {
			.attempt = &h->attempts[i],
			.newest = i + 1 == h->n || h->attempts[i + 1].group != h->attempts[i].group,
		};

		r = ckpt_table_add(table, &row);
	}
	return r;
}

char *ckpt_runs_help(int key, const char *text, void *input)
{
	struct ckpt_str help = { 0 };

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	ckpt_str_add(&help, "%s\n\nColumns:\n", text);
	for (const struct ckpt_column *c = ckpt_runs_columns; c->name; c++)
		ckpt_str_add(&help, "  %-11s %s\n", c->name, c->help);
	return help.s;
}
