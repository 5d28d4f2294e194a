#!/usr/bin/env bash
# Runs the project's tests, repeats what each test that failed said last, and ends with one line:
# "N passed, N failed".
#
# usage: scripts/test.sh [--race] [ARGUMENT of go test]...
#
#   --race    with the race detector, which takes some three times as long; without arguments,
#             TestAccuracy... of each package and internal/integration run without it
#   --help    print this
#
# Without arguments it runs the tests of both modules, this one and internal/integration; the tests
# in virtual machines are run by scripts/vm/test. A test that is skipped counts as failed.
#
# With --race and no arguments, up to three top-level tests that failed are run once again, each by
# itself, so that a machine that was held up from outside does not reject a change. Each is told, "tried
# again: TEST in PACKAGE, which passed", with what it said when it failed: it depends on time, and is to be
# mended. One that fails twice fails. None is tried again where more than three failed, one was skipped, a
# package was not built or panicked, or the race detector found something.
#
# It installs what the tests need and this machine lacks: dbus-daemon, on which the tests of package
# bluez run a private bus, systemd-analyze, which looks at the units, man, which reads the man page,
# zstdcat, which reads recordings, python3 for the provider of the Green Metrics Tool and powerspy.py,
# tmux, in which `powerspy watch` draws, Prometheus and the MQTT broker Mosquitto, which `powerspy
# serve` tells of meters, and Chromium, which looks at pages. npm fetches axe-core, which says what
# keeps people from using those.
set -euo pipefail
# shellcheck source=scripts/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$ROOT"

