/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See real_dirs.h.
 */
#include "tests/unit/support/real_dirs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/scratch.h"

bool real_dirs_put(struct bench *bench, const char *script)
{
	char command[512];

	bench_init(bench);
	snprintf(command, sizeof(command),
		 "import runpy, sys\nsys.argv = ['%s', '.']\n"
		 "runpy.run_path('%s/%s', run_name='__main__')\n",
		 script, CKPT_TEST_DATA, script);
	if (bench_python(bench, command))
		return true;
	print_message("no PyTorch for /usr/bin/python3\n");
	return false;
}

void real_dirs_judge(struct bench *bench, const char *name, const char *format,
		     struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, ret);
	if (!ret->format || strcmp(ret->format->name, format) != 0)
		print_error("%s is taken by %s: %s\n", name,
			    ret->format ? ret->format->name : "no row",
			    ret->verdict.problem.detail);
	assert_non_null(ret->format);
	assert_string_equal(ret->format->name, format);
}

static void do_damage(struct bench *bench, const char *path, const struct real_dirs_damage *damage,
		      size_t len)
{
	switch (damage->how) {
	case REAL_DIRS_REMOVE:
		bench_remove(bench, path);
		break;
	case REAL_DIRS_CUT:
		bench_resize(bench, path, len - damage->at);
		break;
	case REAL_DIRS_GROW:
		bench_resize(bench, path, len + damage->at);
		break;
	case REAL_DIRS_FLIP:
		bench_flip(bench, path, len - damage->at);
		break;
	case REAL_DIRS_EMPTY:
		bench_resize(bench, path, 0);
		break;
	}
}

void real_dirs_damage(struct bench *bench, const char *name, const char *format,
		      const struct real_dirs_damage *damage)
{
	struct ckpt_report report;
	char path[256];
	size_t len;
	unsigned char *data;

	snprintf(path, sizeof(path), "%s/%s", name, damage->file);
	data = bench_read(bench, path, &len);
	assert_non_null(data);
	do_damage(bench, path, damage, len);
	real_dirs_judge(bench, name, format, &report);
	if (report.verdict.status != damage->status)
		print_error("after damage %d of %s\n", (int)damage->how, path);
	bench_expect(&report, damage->status, damage->code);
	if (strcmp(report.verdict.problem.file, damage->file) != 0 &&
	    strcmp(report.verdict.problem.member, damage->file) != 0)
		fail_msg("%s is not named: '%s' '%s'", damage->file, report.verdict.problem.file,
			 report.verdict.problem.member);
	bench_write(bench, path, data, len);
	free(data);
	real_dirs_judge(bench, name, format, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
}
