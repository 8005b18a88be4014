/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bench for tests of formats: a scratch directory to put files into, and the verdict on one of
 * them. Whatever fails here fails the test.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_JUDGE_H
#define CKPT_TESTS_UNIT_SUPPORT_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/integrity/verify.h"

struct bench {
	char path[64];
	int fd;
};

/* Makes the directory. */
void bench_init(struct bench *bench);

/* Removes it and all in it. */
void bench_done(struct bench *bench);
#define _cleanup_bench_ _cleanup_(bench_done)

/* Writes @len bytes to @name in the bench, anew; its directories are made. */
void bench_write(struct bench *bench, const char *name, const void *data, size_t len);

/* Writes a text. */
void bench_text(struct bench *bench, const char *name, const char *text);

/* Cuts or grows @name to @size. */
void bench_resize(struct bench *bench, const char *name, size_t size);

/* Flips bit 0 of the byte at @off of @name. */
void bench_flip(struct bench *bench, const char *name, size_t off);

/* Removes @name, which must be there. */
void bench_remove(struct bench *bench, const char *name);

/* The content of @path (any, or a name in the bench), for the caller to free; NULL if there is no
 * such file. */
unsigned char *bench_read(struct bench *bench, const char *path, size_t *ret_len);

/* Copies the file @path to @name in the bench; false if there is none. */
bool bench_copy(struct bench *bench, const char *path, const char *name);

/* Runs @script by /usr/bin/python3 with the bench as its directory; false if it fails or torch is
 * missing. */
bool bench_python(struct bench *bench, const char *script);

/* Makes the bench and fills it by tests/data/@program, behind which a shell takes more. False where
 * that fails: there is no bench then. */
bool bench_generate(struct bench *bench, const char *program);

/* Makes the bench and fills it by @script, as bench_python(). False, and says so, where there is no
 * PyTorch. */
bool bench_put(struct bench *bench, const char *script);

/* The verdict on @name of @kind at @level. */
enum ckpt_status bench_judge(struct bench *bench, const char *name, enum ckpt_kind kind,
			     enum ckpt_level level, struct ckpt_report *ret);

/* Fails unless the verdict on @name is @status with @code; prints the report where it is not. */
void bench_expect(const struct ckpt_report *report, enum ckpt_status status,
		  enum ckpt_problem_code code);

/* Writes the first @from bytes of @source to @name, then @step more of them each time, and fails
 * unless all are told as cut files of @format. */
void bench_expect_cuts(struct bench *bench, const char *source, const char *name, size_t from,
		       size_t step, const char *format);

#endif
