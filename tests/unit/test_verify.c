/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/integrity/verify.c: everything that can go wrong becomes a verdict, and never the wrong one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/verify.h"
#include "tests/unit/support/scratch.h"

static void verify(struct ckpt_ctx *ctx, const struct scratch *dir, const char *name,
		   struct ckpt_report *report)
{
	struct ckpt_ctx none = { 0 };
	struct ckpt_target target = { dir->fd, name, CKPT_KIND_FILE, false };

	memset(report, 0xa5, sizeof(*report)); /* it is zeroed by the callee */
	assert_true(ckpt_target_kind(dir->fd, name, &target.kind) <= 0);
	ckpt_verify(ctx ? ctx : &none, &target, CKPT_LEVEL_FULL, report);
}

static void expect(const struct ckpt_report *report, enum ckpt_status status,
		   enum ckpt_problem_code code, const char *word)
{
	const struct ckpt_verdict *verdict = &report->verdict;

	if (verdict->status != status || verdict->problem.code != code ||
	    !strstr(verdict->problem.detail, word))
		fail_msg("%s, %s, \"%s\"", ckpt_status_name(verdict->status),
			 ckpt_problem_name(verdict->problem.code), verdict->problem.detail);
	assert_true(verdict->evidence == CKPT_EVIDENCE_NONE || status == CKPT_VALID);
}

static void test_verify__what_is_there(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		const char *name;
		enum ckpt_status status;
		enum ckpt_problem_code code;
		const char *word;
	} cases[] = {
		{ "file", CKPT_VALID, CKPT_PROBLEM_NONE, "" },
		{ "link", CKPT_VALID, CKPT_PROBLEM_NONE, "" },
		{ "empty", CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, "empty" },
		{ "zeros", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, "zero" },
		{ "missing", CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "not exist" },
		{ "dangling", CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "not exist" },
		{ "fifo", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "regular" },
		{ "device", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "regular" },
		{ "loop", CKPT_UNREADABLE, CKPT_PROBLEM_IO, "symbolic links" },
		{ "file/x", CKPT_UNREADABLE, CKPT_PROBLEM_IO, "Not a directory" },
		{ "dir", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "no checkpoint format" },
		{ "root", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "ckptctl list" },
		{ "saved", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
		  "model.safetensors.index.json: this" },
	};

	scratch_put(dir->fd, "file", "data");
	scratch_put(dir->fd, "empty", "");
	assert_int_equal(mkdirat(dir->fd, "root", 0777), 0);
	scratch_put(dir->fd, "root/latest_checkpointed_iteration.txt", "20");
	assert_int_equal(mkdirat(dir->fd, "saved", 0777), 0);
	scratch_put(dir->fd, "saved/model.safetensors.index.json", "{}");
	scratch_sparse(dir->fd, "zeros", 10000);
	assert_int_equal(symlinkat("file", dir->fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", dir->fd, "dangling"), 0);
	assert_int_equal(symlinkat("loop", dir->fd, "loop"), 0);
	assert_int_equal(symlinkat("/dev/zero", dir->fd, "device"), 0);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0666), 0);
	assert_int_equal(mkdirat(dir->fd, "dir", 0777), 0);
	alarm(120);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_report report;

		verify(NULL, dir, cases[i].name, &report);
		expect(&report, cases[i].status, cases[i].code, cases[i].word);
		if (cases[i].status != CKPT_VALID)
			assert_string_equal(report.verdict.problem.file, cases[i].name);
	}
	alarm(0);
}

static void test_verify__fills_the_report(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { .bytes_read = 1000 };
	struct ckpt_identity id;
	struct ckpt_report report;

	scratch_put(dir->fd, "file", "some opaque data");
	verify(&ctx, dir, "file", &report);
	expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE, "");
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	assert_int_equal(report.verdict.size_bytes, 16);
	assert_int_equal(report.verdict.bytes_read, ctx.bytes_read - 1000);
	assert_int_equal(report.verdict.bytes_read, 32); /* head and tail */
	assert_true(report.verdict.seconds >= 0 && report.verdict.seconds < 10);
	assert_string_equal(report.format->name, "opaque");
	assert_int_equal(ckpt_identity_at(dir->fd, "file", true, &id), 0);
	assert_true(ckpt_identity_same(&id, &report.identity));
}

static void test_verify__access_denied_is_unreadable(void **state)
{
	const struct scratch *dir = *state;
	bool root = geteuid() == 0;
	struct ckpt_report report;

	scratch_put(dir->fd, "secret", "data");
	assert_int_equal(fchmodat(dir->fd, "secret", 0, 0), 0);
	assert_int_equal(chmod(dir->path, 0755), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	verify(NULL, dir, "secret", &report);
	if (root)
		assert_int_equal(seteuid(0), 0);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "Permission denied");
}

/* What the seam does at its call number @at. */
struct act {
	const struct scratch *dir;
	void (*act)(const struct scratch *dir);
	int calls, at, error;
	int64_t now, step;
};