# Results are told behind a mark, so that they are not taken for what tests print.
readonly MARK=$'\x16'
go_test=(go test -v=test2json -vet=off) race=() # scripts/lint.sh looks
again=no                                        # whether some are run again
if [[ ${1-} == --race ]]; then
	race=(-race)
	shift
	(($#)) || again=yes
fi
if is_help "${1-}"; then
	usage
	exit
fi

need curl curl dbus-daemon dbus systemd-analyze systemd python3 python3 man man-db zstdcat zstd chromium chromium npm npm tmux tmux \
	prometheus prometheus promtool prometheus mosquitto mosquitto mosquitto_sub mosquitto-clients openssl openssl
axe=axe-core-$(sed -n 's/.*axeVersion = "\(.*\)"/\1/p' internal/integration/browser/axe.go)
if [[ ! -f $(cache "$axe.tgz") ]]; then
	say "fetching $axe"
	mkdir -p "$(cache .)"
	(cd "$(cache .)" && npm pack --silent "${axe/core-/core@}" >/dev/null)
fi
ci=${POWERSPY_CI-} # the folder of .ci/run
unset POWERSPY_CI
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work"/{told,again}
runs=() # "FOLDER CGO_ENABLED [-race]" of each time that go test was run

# tests FOLDER ARGUMENT... runs go test there, shows all of its output but what passed, and keeps in
# "results" what came of each test: "NUMBER-OF-RUN pass|fail|skip|broken|race PACKAGE [TEST]".
tests() {
	local dir=$1 run=${#runs[@]}
	local log=$work/$run
	shift
	runs+=("$dir $(go env CGO_ENABLED) ${race[*]}")
	{ (cd "$dir" && "${go_test[@]}" "${race[@]}" "$@") 2>&1 || touch "$log.failed"; } | tee "$log" |
		grep --line-buffered -avE "^($MARK(=== (RUN|PAUSE|CONT|NAME)| *--- PASS|PASS\$)|ok .*\[no tests to run\]|\?)" |
		sed -u "s/^$MARK//; s/$MARK/\n/g; s/[\x0e\x0f]//g" || true # the last two are around errors
	awk -f scripts/results.awk -v told="$work/told" "$log" >"$log.results"
	if [[ -e $log.failed ]] && ! grep -qv '^pass ' "$log.results"; then
		printf 'broken %s\n' "$dir" >>"$log.results"
		{ printf 'failed: go test in %s\n' "$dir" && tail -n 25 "$log" | sed 's/^/    /'; } >>"$work/told"
	fi
	sed "s/^/$run /" "$log.results" >>"$work/results"
}

# once_again runs those top-level tests again that failed, if that may be, and adds to "again" what came of it.
once_again() {
	local tops one run package test dir cgo detector came
	mapfile -t tops < <(awk '$2 == "fail" { sub(/\/.*/, "", $4); print $1, $3, $4 }' "$work/results" | sort -u)
	if ((${#tops[@]} > 3)) || grep -qvE '^[0-9]+ (pass|fail) ' "$work/results"; then return; fi
	[[ -z $ci ]] || flock "$ci/beside" true
	for one in "${tops[@]}"; do
		read -r run package test <<<"$one"
		read -r dir cgo detector <<<"${runs[run]}"
		race=()
		[[ -z $detector ]] || race=("$detector")
		say "trying $test in ${package#*/} again"
		# What came of it counts once.
		awk -v run="$run" -v package="$package" -v test="$test" \
			'!($1 == run && $3 == package && ($4 == test || index($4, test "/") == 1))' "$work/results" >"$work/others"
		mv "$work/others" "$work/results"
		run=${#runs[@]}
		CGO_ENABLED=$cgo tests "$dir" -count=1 -run "^$test\$" "$package"
		came=failed
		if [[ ! -e $work/$run.failed ]] && grep -qx "pass $package $test" "$work/$run.results"; then
			came=passed
		elif ! grep -qv '^pass ' "$work/$run.results"; then
			printf '%d broken %s\n' "$run" "$package" >>"$work/results" # it wasn't run
		fi
		printf 'tried again: %s in %s, which %s\n' "$test" "${package#*/}" "$came" >>"$work/again"
	done
}

# Simulations of hours, which take many times as long under the race detector: it finds what it can in
# the other tests of their packages.
readonly SIMULATIONS='^TestAccuracy'

if (($#)); then
	tests . "$@"
elif ((${#race[@]})); then
	# They take the processor time that the others leave, which wait most of their time. Built without
	# cgo, as by scripts/vm/test, so that packages are built once for both.
	mapfile -t simulating < <(git grep -lE "^func ${SIMULATIONS#^}" -- '*_test.go' ":!${MODULES[1]}" | xargs -n 1 dirname | sort -u)
	mkdir "$work/simulations"
	CGO_ENABLED=0 POWERSPY_CI=$work/simulations nice -n 19 "$SCRIPT" -run "$SIMULATIONS" "${simulating[@]/#/./}" >"$work/simulations/said" 2>&1 &
	simulations=$!
	# One package more at once than there are processors: those of cmd/powerspy wait for minutes.
	tests . -p "$(($(nproc) + 1))" -skip "$SIMULATIONS" ./...
	race=()
	export CGO_ENABLED=0
	# They drive programs, which are others' or built without the detector all the same.
	for module in "${MODULES[@]:1}"; do tests "$module" ./...; done
	wait "$simulations" || true
	head -n -1 "$work/simulations/said"
	cat "$work/simulations/told" >>"$work/told"
else
	for module in "${MODULES[@]}"; do tests "$module" ./...; done
fi

[[ $again == no ]] || once_again

# What failed is told at the end, where it is seen.
last_words "$work/told"
[[ -z $ci ]] || cat "$work/told" >>"$ci/told"
if [[ -s $work/again ]]; then
	cat "$work/again"
	printf '%d tried again\n' "$(wc -l <"$work/again")"
fi
passed=$(grep -cE '^[0-9]+ pass ' "$work/results" || true)
failed=$(grep -cE '^[0-9]+ (fail|skip|broken) ' "$work/results" || true)
if [[ -e $work/simulations ]]; then
	read -r more broken < <(sed -n '$s/ passed, \([0-9]*\) failed/ \1/p' "$work/simulations/said") || { more=0 broken=1; }
	passed=$((passed + more)) failed=$((failed + broken))
fi
((failed || passed)) || failed=1
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
