/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zip_plain.h. Structure: the directory against all local headers. Content: all CRCs. Under a
 * name that promises something else it counts as little as any unknown file.
 */
#include "core/format/archive/zip_plain.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/format/archive/zip_check.h"
#include "core/format/opaque.h"

#define END_SIZE 22
#define CENTRAL_SIZE 46

/*
 * A directory at the file's end whose first entry is the file's beginning: a zip whose first bytes
 * are lost. (Of programs and the like with a zip behind them the first entry is elsewhere.)
 */
static bool ends_as_zip(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;
	const uint8_t *end;
	uint8_t record[CENTRAL_SIZE];
	uint64_t size, off;

	if (head->n_tail < END_SIZE)
		return false;
	end = head->tail + head->n_tail - END_SIZE;
	if (memcmp(end, "PK\5\6", 4) != 0)
		return false;
	size = ckpt_bytes_le(end + 12, 4);
	off = ckpt_bytes_le(end + 16, 4);
	if (size < CENTRAL_SIZE || off + size + END_SIZE != head->size)
		return false;
	return ckpt_file_read(check->file, off, record, sizeof(record), NULL) == 0 &&
	       memcmp(record, "PK\1\2", 4) == 0 && ckpt_bytes_le(record + 42, 4) == 0;
}

static bool sniff(const struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	return (head->n_head >= 4 && memcmp(head->head, "PK\3\4", 4) == 0) || ends_as_zip(check);
}

static int on_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	(void)check;
	(void)e;
	(void)arg;
	return 0; /* the walk compares it */
}

static int structure(struct ckpt_check *check)
{
	struct ckpt_zip zip;
	int r = ckpt_zip_check_open(check, &zip);

	check->report->inner = &ckpt_format_opaque;
	return r ? r : ckpt_zip_check_walk(check, &zip, on_entry, NULL);
}

static int content(struct ckpt_check *check)
{
	return ckpt_zip_check_content(check, NULL);
}

const struct ckpt_format ckpt_format_zip = {
	.name = "zip",
	.title = "zip archive",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.split = true,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
	.at = ckpt_zip_check_at,
};
