/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of names: which names are checkpoints, what role and numbers they carry, which are
 * unfinished or superseded. Names are hints; the verifier reads.
 */
#ifndef CKPT_CORE_CATALOG_NAMES_H
#define CKPT_CORE_CATALOG_NAMES_H

#include "core/catalog/catalog.h"

/* What a name says. */
struct ckpt_name {
	const char *layout;	/* the row's name */
	enum ckpt_kind kind;	/* what the entry must be */
	enum ckpt_role role;
	struct ckpt_position position;
	char series[256];	/* the name with its numbers replaced by '#' */
	char stem[256];		/* for folded names: what the members share (bundle prefix, base of shards) */
	bool folded;		/* a member of a set whose name is `stem` */
};

enum ckpt_name_result {
	CKPT_NAME_NONE = 1,	  /* no checkpoint's name */
	CKPT_NAME_UNFINISHED, /* *ret_why says what marks it so */
};

/*
 * Reads @name. @is_dir: the entry is a directory. 0 with *@ret, or ckpt_name_result. Sources: formats.md's tables of names
 * (PyTorch, Lightning, HF Trainer, accelerate, kohya, Coqui, F5-TTS, fairseq, detectron2, mmengine,
 * Keras, TensorFlow).
 */
int ckpt_name_parse(const char *name, bool is_dir, struct ckpt_name *ret, const char **ret_why);

#endif
