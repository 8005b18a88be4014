/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See unpack.h. Checkpoints are read from the beginning or the end, and mostly forward: few passes
 * do, however large they are.
 */
#include "core/format/archive/unpack.h"

#include <errno.h>
#include <string.h>

#include "wire/text.h"

#define KEEP ((size_t)4 * 1024 * 1024) /* of what came out last; a zip's directory fits in it */
#define PULL ((size_t)128 * 1024)
#define PASSES 8			   /* over a file of an ordinary ratio */
#define FLOOR ((uint64_t)64 * 1024 * 1024) /* may come out of any file: some 0.2 s */

static ssize_t source_pread(void *arg, void *buf, size_t len, uint64_t off);

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The allowance for @file, which lasts for the files inside it too. */
static void allow(struct ckpt_unpack *u, const struct ckpt_file *file)
{
	const struct ckpt_file_source *around = file->source;

	u->allowance = &u->allowed;
	if (__builtin_mul_overflow(file->size, u->decoder.codec->ratio, &u->allowed) ||
	    __builtin_add_overflow(u->allowed, FLOOR, &u->allowed))
		u->allowed = UINT64_MAX;
	if (around && around->pread == source_pread)
		u->allowance = ((struct ckpt_unpack *)around->arg)->allowance;
}

/* Decodes more behind the window, whose front half goes when it is full. As ckpt_decoder_pull(). */
static int advance(struct ckpt_unpack *u, struct ckpt_error *err)
{
	size_t n;
	int r;

	if (u->kept + PULL > 2 * KEEP) {
		memmove(u->window, u->window + u->kept - KEEP, KEEP);
		u->kept = KEEP;
	}
	if (*u->allowance < PULL) {
		u->exhausted = true;
		return ckpt_fail(err, -EDQUOT, "%s unpacks to too much",
				 CKPT_QUOTE(u->decoder.file->name));
	}
	r = ckpt_decoder_pull(&u->decoder, u->window + u->kept, PULL, &n, err);
	if (r)
		return r;
	u->kept += n;
	u->at += n;
	*u->allowance -= n;
	return 0;
}

/* Keeps the end of the file, and lets further passes use a share of what it came to. */
static int measured(struct ckpt_unpack *u)
{
	uint64_t more;

	u->size = u->at;
	u->n_tail = (size_t)min(u->kept, KEEP);
	u->tail = malloc(u->n_tail ? u->n_tail : 1);
	if (!u->tail)
		return -ENOMEM;
	memcpy(u->tail, u->window + u->kept - u->n_tail, u->n_tail);
	if (u->allowance == &u->allowed && !__builtin_mul_overflow(u->size, PASSES, &more) &&
	    !__builtin_add_overflow(more, FLOOR, &more))
		u->allowed = min(u->allowed, more);
	return 0;
}

int ckpt_unpack_init(struct ckpt_unpack *u, const struct ckpt_codec *codec,
		     const struct ckpt_file *file, struct ckpt_error *err)
{
	int r;

	*u = (struct ckpt_unpack) { 0 };
	r = ckpt_decoder_init(&u->decoder, codec, file, err);
	if (r)
		return r;
	allow(u, file);
	u->window = malloc(2 * KEEP);
	if (!u->window)
		return ckpt_fail(err, -ENOMEM, "no memory to unpack %s", CKPT_QUOTE(file->name));
	do {
		r = ckpt_ctx_expired(file->ctx);
		r = r ? r : advance(u, err);
	} while (r == 0);
	if (r != CKPT_DECODE_END)
		return r;
	r = measured(u);
	return r ? ckpt_fail(err, r, "no memory to unpack %s", CKPT_QUOTE(file->name)) : 0;
}

void ckpt_unpack_done(struct ckpt_unpack *u)
{
	ckpt_decoder_done(&u->decoder);
	free(u->window);
	free(u->tail);
	*u = (struct ckpt_unpack) { 0 };
}

/* Brings what stands at @off into the window. 0 or an errno. */
static int seek(struct ckpt_unpack *u, uint64_t off)
{
	int r = 0;

	if (off < u->at - u->kept) {
		ckpt_decoder_rewind(&u->decoder);
		u->at = 0;
		u->kept = 0;
	}
	while (r == 0 && u->at <= off) {
		r = ckpt_ctx_expired(u->decoder.file->ctx);
		r = r ? r : advance(u, NULL);
	}
	return r > 0 ? -EIO : r; /* it decoded before: the file is another now */
}

static ssize_t source_pread(void *arg, void *buf, size_t len, uint64_t off)
{
	struct ckpt_unpack *u = arg;
	uint64_t tail_at = u->size - u->n_tail, n;
	int r;

	if (off >= u->size)
		return 0;
	if (off >= tail_at) {
		n = min(len, u->size - off);
		memcpy(buf, u->tail + (off - tail_at), n);
		return (ssize_t)n;
	}
	r = seek(u, off);
	if (r) {
		errno = -r;
		return -1;
	}
	n = min(len, u->at - off);
	memcpy(buf, u->window + (u->kept - (u->at - off)), n);
	return (ssize_t)n;
}

int ckpt_unpack_open(struct ckpt_unpack *u, struct ckpt_ctx *ctx, struct ckpt_file *ret,
		     struct ckpt_error *err)
{
	int r = ckpt_file_view(u->decoder.file, 0, 0, ret, err);

	if (r)
		return r;
	u->source = (struct ckpt_file_source) { .pread = source_pread, .arg = u };
	ret->source = &u->source;
	ret->base = 0;
	ret->size = u->size;
	ret->ctx = ctx;
	return 0;
}
