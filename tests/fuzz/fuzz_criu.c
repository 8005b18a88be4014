/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a pagemap of CRIU, with its magic numbers before them, and as another image.
 */
#include "core/format/hpc/criu.h"

#include "tests/fuzz/dir.h"

/* Eight bytes of @head before the input's. */
static void put(const char *name, const void *head, const uint8_t *data, size_t size)
{
	uint8_t *all = malloc(8 + size);

	if (!all)
		abort();
	memcpy(all, head, 8);
	memcpy(all + 8, data, size);
	fuzz_dir_put(name, all, 8 + size);
	free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;

	if (!f)
		abort();
	put("pagemap-1.img", "\x19\x43\x56\x54\x25\x40\x08\x56", data, size);
	put("inventory.img", "\x16\x31\x31\x58\0\0\0", data, 0);
	put("pages-1.img", "\0\0\0\0\0\0\0", data, size);
	if (size > 8)
		put("core-1.img", data, data + 8, size - 8);
	check = (struct ckpt_check) { .ctx = &ctx,
				      .kind = CKPT_KIND_DIRECTORY,
				      .dirfd = fuzz_dir(),
				      .name = "criu",
				      .report = &f->report,
				      .err = &f->err };
	fuzz_assert_report(f, ckpt_format_criu.structure(&check));
	free(f);
	return 0;
}