static ssize_t acting_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct act *act = arg;

	if (++act->calls == act->at && act->error) {
		errno = act->error;
		return -1;
	}
	if (act->calls == act->at && act->act)
		act->act(act->dir);
	act->now += act->step;
	return pread(fd, buf, len, off);
}

static int64_t acting_now(void *arg)
{
	return ((struct act *)arg)->now;
}

static void verify_acting(struct act *act, struct ckpt_ctx *ctx, const char *name,
			  struct ckpt_report *report)
{
	const struct ckpt_seam seam = { .now_ns = acting_now, .pread = acting_pread, .arg = act };

	ctx->seam = &seam;
	verify(ctx, act->dir, name, report);
	ctx->seam = NULL;
}

static void test_verify__errors_of_the_disk_are_no_verdict_on_the_file(void **state)
{
	static const struct {
		int error;
		const char *word;
	} cases[] = { { EIO, "Input/output error" }, { ESTALE, "tale file handle" } };
	const struct scratch *dir = *state;

	scratch_put(dir->fd, "file", "data");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int at = 1; at <= 2; at++) {
			struct act act = { .dir = dir, .at = at, .error = cases[i].error };
			struct ckpt_ctx ctx = { 0 };
			struct ckpt_report report;

			verify_acting(&act, &ctx, "file", &report);
			expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, cases[i].word);
			assert_non_null(strstr(report.verdict.problem.detail, "'file'"));
		}
	}
}

static void test_verify__budget_is_unreadable(void **state)
{
	const struct scratch *dir = *state;
	struct act act = { .dir = dir, .now = 100, .step = 50 };
	struct ckpt_ctx late = { .deadline_ns = 100 }, soon = { .deadline_ns = 140 };
	struct ckpt_ctx little = { .max_bytes = 4 };
	struct ckpt_report report;

	scratch_put(dir->fd, "file", "data");
	verify_acting(&act, &late, "file", &report);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "budget: out of time");
	assert_int_equal(act.calls, 0);
	assert_int_equal(report.verdict.bytes_read, 0);
	verify_acting(&act, &soon, "file", &report);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "budget: out of time");
	assert_int_equal(act.calls, 1);
	assert_true(report.verdict.seconds > 4.9e-8 && report.verdict.seconds < 5.1e-8);
	verify(&little, dir, "file", &report);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "budget: out of bytes");
}

static uint32_t a_lustre(void *arg, int fd)
{
	(void)arg, (void)fd;
	return 0x0bd00bd0;
}

static void test_verify__released_file_is_not_recalled(void **state)
{
	const struct scratch *dir = *state;
	const struct ckpt_seam seam = { .fs_type = a_lustre };
	struct ckpt_ctx ctx = { .no_recall = true, .seam = &seam };
	struct ckpt_report report;

	scratch_sparse(dir->fd, "released", 1 << 20);
	verify(&ctx, dir, "released", &report);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "released to tape");
	assert_int_equal(report.verdict.bytes_read, 0);
}

static void shrink(const struct scratch *dir)
{
	scratch_put(dir->fd, "file", "da");
}

static void empty(const struct scratch *dir)
{
	scratch_put(dir->fd, "file", "");
}

static void grow(const struct scratch *dir)
{
	scratch_put(dir->fd, "file", "data, and more");
}

static void rewrite(const struct scratch *dir)
{
	scratch_patch(dir->fd, "file", 1, "X", 1);
}

static void replace(const struct scratch *dir)
{
	assert_int_equal(ckpt_file_replace(dir->fd, "file", "data", 4, NULL), 0);
}

static void delete (const struct scratch *dir)
{
	assert_int_equal(unlinkat(dir->fd, "file", 0), 0);
}

static void test_verify__a_writer_at_work_is_no_damage(void **state)
{
	static void (*const writers[])(const struct scratch *) = { shrink,  empty,   grow,
								   rewrite, replace, delete };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		for (int at = 1; at <= 2; at++) {
			struct act act = { .dir = dir, .at = at, .act = writers[i] };
			struct ckpt_ctx ctx = { 0 };
			struct ckpt_report report;

			scratch_put(dir->fd, "file", "data");
			usleep(20000); /* beyond the grain of the kernel's file times */
			verify_acting(&act, &ctx, "file", &report);
			expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE, "changed");
		}
	}
}

static void test_verify__a_changing_zero_tail_is_no_damage(void **state)
{
	const struct scratch *dir = *state;
	struct act act = { .dir = dir, .at = 3, .act = grow };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_report report;

	scratch_sparse(dir->fd, "file", 10000); /* preallocated, its writer on the way */
	usleep(20000);
	verify_acting(&act, &ctx, "file", &report);
	assert_int_equal(act.calls, 3);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_WRITER_ACTIVE, "changed");
}

static atomic_bool writer_stop, writer_begun;

