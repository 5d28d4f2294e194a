#!/usr/bin/env bash
# Measures with a simulated meter that has every fault again and again, compares
# each reading and each gap with what really happened, and tells what it cost.
#
# usage: scripts/soak.sh [--real] [--hours N] [--seed N]
#
#   --real     in real time; else a simulated hour takes about a second
#   --hours N  how long to measure (default 10; fractions too)
#   --seed N   of the faults (default 1)
#   --help     print this
#
# Example, a night: scripts/soak.sh --real --hours 8 --seed 7
#
# Ends with 0 when all was as it has to be.
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

args=()
while [ $# -gt 0 ]; do
	case $1 in
	--real) args+=(-soak.real) ;;
	--hours | --seed)
		[[ ${2-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || wrong "$1 needs a number"
		args+=("-soak.${1#--}=$2")
		shift
		;;
	-h | --help)
		usage
		exit
		;;
	*) wrong "unknown argument $1" ;;
	esac
	shift
done

status=0
go test ./meter -run '^TestSoak$' -v -count=1 -timeout 0 -args ${args+"${args[@]}"} 2>&1 |
	sed -nE -e 's/^ +[a-z_]+\.go:[0-9]+: soak: (.{16})/\1/p; t' -e '/^(---|FAIL|ok|panic:|fatal error:| +[a-z_]+\.go)/p' || status=$?
exit "$status"
