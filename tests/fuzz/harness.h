/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all fuzz targets of file formats share: the input becomes a file that exists in memory only,
 * and a row of the table judges it in full. A verdict is checked for what must always hold.
 */
#ifndef CKPT_TESTS_FUZZ_HARNESS_H
#define CKPT_TESTS_FUZZ_HARNESS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/format/format.h"
#include "core/format/names_at.h"
#include "wire/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bench: one memory file, made anew of each input. */
struct fuzz {
	struct ckpt_ctx ctx;
	struct ckpt_file file;
	struct ckpt_report report;
	struct ckpt_error err;
};

/* The input as an opened file. fuzz_done() gives it back. */
static inline void fuzz_init(struct fuzz *f, const uint8_t *data, size_t size)
{
	memset(f, 0, sizeof(*f));
	f->ctx.threads = 1;
	f->file = (struct ckpt_file)CKPT_FILE_INIT;
	f->file.fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (f->file.fd < 0 || write(f->file.fd, data, size) != (ssize_t)size)
		abort();
	f->file.name = strdup("fuzz");
	f->file.size = size;
	f->file.ctx = &f->ctx;
	f->file.id.size = size;
}

static inline void fuzz_done(struct fuzz *f)
{
	ckpt_file_done(&f->file);
}

/* A rejection must say why; a number must be one. */
static inline void fuzz_assert_report(const struct fuzz *f, int r)
{
	const struct ckpt_report *report = &f->report;

	if (r > 0 && report->verdict.problem.code == CKPT_PROBLEM_NONE)
		abort();
	if (r > 0 && report->verdict.status != (enum ckpt_status)r)
		abort();
	if (r == 0 && report->verdict.status != CKPT_VALID)
		abort();
	if (report->position.has_epoch && !(report->position.epoch >= 0))
		abort();
	if (report->n_keys < 0 || report->n_keys > CKPT_REPORT_KEYS)
		abort();
}

/* Nothing of a file may reach a terminal that could move its cursor. */
static inline void fuzz_assert_texts(const struct ckpt_report *report)
{
	const struct ckpt_finiteness *finite = &report->finite;

	if (ckpt_text_has_control(report->verdict.problem.detail) ||
	    ckpt_text_has_control(report->verdict.problem.member) ||
	    ckpt_text_has_control(report->verdict.note) ||
	    ckpt_text_has_control(report->framework) || ckpt_text_has_control(finite->why))
		abort();
	for (int i = 0; i < report->n_keys; i++)
		if (ckpt_text_has_control(report->keys[i]))
			abort();
	for (int i = 0; i < finite->n_named; i++)
		if (ckpt_text_has_control(finite->named[i].tensor))
			abort();
}

/* A tensor as a row tells it. */
static inline void fuzz_tensor(void *arg, const struct ckpt_tensor *tensor)
{
	(void)arg;
	if (!tensor->name || strnlen(tensor->type, sizeof(tensor->type)) == sizeof(tensor->type))
		abort();
	for (const char *p = tensor->name; *p; p++)
		; /* to its end */
}

/* Names are held against what is kept of them, and their words against a terminal. */
static inline void fuzz_assert_names(const struct ckpt_names *names)
{
	char words[64];

	if (names->kept > names->n || strlen(names->text) >= sizeof(names->text))
		abort();
	ckpt_names_words(names, words, sizeof(words));
	if (ckpt_text_has_control(words))
		abort();
}

/* Asks @row what lies in some ranges of @file, @size bytes long, and for all tensors. As after
 * damage, whatever the checks have said. */
static inline void fuzz_names(struct ckpt_check *check, const struct ckpt_format *row,
			      const char *file, uint64_t size)
{
	const struct ckpt_extent extents[] = {
		{ file, 0, size / 2 + 1 }, { file, 0, UINT64_MAX },    { file, size / 2, 1 },
		{ file, size, 0 },	   { file, size, UINT64_MAX },
	};

	for (size_t i = 0; row->at && i < sizeof(extents) / sizeof(*extents); i++) {
		struct ckpt_names names = { .n = 0 };

		row->at(check, &extents[i], &names);
		fuzz_assert_names(&names);
	}
	if (row->tensors)
		row->tensors(check, fuzz_tensor, NULL);
}

/* What the row offers beyond: a look for NaN, names, tensors. */
static inline void fuzz_beyond(struct fuzz *f, struct ckpt_check *check,
			       const struct ckpt_format *row)
{
	check->level = CKPT_LEVEL_FINITE;
	f->report.verdict.status = CKPT_VALID;
	f->report.verdict.problem.code = CKPT_PROBLEM_NONE;
	if (row->finite)
		fuzz_assert_report(f, row->finite(check));
	f->report.verdict.status = CKPT_VALID;
	f->report.verdict.problem.code = CKPT_PROBLEM_NONE;
	fuzz_names(check, row, "fuzz", f->file.size);
}

/* Judges the input by @row alone, whether it sniffs it or not: structure, then content even where
 * it failed, then what is beyond. */
static inline void fuzz_file(const struct ckpt_format *row, const uint8_t *data, size_t size)
{
	struct fuzz *f = malloc(sizeof(*f));
	struct ckpt_check check;
	int r;

	if (!f)
		abort();
	fuzz_init(f, data, size);
	check = (struct ckpt_check) { .ctx = &f->ctx,
				      .kind = CKPT_KIND_FILE,
				      .dirfd = -1,
				      .name = "fuzz",
				      .file = &f->file,
				      .report = &f->report,
				      .err = &f->err };
	if (ckpt_check_probe(&check) == 0) {
		row->sniff(&check);
		r = row->structure(&check);
		fuzz_assert_report(f, r);
		if (row->content) {
			f->report.verdict.status = CKPT_VALID;
			f->report.verdict.problem.code = CKPT_PROBLEM_NONE;
			f->report.verdict.evidence = row->full;
			fuzz_assert_report(f, row->content(&check));
		}
		fuzz_beyond(f, &check, row);
	}
	fuzz_done(f);
	free(f);
}

#endif
