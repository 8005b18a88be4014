/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_real.h.
 */
#include "tests/unit/support/torch_real.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

int torch_real_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char script[512];

	if (!bench)
		return -1;
	bench_init(bench);
	*state = bench;
	if (!bench_python(bench, "try:\n import torch\nexcept ImportError:\n exit(1)\n")) {
		torch_real_teardown(state);
		*state = NULL;
		return 0;
	}
	snprintf(script, sizeof(script),
		 "import runpy, sys\nsys.argv = ['make_torch.py', '.']\n"
		 "runpy.run_path('%s/make_torch.py')\n",
		 CKPT_TEST_DATA);
	return bench_python(bench, script) ? 0 : -1;
}

int torch_real_teardown(void **state)
{
	struct bench *bench = *state;

	if (bench)
		bench_done(bench);
	free(bench);
	return 0;
}

struct bench *torch_real(void **state)
{
	if (!*state) {
		print_message("skipped: /usr/bin/python3 has no torch\n");
		skip();
	}
	return *state;
}

void torch_real_expect(struct bench *bench, const char *name, enum ckpt_status status,
		       enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	if (ret->verdict.status != status || ret->verdict.problem.code != code)
		print_error("in %s:\n", name);
	bench_expect(ret, status, code);
}
