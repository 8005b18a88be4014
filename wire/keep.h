/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --ckpt-keep=N[,best=K]: how many of a job's sealed checkpoints are kept.
 */
#ifndef CKPT_WIRE_KEEP_H
#define CKPT_WIRE_KEEP_H

#include <stdint.h>

#define CKPT_KEEP_LEAST 2 /* with fewer there is nothing to fall back on */

/* A parsed one. */
struct ckpt_keep {
	int64_t newest; /* of each series; 0: all are kept */
	int64_t best;	/* of all, by --ckpt-metric; one at least */
};

/* Parses @text: N[,best=K], N from CKPT_KEEP_LEAST and K from 1 on; empty keeps all. NULL with
 * *@ret (may be NULL) filled, or what is wrong with it; *@ret is untouched then. */
const char *ckpt_keep_parse(const char *text, struct ckpt_keep *ret);

#endif
