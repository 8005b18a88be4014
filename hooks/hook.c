/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-hook, one program for slurmd's Prolog= and Epilog=. As a hook it
 *   reads   its environment, ckpt-resume.conf beside slurm.conf, the kill switch, its spool;
 *   writes  its spool (SpoolDir=), syslog, slurmd's log;
 *   starts  ckpt-agent, as the job's user; the epilog also ckpt-jobinfo, where the cause is open;
 *   takes   under a millisecond for a job that did not ask, else PrologBudget= or EpilogBudget= and
 * a second; exits   0, always: a hook that fails would drain the node. By hand: --check, --help,
 * --version.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks/check.h"
#include "hooks/log.h"
#include "hooks/supervise.h"
#include "hooks/worker.h"
#include "wire/text.h"

#define ASKED                                                                                      \
	"SPANK_CKPT_RESUME" /* in the environment of every hook of a job with --ckpt-resume        \
			     */

static const char help[] =
	"usage: ckpt-hook [prolog|epilog]\n"
	"       ckpt-hook --check [FILE]\n"
	"\n"
	"slurmd's Prolog and Epilog of ckpt-resume. Without an argument, SLURM_SCRIPT_CONTEXT\n"
	"or the name it is called by says which of the two. A hook always exits 0.\n"
	"\n"
	"  --check [FILE]  check the configuration and print what is in force\n"
	"                  (0 good, 1 bad, 2 usage)\n"
	"  --help          this text\n"
	"  --version       the version\n";

/* Which hook is called, "prolog" or "epilog"; NULL when nothing says. */
static const char *which_hook(const char *name, const char *argument)
{
	const char *context = getenv("SLURM_SCRIPT_CONTEXT");
	const char *base = strrchr(name, '/');

	if (argument)
		return strcmp(argument, "prolog") == 0	 ? "prolog"
		       : strcmp(argument, "epilog") == 0 ? "epilog"
							 : NULL;
	if (context)
		return ckpt_text_starts(context, "prolog", NULL)   ? "prolog"
		       : ckpt_text_starts(context, "epilog", NULL) ? "epilog"
								   : NULL;
	base = base ? base + 1 : name;
	return strstr(base, "prolog") ? "prolog" : strstr(base, "epilog") ? "epilog" : NULL;
}

static int run_hook(const char *which)
{
	static struct ckpt_hook hook;
	const char *id = getenv("SLURM_JOB_ID");
	int64_t job_id = 0;

	if (!getenv(ASKED))
		return 0;
	if (id)
		ckpt_text_int(id, 1, UINT32_MAX, &job_id);
	ckpt_log_begin(which, job_id);
	hook.epilog = strcmp(which, "epilog") == 0;
	ckpt_supervise(ckpt_hook_work, &hook);
	return 0;
}

static int by_hand(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(help, stdout) < 0;
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("ckpt-hook " CKPT_VERSION) < 0;
	if (argc <= 3 && argc > 1 && strcmp(argv[1], "--check") == 0)
		return ckpt_check_site(argv[2]);
	fputs(help, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *which = which_hook(argc > 0 ? argv[0] : "", argc > 1 ? argv[1] : NULL);

	if (which && argc <= 2)
		return run_hook(which);
	/* Called as a hook in a way that is not known: still no reason to drain a node. */
	if (getenv("SLURM_SCRIPT_CONTEXT"))
		return 0;
	return by_hand(argc, argv);
}
