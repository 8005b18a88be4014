/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quarantine of real files, judged by the real verifier: what a scan finds, what a second read
 * agrees to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/quarantine.h"
#include "core/integrity/verify.h"
#include "tests/unit/support/scratch.h"

/* A safetensors file of one tensor of 8 bytes. */
static void put_safetensors(int dirfd, const char *name, const char *shape)
{
	unsigned char buf[256] = { 0 };
	char header[128];
	size_t len;

	snprintf(header, sizeof(header),
		 "{\"w\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,8]}}", shape);
	len = strlen(header);
	buf[0] = (unsigned char)len;
	memcpy(buf + 8, header, len);
	scratch_write(dirfd, name, buf, 8 + len + 8);
}

/* The set @name as a scan of the directory finds it, verified in full. */
static struct ckpt_set *scan(const struct scratch *s, struct ckpt_catalog *cat, const char *name)
{
	const struct ckpt_catalog_options options = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set;

	assert_int_equal(ckpt_catalog_scan(&ctx, cat, s->path, 0, &options, NULL), 0);
	set = ckpt_catalog_find(cat, NULL, name);
	if (set)
		ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL);
	return set;
}

static int statefd_of(const struct scratch *s)
{
	mkdirat(s->fd, ".ckpt-resume", 0700);
	return openat(s->fd, ".ckpt-resume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int quarantine(const struct scratch *s, const struct ckpt_set *set)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	int statefd = statefd_of(s), r;

	r = ckpt_quarantine(&ctx, s->fd, statefd, set, &err);
	if (r != 0)
		print_message("%s\n", err.text);
	close(statefd);
	return r;
}

static void test_quarantine__damaged_goes_valid_stays(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, after = { 0 };
	struct ckpt_set *good, *bad;

	put_safetensors(s->fd, "model_1.safetensors", "[2]");
	put_safetensors(s->fd, "model_2.safetensors", "[3]"); /* 12 bytes in 8 */
	good = scan(s, &cat, "model_1.safetensors");
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(good);
	assert_non_null(bad);
	good = ckpt_catalog_find(&cat, NULL, "model_1.safetensors");
	assert_int_equal(good->report->verdict.status, CKPT_VALID);
	assert_int_equal(bad->report->verdict.status, CKPT_CORRUPT);
	assert_int_equal(quarantine(s, good), CKPT_QUARANTINE_REFUSED);
	assert_int_equal(quarantine(s, bad), 0);
	assert_int_equal(faccessat(s->fd, "model_1.safetensors", F_OK, 0), 0);
	assert_int_equal(faccessat(s->fd, "model_2.safetensors.corrupted", F_OK, 0), 0);
	assert_non_null(scan(s, &after, "model_1.safetensors"));
	assert_null(ckpt_catalog_find(&after, NULL, "model_2.safetensors"));
	assert_null(ckpt_catalog_find(&after, NULL, "model_2.safetensors.corrupted"));
}

static void test_quarantine__released_is_found_again(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, after = { 0 };
	struct ckpt_set *bad;
	int statefd = statefd_of(s);

	put_safetensors(s->fd, "model_2.safetensors", "[3]");
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(bad);
	assert_int_equal(quarantine(s, bad), 0);
	assert_int_equal(ckpt_release(NULL, s->fd, statefd, "model_2.safetensors", NULL), 0);
	assert_non_null(scan(s, &after, "model_2.safetensors"));
	close(statefd);
}

static void test_quarantine__rewritten_since_stays(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *bad;

	put_safetensors(s->fd, "model_2.safetensors", "[3]");
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(bad);
	put_safetensors(s->fd, "model_2.safetensors", "[2]"); /* its writer was alive */
	assert_int_equal(quarantine(s, bad), CKPT_QUARANTINE_REFUSED);
	usleep(20000);
	put_safetensors(s->fd, "model_2.safetensors",
			"[3]"); /* damaged just the same, but another */
	assert_int_equal(quarantine(s, bad), CKPT_QUARANTINE_REFUSED);
	assert_int_equal(faccessat(s->fd, "model_2.safetensors", F_OK, 0), 0);
}

static void test_quarantine__unreadable_now_stays(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *bad;
	struct ckpt_ctx late = { .deadline_ns = 1 };
	int statefd = statefd_of(s);

	put_safetensors(s->fd, "model_2.safetensors", "[3]");
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(bad);
	assert_int_equal(ckpt_quarantine(&late, s->fd, statefd, bad, NULL),
			 CKPT_QUARANTINE_REFUSED);
	assert_int_equal(unlinkat(s->fd, "model_2.safetensors", 0), 0);
	assert_int_equal(quarantine(s, bad), CKPT_QUARANTINE_REFUSED);
	close(statefd);
}

/* Whoever has it open for writing may still make it whole; a reader is in nobody's way. */
static void test_quarantine__a_writer_keeps_it(void **state)
{
	static const struct {
		int flags, result;
	} rows[] = { { O_WRONLY, CKPT_QUARANTINE_WRITTEN },
		     { O_RDWR, CKPT_QUARANTINE_WRITTEN },
		     { O_RDONLY, 0 } };
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *bad;

	put_safetensors(s->fd, "model_2.safetensors", "[3]");
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(bad);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = openat(s->fd, "model_2.safetensors", rows[i].flags);

		assert_int_equal(quarantine(s, bad), rows[i].result);
		assert_int_equal(faccessat(s->fd, "model_2.safetensors", F_OK, 0) != 0,
				 rows[i].result == 0);
		close(fd);
	}
}

