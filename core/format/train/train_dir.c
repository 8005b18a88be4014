/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See train_dir.h: the members.
 */
#include "core/format/train/train_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "core/base/words.h"
#include "core/format/opaque.h"
#include "wire/text.h"

#define LATEST "latest"
#define MODULES "modules.json"
#define UNNAMED_MAX CKPT_TRAIN_MEMBERS

/* A directory's known names, and the numbers of its random states. */
struct listing {
	struct {
		char *name;
		const struct ckpt_train_row *row;
	} * members;
	size_t n, n_unnamed;
	bool more;	/* unnamed ones than there is room for */
	bool own;	/* has_own() */
	cJSON *modules; /* sentence-transformers' list of its modules; NULL: none, or it is torn */
	uint64_t *rng;
	size_t n_rng;
};

/* What no framework's row knows: weights in a folder of their own, which have the names that
 * from_pretrained() looks for; such as come with others; files that may be weights. */
static const struct ckpt_train_row in_folder = { NULL, CKPT_PART_WEIGHTS, false };
static const struct ckpt_train_row beside = { NULL, CKPT_PART_OTHER, false };
static const struct ckpt_train_row unnamed = { NULL, CKPT_PART_UNNAMED, false };

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->members[i].name);
	free(l->members);
	free(l->rng);
	cJSON_Delete(l->modules);
}

/* Whether @name is @pattern, '#' being digits without a leading zero: *@ret_number. */
static bool matches(const char *name, const char *pattern, int64_t *ret_number)
{
	const char *hash = strchr(pattern, '#');
	size_t before = hash ? (size_t)(hash - pattern) : 0, digits;
	char number[24];

	*ret_number = -1;
	if (!hash)
		return strcmp(name, pattern) == 0;
	if (strncmp(name, pattern, before) != 0)
		return false;
	digits = strspn(name + before, "0123456789");
	if (digits >= sizeof(number) || strcmp(name + before + digits, hash + 1) != 0)
		return false;
	memcpy(number, name + before, digits);
	number[digits] = 0;
	return ckpt_text_int(number, 0, INT64_MAX, ret_number);
}

/* The row for @name and the number in it, or NULL. */
static const struct ckpt_train_row *find_row(const struct ckpt_train_row *rows, const char *name,
					     int64_t *ret_number)
{
	for (; rows->pattern; rows++)
		if (matches(name, rows->pattern, ret_number))
			return rows;
	return NULL;
}

static int too_many(struct ckpt_check *check)
{
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET,
				 NULL, "more than %d members: not checked", CKPT_TRAIN_MEMBERS);
}

static int add_member(struct ckpt_check *check, struct listing *l, const char *name,
		      const struct ckpt_train_row *row)
{
	if (l->n - l->n_unnamed == CKPT_TRAIN_MEMBERS)
		return too_many(check);
	l->members[l->n].name = strdup(name);
	if (!l->members[l->n].name)
		return -ENOMEM;
	l->members[l->n++].row = row;
	return 0;
}

/* However many there are: beside weights that have a known name they are of no concern. */
static int add_unnamed(struct ckpt_check *check, struct listing *l, const char *name)
{
	int r;

	if (l->n_unnamed == UNNAMED_MAX) {
		l->more = true;
		return 0;
	}
	r = add_member(check, l, name, &unnamed);
	l->n_unnamed += r == 0;
	return r;
}

static bool is_one_of(const char *name, const char *const *list,
		      bool (*is)(const char *name, const char *word))
{
	while (*list && !is(name, *list))
		list++;
	return *list;
}

static bool begins(const char *name, const char *word)
{
	return ckpt_text_starts(name, word, NULL);
}

static bool equals(const char *name, const char *word)
{
	return strcmp(name, word) == 0;
}

static bool contains(const char *name, const char *word)
{
	return strstr(name, word) != NULL;
}

/* Whether the directory itself has a model's or an adapter's configuration, beside which its
 * weights lie: those in folders come with them. */
static bool has_own(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, "adapter_config.json") ||
	       (ckpt_dir_has(check->dirfd, MODULES) && ckpt_dir_has(check->dirfd, "config.json"));
}

