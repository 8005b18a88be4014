/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the directory of a PyTorch archive holds, gathered in one pass over it.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_MEMBERS_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_MEMBERS_H

#include "core/format/torch/storages.h"
#include "core/format/archive/zip.h"

/* One record's place in the file. */
struct ckpt_torch_record {
	uint64_t off, size;
	uint32_t crc;
	uint16_t method;
	bool found;
};

/* Zero-initialised. */
struct ckpt_torch_members {
	char prefix[CKPT_ZIP_NAME];
	size_t prefix_len; /* with its slash; 0 before the first entry */
	struct ckpt_torch_record pickle, version, data_version, id;
	struct ckpt_storages storages; /* data/K */
	bool storages_cut;	       /* there are more */
	const char *other; /* "TorchScript", ...: an archive that is no training state; or NULL */
	uint64_t fold;	   /* over the CRCs of all non-empty records before the id */
	bool script;	   /* it has entries of TorchScript's archives */
	bool model_json;   /* such an archive of PyTorch before 1.3: this in their place */
	bool constants;	   /* constants.pkl, which such an archive ends with */
	bool package; /* it lists what a package of torch.package imports, which ends with that */
	uint64_t packed; /* storages of such a package */
	bool any_crc;
};

enum ckpt_torch_members_result {
	CKPT_TORCH_MEMBERS_TWICE = 1, /* a record that must be unique is there already */
	CKPT_TORCH_MEMBERS_PREFIX,    /* not under the directory of the first entry */
};

/* Takes @e in. 0, a ckpt_torch_members_result or -ENOMEM. */
int ckpt_torch_members_add(struct ckpt_torch_members *m, const struct ckpt_zip_entry *e);

/* Frees what it holds. */
void ckpt_torch_members_done(struct ckpt_torch_members *m);
#define _cleanup_torch_members_ _cleanup_(ckpt_torch_members_done)

#endif
