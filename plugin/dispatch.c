/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's face to Slurm: every slurm_spank_* symbol, and nothing but the way to the module
 * that does it. In a step all of them return 0, whatever happened: installed as `required`, a
 * negative return would drain the node, and Slurm 25.05 takes a positive one for an error too.
 */
/* The build hides all symbols but those that Slurm's header declares. */
#pragma GCC visibility push(default)
#include <slurm/spank.h>
#pragma GCC visibility pop

#include "plugin/options.h"
#include "plugin/step.h"
#include "plugin/submit.h"

#pragma GCC visibility push(default)
SPANK_PLUGIN(ckpt, 1);
#pragma GCC visibility pop

int slurm_spank_init(spank_t sp, int ac, char *argv[])
{
	(void)ac;
	(void)argv;
	switch (spank_context()) {
	case S_CTX_ALLOCATOR:
		ckpt_submit_drop_inherited();
		ckpt_options_register(sp);
		break;
	case S_CTX_LOCAL:
	case S_CTX_REMOTE:
		ckpt_options_register(sp);
		break;
	case S_CTX_SLURMD:
	case S_CTX_JOB_SCRIPT:
	case S_CTX_ERROR:
		break;
	}
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char *argv[])
{
	switch (spank_context()) {
	case S_CTX_ALLOCATOR:
		ckpt_submit_warn();
		ckpt_submit_store(sp);
		break;
	case S_CTX_LOCAL:
		ckpt_submit_store(sp);
		break;
	case S_CTX_REMOTE:
		ckpt_step_begin(sp, ac, argv);
		break;
	case S_CTX_SLURMD:
	case S_CTX_JOB_SCRIPT:
	case S_CTX_ERROR:
		break;
	}
	return 0;
}

int slurm_spank_local_user_init(spank_t sp, int ac, char *argv[])
{
	ckpt_submit_decide(sp, ac, argv);
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char *argv[])
{
	(void)ac;
	(void)argv;
	ckpt_step_task(sp);
	return 0;
}

int slurm_spank_task_exit(spank_t sp, int ac, char *argv[])
{
	(void)ac;
	(void)argv;
	ckpt_step_end(sp);
	return 0;
}
