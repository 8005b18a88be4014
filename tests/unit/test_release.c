/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The renames of quarantine and release, killed at every point. What a set's second read says is
 * told by the test: this program has a ckpt_set_verify() of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/integrity/quarantine.h"
#include "core/integrity/verify.h"
#include "core/record/ledger.h"
#include "tests/unit/support/scratch.h"

static struct ckpt_report second_read;
static int reads;

const struct ckpt_report *ckpt_set_verify(struct ckpt_ctx *ctx, struct ckpt_set *set,
					  enum ckpt_level level)
{
	(void)ctx;
	assert_null(set->report); /* nothing of the first read is taken over */
	assert_int_equal(level, CKPT_LEVEL_FULL);
	reads++;
	return &second_read;
}

static struct ckpt_report corrupt(void)
{
	return (struct ckpt_report) {
		.verdict = { .status = CKPT_CORRUPT, .problem = { .code = CKPT_PROBLEM_CHECKSUM } },
		.identity = { .ino = 7, .size = 8, .mtime_ns = 9, .ctime_ns = 10 },
	};
}

#define SHARDS 4
static const char *shard_names[] = { "m.index", "m.data-0", "m.data-1", "m\n\xff.data-2", NULL };
static const char *file_names[] = { "model_3.pt", NULL };
static const char *dir_names[] = { "checkpoint-30", NULL };
static const char *bp3_names[] = { "run.bp", NULL };

static const struct ckpt_set shards = { .name = "m",
					.kind = CKPT_KIND_PREFIX,
					.members = shard_names };
static const struct ckpt_set file = { .name = "model_3.pt", .members = file_names };
static const struct ckpt_set directory = { .name = "checkpoint-30",
					   .kind = CKPT_KIND_DIRECTORY,
					   .members = dir_names };
static const struct ckpt_set bp3 = { .name = "run.bp", .members = bp3_names };

static int statefd_of(const struct scratch *s)
{
	mkdirat(s->fd, CKPT_STATE_DIR, 0700);
	return openat(s->fd, CKPT_STATE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Puts @set into the directory, each member holding its own name. */
static void make(const struct scratch *s, const struct ckpt_set *set)
{
	for (int i = 0; set->members[i]; i++) {
		char inner[300];

		if (set->kind != CKPT_KIND_DIRECTORY) {
			scratch_put(s->fd, set->members[i], set->members[i]);
			continue;
		}
		assert_int_equal(mkdirat(s->fd, set->members[i], 0755), 0);
		snprintf(inner, sizeof(inner), "%s/weights", set->members[i]);
		scratch_put(s->fd, inner, set->members[i]);
	}
}

static int quarantine(const struct scratch *s, const struct ckpt_set *set, struct ckpt_error *err)
{
	struct ckpt_report first = corrupt();
	struct ckpt_set judged = *set;
	int statefd = statefd_of(s), r;

	judged.report = &first;
	second_read = corrupt();
	r = ckpt_quarantine(NULL, s->fd, statefd, &judged, err);
	close(statefd);
	return r;
}

static int release(const struct scratch *s, const char *name)
{
	struct ckpt_error err = { 0 };
	int statefd = statefd_of(s), r;

	r = ckpt_release(NULL, s->fd, statefd, name, &err);
	close(statefd);
	if (r != 0)
		assert_true(err.text[0] != '\0');
	return r;
}

/* All members of the shards at home (or all away, as @suffix has it), with their content. */
static void expect_shards(const struct scratch *s, const char *suffix)
{
	for (int i = 0; i < SHARDS; i++) {
		char name[64], other[64];

		snprintf(name, sizeof(name), "%s%s", shard_names[i], suffix);
		snprintf(other, sizeof(other), "%s%s", shard_names[i], *suffix ? "" : ".corrupted");
		assert_true(scratch_holds(s->fd, name, shard_names[i]));
		assert_false(exists(s->fd, other));
	}
}

static void test_release__a_set_goes_and_comes_back_as_a_set(void **state)
{
	static const char *const names[] = { "m", "m.index", "m.index.corrupted",
					     "m.data-1.corrupted" };
	struct scratch *s = *state;

	make(s, &shards);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(quarantine(s, &shards, NULL), 0);
		expect_shards(s, ".corrupted");
		assert_int_equal(release(s, names[i]), 0);
		expect_shards(s, "");
		assert_int_equal(release(s, names[i]), CKPT_QUARANTINE_NOTHING);
	}
}

/* A file whose data lie in a folder beside it takes the folder along, whatever is in it. */
static void test_release__a_folder_beside_goes_along(void **state)
{
	static const char *const at_home[] = { "run.bp", "run.bp.metadata.json",
					       "run.bp.dir/run.bp.0", "run.bp.dir/notes" };
	struct scratch *s = *state;
	char away[64];

	make(s, &bp3);
	for (size_t i = 1; i < sizeof(at_home) / sizeof(at_home[0]); i++)
		scratch_put(s->fd, at_home[i], "data");
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(quarantine(s, &bp3, NULL), 0);
		assert_int_equal(scratch_count(s->fd), 1);
		for (size_t i = 0; i < sizeof(at_home) / sizeof(at_home[0]); i++) {
			snprintf(away, sizeof(away), ".ckpt-resume/corrupted/%s", at_home[i]);
			assert_true(exists(s->fd, away));
		}
		assert_int_equal(release(s, "run.bp"), 0);
		for (size_t i = 0; i < sizeof(at_home) / sizeof(at_home[0]); i++)
			assert_true(exists(s->fd, at_home[i]));
	}
}

