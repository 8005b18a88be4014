/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of every check: verdict, evidence, problem, position, report. Plain bounded types.
 */
#ifndef CKPT_CORE_FORMAT_VERDICT_H
#define CKPT_CORE_FORMAT_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/file.h"

enum ckpt_status {
	CKPT_VALID,
	CKPT_INCOMPLETE, /* a writer did not finish */
	CKPT_CORRUPT,	 /* proved damaged */
	CKPT_UNREADABLE, /* could not find out */
	CKPT_MISSING,
};

/* Weakest first, so that the weaker of two is the smaller. */
enum ckpt_evidence {
	CKPT_EVIDENCE_NONE,
	CKPT_EVIDENCE_OPAQUE,
	CKPT_EVIDENCE_STRUCTURE,
	CKPT_EVIDENCE_SEAL_UNCHANGED,
	CKPT_EVIDENCE_CHECKSUM,
	CKPT_EVIDENCE_SEAL,
};

/* How far a check goes: each level does what those before it do, and more. */
enum ckpt_level {
	CKPT_LEVEL_STRUCTURE,
	CKPT_LEVEL_SAMPLE, /* and some chunks of what a seal shows unchanged */
	CKPT_LEVEL_FULL,
	CKPT_LEVEL_FINITE, /* looks for NaN and Inf too */
};

enum ckpt_problem_code {
	CKPT_PROBLEM_NONE,
	CKPT_PROBLEM_EMPTY,
	CKPT_PROBLEM_TRUNCATED,
	CKPT_PROBLEM_TRAILING,
	CKPT_PROBLEM_ZERO_TAIL,
	CKPT_PROBLEM_SPARSE_HOLE,
	CKPT_PROBLEM_HEADER,
	CKPT_PROBLEM_DIRECTORY,
	CKPT_PROBLEM_MEMBER_MISSING,
	CKPT_PROBLEM_MEMBER_EXTRA,
	CKPT_PROBLEM_CHECKSUM,
	CKPT_PROBLEM_DIGEST,
	CKPT_PROBLEM_SHARD_MISSING,
	CKPT_PROBLEM_SHARD_MISMATCH,
	CKPT_PROBLEM_MIXED_SAVES,
	CKPT_PROBLEM_POINTER_STALE,
	CKPT_PROBLEM_NON_FINITE,
	CKPT_PROBLEM_NESTING_LIMIT,
	CKPT_PROBLEM_LFS_POINTER,
	CKPT_PROBLEM_UNFINISHED_NAME,
	CKPT_PROBLEM_WRITER_ACTIVE,
	CKPT_PROBLEM_IO,
	CKPT_PROBLEM_COUNT,
};

#define CKPT_NO_OFFSET UINT64_MAX

/* Texts are cut to fit and hold no control characters. */
struct ckpt_problem {
	enum ckpt_problem_code code;
	uint64_t offset;  /* CKPT_NO_OFFSET where it has none */
	char file[256];	  /* file's name inside the checkpoint, or its own */
	char member[256]; /* entry, tensor or key; may be empty */
	char detail[384]; /* one sentence */
};

struct ckpt_verdict {
	enum ckpt_status status;
	enum ckpt_evidence evidence;
	struct ckpt_problem
		problem; /* of the rejection, or a remark beside valid (CKPT_PROBLEM_TRAILING) */
	uint64_t size_bytes; /* of all members */
	uint64_t bytes_read;
	double seconds;
	char note[256]; /* why the evidence is weaker than asked for ("content not read: budget"),
			   or empty */
};

/* What an epoch number means. */
enum ckpt_meaning {
	CKPT_EPOCH_UNKNOWN,
	CKPT_EPOCH_COMPLETED,	 /* that many'th (as numbered by the program) is done */
	CKPT_EPOCH_NEXT,	 /* the one to run next, or the running one */
	CKPT_EPOCH_FRACTION,	 /* epochs passed, with a fraction; first epoch is 0 */
	CKPT_EPOCH_SAVE_COUNTER, /* counts saves, not epochs */
};

enum ckpt_source { CKPT_FROM_NOWHERE, CKPT_FROM_NAME, CKPT_FROM_METADATA, CKPT_FROM_CONTENT };

struct ckpt_position {
	bool has_step, has_epoch, has_loss;
	bool step_vague; /* by its name it may count inside an epoch: "step", "iter" */
	int64_t step;
	double epoch, loss;
	enum ckpt_meaning meaning;
	enum ckpt_source step_source, epoch_source;
	char loss_key[32]; /* "loss", "val_loss", ... */
};

