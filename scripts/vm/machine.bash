# The machine itself: how qemu is called, and the state of a guest that has booted, from which
# every program starts. Sourced by run, never run; $guest is the folder of the release's guest. What
# $qemu and $keeping hold, a process and a folder, the script removes when it ends early.
# shellcheck shell=bash

# machine ACCELERATOR MEMORY HOST KERNEL-ARGUMENT... sets qemu_command to what every guest has in
# common, up to its terminal. A state that was kept fits no other machine: so each has the network
# that leads nowhere but where $forwards, of qemu's "hostfwd", lets connections in.
machine() {
	local accelerator=$1 memory=$2 host=$3 accel=(-accel 'tcg,thread=multi' -cpu Nehalem)
	shift 3
	[[ $accelerator == kvm ]] && accel=(-accel kvm -cpu host)
	# no_timer_check: on a busy host an emulated timer may be too late for the kernel's test of it at
	# boot, and the kernel then looks for another one in vain. Under KVM it leaves that out by itself.
	# Two processors always: the kernel's worst Bluetooth faults hide with one.
	qemu_command=(
		qemu-system-x86_64 "${accel[@]}" -smp 2 -m "$memory" -display none -vga none -no-reboot
		-kernel "$guest/vmlinuz" -initrd "$guest/initrd"
		-append "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off no_timer_check $*"
		-drive "file=$guest/root.squashfs,format=raw,if=virtio,readonly=on"
		-netdev "user,id=net,restrict=on,ipv6=off${forwards:-}" -device "virtio-net-pci,netdev=net,romfile="
		-virtfs "local,path=$host,mount_tag=host,security_model=none,multidevs=remap"
	)
}

# output CHARDEV prints the arguments of the port on which a program's output comes.
output() { printf '%s\n' -device virtio-serial-pci -chardev "$1,id=output" -device 'virtserialport,chardev=output,name=output'; }

# state_file ACCELERATOR MEMORY prints where the state of a guest that has booted is kept.
state_file() {
	local version
	version=$(qemu-system-x86_64 --version | cksum)
	printf '%s/state-%s-%s-%s\n' "$guest" "$1" "$2" "${version%% *}"
}

# keep_state ACCELERATOR MEMORY boots the guest up to where it asks for the time, and keeps its state.
# It fails, and says why, when that can't be done; programs then start from a boot of their own.
keep_state() {
	local state work answer='' monitor port lock status=0
	state=$(state_file "$1" "$2")
	[[ ! -e $state ]] || return 0
	[[ ! -e $state.failed ]] || return 1
	exec {lock}>"$VM_CACHE/.lock-state"
	flock "$lock"
	if [[ ! -e $state ]]; then
		say "booting ${guest##*/} once, to keep its state"
		work=$(mktemp -d "$VM_CACHE/.state-XXXXXX")
		keeping=$work
		mkdir "$work/host"
		mkfifo "$work/port.in" "$work/port.out" "$work/monitor"
		exec {monitor}<>"$work/monitor"
		machine "$1" "$2" "$work/host" powerspy.keep
		mapfile -t -O "${#qemu_command[@]}" qemu_command < <(output "pipe,path=$work/port")
		"${qemu_command[@]}" -serial "file:$work/console" -monitor stdio <&"$monitor" >"$work/said" 2>&1 {lock}>&- &
		qemu=$!
		exec {port}<>"$work/port.out"
		read -r -t 45 answer <&"$port" || true
		if [[ $answer == ready* ]]; then
			printf '%s\n' "migrate \"exec:cat >$work/state\"" quit >&"$monitor"
			await_end "$qemu" 45 || true
		fi
		kill "$qemu" 2>/dev/null || true
		wait "$qemu" || status=$?
		qemu=
		exec {monitor}>&- {port}>&-
		if [[ $answer == ready* && $status == 0 && -s $work/state ]]; then
			mv "$work/state" "$state"
		else
			say "no state was kept (status $status): $(tail -n 2 "$work/said" "$work/console" 2>/dev/null)"
			status=1
			# A boot may hang once; what boots and can't be kept is not tried again.
			[[ $answer != ready* ]] || : >"$state.failed"
		fi
		rm -rf "$work"
		# shellcheck disable=SC2034  # for the script
		keeping=
	fi
	exec {lock}>&-
	return "$status"
}

# await_end PID SECONDS waits until a process has ended; fails when time ran out first.
await_end() {
	local deadline=$((SECONDS + $2))
	while kill -0 "$1" 2>/dev/null; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}
