/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointer files that frameworks follow: a table, one row a file. TensorFlow's `checkpoint` is a
 * text proto (model_checkpoint_path, all_model_checkpoint_paths, timestamps), others are one name
 * or number, or a symbolic link.
 */
#ifndef CKPT_CORE_RECORD_POINTER_H
#define CKPT_CORE_RECORD_POINTER_H

#include "core/format/format.h"

#define CKPT_POINTER_NAME 256 /* bytes of a name with its NUL */

enum ckpt_pointer_result {
	CKPT_POINTER_ABSENT = 1,
	CKPT_POINTER_TORN,
	CKPT_POINTER_SAME, /* align: it already names it */
};

/* The name (last path component) that TensorFlow's pointer in @dirfd names. 0 with @ret (@size
 * bytes), ABSENT, TORN or an errno. */
int ckpt_pointer_tf_load(struct ckpt_ctx *ctx, int dirfd, char *ret, size_t size,
			 struct ckpt_error *err);

/* What a pointer is to name, and where its former content is kept. */
struct ckpt_pointer_aim {
	const char *target;	  /* an entry of the pointer's directory */
	const char *const *ranks; /* files of the ranks, in order, ended by NULL; NULL: no ranks */
	int backup_dirfd;
	int64_t attempt;
};

/*
 * Makes it name @aim->target: model_checkpoint_path becomes it, entries after it in
 * all_model_checkpoint_paths (and their timestamps) go; a list that does not hold it begins anew.
 * The former content is kept in the backup directory as checkpoint.ATTEMPT. Nothing is created
 * where no pointer was. 0, ABSENT, TORN, SAME or an errno.
 */
int ckpt_pointer_tf_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_aim *aim,
			  struct ckpt_error *err);

/* What a pointer may be about. */
struct ckpt_pointer_subject {
	enum ckpt_kind kind;
	const char *name;	  /* of the set */
	const char *format;	  /* the row that judged it */
	const char *const *ranks; /* as in ckpt_pointer_aim */
};

struct ckpt_pointer_row {
	const char *file; /* name of the pointer; '#' is a rank: one a rank, by the first known */
	enum ckpt_kind kind; /* of the checkpoints it names */
	const char *format;  /* they are of that format only; NULL: any */
	const char *ending;  /* their names end so, or, with '!' before, do not; NULL: any */
	bool mends;	     /* align also writes one that is torn */
	bool copied;	     /* may also be a copy of the checkpoint, a candidate of its own */
	/* The name, or the first rank's, that it names. As ckpt_pointer_tf_load(). */
	int (*load)(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		    char ret[CKPT_POINTER_NAME], struct ckpt_error *err);
	/* As ckpt_pointer_tf_align(). */
	int (*align)(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_row *row,
		     const struct ckpt_pointer_aim *aim, struct ckpt_error *err);
};

/* All rows; the last has a NULL file. */
extern const struct ckpt_pointer_row ckpt_pointer_rows[];

/* Whether @row's pointer, where there is one, decides over @subject. False for the pointer itself
 * (last.ckpt, chosen under that name). */
bool ckpt_pointer_applies(const struct ckpt_pointer_row *row,
			  const struct ckpt_pointer_subject *subject);

/* Whether @name, from @row's load, is @subject. */
bool ckpt_pointer_names(const char *name, const struct ckpt_pointer_subject *subject);

#endif
