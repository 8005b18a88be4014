/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dcp_names.h. The metadata are read twice: the names of items mostly stand there before, as
 * keys of another dict, and are only referred to by number where file and offset are.
 */
#include "core/format/torch/dcp_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/format/torch/pickle.h"
#include "wire/text.h"

#define METADATA ".metadata"
#define HITS 64

enum { NAME, PATH, OFFSET, LENGTH, N_WORDS };

static const char *const words[N_WORDS] = { "fqn", "relative_path", "offset", "length" };

#define BIT(word) (1U << (word))
#define PLACE (BIT(PATH) | BIT(OFFSET) | BIT(LENGTH))

/* The name of an item: a string, or the number under which one was memoised. */
struct hit {
	bool earlier;
	uint64_t number;
	char text[256];
};

struct asked {
	const struct ckpt_extent *extent;
	struct hit hits[HITS];
	size_t n;
	uint64_t more;
	struct {
		struct hit name;
		bool named, ours;
		uint64_t off, len;
		unsigned have;
	} now; /* the item being read */
};

/* Paths become 1, that of the file, or 0; a name's text is kept in passing. */
static bool on_string(void *arg, size_t word, const char *text, uint32_t *ret_id)
{
	struct asked *a = arg;

	if (word == NAME)
		snprintf(a->now.name.text, sizeof(a->now.name.text), "%s", text);
	*ret_id = word == PATH && strcmp(text, a->extent->file) == 0;
	return word == PATH;
}

static bool same(const struct hit *a, const struct hit *b)
{
	if (a->earlier != b->earlier)
		return false;
	return a->earlier ? a->number == b->number : strcmp(a->text, b->text) == 0;
}

/* The item is whole: keeps its name, if it is asked for. */
static void finish(struct asked *a)
{
	uint64_t end;

	a->now.have = 0;
	if (!a->now.named || !a->now.ours || __builtin_add_overflow(a->now.off, a->now.len, &end) ||
	    !ckpt_extent_meets(a->extent, a->now.off, end))
		return;
	for (size_t i = 0; i < a->n; i++)
		if (same(&a->hits[i], &a->now.name))
			return;
	if (a->n < HITS)
		a->hits[a->n++] = a->now.name;
	else
		a->more++;
}

static void take_name(struct asked *a, const struct ckpt_pickle_value *value)
{
	a->now.named = value->kind == CKPT_PICKLE_TEXT || value->kind == CKPT_PICKLE_EARLIER;
	a->now.name.earlier = value->kind == CKPT_PICKLE_EARLIER;
	a->now.name.number = (uint64_t)value->i;
	a->now.have = 0;
}

static bool on_pair(void *arg, size_t word, const struct ckpt_pickle_value *value)
{
	struct asked *a = arg;

	if (word == NAME) {
		take_name(a, value);
	} else if (word == PATH) {
		a->now.have = BIT(PATH);
		a->now.ours = value->kind == CKPT_PICKLE_INTERNED && value->i == 1;
	} else if (a->now.have && value->kind == CKPT_PICKLE_INT && value->i >= 0) {
		*(word == OFFSET ? &a->now.off : &a->now.len) = (uint64_t)value->i;
		a->now.have |= BIT(word);
	}
	if (a->now.have != PLACE)
		return true;
	finish(a);
	a->now.named = false;
	return true;
}

static void first_pass_ignores(void *arg, uint64_t number, const char *text)
{
	(void)arg, (void)number, (void)text;
}

static void on_memo(void *arg, uint64_t number, const char *text)
{
	struct asked *a = arg;

	for (size_t i = 0; i < a->n; i++)
		if (a->hits[i].earlier && a->hits[i].number == number)
			snprintf(a->hits[i].text, sizeof(a->hits[i].text), "%s", text);
}

static int scan(const struct ckpt_file *file, const struct ckpt_pickle_sink *sink,
		struct ckpt_error *err)
{
	struct ckpt_pickle_range range = { file, 0, file->size };

	return ckpt_pickle_scan_range(&range, sink, NULL, err);
}

int ckpt_dcp_names_read(const struct ckpt_file *file, const struct ckpt_extent *extent,
			struct ckpt_names *names, struct ckpt_error *err)
{
	_cleanup_free_ struct asked *a = calloc(1, sizeof(*a));
	struct ckpt_pickle_sink sink = { .words = words,
					 .n_words = N_WORDS,
					 .intern = on_string,
					 .nested = on_pair,
					 .memo = first_pass_ignores,
					 .arg = a };
	int r;

	if (!a)
		return -ENOMEM;
	a->extent = extent;
	r = scan(file, &sink, err);
	sink = (struct ckpt_pickle_sink) { .memo = on_memo, .arg = a };
	r = r ? r : scan(file, &sink, err);
	for (size_t i = 0; r == 0 && i < a->n; i++)
		ckpt_names_offer(names, extent, 0, UINT64_MAX, a->hits[i].text);
	names->n += r == 0 ? a->more : 0;
	return r < 0 ? r : 0;
}

static int ask(struct ckpt_check *check, const char *name, const struct ckpt_extent *extent,
	       struct ckpt_names *names)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int r = ckpt_file_open(check->ctx, check->dirfd, name, &file, check->err);

	r = r ? r : ckpt_dcp_names_read(&file, extent, names, check->err);
	return r < 0 ? r : 0;
}

/* Without collectives each rank left metadata of its own. */
static int ask_ranks(struct ckpt_check *check, const struct ckpt_extent *extent,
		     struct ckpt_names *names)
{
	int fd = openat(check->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir)
		return -errno;
	while (errno = 0, r == 0 && (entry = readdir(dir)))
		if (ckpt_text_starts(entry->d_name, "__", NULL) &&
		    ckpt_text_ends(entry->d_name, METADATA))
			r = ask(check, entry->d_name, extent, names);
	return r ? r : -errno;
}

int ckpt_dcp_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		struct ckpt_names *names)
{
	if (faccessat(check->dirfd, METADATA, F_OK, 0) == 0)
		return ask(check, METADATA, extent, names);
	return ask_ranks(check, extent, names);
}
