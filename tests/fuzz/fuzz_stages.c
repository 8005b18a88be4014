/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text as stages.json, as it is and with the checksum that it should have. What passes must
 * print to a text that reads as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/crc.h"
#include "core/base/json.h"
#include "core/record/stages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len)
{
	_cleanup_stages_ struct ckpt_stages first = { 0 }, second = { 0 };
	_cleanup_free_ char *printed = NULL, *again = NULL;

	if (ckpt_stages_parse(text, len, &first) != 0)
		return;
	for (size_t i = 0; i < first.n; i++) {
		if (!ckpt_stage_is_name(first.s[i].name))
			abort();
		for (size_t k = 0; k < first.s[i].n_outputs; k++)
			if (first.s[i].outputs[k].path[0] != '/')
				abort();
	}
	printed = ckpt_stages_print(&first);
	if (!printed || ckpt_stages_parse(printed, strlen(printed), &second) != 0)
		abort();
	again = ckpt_stages_print(&second);
	if (!again || strcmp(printed, again) != 0)
		abort();
}

/* The input with a checksum of its own, where it is an object. */
static void check_summed(const char *text, size_t len)
{
	_cleanup_json_ cJSON *document = NULL;
	_cleanup_free_ char *plain = NULL, *summed = NULL;

	if (ckpt_json_parse(text, len, &document, NULL) != 0 || !cJSON_IsObject(document))
		return;
	while (cJSON_GetObjectItemCaseSensitive(document, "crc32c"))
		cJSON_DeleteItemFromObjectCaseSensitive(document, "crc32c");
	plain = cJSON_PrintUnformatted(document);
	if (!plain)
		return;
	cJSON_AddNumberToObject(document, "crc32c", ckpt_crc(CKPT_CRC32C, 0, plain, strlen(plain)));
	summed = cJSON_PrintUnformatted(document);
	if (summed)
		check(summed, strlen(summed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check((const char *)data, size);
	check_summed((const char *)data, size);
	return 0;
}