static void *writer_main(void *arg)
{
	const struct scratch *dir = arg;
	int fd = openat(dir->fd, "file", O_WRONLY | O_CLOEXEC);

	for (uint64_t i = 0; !writer_stop; i++) {
		static const char zeros[4096];

		if (pwrite(fd, zeros, sizeof(zeros), 0) < 0 || ftruncate(fd, i & 1 ? 0 : 9000) < 0)
			break;
		writer_begun = true;
	}
	close(fd);
	return NULL;
}

static void test_verify__real_concurrent_writer(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_target target = { dir->fd, "file", CKPT_KIND_FILE, false };
	int seen[5] = { 0 };
	pthread_t writer;

	scratch_put(dir->fd, "file", "begin");
	writer_stop = writer_begun = false;
	assert_int_equal(pthread_create(&writer, NULL, writer_main, dir), 0);
	while (!writer_begun)
		usleep(100);
	for (int i = 0; i < 300; i++) {
		struct ckpt_ctx ctx = { 0 };
		struct ckpt_report report;

		ckpt_verify(&ctx, &target, CKPT_LEVEL_FULL, &report);
		seen[report.verdict.status]++;
	}
	writer_stop = true;
	pthread_join(writer, NULL);
	assert_int_equal(seen[CKPT_VALID], 0); /* zeros alone are never a good file */
	assert_int_equal(seen[CKPT_MISSING], 0);
}

static void test_verify__names_the_kind(void **state)
{
	const struct scratch *dir = *state;
	enum ckpt_kind kind = CKPT_KIND_FILE;
	char name[5000];

	scratch_put(dir->fd, "file", "data");
	scratch_put(dir->fd, "model-1.index", "data");
	scratch_put(dir->fd, "both", "data");
	scratch_put(dir->fd, "both.index", "data");
	assert_int_equal(mkdirat(dir->fd, "dir", 0777), 0);
	assert_int_equal(symlinkat("dir", dir->fd, "link"), 0);
	assert_int_equal(ckpt_target_kind(dir->fd, "dir", &kind), 0);
	assert_int_equal(kind, CKPT_KIND_DIRECTORY);
	assert_int_equal(ckpt_target_kind(dir->fd, "model-1", &kind), 0);
	assert_int_equal(kind, CKPT_KIND_PREFIX);
	assert_int_equal(ckpt_target_kind(dir->fd, "file", &kind), 0);
	assert_int_equal(kind, CKPT_KIND_FILE);
	assert_int_equal(ckpt_target_kind(dir->fd, "link", &kind), 0);
	assert_int_equal(kind, CKPT_KIND_DIRECTORY);
	assert_int_equal(ckpt_target_kind(dir->fd, "both", &kind), 0);
	assert_int_equal(kind, CKPT_KIND_FILE);
	assert_int_equal(ckpt_target_kind(dir->fd, "none", &kind), -ENOENT);
	assert_int_equal(ckpt_target_kind(dir->fd, "file/x", &kind), -ENOTDIR);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ckpt_target_kind(dir->fd, name, &kind), -ENAMETOOLONG);
	assert_int_equal(kind, CKPT_KIND_FILE);
}

static void test_verify__missing_sets(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_target prefix = { dir->fd, "model-1", CKPT_KIND_PREFIX, false };
	struct ckpt_target directory = { dir->fd, "dir", CKPT_KIND_DIRECTORY, false };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_report report;

	ckpt_verify(&ctx, &prefix, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "not exist");
	assert_string_equal(report.verdict.problem.file, "model-1");
	ckpt_verify(&ctx, &directory, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "not exist");
	assert_string_equal(report.verdict.problem.file, "dir");
	scratch_put(dir->fd, "dir", "a file now");
	ckpt_verify(&ctx, &directory, CKPT_LEVEL_FULL, &report);
	expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO, "Not a directory");
}

static void test_verify__a_name_cannot_speak_to_the_terminal(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_report report;

	verify(NULL, dir, "evil\033]0;\n", &report);
	expect(&report, CKPT_MISSING, CKPT_PROBLEM_MEMBER_MISSING, "not exist");
	assert_string_equal(report.verdict.problem.file, "evil?]0;?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_verify__what_is_there),
		scratch_test(test_verify__fills_the_report),
		scratch_test(test_verify__access_denied_is_unreadable),
		scratch_test(test_verify__errors_of_the_disk_are_no_verdict_on_the_file),
		scratch_test(test_verify__budget_is_unreadable),
		scratch_test(test_verify__released_file_is_not_recalled),
		scratch_test(test_verify__a_writer_at_work_is_no_damage),
		scratch_test(test_verify__a_changing_zero_tail_is_no_damage),
		scratch_test(test_verify__real_concurrent_writer),
		scratch_test(test_verify__names_the_kind),
		scratch_test(test_verify__missing_sets),
		scratch_test(test_verify__a_name_cannot_speak_to_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
