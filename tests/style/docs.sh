#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the README says against what the code has: formats, commands, options, variables.
set -eu
. "$(dirname "$0")/../lib/assert.sh"
cd "$TEST_SRC"

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

docs_commands()
{
	local name
	for name in $(grep -oP '`ckptctl \K[a-z-]+' README.md | sort -u); do
		grep -q "{ \"$name\"," cli/main.c || fail "the README names the command $name, which there is not"
	done
}

docs_options()
{
	local name
	for name in $(grep -v Megatron README.md | grep -oP -- "--ckpt-[a-z]+(-[a-z]+)*" | sort -u); do
		grep -q "\"${name#--}\"" plugin/options.c || fail "the README names $name, which the plugin does not know"
	done
}

docs_variables()
{
	local name
	for name in $(grep -oP 'CKPT_[A-Z_]+' README.md | sort -u); do
		[[ $name != CKPT_SLURM_PLUGIN_DIR ]] || continue # of the build
		grep -q "\"$name\"" wire/decision.c || fail "the README names $name, which no job gets"
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

run_case docs_formats
run_case docs_pointers
run_case docs_commands
run_case docs_options
run_case docs_variables
test_end
