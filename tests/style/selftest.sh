#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every style check must be able to fail: each gets a small tree with the one thing that it is for.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

LINE='/* SPDX-License-Identifier: GPL-2.0-or-later */'

# bad CHECK FILE TEXT: a tree in which FILE holds TEXT; CHECK, and it alone where asked, says not ok.
bad()
{
	local check=$1 tree=$TEST_TMP/tree out
	rm -rf "$tree"
	mkdir -p "$tree/$(dirname "$2")" "$tree/examples" "$tree/tests" "$tree/core" "$tree/wire"
	printf '%s\n' "$LINE" 'int ckpt_good;' >"$tree/core/good.c"
	cp "$TEST_SRC/.clang-format" "$tree/"
	out=$(STYLE_ROOT=$tree TEST_ONLY=$check bash "$TEST_SRC/tests/style/checks.sh" 2>&1) ||
		fail "an empty tree is no good to $check: $out"
	printf '%b\n' "$3" >"$tree/$2"
	! out=$(STYLE_ROOT=$tree TEST_ONLY=$check bash "$TEST_SRC/tests/style/checks.sh" 2>&1) ||
		fail "$check let this pass: $3"
	contains "$out" "not ok $check"
}

# good CHECK FILE TEXT: the same, and it must pass.
good()
{
	local tree=$TEST_TMP/tree
	rm -rf "$tree"
	mkdir -p "$tree/$(dirname "$2")" "$tree/examples" "$tree/tests" "$tree/core" "$tree/wire"
	printf '%b\n' "$3" >"$tree/$2"
	STYLE_ROOT=$tree TEST_ONLY=$1 bash "$TEST_SRC/tests/style/checks.sh"
}

selftest_layers()
{
	bad style_layers__folders wire/a.c "$LINE\n#include \"core/base/file.h\""
	bad style_layers__folders core/a.c "$LINE\n#include \"hooks/priv.h\""
	bad style_layers__folders plugin/a.c "$LINE\n#include \"core/base/file.h\""
	bad style_layers__folders hooks/a.c "$LINE\n# include \"core/base/file.h\""
	bad style_layers__folders cli/a.c "$LINE\n#include \"agent/main.h\""
	bad style_layers__folders agent/a.c "$LINE\n#include \"cli/main.h\""
	bad style_layers__libraries core/a.c "$LINE\n#include <slurm/slurm.h>"
	bad style_layers__libraries plugin/a.c "$LINE\n#include <slurm/slurm.h>"
	bad style_layers__libraries wire/a.h "$LINE\n#include <cjson/cJSON.h>"
	bad style_layers__inside_core core/base/a.c "$LINE\n#include \"core/format/format.h\""
	bad style_layers__inside_core core/record/a.c "$LINE\n#include \"core/resolve/resolve.h\""
}

selftest_functions()
{
	bad style_banned_functions core/a.c "$LINE\nvoid f(char *a) { strcpy(a, \"x\"); }"
	bad style_banned_functions agent/a.c "$LINE\nint f(char *a) { return atoi (a); }"
	good style_banned_functions core/a.c "$LINE\n/* strcpy(a) */\nconst char *a = \"strcpy(a)\"; int my_strcpy(int);"
	bad style_core_is_silent core/base/a.c "$LINE\nvoid f(void) { printf(\"x\"); }"
	bad style_core_is_silent core/base/a.c "$LINE\nvoid f(void) { if (getenv(\"x\")) exit(1); }"
	bad style_core_is_silent core/base/a.c "$LINE\nvoid f(void) { fputs(\"x\", stderr); }"
	good style_core_is_silent agent/a.c "$LINE\nvoid f(void) { printf(\"x\"); }"
	good style_core_is_silent core/a.c "$LINE\nint f(char *b) { return snprintf(b, 1, \"x\"); }"
	bad style_plugin_is_silent plugin/a.c "$LINE\nvoid f(void) { puts(\"x\"); }"
}

selftest_form()
{
	bad style_headers_compile_alone core/a.h "$LINE\nsize_t f(void);"
	bad style_licences core/a.c "int a;"
	bad style_cases_are_run tests/cli/a.sh 'a__one() { :; }\na__two() { :; }\nfor case in one; do "a__$case"; done'
	good style_cases_are_run tests/cli/a.sh 'a__one() { :; }\na__two() { :; }\nfor case in one two; do "a__$case"; done'
	bad style_licences examples/a.sh "#!/bin/sh\necho"
	bad style_files_at_most_600_lines core/a.c "$LINE$(printf '\\n%.0s' {1..601})"
	bad style_functions_at_most_80_lines core/a.c "$LINE\nint f(int a)\n{$(printf '\\n\ta++;%.0s' {1..80})\n\treturn a;\n}"
	bad style_clang_format core/a.c "$LINE\nint  a;"
	bad style_shellcheck examples/a.sh '#!/bin/sh\n# SPDX\nrm $(ls | grep x'
	bad style_no_todo core/a.c "$LINE\n/* TODO: later */"
}

run_case selftest_layers
run_case selftest_functions
run_case selftest_form
test_end
