# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Names, folders and small helpers of the kernel lab; sourced by its scripts.

set -euo pipefail

KMOD_LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by the scripts that source this
TOP=$(cd "$KMOD_LAB/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/eoip
KERNELS="5.10 6.1 6.12 7"

say() { printf '%s\n' "kmod-lab: $*" >&2; }
die() { say "$*"; exit 1; }

# suite_of KERNEL: the Debian suite whose own kernel and compiler it is.
suite_of() {
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	7) echo sid ;;
	*) die "kernel \"$1\" is not one of: $KERNELS" ;;
	esac
}

# source_arch VARIANT: the ARCH of a kernel that source-kernel builds.
source_arch() { case $1 in uml*) echo um ;; *) echo x86_64 ;; esac; }

# archive_site: where the host's own apt gets Debian from.
archive_site() {
	apt-get indextargets --format '$(CREATED_BY) $(SITE)' \
		'Identifier: Packages' 2>/dev/null |
		awk '$2 ~ /debian\/?$/ { print $2; exit }' | grep . ||
		die "no Debian archive in the host's apt configuration"
}

# need PROGRAM PACKAGE...: installs what is missing.
need() {
	local want=()
	while [ $# -gt 1 ]; do
		command -v "$1" >/dev/null || want+=("$2")
		shift 2
	done
	[ ${#want[@]} -eq 0 ] && return
	say "installing ${want[*]}"
	apt-get -qq -o DPkg::Lock::Timeout=300 update >/dev/null || true
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 --no-install-recommends \
		install "${want[@]}" >/dev/null
}

# release_of KERNEL: "6.1.0-49-amd64"; fails when it was not fetched.
release_of() { cat "$CACHE/kernel/$1.release" 2>/dev/null; }

# in_chroot SUITE COMMAND...: with a private mount namespace and /proc.
in_chroot() {
	local root=$CACHE/chroot/$1
	shift
	unshare -m sh -c 'mount -t proc proc "$0/proc"; root=$0
		exec chroot "$root" /usr/bin/env -i \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive "$@"' "$root" "$@"
}
