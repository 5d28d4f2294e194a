# What the project's scripts share; sourced, never run.
# shellcheck shell=bash

# The script that sources it, wherever that goes afterwards, and the repository.
SCRIPT=$(realpath -- "$0")
ROOT=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/..")
# shellcheck disable=SC2034  # for those that source it
readonly SCRIPT ROOT

# say tells what a script is doing.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# usage prints the comment at the head of the script.
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$SCRIPT"; }

# wrong TEXT ends a script that was called wrongly, with status ${WRONG_USAGE:-2}.
wrong() {
	say "$1"
	usage >&2
	exit "${WRONG_USAGE:-2}"
}

# is_help ARGUMENT reports whether it asks for the usage.
is_help() { [[ $1 == -h || $1 == --help ]]; }

# as_root runs a command as root: directly, else through sudo.
as_root() {
	if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# install_packages PACKAGE... installs Debian packages, while no other of these scripts does.
install_packages() (
	say "installing $*"
	mkdir -p "$(cache .)"
	exec 9>"$(cache install.lock)"
	flock 9
	as_root apt-get update -q >/dev/null
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
)

# need COMMAND PACKAGE [COMMAND PACKAGE]... installs the packages whose commands are missing.
need() {
	local missing=()
	while (($#)); do
		PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || missing+=("$2")
		shift 2
	done
	((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# cache FOLDER prints where what takes long to make is kept, outside the tree.
cache() { printf '%s/powerspy/%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}" "$1"; }

# last_words FILE prints what scripts/results.awk told of tests that failed, at most some 60 lines of it:
# of each its name, and as many of its last lines as of the others.
last_words() {
	[[ -s $1 ]] || return 0
	awk -v most=60 '
		/^failed: / { block++ }
		NR == FNR { lines[block]++; blocks = block; next }
		FNR == 1 { block = 1; each = int(most / blocks) - 1 }
		block > most { next }
		/^failed: / { line = 0 }
		line == 0 || line >= lines[block] - each { print }
		{ line++ }
		END { if (blocks > most) printf "failed: %d others\n", blocks - most }' "$1" "$1"
}

# The modules of this repository: that of users, and that of the tests which need more.
# shellcheck disable=SC2034  # for those that source it
readonly MODULES=(. internal/integration)
