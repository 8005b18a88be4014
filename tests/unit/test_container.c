/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed checkpoints, packed by the real programs: what is valid, what each kind of damage is
 * called, and that what is inside is judged as if it were not packed.
 */
#include "core/format/archive/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/torch_synthetic.h"

#define MIB (1024u * 1024)

/* How a program packs, and what that proves. */
struct packer {
	const char *format, *command; /* stdin to stdout */
	enum ckpt_evidence structure, full;
};

static const struct packer packers[] = {
	{ "gzip", "gzip -c", CKPT_EVIDENCE_OPAQUE, CKPT_EVIDENCE_CHECKSUM },
	{ "gzip", "gzip -1c", CKPT_EVIDENCE_OPAQUE, CKPT_EVIDENCE_CHECKSUM },
	{ "bzip2", "bzip2 -c", CKPT_EVIDENCE_OPAQUE, CKPT_EVIDENCE_CHECKSUM },
	{ "zstd", "zstd -qc", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "zstd", "zstd -qc --no-check", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_STRUCTURE },
	{ "zstd", "zstd -qc --ultra -22", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "xz", "xz -c", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "xz", "xz -9c -C sha256", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "xz", "xz -c -C none", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_STRUCTURE },
	{ "xz", "xz -c -C crc32 --block-size=4096", CKPT_EVIDENCE_STRUCTURE,
	  CKPT_EVIDENCE_CHECKSUM },
	{ "lz4", "lz4 -qc", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "lz4", "lz4 -qc -B4 -BX", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_CHECKSUM },
	{ "lz4", "lz4 -qc -B4 --no-frame-crc", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_STRUCTURE },
	{ "lz4", "lz4 -qc -l", CKPT_EVIDENCE_STRUCTURE, CKPT_EVIDENCE_STRUCTURE },
};

#define N_PACKERS (sizeof(packers) / sizeof(packers[0]))

static void run(const struct bench *bench, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void run(const struct bench *bench, const char *fmt, ...)
{
	char command[512], line[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd %s && { %s; }", bench->path, command);
	if (system(line) != 0)
		fail_msg("cannot run: %s", line);
}

/* The full verdict on @name, which must be of @format. */
static void full(struct bench *bench, const char *name, const char *format, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_non_null(ret->format);
	assert_string_equal(ret->format->name, format);
}

/* Bytes that pack by about a third, and hold no format. */
static void write_plain(struct bench *bench, const char *name, size_t len)
{
	_cleanup_free_ uint8_t *data = scratch_noise(len, 7);

	for (size_t i = 0; i < len; i += 3)
		data[i] = 'x';
	bench_write(bench, name, data, len);
}

/* NumPy's simplest: a header, then @n bytes of the number 5 and noise; no checksum. */
static void write_npy(struct bench *bench, const char *name, size_t n)
{
	_cleanup_free_ uint8_t *data = scratch_noise(n + 128, 3);

	memset(data, ' ', 128);
	memcpy(data, "\x93NUMPY\x01\x00\x76\x00", 10);
	data[10 + snprintf((char *)data + 10, 100,
			   "{'descr': '|u1', 'fortran_order': False, 'shape': (%zu,), }", n)] = ' ';
	data[127] = '\n';
	bench_write(bench, name, data, n + 128);
}

static void test_container__every_packer(void **state)
{
	static const struct torch_synthetic how = { .epoch = 3, .step = 4711, .floats = 20000 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	torch_synthetic_write(bench.fd, "ckpt.pt", &how);
	for (size_t i = 0; i < N_PACKERS; i++) {
		const struct packer *p = &packers[i];
		bool legacy = strstr(p->command, " -l") != NULL;

		run(&bench, "%s < ckpt.pt > x", p->command);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, p->structure);
		assert_null(report.inner);
		full(&bench, "x", p->format, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		if (legacy)
			continue;
		/* the zip's own CRC-32 prove what the container does not */
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_string_equal(report.inner->name, "torch-zip");
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, 4711);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_true(ckpt_report_has_key(&report, "optimizer"));
		assert_string_equal(report.verdict.note, "");
	}
}

/* What the container proves by itself shows where the inside has no checksum. */
static void test_container__evidence(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 100000);
	write_plain(&bench, "plain", 100000);
	for (size_t i = 0; i < N_PACKERS; i++) {
		const struct packer *p = &packers[i];

		run(&bench, "%s < state.npy > x", p->command);
		full(&bench, "x", p->format, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, p->full);
		assert_int_equal(report.verdict.note[0] != 0, p->full != CKPT_EVIDENCE_CHECKSUM);
		run(&bench, "%s < plain > x", p->command);
		full(&bench, "x", p->format, &report);
		assert_int_equal(report.verdict.evidence, p->full);
		if (report.inner)
			assert_string_equal(report.inner->name, "opaque");
	}
}

/* Cut at any place: never valid, and never called damage. */
static void test_container__cut(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 20000);
	for (size_t i = 0; i < N_PACKERS; i++) {
		const struct packer *p = &packers[i];
		_cleanup_free_ unsigned char *data = NULL;
		size_t len;

		if (strstr(p->command, " -l"))
			continue; /* the end of a block is an end */
		run(&bench, "%s < state.npy > x", p->command);
		data = bench_read(&bench, "x", &len);
		for (size_t cut = 8; cut<len; cut += cut> 64 && cut + 64 < len ? 397 : 1) {
			bench_write(&bench, "cut", data, cut);
			bench_judge(&bench, "cut", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
			if (report.verdict.status != CKPT_INCOMPLETE)
				fail_msg("%s cut at %zu of %zu: %s %s", p->command, cut, len,
					 ckpt_status_name(report.verdict.status),
					 report.verdict.problem.detail);
			assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_TRUNCATED);
			assert_int_equal(report.verdict.problem.offset, cut);
		}
	}
}

