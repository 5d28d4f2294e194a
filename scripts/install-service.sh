#!/usr/bin/env bash
# Installs powerspy for this user, with a service that measures for weeks: no root is needed.
#
# usage: scripts/install-service.sh [--device DEVICE] [--binary FILE] [--no-start] [--dry-run]
#        scripts/install-service.sh --uninstall [--device DEVICE] [--dry-run]
#
#   --device DEVICE  the meter, if there are several: an address or the start of a name. Each has
#                    a service of its own (default: the meter that `powerspy setup` remembered)
#   --binary FILE    the program to install (default: bin/powerspy of this repository, which is
#                    built when there is a go command)
#   --no-start       install and enable, but do not start
#   --uninstall      stop and remove the service. The readings stay, and so does the program
#                    while another meter's service needs it
#   --dry-run        say what would be done, and do nothing
#   --help           print this
#
# It installs ~/.local/bin/powerspy and units in ~/.config/systemd/user, and can be run again at
# any time, as after an update. Readings go to ~/.local/state/powerspy; docs/unattended.md tells
# the rest.
#
# Example: scripts/install-service.sh --device 00:0B:CE:07:1D:32
#
# Exit status: 0 done, or nothing to do; 1 something failed; 2 wrong usage.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
wrong() {
	printf 'install-service.sh: %s\n' "$1" >&2
	usage >&2
	exit 2
}

device='' binary='' start=yes uninstall='' dry_run=''
while (($#)); do
	case $1 in
	--device | --binary)
		[[ ${2:-} ]] || wrong "$1 needs a value"
		if [[ $1 == --device ]]; then device=$2; else binary=$2; fi
		shift
		;;
	--no-start) start='' ;;
	--uninstall) uninstall=yes ;;
	--dry-run) dry_run=yes ;;
	-h | --help)
		usage
		exit 0
		;;
	*) wrong "unknown argument $1" ;;
	esac
	shift
done
[[ -z $uninstall || -z $binary ]] || wrong "--uninstall takes no --binary"

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
program=$HOME/.local/bin/powerspy
units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
file=powerspy.service unit=powerspy.service
if [[ $device ]]; then
	file=powerspy@.service
	unit=powerspy@$(systemd-escape -- "$device").service
fi

done_something=''
# run WHAT COMMAND... runs a command, or says that it would.
run() {
	local what=$1
	shift
	done_something=yes
	if [[ $dry_run ]]; then
		printf 'would do: %s (%s)\n' "$what" "$*"
	else
		printf '%s (%s)\n' "$what" "$*"
		"$@"
	fi
}

# replace WHAT MODE FROM TO installs a file, unless it is there already. A program that runs is not
# written over but replaced.
replace() {
	replaced=''
	if cmp -s "$3" "$4"; then return; fi
	replaced=yes changed=yes
	run "install $1" install -D -m "$2" "$3" "$4.new"
	run "put it in place" mv "$4.new" "$4"
}

# others reports whether another service of powerspy is enabled.
others() {
	local wants
	for wants in "$units"/default.target.wants/powerspy{,@*}.service; do
		[[ ! -L $wants || ${wants##*/} == "$unit" ]] || return 0
	done
	return 1
}

if [[ $uninstall ]]; then
	if [[ -L $units/default.target.wants/$unit ]] || systemctl --user is-active --quiet "$unit"; then
		run "stop and disable $unit" systemctl --user disable --now "$unit"
	fi
	if ! others; then
		for installed in "$units"/powerspy{,@}.service{,.d/no-namespaces.conf} "$program"; do
			[[ ! -e $installed ]] || run "remove ${installed##*/}" rm -- "$installed"
		done
		[[ -z $done_something ]] || run "tell systemd" systemctl --user daemon-reload
	fi
	[[ $done_something ]] || printf 'There is nothing to do.\n'
	printf 'Readings, if any, stay in ~/.local/state/powerspy.\n'
	exit 0
fi

if [[ -z $binary ]]; then
	binary=$here/../bin/powerspy
	if command -v go >/dev/null && [[ -f $here/../go.mod ]]; then
		if [[ $dry_run ]]; then
			printf 'would do: build the program\n'
		else
			(cd "$here/.." && go build -o bin/powerspy ./cmd/powerspy)
		fi
	fi
fi
if [[ ! -f $binary ]]; then
	[[ $dry_run ]] || wrong "there is no $binary; build it, or give --binary"
fi

changed='' replaced=''
replace "the program" 0755 "$binary" "$program"
replace "the unit $file" 0644 "$here/systemd/$file" "$units/$file"
# Whether the system lets users make the namespaces that the unit asks for is known only by trying.
dropin=$units/$file.d/no-namespaces.conf
namespaces=(PrivateUsers=yes CapabilityBoundingSet= ProtectSystem=full ProtectKernelTunables=yes)
if systemd-run --user --quiet --wait --collect "${namespaces[@]/#/--property=}" true 2>/dev/null; then
	if [[ -e $dropin ]]; then
		replaced=yes changed=yes
		run "remove ${dropin##*/}, which is not needed any more" rm -- "$dropin"
	fi
else
	unit_replaced=$replaced
	replace "${dropin##*/}, since this system lets users make no namespaces" 0644 "$here/systemd/no-namespaces.conf" "$dropin"
	replaced=$replaced$unit_replaced
fi
[[ -z $replaced ]] || run "tell systemd" systemctl --user daemon-reload
if ! systemctl --user is-enabled --quiet "$unit" 2>/dev/null; then
	run "start $unit whenever this user's services start" systemctl --user enable "$unit"
fi
if [[ $start ]]; then
	if ! systemctl --user is-active --quiet "$unit"; then
		run "start $unit" systemctl --user start --no-block "$unit"
	elif [[ $changed ]]; then
		run "restart $unit with what is new" systemctl --user restart --no-block "$unit"
	fi
fi
[[ $done_something ]] || printf 'There is nothing to do.\n'

if [[ $(loginctl show-user "$(id -un)" --property Linger --value 2>/dev/null) != yes ]]; then
	printf 'The service ends when you log out. To keep it, and to start it at boot, type:  loginctl enable-linger\n'
fi
printf 'See how it is:  systemctl --user status %q\n' "$unit"