/* What stands in its place may be somebody else's. */
static void test_release__a_folder_beside_that_is_none(void **state)
{
	struct scratch *s = *state;

	make(s, &bp3);
	scratch_put(s->fd, "elsewhere/run.bp.0", "data");
	assert_int_equal(symlinkat("elsewhere", s->fd, "run.bp.dir"), 0);
	assert_int_equal(quarantine(s, &bp3, NULL), CKPT_QUARANTINE_REFUSED);
	assert_int_equal(unlinkat(s->fd, "run.bp.dir", 0), 0);
	scratch_put(s->fd, "run.bp.dir", "a file");
	assert_int_equal(quarantine(s, &bp3, NULL), CKPT_QUARANTINE_REFUSED);
	assert_true(exists(s->fd, "run.bp"));
	assert_int_equal(unlinkat(s->fd, "run.bp.dir", 0), 0);
	assert_int_equal(quarantine(s, &bp3, NULL), 0); /* data in the file itself */
	assert_true(exists(s->fd, "run.bp.corrupted"));
}

static void test_release__a_directory_moves_out_of_sight(void **state)
{
	struct scratch *s = *state;

	make(s, &directory);
	assert_int_equal(quarantine(s, &directory, NULL), 0);
	assert_false(exists(s->fd, "checkpoint-30"));
	assert_false(exists(s->fd, "checkpoint-30.corrupted"));
	assert_true(scratch_holds(s->fd, ".ckpt-resume/corrupted/checkpoint-30/weights",
				  "checkpoint-30"));
	make(s, &directory); /* written anew, and damaged again */
	assert_int_equal(quarantine(s, &directory, NULL), 0);
	assert_true(exists(s->fd, ".ckpt-resume/corrupted/checkpoint-30.1"));
	assert_int_equal(release(s, "checkpoint-30"), 0);
	assert_true(scratch_holds(s->fd, "checkpoint-30/weights", "checkpoint-30"));
	assert_false(exists(s->fd, ".ckpt-resume/corrupted/checkpoint-30.1"));
	assert_int_equal(release(s, "checkpoint-30"), -EEXIST);
	assert_true(exists(s->fd, ".ckpt-resume/corrupted/checkpoint-30"));
}

