/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The central directory of a zip, streamed: memory does not depend on the number of entries. Every
 * entry is compared with its local header and data descriptor, and entries must tile the file: each
 * begins where the one before ends, the directory where the last one ends. PyTorch, Keras and NumPy
 * all write so (no gaps, no comments).
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZIP_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/file.h"

#define CKPT_ZIP_NAME 4096	      /* PATH_MAX: no writer makes longer entry names */
#define CKPT_ZIP_TRAILING (65536 - 1) /* bytes after the end record that readers tolerate */

#define CKPT_ZIP_FLAG_DESCRIPTOR 0x0008 /* of an entry: its CRC and sizes follow its data */

enum ckpt_zip_result {
	CKPT_ZIP_END = 1, /* no further entry; the directory is consistent */
	CKPT_ZIP_NO_END,  /* no end record: the writer never finished, or the tail is lost */
	CKPT_ZIP_DAMAGED, /* the directory or an entry contradicts itself: see fault */
};

/* Where and what, for a rejection's text. */
struct ckpt_zip_fault {
	uint64_t offset;
	char member[256];
	char detail[256];
};

/*
 * What passes over one zip need not read twice: how far behind its name each of the first entries'
 * data begin. So local headers are read once.
 */
struct ckpt_zip_memo {
	uint16_t *skip; /* owned; CKPT_ZIP_UNKNOWN until the entry's local header is read */
	uint64_t n;	/* entries that it has room for */
};

#define CKPT_ZIP_UNKNOWN UINT16_MAX

/* A zip whose end records are found and agree. */
struct ckpt_zip {
	const struct ckpt_file *file; /* borrowed */
	uint64_t cd_off, cd_size;
	uint64_t entries;
	uint64_t trailing; /* bytes after the end record and its comment */
	struct ckpt_zip_memo memo;
	struct ckpt_zip_fault fault;
};

struct ckpt_zip_entry {
	uint64_t index;
	uint64_t header_off, data_off, csize, usize;
	uint32_t crc;
	uint16_t method, flags;
	bool marked; /* by MS-DOS's attribute of directories, whatever its name is */
	uint16_t name_len;
	char name[CKPT_ZIP_NAME]; /* NUL-terminated; holds no NUL itself */
};

/* One pass over the directory; about 20 KiB. */
struct ckpt_zip_walk {
	struct ckpt_zip *zip;
	uint64_t pos, index;   /* next directory record */
	uint64_t data_end;     /* of the entry before */
	uint32_t crc;	       /* of the entry before, for its descriptor */
	uint64_t csize, usize; /* likewise */
	bool descriptor;
	bool passing;	  /* what lies ahead is not looked at: its local headers need no hint */
	uint64_t buf_off; /* what buf holds of the file */
	uint32_t buf_len;
	uint8_t buf[16384];
};

/*
 * Finds and checks the end records of @file: the last 98 bytes as PyTorch writes them, else a
 * search over 64 KiB. 0 with *@ret filled; CKPT_ZIP_NO_END; CKPT_ZIP_DAMAGED with @ret->fault set;
 * or an errno.
 */
int ckpt_zip_open(const struct ckpt_file *file, struct ckpt_zip *ret, struct ckpt_error *err);

/*
 * Has @zip keep what passes over it need of local headers, up to 2 MiB of it; without memory for
 * that each pass reads them. Of many entries all are read at once, by @threads threads, since each
 * lies in a page of its own, unless the bytes that may be read are capped: what is wrong with one
 * is found by the first pass.
 */
void ckpt_zip_keep(struct ckpt_zip *zip, int threads);

/* Frees what ckpt_zip_keep() took, if it was called. */
void ckpt_zip_done(struct ckpt_zip *zip);

/* Begins a pass over @zip, which must outlive it. */
void ckpt_zip_walk_init(struct ckpt_zip_walk *walk, struct ckpt_zip *zip);

/*
 * The next entry in file order, checked against its local header, and the one before against its
 * descriptor. 0 with
 * *@ret filled; CKPT_ZIP_END; CKPT_ZIP_DAMAGED with the zip's fault set; or an errno.
 */
int ckpt_zip_walk_next(struct ckpt_zip_walk *walk, struct ckpt_zip_entry *ret,
		       struct ckpt_error *err);

#endif
