/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files laid out as torch.save() lays them out, for tests that need many checkpoints at known
 * positions. (Files that PyTorch itself wrote are tested in test_torch_zip and by the live tests.)
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_TORCH_SYNTHETIC_H
#define CKPT_TESTS_UNIT_SUPPORT_TORCH_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct torch_synthetic {
	long epoch, step;  /* negative: absent */
	bool weights_only; /* no optimizer */
	bool flip;	   /* one bit of the tensor's data, after its CRC was taken */
	bool nan, inf;	   /* one of its numbers is NaN, one is -Inf; all others are zero */
	bool cut;	   /* the last third is missing */
	uint32_t floats;   /* numel of its one tensor; 0 = 64 */
};

/* Writes @name in @dirfd; ends the test on any error. */
void torch_synthetic_write(int dirfd, const char *name, const struct torch_synthetic *how);

/* A file of any pickle, for what PyTorch would not write. */
struct torch_pickled {
	const void *pickle;
	size_t len;
	unsigned n; /* storages beside it: data/0, data/1, ..., one element each */
	size_t element;
};

/* Writes @name in @dirfd; ends the test on any error. */
void torch_synthetic_put(int dirfd, const char *name, const struct torch_pickled *what);

/* Adds @text, of less than 65,536 bytes, to the pickle @to. */
void torch_pickle_text(FILE *to, const char *text);

/* Adds the storage @key of one element of @type ("FloatStorage") to it. */
void torch_pickle_storage(FILE *to, const char *type, unsigned key);

#endif
