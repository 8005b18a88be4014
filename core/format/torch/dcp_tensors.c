/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dcp_tensors.h. A dataclass is pickled as the dict of its fields in their order: properties,
 * with the type first, then size, then chunks, which have sizes of their own. The type is a class
 * by its name, a size the call of torch.Size with a tuple. What was made of a tensor is kept until
 * the dict is whole, and told under the key of the object that it belongs to.
 */
#include "core/format/torch/dcp_tensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/pickle.h"
#include "wire/text.h"

#define METADATA ".metadata"

enum { PROPERTIES, SIZE, SIZE_CLASS, FIRST_TYPE };

static const char *const words[] = {
	"properties", "size",	   "Size",	 "float32", "float64",	     "float16",
	"bfloat16",   "int64",	   "int32",	 "int16",   "int8",	     "uint8",
	"uint16",     "uint32",	   "uint64",	 "bool",    "float8_e4m3fn", "float8_e5m2",
	"complex32",  "complex64", "complex128", "qint8",   "quint8",	     "qint32",
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

struct telling {
	ckpt_tensor_fn *tell;
	void *arg;
	struct ckpt_tensor told; /* the one that is read: its name comes last */
	bool sized;		 /* its shape is known */
	bool awaits;		 /* the numbers that come are a torch.Size */
	bool properties;	 /* the dict that is told has them */
	bool unknown;		 /* a name or a shape was */
	struct ckpt_pickle_value holder;
	char latest[256]; /* string too long for a value, as they come */
};

/* The first type belongs to the tensor itself. */
static bool on_named(void *arg, size_t word)
{
	struct telling *t = arg;

	t->awaits = word == SIZE_CLASS;
	if (word >= FIRST_TYPE && !t->told.type[0])
		snprintf(t->told.type, sizeof(t->told.type), "%s", words[word]);
	return true;
}

/* So does the first size; those of its chunks follow. */
static bool on_numbers(void *arg, const struct ckpt_pickle_dims *dims)
{
	struct telling *t = arg;
	bool ours = t->awaits && !t->sized;

	t->awaits = false;
	if (!ours)
		return true;
	t->sized = true;
	t->told.count = 1;
	for (size_t i = 0; i < dims->n; i++)
		ckpt_tensor_dim(&t->told, dims->of[i]);
	return true;
}

static void on_memo(void *arg, uint64_t number, const char *text)
{
	struct telling *t = arg;

	(void)number;
	if (strlen(text) >= sizeof(t->holder.text) - 1)
		snprintf(t->latest, sizeof(t->latest), "%s", text);
}

static bool on_holder(void *arg, const struct ckpt_pickle_value *key)
{
	struct telling *t = arg;

	t->holder = *key;
	t->properties = false;
	return true;
}

/* The holder's name, whole: no other string that is as long came behind it. */
static const char *name_of(const struct telling *t)
{
	size_t n = strlen(t->holder.text);

	if (n < sizeof(t->holder.text) - 1 || strncmp(t->latest, t->holder.text, n) != 0)
		return t->holder.text;
	return t->latest;
}

static bool on_pair(void *arg, size_t word, const struct ckpt_pickle_value *value)
{
	struct telling *t = arg;

	t->properties |= word == PROPERTIES;
	if (word != SIZE || !t->properties)
		return true;
	t->told.name = name_of(t);
	t->unknown |= t->holder.kind != CKPT_PICKLE_TEXT || !*t->told.name || !t->sized ||
		      value->kind == CKPT_PICKLE_EARLIER;
	if (!t->unknown)
		t->tell(t->arg, &t->told);
	t->told = (struct ckpt_tensor) { .count = 0 };
	t->sized = false;
	return !t->unknown;
}

static int scan(struct ckpt_check *check, struct telling *t)
{
	const struct ckpt_pickle_sink sink = { .words = words,
					       .n_words = N_WORDS,
					       .named = on_named,
					       .numbers = on_numbers,
					       .memo = on_memo,
					       .holder = on_holder,
					       .nested = on_pair,
					       .paths = true,
					       .arg = t };
	struct ckpt_pickle_range range = { check->file, 0, check->file->size };

	return ckpt_pickle_scan_range(&range, &sink, NULL, check->err);
}

int ckpt_dcp_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	_cleanup_free_ struct telling *t = NULL;
	int r;

	if (!ckpt_text_ends(check->name, METADATA))
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ckpt_fail(check->err, -ENOMEM, "no memory to look into %s",
				 CKPT_QUOTE(check->name));
	t->tell = tell;
	t->arg = arg;
	r = scan(check, t);
	if (r <= 0)
		return r;
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, NULL,
				 "its tensors cannot be told");
}
