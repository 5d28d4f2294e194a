#!/usr/bin/env bash
# Compares what streams say with the simulator's truth, and prints the tables of
# docs/accuracy.md: times, numbers of windows, energy, intervals.
#
# usage: scripts/accuracy.sh [--long]
#
#   --long    simulates twenty times as long: minutes instead of seconds
#   --help    print this
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

long=()
case ${1-} in
'') ;;
--long) long=(-args -long) ;;
-h | --help)
	usage
	exit
	;;
*) wrong "unknown argument $1" ;;
esac
{
	go test ./powerspy/timebase -run TestAccuracy -v -count=1
	go test ./meter -run TestAccuracy -v -count=1 -timeout 1h "${long[@]}"
} | sed -E -e '/^(=== (NAME|CONT|PAUSE)|PASS$)/d' -e 's/^ +[a-z_]+\.go:[0-9]+: /    /'
