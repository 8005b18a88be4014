/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAME.metadata.json beside a checkpoint: what it is, and the seal: the digests of all its files,
 * their identities, and the verdict that it was made on. A hash over the whole text tells a torn or
 * edited one without any data being read. The checkpoint itself is never touched.
 */
#ifndef CKPT_CORE_INTEGRITY_SEAL_H
#define CKPT_CORE_INTEGRITY_SEAL_H

#include "core/base/json.h"
#include "core/catalog/catalog.h"
#include "core/integrity/digest.h"

#define CKPT_SEAL_SUFFIX ".metadata.json"
#define CKPT_SEAL_MAX (32 * 1024 * 1024) /* bytes: 130,000 chunks and 16,384 names have 15 MB */
#define CKPT_SEAL_VALUES_MAX 500000	 /* of JSON, 100 bytes of memory each: 7 a file are ours */
#define CKPT_SEAL_CHUNKS_MAX 131072	 /* larger checkpoints get larger chunks */

struct ckpt_seal {
	uint64_t chunk;
	struct ckpt_digest_file *files; /* sorted by name; names and digests are owned */
	size_t n;
	struct ckpt_digest *digests; /* of all files, in their order */
	char sealed_at[32];	     /* "2026-01-02T03:04:05Z" */
	struct ckpt_report report;   /* it was made on: valid, with that evidence */
};

enum ckpt_seal_result {
	CKPT_SEAL_NONE = 1, /* no seal there */
	CKPT_SEAL_TORN,	    /* torn, edited, or not of a kind that is known: *err says which */
	CKPT_SEAL_INVALID,  /* making: it did not verify, the set's report says why */
	CKPT_SEAL_CHANGED,  /* making: a file changed underneath, or its writer may be alive */
	CKPT_SEAL_REFUSED,  /* making: cannot be sealed as a whole: *err says why */
};

/*
 * Verifies @set in full by its format, whatever an older seal says, and writes its seal, replacing
 * one that is there and keeping what else the file holds of this save (metadata.h). The set's
 * report is that verdict afterwards. Data are made durable first; runs as the user. 0, INVALID,
 * CHANGED, REFUSED, or an errno: nothing was written then.
 */
int ckpt_seal_make(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_error *err);

/* As ckpt_seal_make(), and writes nothing: what is to have no seal beside it. */
int ckpt_seal_prove(struct ckpt_ctx *ctx, struct ckpt_set *set, struct ckpt_error *err);

/*
 * What the seal says about @set, which lies in @dirfd: fills @report, as ckpt_verify() would, and
 * returns true; or false, when the format has to judge: then @report's note tells why a seal that
 * is there is of no use, or is empty, and nothing else is set, but with ctx->strict the rejection
 * of what was written after it, which stands unless the format proves it whole by checksums.
 */
bool ckpt_seal_verify(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
		      enum ckpt_level level, struct ckpt_report *report);

/* Reads the seal of the checkpoint @name in @dirfd. 0, NONE, TORN or an errno. */
int ckpt_seal_load(struct ckpt_ctx *ctx, int dirfd, const char *name, struct ckpt_seal *ret,
		   struct ckpt_error *err);

/* Puts @seal into @metadata, where it replaces an older one, and writes it as the metadata of @name
 * in @dirfd. 0, REFUSED (too large) or an errno. */
int ckpt_seal_store(int dirfd, const char *name, const struct ckpt_seal *seal, cJSON *metadata,
		    struct ckpt_error *err);

/* Whether @metadata holds a seal of ours, and it is not one of the names and bytes of @now (of
 * which only files and digests are looked at). An edited one still tells what it was made of; one
 * that cannot be understood is of others. */
bool ckpt_seal_of_others(const cJSON *metadata, const struct ckpt_seal *now);

/* Frees what @seal owns. */
void ckpt_seal_done(struct ckpt_seal *seal);
#define _cleanup_seal_ _cleanup_(ckpt_seal_done)

/* Digest over a file's digests, for the whole of it. As ckpt_digest_of(). */
int ckpt_seal_whole(const struct ckpt_seal *seal, size_t file, struct ckpt_digest *ret);

/* Whether @text holds more values of JSON than a metadata file that is looked into. */
bool ckpt_seal_crowded(const char *text, size_t len);

/* Name of the metadata file of @name into @buf of NAME_MAX + 1 bytes. False if too long. */
bool ckpt_seal_name(const char *name, char *buf);

/* The report of a valid checkpoint as JSON, and back. NULL without memory; false if it is none. */
cJSON *ckpt_seal_report_json(const struct ckpt_report *report);
bool ckpt_seal_report_parse(const cJSON *o, struct ckpt_report *ret);

#endif
