/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of formats: one row and one file a format. Rows are tried in table order by content,
 * never by extension; "opaque" is last and takes every file. A row judges one checkpoint: a file,
 * the prefix of a bundle, or a directory.
 *
 * A check function returns 0 when it found no fault; an enum ckpt_status (> 0: CKPT_INCOMPLETE,
 * CKPT_CORRUPT, CKPT_MISSING; CKPT_UNREADABLE for a file that changed or is none) through
 * ckpt_check_reject() when the answer is no; < 0, a negative errno, when it could not find out. It
 * fills position, contents and keys of the report on the way.
 */
#ifndef CKPT_CORE_FORMAT_FORMAT_H
#define CKPT_CORE_FORMAT_FORMAT_H

#include <stdint.h>

#include "core/base/ctx.h"
#include "core/base/file.h"
#include "core/format/verdict.h"

enum ckpt_kind {
	CKPT_KIND_FILE,	     /* one file, which may name sibling shards */
	CKPT_KIND_PREFIX,    /* NAME.index + NAME.data-...: no file has the name itself */
	CKPT_KIND_DIRECTORY, /* a directory that counts as a whole */
};

/* First and last bytes of a file, for sniffing. */
struct ckpt_head {
	uint64_t size;
	uint32_t n_head, n_tail;
	uint8_t head[512], tail[64];
};

/* One check under way. */
struct ckpt_check {
	struct ckpt_ctx *ctx;
	enum ckpt_kind kind;
	int dirfd;	  /* the directory with the file or bundle; a DIRECTORY's own descriptor */
	const char *name; /* entry in dirfd, the bundle's prefix, or the directory's name for
			     messages */
	struct ckpt_file *file; /* CKPT_KIND_FILE: opened; else NULL */
	struct ckpt_head head;	/* CKPT_KIND_FILE */
	struct ckpt_report *report;
	bool asked;	       /* its user said that it is a checkpoint, whatever its layout */
	unsigned depth;	       /* directories of formats, or containers, around this one */
	enum ckpt_level level; /* asked for: a member checked in full is checked as far as this */
	/* Set by a set's row around ckpt_check_member(): the hash of each tensor's name in the
	 * member is told, where its row is one that has them at hand (safetensors). */
	void (*heard)(void *arg, uint64_t name_hash);
	void *heard_arg;
	bool unread;		/* of a set's row, from its structure() to its content() */
	struct ckpt_error *err; /* for < 0 results; never NULL */
};

struct ckpt_extent; /* names_at.h */
struct ckpt_names;

/* A tensor as its file tells it; borrowed for the call. */
struct ckpt_tensor {
	const char *name; /* "" where the file gives none */
	char type[16];	  /* "F32", in the format's own words; "" where it is not known */
	uint64_t count;	  /* numbers in it */
	uint64_t shape;	  /* a hash of its dimensions; 0 where the file does not tell them */
};
typedef void ckpt_tensor_fn(void *arg, const struct ckpt_tensor *tensor);

struct ckpt_format {
	const char *name;  /* "torch-zip": the JSON's format */
	const char *title; /* "PyTorch zip (torch.save)" */
	enum ckpt_kind kind;
	enum ckpt_evidence full; /* what a passed content check proves: CHECKSUM or STRUCTURE */
	enum ckpt_meaning epoch_meaning; /* of an epoch found inside, UNKNOWN for free-form files */
	bool holds; /* other files: what it is worth as a checkpoint, they say (report->inner) */
	bool (*sniff)(const struct ckpt_check *check); /* cheap: head, or names in dirfd */
	bool split; /* content() of a file does no more than its context's share (share.h), nor do
		       those of its members; else one of the shares does it all */
	int (*structure)(struct ckpt_check *check);
	int (*content)(
		struct ckpt_check *check); /* after structure passed; NULL = nothing more to read */
	const char *bare; /* no content(): the note that says so ("npy stores no checksum") */
	/*
	 * Looks for NaN and Inf after content passed, into report->finite (finiteness.h). NULL: the
	 * row cannot; a directory's members were looked through by their own rows.
	 */
	int (*finite)(struct ckpt_check *check);
	/* Offers the names of what lies in @extent, and where (names_at.h). NULL: it knows none. As
	 * a check function; only the names count. */
	int (*at)(struct ckpt_check *check, const struct ckpt_extent *extent,
		  struct ckpt_names *names);
	/* Tells all tensors, in the file's order; of a CKPT_KIND_DIRECTORY those that are told by
	 * no row of one of its files. NULL: it cannot. As a check function. */
	int (*tensors)(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg);
	/* Where the file @name keeps its data file @no, counted from 0: in a folder beside it.
	 * False where that does not fit, and for a name that no such file has. NULL: nowhere. */
	bool (*beside)(const char *name, int no, char *ret, size_t size);
};

