/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as a duration and as a number: what passes is within its bounds, and a duration is the
 * same again when it is written in seconds.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define LONGEST_S (INT64_C(3650) * 86400)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_duration(const char *text)
{
	int64_t seconds = -7, again = -7;
	char written[32];

	if (!ckpt_text_duration(text, &seconds)) {
		if (seconds != -7)
			abort();
		return;
	}
	if (seconds <= 0 || seconds > LONGEST_S)
		abort();
	snprintf(written, sizeof(written), "%" PRId64 "s", seconds);
	if (!ckpt_text_duration(written, &again) || again != seconds)
		abort();
}

static void check_number(const char *text)
{
	int64_t number = -7;
	char written[32];

	if (!ckpt_text_int(text, -5, 1000000, &number)) {
		if (number != -7)
			abort();
		return;
	}
	snprintf(written, sizeof(written), "%" PRId64, number);
	if (number < -5 || number > 1000000 || strcmp(written, text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	check_duration(text);
	check_number(text);
	free(text);
	return 0;
}
