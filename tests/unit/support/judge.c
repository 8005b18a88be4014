/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See judge.h.
 */
#include "tests/unit/support/judge.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void bench_init(struct bench *bench)
{
	snprintf(bench->path, sizeof(bench->path), "/tmp/ckpt-bench-XXXXXX");
	assert_non_null(mkdtemp(bench->path));
	bench->fd = open(bench->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(bench->fd >= 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void bench_done(struct bench *bench)
{
	close(bench->fd);
	nftw(bench->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_parents(struct bench *bench, const char *name)
{
	char dir[512];

	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(p - name), name);
		mkdirat(bench->fd, dir, 0777);
	}
}

void bench_write(struct bench *bench, const char *name, const void *data, size_t len)
{
	int fd;

	make_parents(bench, name);
	fd = openat(bench->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}

void bench_text(struct bench *bench, const char *name, const char *text)
{
	bench_write(bench, name, text, strlen(text));
}

void bench_resize(struct bench *bench, const char *name, size_t size)
{
	int fd = openat(bench->fd, name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

void bench_flip(struct bench *bench, const char *name, size_t off)
{
	int fd = openat(bench->fd, name, O_RDWR | O_CLOEXEC);
	unsigned char c;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, (off_t)off), 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, (off_t)off), 1);
	close(fd);
}

void bench_remove(struct bench *bench, const char *name)
{
	assert_int_equal(unlinkat(bench->fd, name, 0), 0);
}

unsigned char *bench_read(struct bench *bench, const char *path, size_t *ret_len)
{
	int fd = openat(bench->fd, path, O_RDONLY | O_CLOEXEC);
	unsigned char *data;
	struct stat st;

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	data[st.st_size] = 0;
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
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
