/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of OCDBT (ocdbt.h): frame, checksum and decoded body.
 */
#ifndef CKPT_CORE_FORMAT_JAX_OCDBT_OBJECT_H
#define CKPT_CORE_FORMAT_JAX_OCDBT_OBJECT_H

#include "core/format/format.h"

#define CKPT_OCDBT_MANIFEST_MAGIC 0x0cdb3a2aU
#define CKPT_OCDBT_NODE_MAGIC 0x0cdb20deU
#define CKPT_OCDBT_VERSION_MAGIC 0x0cdb1234U

/* Where an object must lie in check->file. */
struct ckpt_ocdbt_place {
	uint64_t off, len;
	uint32_t magic;
};

/* What an object holds, decoded. */
struct ckpt_ocdbt_body {
	uint8_t *bytes; /* owned */
	size_t n;
};

/* Frees it; a zeroed one is fine. */
void ckpt_ocdbt_body_done(struct ckpt_ocdbt_body *body);

/*
 * Checks the object at @place in check->file: magic, length and CRC-32C. As a check function.
 */
int ckpt_ocdbt_object(struct ckpt_check *check, const struct ckpt_ocdbt_place *place);

/*
 * ckpt_ocdbt_object(), then decodes it to *@ret, at most @max bytes: -E2BIG where it has more, or
 * where the decoder cannot hold its window. UNREADABLE for an unknown version or compression.
 */
int ckpt_ocdbt_load(struct ckpt_check *check, const struct ckpt_ocdbt_place *place, size_t max,
		    struct ckpt_ocdbt_body *ret);

#endif