/* Ranks of the job that saved, where the content says so; 0 = unknown. */
struct ckpt_world {
	int64_t dp, mp;	    /* data-parallel and model-parallel (DeepSpeed) */
	int64_t tp, pp, ep; /* tensor-, pipeline- and expert-parallel (Megatron) */
	int64_t shard;	    /* of dp, those that hold a whole state among them (DeepSpeed's MiCS) */
};

enum ckpt_contents { CKPT_CONTENTS_UNKNOWN, CKPT_CONTENTS_WEIGHTS, CKPT_CONTENTS_FULL };

#define CKPT_REPORT_KEYS                                                                           \
	64 /* top-level names kept; a state dict of a real program has under 40                    \
	    */

#define CKPT_POISON_NAMED 8 /* tensors that are named: a diverged run poisons all of them */

/* A tensor that holds NaN or Inf. */
struct ckpt_poisoned {
	char file[128];	  /* inside the checkpoint, or its own name */
	char tensor[160]; /* its name, or the record's */
	uint64_t nan, inf;
	uint64_t offset; /* of the first in the file; of the packed data if compressed */
};

/*
 * What a look for NaN and Inf found. It is no damage: the file is what was saved. -Inf in the
 * buffer of an attention mask is meant so; which tensors they are is for a person, or a site's
 * policy.
 */
struct ckpt_finiteness {
	uint64_t files;	    /* looked through */
	uint64_t tensors;   /* of floats, likewise */
	uint64_t unscanned; /* tensors or files that may hold floats and were not looked through */
	char why[96];	    /* of the first of those */
	uint64_t poisoned;  /* tensors that hold any */
	uint64_t nan, inf;
	int n_named;
	struct ckpt_poisoned named[CKPT_POISON_NAMED]; /* the first ones */
};

#define CKPT_DIFFERENCES_NAMED 6

/* A range of a file that is not as a digest says. */
struct ckpt_differing_range {
	char file[128];	  /* inside the checkpoint, or its own name; cut */
	char member[256]; /* tensors that lie there, where they are known */
	uint64_t off, len;
};

/* All such ranges that were found; those that touch each other are one. */
struct ckpt_differing {
	uint64_t ranges, bytes; /* in all */
	bool cut; /* it was not looked on for more: not asked to, budget, or could not be read */
	int n_named;
	struct ckpt_differing_range named[CKPT_DIFFERENCES_NAMED]; /* the first ones, in order */
};

/* All that a check found out about one checkpoint. */
struct ckpt_report {
	bool released; /* unreadable because ctx.no_recall is set and its data are on tape */
	const struct ckpt_format *format; /* the row that judged; NULL when none could */
	const struct ckpt_format
		*inner; /* of what a container holds; NULL: none, or not looked at */
	struct ckpt_verdict verdict;
	struct ckpt_position position;
	enum ckpt_contents contents;
	struct ckpt_identity identity; /* of the primary file or the directory */
	struct ckpt_world world;
	uint64_t tensors; /* storages, tensors or entries */
	int n_keys;	  /* kept in keys[]; more may exist */
	bool keys_cut;
	char keys[CKPT_REPORT_KEYS][64]; /* top-level names, in file order */
	char framework[64]; /* "PyTorch Lightning 2.1", where the file says so; or empty */
	struct ckpt_finiteness finite;	 /* at CKPT_LEVEL_FINITE */
	struct ckpt_differing differing; /* from digests; no ranges: none was found */
};

/* The contract's words: "valid", "checksum", "zero-tail", "completed", "content", "weights". Never
 * NULL. */
const char *ckpt_status_name(enum ckpt_status status);
const char *ckpt_evidence_name(enum ckpt_evidence evidence);
const char *ckpt_problem_name(enum ckpt_problem_code code);
const char *ckpt_meaning_name(enum ckpt_meaning meaning);
const char *ckpt_source_name(enum ckpt_source source);
const char *ckpt_contents_name(enum ckpt_contents contents);

/* Adds what was found in a member to that of the set. */
void ckpt_finiteness_add(struct ckpt_finiteness *all, const struct ckpt_finiteness *member);

/* Whether somebody looked, or tried to. */
bool ckpt_finiteness_looked(const struct ckpt_finiteness *finite);

/* "2 NaN and 1 Inf in 2 of 34 tensors, first data/3 of a.pt at 4096", or "no NaN, no Inf in 34
 * tensors", and what was not looked through. Returns @buf. */
const char *ckpt_finiteness_words(char *buf, size_t size, const struct ckpt_finiteness *finite);

/* True if @report's keys hold @key. */
bool ckpt_report_has_key(const struct ckpt_report *report, const char *key);

/* Adds @key (@len bytes; cut and cleaned) to the report's keys unless it is there or they are full.
 */
void ckpt_report_add_key(struct ckpt_report *report, const char *key, size_t len);

#endif
