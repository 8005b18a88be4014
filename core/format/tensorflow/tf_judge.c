/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_judge.h.
 */
#include "core/format/tensorflow/tf_judge.h"

#include <string.h>

#include "core/base/bytes.h"
#include "wire/text.h"

static bool zero_tail(struct ckpt_check *check)
{
	uint8_t tail[CKPT_TF_FOOTER];
	uint64_t size = check->file->size;
	size_t n = size < sizeof(tail) ? (size_t)size : sizeof(tail);

	return n && !ckpt_file_read(check->file, size - n, tail, n, check->err) &&
	       ckpt_bytes_zero(tail, n);
}

static int no_footer(struct ckpt_check *check)
{
	enum ckpt_problem_code code = !check->file->size ? CKPT_PROBLEM_EMPTY
				      : zero_tail(check) ? CKPT_PROBLEM_ZERO_TAIL
							 : CKPT_PROBLEM_TRUNCATED;

	return ckpt_check_reject(check, CKPT_INCOMPLETE, code, check->file->size, NULL,
				 "it has no footer: it was not written to its end");
}

int ckpt_tf_judge(struct ckpt_check *check, const struct ckpt_tf_table *table, int r)
{
	if (r <= 0)
		return r;
	switch ((enum ckpt_tf_result)r) {
	case CKPT_TF_NO_FOOTER:
		return no_footer(check);
	case CKPT_TF_CHECKSUM:
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, table->at,
					 NULL, "a block has another CRC-32C");
	case CKPT_TF_LARGE:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT,
					 table->at, NULL, "%s: not checked", table->wrong);
	case CKPT_TF_END:
	case CKPT_TF_WRONG:
		break;
	}
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, table->at, NULL, "%s",
				 table->wrong);
}

/* Whether a name can only be an optimizer's: moments, slots, its own object. */
static bool is_optimizer(const char *name)
{
	static const char *const parts[] = { ".OPTIMIZER_SLOT", "beta1_power", "/_optimizer/" };
	static const char *const ends[] = { "/Adam", "/Adam_1", "/Momentum", "/RMSProp",
					    "/Adagrad" };

	if (ckpt_text_starts(name, "optimizer", NULL) || ckpt_text_starts(name, "_optimizer", NULL))
		return true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i]))
			return true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ckpt_text_ends(name, ends[i]))
			return true;
	return false;
}

void ckpt_tf_note_contents(struct ckpt_report *report, const char *name)
{
	bool counter =
		ckpt_text_starts(name, "save_counter/", NULL) || strcmp(name, "global_step") == 0;

	if (is_optimizer(name))
		report->contents = CKPT_CONTENTS_FULL;
	else if (counter && report->contents == CKPT_CONTENTS_WEIGHTS)
		report->contents = CKPT_CONTENTS_UNKNOWN;
}
