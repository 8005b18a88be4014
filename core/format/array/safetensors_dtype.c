/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See safetensors_dtype.h. The known ones are those of Dtype in safetensors/src/tensor.rs (0.8).
 */
#include "core/format/array/safetensors_dtype.h"

#include <stdlib.h>
#include <string.h>

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define NAME_MAX_BYTES 15 /* F8_E4M3B11FNUZ, the longest such name anywhere, has 14 */
#define BITS_MAX 1024

static const struct row {
	char name[12];
	uint8_t bits;
	uint8_t type; /* enum ckpt_float */
} rows[] = {
	{ "BF16", 16, CKPT_FLOAT_BF16 },       { "F32", 32, CKPT_FLOAT_F32 },
	{ "F16", 16, CKPT_FLOAT_F16 },	       { "F64", 64, CKPT_FLOAT_F64 },
	{ "I64", 64, CKPT_FLOAT_NONE },	       { "I32", 32, CKPT_FLOAT_NONE },
	{ "U8", 8, CKPT_FLOAT_NONE },	       { "I8", 8, CKPT_FLOAT_NONE },
	{ "BOOL", 8, CKPT_FLOAT_NONE },	       { "I16", 16, CKPT_FLOAT_NONE },
	{ "U16", 16, CKPT_FLOAT_NONE },	       { "U32", 32, CKPT_FLOAT_NONE },
	{ "U64", 64, CKPT_FLOAT_NONE },	       { "C64", 64, CKPT_FLOAT_F32 },
	{ "F8_E4M3", 8, CKPT_FLOAT_E4M3 },     { "F8_E5M2", 8, CKPT_FLOAT_E5M2 },
	{ "F8_E8M0", 8, CKPT_FLOAT_E8M0 },     { "F8_E4M3FNUZ", 8, CKPT_FLOAT_FNUZ },
	{ "F8_E5M2FNUZ", 8, CKPT_FLOAT_FNUZ }, { "F4", 4, CKPT_FLOAT_NONE },
	{ "F6_E2M3", 6, CKPT_FLOAT_NONE },     { "F6_E3M2", 6, CKPT_FLOAT_NONE },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number without leading zeros at *@at, which moves behind it. */
static bool take_number(const char **at, unsigned *ret)
{
	size_t n = strspn(*at, DIGITS);

	if (n == 0 || n > 4 || (n > 1 && **at == '0'))
		return false;
	*ret = (unsigned)strtoul(*at, NULL, 10);
	*at += n;
	return true;
}

/* What follows "F8_": where it is a layout, E and M with their bits, these and at most a sign make
 * up the width. */
static bool layout_fits(const char *suffix, unsigned bits)
{
	unsigned exponent, mantissa;

	if (suffix[0] != 'E' || !is_digit(suffix[1]))
		return true;
	suffix++;
	if (!take_number(&suffix, &exponent) || *suffix++ != 'M' ||
	    !take_number(&suffix, &mantissa))
		return false;
	return exponent + mantissa == bits || exponent + mantissa + 1 == bits;
}

/* The width in a name of capitals, digits and perhaps _SUFFIX; 0 for any other. */
static unsigned width_of(const char *name)
{
	const char *at = name + strspn(name, CAPITALS);
	unsigned bits;

	if (at == name || !take_number(&at, &bits) || bits > BITS_MAX)
		return 0;
	if (!*at)
		return bits;
	if (*at++ != '_' || !*at || at[strspn(at, CAPITALS DIGITS "_")] || !layout_fits(at, bits))
		return 0;
	return bits;
}

/* Whether one bit is between both, in a digit or in anything else. */
static bool is_flipped(const char *name, const char *known, bool digit)
{
	size_t at = 0;
	int differs;

	while (name[at] && name[at] == known[at])
		at++;
	differs = name[at] ^ known[at];
	return name[at] && known[at] && is_digit(name[at]) == digit && !(differs & (differs - 1)) &&
	       strcmp(name + at + 1, known + at + 1) == 0;
}

/* Digits are left out: the data's length tells about them. */
static bool is_later(const char *name, struct ckpt_safetensors_dtype *ret)
{
	unsigned bits = width_of(name);

	for (size_t i = 0; bits && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_flipped(name, rows[i].name, false))
			return false;
	ret->bits = bits;
	ret->type = name[0] == 'I' || name[0] == 'U' ? CKPT_FLOAT_NONE : CKPT_FLOAT_UNKNOWN;
	ret->later = true;
	return bits;
}

bool ckpt_safetensors_dtype(const char *name, size_t len, struct ckpt_safetensors_dtype *ret)
{
	if (len > NAME_MAX_BYTES || strlen(name) != len)
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(name, rows[i].name) != 0)
			continue;
		*ret = (struct ckpt_safetensors_dtype) { rows[i].bits, rows[i].type, false };
		return true;
	}
	return is_later(name, ret);
}

bool ckpt_safetensors_dtype_flipped(const char *name, uint64_t elements, uint64_t bytes)
{
	uint64_t bits;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (is_flipped(name, rows[i].name, true) &&
		    !__builtin_mul_overflow(elements, (uint64_t)rows[i].bits, &bits) &&
		    bits % 8 == 0 && bits / 8 == bytes)
			return true;
	return false;
}
