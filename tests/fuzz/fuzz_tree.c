/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any files of known names as a run directory with a checkpoint directory in it, which is judged at
 * all levels; then a job's first start decides what to resume from. The input is a byte for the
 * checkpoint's name and files of it: a byte for the name, a byte for its digits, two for the
 * length (little-endian, cut to what is there), the content.
 *
 * What passes in full passes by structure; the levels beside find what their neighbours do; what is
 * decided on was found valid; no text holds control characters. What lies in their files, and how
 * they differ from each other, is asked of damaged ones as well. FUZZ_TREE_TELL in the environment
 * prints the row that judged each checkpoint.
 */
#include <ftw.h>

#include "core/integrity/damage_names.h"
#include "core/integrity/files.h"
#include "core/integrity/siblings.h"
#include "core/integrity/verify.h"
#include "core/resolve/resolve.h"

#include "tests/fuzz/dir.h"
#include "tests/fuzz/tree_names.h"

#define FILES 32
#define NAME 160
#define MINE "mine_*" /* --ckpt-glob */
#define ASKED 4	      /* files of a set whose tensors are asked for */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* One file of an input; @data points into it. */
struct entry {
	size_t name;
	unsigned digits;
	const uint8_t *data;
	size_t size;
};

/* Takes the next file off the input; false at its end. */
static bool next(const uint8_t **data, size_t *size, struct entry *ret)
{
	const uint8_t *p = *data;

	if (*size < 4)
		return false;
	*ret = (struct entry) { p[0] % COUNT(fuzz_tree_names), p[1], p + 4,
				(size_t)(p[2] | p[3] << 8) };
	if (ret->size > *size - 4)
		ret->size = *size - 4;
	*data += 4 + ret->size;
	*size -= 4 + ret->size;
	return true;
}

/* The name of @e below the run directory. */
static void spell(const struct entry *e, const char *dir, char ret[NAME])
{
	const char *row = fuzz_tree_names[e->name];
	unsigned digits = e->digits;

	snprintf(ret, NAME, "%s%s", row[0] == '@' ? dir : "", row + (row[0] == '@'));
	for (char *p = ret; *p; p++)
		if (*p == '#') {
			*p = (char)('0' + digits % 8);
			digits /= 8;
		}
}

static void put(const struct entry *e, const char *dir)
{
	char name[NAME];

	spell(e, dir, name);
	for (char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		fuzz_dir_make(name);
		*p = '/';
	}
	fuzz_dir_put(name, e->data, e->size);
}

static int take(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	if (at->level > 0 && (kind == FTW_DP ? rmdir(path) : unlink(path)) < 0)
		abort();
	return 0;
}

static void clear(void)
{
	if (nftw(fuzz_dir_path, take, 8, FTW_DEPTH | FTW_PHYS) != 0)
		abort();
}

static void tell(const char *name, const struct ckpt_report *report)
{
	if (getenv("FUZZ_TREE_TELL"))
		printf("%s: %s %s\n", name, report->format ? report->format->name : "none",
		       ckpt_status_name(report->verdict.status));
}

/* Whether the directory is valid at @level. */
static bool judge(const char *dir, enum ckpt_level level)
{
	const struct ckpt_target target = { fuzz_dir(), dir, CKPT_KIND_DIRECTORY,
					    ckpt_catalog_globbed(MINE, dir) };
	struct ckpt_report *report = calloc(1, sizeof(*report));
	struct ckpt_ctx ctx = { .threads = 1 };
	bool valid;

	if (!report)
		abort();
	ckpt_verify(&ctx, &target, level, report);
	fuzz_assert_texts(report);
	valid = report->verdict.status == CKPT_VALID;
	if (!valid && report->verdict.problem.code == CKPT_PROBLEM_NONE)
		abort();
	if (level == CKPT_LEVEL_FULL)
		tell(dir, report);
	free(report);
	return valid;
}

static void judge_all(const char *dir)
{
	bool structure = judge(dir, CKPT_LEVEL_STRUCTURE), full = judge(dir, CKPT_LEVEL_FULL);

	if (full && !structure)
		abort();
	if (judge(dir, CKPT_LEVEL_SAMPLE) != structure || judge(dir, CKPT_LEVEL_FINITE) != full)
		abort();
}

