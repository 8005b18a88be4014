/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The --ckpt-* options of sbatch, salloc and srun: one table, checked as they are read, so that a
 * wrong one ends the submission before anything is queued.
 */
#ifndef CKPT_PLUGIN_OPTIONS_H
#define CKPT_PLUGIN_OPTIONS_H

#include <slurm/spank.h>
#include <stdbool.h>

/* Registers all options; for slurm_spank_init() alone. A failure is logged and otherwise no matter.
 */
void ckpt_options_register(spank_t sp);

/* True once --ckpt-resume was given (here or inherited from the allocation). */
bool ckpt_options_asked(void);

/* The first option given that needs --ckpt-resume and has not got it ("--ckpt-dir"), or NULL. */
const char *ckpt_options_orphan(void);

/* Takes one option; @env is the name without "CKPT_" ("RESUME", "DIR"). */
typedef void ckpt_option_fn(void *arg, const char *env, const char *value);

/* Calls @fn for every option that was given. */
void ckpt_options_each(ckpt_option_fn *fn, void *arg);

#endif