static void test_release__nothing_is_overwritten(void **state)
{
	struct scratch *s = *state;

	make(s, &file);
	scratch_put(s->fd, "model_3.pt.corrupted", "older");
	assert_int_equal(quarantine(s, &file, NULL), 0);
	assert_true(scratch_holds(s->fd, "model_3.pt.corrupted", "older"));
	assert_true(scratch_holds(s->fd, "model_3.pt.corrupted.1", "model_3.pt"));
	scratch_put(s->fd, "model_3.pt", "written since");
	assert_int_equal(release(s, "model_3.pt"), -EEXIST);
	assert_true(scratch_holds(s->fd, "model_3.pt", "written since"));
	assert_true(scratch_holds(s->fd, "model_3.pt.corrupted.1", "model_3.pt"));
	assert_int_equal(unlinkat(s->fd, "model_3.pt", 0), 0);
	assert_int_equal(release(s, "model_3.pt.corrupted.1"), 0);
	assert_true(scratch_holds(s->fd, "model_3.pt", "model_3.pt"));
	assert_true(scratch_holds(s->fd, "model_3.pt.corrupted", "older"));
}

static void test_release__one_taken_name_moves_the_whole_set_to_the_next(void **state)
{
	struct scratch *s = *state;

	make(s, &shards);
	scratch_put(s->fd, "m.data-1.corrupted", "older");
	assert_int_equal(quarantine(s, &shards, NULL), 0);
	for (int i = 0; i < SHARDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s.corrupted.1", shard_names[i]);
		assert_true(exists(s->fd, name));
	}
	assert_int_equal(release(s, "m"), 0);
	assert_true(scratch_holds(s->fd, "m.data-1", "m.data-1"));
}

static void test_release__without_a_ledger_the_plain_name_does(void **state)
{
	struct scratch *s = *state;

	scratch_put(s->fd, "a.pt.corrupted", "a");
	assert_int_equal(release(s, "a.pt"), 0);
	assert_true(scratch_holds(s->fd, "a.pt", "a"));
	scratch_put(s->fd, "b.pt.corrupted", "b");
	assert_int_equal(release(s, "b.pt.corrupted"), 0);
	assert_true(scratch_holds(s->fd, "b.pt", "b"));
	scratch_put(s->fd, "b.pt.corrupted", "second");
	assert_int_equal(release(s, "b.pt"), -EEXIST);
	assert_true(scratch_holds(s->fd, "b.pt.corrupted", "second"));
	assert_int_equal(mkdirat(s->fd, ".ckpt-resume/corrupted", 0700), 0);
	assert_int_equal(mkdirat(s->fd, ".ckpt-resume/corrupted/d", 0700), 0);
	assert_int_equal(release(s, "d"), 0);
	assert_true(exists(s->fd, "d"));
}

static void test_release__names_that_are_none(void **state)
{
	static const char *const names[] = { "",    ".corrupted",  "..", "../x",
					     "a/b", "/etc/passwd", "x" };
	struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(release(s, names[i]), CKPT_QUARANTINE_NOTHING);
}

/* The ledger without its last @n lines, as a kill before their writing would have left it. */
static void drop_lines(int statefd, int n)
{
	char *text = scratch_get(statefd, CKPT_LEDGER);

	for (; n > 0; n--) {
		char *end;

		text[strlen(text) - 1] = '\0';
		end = strrchr(text, '\n');
		if (end)
			end[1] = '\0';
		else
			text[0] = '\0';
	}
	scratch_put(statefd, CKPT_LEDGER, text);
	free(text);
}

/* Moves the members of the shards from @from on home again. */
static void move_home(const struct scratch *s, int from)
{
	for (int i = from; i < SHARDS; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s.corrupted", shard_names[i]);
		assert_int_equal(renameat(s->fd, name, s->fd, shard_names[i]), 0);
	}
}

static void test_release__a_quarantine_killed_anywhere_is_undone_or_ended(void **state)
{
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	make(s, &shards);
	make(s, &file);
	for (int moved = 0; moved <= SHARDS; moved++) {
		assert_int_equal(quarantine(s, &shards, NULL), 0);
		drop_lines(statefd, 1); /* the end was not written */
		move_home(s, moved);
		assert_int_equal(quarantine(s, &file, NULL), 0); /* whatever comes next recovers */
		expect_shards(s, moved == SHARDS ? ".corrupted" : "");
		assert_int_equal(release(s, "m"), moved == SHARDS ? 0 : CKPT_QUARANTINE_NOTHING);
		expect_shards(s, "");
		assert_int_equal(release(s, "model_3.pt"), 0);
	}
	close(statefd);
}

