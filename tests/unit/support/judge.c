/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See judge.h.
 */
#include "tests/unit/support/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"

void bench_init(struct bench *bench)
{
	struct scratch dir;

	assert_int_equal(scratch_open(&dir), 0);
	memcpy(bench->path, dir.path, sizeof(bench->path));
	bench->fd = dir.fd;
}

void bench_done(struct bench *bench)
{
	struct scratch dir = { .fd = bench->fd };

	memcpy(dir.path, bench->path, sizeof(dir.path));
	scratch_close(&dir);
}

void bench_write(struct bench *bench, const char *name, const void *data, size_t len)
{
	scratch_write(bench->fd, name, data, len);
}

void bench_text(struct bench *bench, const char *name, const char *text)
{
	scratch_put(bench->fd, name, text);
}

void bench_resize(struct bench *bench, const char *name, size_t size)
{
	scratch_resize(bench->fd, name, size);
}

void bench_flip(struct bench *bench, const char *name, size_t off)
{
	scratch_flip(bench->fd, name, off);
}

void bench_remove(struct bench *bench, const char *name)
{
	assert_int_equal(unlinkat(bench->fd, name, 0), 0);
}

unsigned char *bench_read(struct bench *bench, const char *path, size_t *ret_len)
{
	return scratch_read(bench->fd, path, ret_len);
}

bool bench_copy(struct bench *bench, const char *path, const char *name)
{
	size_t len;
	unsigned char *data = bench_read(bench, path, &len);

	if (!data)
		return false;
	bench_write(bench, name, data, len);
	free(data);
	return true;
}

bool bench_python(struct bench *bench, const char *script)
{
	char command[256];

	bench_text(bench, ".script.py", script);
	snprintf(command, sizeof(command), "cd %s && /usr/bin/python3 .script.py", bench->path);
	return system(command) == 0;
}

bool bench_generate(struct bench *bench, const char *program)
{
	char command[512];

	bench_init(bench);
	snprintf(command, sizeof(command), "cd %s && /usr/bin/python3 %s/%s", bench->path,
		 CKPT_TEST_DATA, program);
	if (system(command) == 0)
		return true;
	bench_done(bench);
	return false;
}

bool bench_put(struct bench *bench, const char *script)
{
	bench_init(bench);
	if (bench_python(bench, script))
		return true;
	print_message("no PyTorch for /usr/bin/python3\n");
	return false;
}

enum ckpt_status bench_judge(struct bench *bench, const char *name, enum ckpt_kind kind,
			     enum ckpt_level level, struct ckpt_report *ret)
{
	struct ckpt_target target = { .dirfd = bench->fd, .name = name, .kind = kind };
	struct ckpt_ctx ctx = { .threads = 2 };

	ckpt_verify(&ctx, &target, level, ret);
	return ret->verdict.status;
}

void bench_expect(const struct ckpt_report *report, enum ckpt_status status,
		  enum ckpt_problem_code code)
{
	const struct ckpt_verdict *v = &report->verdict;

	if (v->status != status || v->problem.code != code)
		print_error("%s: %s/%s instead of %s/%s: file '%s' member '%s': %s\n",
			    report->format ? report->format->name : "no format",
			    ckpt_status_name(v->status), ckpt_problem_name(v->problem.code),
			    ckpt_status_name(status), ckpt_problem_name(code), v->problem.file,
			    v->problem.member, v->problem.detail);
	assert_int_equal(v->status, status);
	assert_int_equal(v->problem.code, code);
}

void bench_expect_cuts(struct bench *bench, const char *source, const char *name, size_t from,
		       size_t step, const char *format)
{
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	data = bench_read(bench, source, &len);
	assert_non_null(data);
	for (size_t cut = from; cut < len; cut += step) {
		bench_write(bench, name, data, cut);
		bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, format);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
}
