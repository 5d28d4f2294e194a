#!/usr/bin/env bash
# What an administrator may have to do once, so that ordinary users can measure with a PowerSpy.
#
# usage: scripts/setup.sh [--user USER] [--allow-restart USER|%GROUP] [--dry-run]
#
#   --user USER           who measures, where the D-Bus policy wants users in a group
#                         (default: who called sudo, else this user)
#   --allow-restart USER  let USER (or %GROUP, the members of a group) restart bluetooth.service
#                         without a password, which `powerspy` does when nothing less helps
#   --dry-run             say what would be changed, and change nothing
#   --help                print this
#
# It says what was right already and what it changes, and can be run again at any time. Only a
# change needs root. It unblocks Bluetooth, enables and starts the Bluetooth service, and adds USER
# to a group if, and only if, the D-Bus policy of this machine asks for that.
#
# Example: sudo scripts/setup.sh --user alice --allow-restart alice
#
# Exit status: 0 all is right now (or would be, with --dry-run), 1 something could not be changed,
# 2 wrong usage.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
wrong() {
	printf 'setup.sh: %s\n' "$1" >&2
	usage >&2
	exit 2
}

# The root of the file system: tests have another one.
root=${POWERSPY_SETUP_ROOT:-}
user=${SUDO_USER:-$(id -un)}
restarter='' dry_run='' arguments=("$@")
while (($#)); do
	case $1 in
	--user | --allow-restart)
		[[ ${2:-} ]] || wrong "$1 needs a value"
		if [[ $1 == --user ]]; then user=$2; else restarter=$2; fi
		shift
		;;
	--dry-run) dry_run=yes ;;
	-h | --help)
		usage
		exit 0
		;;
	*) wrong "unknown argument $1" ;;
	esac
	shift
done

# known DATABASE NAME reports whether there is such a user (passwd) or group. What can be the name of
# one is no code either.
known() { [[ $2 =~ ^[A-Za-z_][A-Za-z0-9_.-]*[$]?$ ]] && getent "$1" "$2" >/dev/null; }
known passwd "$user" || wrong "there is no user $user"
case $restarter in
'') ;;
%*) known group "${restarter#%}" || wrong "there is no group ${restarter#%}" ;;
*) known passwd "$restarter" || wrong "there is no user $restarter" ;;
esac

failed='' changes=0
right() { printf 'right already: %s\n' "$1"; }
problem() {
	printf 'PROBLEM: %s\n' "$1"
	failed=yes
}

# change WHAT COMMAND... runs a command that changes something.
change() {
	local what=$1
	shift
	changes=$((changes + 1))
	if [[ $dry_run ]]; then
		printf 'would change: %s (%s)\n' "$what" "$*"
	elif [[ $(id -u) != 0 ]]; then
		printf 'needs root: %s (%s)\n' "$what" "$*"
	elif "$@"; then
		printf 'changed: %s (%s)\n' "$what" "$*"
	else
		problem "$what: \`$*\` failed"
	fi
}

# policy prints who may talk to BlueZ by the D-Bus policy: "everybody", or the groups. Comments do
# not count.
policy() {
	awk 'BEGIN { RS = "-->" } { sub(/<!--.*/, ""); printf "%s", $0 }' "$@" |
		awk 'BEGIN { RS = "<policy" }
			!/<allow[^>]*send_destination="org\.bluez"/ { next }
			/^[^>]*context="(default|mandatory)"/ { print "everybody" }
			match($0, /^[^>]*group="[^"]*"/) { s = substr($0, 1, RLENGTH - 1); sub(/.*"/, "", s); print s }'
}

# Groups whose members are as good as root, or read what is others': nobody gets into one for a meter.
mighty=(root wheel sudo admin adm sys bin daemon disk kmem mem shadow docker lxd lxc incus incus-admin podman
	libvirt libvirtd libvirt-qemu kvm systemd-journal staff src backup utmp tty input messagebus polkitd)

