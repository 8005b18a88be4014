/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the data.pkl of a PyTorch archive that is right otherwise, with three storages: what
 * a byte too many in the archive keeps from the readers of names, tensors and settings.
 */
#include <endian.h>

#include "core/base/crc.h"

#include "tests/fuzz/torch.h"

#define ENTRIES 5
#define LOCAL 30   /* bytes of a header without its name */
#define CENTRAL 46 /* of a record in the directory */
#define END 22	   /* of the record at the end */
#define NAME 20	   /* a name's, at most */

struct entry {
	const char *name;
	const uint8_t *data;
	size_t size, at;
};

static uint8_t *put16(uint8_t *p, size_t v)
{
	return mempcpy(p, &(uint16_t) { htole16((uint16_t)v) }, 2);
}

static uint8_t *put32(uint8_t *p, size_t v)
{
	return mempcpy(p, &(uint32_t) { htole32((uint32_t)v) }, 4);
}

/* What both headers have in common: from the flags to the name's length. */
static uint8_t *put_facts(uint8_t *p, const struct entry *e)
{
	p = put16(p, 0);
	p = put16(p, 0); /* stored */
	p = put32(p, 0);
	p = put32(p, ckpt_crc(CKPT_CRC32, 0, e->data, e->size));
	p = put32(p, e->size);
	p = put32(p, e->size);
	p = put16(p, strlen(e->name));
	return put16(p, 0);
}

static uint8_t *put_entry(uint8_t *p, const struct entry *e)
{
	p = put_facts(put16(put32(p, 0x04034b50), 0), e);
	p = mempcpy(p, e->name, strlen(e->name));
	return mempcpy(p, e->data, e->size);
}

static uint8_t *put_record(uint8_t *p, const struct entry *e)
{
	p = put_facts(put16(put16(put32(p, 0x02014b50), 0), 0), e);
	p = put16(put16(put16(p, 0), 0), 0);
	p = put32(put32(p, 0), e->at);
	return mempcpy(p, e->name, strlen(e->name));
}

static uint8_t *put_end(uint8_t *p, size_t size, size_t at)
{
	p = put16(put16(put32(p, 0x06054b50), 0), 0);
	p = put16(put16(p, ENTRIES), ENTRIES);
	return put16(put32(put32(p, size), at), 0);
}

/* Makes an archive of @entries, which has place at @zip. Returns its length. */
static size_t make_zip(uint8_t *zip, struct entry entries[ENTRIES])
{
	uint8_t *p = zip, *directory;

	for (size_t i = 0; i < ENTRIES; i++) {
		entries[i].at = (size_t)(p - zip);
		p = put_entry(p, &entries[i]);
	}
	directory = p;
	for (size_t i = 0; i < ENTRIES; i++)
		p = put_record(p, &entries[i]);
	return (size_t)(put_end(p, (size_t)(p - directory), (size_t)(directory - zip)) - zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t zeros[256];
	struct entry entries[ENTRIES] = {
		{ "a/data.pkl", data, size, 0 },
		{ "a/data/0", zeros, 256, 0 },
		{ "a/data/1", zeros, 64, 0 },
		{ "a/data/2", zeros, 0, 0 },
		{ "a/version", (const uint8_t *)"3\n", 2, 0 },
	};
	uint8_t *zip = malloc(size + 512 + ENTRIES * (LOCAL + CENTRAL + 2 * NAME) + END);

	if (!zip)
		abort();
	size = make_zip(zip, entries);
	fuzz_file(&ckpt_format_torch_zip, zip, size);
	fuzz_torch_settings(zip, size);
	free(zip);
	return 0;
}
