/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealed checkpoints for tests. Whatever fails here fails the test.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_SEALED_H
#define CKPT_TESTS_UNIT_SUPPORT_SEALED_H

#include "core/integrity/seal.h"
#include "core/integrity/verify.h"
#include "tests/unit/support/scratch.h"

/* The set of @name in the scratch directory, in @cat (zeroed before). */
struct ckpt_set *sealed_set(const struct scratch *dir, struct ckpt_catalog *cat, const char *name);

/* Seals @name, which must work. */
void sealed_make(const struct scratch *dir, const char *name);

/* Verifies @name anew at @level with @ctx (NULL = an empty one) into *@ret. */
void sealed_verify(struct ckpt_ctx *ctx, const struct scratch *dir, const char *name,
		   enum ckpt_level level, struct ckpt_report *ret);

/* Writes checkpoint-500/, as a Trainer leaves it, with @floats weights. */
void sealed_put_trainer(const struct scratch *dir, uint32_t floats);

/* Makes the directory @name of @n files "part-00", ... of @sizes bytes without blocks, and its true
 * seal, without reading them: what a hole holds is known. */
void sealed_put_holes(const struct scratch *dir, const char *name, const uint64_t *sizes, size_t n);

/* Replaces the seal of @name by @text, whose self-hash is made right (its digits may be anything).
 */
void sealed_forge(const struct scratch *dir, const char *name, char *text);

/* Makes the seal of @name take the files for unchanged, whatever they hold now. */
void sealed_take_as_unchanged(const struct scratch *dir, const char *name, const char *member);

/* The text of @name's seal, on the heap. */
char *sealed_text(const struct scratch *dir, const char *name);

#define SEALED_HEX 65

/* The SHA-256 of what @name holds, with another last digit if @wrong. */
void sealed_hex(const struct scratch *dir, const char *name, bool wrong, char ret[SEALED_HEX]);

#endif
