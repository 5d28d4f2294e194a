#!/usr/bin/env bash
# Compares what streams say with the truth, and prints the tables of
# docs/accuracy.md: times, numbers of windows, energy, intervals. The truth is the
# simulator's; with --recordings it is what is known or inferred of recorded
# streams.
#
# usage: scripts/accuracy.sh [--long]
#        scripts/accuracy.sh --recordings DIR [--real]
#
#   --long            simulate twenty times as long: minutes instead of seconds
#   --recordings DIR  measure with each log of powerspy.py in DIR (known by its
#                     content, perhaps compressed), and print for several
#                     intervals: rows, bridged windows, gaps, the first reading's
#                     power, energy, the power of 95 % of rows in units of what
#                     it may be off (1.5 % or 0.03 W), the time error of 95 % of
#                     ends and the worst, and the largest error of the frequency
#                     from the fifth second on. Ends with 1 when over a limit
#   --real            in real time, from a pseudo-terminal each, all at once,
#                     instead of at speed
#   --help            print this
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"

long=() real=()
dir=
while (($#)); do
	case $1 in
	--long) long=(-long) ;;
	--recordings)
		[[ ${2-} ]] || wrong "--recordings needs a directory"
		[[ -d $2 ]] || wrong "$2 is not a directory"
		dir=$(realpath -- "$2")
		shift
		;;
	--real) real=(-recordings.real -test.parallel=64) ;;
	-h | --help)
		usage
		exit
		;;
	*) wrong "unknown argument $1" ;;
	esac
	shift
done
[[ $dir || ${#real[@]} == 0 ]] || wrong "--real needs --recordings"
cd "$ROOT"

# lines leaves what tests print.
lines() { sed -E -e '/^ *(=== (RUN|NAME|CONT|PAUSE)|--- PASS)|^PASS$/d' -e 's/^ +[a-z_]+\.go:[0-9]+: /    /'; }

if [[ $dir ]]; then
	go test ./cmd/powerspy -run 'TestRecordings$' -v -count=1 -timeout 2h -args -recordings "$dir" "${real[@]}" | lines
	exit
fi
{
	go test ./powerspy/timebase -run TestAccuracy -v -count=1
	go test ./meter ./measure -run TestAccuracy -v -count=1 -timeout 1h -args "${long[@]}"
} | lines
