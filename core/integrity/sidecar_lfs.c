/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_lfs.h. A file of such a name may be anything else: only its form makes it a pointer.
 */
#include "core/integrity/sidecar_lfs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/integrity/sidecar_lines.h"
#include "wire/text.h"

#define BEGIN "version https://git-lfs.github.com/spec/v1\n"

/* The next line of *@at without @key, cut in place; NULL if it is another or has no end. */
static char *next_value(char **at, const char *key)
{
	const char *begins;
	char *end = strchr(*at, '\n'), *value;

	if (!end || !ckpt_text_starts(*at, key, &begins))
		return NULL;
	value = *at + (begins - *at);
	*end = '\0';
	*at = end + 1;
	return value;
}

bool ckpt_lfs_read(const char *text, size_t len, struct ckpt_sum *ret_sum, uint64_t *ret_size)
{
	const size_t begin = sizeof(BEGIN) - 1, digits = 2 * (size_t)CKPT_DIGEST_SIZE;
	char copy[CKPT_LFS_MAX], none[1], *at = copy, *oid, *size;
	int64_t bytes;

	if (len >= sizeof(copy) || len < begin || memcmp(text, BEGIN, begin) != 0)
		return false;
	memcpy(copy, text + begin, len - begin);
	copy[len - begin] = '\0';
	oid = next_value(&at, "oid sha256:");
	size = oid ? next_value(&at, "size ") : NULL;
	if (!size || at != copy + (len - begin) || strlen(oid) != digits ||
	    oid[strspn(oid, "0123456789abcdef")] || !ckpt_text_int(size, 0, INT64_MAX, &bytes) ||
	    !ckpt_sum_line(oid, digits, CKPT_SUM_SHA256, ret_sum, none, sizeof(none)))
		return false;
	*ret_size = (uint64_t)bytes;
	return true;
}

static void take_pointer(const struct ckpt_sidecar_search *s, size_t file, const char *name)
{
	const ssize_t own = ckpt_files_find(s->files, name);
	_cleanup_free_ char *text = NULL;
	struct ckpt_identity id;
	struct ckpt_sum sum;
	uint64_t size;
	size_t len;

	if ((own < 0 && s->set->kind == CKPT_KIND_DIRECTORY) ||
	    ckpt_identity_at(s->rootfd, name, true, &id) < 0 || id.size >= CKPT_LFS_MAX ||
	    !ckpt_list_slurp(s, s->rootfd, name, CKPT_LFS_MAX, &text, &len))
		return;
	if (!ckpt_lfs_read(text, len, &sum, &size)) {
		if (ckpt_text_starts(text, "version https://git-lfs", NULL))
			ckpt_list_odd(s, name, " was not understood");
		return;
	}
	if (own >= 0)
		s->expected[own].is_list = true;
	ckpt_sidecar_expect(
		s, file,
		&(const struct ckpt_said) {
			.sum = &sum, .source = name, .mtime_ns = id.mtime_ns, .size = &size });
}

void ckpt_sidecar_lfs(const struct ckpt_sidecar_search *s, const char *ending)
{
	char name[PATH_MAX];

	for (size_t i = 0; i < s->files->n; i++)
		if (snprintf(name, sizeof(name), "%s%s", s->files->f[i].name, ending) <
		    (int)sizeof(name))
			take_pointer(s, i, name);
}
