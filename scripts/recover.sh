#!/usr/bin/env bash
# Recovers a meter that has stopped measuring, for cron and lab scripts: runs
# `powerspy recover` once, never twice at a time, and notes when and how it ended.
#
# usage: scripts/recover.sh [--log FILE] [--wait SECONDS] [ARGUMENT of `powerspy recover`]...
#
#   --log FILE      append what happens to FILE (default: standard error)
#   --wait SECONDS  wait so long for another recovery to end, then run (default: 0)
#   --help          print this
#
# These and the arguments of `powerspy recover` may stand in any order.
#
# The command is $POWERSPY, else the powerspy in the PATH, in ~/.local/bin or in bin/ of this
# repository. A meter that some other command is measuring with is left alone: that command
# recovers by itself.
#
# Example, a line of a crontab:
#   */10 * * * * powerspy/scripts/recover.sh --log recover.log --device 00:0B:CE:07:1D:32
#
# Exit status: that of `powerspy recover` (0 the meter measures again, 6 somebody has to cut its
# power for a moment); 75 another recovery is under way, and nothing was done; 4 there is no
# powerspy, or no place for the lock; 2 wrong usage. So 0 always means that the meter measures.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
wrong() {
	printf 'recover.sh: %s\n' "$1" >&2
	usage >&2
	exit 2
}

log='' patience=0 arguments=()
while (($#)); do
	case $1 in
	--log | --wait)
		[[ ${2:-} ]] || wrong "$1 needs a value"
		if [[ $1 == --log ]]; then log=$2; else patience=$2; fi
		shift
		;;
	--log=?*) log=${1#*=} ;;
	--wait=?*) patience=${1#*=} ;;
	-h | --help)
		usage
		exit 0
		;;
	*) arguments+=("$1") ;;
	esac
	shift
done
[[ $patience =~ ^[0-9]+$ ]] || wrong "--wait takes whole seconds, not $patience"
if [[ $log ]]; then
	(: >>"$log") 2>/dev/null || wrong "can't write to $log"
	exec >>"$log" 2>&1
fi

note() { printf '%s recover.sh: %s\n' "$(date +%Y-%m-%dT%H:%M:%S%z)" "$1" >&2; }
not_ready() {
	note "$1"
	exit 4
}

# find_powerspy prints the command to run.
find_powerspy() {
	local candidate
	for candidate in "${POWERSPY:-powerspy}" ~/.local/bin/powerspy "$(dirname -- "${BASH_SOURCE[0]}")/../bin/powerspy"; do
		if command -v "$candidate"; then return; fi
		# A command that was asked for is not replaced by another.
		[[ -z ${POWERSPY:-} ]] || return 1
	done
	return 1
}

# private DIR makes a folder of this user's alone, or sees that it is one.
private() {
	mkdir -m 700 "$1" 2>/dev/null || true # it may be there
	[[ -d $1 && ! -L $1 && -O $1 && $(stat -c %a "$1") == 700 ]]
}

# lock_dir prints a folder of this user's alone. Under cron there is no $XDG_RUNTIME_DIR, and others
# may have taken the name among the temporary files.
lock_dir() {
	local uid parent dir cache
	uid=$(id -u)
	for parent in "${XDG_RUNTIME_DIR:-}" "/run/user/$uid"; do
		if [[ $parent == /* && -d $parent && -O $parent && -w $parent ]] && private "$parent/powerspy"; then
			printf '%s\n' "$parent/powerspy"
			return
		fi
	done
	cache=${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/powerspy
	mkdir -p "$cache" 2>/dev/null || true
	for dir in "${TMPDIR:-/tmp}/powerspy-$uid" "$cache/run-$(uname -n)"; do
		if private "$dir"; then
			printf '%s\n' "$dir"
			return
		fi
	done
	return 1
}

powerspy=$(find_powerspy) || not_ready "there is no ${POWERSPY:-powerspy}; install it with scripts/install-service.sh, or set POWERSPY to its path"
dir=$(lock_dir) || not_ready "no folder for the lock: ${TMPDIR:-/tmp}/powerspy-$(id -u) can't be made, or belongs to $(stat -c %U "${TMPDIR:-/tmp}/powerspy-$(id -u)" 2>/dev/null || echo nobody) or is open to others; set XDG_RUNTIME_DIR to a folder that only you may enter"

exec 9>>"$dir/recover.lock"
if ! flock --wait "$patience" 9; then
	note "another recovery is under way; nothing was done"
	exit 75
fi
note "$powerspy recover" # without its arguments, which may be secret
status=0
"$powerspy" recover "${arguments[@]}" 9>&- || status=$?
case $status in
0) outcome='the meter measures again' ;;
6) outcome='the meter does not answer; cut its power for ten seconds (and that of what it feeds)' ;;
*) outcome='see above' ;;
esac
note "exit status $status: $outcome"
exit "$status"
