#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The form of the code: layers, headers, banned functions, sizes, licences, scripts.
# STYLE_ROOT names another tree to look at (tests/style/selftest.sh proves with it that each check can fail).
set -eu
. "$(dirname "$0")/../lib/assert.sh"
ROOT=${STYLE_ROOT:-$TEST_SRC}
cd "$ROOT"

LAYERS=(wire core agent cli plugin hooks)

# Prints the files with these name patterns in the layers that exist, one a line.
sources()
{
	local dir pattern
	for dir in "${LAYERS[@]}"; do
		[[ ! -d $dir ]] || for pattern in "$@"; do
			find "$dir" -type f -name "$pattern"
		done
	done | sort
}

scripts()
{
	find tests examples .ci -type f \( -name '*.sh' -o -path tests/run -o -path tests/cluster \
		-o -path .ci/run -o -path examples/demo -o -path tests/scale/run -o -path tests/scale/job \
		-o -path tests/scale/high -o -path tests/chaos/run -o -path tests/chaos/job \
		-o -path tests/chaos/mdrun \) 2>/dev/null | sort
}

# none TEXT WHY: fails with WHY and the text when there is any.
none() { [[ -z $1 ]] || { printf '%s\n' "$1" && fail "$2: $(head -n 1 <<<"$1")"; }; }

# A source without its comments and literals, line by line as before.
code_of() { gcc -fpreprocessed -dD -E -P "$1" 2>/dev/null | sed 's/"\(\\.\|[^"\\]\)*"/""/g'; }

# may FOLDER REGEX: every include of FOLDER must match REGEX.
may()
{
	[[ -d $1 ]] || return 0
	none "$(grep -rnE '^[[:space:]]*#[[:space:]]*include' "$1" --include='*.[ch]' | grep -vE "$2")" \
		"an include that layer $1 must not have"
}

# refuse FOLDER REGEX: no include of FOLDER may match REGEX.
refuse()
{
	[[ -d $1 ]] || return 0
	none "$(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*$2" "$1" --include='*.[ch]')" \
		"an include that layer $1 must not have"
}

style_layers__folders()
{
	may wire 'include *("wire/|<[^>]*>)'
	may core 'include *("(core|wire)/|<[^>]*>)'
	may agent 'include *("(agent|core|wire)/|<[^>]*>)'
	may cli 'include *("(cli|core|wire)/|<[^>]*>)'
	may plugin 'include *("(plugin|wire)/|<[^>]*>)'
	may hooks 'include *("(hooks|wire)/|<[^>]*>)'
}

style_layers__libraries()
{
	refuse wire '<(slurm|cjson|openssl|isa-l|seccomp|libsmartcols|zlib|pthread)'
	refuse core '<(slurm|syslog|seccomp|libsmartcols)'
	refuse cli '<slurm'
	refuse plugin '<(slurm/slurm\.h|cjson|openssl|isa-l|pthread)'
	refuse hooks '<(cjson|openssl|isa-l|pthread)'
}

# Order inside core: what a folder may include of its neighbours.
style_layers__inside_core()
{
	may core/base 'include *("(core/base|wire)/|<[^>]*>)'
	may core/format 'include *("(core/(base|format)|wire)/|<[^>]*>)'
	may core/catalog 'include *("(core/(base|format|catalog)|wire)/|<[^>]*>)'
	may core/integrity 'include *("(core/(base|format|catalog|record|integrity)|wire)/|<[^>]*>)'
	may core/config 'include *("(core/(base|config)|wire)/|<[^>]*>)'
	may core/watch 'include *("(core/(base|format|catalog|record|integrity|watch)|wire)/|<[^>]*>)'
	refuse core/record '"core/(integrity|resolve|config)/'
	none "$(grep -nE '^#include "core/format/[a-z0-9]+/' core/format/*.[ch] 2>/dev/null)" \
		"core/format itself knows no family of formats: their table does"
	none "$(grep -rn '"core/format/table/' core --include='*.[ch]')" "nobody includes the table"
}

# calls REGEX FILE...: prints the calls of functions whose whole name matches.
calls()
{
	local regex=$1 file && shift
	for file in "$@"; do
		code_of "$file" | grep -nE "(^|[^A-Za-z0-9_.>])($regex)[[:space:]]*\(" | sed "s|^|$file:~|"
	done
	return 0
}

