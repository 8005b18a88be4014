#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests under another release of Slurm: a Debian suite that ships it, as a root of its own made by debootstrap,
# where the project is built and its tests are run as tests/run does. As root; takes 3 GB and half an hour.
#   tests/versions.sh SUITE [GROUP | GROUP/SCRIPT]...   bookworm 22.05, trixie 24.11, sid the newest
#   default groups: unit plugin hooks live
# The root stays in $VERSIONS_DIR (/var/tmp/ckpt-versions) for the next time; `rm -rf --one-file-system` removes it.
set -eu
cd "$(dirname "$0")/.."
. tests/lib/install.sh
VERSIONS_DIR=${VERSIONS_DIR:-/var/tmp/ckpt-versions}
VERSIONS_MIRROR=${VERSIONS_MIRROR:-http://deb.debian.org/debian}
DEFAULT_GROUPS=(unit plugin hooks live)

usage()
{
	sed -n '6,8s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

# make_root: debootstrap's own, without daemons that start by themselves; whole only when it has its last name.
make_root()
{
	[[ ! -d $root ]] || return 0
	install_packages debootstrap
	mkdir -p "$VERSIONS_DIR"
	rm -rf --one-file-system "$root.part"
	debootstrap --variant=minbase "$suite" "$root.part" "$VERSIONS_MIRROR" >"$root.log" 2>&1 ||
		{ tail -n 5 "$root.log" >&2 && return 1; }
	printf '#!/bin/sh\nexit 101\n' >"$root.part/usr/sbin/policy-rc.d"
	chmod 755 "$root.part/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$root.part/etc/dpkg/dpkg.cfg.d/unsafe-io"
	# a snapshot of sid serves too: its Release file says for a week that it is the newest
	echo 'Acquire::Check-Valid-Until "false";' >"$root.part/etc/apt/apt.conf.d/snapshot"
	mv "$root.part" "$root"
}

# mount_all: in a mount namespace of this script's own; the trees that are built are the root's.
mount_all()
{
	local name
	mkdir -p build build-asan
	for name in src var/build var/build-asan; do
		mkdir -p "$root/$name"
	done
	mount --bind . "$root/src"
	mount --bind "$root/var/build" "$root/src/build"
	mount --bind "$root/var/build-asan" "$root/src/build-asan"
	mount -t proc proc "$root/proc"
	for name in dev sys; do
		mount --rbind "/$name" "$root/$name"
	done
	cp /etc/resolv.conf /etc/hosts "$root/etc/"
}

inside()
{
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/tmp \
		"WERROR=${WERROR:-OFF}" "TEST_ONLY=${TEST_ONLY:-}" "CLUSTER_KEEP=${CLUSTER_KEEP:-0}" bash -c "cd /src && $1" versions "${@:2}"
}

# install_all: but for what only the groups style and fuzz need, which look at the same sources anywhere, and ADIOS 1, which
# later releases of Debian do not have.
# shellcheck disable=SC2016 # the inner shell's
install_all()
{
	inside '. tests/lib/install.sh
		mapfile -t PACKAGES_TEST < <(printf "%s\n" "${PACKAGES_TEST[@]}" | grep -vE "clang|shellcheck|ctags|adios")
		install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_CLUSTER[@]}" "${PACKAGES_TEST[@]}" passwd hostname &&
		echo "Slurm $(slurmctld -V) on $(cat /etc/debian_version)"'
}

((EUID == 0)) || { echo "tests/versions.sh: needs root, for debootstrap and chroot" >&2 && exit 2; }
(($#)) && [[ $1 =~ ^[a-z]+$ ]] || usage
suite=$1 root=$VERSIONS_DIR/$1
shift
if [[ ${VERSIONS_INSIDE:-} != yes ]]; then # namespaces: nothing stays mounted, nothing goes on running
	make_root
	VERSIONS_INSIDE=yes exec unshare --mount --pid --fork --kill-child bash "$0" "$suite" "$@"
fi
mount_all
install_all
(($#)) || set -- "${DEFAULT_GROUPS[@]}"
# shellcheck disable=SC2016
inside 'tests/run --no-install "$@"' "$@"
