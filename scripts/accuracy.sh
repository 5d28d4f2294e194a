#!/usr/bin/env bash
# Compares what streams say with the simulator's truth, and prints the tables of
# docs/accuracy.md: times, numbers of windows, energy, intervals.
# Usage: scripts/accuracy.sh [--long]
#   --long  simulates twenty times as long: minutes instead of seconds
set -euo pipefail
cd "$(dirname "$0")/.."

long=()
case ${1-} in
'') ;;
--long) long=(-args -long) ;;
*) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
{
	go test ./powerspy/timebase -run TestAccuracy -v -count=1
	go test ./meter -run TestAccuracy -v -count=1 -timeout 1h "${long[@]}"
} | sed -E -e '/^(=== (NAME|CONT|PAUSE)|PASS$)/d' -e 's/^ +[a-z_]+\.go:[0-9]+: /    /'
