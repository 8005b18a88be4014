/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of the table of names; read by names.c alone. A row is a pattern over the name without
 * its extension, the extensions and kinds it holds for, and what such a name says.
 */
#ifndef CKPT_CORE_CATALOG_ROWS_H
#define CKPT_CORE_CATALOG_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/catalog/names.h"

/* Extensions, as bits. NONE: no extension of the table; the pattern sees the whole name. */
enum {
	CKPT_EXT_NONE = 1 << 0,
	CKPT_EXT_PT = 1 << 1,
	CKPT_EXT_PTH = 1 << 2,
	CKPT_EXT_CKPT = 1 << 3,
	CKPT_EXT_SAFETENSORS = 1 << 4,
	CKPT_EXT_BIN = 1 << 5,
	CKPT_EXT_KERAS = 1 << 6,
	CKPT_EXT_ZIP = 1 << 7,
	CKPT_EXT_CPT = 1 << 8,
	CKPT_EXT_OTHER = 1 << 9,  /* .pkl .msgpack .npz: any framework's own */
	CKPT_EXT_INDEX = 1 << 10, /* .safetensors.index.json, .bin.index.json */
};

/* What else a row says. */
enum {
	CKPT_ROW_MISTAKABLE = 1 << 0, /* other files have such names too: ckpt_name.mistakable */
	CKPT_ROW_TOP = 1 << 1,	      /* ckpt_name.top_only */
	CKPT_ROW_RANKS = 1 << 2,      /* {p} is a rank, all ranks are one set */
	CKPT_ROW_COPIES = 1 << 2 | 1 << 8, /* so, but any ranks may be there: copies of others' */
	CKPT_ROW_WEAK = 1 << 3,		   /* a bundle only if it has data files */
	CKPT_ROW_ORBAX = 1 << 5,	   /* ckpt_name.holds */
	CKPT_ROW_RANDOM = 1 << 6, /* names have nothing in common, all are one series; .holds */
	CKPT_ROW_SCR = 1 << 7,	  /* ckpt_name.holds: SCR's index, beside the directory */
	CKPT_ROW_FTI = 1 << 9,	  /* ckpt_name.holds: a file by FTI's names */
	CKPT_ROW_VAGUE = 1 << 10, /* {s} may count inside {e} */
	CKPT_ROW_REJECT = 1 << 4, /* no checkpoint, although a later row would say so */
};

#define CKPT_LAYOUT_LAMMPS_SET "lammps-set"

/* Numbers in patterns: {s} step, {e} epoch, {n} unknown meaning, {p} rank, {o} how
 * many ranks there are, {v} no order. */
struct ckpt_name_row {
	const char *layout, *pattern;
	unsigned exts;	/* CKPT_EXT_ bits */
	unsigned kinds; /* 1 << enum ckpt_kind; PREFIX rows see a bundle's prefix */
	enum ckpt_role role;
	unsigned flags;
};

/* Tried in order; ends with a NULL pattern. The second: of directories that their content tells,
 * under names that say more freely which one it is. */
extern const struct ckpt_name_row ckpt_name_rows[], ckpt_name_marked_rows[];

struct ckpt_name_ext {
	const char *ext;
	unsigned bit;
};

/* Longer ones before those they end in; ends with NULL. */
extern const struct ckpt_name_ext ckpt_name_exts[];

/* What compressors add behind a name; ends with NULL. */
extern const char *const ckpt_name_packed[];

/* A mark inside a name and what may follow it there (a pattern); the rest must be a checkpoint's
 * name. */
struct ckpt_name_mark {
	const char *mark, *tail;
	const char *why;
};

/* Marks of unfinished and of superseded names; each ends with a NULL mark. */
extern const struct ckpt_name_mark ckpt_name_unfinished[], ckpt_name_superseded[];

/* Whole names (patterns) that always mean unfinished; ends with a NULL mark. */
extern const struct ckpt_name_mark ckpt_name_staging[];

#endif
