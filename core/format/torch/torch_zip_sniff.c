/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a PyTorch archive is told from other zips, and recognised still when its beginning or end is
 * damaged: a file that no row knows would pass as opaque.
 */
#include <stdio.h>
#include <string.h>

#include "core/format/archive/zip_check.h"
#include "core/format/torch/torch_zip.h"
#include "wire/text.h"

static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* Names that only PyTorch begins an archive with; @name is what follows the prefix. */
static bool torch_name(const char *name)
{
	static const char *const names[] = { "data.pkl", "constants.pkl", ".format_version",
					     ".storage_alignment", ".data/" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (ckpt_text_starts(name, names[i], NULL))
			return true;
	return false;
}

/* The name in the local header at @at, or "" where it does not fit or has no prefix. */
static void first_name(const struct ckpt_head *head, size_t at, char *ret, size_t size)
{
	size_t len = head->head[at + 26] | (size_t)head->head[at + 27] << 8;
	const char *slash;
	char name[512];

	ret[0] = '\0';
	if (len > head->n_head - at - 30)
		return;
	memcpy(name, head->head + at + 30, len);
	name[len] = '\0';
	slash = strchr(name, '/');
	if (slash)
		snprintf(ret, size, "%s", slash + 1);
}

/* The zip64 end as PyTorch always writes it: locator at -42, end record without a comment at -22.
 */
static bool torch_tail(const struct ckpt_head *head)
{
	const uint8_t *end = head->tail + head->n_tail;

	return head->n_tail >= 42 && memcmp(end - 42, "PK\6\7", 4) == 0 &&
	       memcmp(end - 22, "PK\5\6", 4) == 0;
}

/* PyTorch's padding: extra field "FB" behind the first name. */
static bool torch_padding(const struct ckpt_head *head)
{
	size_t at = 30 + (head->head[26] | (size_t)head->head[27] << 8);

	return at + 2 <= head->n_head && memcmp(head->head + at, "FB", 2) == 0;
}

/* A file that ends inside its first local header: no whole zip of any kind. */
static bool name_cut(const struct ckpt_head *head)
{
	if (head->n_head < 4 || memcmp(head->head, "PK\3\4", 4) != 0)
		return false;
	return head->n_head < 30 ||
	       (head->size == head->n_head && head->n_head < 30u + head->head[26]);
}

/* True if the directory of the zip names a pickle as PyTorch does. */
static bool names_pickle(const struct ckpt_file *file)
{
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry e;
	struct ckpt_zip zip;
	const char *slash;

	if (ckpt_zip_open(file, &zip, NULL) != 0)
		return false;
	ckpt_zip_walk_init(&walk, &zip);
	while (ckpt_zip_walk_next(&walk, &e, NULL) == 0) {
		slash = strchr(e.name, '/');
		if (slash && strcmp(slash, "/data.pkl") == 0)
			return true;
	}
	return false;
}

/*
 * Two of four marks suffice, so that a damaged beginning is judged here and not taken for an
 * unknown file. The tail counts with PyTorch's flags (UTF-8 names) or a beginning of zeros: large
 * npz files have such a tail too. What was packed anew, its directories first, has its records in
 * any order.
 */
bool ckpt_torch_zip_sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	bool zeros = head->n_head >= 64 && all_zero(head->head, 64);
	size_t at = ckpt_zip_check_first(head);
	char name[512];
	int marks;

	if (name_cut(head))
		return true;
	if (head->n_head < 30)
		return false;
	first_name(head, at, name, sizeof(name));
	marks = memcmp(head->head, "PK\3\4", 4) == 0;
	marks += torch_name(name);
	marks += torch_padding(head);
	if (torch_tail(head))
		marks += zeros ? 2 : (head->head[7] & 0x08) != 0;
	return marks >= 2 || (at && names_pickle(check->file));
}
