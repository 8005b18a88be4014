/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ADIOS output: the directories of BP4 and BP5 (an index of steps, metadata, one data file an
 * aggregator), and the single files of BP3, whose index stands at their end. No checksums: records
 * must tile, and every file must reach as far as the index says.
 */
#ifndef CKPT_CORE_FORMAT_HPC_ADIOS2_H
#define CKPT_CORE_FORMAT_HPC_ADIOS2_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_adios2, ckpt_format_adios_bp3;

/* What the parts of a directory's check share. */
struct ckpt_adios2 {
	struct ckpt_check *check;
	bool big;	 /* byte order of all numbers */
	uint64_t steps;	 /* in the index */
	uint64_t md_end; /* bytes that the index needs of md.0 */
};

/* Opens @name; a missing one is INCOMPLETE. As a check function. */
int ckpt_adios2_open(struct ckpt_check *check, const char *name, struct ckpt_file *ret);

/* A number of @n bytes in that byte order. */
uint64_t ckpt_adios2_number(const struct ckpt_adios2 *bp, const void *p, size_t n);

/* Rejects @file as ending at @size where @need bytes are needed. Returns the status. */
int ckpt_adios2_short(struct ckpt_check *check, const char *file, uint64_t size, uint64_t need);

/*
 * Sets the step to the count of steps in the checkpoint @name, unless the name has a number: many
 * programs write one file each time.
 */
void ckpt_adios2_position(struct ckpt_report *report, const char *name, uint64_t steps);

/* The records of a BP5 index behind its header, the data files that they name, and mmd.0
 * (BP5Writer.cpp: WriteMetadataFileIndex, WriteMetaMetadata). As a check function. */
int ckpt_adios2_bp5(struct ckpt_adios2 *bp, const struct ckpt_file *index);

#endif
