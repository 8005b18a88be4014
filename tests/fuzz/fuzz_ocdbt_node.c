/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the body of an OCDBT manifest (first byte even) or of a node, all entries read.
 */
#include "core/format/jax/ocdbt_node.h"

#include <stdlib.h>

#include "tests/fuzz/harness.h"

#define MAX ((size_t)1 << 20)

static void read_node(struct ckpt_bytes in, char *key)
{
	struct ckpt_ocdbt_table table = { 0 };
	struct ckpt_ocdbt_entries entries;
	struct ckpt_ocdbt_entry entry = { 0 };

	if (ckpt_ocdbt_node_read(in, MAX, &table, &entries) == 0)
		while (entries.left > 0 && ckpt_ocdbt_entry_next(&entries, key, &entry) == 0)
			if (entry.n_key > CKPT_OCDBT_KEY_MAX || entry.common > entry.n_key)
				abort();
	ckpt_ocdbt_table_done(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char key[CKPT_OCDBT_KEY_MAX];
	struct ckpt_ocdbt_newest newest = { 0 };

	if (size == 0)
		return 0;
	if (data[0] % 2)
		read_node((struct ckpt_bytes) { data + 1, size - 1 }, key);
	else
		ckpt_ocdbt_manifest_read((struct ckpt_bytes) { data + 1, size - 1 }, MAX, &newest);
	ckpt_ocdbt_table_done(&newest.table);
	return 0;
}
