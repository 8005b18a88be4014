/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests that stores of files leave with what they hand out: the Hugging Face hub, git-annex.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_HUB_H
#define CKPT_CORE_INTEGRITY_SIDECAR_HUB_H

#include "core/integrity/sidecar_expected.h"

/*
 * Of files that are links: snapshots/REVISION/NAME -> ../../blobs/DIGEST (the hub's cache: SHA-256,
 * or Git's name of what is not in LFS), and .git/annex/objects/.../SHA256E-sSIZE--DIGEST.EXT
 * (git-annex, its backends and key format). git-annex keeps what it names from being written; a
 * blob that was written after its link was made, through which a program saves, is another's now,
 * and its name proves what matches and no damage. So do 64 digits in any other store.
 */
void ckpt_sidecar_links(const struct ckpt_sidecar_search *search);

/*
 * Of files in a directory that the hub was downloaded to: .cache/huggingface/download/NAME.metadata
 * has the commit, the ETag and the time of the download, a line each (huggingface_hub,
 * _local_folder.py). The ETag is SHA-256 of what is in LFS and Git's name of all else. As there,
 * one of a file that was written more than a second later says nothing. Any other proves what
 * matches and no damage: metadata are copied beside older files, and renewed without a look at the
 * data.
 */
void ckpt_sidecar_hub(const struct ckpt_sidecar_search *search);

#endif
