/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stages.json: which stages of a pipeline are complete, by whom they were begun, and what came out
 * of them. Kept twice, each with a checksum: the copy with the higher sequence number counts, no
 * clock does.
 */
#ifndef CKPT_CORE_RECORD_STAGES_H
#define CKPT_CORE_RECORD_STAGES_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/ctx.h"
#include "core/record/state.h"

#define CKPT_STAGES "stages.json"
#define CKPT_STAGES_COPY "stages-copy.json"
#define CKPT_STAGE_NAME 64     /* bytes of a stage's name with its NUL: it is part of a file name */
#define CKPT_STAGE_COUNT 1024  /* stages of one pipeline */
#define CKPT_STAGE_OUTPUTS 256 /* of one stage */

enum ckpt_stage_state {
	CKPT_STAGE_RUNNING, /* begun, and not seen to end */
	CKPT_STAGE_COMPLETE,
	CKPT_STAGE_FAILED,	/* ended with exit_code, or its outputs or its check did */
	CKPT_STAGE_INTERRUPTED, /* a signal came while it ran; exit_code is what it ended with */
};

/* One output as it was when the stage was complete. */
struct ckpt_stage_output {
	char *path, *given; /* absolute, and as it was given; owned */
	bool directory;
	bool unread; /* too large a tree to be read: only its being there is recorded */
	int64_t files, bytes;
	char sha256[65]; /* of the file; of a list of the digests of a directory's files */
};

struct ckpt_stage {
	char name[CKPT_STAGE_NAME];
	enum ckpt_stage_state state;
	int64_t job_id, attempt, pid, exit_code, seconds;
	char host[256]; /* where it began */
	char at[32];	/* when, for people */
	struct ckpt_stage_output *outputs;
	size_t n_outputs;
};

struct ckpt_stages {
	int64_t seq;
	struct ckpt_stage *s;
	size_t n;
	bool torn, copy_torn; /* that copy is there and is not whole */
};

/* "running", "complete", "failed", "interrupted". Never NULL. */
const char *ckpt_stage_state_name(enum ckpt_stage_state state);

/* Whether @name can name a stage: a word (ckpt_text_is_word) that is short enough. */
bool ckpt_stage_is_name(const char *name);

/* A stage as the record has it, for the caller to delete; NULL = no memory. */
cJSON *ckpt_stage_json(const struct ckpt_stage *stage);

/* Reads the text of one copy. 0, CKPT_STATE_TORN, or -ENOMEM. The caller calls ckpt_stages_done().
 */
int ckpt_stages_parse(const char *text, size_t len, struct ckpt_stages *ret);

/* The text of @stages, checksum included, for the caller to free; NULL = no memory. */
char *ckpt_stages_print(const struct ckpt_stages *stages);

/*
 * Reads both copies. 0 with the newer one (`torn`, `copy_torn` say what was wrong with the other);
 * CKPT_STATE_ABSENT; CKPT_STATE_TORN when what is there is not whole (*ret is empty, with the
 * flags); or an errno: one of them could not be read. The caller calls ckpt_stages_done().
 */
int ckpt_stages_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_stages *ret,
		     struct ckpt_error *err);

/* Changes @stages; non-zero ends the edit without a change on disk. */
typedef int ckpt_stages_fn(void *arg, struct ckpt_stages *stages);

/*
 * Changes the record under its lock (`lock`; held no longer than this takes): loads it, @edit,
 * writes both copies. Torn copies are kept as NAME.torn. Where the file system cannot lock it is
 * done without. 0; what @edit returned; or an errno (-EAGAIN: the lock was held for 10 s).
 */
int ckpt_stages_edit(struct ckpt_ctx *ctx, int statefd, ckpt_stages_fn *edit, void *arg,
		     struct ckpt_error *err);

/* The stage @name, or NULL. */
struct ckpt_stage *ckpt_stages_find(const struct ckpt_stages *stages, const char *name);

/* Replaces the stage of @stage's name by a copy of @stage, or adds it. 0, -ENOMEM or -E2BIG. */
int ckpt_stages_put(struct ckpt_stages *stages, const struct ckpt_stage *stage);

/* Removes the stage @name. False where there is none. */
bool ckpt_stages_remove(struct ckpt_stages *stages, const char *name);

/* Appends an output to @stage; both paths are copied. 0, -ENOMEM or -E2BIG. */
int ckpt_stage_add_output(struct ckpt_stage *stage, const struct ckpt_stage_output *output);

/* Frees what @stage owns. */
void ckpt_stage_done(struct ckpt_stage *stage);
#define _cleanup_stage_ _cleanup_(ckpt_stage_done)

/* Frees what @stages owns. */
void ckpt_stages_done(struct ckpt_stages *stages);
#define _cleanup_stages_ _cleanup_(ckpt_stages_done)

#endif