/* Whether the module's @path is the folder @name or lies in it. */
static bool lies_in(const char *path, const char *name)
{
	size_t len = strlen(name);

	path += strncmp(path, "./", 2) == 0 ? 2 : 0;
	return strncmp(path, name, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* False for a folder whose model nobody reads who resumes: an export for another program, or what
 * sentence-transformers' list does not name (its Trainer loads by that). */
static bool is_read(const struct listing *l, const char *name)
{
	static const char *const exports[] = { "onnx", "openvino", "coreml", "tflite", NULL };
	const cJSON *module;

	if (is_one_of(name, exports, equals))
		return false;
	if (!l->modules)
		return true;
	cJSON_ArrayForEach (module, l->modules) {
		const char *path = ckpt_json_text(module, "path");

		if (path && lies_in(path, name))
			return true;
	}
	return false;
}

/* Those of the @n @files that the folder @name has. */
static int add_files(struct ckpt_check *check, struct listing *l, const char *name,
		     const char *const *files, size_t n)
{
	const struct ckpt_train_row *row =
		ckpt_text_ends(name, "_ema") || l->own ? &beside : &in_folder;
	char path[NAME_MAX + 64];
	int r = 0;

	for (size_t i = 0; !r && i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", name, files[i]);
		if (ckpt_dir_has(check->dirfd, path))
			r = add_member(check, l, path, row);
	}
	return r;
}

/* A model of diffusers, an adapter of peft, a module of sentence-transformers: the weights in the
 * folder @name; those in another checkpoint that lies here are not this one's. */
static int add_folder(struct ckpt_check *check, struct listing *l, const char *name)
{
	static const char *const files[] = {
		"adapter_model.safetensors",
		"adapter_model.bin",
		"diffusion_pytorch_model.safetensors",
		"diffusion_pytorch_model.safetensors.index.json",
		"diffusion_pytorch_model.bin",
		"diffusion_pytorch_model.bin.index.json",
	};
	static const char *const models[] = {
		"model.safetensors",
		"model.safetensors.index.json",
		"pytorch_model.bin",
		"pytorch_model.bin.index.json",
	};
	int r;

	if (name[0] == '.' || begins(name, "checkpoint"))
		return 0;
	r = add_files(check, l, name, files, sizeof(files) / sizeof(files[0]));
	if (r || !is_read(l, name))
		return r;
	return add_files(check, l, name, models, sizeof(models) / sizeof(models[0]));
}

/* A Trainer of one's own names them as it likes. A shard is none without its index. */
static bool may_be_weights(const char *name)
{
	static const char *const ends[] = { ".safetensors", ".bin", ".pt", ".pth", ".ckpt", NULL };
	static const char *const others[] = { ".",   "rng",	 "random", "dl_state",
					      "ema", "training", NULL };
	static const char *const words[] = { "optim", "sched", "scaler", "sampler", "-of-", NULL };

	return is_one_of(name, ends, ckpt_text_ends) && !is_one_of(name, others, begins) &&
	       !is_one_of(name, words, contains);
}

static int add_unknown(struct ckpt_check *check, struct listing *l, const struct dirent *entry)
{
	if (entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
		int r = add_folder(check, l, entry->d_name);

		if (r || entry->d_type == DT_DIR)
			return r;
	}
	return may_be_weights(entry->d_name) ? add_unnamed(check, l, entry->d_name) : 0;
}

/* One that is torn or another program's names no folder: then every one counts. */
static int load_modules(struct ckpt_check *check, struct listing *l)
{
	int r = ckpt_json_load(check->ctx, check->dirfd, MODULES, &l->modules, check->err);

	if (!r && !ckpt_json_text(cJSON_GetArrayItem(l->modules, 0), "path")) {
		cJSON_Delete(l->modules);
		l->modules = NULL;
	}
	return r == -ENOENT || r > 0 ? 0 : r;
}

static int compare_members(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(struct ckpt_check *check, const struct ckpt_train_row *rows,
		      struct listing *l)
{
	int fd = openat(check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	int64_t number;

	if (!dir)
		return -errno;
	while (errno = 0, !r && (entry = readdir(dir))) {
		const struct ckpt_train_row *row = find_row(rows, entry->d_name, &number);

		r = row ? add_member(check, l, entry->d_name, row) : add_unknown(check, l, entry);
		if (!r && row && row->parts & CKPT_PART_RNG && number >= 0)
			l->rng[l->n_rng++] = (uint64_t)number;
	}
	return r ? r : -errno;
}

static int list(struct ckpt_check *check, const struct ckpt_train_row *rows, struct listing *l)
{
	int r;

	l->members = calloc(CKPT_TRAIN_MEMBERS + UNNAMED_MAX, sizeof(*l->members));
	l->rng = calloc(CKPT_TRAIN_MEMBERS, sizeof(*l->rng));
	l->own = has_own(check);
	r = load_modules(check, l);
	if (r < 0)
		return r;
	r = l->members && l->rng ? read_names(check, rows, l) : -ENOMEM;
	if (r < 0)
		return ckpt_fail(check->err, r, "cannot list %s: %s", CKPT_QUOTE(check->name),
				 strerror(-r));
	qsort(l->members, l->n, sizeof(*l->members), compare_members);
	ckpt_words_sort(l->rng, l->n_rng, 1);
	return r;
}

/* Endings that any data may have: what does not begin as weights do is none, and no damage. */
static bool is_any(const char *name)
{
	static const char *const ends[] = { ".bin", ".ckpt", NULL };

	return is_one_of(name, ends, ckpt_text_ends);
}

/* Checks one and adds to *@parts what it is. */
static int check_member(struct ckpt_check *check, const char *name,
			const struct ckpt_train_row *row, enum ckpt_level level, unsigned *parts)
{
	struct ckpt_report own;
	bool known;
	int r;

	if (row->is_dir) {
		*parts |= row->parts;
		r = ckpt_check_folder(check, name, level, &known, NULL);
		if (!known)
			ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "%s is not looked into", name);
		return r;
	}
	r = ckpt_check_member(check, name, level, CKPT_PROBLEM_MEMBER_MISSING, &own);
	if (!r && row == &unnamed && own.format == &ckpt_format_opaque && is_any(name))
		return 0;
	*parts |= row->parts;
	if (r || !ckpt_opaque_is_headless(&own))
		return r;
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, name,
				 "it does not begin as such a file does");
}

/* Checks what has a known name or, if @rest, what has none. */
static int check_listed(struct ckpt_check *check, const struct listing *l, bool rest,
			enum ckpt_level level, unsigned *parts)
{
	int r = 0;

	for (size_t i = 0; !r && i < l->n; i++) {
		if ((l->members[i].row == &unnamed) != rest)
			continue;
		r = check_member(check, l->members[i].name, l->members[i].row, level, parts);
	}
	return r;
}

/* Where no weights have a known name, those are taken for them that have none; it is said. */
static int check_unnamed(struct ckpt_check *check, const struct listing *l, enum ckpt_level level,
			 unsigned *parts)
{
	struct ckpt_verdict *verdict = &check->report->verdict;
	int r = l->more ? too_many(check) : check_listed(check, l, true, level, parts);

	if (r || !(*parts & CKPT_PART_UNNAMED))
		return r;
	*parts |= CKPT_PART_WEIGHTS;
	if (verdict->evidence > CKPT_EVIDENCE_STRUCTURE)
		verdict->evidence = CKPT_EVIDENCE_STRUCTURE;
	snprintf(verdict->note, sizeof(verdict->note),
		 "no weights have a name that is known: others are taken for them");
	return 0;
}

int ckpt_train_dir_check(struct ckpt_check *check, const struct ckpt_train_row *rows,
			 enum ckpt_level level, struct ckpt_train_dir *ret)
{
	_cleanup_(listing_done) struct listing l = { .n = 0 };
	struct ckpt_train_dir found = { .parts = 0 };
	int r = list(check, rows, &l);

	if (!r)
		r = check_listed(check, &l, false, level, &found.parts);
	if (!r && !(found.parts & CKPT_PART_WEIGHTS))
		r = check_unnamed(check, &l, level, &found.parts);
	found.n_rng = l.n_rng;
	while (found.first_gap < l.n_rng && l.rng[found.first_gap] == found.first_gap)
		found.first_gap++;
	if (!r)
		*ret = found;
	return r;
}

int ckpt_train_dir_lacks(struct ckpt_check *check, const char *what)
{
	return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				 CKPT_NO_OFFSET, what, "%s is missing", what);
}

const char *ckpt_train_dir_name(const struct ckpt_check *check)
{
	const char *slash = strrchr(check->name, '/');

	return slash ? slash + 1 : check->name;
}

bool ckpt_train_dir_numbered(const char *name, const char *prefix, int64_t *ret)
{
	const char *rest;

	return ckpt_text_starts(name, prefix, &rest) && ckpt_text_int(rest, 0, INT64_MAX, ret);
}

static int latest_names_nothing(struct ckpt_check *check, const char *why)
{
	return ckpt_check_blame(check, LATEST,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_POINTER_STALE, CKPT_NO_OFFSET, NULL,
						  "%s: DeepSpeed would begin anew", why));
}

int ckpt_train_dir_latest(struct ckpt_check *check)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len;
	int r = ckpt_file_slurp(check->ctx, check->dirfd, LATEST, NAME_MAX + 2, &text, &len,
				check->err);

	if (r == -ENOENT)
		return latest_names_nothing(check, "it is missing");
	if (r > 0 || r == -EFBIG)
		return latest_names_nothing(check, "it is no name");
	if (r < 0)
		return r;
	text[strcspn(text, "\r\n")] = '\0';
	if (!text[0] || strchr(text, '/'))
		return latest_names_nothing(check, "it holds no name");
	if (fstatat(check->dirfd, text, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return latest_names_nothing(check, "what it names is not there");
	return 0;
}