/* Cut short is unfinished, not corrupt; once its writer is gone, it goes, and comes back. */
static void test_quarantine__cut_short(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *bad;
	char path[128];
	int statefd = statefd_of(s);

	put_safetensors(s->fd, "model_2.safetensors", "[2]");
	snprintf(path, sizeof(path), "%s/model_2.safetensors", s->path);
	assert_int_equal(truncate(path, 40), 0);
	bad = scan(s, &cat, "model_2.safetensors");
	assert_non_null(bad);
	assert_int_equal(bad->report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(quarantine(s, bad), CKPT_QUARANTINE_REFUSED);
	assert_int_equal(ckpt_quarantine_unfinished(&ctx, s->fd, statefd, bad, NULL), 0);
	assert_int_equal(faccessat(s->fd, "model_2.safetensors.corrupted", F_OK, 0), 0);
	assert_int_equal(ckpt_release(NULL, s->fd, statefd, "model_2.safetensors", NULL), 0);
	assert_int_equal(faccessat(s->fd, "model_2.safetensors", F_OK, 0), 0);
	close(statefd);
}

/* A checkpoint's name over what no row knows may be anybody's data. */
static void test_quarantine__unknown_content_stays(void **state)
{
	struct scratch *s = *state;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *odd;
	int statefd = statefd_of(s);

	scratch_put(s->fd, "model_2.safetensors", "a table of results, by hand");
	odd = scan(s, &cat, "model_2.safetensors");
	assert_non_null(odd);
	assert_int_equal(odd->report->verdict.status, CKPT_INCOMPLETE);
	assert_int_equal(odd->report->verdict.problem.code, CKPT_PROBLEM_HEADER);
	assert_int_equal(ckpt_quarantine_unfinished(&ctx, s->fd, statefd, odd, NULL),
			 CKPT_QUARANTINE_REFUSED);
	assert_int_equal(faccessat(s->fd, "model_2.safetensors", F_OK, 0), 0);
	close(statefd);
}

#define AWAY ".ckpt-resume/corrupted/"

/* Names that their programs would take for a checkpoint's with any ending are out of their lists,
 * and all others are where they were; the seal goes along, and all comes back. */
static void test_quarantine__listed_names(void **state)
{
	static const struct {
		const char *name, *to, *seal_to;
	} rows[] = {
		{ "hpc_ckpt_5.ckpt", AWAY "hpc_ckpt_5.ckpt", AWAY "hpc_ckpt_5.ckpt.metadata.json" },
		{ "checkpoint_1000", AWAY "checkpoint_1000", AWAY "checkpoint_1000.metadata.json" },
		{ "checkpoint_7.pth", "checkpoint_7.pth.corrupted",
		  "checkpoint_7.pth.metadata.json.corrupted" },
		{ "checkpoint_1_2.pt", "checkpoint_1_2.pt.corrupted",
		  "checkpoint_1_2.pt.metadata.json.corrupted" },
		{ "my_hpc_ckpt_5.ckpt", "my_hpc_ckpt_5.ckpt.corrupted",
		  "my_hpc_ckpt_5.ckpt.metadata.json.corrupted" },
	};
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		struct ckpt_set *bad;
		char seal[128];

		print_message("%s\n", rows[i].name);
		snprintf(seal, sizeof(seal), "%s.metadata.json", rows[i].name);
		put_safetensors(s->fd, rows[i].name, "[3]");
		scratch_put(s->fd, seal, "{}");
		bad = scan(s, &cat, rows[i].name);
		assert_non_null(bad);
		assert_int_equal(quarantine(s, bad), 0);
		assert_false(scratch_has(s->fd, rows[i].name));
		assert_false(scratch_has(s->fd, seal));
		assert_true(scratch_has(s->fd, rows[i].to));
		assert_true(scratch_holds(s->fd, rows[i].seal_to, "{}"));
		assert_int_equal(ckpt_release(NULL, s->fd, statefd, rows[i].name, NULL), 0);
		assert_true(scratch_has(s->fd, rows[i].name));
		assert_true(scratch_holds(s->fd, seal, "{}"));
		assert_int_equal(unlinkat(s->fd, rows[i].name, 0), 0);
		assert_int_equal(unlinkat(s->fd, seal, 0), 0);
	}
	assert_int_equal(scratch_count(s->fd), 1); /* the state directory */
	close(statefd);
}

