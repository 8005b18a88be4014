/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * safetensors: u64 length, a JSON header, one buffer that the tensors must tile exactly. The header
 * is streamed, so that one of 100 MB costs no tree. The format stores no checksum.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_H
#define CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_H

#include "core/base/floats.h"
#include "core/base/jstream.h"
#include "core/format/format.h"

#define CKPT_SAFETENSORS_HEADER_MAX UINT64_C(100000000) /* the reference reader's own cap */

/* The row "safetensors". */
extern const struct ckpt_format ckpt_format_safetensors;

/* One tensor of a header. */
struct ckpt_safetensors_tensor {
	char name[256];	     /* cut there, NUL-terminated */
	size_t len;	     /* bytes in name[] */
	uint64_t hash;	     /* of the whole name, as ckpt_jstream_hash() */
	uint64_t begin, end; /* in the buffer; begin <= end, and the length fits dtype and shape */
	uint64_t off;	     /* in the file, of the name */
	enum ckpt_float type;
	char dtype[16];	   /* as it stands there */
	bool later;	   /* a dtype not known here, whose width its name says */
	uint64_t elements; /* product of the shape */
	uint64_t shape;	   /* ckpt_tensor_shape() of its dimensions */
};

/* A header being read. @metadata gets each pair of __metadata__; NULL = not wanted. */
struct ckpt_safetensors_reader {
	struct ckpt_jstream js;
	uint64_t header_len;
	void (*metadata)(void *arg, const struct ckpt_jtoken *key, const struct ckpt_jtoken *value);
	void *arg;
	const char *wrong;		       /* after CKPT_SAFETENSORS_WRONG: what, as a clause */
	struct ckpt_safetensors_tensor tensor; /* the current one; partly filled when wrong */
};

enum ckpt_safetensors_result {
	CKPT_SAFETENSORS_END = 1, /* the header is whole, no further tensor */
	CKPT_SAFETENSORS_CUT,	  /* the file ends before the header does */
	CKPT_SAFETENSORS_ZEROS,	  /* the header's text gives way to NUL bytes */
	CKPT_SAFETENSORS_WRONG,	  /* reader->wrong at ckpt_jstream_offset(&reader->js) */
};

/* safetensors_finite.c: the row's look for NaN and Inf. */
int ckpt_safetensors_finite(struct ckpt_check *check);

/* Begins to read the header of @file. 0, CKPT_SAFETENSORS_CUT or WRONG, or an errno. */
int ckpt_safetensors_open(struct ckpt_safetensors_reader *reader, const struct ckpt_file *file,
			  struct ckpt_error *err);

/* Reads the next tensor into reader->tensor. 0; ckpt_safetensors_result; or an errno. */
int ckpt_safetensors_next(struct ckpt_safetensors_reader *reader, struct ckpt_error *err);

/* Frees what the reader holds; a zeroed one is fine. */
void ckpt_safetensors_done(struct ckpt_safetensors_reader *reader);
#define _cleanup_safetensors_ _cleanup_(ckpt_safetensors_done)

#endif
