/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NumPy's own file format: the header is a Python literal that gives type and shape, and with them
 * the exact length of what follows. Source: numpy.lib.format, versions 1 to 3. np.save() may be
 * called several times on one file: then arrays follow each other.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_NPY_H
#define CKPT_CORE_FORMAT_ARRAY_NPY_H

#include "core/base/floats.h"
#include "core/format/format.h"

#define CKPT_NPY_PREFIX 12 /* magic, version, header length (version 1: 10) */
/* Records of 30,000 fields; NumPy writes any, and reads no more than 10,000 bytes unasked. */
#define CKPT_NPY_HEADER_MAX (1024 * 1024)

enum ckpt_npy_result {
	CKPT_NPY_SHORT = 1, /* the bytes end within the header */
	CKPT_NPY_BAD,	    /* no such header: see why */
	CKPT_NPY_LARGE,	    /* a header over CKPT_NPY_HEADER_MAX */
};

struct ckpt_npy {
	uint64_t header; /* bytes before the data */
	uint64_t data;	 /* bytes of data; of objects unknown: 0 */
	uint64_t items;	 /* elements */
	uint64_t shape;	 /* a hash of its dimensions; 0: it has none */
	uint64_t item;	 /* bytes of one; as pickled objects 8 */
	bool objects;	 /* the data are a pickle */
	char kind;	 /* of a plain type: 'i', 'f', ...; '\0' for a record */
	bool big;	 /* big-endian */
	const char *why; /* after BAD */
};

/* Reads the header at the beginning of @buf. 0 with *@ret, or ckpt_npy_result. */
int ckpt_npy_parse(const uint8_t *buf, size_t len, struct ckpt_npy *ret);

/*
 * Checks the array that begins at @off of check->file against its end @end, naming @member (may be
 * NULL) in a rejection. 0 with *@ret, whose header and data end at or before @end; a rejection; or
 * an errno.
 */
int ckpt_npy_check(struct ckpt_check *check, uint64_t off, uint64_t end, const char *member,
		   struct ckpt_npy *ret);

/*
 * 1 if the array that begins at @off has a header that is all before @end and yet more than is
 * looked at, as one wrong bit makes of a small one: a sum over it has to decide. 0 if not, or an
 * errno.
 */
int ckpt_npy_large(struct ckpt_check *check, uint64_t off, uint64_t end);

/* What a sibling's array is held against, with the name @name, which is borrowed. */
struct ckpt_tensor ckpt_npy_tensor(const struct ckpt_npy *npy, const char *name);

/* The numbers of the array: NONE for integers and texts, UNKNOWN for records and objects. */
struct ckpt_float_kind ckpt_npy_float(const struct ckpt_npy *npy);

/* Rejects @member for what ckpt_npy_parse() answered. */
int ckpt_npy_reject(struct ckpt_check *check, int result, const struct ckpt_npy *npy, uint64_t off,
		    const char *member);

/* npy_finite.c: the look for NaN and Inf. */
int ckpt_npy_finite(struct ckpt_check *check);

extern const struct ckpt_format ckpt_format_npy;

#endif
