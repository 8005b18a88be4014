/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories of shards for tests, written by PyTorch through a script of tests/data.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_REAL_DIRS_H
#define CKPT_TESTS_UNIT_SUPPORT_REAL_DIRS_H

#include "tests/unit/support/judge.h"

/* Makes the bench and fills it by tests/data/@script. False, and says so, where there is no
 * PyTorch. */
bool real_dirs_put(struct bench *bench, const char *script);

/* The full check of the directory @name, which must fall to the row @format; the report to *@ret.
 */
void real_dirs_judge(struct bench *bench, const char *name, const char *format,
		     struct ckpt_report *ret);

/* A change of one file of a directory and what the verdict must be then. */
struct real_dirs_damage {
	const char *file; /* in the directory */
	enum {
		REAL_DIRS_REMOVE,
		REAL_DIRS_CUT,
		REAL_DIRS_GROW,
		REAL_DIRS_FLIP,
		REAL_DIRS_EMPTY
	} how;
	size_t at; /* CUT: bytes that go; FLIP: the byte from the end */
	enum ckpt_status status;
	enum ckpt_problem_code code;
};

/*
 * Does @damage to @name, judges, undoes it and judges again: the second verdict must be valid, the
 * first as the damage says, with its file named.
 */
void real_dirs_damage(struct bench *bench, const char *name, const char *format,
		      const struct real_dirs_damage *damage);

#endif
