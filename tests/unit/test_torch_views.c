/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/format/torch/torch_views.h: NaN in elements of storages that no tensor consists of, by files
 * that PyTorch wrote, and the runs of views one by one.
 */
#include "core/format/torch/torch_views.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

/* Each is saved as NAME.pt, in the old format too. v: NaN at 900; m: at [5, 5]. */
#define HEAD                                                                                       \
	"import torch\n"                                                                           \
	"n = float('nan')\n"                                                                       \
	"v = torch.zeros(1000); v[900] = n\n"                                                      \
	"m = torch.zeros(100, 10); m[5, 5] = n\n"                                                  \
	"g = torch.zeros(5000, 4); g[3, 2] = n\n"                                                  \
	"c = torch.zeros(10, dtype=torch.complex64); c[7] = complex(0, n)\n"                       \
	"P = torch.nn.Parameter\n"

static const struct view_case {
	const char *what;
	const char *name; /* of the poisoned tensor; NULL: none is */
} cases[] = {
	{ "{'a': v[:100], 'k': 1}", NULL },
	{ "{'a': v[:900], 'k': 1}", NULL },
	{ "{'a': v[:901], 'k': 1}", "a" },
	{ "{'a': v[:100], 'b': v[950:]}", NULL },
	{ "{'a': v[:100], 'b': v[800:]}", "b" },
	{ "{'a': v[:100], 'b': v[950:], 'c': v[901:], 'd': v[899:901]}", "d" },
	{ "{'p%d' % i: v[100 * i:100 * i + 100] for i in range(10)}", "p9" },
	{ "{'a': m[:, :5], 'k': 1}", NULL },
	{ "{'a': m[:, 5:].t(), 'k': 1}", "a" },
	{ "{'a': m[::2], 'k': 1}", NULL },
	{ "{'a': m[1::2], 'k': 1}", "a" },
	{ "{'a': P(m[6:]), 'k': 1}", NULL },
	{ "{'a': P(m[5:]), 'k': 1}", "a" },
	{ "{'a': m[5, 4], 'k': 1}", NULL },
	{ "{'a': m[5, 5], 'k': 1}", "a" },
	{ "{'a': m[5:5], 'k': 1}", NULL },
	{ "{'a': m[4, 5].expand(3, 4), 'k': 1}", NULL },
	{ "{'a': m[5, 5].expand(3, 4), 'k': 1}", "a" },
	{ "{'a': g[:, 0], 'k': 1}", NULL },
	{ "{'a': g[:, 2], 'k': 1}", "a" },
	{ "{'a': c[:7], 'k': 1}", NULL },
	{ "{'a': c[7:], 'k': 1}", "a" },
	{ "{'a': torch.sparse_coo_tensor([[1, 2]], v[899:901])}", "data/1" },
	{ "{'a': m[:5], 's': m.storage()}", "a" }, /* a storage is saved whole */
	{ "m[:5]", NULL },
	{ "m[5:]", "data/0" },
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void put(struct bench *bench, bool zipped, int protocol)
{
	char script[8192] = HEAD, line[256];

	for (size_t i = 0; i < N_CASES; i++) {
		snprintf(line, sizeof(line),
			 "torch.save(%s, '%zu.pt', pickle_protocol=%d, "
			 "_use_new_zipfile_serialization=%s)\n",
			 cases[i].what, i, protocol, zipped ? "True" : "False");
		strncat(script, line, sizeof(script) - strlen(script) - 1);
	}
	bench_init(bench);
	if (!bench_python(bench, script)) {
		print_message("no PyTorch here\n");
		skip();
	}
}

static void check_cases(bool zipped, int protocol)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char name[32];

	put(&bench, zipped, protocol);
	for (size_t i = 0; i < N_CASES; i++) {
		const char *expected = cases[i].name;

		snprintf(name, sizeof(name), "%zu.pt", i);
		bench_judge(&bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FINITE, &report);
		assert_int_equal(report.verdict.status, CKPT_VALID);
		if (report.finite.poisoned != (expected != NULL) || report.finite.unscanned != 0)
			fail_msg("%s: %llu poisoned", cases[i].what,
				 (unsigned long long)report.finite.poisoned);
		if (expected && report.finite.nan != 1)
			fail_msg("%s: %llu NaN", cases[i].what,
				 (unsigned long long)report.finite.nan);
		if (expected && zipped && strcmp(report.finite.named[0].tensor, expected) != 0)
			fail_msg("%s: %s", cases[i].what, report.finite.named[0].tensor);
	}
}

