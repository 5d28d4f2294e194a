# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

readonly RELEASES=(bookworm trixie)

# shellcheck source=scripts/lib.bash
source "$(dirname -- "${BASH_SOURCE[0]}")/../lib.bash"
VM_DIR=$ROOT/scripts/vm
VM_CACHE=${POWERSPY_VM_CACHE:-$(cache vm)}

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