/* One that is there already is not overwritten; the next one is beside it, and comes back first.
 * Without a ledger it is found as well. */
static void test_quarantine__listed_name_again(void **state)
{
	static const char name[] = "checkpoint_1000";
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	for (int i = 0; i < 2; i++) {
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		struct ckpt_set *bad;

		put_safetensors(s->fd, name, "[3]");
		bad = scan(s, &cat, name);
		assert_non_null(bad);
		assert_int_equal(quarantine(s, bad), 0);
		assert_true(
			scratch_has(s->fd, i ? AWAY "checkpoint_1000.1" : AWAY "checkpoint_1000"));
	}
	assert_int_equal(ckpt_release(NULL, s->fd, statefd, name, NULL), 0);
	assert_false(scratch_has(s->fd, AWAY "checkpoint_1000.1"));
	assert_true(scratch_has(s->fd, name));
	assert_int_equal(ckpt_release(NULL, s->fd, statefd, name, NULL), -EEXIST);
	assert_int_equal(unlinkat(s->fd, name, 0), 0);
	assert_int_equal(unlinkat(statefd, "ledger.jsonl", 0), 0);
	assert_int_equal(ckpt_release(NULL, s->fd, statefd, name, NULL), 0);
	assert_true(scratch_has(s->fd, name));
	close(statefd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_quarantine__damaged_goes_valid_stays),
		scratch_test(test_quarantine__released_is_found_again),
		scratch_test(test_quarantine__rewritten_since_stays),
		scratch_test(test_quarantine__unreadable_now_stays),
		scratch_test(test_quarantine__a_writer_keeps_it),
		scratch_test(test_quarantine__cut_short),
		scratch_test(test_quarantine__unknown_content_stays),
		scratch_test(test_quarantine__listed_names),
		scratch_test(test_quarantine__listed_name_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
