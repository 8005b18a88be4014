#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the README and those of the folders say against what the code has: formats, commands, options,
# variables, settings, files.
set -eu
. "$(dirname "$0")/../lib/assert.sh"
cd "$TEST_SRC"

DOCS=(README.md agent/README.md cli/README.md core/README.md slurm.conf.d/README.md)

docs_formats()
{
	local name
	for name in $(grep -rhoP '^\s*\.name = "\K[a-z0-9-]+' core/format | sort -u); do
		grep -qF "\`$name\`" README.md || fail "the format $name is not in the README"
	done
	# the other way: what the table names has a row
	for name in $(sed -n '/^## What is checked/,/^## Install/s/^| //p' README.md | grep -oP '`\K[a-z0-9-]+(?=`)' |
		grep -v '\.'); do
		grep -rq "\.name = \"$name\"" core/format || fail "the README names the format $name, which has no row"
	done
}

# The row of each format is named by a fuzz target, or reached by fuzz_tree (fuzz.sh proves it). Any file may end as
# opaque: fuzz_format's mostly do.
docs_formats_are_fuzzed()
{
	local row name trees
	trees=$(sed -n '/^TREE_ROWS=(/,/)/p' tests/fuzz/fuzz.sh | tr '()' '  ')
	[[ -n $trees ]] || fail "tests/fuzz/fuzz.sh: no TREE_ROWS were found"
	for row in $(grep -oP '^\t&\Kckpt_format_\w+' core/format/table/formats.c); do
		name=${row#ckpt_format_} && name=${name//_/-}
		[[ $name != opaque ]] || continue
		grep -qw "$row" tests/fuzz/fuzz_*.c || [[ " ${trees//[$'\n\t']/ } " == *" $name "* ]] ||
			fail "no fuzz target reaches the format $name"
	done
}

docs_commands()
{
	local name
	for name in $(grep -ohP '`ckptctl \K[a-z][a-z-]+' "${DOCS[@]}" | sort -u); do
		grep -q "{ \"$name\"," cli/main.c || fail "a README names the command $name, which there is not"
	done
}

docs_options()
{
	local name
	for name in $(grep -hv Megatron "${DOCS[@]}" | grep -oP -- "--ckpt-[a-z]+(-[a-z]+)*" | sort -u); do
		grep -q "\"${name#--}\"" plugin/options.c || fail "a README names $name, which the plugin does not know"
	done
}

docs_variables()
{
	local name
	for name in $(grep -ohP 'CKPT_[A-Z_]+' "${DOCS[@]}" | sort -u); do
		[[ $name != CKPT_SLURM_PLUGIN_DIR ]] || continue # of the build
		[[ $name != CKPT_TESTS ]] || continue
		grep -q "\"$name\"" wire/decision.c || fail "a README names $name, which no job gets"
	done
}

# Every pointer that is kept right stands in the table of programs, and no other does.
docs_pointers()
{
	local known named
	known=$(sed -n '/^const struct ckpt_pointer_row/,/^};/s/^\t{ "\([^"]*\)".*/\1/p' core/record/pointer_rows.c | sort -u)
	named=$(sed -n '/^| your program/,/^$/p' README.md | sed -n 's/.*| `\([^`|]*\)` |$/\1/p' | sort -u)
	[[ -n $known ]] || fail "core/record/pointer_rows.c: no rows were found"
	[[ $named == "$known" ]] || fail "the README names the pointers [$named], the code has [$known]"
}

# Settings that the administrators' page names.
docs_settings()
{
	local name
	for name in $(grep -oP '`\K[A-Z][A-Za-z]+(?==)' slurm.conf.d/README.md | sort -u); do
		grep -q "X(\"$name\"" wire/site.c || fail "slurm.conf.d/README.md names $name, which is no setting"
	done
}

# What a link or a path in backquotes leads to is there.
docs_links()
{
	local doc name
	for doc in "${DOCS[@]}"; do
		for name in $(grep -oP '\]\(\K[^)#]+' "$doc"); do
			[[ -e ${doc%README.md}$name ]] || fail "$doc: there is no $name"
		done
	done
	for name in $(grep -oP '`\K[a-z_]+(/[a-z_]+)+\.[ch](?=`)' core/README.md); do
		[[ -e $name || -e core/$name ]] || fail "core/README.md: there is no $name"
	done
}

docs_readme_is_short()
{
	local n
	n=$(wc -l <README.md)
	((n <= 180)) || fail "$n lines: what only few need belongs into the README of its folder"
}

run_case docs_formats
run_case docs_formats_are_fuzzed
run_case docs_pointers
run_case docs_commands
run_case docs_options
run_case docs_variables
run_case docs_settings
run_case docs_links
run_case docs_readme_is_short
test_end
