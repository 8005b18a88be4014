/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See shards.h.
 */
#include "core/format/train/shards.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/opaque.h"
#include "wire/text.h"

void ckpt_shards_done(struct ckpt_shards *shards)
{
	for (size_t i = 0; i < shards->n; i++)
		free(shards->list[i].name);
	free(shards->list);
	*shards = (struct ckpt_shards) { .n = 0 };
}

/* Reads digits at *@name; no rank has more than nine. */
static bool take_number(const char **name, uint64_t *ret)
{
	size_t digits = strspn(*name, "0123456789");

	if (digits == 0 || digits > 9)
		return false;
	*ret = strtoull(*name, NULL, 10);
	*name += digits;
	return true;
}

bool ckpt_shard_match(const char *name, const char *pattern, struct ckpt_shard *ret)
{
	struct ckpt_shard found = { .n = 0 };

	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			if (*name++ != *pattern)
				return false;
			continue;
		}
		if (found.n == CKPT_SHARD_NUMBERS || !take_number(&name, &found.no[found.n]))
			return false;
		found.n++;
	}
	memcpy(ret->no, found.no, sizeof(found.no));
	ret->n = found.n;
	return *name == '\0';
}

static const struct ckpt_shard_row *find_row(const struct ckpt_shard_row *rows, const char *name,
					     struct ckpt_shard *ret)
{
	while (rows->pattern && !ckpt_shard_match(name, rows->pattern, ret))
		rows++;
	return rows->pattern ? rows : NULL;
}

static int add(struct ckpt_shards *shards, const struct ckpt_shard *shard, const char *name)
{
	size_t cap = shards->cap ? shards->cap * 2 : 64;
	struct ckpt_shard *list = shards->list;
	char *copy = strdup(name);

	if (copy && shards->n == shards->cap)
		list = reallocarray(list, cap, sizeof(*list));
	if (!copy || !list) {
		free(copy);
		return -ENOMEM;
	}
	if (shards->n == shards->cap)
		shards->cap = cap;
	shards->list = list;
	list[shards->n] = *shard;
	list[shards->n++].name = copy;
	shards->kinds |= 1U << shard->kind;
	return 0;
}

static int compare_numbers(const struct ckpt_shard *x, const struct ckpt_shard *y)
{
	for (int i = 0; i < CKPT_SHARD_NUMBERS; i++)
		if (x->no[i] != y->no[i])
			return x->no[i] < y->no[i] ? -1 : 1;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct ckpt_shard *x = a, *y = b;
	int order = x->kind - y->kind;

	if (!order)
		order = compare_numbers(x, y);
	return order ? order : strcmp(x->name, y->name);
}

static int read_names(struct ckpt_check *check, const struct ckpt_shard_row *rows,
		      struct ckpt_shards *shards)
{
	int fd = openat(check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while (errno = 0, !r && (entry = readdir(dir))) {
		struct ckpt_shard shard = { .n = 0 };
		const struct ckpt_shard_row *row = find_row(rows, entry->d_name, &shard);

		if (!row)
			continue;
		shard.kind = row->kind;
		r = shards->n == CKPT_SHARDS_MAX ? -E2BIG : add(shards, &shard, entry->d_name);
	}
	return r ? r : -errno;
}

int ckpt_shards_list(struct ckpt_check *check, const struct ckpt_shard_row *rows,
		     struct ckpt_shards *ret)
{
	int r = read_names(check, rows, ret);

	if (r == -E2BIG)
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 CKPT_NO_OFFSET, NULL, "more than %d shards: not checked",
					 CKPT_SHARDS_MAX);
	if (r < 0)
		return ckpt_fail(check->err, r, "cannot list %s: %s", CKPT_QUOTE(check->name),
				 strerror(-r));
	if (ret->n)
		qsort(ret->list, ret->n, sizeof(*ret->list), compare);
	return 0;
}

const struct ckpt_shard *ckpt_shards_first(const struct ckpt_shards *shards, uint8_t kind)
{
	for (size_t i = 0; i < shards->n; i++)
		if (shards->list[i].kind == kind)
			return &shards->list[i];
	return NULL;
}

/* Unknown dimensions are as large as what is there. */
static void known_dims(const struct ckpt_shards *shards, uint8_t kind, uint64_t *dims)
{
	uint64_t seen[CKPT_SHARD_NUMBERS] = { 1, 1, 1 };

	for (size_t i = 0; i < shards->n; i++)
		for (int k = 0; shards->list[i].kind == kind && k < CKPT_SHARD_NUMBERS; k++)
			if (shards->list[i].no[k] >= seen[k])
				seen[k] = shards->list[i].no[k] + 1;
	for (int k = 0; k < CKPT_SHARD_NUMBERS; k++)
		dims[k] = dims[k] ? dims[k] : seen[k];
}

static bool inside(const struct ckpt_shard *shard, const uint64_t *dims)
{
	for (int k = 0; k < CKPT_SHARD_NUMBERS; k++)
		if (shard->no[k] >= dims[k])
			return false;
	return true;
}

/* The next place in the grid; false at its end. */
static bool step(uint64_t *at, const uint64_t *dims)
{
	for (int k = CKPT_SHARD_NUMBERS - 1; k >= 0; k--) {
		if (++at[k] < dims[k])
			return true;
		at[k] = 0;
	}
	return false;
}

bool ckpt_shards_gap(const struct ckpt_shards *shards, uint8_t kind,
		     const uint64_t dims[CKPT_SHARD_NUMBERS], uint64_t gap[CKPT_SHARD_NUMBERS],
		     const struct ckpt_shard **ret_outside)
{
	struct ckpt_shard at = { .n = 0 };
	const struct ckpt_shard *outside = NULL;
	uint64_t size[CKPT_SHARD_NUMBERS];
	bool more = true;

	memcpy(size, dims, sizeof(size));
	known_dims(shards, kind, size);
	for (size_t i = 0; i < shards->n; i++) {
		const struct ckpt_shard *shard = &shards->list[i];

		if (shard->kind != kind)
			continue;
		if (!inside(shard, size))
			outside = shard;
		else if (!more || compare_numbers(shard, &at) > 0)
			break; /* sorted: the place before it is empty */
		else if (compare_numbers(shard, &at) == 0)
			more = step(at.no, size);
	}
	memcpy(gap, at.no, sizeof(at.no));
	if (ret_outside)
		*ret_outside = outside;
	return more;
}

int ckpt_shard_check(struct ckpt_check *check, const char *name, enum ckpt_level level,
		     struct ckpt_report *member)
{
	int r = ckpt_check_member(check, name, level, CKPT_PROBLEM_SHARD_MISSING, member);

	if (r || !ckpt_opaque_is_headless(member))
		return r;
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 0, NULL,
						  "it does not begin as such a file does"));
}
