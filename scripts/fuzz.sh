#!/usr/bin/env bash
# Fuzzes for long. `go test` runs the seeds of every fuzz target; this gives each target time to find
# inputs that nobody thought of. One that fails is left in the package's testdata/fuzz, to be kept.
#
# usage: scripts/fuzz.sh [--time DURATION] [TARGET...]
#
#   --time DURATION  for each target: 30s, 1h (default: 1m); or a number of inputs: 20000x
#   TARGET           the name of a target, or its start; all of them unless told
#   --help           print this
#
# Example, a night for the frames: scripts/fuzz.sh --time 8h FuzzFrame
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

duration=1m
while [[ ${1-} == -* ]]; do
	case $1 in
	--time)
		[[ ${2-} =~ ^[0-9]+([a-z][0-9a-z]*)$ ]] || wrong "--time takes a duration such as 30s, or a number of inputs such as 20000x"
		duration=$2
		shift
		;;
	-h | --help)
		usage
		exit
		;;
	*) wrong "unknown option $1" ;;
	esac
	shift
done
(($#)) || set -- Fuzz

fuzzed=0 status=0
for module in "${MODULES[@]}"; do
	while read -r package target; do
		for wanted; do
			[[ $target == "$wanted"* ]] || continue
			say "$target in $module/$package, $duration"
			fuzzed=1
			(cd "$module" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 1x "./$package") || status=1
			break
		done
	done < <(cd "$module" && go list -f '{{.Dir}}' ./... | while read -r dir; do
		grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed "s#^func #$(realpath --relative-to=. "$dir") #"
	done)
done
((fuzzed)) || wrong "no fuzz target begins with $*"
exit "$status"
