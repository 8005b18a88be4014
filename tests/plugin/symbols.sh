#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the plugin exports and needs. Slurm binds lazily: a symbol that is missing shows only when it
# is called, in somebody's job.
. "$(dirname "$0")/../lib/plugin.sh"

case_exports()
{
	nm -D --defined-only "$PLUGIN" | awk '{ print $NF }' | sort >"$TEST_TMP/exports"
	! grep -vE '^(slurm_spank_[a-z_]+|plugin_(name|type|version))$' "$TEST_TMP/exports" || fail "exports more than its callbacks"
	for name in plugin_name plugin_type plugin_version slurm_spank_init slurm_spank_init_post_opt \
		slurm_spank_local_user_init slurm_spank_task_init slurm_spank_task_exit; do
		file_has "$TEST_TMP/exports" "$name"
	done
	# with these Slurm reads options another way, or runs the plugin as root in prologs
	! grep -E '^(spank_options|slurm_spank_job_(prolog|epilog)|slurm_spank_slurmd_exit)$' "$TEST_TMP/exports" ||
		fail "exports what it must not"
}

# Every undefined symbol is libc's (it has a GLIBC version) or one of SPANK's, by name.
case_needs()
{
	nm -D -u "$PLUGIN" | awk '{ print $NF }' >"$TEST_TMP/needs"
	! grep -vE '@GLIBC_|^(_ITM_(de)?registerTMCloneTable|__gmon_start__)$' "$TEST_TMP/needs" |
		grep -vE '^(slurm_error|slurm_spank_log|spank_(context|get_item|getenv|job_control_setenv|option_register|setenv|strerror|unsetenv))$' ||
		fail "needs something that not every host program has"
	! grep -E '^(printf|puts|putchar|pthread_create|system|popen)@' "$TEST_TMP/needs" || fail "needs what a plugin must not use"
	file_has "$TEST_TMP/needs" spank_getenv
}

case_libraries()
{
	equal "$(readelf -d "$PLUGIN" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')" libc.so.6 "linked libraries"
}

case_resolves_in_slurm()
{
	local host name missing=
	host=$(command -v sbatch) || skip_case "no sbatch on this machine"
	name=$(ldd "$host" | sed -n 's/.*=> \(.*libslurmfull[^ ]*\).*/\1/p')
	[[ -n $name ]] || skip_case "sbatch has no libslurmfull"
	nm -D --defined-only "$name" "$host" | awk '{ print $NF }' >"$TEST_TMP/has"
	while read -r symbol; do
		grep -qxF -- "$symbol" "$TEST_TMP/has" || missing+=" $symbol"
	done < <(nm -D -u "$PLUGIN" | awk '$NF ~ /^(spank|slurm)_/ { print $NF }')
	[[ -z $missing ]] || fail "Slurm has no$missing"
}

run_cases
