# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

readonly RELEASES=(bookworm trixie)

VM_CACHE=${POWERSPY_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/powerspy/vm}
VM_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
	say "$*"
	exit 1
}

is_release() {
	local r
	for r in "${RELEASES[@]}"; do
		[[ $r == "$1" ]] && return 0
	done
	return 1
}

# guest_dir RELEASE prints the folder of that release's guest: root.squashfs, vmlinuz, initrd.
# Its name carries a hash of the recipe, so a changed recipe gives a new guest.
guest_dir() {
	local hash
	hash=$(cat "$VM_DIR/setup" "$VM_DIR/initrd-init" | sha256sum)
	printf '%s/%s-%s\n' "$VM_CACHE" "$1" "${hash:0:12}"
}