/* A writer that died behind preallocated blocks. */
static void test_container__zero_tail(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 20000);
	for (size_t i = 0; i < N_PACKERS; i++) {
		size_t len;

		if (packers[i].full != CKPT_EVIDENCE_CHECKSUM)
			continue; /* zeros may be data */
		run(&bench, "%s < state.npy > x", packers[i].command);
		free(bench_read(&bench, "x", &len));
		bench_resize(&bench, "x", len / 2);
		bench_resize(&bench, "x", len);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	}
}

/* One bit anywhere: found wherever a checksum stands. */
static void test_container__flips(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 9000);
	for (size_t i = 0; i < N_PACKERS; i++) {
		const struct packer *p = &packers[i];
		_cleanup_free_ unsigned char *data = NULL;
		size_t len, missed = 0;

		if (p->full != CKPT_EVIDENCE_CHECKSUM)
			continue;
		run(&bench, "%s < state.npy > x", p->command);
		data = bench_read(&bench, "x", &len);
		for (size_t at = 0; at<len; at += at> 100 && at + 100 < len ? 61 : 1) {
			data[at] ^= (unsigned char)(1u << at % 8);
			bench_write(&bench, "flip", data, len);
			data[at] ^= (unsigned char)(1u << at % 8);
			bench_judge(&bench, "flip", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
			missed += report.verdict.status == CKPT_VALID;
			if (report.verdict.status == CKPT_VALID &&
			    strcmp(report.format->name, p->format) == 0 && at > 10 &&
			    at != len - 9) /* bits behind the end of gzip's data */
				fail_msg("%s: a flip at %zu of %zu was not seen", p->command, at,
					 len);
		}
		/* gzip's time and system, and magic numbers, whose loss makes it another file */
		assert_in_range(missed, 0, 10);
	}
}

/* Without unpacking: what is whole, padded or of two members passes; a cut of bzip2 shows anywhere,
 * of gzip where the bytes that then stand last cannot be a length. */
