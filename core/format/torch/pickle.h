/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pickle says, without unpickling it: opcodes move tags over a bounded stack, no name is
 * ever resolved and nothing is built. Found on the way: names and values of the top-level dict,
 * elements of a top-level list, and PyTorch's storages. Memory is bounded whatever the pickle
 * holds. Opcodes: Python's pickletools.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_PICKLE_H
#define CKPT_CORE_FORMAT_TORCH_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/floats.h"
#include "core/format/stream.h"

#define CKPT_PICKLE_PATH 160

enum ckpt_pickle_result {
	CKPT_PICKLE_TORN = 1, /* ends before its STOP */
	CKPT_PICKLE_BAD,      /* no pickle: unknown opcode, or one that takes what is not there */
	CKPT_PICKLE_LIMIT,    /* deeper than the scan follows: what it says is unknown */
	CKPT_PICKLE_STOPPED,  /* a callback ended the scan */
};

enum ckpt_pickle_kind {
	CKPT_PICKLE_OPAQUE, /* anything else: containers, objects, numbers beyond 64 bit */
	CKPT_PICKLE_NONE,
	CKPT_PICKLE_BOOL,
	CKPT_PICKLE_INT,
	CKPT_PICKLE_FLOAT,
	CKPT_PICKLE_TEXT,
	CKPT_PICKLE_TENSOR,
	CKPT_PICKLE_INTERNED, /* a string that the sink's intern() took */
	CKPT_PICKLE_EARLIER,  /* what sink->memo() was told under this number, or no string */
};

struct ckpt_pickle_value {
	enum ckpt_pickle_kind kind;
	int64_t i;     /* BOOL, INT; INTERNED: the id; EARLIER: the number */
	double f;      /* FLOAT */
	char text[64]; /* TEXT: cut; empty if it was not kept */
};

/* ('storage', torch.XStorage, key, location, numel): a tensor's bytes, kept elsewhere under @key.
 */
struct ckpt_pickle_storage {
	bool has_key; /* false: a key that was seen before and not remembered, or no number */
	uint64_t key; /* decimal, as PyTorch names them */
	uint64_t numel;
	uint8_t element; /* bytes an element; 0 = unknown type */
	enum ckpt_float type;
	/* The keys that lead to it, "model/layer.weight", as far as they are known (that of
	 * a dict with a single item is told only when it is done); kept where
	 * sink->paths says so. */
	char path[CKPT_PICKLE_PATH];
};

#define CKPT_PICKLE_DIMS 16 /* of a tensor; PyTorch's own functions take fewer */

/* A tuple of numbers that are not negative. */
struct ckpt_pickle_dims {
	size_t n;
	uint64_t of[CKPT_PICKLE_DIMS];
};

/* A tensor: which elements of its storage it consists of. Nothing of it has been compared with the
 * storage's length. */
struct ckpt_pickle_view {
	const struct ckpt_pickle_storage *storage;
	uint64_t offset;			       /* in elements, as the strides */
	const struct ckpt_pickle_dims *shape, *stride; /* as many of each */
};

#define CKPT_PICKLE_KEYS 4 /* dicts in dicts that are followed */

/* A pair somewhere below words[@word] in the top-level dict. */
struct ckpt_pickle_pair {
	size_t word;
	size_t n;					 /* keys that lead there, at least 1 */
	struct ckpt_pickle_value keys[CKPT_PICKLE_KEYS]; /* the last one is its own */
	struct ckpt_pickle_value value;
	bool inner; /* the value is a dict or an object: what it has of pairs was told before */
};

/* What the caller wants to hear. Callbacks may be NULL and end the scan by returning false. */
struct ckpt_pickle_sink {
	const char *const *words; /* top-level names of interest, at most 96 */
	size_t n_words;
	/* A name in the top-level dict, or a string in the top-level list, in order; cut at 63
	 * bytes. */
	bool (*name)(void *arg, const char *text, size_t len);
	/* A pair of the top-level dict whose key is words[@word]. */
	bool (*item)(void *arg, size_t word, const struct ckpt_pickle_value *value);
	/* A class or function that words[@word] names, before it is called; as often as it is
	 * mentioned. */
	bool (*named)(void *arg, size_t word);
	/* A storage, as often as it is mentioned. */
	bool (*storage)(void *arg, const struct ckpt_pickle_storage *storage);
	/* The tensor that the storage told last is for, once its arguments are read. A mention that
	 * none follows is a bare storage, or one that is used in a way the scan does not know. */
	bool (*view)(void *arg, const struct ckpt_pickle_view *view);
	void *arg;
	bool paths; /* storages are told with their paths */
	/*
	 * A string of up to 255 bytes that follows words[@word] on the stack, at any depth. If this
	 * returns true, the string is *@ret_id from then on, also where the pickle refers back to
	 * it; else it is read as any other. Does not end the scan.
	 */
	bool (*intern)(void *arg, size_t word, const char *text, uint32_t *ret_id);
	/* A string of up to 255 bytes that the pickle will refer back to as @number, "" for
	 * anything else; asked for, such references are told as EARLIER. */
	void (*memo)(void *arg, uint64_t number, const char *text);
	/* A pair of any dict, however deep, whose key is words[@word]. */
	bool (*nested)(void *arg, size_t word, const struct ckpt_pickle_value *value);
	/* Before nested(), once for its pairs: the key of the dict they are in, or of the object
	 * whose state that dict is; OPAQUE where it has none. Cut as paths keeps it. */
	bool (*holder)(void *arg, const struct ckpt_pickle_value *key);
	/* A tuple of numbers that are not negative, or an empty one, as it is made. */
	bool (*numbers)(void *arg, const struct ckpt_pickle_dims *dims);
	/* A pair of a dict, or of an object's state, below a word in the top-level dict. Texts are
	 * known as far as paths keeps them. */
	bool (*below)(void *arg, const struct ckpt_pickle_pair *pair);
};

struct ckpt_pickle_summary {
	struct ckpt_pickle_value top; /* what the pickle is */
	uint64_t items;		      /* pairs of the top-level dict */
	uint64_t tensors;	      /* of these, how many are tensors */
};

/*
 * Scans one pickle from where @in stands to its STOP, leaving @in behind it. 0 with *@ret filled; a
 * ckpt_pickle_result (then @in is anywhere); or an errno.
 */
int ckpt_pickle_scan(struct ckpt_stream *in, const struct ckpt_pickle_sink *sink,
		     struct ckpt_pickle_summary *ret, struct ckpt_error *err);

/* Where in a file a pickle stands, or a part of it that begins with one. */
struct ckpt_pickle_range {
	const struct ckpt_file *file; /* borrowed */
	uint64_t off, end;
};

/* As ckpt_pickle_scan() of the pickle at @range->off, which 0 moves behind it. @ret may be NULL. */
int ckpt_pickle_scan_range(struct ckpt_pickle_range *range, const struct ckpt_pickle_sink *sink,
			   struct ckpt_pickle_summary *ret, struct ckpt_error *err);

#endif
