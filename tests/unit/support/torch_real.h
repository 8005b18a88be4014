/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real PyTorch files for tests, written by tests/data/make_torch.py.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_TORCH_REAL_H
#define CKPT_TESTS_UNIT_SUPPORT_TORCH_REAL_H

#include "tests/unit/support/judge.h"

/* cmocka group set-up: *state becomes a bench with the files; NULL where there is no PyTorch. */
int torch_real_setup(void **state);

/* cmocka group tear-down. */
int torch_real_teardown(void **state);

/* The bench; skips the test, and says so, where there is none. */
struct bench *torch_real(void **state);

/* Fails unless the full check of @name says @status with @code; the report stays in *@ret. */
void torch_real_expect(struct bench *bench, const char *name, enum ckpt_status status,
		       enum ckpt_problem_code code, struct ckpt_report *ret);

#endif