static void test_container__ends_without_unpacking(void **state)
{
	static const struct {
		const char *command;
		unsigned least; /* of 400 cuts are seen */
	} rows[] = { { "bzip2 -c", 400 }, { "bzip2 -1c", 400 }, { "gzip -c", 300 } };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 60000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ unsigned char *data = NULL;
		unsigned seen = 0;

		for (size_t n = 1; n < 40; n++) { /* the end falls on every bit */
			run(&bench, "head -c %zu state.npy | %s > x", 100 * n, rows[i].command);
			free(bench_read(&bench, "x", &len));
			for (size_t pad = 0; pad < 300; pad = 3 * pad + 1) {
				bench_resize(&bench, "x", len + pad);
				bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE,
					    &report);
				bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
			}
		}
		run(&bench, "{ %s < state.npy; %s < state.npy; } > x", rows[i].command,
		    rows[i].command);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		data = bench_read(&bench, "x", &len);
		for (size_t cut = 1; cut <= 400; cut++) {
			bench_resize(&bench, "x", len - 2 * cut);
			bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
			seen += report.verdict.status == CKPT_INCOMPLETE;
		}
		assert_in_range(seen, rows[i].least, 400);
	}
}

static void test_container__behind_the_end(void **state)
{
	static const struct {
		const char *command;
		enum ckpt_status junk, zeros, again;
	} rows[] = {
		{ "gzip -c", CKPT_CORRUPT, CKPT_VALID, CKPT_VALID },
		{ "bzip2 -c", CKPT_CORRUPT, CKPT_VALID, CKPT_VALID },
		{ "zstd -qc", CKPT_CORRUPT, CKPT_CORRUPT, CKPT_VALID },
		{ "lz4 -qc", CKPT_CORRUPT, CKPT_CORRUPT, CKPT_VALID },
		{ "xz -c", CKPT_INCOMPLETE, CKPT_VALID, CKPT_VALID },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	write_plain(&bench, "a", 30000);
	write_npy(&bench, "b", 60000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(&bench, "%s < b > x; cat a | head -c 200 > junk; cat x junk > y",
		    rows[i].command);
		free(bench_read(&bench, "x", &len));
		bench_judge(&bench, "y", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, rows[i].junk);
		if (rows[i].junk == CKPT_CORRUPT) {
			bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING);
			assert_int_equal(report.verdict.problem.offset, len);
		}
		bench_resize(&bench, "x", len + 512);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, rows[i].zeros);
		/* two members are one file: the first half of an array, then the second */
		run(&bench, "{ head -c 7000 b | %s; tail -c +7001 b | %s; } > x", rows[i].command,
		    rows[i].command);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, rows[i].again);
		assert_string_equal(report.inner->name, "npy");
	}
}

