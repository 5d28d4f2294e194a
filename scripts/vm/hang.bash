# Tells a guest whose emulation hangs from one in which a program of ours does. Sourced by run, never
# run.
# shellcheck shell=bash

# A guest with nothing to do still takes processor time for its timers every few seconds.
readonly STILL_SECONDS=${POWERSPY_VM_STILL:-60}

# What a guest's kernel says when something broke in it.
readonly COMPLAINTS='kernel BUG|BUG:|Oops|general protection|Kernel panic|WARNING:'

# idle_stuck CONSOLE reports whether the kernel finds the idle task of a processor stuck, and again
# later for longer. Once may be a busy machine that held the guest up. Where the kernel complains of
# anything else too, it is that which has to be looked at.
idle_stuck() {
	local line stuck=() grew=
	while IFS= read -r line; do
		if [[ $line =~ soft\ lockup\ -\ CPU#([0-9]+)\ stuck\ for\ ([0-9]+)s!\ \[swapper/([0-9]+):0\] &&
			${BASH_REMATCH[1]} == "${BASH_REMATCH[3]}" ]]; then
			if ((BASH_REMATCH[2] > ${stuck[BASH_REMATCH[1]]:-BASH_REMATCH[2]})); then grew=yes; fi
			stuck[BASH_REMATCH[1]]=${BASH_REMATCH[2]}
		else
			return 1
		fi
	done < <(grep -aE "$COMPLAINTS" "$1" 2>/dev/null)
	[[ -n $grew ]]
}

# processor_time PID prints how much a process has taken, in ticks; nothing when it has ended.
processor_time() {
	local stat
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	# Its name comes first, in brackets, with whatever is in it.
	read -ra stat <<<"${stat##*) }"
	printf '%d\n' "$((stat[11] + stat[12]))"
}

# await_program PID CONSOLE SECONDS waits until the guest of an emulator has ended. It fails when time
# ran out, and sets hung to why when the emulation hangs, which it finds out within a minute or so.
await_program() {
	local deadline=$((SECONDS + $3)) looked=$SECONDS moved=$SECONDS took before=
	hung=
	while kill -0 "$1" 2>/dev/null; do
		((SECONDS < deadline)) || return 1
		if ((SECONDS > looked)); then
			looked=$SECONDS
			took=$(processor_time "$1")
			[[ $took == "$before" ]] || moved=$SECONDS
			before=$took
			if ((SECONDS - moved >= STILL_SECONDS)); then
				hung="the emulator has taken no processor time for $((SECONDS - moved)) s"
			elif idle_stuck "$2"; then
				hung="the guest's kernel finds its idle task stuck"
			fi
			[[ -z $hung ]] || return 1
		fi
		sleep 0.1
	done
}
