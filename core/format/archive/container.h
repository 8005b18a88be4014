/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is the same for every compressed file: all of it is decoded, and what comes out is judged as
 * the checkpoint that it is. The container keeps the verdict and the format; position, contents and
 * keys are those of what it holds.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_CONTAINER_H
#define CKPT_CORE_FORMAT_ARCHIVE_CONTAINER_H

#include "core/format/archive/decode.h"
#include "core/format/format.h"

struct ckpt_container {
	const struct ckpt_codec *codec;
	enum ckpt_evidence proves; /* by its own checksums once decoded */
	const char *note;	   /* why no more than that, or NULL */
};

/*
 * The content check of a compressed file: CORRUPT where it does not decode or a checksum of its own
 * differs, INCOMPLETE where it ends inside, and the verdict on what it holds. Evidence is the
 * stronger of both, since each covers every byte. Where the decoder lacks what it needs, or more
 * comes out than is looked at, the evidence stays what the structure proved, and a note says so.
 */
int ckpt_container_content(struct ckpt_check *check, const struct ckpt_container *c);

/* The file ends inside @what: INCOMPLETE, truncated or zero-tail by its last bytes. */
int ckpt_container_cut(struct ckpt_check *check, const char *what);

/* Moves *@at on by @len, which must lie in the file: else it ends inside @what, as above. */
int ckpt_container_skip(struct ckpt_check *check, uint64_t *at, uint64_t len, const char *what);

/* Reads the next @len bytes into @buf and moves *@at on. As ckpt_container_skip(), or an errno. */
int ckpt_container_take(struct ckpt_check *check, uint64_t *at, void *buf, size_t len,
			const char *what);

/* True if a frame that begins with @magic is one of any content, which decoders of lz4 and zstd
 * skip (RFC 8878, 3.1.2; lz4_Frame_format.md, "Skippable Frames"). */
bool ckpt_container_is_skippable(uint32_t magic);

/* Moves *@at from behind the magic number of such a frame to its end. */
int ckpt_container_skip_frame(struct ckpt_check *check, uint64_t *at);

/* What begins at @off is no data of @codec, as all before it is: CORRUPT. */
int ckpt_container_trailing(struct ckpt_check *check, const char *codec, uint64_t off);

/* The header of @what, which begins at @off, is none: CORRUPT. */
int ckpt_container_bad(struct ckpt_check *check, uint64_t off, const char *what);

/*
 * The file does not end as the @name stream in it must: INCOMPLETE. For structure checks alone: one
 * in full tells what is cut off from what is followed by something else.
 */
int ckpt_container_end(struct ckpt_check *check, const char *name);

/*
 * Takes over what @own says of a checkpoint inside this one: position, contents, keys and the rest.
 */
void ckpt_container_adopt(struct ckpt_report *report, const struct ckpt_report *own);

/* Containers in one another that are looked into: a packed file in a packed archive, and one more.
 */
#define CKPT_CONTAINER_DEPTH 4

#endif