style_banned_functions()
{
	local files
	mapfile -t files < <(sources '*.c' '*.h')
	none "$(calls 'strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|mktemp|tmpnam|system|popen|alloca' \
		"${files[@]}")" "a banned function"
}

style_core_is_silent()
{
	local files
	mapfile -t files < <(LAYERS=(core) && sources '*.c' '*.h')
	none "$(calls 'getenv|secure_getenv|exit|_exit|_Exit|abort|fork|vfork|clone|execv[a-z]*|execl[a-z]*|posix_spawn[a-z]*|set[er]*[ug]id|setgroups|chdir|fchdir|printf|vprintf|puts|putchar|perror|syslog|vsyslog|warn|warnx|err|errx' \
		"${files[@]}")" "core must not call this"
	none "$(grep -nE '\b(stdout|stderr)\b' "${files[@]}" | grep -vE ':[[:space:]]*(/?\*)')" \
		"core must not use the standard streams"
}

style_plugin_is_silent()
{
	local files
	mapfile -t files < <(LAYERS=(plugin wire) && sources '*.c')
	none "$(calls 'printf|vprintf|puts|putchar|pthread_create|slurm_load_[a-z]*|slurm_requeue[0-9]*' \
		"${files[@]}")" "what Slurm loads must not call this"
}

style_headers_compile_alone()
{
	local header
	for header in $(sources '*.h'); do
		echo "#include \"$header\"" |
			gcc -std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c - ||
			fail "$header does not compile alone"
	done
}

style_licences()
{
	local file
	for file in $(sources '*.c' '*.h') $(find tests examples bench -name '*.[ch]' 2>/dev/null); do
		[[ $(head -n 1 "$file") == '/* SPDX-License-Identifier: GPL-2.0-or-later */' ]] ||
			fail "$file does not begin with the SPDX line"
	done
	for file in $(scripts) $(find examples tests bench -name '*.py' 2>/dev/null); do
		head -n 2 "$file" | grep -q '^# SPDX-License-Identifier: GPL-2.0-or-later$' ||
			fail "$file has no SPDX line at its top"
	done
}

style_files_at_most_600_lines()
{
	none "$(sources '*.c' '*.h' | xargs -r wc -l | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }')" \
		"a file over 600 lines"
}

style_functions_at_most_80_lines()
{
	command -v ctags >/dev/null || skip_case "ctags is not installed"
	none "$(sources '*.c' | xargs -r ctags -f - --fields=+ne --c-kinds=f 2>/dev/null | awk -F'\t' '{
		line = end = 0
		for (i = 4; i <= NF; i++) {
			if ($i ~ /^line:/) line = substr($i, 6)
			if ($i ~ /^end:/) end = substr($i, 5)
		}
		if (end - line + 1 > 80) print $2 ": " $1 "() has " end - line + 1 " lines"
	}')" "a function over 80 lines"
}

style_clang_format()
{
	command -v clang-format >/dev/null || skip_case "clang-format is not installed"
	sources '*.c' '*.h' | xargs -r clang-format --dry-run -Werror || fail "clang-format would change something"
}

style_shellcheck()
{
	command -v shellcheck >/dev/null || skip_case "shellcheck is not installed"
	# Settings that the sourced helpers read; functions whose arguments have defaults.
	scripts | xargs -r shellcheck -x -P SCRIPTDIR -S warning -e SC2034,SC2120,SC2119 || fail "shellcheck complains"
}

style_no_todo()
{
	none "$(grep -rnE '\b(TODO|FIXME|XXX|HACK|stub)\b' --include='*.[ch]' --include='*.sh' --include='*.py' \
		"${LAYERS[@]}" examples 2>/dev/null)" "unfinished work"
}

# A case that the list at a script's end lacks never runs.
style_cases_are_run()
{
	local file name
	for file in $(scripts); do
		! grep -q 'declare -F' "$file" || continue
		for name in $(sed -nE 's/^([a-z0-9]+__[a-z0-9_]+)\(\).*/\1/p' "$file"); do
			(($(grep -oE '[a-z0-9_]+' "$file" | grep -cxE "$name|${name#*__}") > 1)) ||
				fail "$file: $name is in no list"
		done
	done
}

for check in style_layers__folders style_layers__libraries style_layers__inside_core style_banned_functions \
	style_core_is_silent style_plugin_is_silent style_headers_compile_alone style_licences \
	style_files_at_most_600_lines style_functions_at_most_80_lines style_clang_format style_shellcheck \
	style_no_todo style_cases_are_run; do
	run_case "$check"
done
test_end
