#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What comes out of the build: symbols of the plugin, hardening, the tree that an installation makes.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

PLUGIN=$TEST_BUILD/ckpt_resume.so
PROGRAMS=(ckpt-hook ckpt-jobinfo ckpt-agent ckpt-companion ckptctl)

needs() { [[ -e $TEST_BUILD/$1 ]] || fail "$1 is not built"; }

build_warnings_are_errors()
{
	grep -qE '^CKPT_WERROR:[A-Z]+=ON$' "$TEST_BUILD/CMakeCache.txt" || fail "the build was made without -Werror"
}

# slurm_spank_* and plugin_* are all that the plugin shows; Slurm must not find a static options table.
build_plugin_exports()
{
	local names
	needs ckpt_resume.so
	names=$(nm -D --defined-only "$PLUGIN" | awk '{ print $NF }' | sed 's/@.*//')
	contains "$names" slurm_spank_init
	contains "$names" plugin_version
	lacks "$names" spank_options
	names=$(grep -vE '^(slurm_spank_[a-z_]+|plugin_(name|type|version)|spank_plugin_version)$' <<<"$names" || true)
	equal "$names" "" "further exported names"
}

# Slurm binds lazily: a name that nobody has would show only when it is called, in somebody's job.
build_plugin_imports()
{
	local names libc
	needs ckpt_resume.so
	equal "$(readelf -d "$PLUGIN" | grep NEEDED | grep -cvE 'libc\.so|ld-linux')" 0 "libraries besides libc"
	names=$(nm -D --undefined-only "$PLUGIN" | awk '$1 == "U" { print $2 }' | grep -v '@' || true)
	names=$(grep -vE '^(spank_[a-z_]+|slurm_(error|info|verbose|debug[23]?|spank_log))$' <<<"$names" || true)
	equal "$names" "" "names from neither libc nor SPANK"
}

build_hook_links_little()
{
	needs ckpt-hook
	needs ckpt-agent
	equal "$(readelf -d "$TEST_BUILD/ckpt-hook" | grep NEEDED | grep -cvE 'libc\.so|ld-linux')" 0 \
		"libraries of the hook besides libc"
	! readelf -d "$TEST_BUILD/ckpt-agent" | grep -q slurm || fail "the agent links libslurm"
}

build_hardened()
{
	local name
	for name in "${PROGRAMS[@]}" ckpt_resume.so; do
		needs "$name"
		name=$TEST_BUILD/$name
		readelf -lW "$name" | grep -q GNU_RELRO || fail "$name: no relro"
		readelf -dW "$name" | grep -qE 'BIND_NOW|NOW' || fail "$name: not bound at start"
		readelf -hW "$name" | grep -q 'DYN' || fail "$name: not position independent"
		! readelf -lW "$name" | grep GNU_STACK | grep -q RWE || fail "$name: executable stack"
	done
	nm -D "$TEST_BUILD/ckpt-agent" | grep -q __stack_chk_fail || fail "ckpt-agent: no stack protector"
}

build_installs()
{
	local root=$TEST_TMP/root file
	DESTDIR=$root cmake --install "$TEST_BUILD"
	for file in "${PROGRAMS[@]}" ckpt_resume.so; do
		[[ -n $(find "$root" -name "$file" -type f) ]] || fail "$file is not installed"
	done
	file=$(find "$root" -name ckpt-agent)
	equal "$(stat -c %a "$file")" 711 "mode of the installed agent"
	contains "$(dirname "$file")" libexec/ckpt-resume
	[[ -n $(find "$root" -path '*slurm.conf.d*' -type f) ]] || fail "no snippets are installed"
}

run_case build_warnings_are_errors
run_case build_plugin_exports
run_case build_plugin_imports
run_case build_hook_links_little
run_case build_hardened
# Whatever umask root has: what root executes lies where nobody else can write, and users reach the agent.
build_installs_with_any_umask()
{
	local mask root
	for mask in 000 002 077; do
		root=$TEST_TMP/umask-$mask
		mkdir -m 755 "$root"
		(umask "$mask" && DESTDIR=$root cmake --install "$TEST_BUILD" >/dev/null)
		equal "$(find "$root" ! -type l -perm /022)" "" "umask $mask: others can write"
		equal "$(find "$root" -type d -path '*ckpt-resume*' ! -perm -055)" "" "umask $mask: others cannot enter"
		equal "$(find "$root" -path '*slurm.conf.d/*' ! -perm -044)" "" "umask $mask: others cannot read"
	done
}

run_case build_installs
run_case build_installs_with_any_umask
test_end