static void test_release__a_release_killed_anywhere_is_ended(void **state)
{
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	make(s, &shards);
	for (int home = 0; home <= SHARDS; home++) {
		assert_int_equal(quarantine(s, &shards, NULL), 0);
		assert_int_equal(release(s, "m"), 0);
		drop_lines(statefd, 1);
		for (int i = home; i < SHARDS; i++) {
			char name[64];

			snprintf(name, sizeof(name), "%s.corrupted", shard_names[i]);
			assert_int_equal(renameat(s->fd, shard_names[i], s->fd, name), 0);
		}
		assert_int_equal(release(s, "nothing"), CKPT_QUARANTINE_NOTHING);
		expect_shards(s, "");
	}
	close(statefd);
}

static void test_release__recovery_leaves_what_the_program_wrote_since(void **state)
{
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	make(s, &shards);
	assert_int_equal(quarantine(s, &shards, NULL), 0);
	drop_lines(statefd, 1);
	move_home(s, 2);
	scratch_put(s->fd, "m.index", "written since");
	assert_int_equal(release(s, "nothing"), CKPT_QUARANTINE_NOTHING);
	assert_true(scratch_holds(s->fd, "m.index", "written since"));
	assert_true(scratch_holds(s->fd, "m.index.corrupted", "m.index"));
	assert_true(scratch_holds(s->fd, "m.data-0", "m.data-0"));
	close(statefd);
}

static void test_release__a_member_that_cannot_go_takes_all_back(void **state)
{
	static const char *names[] = { "m.index", "m.data-0", "m.data-1", NULL };
	struct ckpt_set set = { .name = "m", .kind = CKPT_KIND_PREFIX, .members = names };
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };
	char long_name[256];

	memset(long_name, 'x', 250);
	long_name[250] = '\0';
	names[2] = long_name; /* its .corrupted would be too long a name */
	make(s, &set);
	assert_int_equal(quarantine(s, &set, &err), -ENAMETOOLONG);
	for (int i = 0; names[i]; i++)
		assert_true(exists(s->fd, names[i]));
	names[2] = "m.data-1";
}

static void test_release__many_members_take_several_lines(void **state)
{
	enum { MANY = 600 };
	struct scratch *s = *state;
	const char **names = calloc(MANY + 1, sizeof(*names));
	struct ckpt_set set = { .name = "many", .kind = CKPT_KIND_PREFIX, .members = names };
	int statefd = statefd_of(s);

	for (int i = 0; i < MANY; i++) {
		char name[128];

		snprintf(name, sizeof(name), "many\x01\x02.data-%05d-of-%05d", i, MANY);
		names[i] = strdup(name);
	}
	make(s, &set);
	assert_int_equal(quarantine(s, &set, NULL), 0);
	drop_lines(statefd, 1);
	for (int i = 0; i < MANY; i += 2) { /* every second was not moved yet */
		char name[140];

		snprintf(name, sizeof(name), "%s.corrupted", names[i]);
		assert_int_equal(renameat(s->fd, name, s->fd, names[i]), 0);
	}
	assert_int_equal(release(s, "nothing"), CKPT_QUARANTINE_NOTHING);
	for (int i = 0; i < MANY; i++) {
		assert_true(exists(s->fd, names[i]));
		free((char *)names[i]);
	}
	free(names);
	close(statefd);
}

