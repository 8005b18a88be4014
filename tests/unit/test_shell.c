/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quoting for a shell, proved by the shell: whatever goes in comes back byte by byte.
 */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/base/shell.h"
#include "tests/unit/support/scratch.h"

static char *no_environment[] = { NULL };

/* Has sh write what @quoted stands for to the file "out" in @dir. */
static void shell_writes(const struct scratch *dir, const char *quoted)
{
	_cleanup_str_ struct ckpt_str script = { 0 };
	char sh[] = "/bin/sh", c[] = "-c", *argv[] = { sh, c, NULL, NULL };
	int status;
	pid_t pid;

	ckpt_str_add(&script, "x=%s; printf %%s \"$x\" >%s/out", quoted, dir->path);
	argv[2] = script.s;
	assert_int_equal(posix_spawn(&pid, sh, NULL, NULL, argv, no_environment), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void comes_back(const struct scratch *dir, const char *text)
{
	_cleanup_str_ struct ckpt_str quoted = { 0 };
	_cleanup_free_ unsigned char *got = NULL;
	size_t len = 0;

	ckpt_shell_quote(&quoted, text);
	assert_non_null(quoted.s);
	shell_writes(dir, quoted.s);
	got = scratch_read(dir->fd, "out", &len);
	assert_non_null(got);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(got, text, len);
}

static void test_shell__known_texts(void **state)
{
	static const char *const texts[] = { "",	 "'",	      "''",    "a b",	   "it's",
					     "$HOME",	 "`id`",      "$(id)", "\\",	   "\\'",
					     "'\\''",	 "\"",	      "\n",    "a\n\nb\n", "%s",
					     "\x01\x7f", "\xff'\xfe", "-n",    "!x",	   "~" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		comes_back(*state, texts[i]);
}

/* Short texts of the bytes that matter, and of all bytes. */
static void test_shell__any_text(void **state)
{
	static const char special[] = "'\"\\$`\n \t()&|;<>*?[#~=%!{}-a";

	for (uint32_t seed = 1; seed <= 300; seed++) {
		_cleanup_free_ uint8_t *noise = scratch_noise(65, seed);
		size_t len = noise[64] % 64;

		for (size_t i = 0; i < len; i++) {
			if (seed % 2)
				noise[i] = (uint8_t)special[noise[i] % (sizeof(special) - 1)];
			else
				noise[i] = noise[i] ? noise[i] : 1;
		}
		noise[len] = '\0';
		comes_back(*state, (const char *)noise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_shell__known_texts),
		scratch_test(test_shell__any_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