static void test_torch_views__zip(void **state)
{
	(void)state;
	check_cases(true, 2);
}

static void test_torch_views__zip_of_protocol_4(void **state)
{
	(void)state;
	check_cases(true, 4);
}

static void test_torch_views__legacy(void **state)
{
	(void)state;
	check_cases(false, 2);
}

/* Takes a view of a storage of @numel elements of 4 bytes. */
static bool take(struct ckpt_torch_views *views, uint64_t numel, const struct ckpt_pickle_view *v)
{
	struct ckpt_pickle_storage storage = { .has_key = true, .numel = numel, .element = 4 };
	struct ckpt_pickle_view view = *v;
	struct ckpt_storage record = { 0 };

	view.storage = &storage;
	ckpt_torch_views_settle(views);
	ckpt_torch_views_mention(views, &record, true);
	ckpt_torch_views_take(views, &view);
	ckpt_torch_views_settle(views);
	return record.whole;
}

/* What files that nobody honest wrote say. */
static void test_torch_views__hostile(void **state)
{
	static const uint64_t much = INT64_MAX;
	static const struct {
		uint64_t numel, offset;
		struct ckpt_pickle_dims shape, stride;
		bool whole;
		uint64_t begin, end; /* of the first run, if it is not whole */
		size_t runs;
	} rows[] = {
		{ 10, 2, { 1, { 3 } }, { 1, { 1 } }, false, 8, 20, 1 },
		{ 10, 2, { 2, { 2, 2 } }, { 2, { 4, 1 } }, false, 8, 16, 2 },
		{ 10, 8, { 1, { 3 } }, { 1, { 1 } }, true, 0, 0, 0 },
		{ 10, 10, { 0 }, { 0 }, true, 0, 0, 0 },
		{ 10, 9, { 0 }, { 0 }, false, 36, 40, 1 },
		{ 10, much, { 1, { 2 } }, { 1, { much } }, true, 0, 0, 0 },
		{ 10, 0, { 2, { much, much } }, { 2, { much, much } }, true, 0, 0, 0 },
		{ much, 0, { 2, { 4, 4 } }, { 2, { 1, 4 } }, true, 0, 0, 0 },
		{ 1000, 0, { 2, { 5, 3 } }, { 2, { 2, 3 } }, false, 0, 4, 3 },
		{ 1 << 20, 1, { 1, { 100000 } }, { 1, { 2 } }, false, 4, 800000, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_pickle_view view = { NULL, rows[i].offset, &rows[i].shape,
						       &rows[i].stride };
		struct ckpt_torch_views views = { 0 };
		size_t first;

		assert_int_equal(take(&views, rows[i].numel, &view), rows[i].whole);
		ckpt_torch_views_join(&views);
		if (ckpt_torch_views_find(&views, 0, &first) != rows[i].runs)
			fail_msg("row %zu: %zu runs", i, views.n);
		if (rows[i].runs) {
			assert_int_equal(views.runs[first].begin, rows[i].begin);
			assert_int_equal(views.runs[first].end, rows[i].end);
		}
		ckpt_torch_views_done(&views);
	}
}

/* More runs than there is room for: the storages are looked through as a whole. */
static void test_torch_views__full(void **state)
{
	static const struct ckpt_pickle_dims shape = { 1, { 10000 } }, stride = { 1, { 2 } };
	const struct ckpt_pickle_view view = { NULL, 0, &shape, &stride };
	struct ckpt_torch_views views = { 0 };
	int whole = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		whole += take(&views, 20000, &view);
	assert_in_range(whole, 1, 30);
	assert_true(views.n <= CKPT_TORCH_RUNS_MAX);
	ckpt_torch_views_join(&views);
	assert_int_equal(views.n, 10000);
	ckpt_torch_views_done(&views);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_views__zip),
		cmocka_unit_test(test_torch_views__zip_of_protocol_4),
		cmocka_unit_test(test_torch_views__legacy),
		cmocka_unit_test(test_torch_views__hostile),
		cmocka_unit_test(test_torch_views__full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