/* Adds the dimension @dim to the hash of a shape (0 at first). */
static inline uint64_t ckpt_tensor_shape(uint64_t hash, uint64_t dim)
{
	return (hash ^ (dim + 1)) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

/* Adds the dimension @dim to @tensor, whose count is 1 at first: more than fits is UINT64_MAX. */
static inline void ckpt_tensor_dim(struct ckpt_tensor *tensor, uint64_t dim)
{
	if (__builtin_mul_overflow(tensor->count, dim, &tensor->count))
		tensor->count = UINT64_MAX;
	tensor->shape = ckpt_tensor_shape(tensor->shape, dim);
}

/* All rows; the last has a NULL name. */
extern const struct ckpt_format *const ckpt_formats[];

/* The row with that name, or NULL. */
const struct ckpt_format *ckpt_format_named(const char *name);

/* beside() of the row that knows a file of the name @name to have such data, whatever is in it;
 * false where none does. */
bool ckpt_format_beside(const char *name, int no, char *ret, size_t size);

/* The first row of @check->kind whose sniff accepts it; for files never NULL (opaque); else NULL.
 */
const struct ckpt_format *ckpt_format_find(const struct ckpt_check *check);

/*
 * Records the rejection in the report and returns @status. @member may be NULL; @offset
 * CKPT_NO_OFFSET. The file is check->file's name or check->name. The first rejection wins.
 */
int ckpt_check_reject(struct ckpt_check *check, enum ckpt_status status,
		      enum ckpt_problem_code code, uint64_t offset, const char *member,
		      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* A remark beside a valid verdict (trailing bytes): kept only where nothing else is recorded. */
void ckpt_check_remark(struct ckpt_check *check, enum ckpt_problem_code code, uint64_t offset,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * Lowers what the check proves to @most, and notes why, where it is more; for a row whose file
 * turns out to hold less than row->full promises (no checksums inside). report->verdict.evidence is
 * min(row->full, STRUCTURE) while structure() runs and row->full while content() runs; what a
 * passed check leaves there is the evidence. Where a set's content() runs, every member that it
 * does not check again counts as fully proved.
 */
void ckpt_check_cap(struct ckpt_check *check, enum ckpt_evidence most, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether the @len bytes of @note are a row's bare. */
bool ckpt_format_says_bare(const char *note, size_t len);

/* Notes @row->bare, where nothing else was noted. */
void ckpt_check_bare(struct ckpt_check *check, const struct ckpt_format *row);

/*
 * Reads from check->file; turns CKPT_FILE_SHORT into an INCOMPLETE/truncated rejection that names
 * @what. 0, CKPT_INCOMPLETE, or an errno.
 */
int ckpt_check_read(struct ckpt_check *check, uint64_t off, void *buf, size_t len,
		    const char *what);

/* Says that @file (an entry of the set) is at fault in the rejection just made; returns @status. */
int ckpt_check_blame(struct ckpt_check *check, const char *file, int status);

/* Fills the head of a CKPT_KIND_FILE check from its open file. 0 or an errno. */
int ckpt_check_probe(struct ckpt_check *check);

/*
 * Runs the right row over @check (probe, LFS pointer, empty, sniff, structure, then content when
 * @level says so) and returns as a check function. For a file whose structure passed but whose
 * content the budget cut off (-ETIMEDOUT, -EDQUOT) it returns 0 and notes it: evidence stays what
 * the structure proved. A file that no row knows is the opaque row's; a set that none knows is
 * CKPT_UNREADABLE.
 */
int ckpt_check_run(struct ckpt_check *check, enum ckpt_level level);

/* The last part of ckpt_check_run(): structure and content by @row, which took the check. */
int ckpt_check_as(struct ckpt_check *check, const struct ckpt_format *row, enum ckpt_level level);

/*
 * ckpt_check_run() of an open file, with the identity looked at again behind it: CKPT_UNREADABLE
 * (writer-active) when the file changed meanwhile, whatever the run said.
 */
int ckpt_check_file(struct ckpt_check *check, enum ckpt_level level);

/*
 * Checks member @name (a file in check->dirfd) of a set by its own row at @level and folds its
 * evidence, size and problem (file = @name) into the set's report; *@ret (may be NULL) gets the
 * member's own report. A missing member is CKPT_INCOMPLETE with @missing as the code.
 */
int ckpt_check_member(struct ckpt_check *check, const char *name, enum ckpt_level level,
		      enum ckpt_problem_code missing, struct ckpt_report *ret);

/*
 * Like ckpt_check_member() for the bytes [@off, @off + @len) of the open member @file: they are
 * judged as a file of their own. Offsets in the problem are those of @file.
 */
struct ckpt_slice {
	const struct ckpt_file *file;
	uint64_t off, len;
};
int ckpt_check_slice(struct ckpt_check *check, const struct ckpt_slice *slice,
		     enum ckpt_level level, struct ckpt_report *ret);

/*
 * Like ckpt_check_member() for the directory @name in check->dirfd, by the first row that knows it.
 * *@ret_known is false, and nothing else is done (*@ret is left alone), where none does, it is no
 * directory, or directories lie in directories without end (a link to itself). One that cannot be
 * opened for another reason is an errno.
 */
int ckpt_check_folder(struct ckpt_check *check, const char *name, enum ckpt_level level,
		      bool *ret_known, struct ckpt_report *ret);

#endif
