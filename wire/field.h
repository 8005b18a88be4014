/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One field table for a plain struct: environment, wire form, JSON and documentation of a request
 * or a decision all come from its rows. Values are fixed-size members, so nothing is allocated and
 * nothing outlives the struct.
 */
#ifndef CKPT_WIRE_FIELD_H
#define CKPT_WIRE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/error.h"

#define CKPT_PATH_MAX 4096 /* bytes of a path with its NUL, as the kernel's PATH_MAX */

enum ckpt_field_type {
	CKPT_FIELD_TEXT, /* char[]: any bytes but control characters */
	CKPT_FIELD_WORD, /* char[]: [A-Za-z0-9_.-]+, or empty */
	CKPT_FIELD_PATH, /* char[]: absolute path without control characters, or empty */
	CKPT_FIELD_INT,	 /* int64_t within [min, max] */
};

/* One row. @env is the name without prefix, NULL where the environment never carries it. */
struct ckpt_field {
	const char *key;  /* wire and JSON key */
	const char *env;  /* environment name without its prefix */
	const char *help; /* one line for documentation */
	enum ckpt_field_type type;
	size_t offset, size;		 /* member in the struct; size with the NUL for text */
	long long min, max;		 /* CKPT_FIELD_INT alone */
	bool (*valid)(const char *text); /* further rule on a text, or NULL */
};

struct ckpt_fields {
	const struct ckpt_field *rows;
	size_t n;
};

/*
 * Sets the member of @row in @object from @text, strictly.
 * 0, or -EINVAL / -E2BIG with @err naming the field, the quoted value and what is allowed.
 */
int ckpt_field_set(const struct ckpt_field *row, void *object, const char *text,
		   struct ckpt_error *err);

/* Writes the member of @row in @object as text to @buf (@size bytes with the NUL; 24 are enough for
 * an int) and returns @buf; the member itself for texts. */
const char *ckpt_field_get(const struct ckpt_field *row, const void *object, char *buf,
			   size_t size);

/* Ends every text of @object within its member: for a struct that somebody else could write. */
void ckpt_fields_terminate(const struct ckpt_fields *fields, void *object);

/* The row of @fields with wire key @key, or NULL. */
const struct ckpt_field *ckpt_field_find(const struct ckpt_fields *fields, const char *key);

/*
 * Wire form: "key=value\n" for every member that differs from an all-zero struct, in table order.
 * Returns the length written to @buf (always NUL-terminated), or -E2BIG.
 */
long ckpt_fields_encode(const struct ckpt_fields *fields, const void *object, char *buf,
			size_t size);

/*
 * Reads the wire form of @len bytes into @object (zeroed by the caller). Strict: an unknown key, a
 * key given twice, a NUL byte, a missing newline, a bad value fail with -EINVAL and @err; on
 * failure @object holds whatever came before and must not be used.
 */
int ckpt_fields_decode(const struct ckpt_fields *fields, void *object, const char *buf, size_t len,
		       struct ckpt_error *err);

/* Looks a variable up by its full name; NULL when unset. */
typedef const char *ckpt_getenv_fn(void *arg, const char *name);

/*
 * Reads every row that has an environment name from @lookup(@prefix + env) into @object. Unset
 * variables leave the member alone. 0, or the first bad value's error.
 */
int ckpt_fields_from_env(const struct ckpt_fields *fields, void *object, const char *prefix,
			 ckpt_getenv_fn *lookup, void *arg, struct ckpt_error *err);

#endif
