/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of training programs: which number is the step, and what a file is good for.
 */
#include "core/format/torch/torch_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/cleanup.h"

static int scan(const void *data, size_t len, struct ckpt_report *report)
{
	struct ckpt_ctx ctx = { 0 };
	char name[] = "pickle";
	struct ckpt_file file = { .name = name, .size = len, .ctx = &ctx };
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	_cleanup_close_ int fd = memfd_create("pickle", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	file.fd = fd;
	assert_int_equal(ckpt_stream_init(&in, &file, 0, len, NULL), 0);
	memset(report, 0, sizeof(*report));
	return ckpt_torch_state_scan(&in, report, NULL, NULL, NULL);
}

#define P(s) s, sizeof(s) - 1
#define NO INT64_MIN

/* Whether the number that counts may be one inside an epoch. */
static void test_torch_state__vague_steps(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		bool vague;
	} rows[] = {
		{ P("(Vstep\nI4\nd."), true },
		{ P("(Viter\nI4\nd."), true },
		{ P("(Viteration\nI4\nd."), true },
		{ P("(Vglobal_step\nI4\nd."), false },
		{ P("(Vglobal_steps\nI4\nd."), false },
		{ P("(Vnum_updates\nI4\nd."), false },
		{ P("(Vupdate\nI4\nd."), false },
		{ P("(Viter_num\nI4\nd."), false },
		{ P("(Vstep\nI4\nVglobal_step\nI9\nd."), false },
		{ P("(Vglobal_step\nI9\nVstep\nI4\nd."), false },
		{ P("(Vglobal_step\nNVstep\nI4\nd."), true },
		{ P("(Vstep\nNd."), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_report report;

		assert_int_equal(scan(rows[i].data, rows[i].len, &report), 0);
		assert_int_equal(report.position.step_vague, rows[i].vague);
	}
}

/* Dicts of protocol 0: one line a name, one a value. */
static void test_torch_state__rows(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		int64_t step;
		enum ckpt_contents contents;
	} rows[] = {
		{ P("(d."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nI4\nd."), 4, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nI4\nVglobal_step\nI9\nd."), 9, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vglobal_step\nI9\nVstep\nI4\nd."), 9, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vglobal_step\nNVstep\nI4\nd."), 4, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vnum_updates\nI3\nViteration\nI2\nd."), 2, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nF12.0\nd."), 12, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nF12.5\nd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nF1e300\nd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nI-1\nd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nI01\nd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vstep\nV7\nd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vmodel\n}d."), NO, CKPT_CONTENTS_WEIGHTS },
		{ P("(Vmodel\nNd."), NO, CKPT_CONTENTS_UNKNOWN },
		{ P("(Vmodel\n}Voptimizer\n}d."), NO, CKPT_CONTENTS_FULL },
		{ P("(Vmodel\n}Voptimizer\nNd."), NO, CKPT_CONTENTS_WEIGHTS },
		{ P("(Vmodel\n}Vdisc_optim_g\n}d."), NO, CKPT_CONTENTS_FULL },
		{ P("(Vmodel\n}Voptions\n}d."), NO, CKPT_CONTENTS_WEIGHTS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_report report;

		if (scan(rows[i].data, rows[i].len, &report) != 0 ||
		    report.contents != rows[i].contents)
			print_error("row %zu\n", i);
		assert_int_equal(report.contents, rows[i].contents);
		assert_int_equal(report.position.has_step, rows[i].step != NO);
		assert_true(rows[i].step == NO || report.position.step == rows[i].step);
	}
}

static void test_torch_state__epoch_and_loss(void **state)
{
	struct ckpt_report report;

	(void)state;
	assert_int_equal(scan(P("(Vepoch\nF1.5\nVval_loss\nF0.25\nVbest_loss\nI2\nd."), &report),
			 0);
	assert_true(report.position.has_epoch && report.position.epoch == 1.5);
	assert_int_equal(report.position.epoch_source, CKPT_FROM_CONTENT);
	assert_true(report.position.has_loss && report.position.loss == 2);
	assert_string_equal(report.position.loss_key, "best_loss");
	assert_int_equal(scan(P("(Vepoch\nI-1\nVloss\nFnan\nd."), &report), 0);
	assert_false(report.position.has_epoch);
	assert_false(report.position.has_loss);
}

/* What was read of a pickle that turns out broken is not reported. */
static void test_torch_state__all_or_nothing(void **state)
{
	struct ckpt_report report;

	(void)state;
	assert_int_equal(scan(P("}Vstep\nI4\ns"), &report), CKPT_PICKLE_TORN);
	assert_false(report.position.has_step);
	assert_int_equal(report.n_keys, 0);
	assert_int_equal(scan(P("}Vstep\nI4\ns."), &report), 0);
	assert_true(report.position.has_step);
	assert_int_equal(report.n_keys, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_state__rows),
		cmocka_unit_test(test_torch_state__vague_steps),
		cmocka_unit_test(test_torch_state__epoch_and_loss),
		cmocka_unit_test(test_torch_state__all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
