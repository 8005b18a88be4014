/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_synthetic.h.
 */
#include "tests/unit/support/torch_synthetic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "tests/unit/support/scratch.h"

#define ROOM 65536 /* for all but the tensor */
#define ENTRY 256  /* bytes of a record beside its data, with its row of the directory */

/* A file under construction. */
struct out {
	uint8_t *bytes;
	size_t len, room;
	uint8_t directory[ROOM / 2]; /* central directory so far */
	size_t n_directory, n_entries;
};

static void put(struct out *out, const void *bytes, size_t len)
{
	if (out->len + len > out->room)
		abort();
	memcpy(out->bytes + out->len, bytes, len);
	out->len += len;
}

static void put_u(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void put_number(struct out *out, uint64_t value, int bytes)
{
	uint8_t raw[8];

	put_u(raw, value, bytes);
	put(out, raw, (size_t)bytes);
}

/* One stored entry with a data descriptor, and its row of the central directory. */
static size_t put_entry(struct out *out, const char *name, const void *data, size_t len)
{
	uint32_t crc = ckpt_crc(CKPT_CRC32, 0, data, len);
	uint8_t *row = out->directory + out->n_directory;
	size_t at = out->len, n = strlen(name), data_at;
	uint8_t local[30] = { 'P', 'K', 3, 4, 0, 0, 8, 8 };

	if (out->n_directory + 46 + n > sizeof(out->directory))
		abort();
	put_u(local + 26, n, 2);
	put(out, local, sizeof(local));
	put(out, name, n);
	data_at = out->len;
	put(out, data, len);
	put(out, "PK\7\10", 4);
	put_number(out, crc, 4);
	put_number(out, len, 4);
	put_number(out, len, 4);

	memset(row, 0, 46);
	memcpy(row, "PK\1\2", 4);
	put_u(row + 8, 0x0808, 2);
	put_u(row + 16, crc, 4);
	put_u(row + 20, len, 4);
	put_u(row + 24, len, 4);
	put_u(row + 28, n, 2);
	put_u(row + 42, at, 4);
	memcpy(row + 46, name, n);
	out->n_directory += 46 + n;
	out->n_entries++;
	return data_at;
}

static void put_end(struct out *out)
{
	size_t at = out->len, end64;

	put(out, out->directory, out->n_directory);
	end64 = out->len;
	put(out, "PK\6\6", 4);
	put_number(out, 44, 8);
	put_number(out, 0, 8); /* made by, needed, two disk numbers: 2 + 2 + 4 of them */
	put_number(out, 0, 4);
	put_number(out, out->n_entries, 8);
	put_number(out, out->n_entries, 8);
	put_number(out, out->n_directory, 8);
	put_number(out, at, 8);
	put(out, "PK\6\7", 4);
	put_number(out, 0, 4);
	put_number(out, end64, 8);
	put_number(out, 1, 4);
	put(out, "PK\5\6", 4);
	put_number(out, 0, 4);
	put_number(out, out->n_entries, 2);
	put_number(out, out->n_entries, 2);
	put_number(out, out->n_directory, 4);
	put_number(out, at, 4);
	put_number(out, 0, 2);
}

static void pickle_text(struct out *out, const char *text)
{
	put(out, "X", 1);
	put_number(out, strlen(text), 4);
	put(out, text, strlen(text));
}

static void pickle_int(struct out *out, const char *key, long value)
{
	if (value < 0)
		return;
	pickle_text(out, key);
	put(out, "J", 1);
	put_number(out, (uint64_t)value, 4);
}

/* {'epoch': E, 'global_step': S, 'model': <storage 0>, 'optimizer': {}} by protocol 2. */
static void pickle_write(struct out *out, const struct torch_synthetic *how, uint32_t floats)
{
	put(out, "\x80\2}(", 4);
	pickle_int(out, "epoch", how->epoch);
	pickle_int(out, "global_step", how->step);
	pickle_text(out, "model");
	put(out, "(", 1);
	pickle_text(out, "storage");
	put(out, "ctorch\nFloatStorage\n", 20);
	pickle_text(out, "0");
	pickle_text(out, "cpu");
	put(out, "J", 1);
	put_number(out, floats, 4);
	put(out, "tQ", 2);
	if (!how->weights_only) {
		pickle_text(out, "optimizer");
		put(out, "}", 1);
	}
	put(out, "u.", 2);
}

void torch_synthetic_write(int dirfd, const char *name, const struct torch_synthetic *how)
{
	uint8_t pickled[1024], *zip;
	uint32_t floats = how->floats ? how->floats : 64;
	struct out pickle = { .bytes = pickled, .room = sizeof(pickled) }, out = { 0 };
	uint8_t *data = malloc(floats * 4);
	size_t data_at;

	out.room = floats * 4 + ROOM;
	out.bytes = zip = malloc(out.room);
	if (!data || !zip)
		abort();

	for (uint32_t i = 0; i < floats * 4; i++)
		data[i] = (uint8_t)(i * 31 + 1);
	if (how->nan || how->inf)
		memset(data, 0, floats * 4);
	if (how->nan)
		memcpy(data + 8, "\0\0\xc0\x7f", 4);
	if (how->inf)
		memcpy(data + 16, "\0\0\x80\xff", 4);
	pickle_write(&pickle, how, floats);
	put_entry(&out, "archive/data.pkl", pickle.bytes, pickle.len);
	put_entry(&out, "archive/byteorder", "little", 6);
	data_at = put_entry(&out, "archive/data/0", data, floats * 4);
	put_entry(&out, "archive/version", "3\n", 2);
	put_end(&out);
	if (how->flip)
		zip[data_at + floats] ^= 0x10;
	scratch_write(dirfd, name, zip, how->cut ? out.len - out.len / 3 : out.len);
	free(data);
	free(zip);
}

void torch_pickle_text(FILE *to, const char *text)
{
	const size_t len = strlen(text);
	const uint8_t size[5] = { 'X', (uint8_t)len, (uint8_t)(len >> 8) };

	fwrite(size, 1, sizeof(size), to);
	fwrite(text, 1, len, to);
}

void torch_pickle_storage(FILE *to, const char *type, unsigned key)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%u", key);
	fputc('(', to);
	torch_pickle_text(to, "storage");
	fprintf(to, "ctorch\n%s\n", type);
	torch_pickle_text(to, digits);
	torch_pickle_text(to, "cpu");
	fprintf(to, "K%ctQ", 1);
}

void torch_synthetic_put(int dirfd, const char *name, const struct torch_pickled *what)
{
	static const uint8_t element[16];
	struct out out = { .room = what->len + what->n * (what->element + ENTRY) + ROOM };
	char record[32];

	out.bytes = malloc(out.room);
	if (!out.bytes)
		abort();
	put_entry(&out, "archive/data.pkl", what->pickle, what->len);
	for (unsigned i = 0; i < what->n; i++) {
		snprintf(record, sizeof(record), "archive/data/%u", i);
		put_entry(&out, record, element, what->element);
	}
	put_entry(&out, "archive/version", "3\n", 2);
	put_end(&out);
	scratch_write(dirfd, name, out.bytes, out.len);
	free(out.bytes);
}
