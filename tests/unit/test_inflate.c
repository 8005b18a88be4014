/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deflated ranges: what Python's zlib wrote comes out as it went in; anything else is told.
 */
#include "core/format/inflate.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/crc.h"
#include "tests/unit/support/judge.h"

#define LEN 300000 /* several buffers */

/* bytes that compress a little, not at all, and by 1000 */
static const char script[] =
	"import zlib, random\n"
	"random.seed(1)\n"
	"for name, b in (('text', bytes(random.choice(b'abcdefgh') for i in range(300000))),\n"
	"                ('noise', random.randbytes(300000)), ('zeros', bytes(300000))):\n"
	"  open(name, 'wb').write(b)\n"
	"  open(name + '.z', 'wb').write(zlib.compress(b))\n"
	"  c = zlib.compressobj(6, 8, -15); open(name + '.raw', 'wb').write(c.compress(b) + "
	"c.flush())\n";

static void sum(void *arg, const uint8_t *buf, size_t len)
{
	uint32_t *crc = arg;

	*crc = ckpt_crc(CKPT_CRC32, *crc, buf, len);
}

static int run(struct bench *bench, const char *name, uint64_t max, uint32_t *ret_crc)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_inflate_job job = { .file = &file, .max = max, .sink = sum, .arg = ret_crc };
	uint64_t out = 0;
	int r;

	*ret_crc = 0;
	assert_int_equal(ckpt_file_open(&ctx, bench->fd, name, &file, NULL), 0);
	job.len = file.size;
	job.zlib = strstr(name, ".z") != NULL;
	r = ckpt_inflate(&job, &out, NULL);
	if (r == 0)
		assert_int_equal(out, LEN);
	return r;
}

static void test_inflate__streams(void **state)
{
	static const char *const names[] = { "text", "noise", "zeros" };
	static const char *const ends[] = { ".z", ".raw" };
	_cleanup_bench_ struct bench bench;
	uint32_t crc;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, script))
		skip();
	for (int i = 0; i < 6; i++) {
		char name[32];
		size_t len, cut;
		_cleanup_free_ unsigned char *plain = bench_read(&bench, names[i / 2], &len);
		_cleanup_free_ unsigned char *data = NULL;

		snprintf(name, sizeof(name), "%s%s", names[i / 2], ends[i % 2]);
		assert_int_equal(run(&bench, name, LEN, &crc), 0);
		assert_int_equal(crc, ckpt_crc(CKPT_CRC32, 0, plain, LEN));
		assert_int_equal(run(&bench, name, LEN - 1, &crc), CKPT_INFLATE_LONG);
		data = bench_read(&bench, name, &cut);
		for (size_t less = 1; less < cut; less += 1 + cut / 50) {
			bench_write(&bench, name, data, cut - less);
			assert_int_equal(run(&bench, name, LEN, &crc), CKPT_INFLATE_SHORT);
		}
		bench_write(&bench, name, data, cut);
		if (i % 2)
			continue;
		bench_resize(&bench, name, cut + 100);
		assert_int_equal(run(&bench, name, LEN, &crc), CKPT_INFLATE_REST);
		bench_write(&bench, name, data, cut);
		bench_flip(&bench, name, cut - 1); /* of the Adler-32 */
		assert_int_equal(run(&bench, name, LEN, &crc), CKPT_INFLATE_BAD);
	}
}

static void test_inflate__nonsense(void **state)
{
	_cleanup_bench_ struct bench bench;
	uint32_t crc;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "x.z", "not deflated");
	assert_int_equal(run(&bench, "x.z", LEN, &crc), CKPT_INFLATE_BAD);
	bench_write(&bench, "x.raw", "\xff\xff\xff\xff\xff\xff", 6);
	assert_int_equal(run(&bench, "x.raw", LEN, &crc), CKPT_INFLATE_BAD);
	bench_write(&bench, "x.raw", "", 0);
	assert_int_equal(run(&bench, "x.raw", LEN, &crc), CKPT_INFLATE_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflate__streams),
		cmocka_unit_test(test_inflate__nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
