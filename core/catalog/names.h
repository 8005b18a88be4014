/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of names: which names are checkpoints, what role and numbers they carry, which are
 * unfinished or superseded. Names are hints; the verifier reads.
 */
#ifndef CKPT_CORE_CATALOG_NAMES_H
#define CKPT_CORE_CATALOG_NAMES_H

#include "core/catalog/catalog.h"
#include "core/catalog/pattern.h"

#define CKPT_NAME_SIZE 256 /* NAME_MAX and the NUL */

/* Endings of data of any kind, as choices of a pattern: no framework's checkpoints alone have them.
 * Others that mean data (.bin, .pkl, .npz) are extensions of the table as well. */
#define CKPT_NAME_DATA_ENDS "npy|nc|nc4|cdf|dat|he5|pickle"

/* How an entry belongs to a set with others. */
enum ckpt_fold {
	CKPT_FOLD_NONE,
	CKPT_FOLD_BUNDLE, /* TensorFlow: P.index, P.data-S-of-N, P.meta; stem is P */
	CKPT_FOLD_SHARDS, /* NAME-S-of-N.safetensors and their index; stem is the index's name */
	CKPT_FOLD_RANKS,  /* one file a rank; stem is the name with the rank as '#' */
	CKPT_FOLD_PARTS,  /* LAMMPS: a base file and numbered ones; stem has '%' instead */
};

/* part of a member that is no shard */
#define CKPT_PART_INDEX (-1)
#define CKPT_PART_META INT64_MAX

/* What a name says. */
struct ckpt_name {
	const char *layout;  /* the row's name */
	enum ckpt_kind kind; /* what the entry must be; of a folded one: what the set is */
	enum ckpt_role role;
	struct ckpt_position position;
	bool has_number; /* a number of unknown meaning: orders a series, nothing else */
	int64_t number;
	struct ckpt_pattern_number numbers[CKPT_PATTERN_NUMBERS]; /* that a row took, where it took
								     them */
	int n_numbers;
	enum ckpt_fold fold;
	int64_t part;		       /* shard or rank of a folded one, or CKPT_PART_ */
	enum ckpt_numbering numbering; /* of ranks */
	int64_t ranks;		       /* that there are by the name, or 0 */
	bool weak;	 /* no member but data files proves that the stem is a checkpoint */
	bool mistakable; /* other files have such names too: no candidate in a directory searched by
			    default */
	bool top_only;	 /* counts in a requested directory itself, not in folders below it */
	const char *holds; /* an entry (one with a '{': a pattern of entries; else any of several,
			      between colons) that the directory must have: the name says too
			      little */
	char series[2 * CKPT_NAME_SIZE]; /* the name with its numbers as '#'; "/" or ".*" ends a
					    directory's, a bundle's */
	char stem[2 * CKPT_NAME_SIZE];	 /* what the members of a folded set share */
};

enum ckpt_name_result {
	CKPT_NAME_NONE = 1,    /* no checkpoint's name */
	CKPT_NAME_UNFINISHED,  /* *ret_why says what marks it so */
	CKPT_NAME_QUARANTINED, /* NAME.corrupted */
};

/*
 * Reads @name. @is_dir: the entry is a directory. 0 with *@ret, or ckpt_name_result. A number
 * beyond int64 is no number: the name is a checkpoint's, without a position. Sources: what
 * PyTorch's users, Lightning, HF Trainer, accelerate, kohya, Coqui, F5-TTS, fairseq, detectron2,
 * mmengine, Keras and TensorFlow write by default.
 */
int ckpt_name_parse(const char *name, bool is_dir, struct ckpt_name *ret, const char **ret_why);

/*
 * Reads @name, a path that its user gave, as the prefix of a bundle or a member of one, also where
 * a directory's own entry of that name is no candidate (a SavedModel's "variables"). 0 or
 * CKPT_NAME_NONE.
 */
int ckpt_name_parse_own_bundle(const char *name, struct ckpt_name *ret);

/*
 * Reads @name as the base file of a set of LAMMPS. 0 with *@ret, whose stem is the name with '%';
 * or CKPT_NAME_NONE. Only the other files prove that it is one.
 */
int ckpt_name_parse_base(const char *name, struct ckpt_name *ret);

/* Reads @stem, a name with '%', as that of a set of LAMMPS. As ckpt_name_parse_base(). */
int ckpt_name_parse_percent(const char *stem, struct ckpt_name *ret);

/* Reads @ret->numbers of @name anew into @ret's position, number and part; what is beyond int64 is
 * left alone. */
void ckpt_name_take_numbers(const char *name, struct ckpt_name *ret);

/* Reads @prefix as the prefix of a bundle. 0 with *@ret (weak: only data files prove it), or
 * CKPT_NAME_NONE. */
int ckpt_name_parse_prefix(const char *prefix, struct ckpt_name *ret);

/*
 * Reads the name of a directory that its content tells to be a checkpoint: a step, an epoch or
 * that it is the last or best may stand anywhere in it. 0, or CKPT_NAME_NONE for an unfinished one
 * and for a word that tells none of these (a copy, an export).
 */
int ckpt_name_marked(const char *name, struct ckpt_name *ret);

/*
 * Fills @ret for a name of no pattern that its user calls a checkpoint (--ckpt-glob, a pin): role
 * named, a last run of digits as its number.
 */
void ckpt_name_user(const char *name, bool is_dir, struct ckpt_name *ret);

/* Length of @name without what a compressor added (.gz, .zst, .xz, .lz4, .bz2): what it names. */
size_t ckpt_name_unpacked(const char *name);

/* Lower-cases @name into @ret, of CKPT_NAME_SIZE bytes, and tells its length. False when no entry
 * can have that name. */
bool ckpt_name_lower(const char *name, char *ret, size_t *ret_len);

#endif