static void test_release__hostile_ledger_leads_nowhere(void **state)
{
	static const char *const pairs[] = {
		"[\"a\",\"../b\"]",
		"[\"../a\",\"b\"]",
		"[\"a\",\"/tmp/b\"]",
		"[\"a\",\"sub/b\"]",
		"[\"sub/a\",\"b\"]",
		"[\"a\",\"corrupted/../b\"]",
		"[\"a\",\"corrupted/..\"]",
		"[\"a\",\"\"]",
		"[\"\",\"b\"]",
		"[\"a\"]",
		"\"a\"",
		"[1,2]",
		"[\".\",\"b\"]",
		"[\"..\",\"b\"]",
	};
	struct scratch *s = *state;
	int statefd = statefd_of(s), before;

	scratch_put(s->fd, "b", "b");
	scratch_put(statefd, "b", "b"); /* what the paths would lead to is there */
	assert_int_equal(mkdirat(statefd, "corrupted", 0700), 0);
	assert_int_equal(mkdirat(s->fd, "sub", 0700), 0);
	scratch_put(s->fd, "sub/b", "b");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char line[256];

		snprintf(line, sizeof(line),
			 "{\"event\":\"quarantine-begin\",\"id\":\"1\",\"set\":\"x\",\"members\":[%"
			 "s]}\n"
			 "{\"event\":\"quarantine\",\"id\":\"1\",\"set\":\"x\"}\n",
			 pairs[i]);
		scratch_put(statefd, CKPT_LEDGER, line);
		before = scratch_count(s->fd);
		assert_int_equal(release(s, "x"), CKPT_QUARANTINE_NOTHING);
		assert_int_equal(scratch_count(s->fd), before);
		assert_true(scratch_holds(s->fd, "b", "b"));
	}
	close(statefd);
}

static void test_release__only_one_at_a_time(void **state)
{
	struct scratch *s = *state;
	int other = statefd_of(s);

	make(s, &file);
	assert_int_equal(flock(other, LOCK_EX), 0);
	assert_int_equal(quarantine(s, &file, NULL), -EAGAIN);
	assert_int_equal(release(s, "model_3.pt"), -EAGAIN);
	assert_true(exists(s->fd, "model_3.pt"));
	close(other);
	assert_int_equal(quarantine(s, &file, NULL), 0);
}

/* Law 7, case by case: @first and @second as they are set up, @expected, and nothing moved unless
 * 0. */
static void expect_law(const struct scratch *s, struct ckpt_report *first, int expected)
{
	struct ckpt_set judged = file;
	int statefd = statefd_of(s);

	judged.report = first;
	assert_int_equal(ckpt_quarantine(NULL, s->fd, statefd, &judged, NULL), expected);
	assert_int_equal(exists(s->fd, "model_3.pt"), expected != 0);
	if (expected == 0)
		assert_int_equal(release(s, "model_3.pt"), 0);
	close(statefd);
}

static void test_release__only_corrupt_is_moved(void **state)
{
	struct scratch *s = *state;

	make(s, &file);
	for (int status = CKPT_VALID; status <= CKPT_MISSING; status++) {
		struct ckpt_report first = corrupt();

		second_read = corrupt();
		first.verdict.status = status;
		expect_law(s, &first, status == CKPT_CORRUPT ? 0 : CKPT_QUARANTINE_REFUSED);
		second_read.verdict.status = status;
		first = corrupt();
		expect_law(s, &first, status == CKPT_CORRUPT ? 0 : CKPT_QUARANTINE_REFUSED);
	}
	expect_law(s, NULL, CKPT_QUARANTINE_REFUSED);
}

static void test_release__only_damage_of_bytes_is_moved(void **state)
{
	static const enum ckpt_problem_code stays[] = {
		CKPT_PROBLEM_NONE,	    CKPT_PROBLEM_MEMBER_MISSING,
		CKPT_PROBLEM_SHARD_MISSING, CKPT_PROBLEM_SHARD_MISMATCH,
		CKPT_PROBLEM_MIXED_SAVES,   CKPT_PROBLEM_POINTER_STALE,
		CKPT_PROBLEM_NON_FINITE,    CKPT_PROBLEM_NESTING_LIMIT,
		CKPT_PROBLEM_LFS_POINTER,   CKPT_PROBLEM_UNFINISHED_NAME,
		CKPT_PROBLEM_WRITER_ACTIVE, CKPT_PROBLEM_IO,
		CKPT_PROBLEM_COUNT,
	};
	struct scratch *s = *state;
	struct ckpt_report first;

	make(s, &file);
	for (size_t i = 0; i < sizeof(stays) / sizeof(stays[0]); i++) {
		first = corrupt();
		first.verdict.problem.code = stays[i];
		second_read = first;
		reads = 0;
		expect_law(s, &first, CKPT_QUARANTINE_REFUSED);
		assert_int_equal(reads, 0); /* not even read */
	}
	first = corrupt();
	first.verdict.problem.code = CKPT_PROBLEM_ZERO_TAIL;
	second_read = first;
	expect_law(s, &first, 0);
}

