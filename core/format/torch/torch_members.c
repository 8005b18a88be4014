/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathering of a PyTorch archive's directory. Only what later checks need is kept.
 */
#include "core/format/torch/torch_members.h"

#include <string.h>

#include "wire/text.h"

/* A record that the check needs by name, or NULL. @name is without the prefix. */
static struct ckpt_torch_record *named_record(struct ckpt_torch_members *m, const char *name)
{
	const struct {
		const char *name;
		struct ckpt_torch_record *record;
	} records[] = {
		{ "data.pkl", &m->pickle },
		{ "version", &m->version },
		{ ".data/version", &m->data_version },
		{ ".data/serialization_id", &m->id },
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (strcmp(records[i].name, name) == 0)
			return records[i].record;
	return NULL;
}

/* Entries of TorchScript's archives alone. */
static bool is_script(const char *name)
{
	return strcmp(name, "constants.pkl") == 0 || ckpt_text_starts(name, "code/", NULL);
}

/* Archives of the same container that hold programs. */
static const char *other_kind(const char *name)
{
	if (is_script(name))
		return "TorchScript";
	if (strcmp(name, "archive_format") == 0)
		return "torch.export";
	return NULL;
}

/*
 * A package of torch.package: its modules may have any name, TorchScript's too. PackageExporter
 * writes the list last but for the version of Python, PackageImporter reads it first
 * (torch/package/package_exporter.py, package_importer.py).
 */
static void note_package(struct ckpt_torch_members *m, const char *name)
{
	m->package = m->package || strcmp(name, ".data/extern_modules") == 0;
	m->packed += ckpt_text_starts(name, ".data/", NULL) && ckpt_text_ends(name, ".storage");
}

/* Notes "data/K" as a storage. 0, CKPT_STORAGES_TWICE or an errno. */
static int add_storage(struct ckpt_torch_members *m, const char *name, uint64_t size)
{
	struct ckpt_storage storage = { .size = size };
	const char *digits;
	int64_t key;
	int r;

	if (!ckpt_text_starts(name, "data/", &digits) || !ckpt_text_int(digits, 0, INT64_MAX, &key))
		return 0;
	storage.key = (uint64_t)key;
	r = ckpt_storages_add(&m->storages, &storage);
	if (r == CKPT_STORAGES_FULL)
		m->storages_cut = true;
	return r == CKPT_STORAGES_FULL ? 0 : r;
}

/* The first entry's name up to its first slash is everybody's prefix. */
static bool same_prefix(struct ckpt_torch_members *m, const struct ckpt_zip_entry *e)
{
	const char *slash;

	if (m->prefix_len == 0) {
		slash = strchr(e->name, '/');
		if (!slash)
			return false;
		m->prefix_len = (size_t)(slash - e->name) + 1;
		memcpy(m->prefix, e->name, m->prefix_len);
	}
	return strncmp(e->name, m->prefix, m->prefix_len) == 0;
}

static void note_sums(struct ckpt_torch_members *m, const struct ckpt_zip_entry *e)
{
	m->any_crc = m->any_crc || e->crc != 0;
	/* boost's hash_combine over 64 bit, as PyTorchStreamWriter does it (from torch 2.1 on). */
	if (e->usize && !m->id.found)
		m->fold ^= e->crc + UINT64_C(0x9e3779b9) + (m->fold << 6) + (m->fold >> 2);
}

int ckpt_torch_members_add(struct ckpt_torch_members *m, const struct ckpt_zip_entry *e)
{
	struct ckpt_torch_record *record;
	const char *name, *other;
	int r;

	if (!same_prefix(m, e))
		return CKPT_TORCH_MEMBERS_PREFIX;
	name = e->name + m->prefix_len;
	record = named_record(m, name);
	if (record && record->found)
		return CKPT_TORCH_MEMBERS_TWICE;
	r = add_storage(m, name, e->usize);
	if (r)
		return r < 0 ? r : CKPT_TORCH_MEMBERS_TWICE;
	if (record)
		*record = (struct ckpt_torch_record) { e->data_off, e->csize, e->crc, e->method,
						       true };
	note_sums(m, e);
	m->script = m->script || is_script(name);
	m->model_json = m->model_json || strcmp(name, "model.json") == 0;
	m->constants = m->constants || strcmp(name, "constants.pkl") == 0;
	other = other_kind(name);
	note_package(m, name);
	m->other = m->package ? "torch.package" : other ? other : m->other;
	return 0;
}

void ckpt_torch_members_done(struct ckpt_torch_members *m)
{
	ckpt_storages_done(&m->storages);
}
