/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as JSON. What the strict reader takes, cJSON must take too, and the containers must
 * balance.
 */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/jstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads it all; the result that ended it, 0 at a proper end. */
static int read_all(const struct ckpt_file *file, bool python)
{
	_cleanup_jstream_ struct ckpt_jstream js = { .buf = NULL };
	struct ckpt_jtoken tok = { .type = CKPT_J_NULL };
	int r = ckpt_jstream_open(&js, file, 0, file->size), depth = 0;

	if (r)
		abort();
	js.python = python;
	while (!r && (r = ckpt_jstream_next(&js, &tok, NULL)) == 0 && tok.type != CKPT_J_END) {
		depth += tok.type == CKPT_J_OBJECT || tok.type == CKPT_J_ARRAY;
		if (depth < tok.depth || strlen(tok.text) > tok.len)
			abort();
		depth -= tok.type == CKPT_J_OBJECT_END || tok.type == CKPT_J_ARRAY_END;
	}
	if (!r && depth)
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_file file = { .fd = memfd_create("fuzz", MFD_CLOEXEC), .size = size };
	cJSON *tree;
	int strict;

	if (file.fd < 0 || (size && pwrite(file.fd, data, size, 0) != (ssize_t)size))
		abort();
	file.name = (char *)"fuzz";
	strict = read_all(&file, false);
	if (!strict && read_all(&file, true))
		abort();
	if (!strict && !memchr(data, 0, size) && !memmem(data, size, "\\u0000", 6)) {
		tree = cJSON_ParseWithLength((const char *)data, size);
		if (!tree)
			abort();
		cJSON_Delete(tree);
	}
	close(file.fd);
	return 0;
}