static void test_release__a_second_read_has_to_agree(void **state)
{
	struct scratch *s = *state;
	struct ckpt_report first = corrupt();

	make(s, &file);
	second_read = corrupt();
	second_read.verdict.problem.code = CKPT_PROBLEM_TRUNCATED;
	expect_law(s, &first, CKPT_QUARANTINE_REFUSED);
	second_read = corrupt();
	second_read.identity.mtime_ns++; /* somebody writes */
	expect_law(s, &first, CKPT_QUARANTINE_REFUSED);
	second_read = corrupt();
	second_read.identity.ino++;
	expect_law(s, &first, CKPT_QUARANTINE_REFUSED);
}

static void test_release__members_that_are_not_what_they_seem(void **state)
{
	static const char *names[] = { "model_3.pt", NULL, NULL };
	const struct ckpt_set set = { .name = "model_3.pt", .members = names };
	static const char *const bad[] = { "../x", "sub/x", "..", ".", "", "gone", "link", "dir" };
	struct scratch *s = *state;
	struct ckpt_set none = { .name = "none" };

	make(s, &file);
	assert_int_equal(symlinkat("model_3.pt", s->fd, "link"), 0);
	assert_int_equal(mkdirat(s->fd, "dir", 0755), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		names[1] = bad[i];
		assert_int_equal(quarantine(s, &set, NULL), CKPT_QUARANTINE_REFUSED);
		assert_true(exists(s->fd, "model_3.pt"));
	}
	assert_int_equal(quarantine(s, &none, NULL), CKPT_QUARANTINE_REFUSED);
	assert_int_equal(unlinkat(s->fd, "model_3.pt", 0), 0);
	assert_int_equal(symlinkat("elsewhere", s->fd, "checkpoint-30"), 0);
	assert_int_equal(quarantine(s, &directory, NULL), CKPT_QUARANTINE_REFUSED);
}

static void test_release__nothing_moves_where_the_ledger_cannot_be_written(void **state)
{
	struct scratch *s = *state;
	int statefd = statefd_of(s);

	make(s, &file);
	assert_int_equal(mkdirat(statefd, CKPT_LEDGER, 0700), 0);
	assert_true(quarantine(s, &file, NULL) < 0);
	assert_true(scratch_holds(s->fd, "model_3.pt", "model_3.pt"));
	close(statefd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_release__a_set_goes_and_comes_back_as_a_set),
		scratch_test(test_release__a_folder_beside_goes_along),
		scratch_test(test_release__a_folder_beside_that_is_none),
		scratch_test(test_release__a_directory_moves_out_of_sight),
		scratch_test(test_release__nothing_is_overwritten),
		scratch_test(test_release__one_taken_name_moves_the_whole_set_to_the_next),
		scratch_test(test_release__without_a_ledger_the_plain_name_does),
		scratch_test(test_release__names_that_are_none),
		scratch_test(test_release__a_quarantine_killed_anywhere_is_undone_or_ended),
		scratch_test(test_release__a_release_killed_anywhere_is_ended),
		scratch_test(test_release__recovery_leaves_what_the_program_wrote_since),
		scratch_test(test_release__a_member_that_cannot_go_takes_all_back),
		scratch_test(test_release__many_members_take_several_lines),
		scratch_test(test_release__hostile_ledger_leads_nowhere),
		scratch_test(test_release__only_one_at_a_time),
		scratch_test(test_release__only_corrupt_is_moved),
		scratch_test(test_release__only_damage_of_bytes_is_moved),
		scratch_test(test_release__a_second_read_has_to_agree),
		scratch_test(test_release__members_that_are_not_what_they_seem),
		scratch_test(test_release__nothing_moves_where_the_ledger_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
