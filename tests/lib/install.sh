# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Installs what is missing, by apt on Debian, and says what. To be sourced.

PACKAGES_BUILD=(gcc libc6-dev cmake ninja-build pkg-config libslurm-dev libcjson-dev libisal-dev
	libseccomp-dev libsmartcols-dev libssl-dev libzstd-dev liblz4-dev liblzma-dev libbz2-dev libcmocka-dev)
PACKAGES_CLUSTER=(slurmctld slurmd slurm-client munge python3 python3-torch procps util-linux)
PACKAGES_TEST=(gromacs lammps python3-adios python3-h5py python3-numpy python3-msgpack zstd xz-utils lz4 bzip2 shellcheck chromium clang clang-format libclang-rt-dev universal-ctags strace jq)
PACKAGES_BENCH=(b3sum p7zip-full unzip openssl python3-h5py python3-torch)
export PACKAGES_BUILD PACKAGES_CLUSTER PACKAGES_TEST PACKAGES_BENCH

# Prints those of the packages that are not installed.
packages_missing()
{
	local name
	for name in "$@"; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
	done
}

# install_packages NAME...: as root, by sudo, or prints the line to run and fails.
install_packages()
{
	local missing sudo=()
	command -v dpkg-query >/dev/null || return 0
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]})) || return 0
	if ((EUID != 0)); then
		sudo=(sudo)
		if ! command -v sudo >/dev/null || { [[ ! -t 0 ]] && ! sudo -n true 2>/dev/null; }; then
			echo "Missing packages. Please run as root:" >&2
			echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
			return 1
		fi
	fi
	echo "Installing by apt: ${missing[*]}"
	"${sudo[@]}" apt-get update -q </dev/null >/dev/null || true
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
		"${missing[@]}" </dev/null >/dev/null
}

# build_tree DIR CMAKE-ARGUMENTS...: quiet unless it fails.
build_tree()
{
	local dir=$1 log=$1/build.log && shift
	mkdir -p "$dir"
	if ! { cmake -S "$BUILD_SOURCE" -B "$dir" -G Ninja "$@" && ninja -C "$dir"; } >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		echo "build of $dir failed (log: $log)" >&2
		return 1
	fi
}

# Debian's python3-torch belongs to Debian's python3, whatever else is first in PATH.
PYTHON=${PYTHON:-/usr/bin/python3}
export PYTHON
BUILD_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
