/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of damage as storage, crashes and people do it, for trying whether they would be found.
 * Everything here works on a copy (damage_tree.h), sees bytes and names alone, and shares no code
 * with the parsers that are to find it.
 */
#ifndef CKPT_CLI_DAMAGE_H
#define CKPT_CLI_DAMAGE_H

#include "cli/damage_tree.h"

/* One damage: what is asked for, and what was done. */
struct ckpt_damage {
	const struct ckpt_damage_tree *tree;  /* the copy */
	const struct ckpt_damage_tree *other; /* another save, for kinds that take from one */
	const char *member;		      /* which file, as its key or its end; NULL = any */
	uint64_t random;		      /* state of the generator: the seed at first */
	int64_t offset, length;		      /* bytes; < 0 = by the generator, the kind's own */

	const struct ckpt_damage_member *at; /* the file it happened to */
	uint64_t done_offset, done_length, size_after;
	bool changed;	   /* false: bytes and names are what they were */
	char detail[1024]; /* in words */
};

/* One kind. */
struct ckpt_damage_kind {
	const char *name, *help;
	/* Does it. 0; -ENODATA: the file is too small or has nothing to change; or an errno. */
	int (*run)(struct ckpt_damage *d, struct ckpt_error *err);
	bool of_set; /* works on names of members, not on bytes */
	bool wants_other;
};

/* All kinds in the order of --help; the last has a NULL name. */
extern const struct ckpt_damage_kind ckpt_damage_kinds[];

/* The next number below @below (at least 1) of @d's generator. */
uint64_t ckpt_damage_random(struct ckpt_damage *d, uint64_t below);

/* Kinds that change bytes of d->at, which is chosen. Results as in struct ckpt_damage_kind. */
int ckpt_damage_truncate(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_bit(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_zero_page(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_hole(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_swap(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_duplicate(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_insert(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_trailing(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_zero_tail(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_clock(struct ckpt_damage *d, struct ckpt_error *err);

/* Kinds that change which files are there; they choose d->at. */
int ckpt_damage_rename(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_missing(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_extra(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_stale(struct ckpt_damage *d, struct ckpt_error *err);
int ckpt_damage_mixed(struct ckpt_damage *d, struct ckpt_error *err);

/*
 * Chooses d->at: the member named, or any that has bytes where @with_bytes. 0; -ENOENT where none
 * is named so; -ENODATA where none has any.
 */
int ckpt_damage_choose(struct ckpt_damage *d, bool with_bytes, struct ckpt_error *err);

/* Opens d->at for writing, not through a link, and proves that it is the file that was listed.
 * Returns the descriptor or an errno. */
int ckpt_damage_open(const struct ckpt_damage *d, struct ckpt_error *err);

/* Exactly @len bytes at @off, or -EIO / another errno. */
int ckpt_damage_read(int fd, uint64_t off, void *buf, size_t len, struct ckpt_error *err);
int ckpt_damage_write(int fd, uint64_t off, const void *buf, size_t len, struct ckpt_error *err);

#endif