static void check_resolution(const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;
	cJSON *json = ckpt_resolution_json(res);

	if (!json)
		abort();
	cJSON_Delete(json);
	if (ckpt_text_has_control(d->line) || ckpt_text_has_control(d->warning))
		abort();
	if (strcmp(d->mode, "refused") != 0 && ckpt_decision_check(d, NULL) != 0)
		abort();
	if (res->chosen && res->chosen->report->verdict.status != CKPT_VALID)
		abort();
	for (size_t i = 0; i < res->catalog.n_sets; i++) {
		const struct ckpt_set *set = &res->catalog.sets[i];

		if (set->report) {
			fuzz_assert_texts(set->report);
			tell(set->name, set->report);
		}
	}
	for (size_t i = 0; i < res->n_trail; i++)
		if (ckpt_text_has_control(res->trail[i].why))
			abort();
}

/* What lies in the first files of @set, as if they were damaged. */
static void ask_names(struct ckpt_ctx *ctx, const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? dirfd : ckpt_files_root(dirfd, set, NULL);
	_cleanup_files_ struct ckpt_files files = { 0 };
	char words[128];

	if (rootfd < 0 || ckpt_files_list(rootfd, set, &files, NULL) != 0)
		return;
	for (size_t i = 0; i < files.n && i < ASKED; i++) {
		const struct ckpt_extent all = { files.f[i].name, 0, UINT64_MAX };

		ckpt_damage_names(ctx, set, &all, words, sizeof(words));
		if (ckpt_text_has_control(words))
			abort();
	}
}

/* How a set differs from the one before it, tensor by tensor. */
static void compare_siblings(struct ckpt_ctx *ctx, const struct ckpt_set *own,
			     const struct ckpt_set *old)
{
	struct ckpt_siblings *s = calloc(1, sizeof(*s));
	char words[256];

	if (!s)
		abort();
	ckpt_siblings_compare(ctx, own, old, s);
	if (ckpt_text_has_control(ckpt_siblings_words(s, old->name, words, sizeof(words))))
		abort();
	free(s);
}

static void ask_all(const struct ckpt_catalog *catalog)
{
	struct ckpt_ctx ctx = { .threads = 1 };

	for (size_t i = 0; i < catalog->n_sets; i++) {
		ask_names(&ctx, &catalog->sets[i]);
		if (i > 0)
			compare_siblings(&ctx, &catalog->sets[i], &catalog->sets[i - 1]);
	}
}

static void resolve(const char *mode, int64_t attempt)
{
	struct ckpt_resolution *res = calloc(1, sizeof(*res));
	struct ckpt_request *req = calloc(1, sizeof(*req));
	struct ckpt_ctx ctx = { .threads = 1 };

	if (!res || !req)
		abort();
	ckpt_request_init(req);
	snprintf(req->mode, sizeof(req->mode), "%s", mode);
	snprintf(req->work_dir, sizeof(req->work_dir), "%s", fuzz_dir_path);
	snprintf(req->dirs, sizeof(req->dirs), "%s", fuzz_dir_path);
	snprintf(req->glob, sizeof(req->glob), MINE);
	snprintf(req->verify, sizeof(req->verify), "full");
	req->job_id = 7;
	req->attempt = attempt;
	if (ckpt_resolve(&ctx, req, res, NULL) == 0)
		check_resolution(res);
	if (attempt == 0)
		ask_all(&res->catalog);
	free(req);
	ckpt_resolution_done(res);
	free(res);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entry e;
	const char *dir;

	if (size == 0)
		return 0;
	dir = fuzz_tree_dirs[data[0] % COUNT(fuzz_tree_dirs)];
	fuzz_dir_make(dir);
	data++, size--;
	for (int i = 0; i < FILES && next(&data, &size, &e); i++)
		put(&e, dir);
	judge_all(dir);
	resolve("auto", 0);
	resolve("best", 1);
	clear();
	return 0;
}

/* The place of one file's content in an input, all of it where there is none. */
static struct entry pick(const uint8_t *data, size_t size, unsigned seed)
{
	const uint8_t *p = data + 1;
	size_t left = size - 1, n = 0;
	struct entry e = { 0, 0, data, size }, found = e;

	while (next(&p, &left, &e))
		if (e.size > 0 && seed % ++n == 0)
			found = e;
	return found;
}

/* Mostly changes the content of one file and leaves its length, so that the others stay files. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct entry e;

	if (size < 6 || seed % 4 == 0)
		return LLVMFuzzerMutate(data, size, max);
	e = pick(data, size, seed / 4);
	if (e.data == data)
		return LLVMFuzzerMutate(data, size, max);
	LLVMFuzzerMutate(data + (e.data - data), e.size, e.size);
	return size;
}
