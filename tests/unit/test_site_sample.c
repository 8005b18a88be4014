/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sample configuration that is installed: it documents every key, no other, in the words of the
 * program, and its defaults are the program's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "wire/cleanup.h"
#include "wire/site.h"

#define SAMPLE_MAX 65536

static char sample[SAMPLE_MAX];

static int read_sample(void **state)
{
	_cleanup_fclose_ FILE *in = fopen(CKPT_SAMPLE_CONF, "re");
	size_t len;

	(void)state;
	if (!in)
		return -1;
	len = fread(sample, 1, sizeof(sample) - 1, in);
	sample[len] = '\0';
	return len > 0 ? 0 : -1;
}

static void test_site_sample__documents_every_key(void **state)
{
	(void)state;
	for (size_t i = 0; ckpt_site_keys[i].name; i++) {
		const struct ckpt_site_key *key = &ckpt_site_keys[i];
		char want[1024];

		snprintf(want, sizeof(want), "\n# %s=%s\n# %s\n", key->name, key->value, key->help);
		if (!strstr(sample, want))
			fail_msg("the sample has no%s", want);
		snprintf(want, sizeof(want), "\n#%s=", key->name);
		if (!strstr(sample, want))
			fail_msg("the sample has no default of %s", key->name);
	}
}

/* Writes the sample with its defaults uncommented. Returns their number. */
static int write_defaults(const char *path)
{
	_cleanup_fclose_ FILE *out = fopen(path, "we");
	_cleanup_free_ char *copy = strdup(sample);
	char *rest = copy, *line;
	int n = 0;

	assert_non_null(out);
	assert_non_null(copy);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (line[0] != '#' || line[1] < 'A' || line[1] > 'Z')
			continue;
		fprintf(out, "%s\n", line + 1);
		n++;
	}
	return n;
}

static void test_site_sample__shows_the_defaults(void **state)
{
	static struct ckpt_site defaults, shown;
	static char a[CKPT_SITE_VALUE_MAX], b[CKPT_SITE_VALUE_MAX];
	char path[] = "/tmp/ckpt-sample-XXXXXX";
	struct ckpt_error err = { 0 };
	int fd = mkstemp(path), lines, r;
	size_t i;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	lines = write_defaults(path);
	r = ckpt_site_load(&shown, path, &err);
	unlink(path);
	if (r < 0)
		fail_msg("%s", err.text);
	ckpt_site_defaults(&defaults);
	for (i = 0; ckpt_site_keys[i].name; i++) {
		ckpt_site_value(&defaults, i, a);
		ckpt_site_value(&shown, i, b);
		if (a[0] && strcmp(a, b) != 0)
			fail_msg("%s is %s, the sample shows %s", ckpt_site_keys[i].name, a, b);
	}
	assert_int_equal(lines, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_site_sample__documents_every_key),
		cmocka_unit_test(test_site_sample__shows_the_defaults),
	};

	return cmocka_run_group_tests(tests, read_sample, NULL);
}