/* A checkpoint that was damaged before it was packed. */
static void test_container__damage_inside(void **state)
{
	static const struct torch_synthetic flip = { .step = 5, .flip = true, .floats = 5000 },
					    cut = { .step = 5, .cut = true, .floats = 5000 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	torch_synthetic_write(bench.fd, "flip", &flip);
	torch_synthetic_write(bench.fd, "cut", &cut);
	bench_text(&bench, "empty", "");
	for (size_t i = 0; i < N_PACKERS; i++) {
		if (strstr(packers[i].command, " -l"))
			continue;
		run(&bench, "for f in flip cut empty; do %s < $f > $f.x; done", packers[i].command);
		full(&bench, "flip.x", packers[i].format, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		assert_non_null(strstr(report.verdict.problem.detail, "inside"));
		assert_non_null(strstr(report.verdict.problem.member, "data/0"));
		full(&bench, "cut.x", packers[i].format, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
		full(&bench, "empty.x", packers[i].format, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY);
	}
}

/* Archives in archives are looked into up to a depth, and never without end. */
static void test_container__nested(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "b", 5000);
	run(&bench, "xz -c b | zstd -qc | lz4 -qc | gzip -c > four; cp b many;"
		    "for i in 1 2 3 4 5 6 7 8 9; do gzip -c many > m && mv m many; done");
	full(&bench, "four", "gzip", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_string_equal(report.inner->name, "npy");
	full(&bench, "many", "gzip", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_string_equal(report.inner->name, "gzip");
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
}

/* A file larger than what is kept: reads at both ends and in the middle, in few passes. */
/* Frames that decoders skip lie between others, of any content, and are held against the file's end
 * as those are. */
static void test_container__frames_to_skip(void **state)
{
	static const struct {
		const char *format, *command;
	} rows[] = { { "zstd", "zstd -qc" }, { "lz4", "lz4 -qc" } };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	write_npy(&bench, "state.npy", 20000);
	run(&bench, "printf '\\120\\052\\115\\030\\003\\000\\000\\000abc' > first; "
		    "printf '\\137\\052\\115\\030\\000\\000\\000\\000' > last");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(&bench, "%s < state.npy > data; cat data first data last > x", rows[i].command);
		full(&bench, "x", rows[i].format, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		run(&bench, "{ cat data first; printf abcd; } > x");
		full(&bench, "x", rows[i].format, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING);
		for (size_t cut = 1; cut < 11; cut++) {
			run(&bench, "{ cat data; head -c -%zu first; } > x", cut);
			full(&bench, "x", rows[i].format, &report);
			bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
		}
	}
}

static void test_container__larger_than_the_window(void **state)
{
	static const char *const names[] = { "x", "y", "z" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, "import numpy as np\n"
				  "r = np.random.default_rng(1)\n"
				  "a = {'a%d' % i: r.random(700000) for i in range(4)}\n"
				  "np.savez('big.npz', step=99, **a)\n"))
		skip();
	run(&bench, "zstd -qc -1 big.npz > x; gzip -1c big.npz > y; lz4 -qc big.npz > z");
	for (size_t i = 0; i < 3; i++) {
		bench_judge(&bench, names[i], CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_string_equal(report.inner->name, "npz");
		assert_int_equal(report.tensors, 5);
		assert_string_equal(report.verdict.note, "");
		/* what is packed is read once a pass */
		assert_in_range(report.verdict.bytes_read, 20u * MIB, 160u * MIB);
	}
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* Zeros that pack a thousandfold and more: bounded time, bounded memory, and no false word. */
static void test_container__bombs(void **state)
{
	static const struct {
		const char *command;
		const char *size;
	} rows[] = {
		{ "gzip -1c", "2G" }, { "bzip2 -c", "500M" }, { "zstd -qc -1", "4G" },
		{ "xz -0c", "1G" },   { "lz4 -qc", "1G" },    { "gzip -1c | gzip -c", "2G" },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct rusage use;
	double start;
	size_t len;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(&bench, "head -c %s /dev/zero | %s > x", rows[i].size, rows[i].command);
		free(bench_read(&bench, "x", &len));
		start = cpu_seconds();
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		print_message("%s of zeros by %s: %zu bytes, %.2f s, %s (%s%s)\n", rows[i].size,
			      rows[i].command, len, cpu_seconds() - start,
			      ckpt_status_name(report.verdict.status), report.verdict.note,
			      report.verdict.problem.detail);
		assert_int_not_equal(report.verdict.status, CKPT_CORRUPT);
		assert_true(cpu_seconds() - start < 2 + 2 * (double)len / MIB);
	}
	getrusage(RUSAGE_SELF, &use);
	print_message("peak %ld KiB\n", use.ru_maxrss);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_container__every_packer),
		cmocka_unit_test(test_container__evidence),
		cmocka_unit_test(test_container__cut),
		cmocka_unit_test(test_container__zero_tail),
		cmocka_unit_test(test_container__flips),
		cmocka_unit_test(test_container__ends_without_unpacking),
		cmocka_unit_test(test_container__behind_the_end),
		cmocka_unit_test(test_container__damage_inside),
		cmocka_unit_test(test_container__nested),
		cmocka_unit_test(test_container__frames_to_skip),
		cmocka_unit_test(test_container__larger_than_the_window),
		cmocka_unit_test(test_container__bombs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
