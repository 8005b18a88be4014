/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See verdict.h. The words are part of the programs' JSON: they never change.
 */
#include "core/format/verdict.h"

#include <string.h>

#include "wire/text.h"

#define WORD(table, value)                                                                         \
	((size_t)(value) < sizeof(table) / sizeof((table)[0]) ? (table)[value] : "unknown")

const char *ckpt_status_name(enum ckpt_status status)
{
	static const char *const words[] = {
		[CKPT_VALID] = "valid",	    [CKPT_INCOMPLETE] = "incomplete",
		[CKPT_CORRUPT] = "corrupt", [CKPT_UNREADABLE] = "unreadable",
		[CKPT_MISSING] = "missing",
	};

	return WORD(words, status);
}

const char *ckpt_evidence_name(enum ckpt_evidence evidence)
{
	static const char *const words[] = {
		[CKPT_EVIDENCE_NONE] = "none",
		[CKPT_EVIDENCE_OPAQUE] = "opaque",
		[CKPT_EVIDENCE_STRUCTURE] = "structure",
		[CKPT_EVIDENCE_SEAL_UNCHANGED] = "seal-unchanged",
		[CKPT_EVIDENCE_CHECKSUM] = "checksum",
		[CKPT_EVIDENCE_SEAL] = "seal",
	};

	return WORD(words, evidence);
}

const char *ckpt_problem_name(enum ckpt_problem_code code)
{
	static const char *const words[CKPT_PROBLEM_COUNT] = {
		[CKPT_PROBLEM_NONE] = "none",
		[CKPT_PROBLEM_EMPTY] = "empty",
		[CKPT_PROBLEM_TRUNCATED] = "truncated",
		[CKPT_PROBLEM_TRAILING] = "trailing",
		[CKPT_PROBLEM_ZERO_TAIL] = "zero-tail",
		[CKPT_PROBLEM_SPARSE_HOLE] = "sparse-hole",
		[CKPT_PROBLEM_HEADER] = "header",
		[CKPT_PROBLEM_DIRECTORY] = "directory",
		[CKPT_PROBLEM_MEMBER_MISSING] = "member-missing",
		[CKPT_PROBLEM_MEMBER_EXTRA] = "member-extra",
		[CKPT_PROBLEM_CHECKSUM] = "checksum",
		[CKPT_PROBLEM_DIGEST] = "digest",
		[CKPT_PROBLEM_SHARD_MISSING] = "shard-missing",
		[CKPT_PROBLEM_SHARD_MISMATCH] = "shard-mismatch",
		[CKPT_PROBLEM_MIXED_SAVES] = "mixed-saves",
		[CKPT_PROBLEM_POINTER_STALE] = "pointer-stale",
		[CKPT_PROBLEM_NON_FINITE] = "non-finite",
		[CKPT_PROBLEM_NESTING_LIMIT] = "nesting-limit",
		[CKPT_PROBLEM_LFS_POINTER] = "lfs-pointer",
		[CKPT_PROBLEM_UNFINISHED_NAME] = "unfinished-name",
		[CKPT_PROBLEM_WRITER_ACTIVE] = "writer-active",
		[CKPT_PROBLEM_IO] = "io",
	};

	return WORD(words, code);
}

const char *ckpt_meaning_name(enum ckpt_meaning meaning)
{
	static const char *const words[] = {
		[CKPT_EPOCH_UNKNOWN] = "unknown",
		[CKPT_EPOCH_COMPLETED] = "completed",
		[CKPT_EPOCH_NEXT] = "next",
		[CKPT_EPOCH_FRACTION] = "fraction",
		[CKPT_EPOCH_SAVE_COUNTER] = "save-counter",
	};

	return WORD(words, meaning);
}

const char *ckpt_source_name(enum ckpt_source source)
{
	static const char *const words[] = {
		[CKPT_FROM_NOWHERE] = "none",
		[CKPT_FROM_NAME] = "name",
		[CKPT_FROM_METADATA] = "metadata",
		[CKPT_FROM_CONTENT] = "content",
	};

	return WORD(words, source);
}

const char *ckpt_contents_name(enum ckpt_contents contents)
{
	static const char *const words[] = {
		[CKPT_CONTENTS_UNKNOWN] = "unknown",
		[CKPT_CONTENTS_WEIGHTS] = "weights",
		[CKPT_CONTENTS_FULL] = "full",
	};

	return WORD(words, contents);
}

bool ckpt_report_has_key(const struct ckpt_report *report, const char *key)
{
	for (int i = 0; i < report->n_keys; i++)
		if (strcmp(report->keys[i], key) == 0)
			return true;
	return false;
}

void ckpt_report_add_key(struct ckpt_report *report, const char *key, size_t len)
{
	char clean[sizeof(report->keys[0])];
	size_t n = len < sizeof(clean) ? len : sizeof(clean) - 1;

	for (size_t i = 0; i < n; i++)
		clean[i] = key[i] ? key[i] : '?'; /* a NUL inside would make it another key */
	clean[n] = '\0';
	ckpt_text_clean(clean);
	if (ckpt_report_has_key(report, clean))
		return;
	if (report->n_keys == CKPT_REPORT_KEYS) {
		report->keys_cut = true;
		return;
	}
	memcpy(report->keys[report->n_keys++], clean, n + 1);
}