check_policy() {
	local file files=() allowed group
	for file in "$root"/{usr/share,etc}/dbus-1/system.d/bluetooth.conf; do
		[[ ! -r $file ]] || files+=("$file")
	done
	if ! ((${#files[@]})); then
		problem "there is no D-Bus policy for Bluetooth: install BlueZ (Debian: apt-get install bluez)"
		return
	fi
	allowed=$(policy "${files[@]}")
	if grep -qx everybody <<<"$allowed"; then
		right "every user may talk to the Bluetooth service"
		return
	fi
	if [[ -z $allowed ]]; then
		problem "the D-Bus policy (${files[*]}) lets no user talk to the Bluetooth service"
		return
	elif [[ $user == root ]]; then
		right "root may talk to the Bluetooth service; give --user to say who measures"
		return
	fi
	group=$(grep -Fx -f <(id -nG "$user" | tr ' ' '\n') <<<"$allowed" | head -n 1 || true)
	if [[ $group ]]; then
		right "$user is in the group $group, which may talk to the Bluetooth service"
		return
	fi
	group=$(grep -x bluetooth <<<"$allowed" || grep -Fvx -f <(printf '%s\n' "${mighty[@]}") <<<"$allowed" | head -n 1 || true)
	if [[ -z $group ]]; then
		problem "the D-Bus policy (${files[*]}) lets only ${allowed//$'\n'/, } talk to the Bluetooth service, and who is in there may do far more: $user is not added; allow a group such as bluetooth in that policy"
	else
		change "add $user to the group $group, which may talk to the Bluetooth service; $user has to log in again" usermod -aG "$group" "$user"
	fi
}

check_rfkill() {
	local switch blocked=''
	for switch in "$root"/sys/class/rfkill/*; do
		[[ -r $switch/type && $(<"$switch/type") == bluetooth ]] || continue
		if [[ $(<"$switch/hard") != 0 ]]; then
			problem "Bluetooth is blocked by a switch of the machine (${switch##*/}): flip it, or allow Bluetooth in the firmware's setup"
		elif [[ $(<"$switch/soft") != 0 ]]; then
			blocked=yes
		fi
	done
	if [[ -z $blocked ]]; then
		right "no software blocks Bluetooth"
	elif ! command -v rfkill >/dev/null; then
		problem "Bluetooth is blocked, and the command rfkill is missing (Debian: apt-get install rfkill)"
	else
		change "unblock Bluetooth" rfkill unblock bluetooth
	fi
}

check_service() {
	if ! command -v systemctl >/dev/null; then
		problem "there is no systemd to start bluetoothd: see to it that it is started"
	elif ! systemctl cat bluetooth.service >/dev/null 2>&1; then
		problem "there is no bluetooth.service: install BlueZ (Debian: apt-get install bluez)"
	elif systemctl is-enabled --quiet bluetooth.service && systemctl is-active --quiet bluetooth.service; then
		right "the Bluetooth service is enabled and runs"
	else
		change "enable and start the Bluetooth service" systemctl enable --now bluetooth.service
	fi
}

# rule prints the polkit rule that lets somebody restart bluetooth.service, and nothing else.
rule() {
	local who="subject.user == \"$restarter\""
	[[ $restarter != %* ]] || who="subject.isInGroup(\"${restarter#%}\")"
	cat <<RULE
// Lets $restarter restart bluetooth.service without a password; delete this file to end that.
// Written by scripts/setup.sh --allow-restart of powerspy.
polkit.addRule(function(action, subject) {
    if (action.id == "org.freedesktop.systemd1.manage-units" &&
        action.lookup("unit") == "bluetooth.service" &&
        (action.lookup("verb") == "restart" || action.lookup("verb") == "start") &&
        $who) {
        return polkit.Result.YES;
    }
});
RULE
}

# write_rule FILE puts the rule in place, whole or not at all.
write_rule() {
	rule >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"
}

check_restart() {
	[[ $restarter ]] || return 0
	local dir=$root/etc/polkit-1/rules.d file
	case $restarter in
	%*) file=$dir/49-powerspy-group-${restarter#%}.rules ;;
	*) file=$dir/49-powerspy-user-$restarter.rules ;;
	esac
	if [[ ! -d $dir ]]; then
		problem "there is no $dir: polkit is not installed, or older than 0.106, which knows no rules"
	elif ! [[ -r $dir && -x $dir ]]; then
		# The folder is polkit's and root's, so nobody else can tell what is in it.
		change "let $restarter restart bluetooth.service, unless it may already" write_rule "$file"
	elif [[ -f $file && $(<"$file") == "$(rule)" ]]; then
		right "$restarter may restart bluetooth.service ($file)"
	else
		change "let $restarter restart bluetooth.service" write_rule "$file"
	fi
}

check_policy
check_rfkill
check_service
check_restart

if ((changes)) && [[ -z $dry_run && $(id -u) != 0 ]]; then
	printf 'Nothing was changed. Type:  sudo %s' "$0"
	((${#arguments[@]})) && printf ' %q' "${arguments[@]}"
	[[ " ${arguments[*]} " == *" --user "* ]] || printf ' --user %q' "$user"
	printf '\n'
	exit 1
fi
((changes)) || [[ $failed ]] || printf 'There is nothing to do.\n'
[[ -z $failed ]]
